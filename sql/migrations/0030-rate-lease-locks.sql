-- A counter whose row somebody holds locked keeps no other from being leased or settled: it is
-- waited for 100 ms at most in all, then it is left out.

SET LOCAL ROLE postward_owner;

ALTER TABLE mail.nodes ADD COLUMN skipped bigint[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN mail.nodes.skipped IS 'Deltas of its last batch that were left out: their rows were locked.';

-- A row that is free costs no subtransaction; a new one does.
CREATE FUNCTION mail.rate_lock_until(key_id bigint, key_who text, deadline_us bigint) RETURNS mail.rate_state
LANGUAGE plpgsql AS $$
DECLARE
    state mail.rate_state;
    before constant text := current_setting('lock_timeout');
BEGIN
    SELECT * INTO state FROM mail.rate_state AS s
    WHERE s.limit_id = key_id AND s.who = key_who FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
        RETURN state;
    END IF;
    BEGIN
        PERFORM set_config('lock_timeout', greatest((deadline_us - mail.clock_us()) / 1000, 1)::text, true);
        state := mail.rate_lock(key_id, key_who);
        PERFORM set_config('lock_timeout', before, true);
    EXCEPTION WHEN lock_not_available THEN -- that undoes the setting too
        state := NULL;
    END;
    RETURN state;
END $$;
COMMENT ON FUNCTION mail.rate_lock_until(bigint, text, bigint) IS
    'For the functions of counters: the row, locked; NULL = another session holds it for longer than until then.';

-- What a message had of a slot before and did not use comes back with all that is held, under the older
-- slot: the rest is in the newer ones.
CREATE OR REPLACE FUNCTION mail.rate_give_back(c mail.rate_counter, tokens bigint, until_at bigint)
RETURNS mail.rate_counter
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    place bigint := 1 + c.slot - until_at;
    left_over bigint := tokens;
    given bigint;
BEGIN
    IF NOT c.is_window THEN -- what has flowed back by itself cannot come back a second time
        c.gap := greatest(c.gap - greatest(least(tokens::numeric * c.per_us,
                                                 (until_at - c.now_us)::numeric * c.per_limit), 0), 0);
    ELSIF place BETWEEN 1 AND 49 THEN
        FOR i IN REVERSE place..1 LOOP
            EXIT WHEN left_over <= 0;
            given := least(c.slots[i], left_over);
            c.slots[i] := c.slots[i] - given;
            left_over := left_over - given;
        END LOOP;
    END IF;
    RETURN c;
END $$;

-- As before, but without those that are locked.
CREATE OR REPLACE FUNCTION mail.rate_lease(requests jsonb, OUT n bigint, OUT held bigint, OUT until_at bigint,
                                OUT lasts_us bigint, OUT free bigint, OUT behind_us bigint,
                                OUT next_us bigint, OUT nodes int,
                                OUT told_us bigint, OUT over bigint)
RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    r record;
    state mail.rate_state;
    c mail.rate_counter;
    without mail.rate_counter; -- what the node has being given back
    wanted bigint;
    deadline_us constant bigint := mail.clock_us() + 100000;
BEGIN
    nodes := mail.nodes_alive();
    FOR r IN
        SELECT a.n, l.id, a.e ->> 'who' AS who, greatest(mail.whole(a.e -> 'cost'), 1) AS cost,
               greatest(mail.whole(a.e -> 'need'), 0) AS need, greatest(mail.whole(a.e -> 'have'), 0) AS have,
               mail.whole(a.e -> 'until') AS until_at, l.kind = 'window' AS is_window,
               l.limit_count, (extract(epoch FROM l.period) * 1000000)::bigint AS per_us,
               CASE WHEN l.kind = 'window' THEN l.limit_count ELSE coalesce(l.burst, l.limit_count) END AS burst
        FROM jsonb_array_elements(requests) WITH ORDINALITY AS a (e, n)
        JOIN mail.rate_limits AS l ON l.id = mail.whole(a.e -> 'id', -1)
        WHERE a.e ->> 'who' IS NOT NULL AND l.limit_count > 0
        ORDER BY l.id, a.e ->> 'who', a.n
    LOOP
        state := mail.rate_lock_until(r.id, r.who, deadline_us);
        CONTINUE WHEN state.limit_id IS NULL;
        c := mail.rate_read(state, r.is_window, r.limit_count, r.per_us, r.burst, mail.clock_us());
        without := mail.rate_give_back(c, r.have, r.until_at);
        free := mail.rate_free(without);
        wanted := least(greatest(least(free / (2 * nodes), r.burst / 8), r.need, r.cost, 1), free);
        n := r.n;
        next_us := 0;
        told_us := greatest(state.told_until_us - c.now_us, 0);
        over := state.over;
        IF wanted >= r.cost AND (wanted > r.have OR (c.is_window AND r.until_at <> c.slot)) THEN
            held := wanted;
            c := without;
            IF c.is_window THEN
                c.slots[1] := c.slots[1] + wanted;
                until_at := c.slot;
                lasts_us := greatest((c.slot + 1) * c.slot_us - c.now_us, 0);
            ELSE
                c.gap := c.gap + wanted::numeric * c.per_us;
                lasts_us := div(c.gap, c.per_limit);
                until_at := c.now_us + ceil(c.gap / c.per_limit);
            END IF;
            PERFORM mail.rate_write(r.id, r.who, c);
        ELSE
            held := r.have;
            until_at := r.until_at;
            lasts_us := NULL; -- as it was
            next_us := mail.rate_wait_us(c, r.cost);
            IF nodes > 1 AND r.cost > r.have THEN
                PERFORM mail.rate_tell_dry(state, c.now_us);
            END IF;
        END IF;
        free := mail.rate_free(c);
        behind_us := CASE WHEN c.is_window THEN div((c.burst - free)::numeric * c.per_us, c.per_limit)
                          ELSE greatest(ceil(c.gap / c.per_limit), 0) END;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION mail.rate_lease(jsonb) IS
    'For postward-policyd: [{"id", "who", "cost" the least that helps, "need" in all, "have", "until"}, ...]; what it holds then, for how long, what is left for all, when cost is there, for how long nobody is told again. A limit that is gone has no row, nor one whose counter is locked.';

-- What rate_settle does, for programs that keep what is left out.
CREATE FUNCTION mail.rate_settle_free(deltas jsonb) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    r record;
    state mail.rate_state;
    c mail.rate_counter;
    place bigint;
    left_out bigint[] := '{}';
    deadline_us constant bigint := mail.clock_us() + 100000;
BEGIN
    INSERT INTO mail.nodes AS node (name, program, settled)
    VALUES (deltas ->> 'node', deltas ->> 'program', mail.whole(deltas -> 'batch'))
    ON CONFLICT ON CONSTRAINT nodes_pkey DO UPDATE
        SET settled = excluded.settled, seen_at = excluded.seen_at
        WHERE node.settled < excluded.settled;
    IF NOT FOUND THEN
        RETURN QUERY SELECT unnest(node.skipped) FROM mail.nodes AS node -- its answer got lost; it has been taken
                     WHERE node.name = deltas ->> 'node' AND node.program = deltas ->> 'program';
        RETURN;
    END IF;
    FOR r IN
        SELECT a.n, l.id, a.e ->> 'who' AS who, greatest(mail.whole(a.e -> 'back'), 0) AS back,
               mail.whole(a.e -> 'until') AS until_at, greatest(mail.whole(a.e -> 'used'), 0) AS used,
               mail.whole(a.e -> 'lasts_us') AS lasts_us, greatest(mail.whole(a.e -> 'age_us'), 0) AS age_us,
               l.kind = 'window' AS is_window, l.limit_count,
               (extract(epoch FROM l.period) * 1000000)::bigint AS per_us,
               CASE WHEN l.kind = 'window' THEN l.limit_count ELSE coalesce(l.burst, l.limit_count) END AS burst
        FROM jsonb_array_elements(deltas -> 'deltas') WITH ORDINALITY AS a (e, n)
        JOIN mail.rate_limits AS l ON l.id = mail.whole(a.e -> 'id', -1)
        WHERE a.e ->> 'who' IS NOT NULL AND l.limit_count > 0
        ORDER BY l.id, a.e ->> 'who', a.n
    LOOP
        state := mail.rate_lock_until(r.id, r.who, deadline_us);
        IF state.limit_id IS NULL THEN
            left_out := left_out || r.n;
            CONTINUE;
        END IF;
        c := mail.rate_read(state, r.is_window, r.limit_count, r.per_us, r.burst, mail.clock_us());
        IF r.back > 0 THEN
            c := mail.rate_give_back(c, r.back, r.until_at);
        END IF;
        IF c.is_window THEN
            place := greatest(1 + c.slot - (c.now_us - r.age_us) / c.slot_us, 1);
            IF place <= 49 THEN
                c.slots[place] := c.slots[place] + r.used;
            END IF;
        ELSIF r.used > 0 THEN
            -- as if each had been counted here when it was used: what was used before flows back
            -- first; lasts_us is when all of it is back if nothing was
            c.gap := least(greatest(c.gap + r.used::numeric * c.per_us, r.lasts_us::numeric * c.per_limit),
                           c.burst::numeric * c.per_us);
        END IF;
        PERFORM mail.rate_write(r.id, r.who, c);
    END LOOP;
    UPDATE mail.nodes AS node SET skipped = left_out
    WHERE node.name = deltas ->> 'node' AND node.program = deltas ->> 'program' AND node.skipped <> left_out;
    RETURN QUERY SELECT unnest(left_out);
END $$;
COMMENT ON FUNCTION mail.rate_settle_free(jsonb) IS
    'For postward-policyd: {"node", "program", "batch", "deltas": [{"id", "who", "back", "until"} of a lease | {"id", "who", "used", "lasts_us", "age_us"} counted in an outage, ...]}; which of them, from 1, were left out because their counters are locked: they go with another batch. No batch is taken twice.';
COMMENT ON FUNCTION mail.rate_settle(jsonb) IS 'For a postward-policyd older than mail.rate_settle_free: it waits for every row.';

GRANT EXECUTE ON FUNCTION mail.rate_settle_free(jsonb) TO postward_policy;
