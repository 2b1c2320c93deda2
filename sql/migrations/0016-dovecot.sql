-- What Dovecot asks at each login and delivery. PL/pgSQL, so that plans are kept; a name that
-- stands in virtual_users as it was typed is in normal form, so it is tried before anything
-- that takes time.

SET LOCAL ROLE postward_owner;

CREATE VIEW mail.accounts AS
    SELECT u.id, u.email::text AS email, u.password::text AS password,
           CASE WHEN NOT u.enabled THEN 'disabled'
                WHEN NOT d.enabled THEN 'domain disabled'
                WHEN u.expires_at <= now() THEN 'expired'
                WHEN u.suspended IS NOT NULL THEN 'suspended: ' || u.suspended END AS refusal,
           u.may_imap, u.may_pop3, u.may_smtp, u.may_sieve, u.expires_at,
           array_to_string(u.allow_nets, ',') AS allow_nets, u.app_passwords_only,
           coalesce(u.proxy_host, d.proxy_host) AS host,
           EXISTS (SELECT FROM mail.app_passwords AS a WHERE a.user_id = u.id) AS has_app_passwords
    FROM mail.virtual_users AS u JOIN mail.virtual_domains AS d ON d.id = u.domain_id;
COMMENT ON VIEW mail.accounts IS 'For the functions below: mailboxes as logins. Has hashes: nobody''s.';
COMMENT ON COLUMN mail.accounts.id IS 'The mailbox.';
COMMENT ON COLUMN mail.accounts.email IS 'Its address.';
COMMENT ON COLUMN mail.accounts.password IS '{SCHEME}hash of its own password; NULL = it has none.';
COMMENT ON COLUMN mail.accounts.refusal IS 'Why it may not log in at all; NULL = it may.';
COMMENT ON COLUMN mail.accounts.may_imap IS 'IMAP is allowed.';
COMMENT ON COLUMN mail.accounts.may_pop3 IS 'POP3 is allowed.';
COMMENT ON COLUMN mail.accounts.may_smtp IS 'Submission is allowed.';
COMMENT ON COLUMN mail.accounts.may_sieve IS 'ManageSieve is allowed.';
COMMENT ON COLUMN mail.accounts.expires_at IS 'No login from then on.';
COMMENT ON COLUMN mail.accounts.allow_nets IS 'Only from these networks, separated by commas.';
COMMENT ON COLUMN mail.accounts.app_passwords_only IS 'Its own password is refused.';
COMMENT ON COLUMN mail.accounts.host IS 'Where its logins are passed on to.';
COMMENT ON COLUMN mail.accounts.has_app_passwords IS 'There are app passwords.';

-- inet, or NULL where Dovecot knows none; ::ffff:192.0.2.7 is 192.0.2.7.
CREATE FUNCTION mail.address_of(remote text) RETURNS inet
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT mail.inet_or_null(regexp_replace(remote, '^::ffff:(?=[0-9]+\.)', '', 'i'))
$$;
COMMENT ON FUNCTION mail.address_of(text) IS 'For logins: the client''s address; NULL if it is none.';

-- One row for each password to try. Who is refused is answered with the hash all the same:
-- only somebody who knows the password learns why.
CREATE FUNCTION mail.dovecot_passdb(login text, service text, remote text, OUT "user" text,
                                    OUT password text, OUT credential bigint, OUT refusal text,
                                    OUT allow_nets text, OUT host text) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    most constant int := 50;
    mailbox_id bigint;
    refused text; -- with any password
    is_app_only boolean;
    has_more boolean;
    other_name text;
