-- What DNS should say about our domains and hosts, and what it was seen to say.

SET LOCAL ROLE postward_owner;

-- Hosts ------------------------------------------------------------------------------------

INSERT INTO mail.settings VALUES
    ('mx_addresses', '', 'their public addresses, separated by blanks; of a host that is not the first of mx_hosts as host=address; for mail.dns_records');

CREATE FUNCTION mail.mx_addresses(OUT host text, OUT address inet) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT CASE WHEN part LIKE '%=%' THEN split_part(part, '=', 1)
                ELSE split_part((SELECT value FROM settings WHERE name = 'mx_hosts'), ' ', 1) END,
           split_part(part, '=', CASE WHEN part LIKE '%=%' THEN 2 ELSE 1 END)::inet
    FROM string_to_table((SELECT value FROM settings WHERE name = 'mx_addresses'), ' ') AS part
    WHERE part <> ''
$$;
COMMENT ON FUNCTION mail.mx_addresses() IS 'Setting mx_addresses, one row an address.';
GRANT EXECUTE ON FUNCTION mail.mx_addresses() TO postward_admin;

-- 192.0.2.7 is 7.2.0.192.in-addr.arpa; inet_send has four bytes before those of the address.
CREATE FUNCTION mail.reverse_name(address inet) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE family(address)
           WHEN 4 THEN split_part(host(address), '.', 4) || '.' || split_part(host(address), '.', 3) || '.'
                       || split_part(host(address), '.', 2) || '.' || split_part(host(address), '.', 1)
                       || '.in-addr.arpa'
           ELSE regexp_replace(reverse(encode(substr(inet_send(address), 5), 'hex')), '(.)', '\1.', 'g')
                || 'ip6.arpa' END
$$;
COMMENT ON FUNCTION mail.reverse_name(inet) IS 'Name of the PTR record of an address.';
GRANT EXECUTE ON FUNCTION mail.reverse_name(inet) TO postward_admin;

-- One row a setting with a range: what its value has to match, and the same in words.
CREATE OR REPLACE FUNCTION mail.check_setting() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    host constant text := '[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+';
    address constant text := '[0-9.]{7,15}|[0-9a-f:.]*:[0-9a-f:.]*';
    range record;
BEGIN
    IF NEW.name IN ('mx_hosts', 'mx_addresses') THEN
        NEW.value := lower(trim(regexp_replace(NEW.value, '\s+', ' ', 'g')));
    END IF;
    SELECT * INTO range FROM (VALUES
        ('password_min_length', '([89]|[1-9][0-9]|1[0-9]{2})',    '8 to 199'),
        ('password_rounds',     '([1-9][0-9]{3,5}|1000000)',      '1000 to 1000000'),
        ('login_by_alias',      '(yes|no)',                       'yes or no'),
        ('password_scheme',     '(|SHA512-CRYPT|BLF-CRYPT|ARGON2ID|SCRAM-SHA-256)',
                                'empty, SHA512-CRYPT, BLF-CRYPT, ARGON2ID or SCRAM-SHA-256'),
        ('quota_grace_percent', '([0-9]|[1-9][0-9]|100)',         '0 to 100'),
        ('mx_hosts',            format('(%1$s( %1$s)*)?', host),  'host names, separated by blanks'),
        ('mx_addresses',        format('((%1$s=)?(%2$s)( (%1$s=)?(%2$s))*)?', host, address),
                                'addresses or host=address, separated by blanks')
    ) AS known (name, pattern, words) WHERE known.name = NEW.name;
    IF FOUND AND NEW.value !~ ('^(' || range.pattern || ')$') THEN
        RAISE EXCEPTION '% must be %', NEW.name, range.words USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.name = 'mx_addresses' THEN
        PERFORM split_part(part, '=', CASE WHEN part LIKE '%=%' THEN 2 ELSE 1 END)::inet
        FROM string_to_table(NEW.value, ' ') AS part WHERE part <> '';
    END IF;
    RETURN NEW;
END $$;

-- Records ----------------------------------------------------------------------------------

