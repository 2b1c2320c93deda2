-- The guard's alarms where the admin looks, and rules for signatures that nobody can make.

SET LOCAL ROLE postward_owner;

CREATE FUNCTION mail.record_dkim_alarms(alarms jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    added bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mail.record_dkim_alarms')); -- two nodes, one hour
    INSERT INTO mail.events (kind, who, text, detail)
    SELECT DISTINCT ON (d.domain) 'dkim_guard', d.domain,
           format('a message left with a signature of %s that does not hold: %s', d.domain, left(a ->> 'why', 200)),
           jsonb_build_object('selector', left(a ->> 'selector', 255), 'why', left(a ->> 'why', 200),
                              'queue_id', left(a ->> 'queue_id', 100))
    FROM jsonb_array_elements(alarms) AS a, LATERAL mail.normal_domain(a ->> 'domain') AS d (domain)
    WHERE d.domain IS NOT NULL
      AND NOT EXISTS (SELECT FROM mail.events AS e
                      WHERE e.who = d.domain AND e.kind = 'dkim_guard' AND e.at > clock_timestamp() - interval '1 hour');
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
COMMENT ON FUNCTION mail.record_dkim_alarms(jsonb) IS
    'For postward-dkim: its guard''s alarms, [{"domain", "selector", "why", "queue_id"}, ...], as events of the '
    'kind dkim_guard, one an hour and domain; answers how many were written.';
GRANT EXECUTE ON FUNCTION mail.record_dkim_alarms(jsonb) TO postward_dkim;

CREATE OR REPLACE FUNCTION mail.check_dkim(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT 'error', format('DKIM key %s of %s signs no more: DNS does not show it', k.selector, k.domain),
           format('SELECT zone_line FROM mail.dns_records(%L);', k.domain)
    FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
    WHERE k.state = 'pending' AND k.active_at IS NOT NULL
    UNION ALL
    SELECT 'warning', format('DKIM key %s of %s waits for its record in DNS', k.selector, k.domain),
           format('SELECT zone_line FROM mail.dns_records(%L);', k.domain)
    FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
    WHERE k.state = 'pending' AND k.active_at IS NULL AND k.created_at < now() - interval '1 day'
    UNION ALL
    SELECT 'warning', 'DKIM keys wait, and nobody looks at DNS', 'systemctl enable --now postward-dns.timer'
    WHERE EXISTS (SELECT FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
                  WHERE k.state IN ('pending', 'published') AND k.created_at < now() - interval '1 hour')
      AND NOT EXISTS (SELECT FROM mail.dns_seen AS s
                      WHERE greatest(s.checked_at, s.failed_at) > now() - interval '1 hour')
    UNION ALL
    SELECT 'error', format('node %s lacks host key %s: it cannot sign with %s keys', h.host, s.key_id, s.count),
           'postwardctl dkim host-key export there, where it is; import here'
    FROM mail.dkim_hosts AS h,
         (SELECT split_part(k.private_key, ':', 2) AS key_id, count(*) AS count FROM mail.dkim_keys AS k
          WHERE k.private_key LIKE 'pwk1:%' GROUP BY 1) AS s
    WHERE h.seen_at > now() - interval '1 day' AND s.key_id <> ALL (h.key_ids)
    UNION ALL
    SELECT 'warning', format('%s private DKIM keys are in clear text in the database', count(*)),
           'Is postward-dkim running, and has every node the same host key? See its log.'
    FROM mail.dkim_keys AS k
    WHERE k.private_key LIKE '-%' AND k.changed_at < now() - interval '10 minutes'
      AND mail.setting('dkim_seal') IS DISTINCT FROM 'no'
    HAVING count(*) > 0
    UNION ALL
    SELECT 'warning', format('rule %s signs mail of %s with keys of %s, which has none in use', r.id, r.author, s.domain),
           CASE WHEN d.name IS NULL THEN format('DELETE FROM mail.dkim_rules WHERE id = %s;', r.id)
                ELSE format('SELECT mail.dkim_rotate(%L);', s.domain) END
    FROM mail.dkim_rules AS r
    CROSS JOIN LATERAL (SELECT coalesce(r.domain::text, CASE WHEN r.author ~ '@[^.]' THEN mail.domain_of(r.author) END)) AS s (domain)
    LEFT JOIN mail.snapshot_domains AS d ON d.name = s.domain
    WHERE r.enabled AND r.action = 'sign' AND s.domain IS NOT NULL
      AND NOT EXISTS (SELECT FROM mail.snapshot_dkim_keys AS k WHERE k.domain = s.domain AND k.state = 'active')
      AND s.domain NOT IN (SELECT p.domain FROM mail.snapshot_dkim_pending AS p)
    UNION ALL
    SELECT 'error', format('%s, on %s', e.text, to_char(e.at, 'YYYY-MM-DD HH24:MI TZ')),
           'See event=guard in the log of postward-dkim, and report it.'
    FROM (SELECT DISTINCT ON (g.who) g.text, g.at FROM mail.events AS g
          WHERE g.kind = 'dkim_guard' AND g.at > now() - interval '1 day' ORDER BY g.who, g.at DESC) AS e
$$;
COMMENT ON FUNCTION mail.check_dkim() IS
    'Part of mail.check(): keys that wait, host keys, rules without a key, alarms of the last day.';
