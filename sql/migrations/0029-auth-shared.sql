-- Guessed passwords, further: the same wrong password counts once, many logins tried from one network.

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
INSERT INTO mail.auth_limits (kind, failures, period, block) VALUES ('spray', 10, '1 hour', '1 hour');
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