-- Parts of mail.dns_records, each of one kind: whoever adds a kind adds a part.
CREATE VIEW mail.dns_domain_records AS
    SELECT d.name AS domain, d.name AS name, 'MX' AS type, '10 ' || host || '.' AS value,
           'takes mail for the domain' AS note, 'mx' AS kind, true AS needed
    FROM mail.snapshot_domains AS d,
         string_to_table((SELECT s.value FROM mail.settings AS s WHERE s.name = 'mx_hosts'), ' ') AS host
    WHERE host <> ''
    UNION ALL
    SELECT d.name, d.name, 'TXT', 'v=spf1 mx -all', 'SPF: only the hosts of MX send; add others before -all',
           'spf', true
    FROM mail.snapshot_domains AS d
    UNION ALL
    SELECT k.domain, k.selector || '._domainkey.' || k.domain, 'TXT', k.public_record,
           'DKIM key, ' || k.algorithm || CASE k.state WHEN 'retired' THEN ', retired: may go'
                                                       WHEN 'waiting' THEN ', not used yet'
                                                       ELSE '' END,
           'dkim', k.state = 'active'
    FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
    UNION ALL
    SELECT d.name, '_dmarc.' || d.name, 'TXT', 'v=DMARC1; p=quarantine', 'DMARC: start with p=none where unsure',
           'dmarc', true
    FROM mail.snapshot_domains AS d;
COMMENT ON VIEW mail.dns_domain_records IS 'Part of mail.dns_records: what belongs to a domain.';
COMMENT ON COLUMN mail.dns_domain_records.domain IS 'The domain.';
COMMENT ON COLUMN mail.dns_domain_records.name IS 'Name of the record.';
COMMENT ON COLUMN mail.dns_domain_records.type IS 'Type of the record.';
COMMENT ON COLUMN mail.dns_domain_records.value IS 'What it says.';
COMMENT ON COLUMN mail.dns_domain_records.note IS 'What it is for.';
COMMENT ON COLUMN mail.dns_domain_records.kind IS 'mx, spf, dkim or dmarc.';
COMMENT ON COLUMN mail.dns_domain_records.needed IS 'false: may be missing.';

CREATE VIEW mail.dns_host_records AS
    SELECT a.host AS domain, a.host AS name, CASE family(a.address) WHEN 4 THEN 'A' ELSE 'AAAA' END AS type,
           host(a.address) AS value, 'address of the mail host' AS note, 'address' AS kind, true AS needed
    FROM mail.mx_addresses() AS a WHERE a.host <> ''
    UNION ALL
    SELECT a.host, mail.reverse_name(a.address), 'PTR', a.host || '.',
           'name of the address; set it at your provider', 'ptr', true
    FROM mail.mx_addresses() AS a WHERE a.host <> '';
COMMENT ON VIEW mail.dns_host_records IS 'Part of mail.dns_records: what belongs to a mail host.';
COMMENT ON COLUMN mail.dns_host_records.domain IS 'The host.';
COMMENT ON COLUMN mail.dns_host_records.name IS 'Name of the record.';
COMMENT ON COLUMN mail.dns_host_records.type IS 'Type of the record.';
COMMENT ON COLUMN mail.dns_host_records.value IS 'What it says.';
COMMENT ON COLUMN mail.dns_host_records.note IS 'What it is for.';
COMMENT ON COLUMN mail.dns_host_records.kind IS 'address or ptr.';
COMMENT ON COLUMN mail.dns_host_records.needed IS 'false: may be missing.';

CREATE OR REPLACE VIEW mail.dns_records AS
    SELECT r.domain::text AS domain, r.name::text AS name, r.type::text AS type, r.value::text AS value,
           r.note::text AS note, r.kind, r.needed
    FROM (SELECT * FROM mail.dns_domain_records UNION ALL SELECT * FROM mail.dns_host_records) AS r;
COMMENT ON VIEW mail.dns_records IS
    'What DNS should say about our domains and mail hosts; postwardctl dns check compares.';
COMMENT ON COLUMN mail.dns_records.domain IS 'The domain; of records of a mail host its name.';
COMMENT ON COLUMN mail.dns_records.kind IS 'What it is: mx, spf, dkim, dmarc, address, ptr; says how it is compared.';
COMMENT ON COLUMN mail.dns_records.needed IS 'false: may be missing (a key not used yet, or no more).';

-- What was seen ----------------------------------------------------------------------------

