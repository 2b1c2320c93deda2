-- App passwords: one for each device, generated here, shown once. Master users. Suspension.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.app_passwords (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES mail.virtual_users (id) ON DELETE CASCADE,
    name        text NOT NULL CHECK (name ~ '^[^[:cntrl:]]+$' AND octet_length(name) <= 200),
    password    mail.password_hash NOT NULL CHECK (mail.is_password_hash(password)),
    protocols   text[] CONSTRAINT protocols_or_null
                CHECK (protocols <@ '{imap,pop3,smtp,sieve}' AND cardinality(protocols) > 0
                       AND array_position(protocols, NULL) IS NULL),
    nets        cidr[] CONSTRAINT nets_or_null
                CHECK (cardinality(nets) > 0 AND cardinality(nets) <= 100 AND array_position(nets, NULL) IS NULL),
    expires_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, name)
);
COMMENT ON TABLE mail.app_passwords IS
    'Passwords for one device each: SELECT mail.add_app_password(''ann@example.org'', ''phone''); makes '
    'one and shows it, once. mail.app_password_usage reads easier; DELETE takes one away.';
COMMENT ON COLUMN mail.app_passwords.id IS 'Number, found by itself; programs say it in logs.';
COMMENT ON COLUMN mail.app_passwords.user_id IS 'The mailbox. The row goes with it.';
COMMENT ON COLUMN mail.app_passwords.name IS 'For which device, in the words of its owner.';
COMMENT ON COLUMN mail.app_passwords.password IS
    '{SSHA512} of 120 random bits: quick to try, and nobody guesses it.';
COMMENT ON COLUMN mail.app_passwords.protocols IS
    'Only for these of imap, pop3, smtp, sieve; NULL = all.';
COMMENT ON COLUMN mail.app_passwords.nets IS 'Only from these networks; NULL = from everywhere.';
COMMENT ON COLUMN mail.app_passwords.expires_at IS 'From then on it is refused; NULL = never.';
COMMENT ON COLUMN mail.app_passwords.created_at IS 'When it was made.';

CREATE TABLE mail.app_password_uses (
    app_password_id  bigint PRIMARY KEY REFERENCES mail.app_passwords (id) ON DELETE CASCADE,
    at               timestamptz NOT NULL,
    address          inet,
    protocol         text NOT NULL
);
COMMENT ON TABLE mail.app_password_uses IS 'When each app password was last used, and from where.';
COMMENT ON COLUMN mail.app_password_uses.app_password_id IS 'The app password.';
COMMENT ON COLUMN mail.app_password_uses.at IS 'When somebody last logged in with it.';
COMMENT ON COLUMN mail.app_password_uses.address IS 'From where; NULL = not known.';
COMMENT ON COLUMN mail.app_password_uses.protocol IS 'With what: imap, pop3, smtp, sieve.';

CREATE TABLE mail.master_users (
    login       mail.address PRIMARY KEY CHECK (login = mail.normal_address(login)),
    password    mail.password_hash NOT NULL CHECK (mail.is_password_hash(password)),
    pattern     text NOT NULL CHECK (pattern = '*' OR pattern IS NOT DISTINCT FROM mail.normal_pattern(pattern)),
    allow_nets  cidr[] CONSTRAINT allow_nets_or_null
                CHECK (cardinality(allow_nets) > 0 AND cardinality(allow_nets) <= 100
                       AND array_position(allow_nets, NULL) IS NULL),
    enabled     boolean NOT NULL DEFAULT true,
    note        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.master_users IS
    'Who may open mailboxes of others, logging in as mailbox*login: INSERT INTO mail.master_users '
    '(login, password, pattern) VALUES (''help@example.org'', mail.hash_password(''...''), ''@example.org'');';
COMMENT ON COLUMN mail.master_users.login IS 'A name like an address; need not be a mailbox.';
COMMENT ON COLUMN mail.master_users.password IS '{SCHEME}hash, not that of a mailbox.';
COMMENT ON COLUMN mail.master_users.pattern IS
    'Whose mailboxes: an address, @domain, or * for all.';
COMMENT ON COLUMN mail.master_users.allow_nets IS 'Only from these networks; NULL = from everywhere.';
COMMENT ON COLUMN mail.master_users.enabled IS 'false: may not log in.';
COMMENT ON COLUMN mail.master_users.note IS 'For people.';
COMMENT ON COLUMN mail.master_users.created_at IS 'When the row was added.';
COMMENT ON COLUMN mail.master_users.changed_at IS 'When the row last changed.';

CREATE FUNCTION mail.tidy_master() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    NEW.login := mail.normal_address(NEW.login);
    IF NEW.pattern <> '*' THEN
        PERFORM mail.must_be_pattern(NEW.pattern);
        NEW.pattern := mail.normal_pattern(NEW.pattern);
    END IF;
    NEW.changed_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_master() IS 'Trigger: normal form of login and pattern.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.master_users
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_master();

-- Making and taking away -------------------------------------------------------------------

-- 24 letters out of 32, none that looks like another: 120 bits of the 244 random ones in.
CREATE FUNCTION mail.random_secret() RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(substr('abcdefghijkmnpqrstuvwxyz23456789', (get_byte(r.bytes, i) & 31) + 1, 1)
                      || CASE WHEN i IN (5, 11, 17) THEN '-' ELSE '' END, '' ORDER BY i)
    FROM (SELECT sha512(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))) AS r (bytes),
         generate_series(0, 23) AS i
