-- What mail.check() finds in limits, lists and rights.

SET LOCAL ROLE postward_owner;

-- Is there anybody of ours by that name: an address, or "@domain"?
CREATE FUNCTION mail.is_ours(who text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT CASE WHEN who LIKE '@.%' THEN true
                WHEN who LIKE '@%' THEN EXISTS (SELECT FROM mail.virtual_domains AS d WHERE '@' || d.name = who)
                                     OR EXISTS (SELECT FROM mail.alias_domains AS d WHERE '@' || d.name = who)
                ELSE EXISTS (SELECT FROM mail.virtual_users AS u WHERE u.email = who)
                  OR EXISTS (SELECT FROM mail.snapshot_aliases AS a WHERE a.source = who) END
$$;
COMMENT ON FUNCTION mail.is_ours(text) IS 'Is that an address or @domain of ours? Part of mail.check().';

CREATE FUNCTION mail.check_limits(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT 'warning', format('limit %s of %s tells the admin, and nobody said who that is', l.id, l.who),
           'UPDATE mail.settings SET value = ''postmaster@example.org'' WHERE name = ''rate_admin'';'
    FROM mail.rate_limits AS l
    WHERE l.enabled AND l.tell IN ('admin', 'both') AND coalesce(mail.setting('rate_admin'), '') = ''
    UNION ALL
    SELECT 'warning', format('notices of limits go to %s, which is no address of ours', mail.setting('rate_admin')),
           'UPDATE mail.settings SET value = ''postmaster@example.org'' WHERE name = ''rate_admin'';'
    WHERE coalesce(mail.setting('rate_admin'), '') <> '' AND NOT mail.is_ours(mail.setting('rate_admin'))
    UNION ALL
    SELECT 'warning', format('limit %s is of the login %s, which does not exist', l.id, l.who),
           format('DELETE FROM mail.rate_limits WHERE id = %s;', l.id)
    FROM mail.rate_limits AS l
    WHERE l.enabled AND l.key = 'login' AND l.who LIKE '%@%' AND NOT mail.is_ours(l.who)
    UNION ALL
    SELECT 'warning', format('the list entry %s of %s is of nobody here', a.id, a.who),
           format('DELETE FROM mail.access_lists WHERE id = %s;', a.id)
    FROM mail.access_lists AS a
    WHERE a.enabled AND a.who <> '*' AND (a.expires_at IS NULL OR a.expires_at > now()) AND NOT mail.is_ours(a.who)
    UNION ALL
    SELECT 'warning', format('the posting right %s is of %s, which does not exist', p.id, p.alias),
           format('DELETE FROM mail.posting_rights WHERE id = %s;', p.id)
    FROM mail.posting_rights AS p WHERE p.enabled AND NOT mail.is_ours(p.alias)
    UNION ALL
    SELECT 'warning', format('nobody may write to %s: it has moderators only, and none is named', p.alias),
           format('UPDATE mail.posting_rights SET moderators = ''{postmaster@example.org}'' WHERE id = %s;', p.id)
    FROM mail.posting_rights AS p
    WHERE p.enabled AND NOT p.dry_run AND p.who_may = 'moderators' AND cardinality(p.moderators) = 0
$$;
COMMENT ON FUNCTION mail.check_limits() IS 'Part of mail.check(): limits, lists and posting rights that do nothing or too much.';

CREATE OR REPLACE FUNCTION mail.check(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT * FROM mail.check_mail()
    UNION ALL SELECT * FROM mail.check_logins()
    UNION ALL SELECT * FROM mail.check_quotas()
    UNION ALL SELECT * FROM mail.check_dns()
    UNION ALL SELECT * FROM mail.check_limits()
    ORDER BY 1, 2
$$;
