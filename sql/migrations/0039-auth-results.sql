-- What a report about DMARC needs to know of each message (RFC 7489 7.2), and domains whose
-- policy the admin does not follow.

SET LOCAL ROLE postward_owner;

ALTER TABLE mail.messages ADD COLUMN auth jsonb CHECK (jsonb_typeof(auth) = 'object');
COMMENT ON COLUMN mail.messages.auth IS
    'How it was authenticated, for reports: {"from", "policy" (as published), "evaluated" (disposition, spf, dkim, '
    'reason), "spf": [{"domain", "scope", "result"}], "dkim": [{"domain", "selector", "result", ...}], "arc"}. '
    'NULL: nothing was looked at, or an earlier program wrote the row.';

CREATE OR REPLACE FUNCTION mail.record_messages(messages jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH said AS (
        SELECT e, n, coalesce(e ->> 'host', '') AS host, e ->> 'queue_id' AS queue_id,
               CASE WHEN jsonb_typeof(e -> 'at') = 'number'
                    THEN to_timestamp((e ->> 'at')::float8)
                    ELSE coalesce((e ->> 'at')::timestamptz, now()) END AS at
        FROM jsonb_array_elements(messages) WITH ORDINALITY AS a (e, n)
        WHERE coalesce(e ->> 'queue_id', '') <> ''
    ), last AS ( -- the last word on each
        SELECT DISTINCT ON (host, queue_id, (at AT TIME ZONE 'UTC')::date) *
        FROM said ORDER BY host, queue_id, (at AT TIME ZONE 'UTC')::date, n DESC
    ), kept AS (
        INSERT INTO mail.messages AS m (host, queue_id, at, client_address, client_name, helo, sender,
            login, recipients, message_id, header_from, subject, size, spf, dkim, dmarc, arc, score,
            action, symbols, auth)
        SELECT host, queue_id, at, mail.inet_or_null(e ->> 'client_address'), e ->> 'client_name',
            e ->> 'helo', e ->> 'sender', nullif(e ->> 'login', ''),
            CASE WHEN jsonb_typeof(e -> 'recipients') = 'array'
                 THEN ARRAY(SELECT jsonb_array_elements_text(e -> 'recipients')) ELSE '{}' END,
            e ->> 'message_id', e ->> 'from', e ->> 'subject', mail.whole(e -> 'size', NULL),
            e ->> 'spf', e ->> 'dkim', e ->> 'dmarc', e ->> 'arc',
            CASE WHEN jsonb_typeof(e -> 'score') = 'number' THEN (e ->> 'score')::numeric END,
            e ->> 'action',
            CASE WHEN jsonb_typeof(e -> 'symbols') = 'array' THEN e -> 'symbols' ELSE '[]' END,
            CASE WHEN jsonb_typeof(e -> 'auth') = 'object' THEN e -> 'auth' END
        FROM last ORDER BY n
        ON CONFLICT (queue_id, host, day) DO UPDATE SET
            at = excluded.at, client_address = excluded.client_address,
            client_name = excluded.client_name, helo = excluded.helo, sender = excluded.sender,
            login = excluded.login, recipients = excluded.recipients,
            message_id = excluded.message_id, header_from = excluded.header_from,
            subject = excluded.subject, size = excluded.size, spf = excluded.spf,
            dkim = excluded.dkim, dmarc = excluded.dmarc, arc = excluded.arc,
            score = excluded.score, action = excluded.action, symbols = excluded.symbols,
            auth = excluded.auth
        RETURNING 1)
    SELECT count(*) FROM kept
$$;

CREATE VIEW mail.dmarc_results AS
    SELECT m.at, m.client_address AS source_ip, m.auth ->> 'from' AS header_from, m.sender AS envelope_from,
           m.auth #>> '{policy,domain}' AS policy_domain, m.auth -> 'policy' AS policy_published,
           m.dmarc AS result, m.auth #>> '{evaluated,disposition}' AS disposition,
           m.auth #>> '{evaluated,spf}' AS spf, m.auth #>> '{evaluated,dkim}' AS dkim,
           m.auth #>> '{evaluated,reason}' AS reason, m.auth -> 'spf' AS spf_results, m.auth -> 'dkim' AS dkim_results,
           m.host, m.queue_id
    FROM mail.messages AS m
    WHERE m.auth ? 'policy';
COMMENT ON VIEW mail.dmarc_results IS
    'Messages whose From has a DMARC record, as the rows of an aggregate report (RFC 7489 7.2) are made from: '
    'group by policy_domain and what else shall be one row.';
COMMENT ON COLUMN mail.dmarc_results.at IS 'When.';
COMMENT ON COLUMN mail.dmarc_results.source_ip IS 'The client.';
COMMENT ON COLUMN mail.dmarc_results.header_from IS 'Domain of header From.';
COMMENT ON COLUMN mail.dmarc_results.envelope_from IS 'Envelope sender; empty = bounce.';
COMMENT ON COLUMN mail.dmarc_results.policy_domain IS 'Where the record stands: who gets the report.';
COMMENT ON COLUMN mail.dmarc_results.policy_published IS 'The record: p, sp, np, adkim, aspf, pct, fo, rua.';
COMMENT ON COLUMN mail.dmarc_results.result IS 'pass, fail or temperror.';
COMMENT ON COLUMN mail.dmarc_results.disposition IS 'What was done because of it: none, quarantine, reject.';
COMMENT ON COLUMN mail.dmarc_results.spf IS 'pass or fail, aligned.';
COMMENT ON COLUMN mail.dmarc_results.dkim IS 'pass or fail, aligned.';
COMMENT ON COLUMN mail.dmarc_results.reason IS
    'Why less was done than asked: sampled_out, policy_test_mode, trusted_forwarder, local_policy; NULL = it was not.';
COMMENT ON COLUMN mail.dmarc_results.spf_results IS 'Each SPF result: domain, scope (mfrom, helo), result.';
COMMENT ON COLUMN mail.dmarc_results.dkim_results IS 'Each signature: domain, selector, result, human_result.';
COMMENT ON COLUMN mail.dmarc_results.host IS 'The mail host.';
COMMENT ON COLUMN mail.dmarc_results.queue_id IS 'Postfix''s queue id there.';
GRANT SELECT ON mail.dmarc_results TO postward_admin;

-- Local policy (RFC 7489 6.7) ------------------------------------------------------------------

CREATE TABLE mail.dmarc_overrides (
    domain       text PRIMARY KEY
                 CHECK (ltrim(domain, '.') IS NOT DISTINCT FROM mail.normal_domain(ltrim(domain, '.'))
                        AND domain !~ '^\.\.'),
    disposition  text NOT NULL DEFAULT 'none' CHECK (disposition IN ('none', 'quarantine', 'reject')),
    enabled      boolean NOT NULL DEFAULT true,
    note         text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.dmarc_overrides IS
    'Author domains whose DMARC policy is not followed: mail of theirs that fails DMARC is treated as said here. '
    'Reports tell it as local_policy.';
COMMENT ON COLUMN mail.dmarc_overrides.domain IS
    'Domain of header From: example.org, exactly; .example.org for all domains below it.';
COMMENT ON COLUMN mail.dmarc_overrides.disposition IS 'none, quarantine or reject: what is done where DMARC fails.';
COMMENT ON COLUMN mail.dmarc_overrides.enabled IS 'false: as if the row were not there.';
COMMENT ON COLUMN mail.dmarc_overrides.note IS 'For people.';
COMMENT ON COLUMN mail.dmarc_overrides.created_at IS 'When the row was added.';

CREATE FUNCTION mail.tidy_dmarc_override() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    bare text := mail.normal_domain(regexp_replace(NEW.domain, '^\.', ''));
BEGIN
    IF bare IS NULL THEN
        RAISE EXCEPTION '"%" is no domain', left(NEW.domain, 300)
            USING ERRCODE = 'check_violation', HINT = 'Write example.org, or .example.org for all below it.';
    END IF;
    NEW.domain := CASE WHEN NEW.domain LIKE '.%' THEN '.' ELSE '' END || bare;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_dmarc_override() IS 'Trigger: normal form of the domain.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.dmarc_overrides
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_dmarc_override();
SELECT mail.watch('mail.dmarc_overrides', 'domain');
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.dmarc_overrides TO postward_admin;

CREATE VIEW mail.snapshot_dmarc_overrides AS
    SELECT o.domain, o.disposition FROM mail.dmarc_overrides AS o WHERE o.enabled;
COMMENT ON VIEW mail.snapshot_dmarc_overrides IS 'For postward-score: whose DMARC policy is not followed.';
COMMENT ON COLUMN mail.snapshot_dmarc_overrides.domain IS 'Author domain, or .domain for those below it.';
COMMENT ON COLUMN mail.snapshot_dmarc_overrides.disposition IS 'What is done instead.';
GRANT SELECT ON mail.snapshot_dmarc_overrides TO postward_score;
