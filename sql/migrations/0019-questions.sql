-- Questions of people about logins and quota, and what mail.check() finds there.

SET LOCAL ROLE postward_owner;

CREATE OR REPLACE VIEW mail.users AS
    SELECT u.email::text AS email, u.name, q.quota_mb, q.used_mb, u.enabled, u.may_receive,
           u.password IS NOT NULL AS has_password, u.created_at, a.refusal,
           (SELECT count(*) FROM mail.app_passwords AS p WHERE p.user_id = u.id) AS app_passwords,
           (SELECT max(l.at) FROM mail.last_logins AS l WHERE l.user_id = u.id) AS last_login
    FROM mail.virtual_users AS u
    JOIN mail.quota_usage AS q ON q.email = u.email
    JOIN mail.accounts AS a ON a.id = u.id;
COMMENT ON COLUMN mail.users.enabled IS 'Not switched off; refusal says if it may log in.';
COMMENT ON COLUMN mail.users.refusal IS
    'Why it may not log in: disabled, domain disabled, expired, suspended: ...; NULL = it may.';
COMMENT ON COLUMN mail.users.app_passwords IS 'Number of its app passwords.';
COMMENT ON COLUMN mail.users.last_login IS 'When it last logged in; NULL = never yet.';

CREATE OR REPLACE VIEW mail.sogo_user_profile AS
    SELECT u.email::text AS c_uid, u.email::text AS c_name, u.password::text AS c_password,
           coalesce(nullif(u.name, ''), u.email) AS c_cn, u.email::text AS mail
    FROM mail.virtual_users AS u JOIN mail.accounts AS a ON a.id = u.id
    WHERE a.refusal IS NULL AND u.password IS NOT NULL;

-- Why somebody cannot log in ---------------------------------------------------------------

CREATE FUNCTION mail.why_refused(account mail.accounts) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN account.refusal IS NULL THEN 'ok, neither disabled, expired nor suspended'
        WHEN account.refusal = 'disabled'
        THEN format('NO, it is disabled: UPDATE mail.virtual_users SET enabled = true WHERE email = %L;',
                    account.email)
        WHEN account.refusal = 'domain disabled'
        THEN format('NO, its domain is disabled: UPDATE mail.virtual_domains SET enabled = true '
                    'WHERE name = %L;', mail.domain_of(account.email))
        WHEN account.refusal = 'expired'
        THEN format('NO, it expired at %s: UPDATE mail.virtual_users SET expires_at = NULL WHERE email = %L;',
                    date_trunc('second', account.expires_at), account.email)
        ELSE format('NO, it is %s; to end that: SELECT mail.unsuspend(%L);', account.refusal, account.email) END
$$;
COMMENT ON FUNCTION mail.why_refused(mail.accounts) IS
    'Part of why_no_login: whether a mailbox may log in at all, and what to do if not.';

CREATE FUNCTION mail.why_not_from(nets cidr[], address inet) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN nets IS NULL OR address <<= ANY (nets::inet[]) THEN NULL
                WHEN address IS NULL
                THEN format('NO, only from %s, and the client''s address is not known', array_to_string(nets, ', '))
                ELSE format('NO, only from %s, not from %s', array_to_string(nets, ', '), host(address)) END
$$;
COMMENT ON FUNCTION mail.why_not_from(cidr[], inet) IS
    'Part of why_no_login: why an address is refused; NULL = it is not.';

CREATE FUNCTION mail.why_no_app_password(mailbox bigint, protocol text, address inet) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT format('app password "%s": %s', a.name,
        CASE WHEN a.expires_at <= now() THEN 'NO, it expired at ' || date_trunc('second', a.expires_at)
             WHEN why_no_app_password.protocol <> ALL (a.protocols)
             THEN 'NO, only for ' || array_to_string(a.protocols, ', ')
             ELSE coalesce(mail.why_not_from(a.nets, why_no_app_password.address), 'ok, is tried') END)
    FROM mail.app_passwords AS a WHERE a.user_id = mailbox ORDER BY a.id
$$;
COMMENT ON FUNCTION mail.why_no_app_password(bigint, text, inet) IS
    'Part of why_no_login: each app password of a mailbox, and whether it fits.';

CREATE FUNCTION mail.why_no_login(email text, service text DEFAULT 'imap', remote text DEFAULT NULL)
RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    mailbox constant text := mailbox_of(why_no_login.email);
    protocol constant text := coalesce(protocol_of(why_no_login.service), 'imap');
    address constant inet := address_of(why_no_login.remote);
    account mail.accounts;
    network text; -- what is wrong with it
    fit bigint;
