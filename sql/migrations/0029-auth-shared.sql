-- Guessed passwords, further: the same wrong password counts once, many logins tried from one network,
-- blocks that all nodes share.

SET LOCAL ROLE postward_owner;

ALTER TABLE mail.auth_limits
    ADD COLUMN distinct_passwords boolean NOT NULL DEFAULT true,
    DROP CONSTRAINT auth_limits_kind_check,
    ADD CONSTRAINT auth_limits_kind_check CHECK (kind IN ('login', 'network', 'spray'));
COMMENT ON COLUMN mail.auth_limits.distinct_passwords IS
    'true: a password that is tried again for a login from the same network counts once in the period; false: every '
    'time. spray always counts logins.';
COMMENT ON COLUMN mail.auth_limits.kind IS
    'network: who tries many; login: who is tried by many (addresses it logged in from before go on); spray: who '
    'tries many logins, however few passwords.';
COMMENT ON COLUMN mail.auth_limits.failures IS 'So many wrong passwords (spray: logins) ...';
-- where blocking is off, or looked at only, it is so for this one too
INSERT INTO mail.auth_limits (kind, failures, period, block, enabled, dry_run)
SELECT 'spray', 10, '1 hour', '1 hour', coalesce(bool_or(enabled), false), coalesce(bool_or(dry_run), false)
FROM mail.auth_limits;
GRANT UPDATE (distinct_passwords) ON mail.auth_limits TO postward_admin;

-- programs of before know these two
CREATE OR REPLACE VIEW mail.snapshot_auth_limits AS
    SELECT l.kind, l.failures, extract(epoch FROM l.period)::bigint AS period_s,
           extract(epoch FROM l.block)::bigint AS block_s, l.dry_run
    FROM mail.auth_limits AS l WHERE l.enabled AND l.kind IN ('login', 'network');

CREATE VIEW mail.snapshot_auth_rules AS
    SELECT l.kind, l.failures, extract(epoch FROM l.period)::bigint AS period_s,
           extract(epoch FROM l.block)::bigint AS block_s, l.dry_run, l.distinct_passwords
    FROM mail.auth_limits AS l WHERE l.enabled;
COMMENT ON VIEW mail.snapshot_auth_rules IS 'For postward-policyd: limits of failed logins.';
COMMENT ON COLUMN mail.snapshot_auth_rules.kind IS 'login, network or spray.';
COMMENT ON COLUMN mail.snapshot_auth_rules.failures IS 'So many block.';
COMMENT ON COLUMN mail.snapshot_auth_rules.period_s IS 'Within so many seconds.';
COMMENT ON COLUMN mail.snapshot_auth_rules.block_s IS 'For so many seconds.';
COMMENT ON COLUMN mail.snapshot_auth_rules.dry_run IS 'Only logged.';
COMMENT ON COLUMN mail.snapshot_auth_rules.distinct_passwords IS 'The same password again counts nothing.';
GRANT SELECT ON mail.snapshot_auth_rules TO postward_policy;

-- Blocks, shared by all nodes ----------------------------------------------------------------

CREATE TABLE mail.auth_blocks (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL DEFAULT 'hand' CHECK (kind IN ('network', 'login', 'spray', 'hand')),
    network     cidr,
    login       text,
    until       timestamptz NOT NULL DEFAULT now() + interval '1 hour',
    why         text NOT NULL DEFAULT '',
    failures    bigint NOT NULL DEFAULT 0,
    dry_run     boolean NOT NULL DEFAULT false,
    node        text NOT NULL DEFAULT '',
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by  xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CHECK ((network IS NULL) <> (login IS NULL)),
    CHECK (kind = 'hand' OR (kind = 'login') = (login IS NOT NULL)),
    UNIQUE (kind, network),
    UNIQUE (kind, login)
);
CREATE INDEX auth_blocks_until ON mail.auth_blocks (until);
CREATE INDEX auth_blocks_changed_by ON mail.auth_blocks (changed_by);
COMMENT ON TABLE mail.auth_blocks IS
    'Who may not log in just now, on every node: what postward-policyd blocked and what people did. DELETE lifts a '
    'block, INSERT (or mail.block_login, mail.block_network) makes one, within two seconds.';
COMMENT ON COLUMN mail.auth_blocks.id IS 'Running number.';
COMMENT ON COLUMN mail.auth_blocks.kind IS
    'network, login, spray: by the limit of that kind in auth_limits, and holds only while that is enabled; hand: by '
    'somebody, and holds in any case.';
