-- What the programs read. Each role gets its own and nothing else; tables stay closed, so
-- they may change while these stay.

SET LOCAL ROLE postward_owner;

CREATE VIEW mail.snapshot_domains AS
    SELECT d.name::text AS name, NULL::text AS target
    FROM mail.virtual_domains AS d WHERE d.enabled
    UNION ALL
    SELECT a.name, a.target
    FROM mail.alias_domains AS a JOIN mail.virtual_domains AS d ON d.name = a.target
    WHERE a.enabled AND d.enabled;
COMMENT ON VIEW mail.snapshot_domains IS 'For programs: domains we take mail for.';
COMMENT ON COLUMN mail.snapshot_domains.name IS 'The domain.';
COMMENT ON COLUMN mail.snapshot_domains.target IS 'NULL: has mailboxes; else the domain it stands for.';

CREATE VIEW mail.snapshot_aliases AS
    SELECT a.source::text AS source, a.destination::text AS destination
    FROM mail.virtual_aliases AS a JOIN mail.virtual_domains AS d ON d.id = a.domain_id
    WHERE a.enabled AND d.enabled;
COMMENT ON VIEW mail.snapshot_aliases IS 'For programs: aliases, one row a destination.';
COMMENT ON COLUMN mail.snapshot_aliases.source IS 'Address, or @domain for a catch-all.';
COMMENT ON COLUMN mail.snapshot_aliases.destination IS 'Where to.';

CREATE VIEW mail.snapshot_addresses AS
    SELECT u.email::text AS address, 'mailbox' AS kind
    FROM mail.virtual_users AS u JOIN mail.virtual_domains AS d ON d.id = u.domain_id
    WHERE d.enabled
    UNION ALL
    SELECT DISTINCT a.source, CASE WHEN a.source LIKE '@%' THEN 'catchall' ELSE 'alias' END
    FROM mail.snapshot_aliases AS a;
COMMENT ON VIEW mail.snapshot_addresses IS
    'For programs: every address there is; one that is alias and mailbox has two rows.';
COMMENT ON COLUMN mail.snapshot_addresses.address IS 'Address, or @domain for a catch-all.';
COMMENT ON COLUMN mail.snapshot_addresses.kind IS 'mailbox, alias or catchall.';

CREATE VIEW mail.snapshot_quotas AS
    SELECT u.email::text AS address, u.quota_mb * 1048576 AS quota_bytes,
           coalesce(g.bytes, 0) AS used_bytes, u.may_receive
    FROM mail.virtual_users AS u
    JOIN mail.virtual_domains AS d ON d.id = u.domain_id
    LEFT JOIN mail.usage AS g ON g.user_id = u.id
    WHERE d.enabled;
COMMENT ON VIEW mail.snapshot_quotas IS 'For programs: limits of mailboxes.';
COMMENT ON COLUMN mail.snapshot_quotas.address IS 'The mailbox.';
COMMENT ON COLUMN mail.snapshot_quotas.quota_bytes IS 'Most bytes; 0 = no limit.';
COMMENT ON COLUMN mail.snapshot_quotas.used_bytes IS 'Bytes used, as last recorded.';
COMMENT ON COLUMN mail.snapshot_quotas.may_receive IS 'false: mail to it is refused.';

CREATE VIEW mail.snapshot_senders AS
    SELECT s.login, s.pattern FROM mail.senders() AS s;
COMMENT ON VIEW mail.snapshot_senders IS 'For programs: who may send as what.';
COMMENT ON COLUMN mail.snapshot_senders.login IS 'The mailbox that logs in.';
COMMENT ON COLUMN mail.snapshot_senders.pattern IS 'Address, or @domain.';

CREATE VIEW mail.snapshot_rate_limits AS
    SELECT l.id, l.key, l.who, l.unit, l.limit_count,
           greatest(extract(epoch FROM l.period), 1)::bigint AS period_s,
           coalesce(l.burst, l.limit_count) AS burst, l.action, l.text, l.dry_run
    FROM mail.rate_limits AS l WHERE l.enabled;
