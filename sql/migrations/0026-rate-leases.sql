-- Several nodes share one counter. mail.rate_state holds what all of them have taken; a node
-- takes some tokens at a time, spends them without the database and gives back what it does not
-- need. Tokens are paid for here before anybody uses them, on this server's clock alone.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.nodes (
    name     text NOT NULL CHECK (octet_length(name) <= 300),
    program  text NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (name, program)
) WITH (fillfactor = 50);
COMMENT ON TABLE mail.nodes IS 'Programs that share counters; one not seen for 10 s counts as gone.';
COMMENT ON COLUMN mail.nodes.name IS 'Host and a word that is new at each start.';
COMMENT ON COLUMN mail.nodes.program IS 'postward-policyd.';
COMMENT ON COLUMN mail.nodes.seen_at IS 'Its last sign of life, by this server''s clock.';
COMMENT ON COLUMN mail.nodes.settled IS 'Its last batch that mail.rate_settle took; none is taken twice.';

CREATE FUNCTION mail.nodes_alive() RETURNS int
LANGUAGE plpgsql AS $$
BEGIN
    RETURN greatest((SELECT count(*) FROM mail.nodes
                     WHERE seen_at > clock_timestamp() - interval '10 seconds'), 1);
END $$;
COMMENT ON FUNCTION mail.nodes_alive() IS 'How many nodes share the counters now.';