COMMENT ON COLUMN mail.auth_blocks.network IS 'One IPv4 address or an IPv6 /64 ...';
COMMENT ON COLUMN mail.auth_blocks.login IS '... or a login.';
COMMENT ON COLUMN mail.auth_blocks.until IS 'Its end, by the clock of this server; within a year.';
COMMENT ON COLUMN mail.auth_blocks.why IS 'For people.';
COMMENT ON COLUMN mail.auth_blocks.failures IS 'That led to it.';
COMMENT ON COLUMN mail.auth_blocks.dry_run IS 'true: nobody is refused.';
COMMENT ON COLUMN mail.auth_blocks.node IS 'Host where it began.';
COMMENT ON COLUMN mail.auth_blocks.begun_at IS 'When it began.';
COMMENT ON COLUMN mail.auth_blocks.changed_by IS 'Transaction that changed it last.';

CREATE TABLE mail.auth_lifts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    who         text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by  xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX auth_lifts_changed_by ON mail.auth_lifts (changed_by);
CREATE INDEX auth_lifts_at ON mail.auth_lifts (at);
COMMENT ON TABLE mail.auth_lifts IS 'For postward-policyd: blocks that ended before their time, for an hour.';
COMMENT ON COLUMN mail.auth_lifts.id IS 'Running number.';
COMMENT ON COLUMN mail.auth_lifts.kind IS 'Kind of the block.';
COMMENT ON COLUMN mail.auth_lifts.who IS 'Its network or login.';
COMMENT ON COLUMN mail.auth_lifts.at IS 'When.';
COMMENT ON COLUMN mail.auth_lifts.changed_by IS 'Transaction that lifted it.';