CREATE TABLE mail.dns_seen (
    domain      text NOT NULL,
    name        text NOT NULL,
    type        text NOT NULL,
    value       text NOT NULL,
    state       text NOT NULL CHECK (state IN ('ok', 'missing', 'differs', 'unknown')),
    seen        text NOT NULL DEFAULT '',
    problem     text NOT NULL DEFAULT '',
    checked_at  timestamptz,
    failed_at   timestamptz,
    PRIMARY KEY (name, type, value)
);
COMMENT ON TABLE mail.dns_seen IS 'What postwardctl dns check --record found, one row a record of mail.dns_records.';
COMMENT ON COLUMN mail.dns_seen.domain IS 'The domain; of records of a mail host its name.';
COMMENT ON COLUMN mail.dns_seen.name IS 'Name of the record.';
COMMENT ON COLUMN mail.dns_seen.type IS 'Type of the record.';
COMMENT ON COLUMN mail.dns_seen.value IS 'What it should say.';
COMMENT ON COLUMN mail.dns_seen.state IS
    'ok, missing or differs: the last answer of DNS; unknown: there was none yet.';
COMMENT ON COLUMN mail.dns_seen.seen IS 'What DNS said then.';
COMMENT ON COLUMN mail.dns_seen.problem IS 'What is wrong with it; empty = nothing.';
COMMENT ON COLUMN mail.dns_seen.checked_at IS 'When DNS last answered.';
COMMENT ON COLUMN mail.dns_seen.failed_at IS 'When DNS was last asked and did not answer, if that was later.';
GRANT SELECT, DELETE ON mail.dns_seen TO postward_admin;

-- No answer is no news: what was seen before stays.
CREATE FUNCTION mail.record_dns(answers jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    recorded bigint;
BEGIN
    DELETE FROM dns_seen AS s
    WHERE NOT EXISTS (SELECT FROM dns_records AS r
                      WHERE r.name = s.name AND r.type = s.type AND r.value = s.value);
    INSERT INTO dns_seen AS s (domain, name, type, value, state, seen, problem, checked_at, failed_at)
    SELECT r.domain, r.name, r.type, r.value, a.state, coalesce(a.seen, ''), coalesce(a.problem, ''),
           CASE WHEN a.state <> 'unknown' THEN now() END, CASE WHEN a.state = 'unknown' THEN now() END
    FROM jsonb_to_recordset(answers) AS a (name text, type text, value text, state text, seen text, problem text)
    JOIN (SELECT DISTINCT ON (name, type, value) * FROM dns_records) AS r
         ON r.name = a.name AND r.type = a.type AND r.value = a.value
    ON CONFLICT (name, type, value) DO UPDATE SET
        domain = excluded.domain,
        state = CASE WHEN excluded.state = 'unknown' THEN s.state ELSE excluded.state END,
        seen = CASE WHEN excluded.state = 'unknown' THEN s.seen ELSE excluded.seen END,
        problem = CASE WHEN excluded.state = 'unknown' THEN s.problem ELSE excluded.problem END,
        checked_at = coalesce(excluded.checked_at, s.checked_at),
        failed_at = excluded.failed_at;
    GET DIAGNOSTICS recorded = ROW_COUNT;
    RETURN recorded;
END $$;
COMMENT ON FUNCTION mail.record_dns(jsonb) IS
    'For postwardctl dns check --record: [{"name", "type", "value", "state", "seen", "problem"}, ...]; '
    'answers how many were recorded.';
GRANT EXECUTE ON FUNCTION mail.record_dns(jsonb) TO postward_admin;

CREATE FUNCTION mail.check_dns(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT CASE WHEN r.kind = 'dmarc' THEN 'warning' ELSE 'error' END,
           format('DNS, %s %s: %s', s.name, s.type, s.problem),
           format('postwardctl dns check %s --record', s.domain)
    FROM mail.dns_seen AS s
    JOIN mail.dns_records AS r ON r.name = s.name AND r.type = s.type AND r.value = s.value
    WHERE s.state IN ('missing', 'differs') AND s.problem <> ''
    UNION ALL
    SELECT 'warning', 'nobody said which hosts take mail for our domains',
           'UPDATE mail.settings SET value = ''mx.example.org'' WHERE name = ''mx_hosts'';'
    WHERE mail.setting('mx_hosts') IS NULL AND EXISTS (SELECT FROM mail.snapshot_domains)
$$;
COMMENT ON FUNCTION mail.check_dns() IS 'Part of mail.check(): what DNS was seen to say otherwise than it should.';

CREATE OR REPLACE FUNCTION mail.check(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT * FROM mail.check_mail()
    UNION ALL SELECT * FROM mail.check_logins()
    UNION ALL SELECT * FROM mail.check_quotas()
    UNION ALL SELECT * FROM mail.check_dns()
    ORDER BY 1, 2
$$;