BEGIN
    SELECT a.id, a.email, a.password, 0, a.allow_nets, a.host, a.has_app_passwords, a.app_passwords_only,
           coalesce(a.refusal, CASE WHEN NOT CASE dovecot_passdb.service
                        WHEN 'imap' THEN a.may_imap   WHEN 'imap-urlauth' THEN a.may_imap
                        WHEN 'pop3' THEN a.may_pop3   WHEN 'sieve' THEN a.may_sieve
                        WHEN 'smtp' THEN a.may_smtp   WHEN 'managesieve' THEN a.may_sieve
                        WHEN 'submission' THEN a.may_smtp ELSE true END
                    THEN 'protocol' END)
    INTO mailbox_id, "user", password, credential, allow_nets, host, has_more, is_app_only, refused
    FROM accounts AS a WHERE a.email = dovecot_passdb.login;
    IF NOT FOUND THEN
        other_name := mailbox_of(dovecot_passdb.login);
        IF other_name <> dovecot_passdb.login THEN
            RETURN QUERY
                SELECT p.* FROM dovecot_passdb(other_name, dovecot_passdb.service,
                                               dovecot_passdb.remote) AS p;
        END IF;
        RETURN;
    END IF;
    refusal := refused;
    IF is_app_only THEN
        refusal := coalesce(refused, 'app password only');
    END IF;
    IF password IS NOT NULL THEN
        RETURN NEXT;
    END IF;
    IF has_more THEN
        RETURN QUERY
            SELECT dovecot_passdb."user", a.password::text, a.id, refused, dovecot_passdb.allow_nets,
                   dovecot_passdb.host
            FROM app_passwords AS a LEFT JOIN app_password_uses AS p ON p.app_password_id = a.id
            WHERE a.user_id = mailbox_id
              AND (a.expires_at IS NULL OR a.expires_at > now())
              AND (a.protocols IS NULL OR protocol_of(dovecot_passdb.service) = ANY (a.protocols))
              AND (a.nets IS NULL OR address_of(dovecot_passdb.remote) <<= ANY (a.nets::inet[]))
            ORDER BY p.at DESC NULLS LAST, a.id LIMIT most;
    END IF;
END $$;
COMMENT ON FUNCTION mail.dovecot_passdb(text, text, text) IS
    'For Dovecot: the passwords of a login to try from a service and client address, its own first '
    '(credential 0), then app passwords that fit, last used first. refusal: why it may not log in even '
    'so. No row: no such login.';

-- Of daemons that know neither networks nor app passwords.
CREATE OR REPLACE FUNCTION mail.dovecot_passdb(login text, service text, OUT "user" text, OUT password text,
                                               OUT nologin boolean) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT p."user", p.password, p.refusal IS NOT NULL OR p.allow_nets IS NOT NULL
        FROM mail.dovecot_passdb(dovecot_passdb.login, dovecot_passdb.service, NULL) AS p
        WHERE p.credential = 0;
END $$;