BEGIN
    PERFORM must_be_address(coalesce(why_no_login.email, ''));
    SELECT a.* INTO account FROM accounts AS a WHERE a.email = mailbox;
    IF NOT FOUND THEN
        RETURN NEXT format('name: NO, there is no mailbox %s%s', normal_address(why_no_login.email),
            CASE WHEN mailbox_of_alias(normal_address(why_no_login.email)) IS NOT NULL
                 THEN '; it is an alias: UPDATE mail.settings SET value = ''yes'' WHERE name = ''login_by_alias'';'
                 ELSE '' END);
        RETURN NEXT 'result: nobody logs in with this name';
        RETURN;
    END IF;
    network := (SELECT why_not_from(u.allow_nets, address) FROM virtual_users AS u WHERE u.id = account.id);
    RETURN NEXT format('name: ok, mailbox %s', mailbox);
    RETURN NEXT 'mailbox: ' || why_refused(account);
    RETURN NEXT format('service: %s', CASE
        WHEN (to_jsonb(account) ->> ('may_' || protocol))::boolean IS FALSE
        THEN format('NO, %1$s is off: UPDATE mail.virtual_users SET may_%1$s = true WHERE email = %2$L;',
                    protocol, mailbox)
        ELSE 'ok, ' || protocol END);
    RETURN NEXT 'network: ' || coalesce(network, CASE WHEN account.allow_nets IS NULL THEN 'ok, from everywhere'
                                                      ELSE 'ok, in ' || account.allow_nets END);
    RETURN NEXT format('own password: %s', CASE
        WHEN account.password IS NULL THEN format('NO, there is none: postwardctl passwd %s', mailbox)
        WHEN account.app_passwords_only THEN 'NO, only app passwords count (app_passwords_only)'
        ELSE 'ok, is tried, ' || substring(account.password FROM '^\{[^}]*\}') END);
    RETURN QUERY SELECT why_no_app_password(account.id, protocol, address);
    IF account.host IS NOT NULL THEN
        RETURN NEXT format('then: passed on to %s', account.host);
    END IF;
    RETURN QUERY
        SELECT format('last login: %s at %s from %s%s', l.protocol, date_trunc('second', l.at),
                      coalesce(host(l.address), 'an unknown address'), coalesce(', ' || l.by_what, ''))
        FROM logins AS l WHERE l.email = mailbox ORDER BY l.at DESC;
    RETURN QUERY
        SELECT format('lately: %s %s %s', date_trunc('second', e.at), e.kind, e.text)
        FROM events AS e
        WHERE e.at > now() - interval '1 day' AND e.kind LIKE 'auth\_%'
          AND (e.who = mailbox OR address <<= inet_or_null(e.who))
        ORDER BY e.at DESC LIMIT 10;
    SELECT count(*) INTO fit FROM dovecot_passdb(mailbox, protocol, host(address)) AS p
    WHERE p.refusal IS NULL AND network IS NULL;
    RETURN NEXT CASE fit WHEN 0 THEN 'result: no login, see what says NO'
                         WHEN 1 THEN 'result: one password is tried, it has to be the right one'
                         ELSE format('result: %s passwords are tried, one has to be right', fit) END;
