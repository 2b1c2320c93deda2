-- Bans: clients that the edge host is to turn away. postward-policyd gives the list to the edge, its
-- own blocks of who guesses passwords with it.

SET LOCAL ROLE postward_owner;

CREATE FUNCTION mail.ban_net(address inet) RETURNS cidr
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN family(address) = 4 AND masklen(address) = 32 THEN address::cidr
        WHEN family(address) = 6 AND address << inet '::ffff:0:0/96' AND masklen(address) = 128
            THEN ('0.0.0.0'::inet + (address - inet '::ffff:0:0'))::cidr
        WHEN family(address) = 6 AND masklen(address) >= 64
            THEN network(set_masklen(address, 64))
    END
$$;
COMMENT ON FUNCTION mail.ban_net(inet) IS
    'What is banned with an address: IPv4 that address, IPv6 its /64; NULL = a network, which cannot be banned.';

CREATE FUNCTION mail.is_never_banned(net cidr) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT 'it is loopback, private or reserved'
    FROM unnest('{0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,192.168.0.0/16,
                  224.0.0.0/4,240.0.0.0/4,::/64,fc00::/7,fe80::/10,fec0::/10,ff00::/8}'::inet[]) AS special
    WHERE special && net
    UNION ALL
    SELECT format('mail.auth_exemptions has %s', e.net) FROM mail.auth_exemptions AS e WHERE e.net && is_never_banned.net
    LIMIT 1
$$;
COMMENT ON FUNCTION mail.is_never_banned(cidr) IS 'Why it may not be banned; NULL = it may.';

CREATE TABLE mail.bans (
    net         cidr PRIMARY KEY,
    until       timestamptz NOT NULL DEFAULT now() + interval '1 day',
    reason      text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX bans_until ON mail.bans (until);
CREATE INDEX bans_created_at ON mail.bans (created_at);
COMMENT ON TABLE mail.bans IS
    'Clients that the edge host turns away: SELECT mail.ban(''192.0.2.7'', ''1 day''). The newest 100,000 count. '
    'Blocks of who guesses passwords (auth_limits) are given to the edge too, and are not in here.';
COMMENT ON COLUMN mail.bans.net IS 'One IPv4 address or an IPv6 /64.';
COMMENT ON COLUMN mail.bans.until IS 'The end of the ban, within a year; a row that has ended goes at the next ban.';
COMMENT ON COLUMN mail.bans.reason IS 'For people.';
COMMENT ON COLUMN mail.bans.created_at IS 'When it was banned, or banned again.';

CREATE FUNCTION mail.check_ban() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    why text;
BEGIN
    IF mail.ban_net(NEW.net) IS NULL THEN
        RAISE EXCEPTION '% is no single client: ban one IPv4 address, or an IPv6 address or /64', NEW.net
            USING ERRCODE = 'check_violation';
    END IF;
    NEW.net := mail.ban_net(NEW.net);
    why := mail.is_never_banned(NEW.net);
    IF why IS NOT NULL THEN
        RAISE EXCEPTION '% is never banned: %', NEW.net, why USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.until > now() + interval '1 year' OR NEW.until = '-infinity' THEN
        RAISE EXCEPTION 'a ban lasts a year at most' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.check_ban() IS 'Trigger: one client, none that is never banned, an end within a year.';
CREATE TRIGGER check_ban BEFORE INSERT OR UPDATE ON mail.bans FOR EACH ROW EXECUTE FUNCTION mail.check_ban();

CREATE FUNCTION mail.prune_bans() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM mail.bans AS b WHERE b.until <= now()) THEN
        DELETE FROM mail.bans AS b WHERE b.until <= now();
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.prune_bans() IS 'Trigger: bans that have ended go.';
CREATE TRIGGER prune_bans AFTER INSERT ON mail.bans FOR EACH STATEMENT EXECUTE FUNCTION mail.prune_bans();
SELECT mail.watch('mail.bans', 'net');

CREATE FUNCTION mail.ban(address inet, duration interval DEFAULT '1 day', reason text DEFAULT '') RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    ends timestamptz;
BEGIN
    IF duration IS NULL OR duration < interval '1 second' OR duration > interval '1 year' THEN
        RAISE EXCEPTION 'a ban lasts a second at least and a year at most' USING ERRCODE = 'check_violation';
    END IF;
    IF mail.ban_net(address) IS NULL THEN
        RAISE EXCEPTION '% is no single client: ban one IPv4 address, or an IPv6 address or /64', address
            USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO mail.bans AS b (net, until, reason) VALUES (mail.ban_net(address), now() + duration, coalesce(ban.reason, ''))
    ON CONFLICT (net) DO UPDATE SET until = greatest(b.until, excluded.until), created_at = now(),
        reason = CASE WHEN excluded.reason <> '' THEN excluded.reason ELSE b.reason END
    RETURNING until INTO ends;
    RETURN ends;
END $$;
COMMENT ON FUNCTION mail.ban(inet, interval, text) IS
    'Have the edge turn a client away: SELECT mail.ban(''192.0.2.7'', ''1 day'', ''why''); IPv6: its /64. Answers until when; '
    'a longer ban there is already stays.';

CREATE FUNCTION mail.unban(address inet) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH gone AS (DELETE FROM mail.bans AS b WHERE b.net = mail.ban_net(address) RETURNING 1)
    SELECT EXISTS (SELECT FROM gone)
$$;
COMMENT ON FUNCTION mail.unban(inet) IS
    'End a ban; false = there was none. Blocks of who guesses passwords end by a row of auth_exemptions.';

CREATE VIEW mail.snapshot_bans AS
    SELECT b.net::text AS net, (extract(epoch FROM b.until) * 1000)::bigint AS until_ms
    FROM mail.bans AS b
    WHERE b.until > now() AND NOT EXISTS (SELECT FROM mail.auth_exemptions AS e WHERE e.net && b.net)
    ORDER BY b.created_at DESC, b.net LIMIT 100000;
COMMENT ON VIEW mail.snapshot_bans IS 'For postward-policyd: bans in force, the newest first.';
COMMENT ON COLUMN mail.snapshot_bans.net IS 'One IPv4 address or an IPv6 /64.';
COMMENT ON COLUMN mail.snapshot_bans.until_ms IS 'When it ends, in ms since 1970.';
GRANT SELECT ON mail.snapshot_bans TO postward_policy;

GRANT SELECT, INSERT, UPDATE (until, reason), DELETE ON mail.bans TO postward_admin;
GRANT EXECUTE ON FUNCTION mail.ban(inet, interval, text), mail.unban(inet), mail.ban_net(inet), mail.is_never_banned(cidr)
    TO postward_admin;