$$;
COMMENT ON FUNCTION mail.random_secret() IS
    'Part of add_app_password: 24 random letters and digits in groups of six, 120 bits.';

CREATE FUNCTION mail.ssha512(secret text) RETURNS text
LANGUAGE sql VOLATILE STRICT AS $$
    SELECT '{SSHA512}' || translate(encode(sha512(convert_to(secret, 'UTF8') || salt.bytes) || salt.bytes,
                                           'base64'), E'\n', '')
    FROM (SELECT substr(sha512(convert_to(gen_random_uuid()::text, 'UTF8')), 1, 8)) AS salt (bytes)
$$;
COMMENT ON FUNCTION mail.ssha512(text) IS
    'Part of add_app_password: {SSHA512}, salted; only for secrets that nobody can guess.';

CREATE FUNCTION mail.user_id_of(email text) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    found_id bigint;
BEGIN
    PERFORM must_be_address(coalesce(user_id_of.email, ''));
    SELECT u.id INTO found_id FROM virtual_users AS u WHERE u.email = normal_address(user_id_of.email);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no mailbox %', normal_address(user_id_of.email)
            USING ERRCODE = 'no_data_found', HINT = 'SELECT mail.add_user(email, password);';
    END IF;
    RETURN found_id;
END $$;
COMMENT ON FUNCTION mail.user_id_of(text) IS 'Id of a mailbox, or a readable error.';