CREATE FUNCTION mail.dovecot_masterdb(login text, target text, service text, remote text,
                                      OUT "user" text, OUT password text, OUT credential bigint,
                                      OUT refusal text, OUT allow_nets text, OUT host text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    mailbox constant text := mailbox_of(target);
BEGIN
    RETURN QUERY
        SELECT m.login::text, m.password::text, 0::bigint,
               CASE WHEN NOT m.enabled THEN 'disabled'
                    WHEN m.pattern <> ALL (ARRAY['*', coalesce(mailbox, ''), coalesce('@' || domain_of(mailbox), '')])
                    THEN 'not for this mailbox' END,
               array_to_string(m.allow_nets, ','), NULL::text
        FROM master_users AS m WHERE m.login = normal_address(dovecot_masterdb.login);
END $$;
COMMENT ON FUNCTION mail.dovecot_masterdb(text, text, text, text) IS
    'For Dovecot: hash of a master user who wants to open the mailbox target; columns as dovecot_passdb. '
    'No row: no such master user.';

DROP FUNCTION mail.dovecot_userdb(text);
CREATE FUNCTION mail.dovecot_userdb(login text, OUT "user" text, OUT home text, OUT mail text,
                                    OUT uid text, OUT gid text, OUT quota_bytes bigint,
                                    OUT quota_messages bigint, OUT host text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    domain text;
    other_name text;
BEGIN
    SELECT u.email, d.name, u.quota_mb * 1048576, u.quota_messages, coalesce(u.proxy_host, d.proxy_host)
    INTO "user", domain, quota_bytes, quota_messages, host
    FROM virtual_users AS u JOIN virtual_domains AS d ON d.id = u.domain_id
    WHERE u.email = dovecot_userdb.login;
    IF NOT FOUND THEN
        other_name := mailbox_of(dovecot_userdb.login);
        IF other_name <> dovecot_userdb.login THEN
            RETURN QUERY SELECT u.* FROM dovecot_userdb(other_name) AS u;
        END IF;
        RETURN;
    END IF;
    SELECT max(s.value) FILTER (WHERE s.name = 'mail_home'), max(s.value) FILTER (WHERE s.name = 'mail_location'),
           max(s.value) FILTER (WHERE s.name = 'mail_uid'), max(s.value) FILTER (WHERE s.name = 'mail_gid')
    INTO home, mail, uid, gid
    FROM settings AS s
    WHERE s.name IN ('mail_home', 'mail_location', 'mail_uid', 'mail_gid') AND s.value <> '';
    home := replace(replace(home, '%d', domain), '%n', left("user", -length(domain) - 1));
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION mail.dovecot_userdb(text) IS
    'For Dovecot: a mailbox, disabled ones too; NULL = Dovecot''s own setting, limits 0 = none. '
    'No row: no such mailbox.';

CREATE FUNCTION mail.dovecot_settings(OUT name text, OUT value text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT s.name, s.value FROM mail.settings AS s
    WHERE s.name IN ('login_by_alias', 'password_scheme', 'password_rounds')
$$;
COMMENT ON FUNCTION mail.dovecot_settings() IS
    'For Dovecot: settings of logins; an empty value = Dovecot''s own.';

CREATE FUNCTION mail.dovecot_rehash(login text, old_hash text, new_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    mailbox constant text := mailbox_of(dovecot_rehash.login);
    is_done boolean;
BEGIN
    IF mailbox IS NULL OR new_hash = old_hash THEN
        RETURN false;
    END IF;
    PERFORM must_be_password_hash(coalesce(new_hash, ''));
    INSERT INTO rehashes VALUES (pg_current_xact_id()) ON CONFLICT DO NOTHING;
    UPDATE virtual_users AS u SET password = new_hash WHERE u.email = mailbox AND u.password = old_hash;
    is_done := FOUND;
    DELETE FROM rehashes WHERE xact = pg_current_xact_id();
    IF is_done THEN
        INSERT INTO events (kind, who, text)
        VALUES ('rehash', mailbox, format('from %s to %s at a login', substring(old_hash FROM '^\{[^}]*\}'),
                                          substring(new_hash FROM '^\{[^}]*\}')));
    END IF;
    RETURN is_done;
END $$;
COMMENT ON FUNCTION mail.dovecot_rehash(text, text, text) IS
    'For Dovecot: the same password under a better scheme; false if it has changed meanwhile. No cache '
    'forgets anything, no session ends.';

GRANT EXECUTE ON FUNCTION mail.dovecot_passdb(text, text, text), mail.dovecot_userdb(text),
    mail.dovecot_masterdb(text, text, text, text), mail.dovecot_settings(),
    mail.dovecot_rehash(text, text, text) TO postward_dovecot;

CREATE VIEW mail.snapshot_logins AS
    SELECT a.email AS login, a.refusal IS NULL AND a.may_smtp AS may_send,
           coalesce(a.refusal, CASE WHEN NOT a.may_smtp THEN 'protocol' END) AS refusal,
           (extract(epoch FROM a.expires_at) * 1000)::bigint AS expires_ms
    FROM mail.accounts AS a;
COMMENT ON VIEW mail.snapshot_logins IS 'For postward-policyd: every mailbox, and whether it may send.';
COMMENT ON COLUMN mail.snapshot_logins.login IS 'The mailbox.';
COMMENT ON COLUMN mail.snapshot_logins.may_send IS 'false: it may not go on sending.';
COMMENT ON COLUMN mail.snapshot_logins.refusal IS 'Why not, as dovecot_passdb says it.';
COMMENT ON COLUMN mail.snapshot_logins.expires_ms IS
    'From then on it may not, in milliseconds since 1970; NULL = never. Nobody is told when it passes.';
GRANT SELECT ON mail.snapshot_logins TO postward_policy;
