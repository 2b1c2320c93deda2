-- Shortcuts for people.

SET LOCAL ROLE postward_owner;

CREATE FUNCTION mail.add_domain(name text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM must_be_domain(coalesce(add_domain.name, ''));
    INSERT INTO virtual_domains (name) VALUES (add_domain.name) RETURNING id INTO made;
    RETURN made;
EXCEPTION WHEN unique_violation THEN
    IF SQLERRM NOT LIKE '%virtual_domains_name_key%' THEN
        RAISE;
    END IF;
    RAISE EXCEPTION 'domain % is there already', normal_domain(add_domain.name)
        USING ERRCODE = 'unique_violation', HINT = 'SELECT * FROM mail.virtual_domains;';
END $$;
COMMENT ON FUNCTION mail.add_domain(text) IS
    'Take mail for a domain: SELECT mail.add_domain(''example.org''); answers its id.';

CREATE FUNCTION mail.hash_password(password text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    shortest constant int := setting('password_min_length')::int;
    -- 16 letters of crypt's alphabet out of the 122 random bits of a UUID
    random bytea := sha512(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
    salt text := '';
BEGIN
    IF length(coalesce(hash_password.password, '')) < shortest THEN
        RAISE EXCEPTION 'the password is too short, it needs % characters', shortest
            USING ERRCODE = 'check_violation',
                  HINT = 'Several words make a long password that is easy to remember.';
    END IF;
    FOR i IN 0 .. 3 LOOP
        salt := salt || crypt64(get_byte(random, i * 3), get_byte(random, i * 3 + 1),
                                get_byte(random, i * 3 + 2), 4);
    END LOOP;
    RETURN '{SHA512-CRYPT}' || sha512_crypt(hash_password.password, salt,
                                            setting('password_rounds')::int);
END $$;
COMMENT ON FUNCTION mail.hash_password(text) IS
    '{SHA512-CRYPT} of a password, for INSERT and UPDATE of virtual_users. The statement stays in '
    'histories and logs: postwardctl passwd does not have that.';

CREATE FUNCTION mail.add_user(email text, password text, quota_mb bigint DEFAULT 1024) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM must_be_address(coalesce(add_user.email, ''));
    IF EXISTS (SELECT FROM virtual_users AS u WHERE u.email = normal_address(add_user.email)) THEN
        RAISE EXCEPTION 'mailbox % is there already', normal_address(add_user.email)
            USING ERRCODE = 'unique_violation',
                  HINT = format('To change the password: postwardctl passwd %s',
                                normal_address(add_user.email));
    END IF;
    INSERT INTO virtual_users (email, password, quota_mb)
    VALUES (add_user.email, hash_password(add_user.password), add_user.quota_mb)
    RETURNING id INTO made;
    RETURN made;
END $$;
COMMENT ON FUNCTION mail.add_user(text, text, bigint) IS
    'Make a mailbox: SELECT mail.add_user(''ann@example.org'', ''a long password'', 2048); quota in '
    'MiB, 0 = no limit; answers its id.';

CREATE FUNCTION mail.set_password_hash(email text, hash text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    PERFORM must_be_address(coalesce(set_password_hash.email, ''));
    PERFORM must_be_password_hash(coalesce(hash, ''));
    UPDATE virtual_users AS u SET password = hash
    WHERE u.email = normal_address(set_password_hash.email);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no mailbox %', normal_address(set_password_hash.email)
            USING ERRCODE = 'no_data_found', HINT = 'SELECT mail.add_user(email, password);';
    END IF;
END $$;
COMMENT ON FUNCTION mail.set_password_hash(text, text) IS
    'Set the {SCHEME}hash of a mailbox; postwardctl passwd uses it.';

CREATE FUNCTION mail.set_password(email text, password text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT mail.set_password_hash(email, mail.hash_password(password))
$$;
COMMENT ON FUNCTION mail.set_password(text, text) IS
    'Set a password. The clear text stays in psql''s history and may reach the server''s log: '
    'postwardctl passwd ann@example.org sends only the hash.';

CREATE FUNCTION mail.add_alias(source text, destination text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM must_be_pattern(coalesce(add_alias.source, '')),
            must_be_address(coalesce(add_alias.destination, ''));
    INSERT INTO virtual_aliases (source, destination)
    VALUES (add_alias.source, add_alias.destination) RETURNING id INTO made;
    RETURN made;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'alias % to % is there already', normal_pattern(add_alias.source),
                    normal_address(add_alias.destination)
        USING ERRCODE = 'unique_violation',
              HINT = format('SELECT * FROM mail.virtual_aliases WHERE source = %L;',
                            normal_pattern(add_alias.source));
END $$;
COMMENT ON FUNCTION mail.add_alias(text, text) IS
    'Send mail for source on to destination; call it again for more destinations. Source @example.org '
    'is the catch-all. Answers the row''s id.';

GRANT EXECUTE ON FUNCTION mail.add_domain(text), mail.add_user(text, text, bigint),
    mail.hash_password(text), mail.set_password(text, text), mail.set_password_hash(text, text),
    mail.add_alias(text, text) TO postward_admin;

-- Views ------------------------------------------------------------------------------------

CREATE VIEW mail.users AS
    SELECT u.email::text AS email, u.name, q.quota_mb, q.used_mb, u.enabled, u.may_receive,
           u.password IS NOT NULL AS has_password, u.created_at
    FROM mail.virtual_users AS u JOIN mail.quota_usage AS q ON q.email = u.email;
COMMENT ON VIEW mail.users IS 'Mailboxes at a glance, without hashes.';
COMMENT ON COLUMN mail.users.email IS 'The mailbox.';
COMMENT ON COLUMN mail.users.name IS 'Name of the person.';
COMMENT ON COLUMN mail.users.quota_mb IS 'Limit in MiB; 0 = none.';
COMMENT ON COLUMN mail.users.used_mb IS 'Used, in MiB.';
COMMENT ON COLUMN mail.users.enabled IS 'May log in.';
COMMENT ON COLUMN mail.users.may_receive IS 'Mail is taken.';
COMMENT ON COLUMN mail.users.has_password IS 'Has a password.';
COMMENT ON COLUMN mail.users.created_at IS 'When it was made.';
GRANT SELECT ON mail.users TO postward_admin;

-- Holds hashes, so nobody gets it by default: GRANT SELECT ON mail.sogo_user_profile TO sogo;
CREATE VIEW mail.sogo_user_profile AS
    SELECT u.email::text AS c_uid, u.email::text AS c_name, u.password::text AS c_password,
           coalesce(nullif(u.name, ''), u.email) AS c_cn, u.email::text AS mail
    FROM mail.virtual_users AS u JOIN mail.virtual_domains AS d ON d.id = u.domain_id
    WHERE u.enabled AND d.enabled AND u.password IS NOT NULL;
COMMENT ON VIEW mail.sogo_user_profile IS
    'For SOGo: who may log in. Has hashes: GRANT USAGE ON SCHEMA mail and SELECT on this to SOGo''s role.';
COMMENT ON COLUMN mail.sogo_user_profile.c_uid IS 'Login.';
COMMENT ON COLUMN mail.sogo_user_profile.c_name IS 'Login.';
COMMENT ON COLUMN mail.sogo_user_profile.c_password IS '{SCHEME}hash.';
COMMENT ON COLUMN mail.sogo_user_profile.c_cn IS 'Name of the person, else the address.';
COMMENT ON COLUMN mail.sogo_user_profile.mail IS 'Mail address.';

-- Questions --------------------------------------------------------------------------------

CREATE FUNCTION mail.why_limited(who text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    login constant text := coalesce(mailbox_of(why_limited.who), normal_address(why_limited.who));
    best mail.rate_limits;
    used mail.rate_usage;
BEGIN
    PERFORM must_be_address(coalesce(why_limited.who, ''));
    SELECT * INTO best FROM rate_limits AS l
    WHERE l.enabled AND l.who IN (login, '@' || domain_of(login), '*')
    ORDER BY l.who = login DESC, l.who = '*' LIMIT 1;
    IF NOT EXISTS (SELECT FROM virtual_users WHERE email = login) THEN
        RETURN NEXT format('%s is not a mailbox: nobody logs in as it', login);
    ELSIF NOT EXISTS (SELECT FROM virtual_users AS u JOIN virtual_domains AS d ON d.id = u.domain_id
                      WHERE u.email = login AND u.enabled AND d.enabled) THEN
        RETURN NEXT format('%s may not log in (enabled is false), and so not send', login);
    END IF;
    IF best.id IS NULL OR best.limit_count = 0 THEN
        RETURN NEXT format('no limit for %s', login)
                    || coalesce(format(' (row %s of mail.rate_limits says so)', best.id), '');
    ELSE
        SELECT * INTO used FROM rate_usage AS r WHERE r.who = login AND r.limit_id = best.id;
        RETURN NEXT format('limit for %s: %s %s in %s%s (row %s of mail.rate_limits, for %s)', login,
                           best.limit_count, best.unit, best.period,
                           CASE WHEN best.dry_run THEN ', only logged' ELSE '' END, best.id, best.who);
        RETURN NEXT format('used: %s, free: %s%s', coalesce(used.used, 0),
                           coalesce(used.free, best.burst, best.limit_count),
                           coalesce(', next one at ' || date_trunc('second', used.next_at), ''));
    END IF;
    RETURN QUERY
        SELECT format('%s: %s %s', date_trunc('second', e.at), e.kind, e.text)
        FROM events AS e
        WHERE e.who = login AND e.at > now() - interval '7 days' AND e.kind NOT LIKE 'virtual\_%'
        ORDER BY e.at DESC LIMIT 10;
END $$;
COMMENT ON FUNCTION mail.why_limited(text) IS
    'Why somebody cannot send: the limit that counts, what is used of it, what happened lately.';
GRANT EXECUTE ON FUNCTION mail.why_limited(text) TO postward_admin;

CREATE FUNCTION mail.check(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
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
    SELECT 'error', format('mailbox %s has a password that nobody can check', u.email),
           format('postwardctl passwd %s', u.email)
    FROM mail.virtual_users AS u WHERE NOT mail.is_password_hash(u.password)
    UNION ALL
    SELECT 'warning', format('mailbox %s has no password', u.email),
           format('postwardctl passwd %s', u.email)
    FROM mail.virtual_users AS u WHERE u.password IS NULL AND u.enabled
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
    UNION ALL
    SELECT 'warning', format('mailbox %s is full', q.email),
           format('UPDATE mail.virtual_users SET quota_mb = ... WHERE email = %L;', q.email)
    FROM mail.quota_usage AS q WHERE q.percent >= 100
    ORDER BY 1, 2
$$;
COMMENT ON FUNCTION mail.check() IS
    'Problems, and what to do about them; no row = none found. SELECT * FROM mail.check();';
GRANT EXECUTE ON FUNCTION mail.check() TO postward_admin;