CREATE FUNCTION mail.node_seen(name text, program text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    INSERT INTO mail.nodes AS n (name, program) VALUES (node_seen.name, node_seen.program)
    ON CONFLICT ON CONSTRAINT nodes_pkey DO UPDATE SET seen_at = clock_timestamp();
    DELETE FROM mail.nodes AS n WHERE n.seen_at < clock_timestamp() - interval '1 day';
    PERFORM mail.rate_prune();
    RETURN mail.nodes_alive();
END $$;
COMMENT ON FUNCTION mail.node_seen(text, text) IS
    'For postward-policyd, every 2 s: I am here; answers how many nodes are.';

-- Rows change in place: no index holds what changes, and there is room for a second version.
ALTER TABLE mail.rate_state
    ADD COLUMN part bigint NOT NULL DEFAULT 0,
    ADD COLUMN per_limit bigint,
    ADD COLUMN per_us bigint,
    ADD COLUMN dry_at_us bigint NOT NULL DEFAULT 0,
    SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE mail.rate_state IS
    'Counters of the limits: what was used, and what nodes hold to use. mail.rate_usage reads easier. A row that is '
    'deleted begins anew.';
COMMENT ON COLUMN mail.rate_state.part IS 'Of a bucket: a part of one microsecond more, in 1/per_limit of it.';
COMMENT ON COLUMN mail.rate_state.per_limit IS 'Counted with so many ...; NULL = as the limit says.';
COMMENT ON COLUMN mail.rate_state.per_us IS '... in so many microseconds.';
COMMENT ON COLUMN mail.rate_state.dry_at_us IS 'When nodes were last asked to give back what they hold.';

-- One counter at one moment. Sums of a bucket are in 1/per_limit microseconds, in which one token
-- weighs per_us: 3 in 7 s needs no rounding.
CREATE TYPE mail.rate_counter AS (
    is_window  boolean,
    per_limit  bigint,
    per_us     bigint,
    burst      bigint,
    now_us     bigint,
    gap        numeric,  -- kind bucket: what it lacks; below 0: how long it has been whole
    slot_us    bigint,   -- kind window: a slot's length, the newest one's number since 1970,
    slot       bigint,
    slots      bigint[]  -- what was used in it and in the 48 before it
);
COMMENT ON TYPE mail.rate_counter IS 'A counter at one moment, for mail.rate_lease and mail.rate_settle.';

CREATE FUNCTION mail.rate_read(state mail.rate_state, is_window boolean, per_limit bigint,
                               per_us bigint, burst bigint, now_us bigint) RETURNS mail.rate_counter
LANGUAGE plpgsql STABLE AS $$
DECLARE
    c mail.rate_counter := (is_window, per_limit, per_us, burst, now_us, 0, NULL, NULL, NULL);
    used bigint;
    moved bigint;
BEGIN
    IF NOT is_window THEN
        c.gap := (state.full_at_us - now_us)::numeric * coalesce(state.per_limit, per_limit) + state.part;
        IF state.per_limit <> per_limit OR state.per_us <> per_us THEN -- the number used stays
            c.gap := ceil(c.gap * per_us / state.per_us);
        END IF;
        c.gap := least(c.gap, burst::numeric * per_us);
        RETURN c;
    END IF;
    c.slot_us := (per_us + 47) / 48;
    c.slot := now_us / c.slot_us;
    c.slots := array_fill(0::bigint, ARRAY[49]);
    IF state.width_us = c.slot_us THEN
        c.slot := greatest(c.slot, state.head_us / c.slot_us); -- a clock that stepped back
        moved := c.slot - state.head_us / c.slot_us;
        IF moved < 49 THEN
            c.slots := (c.slots[1:moved] || state.counts || c.slots)[1:49];
        END IF;
    ELSIF state.width_us IS NOT NULL AND now_us - state.head_us < 49 * state.width_us THEN
        SELECT sum(u) INTO used FROM unnest(state.counts) AS u;
        c.slots[1] := used; -- another period: as if all were used now
    ELSIF state.width_us IS NULL AND state.full_at_us > now_us THEN -- it was a bucket: the same
        c.slots[1] := least(ceil((state.full_at_us - now_us)::numeric * coalesce(state.per_limit, per_limit)
                                 / coalesce(state.per_us, per_us)), burst);
    END IF;
    RETURN c;
END $$;
COMMENT ON FUNCTION mail.rate_read(mail.rate_state, boolean, bigint, bigint, bigint, bigint) IS
    'A stored counter as it is now, at the present rate of its limit.';

CREATE FUNCTION mail.rate_free(c mail.rate_counter) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF c.is_window THEN
        RETURN greatest(c.burst - (SELECT sum(u) FROM unnest(c.slots) AS u), 0);
    END IF;
    RETURN div(c.burst::numeric * c.per_us - greatest(c.gap, 0), c.per_us);
END $$;
COMMENT ON FUNCTION mail.rate_free(mail.rate_counter) IS 'Tokens left in a counter.';

CREATE FUNCTION mail.rate_wait_us(c mail.rate_counter, wanted bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    lack bigint := wanted - mail.rate_free(c);
BEGIN
    IF wanted > c.burst THEN
        RETURN -1;
    ELSIF lack <= 0 THEN
        RETURN 0;
    ELSIF NOT c.is_window THEN
        RETURN ceil((c.gap + (wanted - c.burst)::numeric * c.per_us) / c.per_limit);
    END IF;
    FOR i IN REVERSE 49..1 LOOP
        lack := lack - c.slots[i];
        IF lack <= 0 THEN
            RETURN (c.slot + 50 - i) * c.slot_us - c.now_us;
        END IF;
    END LOOP;
    RETURN 49 * c.slot_us;
END $$;
COMMENT ON FUNCTION mail.rate_wait_us(mail.rate_counter, bigint) IS
    'Microseconds until so many tokens are there if nobody takes any; -1 = never.';

-- until_at of a bucket: the instant by which all of a lease has flowed back; of a window: its slot.
CREATE FUNCTION mail.rate_give_back(c mail.rate_counter, tokens bigint, until_at bigint)
RETURNS mail.rate_counter
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    place bigint := 1 + c.slot - until_at;
BEGIN
    IF NOT c.is_window THEN -- what has flowed back by itself cannot come back a second time
        c.gap := greatest(c.gap - greatest(least(tokens::numeric * c.per_us,
                                                 (until_at - c.now_us)::numeric * c.per_limit), 0), 0);
    ELSIF place BETWEEN 1 AND 49 THEN
        c.slots[place] := greatest(c.slots[place] - tokens, 0);
    END IF;
    RETURN c;
END $$;
COMMENT ON FUNCTION mail.rate_give_back(mail.rate_counter, bigint, bigint) IS 'Tokens of a lease that nobody used.';

CREATE FUNCTION mail.rate_write(key_id bigint, key_who text, c mail.rate_counter) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE mail.rate_state
    SET full_at_us = c.now_us + CASE WHEN c.is_window THEN mail.rate_wait_us(c, c.burst)
                                     ELSE div(c.gap, c.per_limit) END,
        part = CASE WHEN c.is_window THEN 0 ELSE mod(c.gap, c.per_limit) END,
        per_limit = c.per_limit, per_us = c.per_us, head_us = c.slot * c.slot_us, width_us = c.slot_us,
        counts = c.slots, changed_at = clock_timestamp()
    WHERE limit_id = key_id AND who = key_who;
END $$;
COMMENT ON FUNCTION mail.rate_write(bigint, text, mail.rate_counter) IS 'Store a counter.';

-- The row of a counter, made where there is none, and locked.
CREATE FUNCTION mail.rate_lock(key_id bigint, key_who text) RETURNS mail.rate_state
LANGUAGE plpgsql AS $$
DECLARE
    state mail.rate_state;
BEGIN
    LOOP
        SELECT * INTO state FROM mail.rate_state AS s
        WHERE s.limit_id = key_id AND s.who = key_who FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO mail.rate_state (limit_id, who, full_at_us) VALUES (key_id, key_who, 0)
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN state;
END $$;
COMMENT ON FUNCTION mail.rate_lock(bigint, text) IS 'For the functions of counters: the row, locked.';

CREATE FUNCTION mail.clock_us() RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN extract(epoch FROM clock_timestamp()) * 1000000;
END $$;
COMMENT ON FUNCTION mail.clock_us() IS 'This server''s clock, microseconds since 1970.';

-- What others hold of it may be needed here; asked for at most once a second.
CREATE FUNCTION mail.rate_tell_dry(state mail.rate_state, now_us bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF now_us - state.dry_at_us BETWEEN 0 AND 999999 THEN
        RETURN;
    END IF;
    UPDATE mail.rate_state AS s SET dry_at_us = now_us
    WHERE s.limit_id = state.limit_id AND s.who = state.who;
    PERFORM pg_notify('postward_rate', state.limit_id || ' ' || state.who);
END $$;
COMMENT ON FUNCTION mail.rate_tell_dry(mail.rate_state, bigint) IS
    'A counter is empty: nodes that hold unused tokens of it give them back (NOTIFY postward_rate).';

-- Far from the limit a lease is large, near it one token. The rows are locked in the order of their
-- keys: two batches never wait for each other in a circle.
CREATE FUNCTION mail.rate_lease(requests jsonb, OUT n bigint, OUT held bigint, OUT until_at bigint,
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
        state := mail.rate_lock(r.id, r.who);
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
    'For postward-policyd: [{"id", "who", "cost" the least that helps, "need" in all, "have", "until"}, ...]; what it holds then, for how long, what is left for all, when cost is there, for how long nobody is told again. A limit that is gone has no row.';

CREATE FUNCTION mail.rate_settle(deltas jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    r record;
    c mail.rate_counter;
    place bigint;
    taken bigint := 0;
BEGIN
    INSERT INTO mail.nodes AS node (name, program, settled)
    VALUES (deltas ->> 'node', deltas ->> 'program', mail.whole(deltas -> 'batch'))
    ON CONFLICT ON CONSTRAINT nodes_pkey DO UPDATE
        SET settled = excluded.settled, seen_at = excluded.seen_at
        WHERE node.settled < excluded.settled;
    IF NOT FOUND THEN
        RETURN 0; -- its answer got lost; it has been taken
    END IF;
    FOR r IN
        SELECT l.id, a.e ->> 'who' AS who, greatest(mail.whole(a.e -> 'back'), 0) AS back,
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
        c := mail.rate_read(mail.rate_lock(r.id, r.who), r.is_window, r.limit_count, r.per_us, r.burst,
                            mail.clock_us());
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
        taken := taken + 1;
    END LOOP;
    RETURN taken;
END $$;
COMMENT ON FUNCTION mail.rate_settle(jsonb) IS
    'For postward-policyd: {"node", "program", "batch", "deltas": [{"id", "who", "back", "until"} of a lease | {"id", "who", "used", "lasts_us", "age_us"} counted in an outage, ...]}; no batch is taken twice.';

CREATE FUNCTION mail.node_gone(name text, program text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    DELETE FROM mail.nodes AS n WHERE n.name = node_gone.name AND n.program = node_gone.program
$$;
COMMENT ON FUNCTION mail.node_gone(text, text) IS 'For postward-policyd, at its end.';

CREATE FUNCTION mail.record_over(counters jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    r record;
    kept bigint := 0;
BEGIN
    FOR r IN
        SELECT DISTINCT ON (mail.whole(e -> 'id', -1), e ->> 'who') mail.whole(e -> 'id', -1) AS id,
               e ->> 'who' AS who, mail.whole(e -> 'over') AS over, mail.whole(e -> 'told_us') AS told_us
        FROM jsonb_array_elements(counters) WITH ORDINALITY AS a (e, n)
        ORDER BY mail.whole(e -> 'id', -1), e ->> 'who', n DESC
    LOOP
        UPDATE mail.rate_state AS s SET over = r.over, told_until_us = mail.clock_us() + r.told_us
        WHERE s.limit_id = r.id AND s.who = r.who;
        kept := kept + 1;
    END LOOP;
    RETURN kept;
END $$;
COMMENT ON FUNCTION mail.record_over(jsonb) IS
    'For postward-policyd: [{"id", "who", "over", "told_us"}, ...]: attempts over a limit since somebody was told, and for how long nobody is again.';

-- An older postward-policyd knows one instant. What was counted since, here or there, stays.
CREATE OR REPLACE FUNCTION mail.record_rate(counters jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH said AS (
        SELECT DISTINCT ON (l.id, e ->> 'who') l.id, e ->> 'who' AS who,
               mail.whole(e -> 'full_at_us') AS full_at_us, mail.whole(e -> 'over') AS over,
               CASE WHEN e ? 'told_until_us' THEN mail.whole(e -> 'told_until_us') END AS told_until_us,
               CASE WHEN mail.whole(e -> 'width_us') > 0 THEN mail.whole(e -> 'head_us') END AS head_us,
               CASE WHEN mail.whole(e -> 'width_us') > 0 THEN mail.whole(e -> 'width_us') END AS width_us,
               CASE WHEN mail.whole(e -> 'width_us') > 0 AND jsonb_typeof(e -> 'counts') = 'array'
                    THEN ARRAY(SELECT mail.whole(c) FROM jsonb_array_elements(e -> 'counts')
                               WITH ORDINALITY AS p (c, n) ORDER BY p.n LIMIT 64) END AS counts
        FROM jsonb_array_elements(counters) WITH ORDINALITY AS a (e, n)
        JOIN mail.rate_limits AS l ON l.id = mail.whole(e -> 'id', -1)
        WHERE e ->> 'who' IS NOT NULL
        ORDER BY l.id, e ->> 'who', n DESC
    ), kept AS (
        INSERT INTO mail.rate_state AS s (limit_id, who, full_at_us, head_us, width_us, counts, over, told_until_us)
        SELECT id, who, full_at_us, head_us, width_us, counts, over, told_until_us FROM said ORDER BY id, who
        ON CONFLICT (limit_id, who) DO UPDATE
            SET full_at_us = excluded.full_at_us, head_us = excluded.head_us, width_us = excluded.width_us,
                counts = excluded.counts, over = excluded.over, told_until_us = excluded.told_until_us,
                changed_at = excluded.changed_at
            WHERE s.per_limit IS NULL OR (s.width_us IS NULL AND excluded.full_at_us > s.full_at_us)
        RETURNING 1)
    SELECT count(*) FROM kept
$$;
COMMENT ON FUNCTION mail.record_rate(jsonb) IS
    'For a postward-policyd older than mail.rate_lease: [{"id", "who", "full_at_us", "over", "head_us", "width_us", '
    '"counts"}, ...]; what nodes leased since is not taken back; answers how many were kept.';
COMMENT ON FUNCTION mail.rate_load() IS
    'For a postward-policyd older than mail.rate_lease: counters of buckets that are not whole.';

CREATE FUNCTION mail.rate_now(state mail.rate_state, OUT used bigint, OUT free bigint, OUT next_us bigint,
                              OUT whole_us bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    l mail.rate_limits;
    c mail.rate_counter;
BEGIN
    SELECT * INTO l FROM mail.rate_limits AS r WHERE r.id = state.limit_id;
    c := mail.rate_read(state, l.kind = 'window', l.limit_count,
                        (extract(epoch FROM l.period) * 1000000)::bigint,
                        CASE WHEN l.kind = 'window' THEN l.limit_count ELSE coalesce(l.burst, l.limit_count) END,
                        mail.clock_us());
    free := mail.rate_free(c);
    used := c.burst - free;
    next_us := mail.rate_wait_us(c, 1);
    whole_us := mail.rate_wait_us(c, c.burst);
END $$;
COMMENT ON FUNCTION mail.rate_now(mail.rate_state) IS 'For mail.rate_usage: a counter in tokens.';

CREATE OR REPLACE VIEW mail.rate_usage AS
    SELECT s.who, l.limit_count, l.period, n.used, n.free,
           CASE WHEN n.next_us > 0 THEN now() + n.next_us * interval '1 microsecond' END AS next_at,
           now() + n.whole_us * interval '1 microsecond' AS whole_at, l.dry_run, l.id AS limit_id, l.unit, l.kind,
           l.key, CASE WHEN s.told_until_us > extract(epoch FROM now()) * 1000000 THEN s.over ELSE 0 END AS over
    FROM mail.rate_state AS s
    JOIN mail.rate_limits AS l ON l.id = s.limit_id AND l.limit_count > 0,
    LATERAL mail.rate_now(s) AS n;
COMMENT ON VIEW mail.rate_usage IS
    'Who has used how much of a limit. What nodes hold unused counts as used; it comes back after 5 s without mail.';

GRANT SELECT ON mail.nodes TO postward_admin;
GRANT EXECUTE ON FUNCTION mail.node_seen(text, text), mail.node_gone(text, text), mail.rate_lease(jsonb),
    mail.rate_settle(jsonb), mail.record_over(jsonb) TO postward_policy;
GRANT EXECUTE ON FUNCTION mail.rate_now(mail.rate_state) TO postward_admin;
