-- Roles, schema, and what nobody may do by default.
--
-- Roles belong to the cluster and may exist already. Operating-system user = role, so that
-- PostgreSQL's stock peer authentication works; dovecot and postfix log in under their own
-- names and inherit what ours may.

DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM (VALUES
        ('postward_owner',    'NOLOGIN', 'owns schema mail; nobody logs in as it'),
        ('postward_admin',    'NOLOGIN', 'people: GRANT postward_admin TO somebody'),
        ('postward_score',    'LOGIN',   'the program postward-score'),
        ('postward_dkim',     'LOGIN',   'the program postward-dkim: DKIM private keys'),
        ('postward_policy',   'LOGIN',   'the program postward-policyd'),
        ('postward_dovecot',  'NOLOGIN', 'rights of Dovecot''s auth driver: password hashes'),
        ('postward_postfix',  'NOLOGIN', 'rights of Postfix''s pgsql maps'),
        ('dovecot',           'LOGIN',   'Dovecot, with the rights of postward_dovecot'),
        ('postfix',           'LOGIN',   'Postfix, with the rights of postward_postfix')
    ) AS v (name, login, note) LOOP
        IF to_regrole(r.name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I %s INHERIT', r.name, r.login);
                EXECUTE format('COMMENT ON ROLE %I IS %L', r.name, r.note);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this cluster was quicker
            END;
        END IF;
    END LOOP;
    FOR r IN SELECT * FROM (VALUES ('postward_dovecot', 'dovecot'),
                                   ('postward_postfix', 'postfix')) AS v (what, who) LOOP
        IF NOT pg_has_role(r.who, r.what, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', r.what, r.who);
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'postward_owner', 'MEMBER') THEN
        EXECUTE format('GRANT postward_owner TO %I', current_user);
    END IF;
END $$;

CREATE SCHEMA mail AUTHORIZATION postward_owner;

SET LOCAL ROLE postward_owner;

-- New functions are nobody's until granted; this has to be global, a schema's own default
-- privileges can only add.
ALTER DEFAULT PRIVILEGES FOR ROLE postward_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

COMMENT ON SCHEMA mail IS
    'The mail system. Tables, columns and functions explain themselves: \d+ mail.* and \df+ mail.*';
GRANT USAGE ON SCHEMA mail TO postward_admin, postward_score, postward_dkim, postward_policy,
    postward_dovecot, postward_postfix;

CREATE TABLE mail.schema_version (
    version     int PRIMARY KEY CHECK (version > 0),
    name        text NOT NULL,
    checksum    text NOT NULL CHECK (checksum ~ '^[0-9a-f]{64}$'),
    applied_at  timestamptz NOT NULL DEFAULT now(),
    applied_by  text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE mail.schema_version IS
    'Migrations carried out by postwardctl schema migrate, one row each.';
COMMENT ON COLUMN mail.schema_version.version IS 'Number of the migration file.';
COMMENT ON COLUMN mail.schema_version.name IS 'Name of the migration file, without its number.';
COMMENT ON COLUMN mail.schema_version.checksum IS 'SHA-256 of the file as it was carried out.';
COMMENT ON COLUMN mail.schema_version.applied_at IS 'When it was carried out.';
COMMENT ON COLUMN mail.schema_version.applied_by IS 'Database role that carried it out.';
GRANT SELECT ON mail.schema_version TO postward_admin;