CREATE FUNCTION mail.add_app_password(email text, name text, protocols text[] DEFAULT NULL,
                                      nets cidr[] DEFAULT NULL, expires_at timestamptz DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    -- dovecot_passdb hands out no more
    most constant int := 50;
    mailbox constant bigint := user_id_of(add_app_password.email);
    secret constant text := random_secret();
BEGIN
    IF coalesce(add_app_password.name, '') = '' THEN
        RAISE EXCEPTION 'an app password needs a name' USING ERRCODE = 'check_violation',
            HINT = 'Name the device: phone, laptop, printer in the hall.';
    END IF;
    IF NOT add_app_password.protocols <@ '{imap,pop3,smtp,sieve}' OR cardinality(add_app_password.protocols) = 0 THEN
        RAISE EXCEPTION 'protocols {%} are not some of imap, pop3, smtp, sieve',
                        array_to_string(add_app_password.protocols, ',')
            USING ERRCODE = 'check_violation', HINT = 'NULL, or no --protocol, means all of them.';
    END IF;
    IF EXISTS (SELECT FROM app_passwords AS a WHERE a.user_id = mailbox AND a.name = add_app_password.name) THEN
        RAISE EXCEPTION '% has an app password "%" already', normal_address(add_app_password.email),
                        add_app_password.name
            USING ERRCODE = 'unique_violation',
                  HINT = format('SELECT mail.revoke_app_password(%L, %L);',
                                normal_address(add_app_password.email), add_app_password.name);
    END IF;
    IF (SELECT count(*) FROM app_passwords AS a WHERE a.user_id = mailbox) >= most THEN
        RAISE EXCEPTION '% has % app passwords, the most there may be',
                        normal_address(add_app_password.email), most
            USING ERRCODE = 'check_violation',
                  HINT = format('SELECT * FROM mail.app_password_usage WHERE email = %L;',
                                normal_address(add_app_password.email));
    END IF;
    INSERT INTO app_passwords (user_id, name, password, protocols, nets, expires_at)
    VALUES (mailbox, add_app_password.name, ssha512(secret), add_app_password.protocols,
            add_app_password.nets, add_app_password.expires_at);
    RETURN secret;
END $$;
COMMENT ON FUNCTION mail.add_app_password(text, text, text[], cidr[], timestamptz) IS
    'Make an app password and show it, once: SELECT mail.add_app_password(''ann@example.org'', ''phone''); '
    'narrower: ..., protocols => ''{imap,smtp}'', nets => ''{192.0.2.0/24}'', expires_at => ''2027-01-01''.';

CREATE FUNCTION mail.revoke_app_password(email text, name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    DELETE FROM app_passwords AS a
    WHERE a.user_id = user_id_of(revoke_app_password.email) AND a.name = revoke_app_password.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% has no app password "%"', normal_address(revoke_app_password.email),
                        revoke_app_password.name
            USING ERRCODE = 'no_data_found',
                  HINT = format('SELECT * FROM mail.app_password_usage WHERE email = %L;',
                                normal_address(revoke_app_password.email));
    END IF;
END $$;
COMMENT ON FUNCTION mail.revoke_app_password(text, text) IS
    'Take an app password away; the sessions of the mailbox are closed: '
    'SELECT mail.revoke_app_password(''ann@example.org'', ''phone'');';

CREATE FUNCTION mail.suspend(email text, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF coalesce(suspend.reason, '') = '' THEN
        RAISE EXCEPTION 'a suspension needs a reason' USING ERRCODE = 'check_violation',
            HINT = 'Logs and the sender see it: SELECT mail.suspend(''ann@example.org'', ''sent spam'');';
    END IF;
    UPDATE virtual_users AS u SET suspended = suspend.reason WHERE u.id = user_id_of(suspend.email);
END $$;
COMMENT ON FUNCTION mail.suspend(text, text) IS
    'Let a mailbox neither log in nor send for now, with a reason; open sessions are closed, mail to it is '
    'taken: SELECT mail.suspend(''ann@example.org'', ''sent spam'');';

CREATE FUNCTION mail.unsuspend(email text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    UPDATE virtual_users AS u SET suspended = NULL WHERE u.id = user_id_of(unsuspend.email);
END $$;
COMMENT ON FUNCTION mail.unsuspend(text) IS 'End of mail.suspend.';

CREATE VIEW mail.app_password_usage AS
    SELECT u.email::text AS email, a.name, a.protocols, a.nets, a.expires_at, a.created_at,
           p.at AS last_used_at, p.address AS last_address, p.protocol AS last_protocol, a.id
    FROM mail.app_passwords AS a JOIN mail.virtual_users AS u ON u.id = a.user_id
    LEFT JOIN mail.app_password_uses AS p ON p.app_password_id = a.id;
COMMENT ON VIEW mail.app_password_usage IS 'App passwords and when they were last used, without hashes.';
COMMENT ON COLUMN mail.app_password_usage.email IS 'The mailbox.';
COMMENT ON COLUMN mail.app_password_usage.name IS 'For which device.';
COMMENT ON COLUMN mail.app_password_usage.protocols IS 'Only for these; NULL = all.';
COMMENT ON COLUMN mail.app_password_usage.nets IS 'Only from these networks; NULL = from everywhere.';
COMMENT ON COLUMN mail.app_password_usage.expires_at IS 'From then on it is refused; NULL = never.';
COMMENT ON COLUMN mail.app_password_usage.created_at IS 'When it was made.';
COMMENT ON COLUMN mail.app_password_usage.last_used_at IS 'Last login with it; NULL = never yet.';
COMMENT ON COLUMN mail.app_password_usage.last_address IS 'From where.';
COMMENT ON COLUMN mail.app_password_usage.last_protocol IS 'With what.';
COMMENT ON COLUMN mail.app_password_usage.id IS 'The row of app_passwords; programs say it in logs.';

GRANT EXECUTE ON FUNCTION mail.add_app_password(text, text, text[], cidr[], timestamptz),
    mail.revoke_app_password(text, text), mail.user_id_of(text), mail.suspend(text, text),
    mail.unsuspend(text) TO postward_admin;
GRANT SELECT ON mail.app_password_usage, mail.app_password_uses TO postward_admin;
-- No INSERT, no UPDATE of password: nobody chooses one.
GRANT SELECT (id, user_id, name, protocols, nets, expires_at, created_at), DELETE,
    UPDATE (name, protocols, nets, expires_at) ON mail.app_passwords TO postward_admin;
GRANT SELECT (login, pattern, allow_nets, enabled, note, created_at, changed_at), INSERT, UPDATE, DELETE
    ON mail.master_users TO postward_admin;