END $$;
COMMENT ON FUNCTION mail.why_no_login(text, text, text) IS
    'Why somebody cannot log in, step by step: SELECT mail.why_no_login(''ann@example.org'', ''imap'', '
    '''192.0.2.7''); services are imap, pop3, smtp, sieve.';
GRANT EXECUTE ON FUNCTION mail.why_no_login(text, text, text) TO postward_admin;

CREATE OR REPLACE FUNCTION mail.why_limited(who text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    mailbox constant text := coalesce(mailbox_of(why_limited.who), normal_address(why_limited.who));
    best mail.rate_limits;
    used mail.rate_usage;
BEGIN
    PERFORM must_be_address(coalesce(why_limited.who, ''));
    SELECT * INTO best FROM rate_limits AS l
    WHERE l.enabled AND l.who IN (mailbox, '@' || domain_of(mailbox), '*')
    ORDER BY l.who = mailbox DESC, l.who = '*' LIMIT 1;
    IF NOT EXISTS (SELECT FROM virtual_users WHERE email = mailbox) THEN
        RETURN NEXT format('%s is not a mailbox: nobody logs in as it', mailbox);
    END IF;
    RETURN QUERY
        SELECT format('%s may not send: %s; SELECT mail.why_no_login(%L, ''smtp'');', mailbox, s.refusal, mailbox)
        FROM snapshot_logins AS s WHERE s.login = mailbox AND NOT s.may_send;
    IF best.id IS NULL OR best.limit_count = 0 THEN
        RETURN NEXT format('no limit for %s', mailbox)
                    || coalesce(' (row ' || best.id || ' of mail.rate_limits says so)', '');
    ELSE
        SELECT * INTO used FROM rate_usage AS r WHERE r.who = mailbox AND r.limit_id = best.id;
        RETURN NEXT format('limit for %s: %s %s in %s%s (row %s of mail.rate_limits, for %s)', mailbox,
                           best.limit_count, best.unit, best.period,
                           CASE WHEN best.dry_run THEN ', only logged' ELSE '' END, best.id, best.who);
        RETURN NEXT format('used: %s, free: %s%s', coalesce(used.used, 0),
                           coalesce(used.free, best.burst, best.limit_count),
                           coalesce(', next one at ' || date_trunc('second', used.next_at), ''));
    END IF;
    RETURN QUERY
        SELECT format('%s: %s %s', date_trunc('second', e.at), e.kind, e.text)
        FROM events AS e
        WHERE e.who = mailbox AND e.at > now() - interval '7 days' AND e.kind NOT LIKE '% %'
        ORDER BY e.at DESC LIMIT 10;
END $$;

-- Problems ---------------------------------------------------------------------------------

DROP FUNCTION mail.check();

CREATE FUNCTION mail.check_mail(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH ways AS ( -- every alias source, followed
        SELECT a.source, r.*
        FROM (SELECT DISTINCT source FROM mail.snapshot_aliases) AS a,
             mail.resolve(CASE WHEN a.source LIKE '@%'
                               THEN replace(gen_random_uuid()::text, '-', '') || a.source
                               ELSE a.source END) AS r)
    SELECT 'error', format('alias %s %s', w.source,
                           CASE w.kind WHEN 'loop' THEN 'runs in a circle at ' || w.address
                                       WHEN 'unknown' THEN 'leads to ' || w.address || ', which does not exist'
                                       ELSE 'is ' || w.kind END),
           format('SELECT * FROM mail.who_gets(%L);', w.source)
    FROM ways AS w WHERE w.kind IN ('loop', 'unknown', 'too deep', 'too many')
    UNION ALL
    SELECT 'warning', format('domain %s has no DKIM key', d.name),
           format('postwardctl dkim new %s', d.name)
    FROM mail.snapshot_domains AS d
    WHERE d.name NOT IN (SELECT k.domain FROM mail.snapshot_dkim_keys AS k)
    UNION ALL
    SELECT 'warning', format('DKIM key %s of %s signs for a domain that is not ours', k.selector, k.domain),
           format('UPDATE mail.dkim_keys SET state = ''retired'' WHERE id = %s;', k.id)
    FROM mail.dkim_keys AS k
    WHERE k.state = 'active' AND k.domain NOT IN (SELECT name FROM mail.virtual_domains
                                                  UNION SELECT name FROM mail.alias_domains)
    UNION ALL
    SELECT 'error', format('DKIM request %s for %s: %s', r.id, r.domain,
                           CASE r.state WHEN 'failed' THEN 'failed: ' || coalesce(r.error, '')
                                        ELSE 'nobody answers' END),
           'Is postward-dkim running? See its log.'
    FROM mail.dkim_requests AS r
    WHERE r.state = 'failed' AND r.changed_at > now() - interval '7 days'
       OR r.state IN ('pending', 'taken') AND r.requested_at < now() - interval '2 minutes'
    UNION ALL
    SELECT 'warning', format('alias %s hides the mailbox of that name, which gets nothing', u.email),
           format('To keep a copy: SELECT mail.add_alias(%1$L, %1$L);', u.email)
    FROM mail.virtual_users AS u
    WHERE EXISTS (SELECT FROM mail.snapshot_aliases AS a WHERE a.source = u.email)
      AND NOT EXISTS (SELECT FROM mail.snapshot_aliases AS a
                      WHERE a.source = u.email AND a.destination = u.email)
$$;
COMMENT ON FUNCTION mail.check_mail() IS 'Part of mail.check(): aliases and DKIM.';

CREATE FUNCTION mail.check_logins(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT 'error', format('mailbox %s has a password that nobody can check', a.email),
           format('postwardctl passwd %s', a.email)
    FROM mail.accounts AS a WHERE NOT mail.is_password_hash(a.password)
    UNION ALL
    SELECT 'warning', format('mailbox %s has no password', a.email), format('postwardctl passwd %s', a.email)
    FROM mail.accounts AS a
    WHERE a.password IS NULL AND NOT a.has_app_passwords AND a.refusal IS NULL AND NOT a.app_passwords_only
    UNION ALL
    SELECT 'error', format('mailbox %s takes app passwords only and has none', a.email),
           format('SELECT mail.add_app_password(%L, ''phone'');', a.email)
    FROM mail.accounts AS a
    WHERE a.app_passwords_only AND a.refusal IS NULL
      AND NOT EXISTS (SELECT FROM mail.app_passwords AS p
                      WHERE p.user_id = a.id AND (p.expires_at IS NULL OR p.expires_at > now()))
    UNION ALL
    SELECT 'warning', format('mailbox %s expired on %s', a.email, a.expires_at::date),
           format('UPDATE mail.virtual_users SET expires_at = NULL WHERE email = %1$L; or DELETE FROM '
                  'mail.virtual_users WHERE email = %1$L;', a.email)
    FROM mail.accounts AS a WHERE a.refusal = 'expired'
    UNION ALL
    SELECT 'warning', format('mailbox %s may use no protocol at all', a.email),
           format('UPDATE mail.virtual_users SET may_imap = true WHERE email = %L;', a.email)
    FROM mail.accounts AS a
    WHERE a.refusal IS NULL AND NOT (a.may_imap OR a.may_pop3 OR a.may_smtp OR a.may_sieve)
    UNION ALL
    SELECT 'warning', format('app password "%s" of %s expired on %s', p.name, p.email, p.expires_at::date),
           format('SELECT mail.revoke_app_password(%L, %L);', p.email, p.name)
    FROM mail.app_password_usage AS p WHERE p.expires_at <= now()
    UNION ALL
    SELECT 'warning', format('master user %s may open every mailbox from everywhere', m.login),
           format('UPDATE mail.master_users SET allow_nets = ''{192.0.2.7}'' WHERE login = %L;', m.login)
    FROM mail.master_users AS m WHERE m.enabled AND m.pattern = '*' AND m.allow_nets IS NULL
    UNION ALL
    SELECT 'warning', format('wrong passwords never block a %s', CASE l.kind WHEN 'login' THEN 'login' ELSE 'client' END),
           format('UPDATE mail.auth_limits SET enabled = true, dry_run = false WHERE kind = %L;', l.kind)
    FROM mail.auth_limits AS l WHERE l.dry_run OR NOT l.enabled
$$;
COMMENT ON FUNCTION mail.check_logins() IS 'Part of mail.check(): who can, cannot or should not log in.';

CREATE FUNCTION mail.check_quotas(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT 'warning', format('mailbox %s is full', q.email),
           format('UPDATE mail.virtual_users SET %s = ... WHERE email = %L;',
                  CASE WHEN q.percent >= 100 THEN 'quota_mb' ELSE 'quota_messages' END, q.email)
    FROM mail.quota_usage AS q WHERE q.percent >= 100 OR q.messages_percent >= 100
    UNION ALL
    SELECT 'warning', format('the mailboxes of domain %s hold %s MiB of %s MiB', d.domain, d.used_mb, d.quota_mb),
           format('UPDATE mail.virtual_domains SET quota_mb = ... WHERE name = %L;', d.domain)
    FROM mail.domain_usage AS d WHERE d.percent >= 100
    UNION ALL
    SELECT 'warning', format('mailbox %s may hold more than all of its domain', u.email),
           format('UPDATE mail.virtual_users SET quota_mb = %s WHERE email = %L;', d.quota_mb, u.email)
    FROM mail.virtual_users AS u JOIN mail.virtual_domains AS d ON d.id = u.domain_id
    WHERE d.quota_mb > 0 AND u.quota_mb > d.quota_mb
$$;
COMMENT ON FUNCTION mail.check_quotas() IS 'Part of mail.check(): mailboxes and domains that are full.';

CREATE FUNCTION mail.check(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT * FROM mail.check_mail()
    UNION ALL SELECT * FROM mail.check_logins()
    UNION ALL SELECT * FROM mail.check_quotas()
    ORDER BY 1, 2
$$;
COMMENT ON FUNCTION mail.check() IS
    'Problems, and what to do about them; no row = none found. SELECT * FROM mail.check();';
GRANT EXECUTE ON FUNCTION mail.check() TO postward_admin;