CREATE TABLE mail.auth_counts (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance  text NOT NULL,
    kind      text NOT NULL,
    who       text NOT NULL,
    failures  bigint NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX auth_counts_at ON mail.auth_counts (at);
COMMENT ON TABLE mail.auth_counts IS 'For postward-policyd: failures each node counted in the last minute, for the others.';
COMMENT ON COLUMN mail.auth_counts.id IS 'Running number.';
COMMENT ON COLUMN mail.auth_counts.instance IS 'Run of the program that counted them.';
COMMENT ON COLUMN mail.auth_counts.kind IS 'Kind of the limit.';
COMMENT ON COLUMN mail.auth_counts.who IS 'Network or login.';
COMMENT ON COLUMN mail.auth_counts.failures IS 'How many.';
COMMENT ON COLUMN mail.auth_counts.at IS 'When they were written.';

CREATE FUNCTION mail.auth_who(network cidr, login text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(login, CASE WHEN family(network) = 4 AND masklen(network) = 32 THEN host(network)
                                ELSE network::text END)
$$;
COMMENT ON FUNCTION mail.auth_who(cidr, text) IS 'Whom a block concerns, as text: 192.0.2.7, 2001:db8::/64, a login.';

CREATE FUNCTION mail.blocked_login(name text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT coalesce((SELECT min(r.destination) FROM mail.resolve(mail.normal_address(name)) AS r
                     WHERE r.kind IN ('mailbox', 'refused') HAVING count(DISTINCT r.destination) = 1),
                    mail.normal_address(name), lower(name))
$$;
COMMENT ON FUNCTION mail.blocked_login(text) IS
    'The mailbox a login name means, which is what logins are counted by; a name that means none stands for itself.';

CREATE FUNCTION mail.check_auth_block() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF NEW.network IS NOT NULL THEN
        IF mail.ban_net(NEW.network) IS NULL THEN
            RAISE EXCEPTION '% is no single client: block one IPv4 address, or an IPv6 address or /64', NEW.network
                USING ERRCODE = 'check_violation';
        END IF;
        NEW.network := mail.ban_net(NEW.network);
        IF NEW.network <<= '127.0.0.0/8' OR NEW.network >>= '::1' THEN
            RAISE EXCEPTION 'loopback is never blocked' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF NEW.kind = 'hand' THEN
        NEW.login := mail.blocked_login(NEW.login);
    END IF;
    IF NEW.until > now() + interval '1 year' OR NEW.until = '-infinity' THEN
        RAISE EXCEPTION 'a block lasts a year at most' USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.until <= clock_timestamp() THEN
        INSERT INTO mail.auth_lifts (kind, who) VALUES (NEW.kind, mail.auth_who(NEW.network, NEW.login));
    END IF;
    NEW.changed_by := pg_current_xact_id();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.check_auth_block() IS 'Trigger: one client or login in normal form, an end within a year.';
CREATE TRIGGER check_auth_block BEFORE INSERT OR UPDATE ON mail.auth_blocks
    FOR EACH ROW EXECUTE FUNCTION mail.check_auth_block();

CREATE FUNCTION mail.note_auth_block() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    b mail.auth_blocks := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    whom text := mail.auth_who(b.network, b.login);
    block_s bigint := round(extract(epoch FROM b.until - b.begun_at));
BEGIN
    IF TG_OP = 'DELETE' AND b.until > clock_timestamp() AND (NOT b.dry_run OR b.kind = 'hand') THEN
        INSERT INTO mail.auth_lifts (kind, who) VALUES (b.kind, whom);
    END IF;
    IF TG_OP = 'INSERT' OR NOT b.dry_run THEN
        INSERT INTO mail.events (kind, who, text, detail)
        VALUES (CASE TG_OP WHEN 'INSERT' THEN 'auth_block' ELSE 'auth_unblock' END, whom,
                CASE WHEN TG_OP = 'DELETE' THEN format('%s: no longer blocked', whom)
                     ELSE format('%s: %s for %s s %s', whom, CASE WHEN b.dry_run THEN 'would be blocked' ELSE 'blocked' END, block_s,
                                 CASE b.kind WHEN 'hand' THEN 'by hand' WHEN 'spray' THEN format('after logins of %s failed', b.failures)
                                             ELSE format('after %s failed logins', b.failures) END) END,
                jsonb_build_object('kind', b.kind, 'failures', b.failures, 'block_s', block_s, 'dry_run', b.dry_run, 'node', b.node));
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_auth_block() IS 'Trigger: the event of a block, and what nodes must know of one that is lifted.';
CREATE TRIGGER note_auth_block AFTER INSERT OR DELETE ON mail.auth_blocks
    FOR EACH ROW EXECUTE FUNCTION mail.note_auth_block();

CREATE FUNCTION mail.block_login(login text, duration interval DEFAULT '1 hour', why text DEFAULT '') RETURNS timestamptz
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    INSERT INTO mail.auth_blocks AS b (login, until, why) VALUES (block_login.login, now() + duration, coalesce(block_login.why, ''))
    ON CONFLICT (kind, login) DO UPDATE SET until = greatest(b.until, excluded.until), why = excluded.why
    RETURNING until
$$;
COMMENT ON FUNCTION mail.block_login(text, interval, text) IS
    'Nobody logs in as this one, from nowhere: SELECT mail.block_login(''ann@example.org'', ''2 hours'', ''why''). '
    'Answers until when; a longer block there is already stays.';

CREATE FUNCTION mail.block_network(address inet, duration interval DEFAULT '1 hour', why text DEFAULT '') RETURNS timestamptz
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    INSERT INTO mail.auth_blocks AS b (network, until, why) VALUES (address, now() + duration, coalesce(block_network.why, ''))
    ON CONFLICT (kind, network) DO UPDATE SET until = greatest(b.until, excluded.until), why = excluded.why
    RETURNING until
$$;
COMMENT ON FUNCTION mail.block_network(inet, interval, text) IS
    'Nobody logs in from there: SELECT mail.block_network(''192.0.2.7'', ''2 hours''); IPv6: from its /64.';

CREATE FUNCTION mail.unblock(who text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH gone AS (
        DELETE FROM mail.auth_blocks AS b
        WHERE b.login = mail.blocked_login(unblock.who)
           OR b.network = mail.ban_net(mail.address_of(unblock.who))
        RETURNING 1)
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION mail.unblock(text) IS
    'Lift all blocks of a login or an address: SELECT mail.unblock(''192.0.2.7''). Answers how many there were.';

-- What is read since the last time: rows of transactions that were not over then, whether they change blocks (to read
-- one twice does no harm), and counts by their numbers, which those who write become one after another by the lock.
CREATE FUNCTION mail.auth_exchange(node text, instance text, since text, news jsonb, age_ms bigint DEFAULT 0,
                                   OUT what text, OUT kind text, OUT who text, OUT number bigint, OUT dry_run boolean) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    from_xid xid8 := nullif(split_part(since, ' ', 1), '')::xid8;
    from_id bigint := coalesce(nullif(split_part(since, ' ', 2), ''), '0')::bigint;
    last_id bigint := from_id;
    counted record;
    seen pg_snapshot;
BEGIN
    DELETE FROM mail.auth_blocks AS b -- a dry run's row is not to stand where a block is to
    WHERE b.until <= clock_timestamp()
       OR b.dry_run AND EXISTS (SELECT FROM mail.auth_limits AS l WHERE l.kind = b.kind AND l.enabled AND NOT l.dry_run);
    IF jsonb_array_length(news) > 0 THEN
        PERFORM pg_advisory_xact_lock('mail.auth_counts'::regclass::oid::int, 0);
        INSERT INTO mail.auth_blocks AS b (kind, network, login, until, failures, dry_run, node, begun_at)
        SELECT n ->> 'kind', CASE WHEN n ->> 'kind' <> 'login' THEN mail.inet_or_null(n ->> 'who') END,
               CASE WHEN n ->> 'kind' = 'login' THEN n ->> 'who' END, e.ends, mail.whole(n -> 'failures'),
               n ->> 'dry_run' = 'true', auth_exchange.node,
               e.ends - mail.whole(n -> 'block_ms') * interval '1 ms'
        FROM jsonb_array_elements(news) AS n,
             LATERAL (SELECT clock_timestamp() + (mail.whole(n -> 'left_ms') - age_ms) * interval '1 ms' AS ends) AS e
        WHERE n ? 'block_ms'
        ON CONFLICT DO NOTHING;
        INSERT INTO mail.auth_counts (instance, kind, who, failures)
        SELECT auth_exchange.instance, n ->> 'kind', n ->> 'who', mail.whole(n -> 'count')
        FROM jsonb_array_elements(news) AS n WHERE mail.whole(n -> 'count') > 0 AND age_ms < 60000;
        DELETE FROM mail.auth_counts AS c WHERE c.at < clock_timestamp() - interval '1 minute';
        DELETE FROM mail.auth_lifts AS l WHERE l.at < clock_timestamp() - interval '1 hour';
    END IF;
    seen := pg_current_snapshot();
    IF from_xid IS NULL THEN
        what := 'all';
        RETURN NEXT;
    END IF;
    RETURN QUERY SELECT 'lift'::text, l.kind, l.who, 0::bigint, false
    FROM mail.auth_lifts AS l
    WHERE l.changed_by >= from_xid AND NOT EXISTS (
        SELECT FROM mail.auth_blocks AS b WHERE b.kind = l.kind AND mail.auth_who(b.network, b.login) = l.who);
    RETURN QUERY SELECT 'block'::text, b.kind, mail.auth_who(b.network, b.login),
                        (extract(epoch FROM b.until - clock_timestamp()) * 1000)::bigint, b.dry_run
    FROM mail.auth_blocks AS b
    WHERE b.until > clock_timestamp() AND (from_xid IS NULL OR b.changed_by >= from_xid)
    ORDER BY b.until DESC LIMIT 100000;
    FOR counted IN SELECT c.* FROM mail.auth_counts AS c WHERE c.id > from_id ORDER BY c.id LIMIT 10000 LOOP
        what := 'count';
        kind := counted.kind;
        who := counted.who;
        number := counted.failures;
        last_id := counted.id;
        IF counted.instance <> auth_exchange.instance THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    what := 'since';
    kind := NULL;
    number := NULL;
    who := format('%s %s', pg_snapshot_xmin(seen), last_id);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION mail.auth_exchange(text, text, text, jsonb, bigint) IS
    'For postward-policyd: take what a node blocked and counted, [{"kind", "who", "count", "failures", "block_ms", "left_ms", '
    '"dry_run"}, ...], gathered age_ms ago, and answer what it does not know yet: blocks, lifts, failures of other nodes. since = what it was '
    'answered last, empty: all blocks.';

CREATE FUNCTION mail.auth_homes(since_s bigint, OUT login text, OUT address text, OUT age_ms bigint) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT u.email::text, host(l.address), greatest(extract(epoch FROM now() - l.at) * 1000, 0)::bigint
    FROM mail.last_logins AS l JOIN mail.virtual_users AS u ON u.id = l.user_id
    WHERE l.address IS NOT NULL AND l.at > now() - since_s * interval '1 second'
$$;
COMMENT ON FUNCTION mail.auth_homes(bigint) IS 'For postward-policyd: where mailboxes logged in from last, in so many seconds.';

GRANT EXECUTE ON FUNCTION mail.auth_exchange(text, text, text, jsonb, bigint), mail.auth_homes(bigint) TO postward_policy;
GRANT SELECT, INSERT (network, login, until, why), UPDATE (until, why, dry_run), DELETE ON mail.auth_blocks TO postward_admin;
GRANT EXECUTE ON FUNCTION mail.block_login(text, interval, text), mail.block_network(inet, interval, text), mail.unblock(text),
    mail.auth_who(cidr, text) TO postward_admin;
