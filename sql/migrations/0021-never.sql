-- expires_at = 'infinity' is never, as NULL is: no number stands for it, and asking for one
-- would keep postward-policyd from reading anybody's account.

SET LOCAL ROLE postward_owner;

CREATE OR REPLACE VIEW mail.snapshot_logins AS
    SELECT a.email AS login, a.refusal IS NULL AND a.may_smtp AS may_send,
           coalesce(a.refusal, CASE WHEN NOT a.may_smtp THEN 'protocol' END) AS refusal,
           CASE WHEN isfinite(a.expires_at) THEN (extract(epoch FROM a.expires_at) * 1000)::bigint END AS expires_ms
    FROM mail.accounts AS a;