COMMENT ON VIEW mail.snapshot_rate_limits IS 'For programs: limits of sending.';
COMMENT ON COLUMN mail.snapshot_rate_limits.id IS 'The row of rate_limits.';
COMMENT ON COLUMN mail.snapshot_rate_limits.key IS 'What is counted by.';
COMMENT ON COLUMN mail.snapshot_rate_limits.who IS 'A login, @domain or *; the best match counts.';
COMMENT ON COLUMN mail.snapshot_rate_limits.unit IS 'What is counted.';
COMMENT ON COLUMN mail.snapshot_rate_limits.limit_count IS 'So many in a period; 0 = no limit.';
COMMENT ON COLUMN mail.snapshot_rate_limits.period_s IS 'The period in seconds.';
COMMENT ON COLUMN mail.snapshot_rate_limits.burst IS 'So many at once.';
COMMENT ON COLUMN mail.snapshot_rate_limits.action IS 'defer or reject.';
COMMENT ON COLUMN mail.snapshot_rate_limits.text IS 'Said to the sender; empty = the program''s own words.';
COMMENT ON COLUMN mail.snapshot_rate_limits.dry_run IS 'Only logged.';

CREATE VIEW mail.snapshot_dkim_keys AS
    SELECT k.domain::text AS domain, k.selector::text AS selector, k.algorithm, k.private_key, k.state
    FROM mail.dkim_keys AS k
    WHERE k.state = 'active' AND k.domain IN (SELECT name FROM mail.snapshot_domains);
COMMENT ON VIEW mail.snapshot_dkim_keys IS 'For postward-dkim alone: keys that sign.';
COMMENT ON COLUMN mail.snapshot_dkim_keys.domain IS 'The domain that signs.';
COMMENT ON COLUMN mail.snapshot_dkim_keys.selector IS 'Name of the key in DNS.';
COMMENT ON COLUMN mail.snapshot_dkim_keys.algorithm IS 'rsa-sha256 or ed25519-sha256.';
COMMENT ON COLUMN mail.snapshot_dkim_keys.private_key IS 'PEM.';
COMMENT ON COLUMN mail.snapshot_dkim_keys.state IS 'active.';

CREATE VIEW mail.snapshot_symbols AS
    SELECT s.name, s.grp, coalesce(s.weight, s.built_in) AS weight, s.enabled, s.dry_run
    FROM mail.score_symbols AS s;
COMMENT ON VIEW mail.snapshot_symbols IS 'For postward-score: weights.';
COMMENT ON COLUMN mail.snapshot_symbols.name IS 'The symbol.';
COMMENT ON COLUMN mail.snapshot_symbols.grp IS 'Its group.';
COMMENT ON COLUMN mail.snapshot_symbols.weight IS 'Points.';
COMMENT ON COLUMN mail.snapshot_symbols.enabled IS 'Looked at.';
COMMENT ON COLUMN mail.snapshot_symbols.dry_run IS 'Shown, adds no points.';

CREATE VIEW mail.snapshot_groups AS
    SELECT g.grp, coalesce(g.max_score, g.built_in) AS max_score FROM mail.score_groups AS g;
COMMENT ON VIEW mail.snapshot_groups IS 'For postward-score: most points of a group.';
COMMENT ON COLUMN mail.snapshot_groups.grp IS 'The group.';
COMMENT ON COLUMN mail.snapshot_groups.max_score IS 'Most points it may add.';

-- The program has thresholds built in, so what is off is said, with one nothing reaches.
CREATE VIEW mail.snapshot_actions AS
    SELECT a.action, CASE WHEN a.enabled THEN a.threshold ELSE 1000 END AS threshold, a.dry_run
    FROM mail.score_actions AS a
    WHERE a.enabled OR a.action <> 'greylist';
COMMENT ON VIEW mail.snapshot_actions IS 'For postward-score: thresholds.';
COMMENT ON COLUMN mail.snapshot_actions.action IS 'What to do.';
COMMENT ON COLUMN mail.snapshot_actions.threshold IS 'From this score on; 1000 = never.';
COMMENT ON COLUMN mail.snapshot_actions.dry_run IS 'Logged, not done.';

GRANT SELECT ON mail.snapshot_domains TO postward_policy, postward_dkim, postward_score;
GRANT SELECT ON mail.snapshot_senders TO postward_policy, postward_dkim;
GRANT EXECUTE ON FUNCTION mail.senders() TO postward_policy, postward_dkim;
GRANT SELECT ON mail.snapshot_addresses, mail.snapshot_aliases, mail.snapshot_quotas,
    mail.snapshot_rate_limits TO postward_policy;
GRANT SELECT ON mail.snapshot_dkim_keys TO postward_dkim;
GRANT SELECT ON mail.snapshot_symbols, mail.snapshot_groups, mail.snapshot_actions TO postward_score;

-- Dovecot ----------------------------------------------------------------------------------
-- No row is a definite answer: there is no such login.

-- What is asked at every login and recipient is PL/pgSQL: it keeps its plans for the session,
-- where SQL functions that run with their owner's rights are planned again at every call.
CREATE FUNCTION mail.mailbox_of(login text) RETURNS text
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    wanted text := mail.normal_address(login);
    domain constant text := mail.domain_of(wanted);
    stands_for text;
