-- Guessed passwords: limits that postward-policyd counts by. Logins that succeeded: when and
-- from where, told by it in batches.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.auth_limits (
    kind        text PRIMARY KEY CHECK (kind IN ('login', 'network')),
    failures    int NOT NULL CHECK (failures BETWEEN 1 AND 100000),
    period      interval NOT NULL CHECK (period BETWEEN interval '1 second' AND interval '1 day'),
    block       interval NOT NULL CHECK (block BETWEEN interval '1 second' AND interval '30 days'),
    enabled     boolean NOT NULL DEFAULT true,
    dry_run     boolean NOT NULL DEFAULT false,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.auth_limits IS
    'How many wrong passwords block whom and for how long. A network is one IPv4 address or an IPv6 /64.';
COMMENT ON COLUMN mail.auth_limits.kind IS
    'network: who tries many; login: who is tried by many (addresses it logged in from before go on).';
COMMENT ON COLUMN mail.auth_limits.failures IS 'So many wrong passwords ...';
COMMENT ON COLUMN mail.auth_limits.period IS '... within this time ...';
COMMENT ON COLUMN mail.auth_limits.block IS '... block for this long.';
COMMENT ON COLUMN mail.auth_limits.enabled IS 'false: not counted.';
COMMENT ON COLUMN mail.auth_limits.dry_run IS 'true: only logged.';
COMMENT ON COLUMN mail.auth_limits.changed_at IS 'When the row last changed.';
INSERT INTO mail.auth_limits (kind, failures, period, block)
VALUES ('network', 10, '10 minutes', '10 minutes'), ('login', 20, '10 minutes', '10 minutes');

CREATE TABLE mail.auth_exemptions (
    net         cidr PRIMARY KEY,
    note        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.auth_exemptions IS
    'Networks that are never blocked: a webmail, a monitor. INSERT INTO mail.auth_exemptions (net) '
    'VALUES (''192.0.2.7'');';
COMMENT ON COLUMN mail.auth_exemptions.net IS 'The network.';
COMMENT ON COLUMN mail.auth_exemptions.note IS 'For people.';
COMMENT ON COLUMN mail.auth_exemptions.created_at IS 'When the row was added.';

CREATE FUNCTION mail.tidy_changed_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_changed_at() IS 'Trigger: time of the change.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.auth_limits
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_changed_at();
SELECT mail.watch('mail.auth_limits', 'kind');
SELECT mail.watch('mail.auth_exemptions', 'net');

CREATE VIEW mail.snapshot_auth_limits AS
    SELECT l.kind, l.failures, extract(epoch FROM l.period)::bigint AS period_s,
           extract(epoch FROM l.block)::bigint AS block_s, l.dry_run
    FROM mail.auth_limits AS l WHERE l.enabled;
COMMENT ON VIEW mail.snapshot_auth_limits IS 'For postward-policyd: limits of wrong passwords.';
COMMENT ON COLUMN mail.snapshot_auth_limits.kind IS 'login or network.';
COMMENT ON COLUMN mail.snapshot_auth_limits.failures IS 'So many failures block.';
COMMENT ON COLUMN mail.snapshot_auth_limits.period_s IS 'Within so many seconds.';
COMMENT ON COLUMN mail.snapshot_auth_limits.block_s IS 'For so many seconds.';
COMMENT ON COLUMN mail.snapshot_auth_limits.dry_run IS 'Only logged.';

CREATE VIEW mail.snapshot_auth_exemptions AS
    SELECT e.net::text AS net FROM mail.auth_exemptions AS e;
COMMENT ON VIEW mail.snapshot_auth_exemptions IS 'For postward-policyd: who is never blocked.';
COMMENT ON COLUMN mail.snapshot_auth_exemptions.net IS 'A network.';
GRANT SELECT ON mail.snapshot_auth_limits, mail.snapshot_auth_exemptions TO postward_policy;

GRANT SELECT, UPDATE (failures, period, block, enabled, dry_run) ON mail.auth_limits TO postward_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.auth_exemptions TO postward_admin;

-- Last logins ------------------------------------------------------------------------------

CREATE TABLE mail.last_logins (
    user_id     bigint NOT NULL REFERENCES mail.virtual_users (id) ON DELETE CASCADE,
    protocol    text NOT NULL,
    at          timestamptz NOT NULL,
    address     inet,
    credential  bigint NOT NULL DEFAULT -1,
    PRIMARY KEY (user_id, protocol)
);
COMMENT ON TABLE mail.last_logins IS
    'When each mailbox last logged in, by protocol; failed logins do not count. mail.logins reads easier.';
COMMENT ON COLUMN mail.last_logins.user_id IS 'The mailbox.';
COMMENT ON COLUMN mail.last_logins.protocol IS 'imap, pop3, smtp, sieve, or Dovecot''s name of another service.';
COMMENT ON COLUMN mail.last_logins.at IS 'When.';
COMMENT ON COLUMN mail.last_logins.address IS 'From where; NULL = not known.';
COMMENT ON COLUMN mail.last_logins.credential IS
    '0 = own password, else the id of the app password; -1 = not known.';

CREATE FUNCTION mail.record_logins(logins jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH said AS (
        SELECT u.id, left(mail.protocol_of(e ->> 'service'), 32) AS protocol,
               to_timestamp(mail.whole(e -> 'at_ms') / 1000.0) AS at, mail.address_of(e ->> 'address') AS address,
               mail.whole(e -> 'credential', -1) AS credential, n
        FROM jsonb_array_elements(logins) WITH ORDINALITY AS a (e, n)
        JOIN mail.virtual_users AS u ON u.email = e ->> 'user'
        WHERE mail.whole(e -> 'at_ms') BETWEEN 1 AND 253402300799000 AND e ->> 'service' <> ''
    ), kept AS (
        INSERT INTO mail.last_logins AS l (user_id, protocol, at, address, credential)
        SELECT DISTINCT ON (id, protocol) id, protocol, at, address, credential
        FROM said ORDER BY id, protocol, at DESC, n DESC
        ON CONFLICT (user_id, protocol) DO UPDATE
            SET at = excluded.at, address = excluded.address, credential = excluded.credential
            WHERE l.at <= excluded.at
        RETURNING 1
    ), used AS (
        INSERT INTO mail.app_password_uses AS p (app_password_id, at, address, protocol)
        SELECT DISTINCT ON (a.id) a.id, s.at, s.address, s.protocol
        FROM said AS s JOIN mail.app_passwords AS a ON a.id = s.credential AND a.user_id = s.id
        ORDER BY a.id, s.at DESC, s.n DESC
        ON CONFLICT (app_password_id) DO UPDATE
            SET at = excluded.at, address = excluded.address, protocol = excluded.protocol
            WHERE p.at <= excluded.at)
    SELECT count(*) FROM kept
$$;
COMMENT ON FUNCTION mail.record_logins(jsonb) IS
    'For postward-policyd: logins that succeeded, [{"user", "service", "address", "at_ms", "credential"}, '
    '...]; the newest is kept. Answers how many rows changed.';
GRANT EXECUTE ON FUNCTION mail.record_logins(jsonb) TO postward_policy;

CREATE VIEW mail.logins AS
    SELECT u.email::text AS email, l.protocol, l.at, l.address,
           CASE WHEN l.credential = 0 THEN 'own password'
                WHEN l.credential > 0 THEN coalesce('app password ' || a.name, 'an app password that is gone') END AS by_what
    FROM mail.last_logins AS l JOIN mail.virtual_users AS u ON u.id = l.user_id
    LEFT JOIN mail.app_passwords AS a ON a.id = l.credential AND a.user_id = l.user_id;
COMMENT ON VIEW mail.logins IS
    'When mailboxes last logged in: SELECT * FROM mail.logins ORDER BY at DESC LIMIT 20;';
COMMENT ON COLUMN mail.logins.email IS 'The mailbox.';
COMMENT ON COLUMN mail.logins.protocol IS 'imap, pop3, smtp, sieve, or Dovecot''s name of another service.';
COMMENT ON COLUMN mail.logins.at IS 'When it last logged in.';
COMMENT ON COLUMN mail.logins.address IS 'From where; NULL = not known.';
COMMENT ON COLUMN mail.logins.by_what IS 'With which password; NULL = not known.';
GRANT SELECT ON mail.last_logins, mail.logins TO postward_admin;
