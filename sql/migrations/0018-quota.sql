-- Limits of messages, of whole domains, warnings and grace.

SET LOCAL ROLE postward_owner;

ALTER TABLE mail.usage
    ADD warned_percent int NOT NULL DEFAULT 0 CHECK (warned_percent BETWEEN 0 AND 1000);
COMMENT ON COLUMN mail.usage.warned_percent IS
    'The highest warning its owner was sent since it was last below that; 0 = none.';

CREATE TABLE mail.quota_warnings (
    percent     int PRIMARY KEY CHECK (percent BETWEEN 1 AND 100),
    subject     text NOT NULL CHECK (subject ~ '^[^[:cntrl:]]+$' AND octet_length(subject) <= 400),
    text        text NOT NULL CHECK (octet_length(text) BETWEEN 1 AND 10000),
    enabled     boolean NOT NULL DEFAULT true,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.quota_warnings IS
    'What the owner of a mailbox is told when it fills up past a percentage, once each time.';
COMMENT ON COLUMN mail.quota_warnings.percent IS 'From this percentage on.';
COMMENT ON COLUMN mail.quota_warnings.subject IS
    'Subject; %{user}, %{percent}, %{used_mb}, %{quota_mb} are filled in.';
COMMENT ON COLUMN mail.quota_warnings.text IS 'The message; the same are filled in.';
COMMENT ON COLUMN mail.quota_warnings.enabled IS 'false: not sent.';
COMMENT ON COLUMN mail.quota_warnings.changed_at IS 'When the row last changed.';
INSERT INTO mail.quota_warnings (percent, subject, text)
SELECT p, 'Your mailbox is %{percent} % full',
       'Your mailbox %{user} holds %{used_mb} MiB of %{quota_mb} MiB, which is %{percent} %.' || E'\n\n'
       || CASE WHEN p < 95 THEN 'When it is full, mail to you is refused.'
               ELSE 'Soon mail to you is refused.' END
       || ' Please delete what you do not need, and empty the trash.' || E'\n'
FROM unnest('{80,90,95}'::int[]) AS p;
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.quota_warnings
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_changed_at();
SELECT mail.watch('mail.quota_warnings', 'percent');
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.quota_warnings TO postward_admin;

-- "warned" alone leaves the usage as it is, usage alone what was warned.
CREATE OR REPLACE FUNCTION mail.record_usage(usage jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH said AS ( -- the last word on each mailbox
        SELECT u.id, count(*) FILTER (WHERE e ? 'bytes') > 0 AS is_usage,
               (array_agg(greatest(mail.whole(e -> 'bytes'), 0) ORDER BY n DESC)
                    FILTER (WHERE e ? 'bytes'))[1] AS bytes,
               (array_agg(greatest(mail.whole(e -> 'messages'), 0) ORDER BY n DESC)
                    FILTER (WHERE e ? 'bytes'))[1] AS messages,
               (array_agg(least(greatest(mail.whole(e -> 'warned'), 0), 1000)::int ORDER BY n DESC)
                    FILTER (WHERE e ? 'warned'))[1] AS warned
        FROM jsonb_array_elements(usage) WITH ORDINALITY AS a (e, n)
        JOIN mail.virtual_users AS u ON u.email = e ->> 'user'
        GROUP BY u.id
    ), kept AS (
        INSERT INTO mail.usage AS g (user_id, bytes, messages, warned_percent, at)
        SELECT s.id, coalesce(s.bytes, o.bytes, 0), coalesce(s.messages, o.messages, 0),
               coalesce(s.warned, o.warned_percent, 0), CASE WHEN s.is_usage THEN now() ELSE coalesce(o.at, now()) END
        FROM said AS s LEFT JOIN mail.usage AS o ON o.user_id = s.id
        ORDER BY s.id
        ON CONFLICT (user_id) DO UPDATE
            SET bytes = excluded.bytes, messages = excluded.messages,
                warned_percent = excluded.warned_percent, at = excluded.at
        RETURNING 1)
    SELECT count(*) FROM kept
$$;
COMMENT ON FUNCTION mail.record_usage(jsonb) IS
    'For postward-policyd: [{"user", "bytes", "messages", "warned"}, ...], absolute; warned, or bytes and '
    'messages, may be left out; answers how many were known.';

CREATE OR REPLACE VIEW mail.quota_usage AS
    SELECT u.email, u.quota_mb, round(coalesce(g.bytes, 0) / 1048576.0, 1) AS used_mb,
           CASE WHEN u.quota_mb > 0
                THEN round(coalesce(g.bytes, 0) * 100.0 / (u.quota_mb * 1048576.0), 1) END AS percent,
           coalesce(g.messages, 0) AS messages, g.at, u.quota_messages,
           CASE WHEN u.quota_messages > 0
                THEN round(coalesce(g.messages, 0) * 100.0 / u.quota_messages, 1) END AS messages_percent
    FROM mail.virtual_users AS u LEFT JOIN mail.usage AS g ON g.user_id = u.id;
COMMENT ON COLUMN mail.quota_usage.quota_messages IS 'Most messages; 0 = no limit.';
COMMENT ON COLUMN mail.quota_usage.messages_percent IS 'Used of the most messages.';

CREATE VIEW mail.domain_usage AS
    SELECT d.name::text AS domain, d.quota_mb, round(s.bytes / 1048576.0, 1) AS used_mb,
           CASE WHEN d.quota_mb > 0 THEN round(s.bytes * 100 / (d.quota_mb * 1048576.0), 1) END AS percent,
           s.messages, s.mailboxes
    FROM mail.virtual_domains AS d,
         LATERAL (SELECT coalesce(sum(g.bytes), 0) AS bytes, coalesce(sum(g.messages), 0)::bigint AS messages,
                         count(*) AS mailboxes
                  FROM mail.virtual_users AS u LEFT JOIN mail.usage AS g ON g.user_id = u.id
                  WHERE u.domain_id = d.id) AS s;
COMMENT ON VIEW mail.domain_usage IS 'How much the mailboxes of each domain hold together.';
COMMENT ON COLUMN mail.domain_usage.domain IS 'The domain.';
COMMENT ON COLUMN mail.domain_usage.quota_mb IS 'Its limit in MiB; 0 = none.';
COMMENT ON COLUMN mail.domain_usage.used_mb IS 'Used, in MiB.';
COMMENT ON COLUMN mail.domain_usage.percent IS 'Used of the limit.';
COMMENT ON COLUMN mail.domain_usage.messages IS 'Messages.';
COMMENT ON COLUMN mail.domain_usage.mailboxes IS 'Mailboxes.';

CREATE VIEW mail.quota_warned AS
    SELECT q.email::text AS email, q.percent, g.warned_percent, q.at
    FROM mail.quota_usage AS q
    JOIN mail.virtual_users AS u ON u.email = q.email
    JOIN mail.usage AS g ON g.user_id = u.id
    WHERE g.warned_percent > 0;
COMMENT ON VIEW mail.quota_warned IS 'Mailboxes whose owners were warned, the fullest: ORDER BY percent DESC.';
COMMENT ON COLUMN mail.quota_warned.email IS 'The mailbox.';
COMMENT ON COLUMN mail.quota_warned.percent IS 'Used of its limit now.';
COMMENT ON COLUMN mail.quota_warned.warned_percent IS 'The warning that was sent.';
COMMENT ON COLUMN mail.quota_warned.at IS 'When Dovecot last told its usage.';
GRANT SELECT ON mail.domain_usage, mail.quota_warned TO postward_admin;

-- For postward-policyd ---------------------------------------------------------------------

CREATE OR REPLACE VIEW mail.snapshot_quotas AS
    SELECT u.email::text AS address, u.quota_mb * 1048576 AS quota_bytes,
           coalesce(g.bytes, 0) AS used_bytes, u.may_receive, u.quota_messages,
           coalesce(g.messages, 0) AS used_messages, coalesce(g.warned_percent, 0) AS warned_percent,
           d.quota_mb * 1048576 AS domain_quota_bytes
    FROM mail.virtual_users AS u
    JOIN mail.virtual_domains AS d ON d.id = u.domain_id
    LEFT JOIN mail.usage AS g ON g.user_id = u.id
    WHERE d.enabled;
COMMENT ON COLUMN mail.snapshot_quotas.quota_messages IS 'Most messages; 0 = no limit.';
COMMENT ON COLUMN mail.snapshot_quotas.used_messages IS 'Messages in it, as last recorded.';
COMMENT ON COLUMN mail.snapshot_quotas.warned_percent IS 'The warning its owner was sent; 0 = none.';
COMMENT ON COLUMN mail.snapshot_quotas.domain_quota_bytes IS
    'Most bytes of all mailboxes of its domain together; 0 = no limit.';

CREATE VIEW mail.snapshot_quota_warnings AS
    SELECT w.percent, w.subject, w.text FROM mail.quota_warnings AS w WHERE w.enabled;
COMMENT ON VIEW mail.snapshot_quota_warnings IS 'For postward-policyd: what owners are told.';
COMMENT ON COLUMN mail.snapshot_quota_warnings.percent IS 'From this percentage on.';
COMMENT ON COLUMN mail.snapshot_quota_warnings.subject IS 'Subject, to be filled in.';
COMMENT ON COLUMN mail.snapshot_quota_warnings.text IS 'The message, to be filled in.';

CREATE VIEW mail.snapshot_settings AS
    SELECT s.name, s.value FROM mail.settings AS s WHERE s.name IN ('quota_grace_percent');
COMMENT ON VIEW mail.snapshot_settings IS 'For postward-policyd: settings of the SQL side that it follows.';
COMMENT ON COLUMN mail.snapshot_settings.name IS 'Name.';
COMMENT ON COLUMN mail.snapshot_settings.value IS 'Value.';
GRANT SELECT ON mail.snapshot_quota_warnings, mail.snapshot_settings TO postward_policy;