BEGIN
    SELECT a.target INTO stands_for FROM mail.alias_domains AS a WHERE a.name = domain AND a.enabled;
    IF FOUND THEN
        wanted := left(wanted, -length(domain)) || stands_for;
    END IF;
    RETURN (SELECT u.email FROM mail.virtual_users AS u WHERE u.email = wanted);
END $$;
COMMENT ON FUNCTION mail.mailbox_of(text) IS
    'The mailbox a login name means: its address, also written in an alias domain.';

CREATE FUNCTION mail.dovecot_passdb(login text, service text, OUT "user" text, OUT password text,
                                    OUT nologin boolean) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    mailbox constant text := mail.mailbox_of(login);
BEGIN
    RETURN QUERY
        SELECT u.email::text, u.password::text, NOT (u.enabled AND d.enabled)
        FROM mail.virtual_users AS u JOIN mail.virtual_domains AS d ON d.id = u.domain_id
        WHERE u.email = mailbox AND u.password IS NOT NULL;
END $$;
COMMENT ON FUNCTION mail.dovecot_passdb(text, text) IS
    'For Dovecot: hash of a login; nologin = right password or not, may not log in. No row: no such login.';

CREATE FUNCTION mail.dovecot_userdb(login text, OUT "user" text, OUT home text, OUT mail text,
                                    OUT uid text, OUT gid text, OUT quota_bytes bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    SELECT u.email, u.quota_mb * 1048576 INTO "user", quota_bytes
    FROM mail.virtual_users AS u WHERE u.email = mail.mailbox_of(login);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    home := replace(replace(mail.setting('mail_home'), '%d', mail.domain_of("user")),
                    '%n', left("user", -length(mail.domain_of("user")) - 1));
    mail := mail.setting('mail_location');
    uid := mail.setting('mail_uid');
    gid := mail.setting('mail_gid');
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION mail.dovecot_userdb(text) IS
    'For Dovecot: a mailbox, disabled ones too; NULL = Dovecot''s own setting. No row: no such mailbox.';

CREATE FUNCTION mail.dovecot_users(after text, n int) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT u.email FROM mail.virtual_users AS u
    WHERE u.email > coalesce(after, '')
    ORDER BY u.email LIMIT least(greatest(n, 0), 10000)
$$;
COMMENT ON FUNCTION mail.dovecot_users(text, int) IS
    'For Dovecot: the next n mailboxes after a name, to walk through all of them.';

GRANT EXECUTE ON FUNCTION mail.dovecot_passdb(text, text), mail.dovecot_userdb(text),
    mail.dovecot_users(text, int) TO postward_dovecot;

-- Postfix's pgsql maps ---------------------------------------------------------------------
-- Postfix asks for ann+x@d, then ann@d, then @d. All is answered at the first question; were
-- "@d" answered, a catch-all would swallow every mailbox.

CREATE FUNCTION mail.postfix_domain(d text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT s.name FROM mail.snapshot_domains AS s WHERE s.name = mail.normal_domain(d);
END $$;
COMMENT ON FUNCTION mail.postfix_domain(text) IS 'For Postfix, virtual_mailbox_domains: the domain if it is ours.';

CREATE FUNCTION mail.postfix_mailbox(addr text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT s.destination FROM mail.resolve_step(mail.normal_address(addr)) AS s
        WHERE s.kind = 'mailbox';
END $$;
COMMENT ON FUNCTION mail.postfix_mailbox(text) IS 'For Postfix, virtual_mailbox_maps: the mailbox of an address.';

CREATE FUNCTION mail.postfix_alias(addr text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT e FROM (SELECT mail.normal_address(addr)) AS a (name), mail.resolve_ends(a.name) AS e
        WHERE EXISTS (SELECT FROM mail.resolve_step(a.name) AS s WHERE s.kind = 'onward');
END $$;
COMMENT ON FUNCTION mail.postfix_alias(text) IS
    'For Postfix, virtual_alias_maps: where an address leads, to the end; nothing for a plain mailbox.';

CREATE FUNCTION mail.postfix_senders(addr text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT mail.senders_of(mail.normal_address(addr));
END $$;
COMMENT ON FUNCTION mail.postfix_senders(text) IS
    'For Postfix, smtpd_sender_login_maps: logins that may send as an address.';

GRANT EXECUTE ON FUNCTION mail.postfix_domain(text), mail.postfix_mailbox(text),
    mail.postfix_alias(text), mail.postfix_senders(text) TO postward_postfix, postward_admin;
