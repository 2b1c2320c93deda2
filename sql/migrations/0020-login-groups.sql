-- Dovecot's questions, many at once: what waits while others are being answered goes as one
-- statement. Carrying out a statement costs some 25 us, one more row of it 5. The plans are the
-- generic ones: few rows by their index, where a guess from the arrays would read whole tables.

SET LOCAL ROLE postward_owner;

CREATE VIEW mail.plain_accounts AS
    SELECT a.email, a.password, a.allow_nets, a.host
    FROM mail.accounts AS a
    WHERE a.password IS NOT NULL AND a.refusal IS NULL AND NOT a.app_passwords_only
      AND NOT a.has_app_passwords AND a.may_imap AND a.may_pop3 AND a.may_smtp AND a.may_sieve;
COMMENT ON VIEW mail.plain_accounts IS
    'Accounts about which there is nothing to say but their password. Has hashes: nobody''s.';
COMMENT ON COLUMN mail.plain_accounts.email IS 'The address.';
COMMENT ON COLUMN mail.plain_accounts.password IS '{SCHEME}hash.';
COMMENT ON COLUMN mail.plain_accounts.allow_nets IS 'Only from these networks, separated by commas.';
COMMENT ON COLUMN mail.plain_accounts.host IS 'Where its logins are passed on to.';

CREATE FUNCTION mail.dovecot_passdb_many(logins text[], services text[], remotes text[], OUT "user" text,
                                         OUT password text, OUT credential bigint, OUT refusal text,
                                         OUT allow_nets text, OUT host text, OUT n bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    answered bigint;
BEGIN
    RETURN QUERY
        SELECT a.email, a.password, 0::bigint, NULL::text, a.allow_nets, a.host, q.n
        FROM unnest(logins) WITH ORDINALITY AS q (login, n) JOIN plain_accounts AS a ON a.email = q.login;
    GET DIAGNOSTICS answered = ROW_COUNT;
    IF answered < cardinality(logins) THEN
        RETURN QUERY
            SELECT p."user", p.password, p.credential, p.refusal, p.allow_nets, p.host, q.n
            FROM unnest(logins, services, remotes) WITH ORDINALITY AS q (login, service, remote, n),
                 LATERAL dovecot_passdb(q.login, q.service, q.remote) WITH ORDINALITY AS p
            WHERE NOT EXISTS (SELECT FROM plain_accounts AS a WHERE a.email = q.login)
            ORDER BY q.n, p.ordinality;
    END IF;
END $$;
COMMENT ON FUNCTION mail.dovecot_passdb_many(text[], text[], text[]) IS
    'For Dovecot: dovecot_passdb for many at once; n = the place in the arrays a row belongs to.';

CREATE FUNCTION mail.dovecot_userdb_many(logins text[], OUT "user" text, OUT home text, OUT mail text,
                                         OUT uid text, OUT gid text, OUT quota_bytes bigint,
                                         OUT quota_messages bigint, OUT host text, OUT n bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    defaults record;
    answered bigint;
BEGIN
    SELECT max(s.value) FILTER (WHERE s.name = 'mail_home') AS home,
           max(s.value) FILTER (WHERE s.name = 'mail_location') AS location,
           max(s.value) FILTER (WHERE s.name = 'mail_uid') AS uid,
           max(s.value) FILTER (WHERE s.name = 'mail_gid') AS gid
    INTO defaults
    FROM settings AS s
    WHERE s.name IN ('mail_home', 'mail_location', 'mail_uid', 'mail_gid') AND s.value <> '';
    RETURN QUERY
        SELECT u.email::text,
               replace(replace(defaults.home, '%d', d.name), '%n', left(u.email, -length(d.name) - 1)),
               defaults.location, defaults.uid, defaults.gid, u.quota_mb * 1048576, u.quota_messages,
               coalesce(u.proxy_host, d.proxy_host)::text, q.n
        FROM unnest(logins) WITH ORDINALITY AS q (login, n)
             JOIN virtual_users AS u ON u.email = q.login
             JOIN virtual_domains AS d ON d.id = u.domain_id;
    GET DIAGNOSTICS answered = ROW_COUNT;
    IF answered < cardinality(logins) THEN
        RETURN QUERY
            SELECT u."user", u.home, u.mail, u.uid, u.gid, u.quota_bytes, u.quota_messages, u.host, q.n
            FROM unnest(logins) WITH ORDINALITY AS q (login, n), LATERAL dovecot_userdb(q.login) AS u
            WHERE NOT EXISTS (SELECT FROM virtual_users AS v WHERE v.email = q.login);
    END IF;
END $$;
COMMENT ON FUNCTION mail.dovecot_userdb_many(text[]) IS
    'For Dovecot: dovecot_userdb for many at once; n = the place in the array a row belongs to.';

GRANT EXECUTE ON FUNCTION mail.dovecot_passdb_many(text[], text[], text[]),
    mail.dovecot_userdb_many(text[]) TO postward_dovecot;
