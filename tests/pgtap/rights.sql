-- Who may what: by function, by table and view, by column. What is not listed is refused.
BEGIN;
SELECT plan(29);

CREATE TEMP TABLE daemons (role text);
INSERT INTO daemons VALUES ('postward_score'), ('postward_dkim'), ('postward_policy'),
    ('postward_dovecot'), ('postward_postfix');

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p,
                         aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                  WHERE p.pronamespace = 'mail'::regnamespace AND a.grantee = 0$$,
                'no function is everybody''s');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class AS c, aclexplode(c.relacl) AS a
                  WHERE c.relnamespace = 'mail'::regnamespace AND a.grantee = 0$$,
                'no table or view is everybody''s');
SET LOCAL ROLE postward_owner;
CREATE FUNCTION mail.new_one() RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET ROLE;
SELECT ok(NOT has_function_privilege('postward_admin', 'mail.new_one()', 'EXECUTE'),
          'a new function is nobody''s by default');
DROP FUNCTION mail.new_one();
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p
                  WHERE p.pronamespace = 'mail'::regnamespace AND p.prosecdef
                    AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=pg_catalog,%')$$,
                'who runs with the owner''s rights sets search_path');

-- role by function; the names of 0002 are harmless and everybody's who uses the schema
SELECT set_eq($$SELECT d.role || ' ' || p.proname FROM daemons AS d, pg_proc AS p
                WHERE p.pronamespace = 'mail'::regnamespace
                  AND has_function_privilege(d.role, p.oid, 'EXECUTE')
                  AND p.proname !~ '^(normal_|must_be_(domain|address|pattern)$|domain_of$|base_address$)'$$,
$$VALUES
    ('postward_dkim dkim_refuse'), ('postward_dkim dkim_store_key'), ('postward_dkim dkim_take_requests'),
    ('postward_dkim dkim_take'), ('postward_dkim dkim_step'), ('postward_dkim dkim_to_seal'), ('postward_dkim dkim_seal'),
    ('postward_dkim dkim_sealed_with'), ('postward_dkim record_dns'), ('postward_dkim fill_mx_addresses'),
    ('postward_dkim setting'), ('postward_dkim mx_addresses'), ('postward_dkim reverse_name'), ('postward_dkim txt_strings'),
    ('postward_dkim mta_sts_text'),
    ('postward_dkim generation'), ('postward_dkim record_events'), ('postward_dkim senders'), ('postward_dkim sender_owners'),
    ('postward_dovecot dovecot_changes'), ('postward_dovecot dovecot_masterdb'),
    ('postward_dovecot dovecot_passdb'), ('postward_dovecot dovecot_passdb_many'),
    ('postward_dovecot dovecot_userdb_many'), ('postward_dovecot dovecot_rehash'),
    ('postward_dovecot dovecot_settings'), ('postward_dovecot dovecot_userdb'),
    ('postward_dovecot dovecot_users'), ('postward_dovecot generation'),
    ('postward_policy generation'), ('postward_policy auth_exchange'), ('postward_policy auth_homes'), ('postward_policy record_logins'), ('postward_policy rate_load'), ('postward_policy record_events'),
    ('postward_policy record_rate'), ('postward_policy record_usage'),
    ('postward_policy record_sending_blocks'), ('postward_policy senders'), ('postward_policy sender_owners'),
    ('postward_policy record_greylist'), ('postward_policy greylist_load'), ('postward_policy record_send_habits'),
    ('postward_policy send_habits_load'), ('postward_policy record_stolen'),
    ('postward_dkim forwards'), ('postward_dkim record_dkim_alarms'),
    ('postward_score record_greylist'), ('postward_score greylist_load'),
    ('postward_policy node_seen'), ('postward_policy node_gone'), ('postward_policy rate_lease'),
    ('postward_policy rate_settle'), ('postward_policy rate_settle_free'), ('postward_policy record_over'),
    ('postward_postfix generation'), ('postward_postfix postfix_alias'),
    ('postward_postfix postfix_domain'), ('postward_postfix postfix_mailbox'),
    ('postward_postfix postfix_senders'),
    ('postward_score generation'), ('postward_score offer_symbols'),
    ('postward_score reputation_recall'), ('postward_score record_reputation'),
    ('postward_score bayes_recall'), ('postward_score record_lessons'), ('postward_score tell_score_rules'),
    ('postward_score tell_dns_lists'),
    ('postward_score record_events'), ('postward_score record_messages')$$,
'programs: functions');

-- role by table and view
SELECT set_eq($$SELECT d.role || ' ' || c.relname || ' ' || v.privilege
                FROM daemons AS d, pg_class AS c,
                     unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS v (privilege)
                WHERE c.relnamespace = 'mail'::regnamespace AND c.relkind IN ('r', 'v')
                  AND (has_table_privilege(d.role, c.oid, v.privilege)
                       OR v.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                          AND has_any_column_privilege(d.role, c.oid, v.privilege))$$,
$$VALUES
    ('postward_dkim dns_records SELECT'), ('postward_dkim snapshot_dkim_keys SELECT'), ('postward_dkim snapshot_domains SELECT'),
    ('postward_dkim snapshot_senders SELECT'), ('postward_dkim snapshot_dkim_rules SELECT'), ('postward_dkim snapshot_dkim_pending SELECT'),
    ('postward_dkim snapshot_forwards SELECT'),
    ('postward_policy snapshot_addresses SELECT'), ('postward_policy snapshot_aliases SELECT'),
    ('postward_policy snapshot_auth_exemptions SELECT'), ('postward_policy snapshot_auth_limits SELECT'), ('postward_policy snapshot_auth_rules SELECT'),
    ('postward_policy snapshot_bans SELECT'), ('postward_policy snapshot_access_lists SELECT'),
    ('postward_policy snapshot_posting_rights SELECT'), ('postward_policy snapshot_access_settings SELECT'),
    ('postward_policy snapshot_domains SELECT'), ('postward_policy snapshot_login_changes SELECT'),
    ('postward_policy snapshot_logins SELECT'), ('postward_policy snapshot_quota_warnings SELECT'),
    ('postward_policy snapshot_quotas SELECT'), ('postward_policy snapshot_rate_limits SELECT'),
    ('postward_policy snapshot_rate_rules SELECT'), ('postward_policy snapshot_rate_exemptions SELECT'),
    ('postward_policy snapshot_rate_resets SELECT'), ('postward_policy snapshot_rate_notices SELECT'),
    ('postward_policy snapshot_sending_blocks SELECT'),
    ('postward_policy snapshot_senders SELECT'), ('postward_policy snapshot_settings SELECT'),
    ('postward_score snapshot_arc_sealers SELECT'), ('postward_score snapshot_dmarc_overrides SELECT'),
    ('postward_score snapshot_actions SELECT'), ('postward_score snapshot_domains SELECT'),
    ('postward_score snapshot_score_rules SELECT'), ('postward_score snapshot_score_maps SELECT'),
    ('postward_score snapshot_score_map_entries SELECT'),
    ('postward_score snapshot_score_composites SELECT'),
    ('postward_score snapshot_dns_lists SELECT'), ('postward_score snapshot_dns_list_answers SELECT'),
    ('postward_score snapshot_groups SELECT'), ('postward_score snapshot_symbols SELECT')$$,
'programs: tables and views');

-- role by column: every column that holds a secret
SELECT set_eq($$SELECT r.rolname || ' ' || a.attrelid::regclass || '.' || a.attname
                FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid, pg_roles AS r
                WHERE c.relnamespace = 'mail'::regnamespace AND c.relkind IN ('r', 'v')
                  AND a.attname IN ('password', 'c_password', 'private_key')
                  AND NOT r.rolsuper AND r.rolname ~ '^(postward_|dovecot$|postfix$)'
                  AND has_column_privilege(r.oid, a.attrelid, a.attname, 'SELECT')$$,
$$VALUES ('postward_owner mail.virtual_users.password'), ('postward_owner mail.dkim_keys.private_key'),
         ('postward_owner mail.app_passwords.password'), ('postward_owner mail.master_users.password'),
         ('postward_owner mail.accounts.password'), ('postward_owner mail.plain_accounts.password'),
         ('postward_owner mail.sogo_user_profile.c_password'),
         ('postward_owner mail.snapshot_dkim_keys.private_key'),
         ('postward_dkim mail.snapshot_dkim_keys.private_key')$$,
'hashes and private keys: nobody but the owner, and postward_dkim its view');

-- and really tried
INSERT INTO mail.virtual_domains (name) VALUES ('d.test');
SELECT mail.add_user('ann@d.test', 'sixteen letters.') IS NOT NULL AS made \gset
CREATE FUNCTION pg_temp.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RESET ROLE;
    RETURN 'ok';
EXCEPTION WHEN insufficient_privilege THEN
    RESET ROLE;
    RETURN 'denied';
END $$;
SELECT is(pg_temp.as_role(role, 'SELECT password FROM mail.virtual_users'), 'denied',
          'the hash is closed to ' || role)
FROM unnest('{postward_admin,postward_policy}'::text[]) AS role;
SELECT is(pg_temp.as_role('dovecot', 'SELECT * FROM mail.dovecot_passdb(''ann@d.test'', ''imap'')'), 'ok',
          'dovecot gets it by its function');
SELECT is(pg_temp.as_role('postfix', 'SELECT mail.postfix_mailbox(''ann@d.test'')'), 'ok', 'postfix asks its map');
SELECT is(pg_temp.as_role('postfix', 'SELECT * FROM mail.dovecot_passdb(''ann@d.test'', ''imap'')'), 'denied',
          'but gets no hash');
SELECT is(pg_temp.as_role('postward_admin', 'INSERT INTO mail.events (kind) VALUES (''forged'')'), 'denied',
          'people do not write events');
SELECT is(pg_temp.as_role('postward_admin', s), 'denied', 'nobody chooses an app password: ' || s)
FROM (VALUES ('INSERT INTO mail.app_passwords (user_id, name, password) SELECT id, ''x'', ''{SSHA512}'' FROM mail.virtual_users'),
             ('UPDATE mail.app_passwords SET password = ''{SSHA512}'''), ('SELECT password FROM mail.app_passwords'),
             ('SELECT password FROM mail.master_users'), ('INSERT INTO mail.rehashes VALUES (''1'')')) AS v (s);
SELECT is(pg_temp.as_role('postward_admin', s), 'denied', 'people do not: ' || s)
FROM (VALUES ('SELECT mail.record_stolen(''[]'')'), ('DELETE FROM mail.learn_requests'), ('UPDATE mail.bayes_tokens SET spam = 9'), ('INSERT INTO mail.greylist (client, sender, recipient, first_at) VALUES (''192.0.2.0/24'', '''', ''x@n.test'', now())')) AS v (s);
SELECT is(pg_temp.as_role('postward_policy', s), 'denied', 'policyd suspends only by what it saw: ' || s)
FROM (VALUES ('UPDATE mail.virtual_users SET suspended = ''x'''), ('UPDATE mail.settings SET value = ''yes'' WHERE name = ''stolen_suspend''')) AS v (s);
SELECT is(pg_temp.as_role('postward_admin', s), 'ok', 'people: ' || s)
FROM (VALUES
    ('INSERT INTO mail.virtual_domains (name) VALUES (''n.test'');'
     'INSERT INTO mail.virtual_users (email, password) VALUES (''x@n.test'', mail.hash_password(''sixteen letters.''));'
     'INSERT INTO mail.virtual_aliases (source, destination) VALUES (''y@n.test'', ''x@n.test'');'
     'INSERT INTO mail.rate_limits (limit_count) VALUES (5);'
     'INSERT INTO mail.dkim_requests (domain) VALUES (''n.test'');'
     'UPDATE mail.virtual_users SET quota_mb = 5; UPDATE mail.score_actions SET threshold = 5;'
     'UPDATE mail.settings SET value = ''20000'' WHERE name = ''password_rounds'';'
     'DELETE FROM mail.virtual_aliases;'
     'UPDATE mail.virtual_users SET suspended = ''x'', allow_nets = ''{192.0.2.7}'', may_pop3 = false, expires_at = now(),'
     '    app_passwords_only = true, proxy_host = ''b'', quota_messages = 5;'
     'SELECT mail.add_app_password(''x@n.test'', ''phone'');'
     'UPDATE mail.app_passwords SET protocols = ''{imap}'', nets = ''{192.0.2.0/24}'', expires_at = now(), name = ''tablet'';'
     'SELECT mail.revoke_app_password(''x@n.test'', ''tablet''); DELETE FROM mail.app_passwords;'
     'INSERT INTO mail.master_users (login, password, pattern)'
     '    VALUES (''m@n.test'', mail.hash_password(''sixteen letters.''), ''@n.test'');'
     'UPDATE mail.auth_limits SET dry_run = true, distinct_passwords = false; INSERT INTO mail.auth_exemptions VALUES (''192.0.2.7'');'
     'SELECT mail.record_dns(''[]''); DELETE FROM mail.dns_seen;'
     'SELECT mail.ban(''198.51.100.9'', ''1 hour''); INSERT INTO mail.bans (net) VALUES (''198.51.100.8'');'
     'INSERT INTO mail.rate_exemptions (client) VALUES (''192.0.2.7''); DELETE FROM mail.rate_exemptions;'
     'INSERT INTO mail.sending_blocks (login, until) VALUES (''x@n.test'', now()); DELETE FROM mail.sending_blocks;'
     'UPDATE mail.rate_notices SET text = ''x''; SELECT mail.rate_reset(''x@n.test''); DELETE FROM mail.rate_state;'
     'UPDATE mail.bans SET until = now(); DELETE FROM mail.bans; SELECT mail.unban(''198.51.100.9'');'
     'INSERT INTO mail.access_lists (kind, pattern, action) VALUES (''network'', ''192.0.2.0/24'', ''deny'');'
     'UPDATE mail.access_lists SET who = ''x@n.test''; DELETE FROM mail.access_lists;'
     'INSERT INTO mail.arc_trusted_sealers VALUES (''Lists.Example.ORG''); DELETE FROM mail.arc_trusted_sealers;'
     'INSERT INTO mail.bayes_settings (domain) VALUES (''n.test''); UPDATE mail.bayes_settings SET learned_min = 5;'
     'DELETE FROM mail.bayes_settings WHERE domain <> ''*''; SELECT mail.bayes_forget('''');'
     'SELECT mail.bayes_learn(''x@n.test'', ''spam'', ''command'', sha256(''x''), ''{1}'', 1, '''');'
     'INSERT INTO mail.posting_rights (alias) VALUES (''y@n.test''); DELETE FROM mail.posting_rights;'
     'DELETE FROM mail.greylist; DELETE FROM mail.send_habits;'
     'INSERT INTO mail.auth_blocks (login, until, why) VALUES (''x@n.test'', now(), ''y''); UPDATE mail.auth_blocks SET until = now();'
     'SELECT mail.block_login(''x@n.test''), mail.block_network(''198.51.100.9''), mail.unblock(''x@n.test'');'
     'DELETE FROM mail.auth_blocks;'
     'UPDATE mail.quota_warnings SET text = ''x''; UPDATE mail.virtual_domains SET quota_mb = 5'),
    ('SELECT * FROM mail.users, mail.events, mail.messages, mail.quota_usage, mail.rate_usage,'
     'mail.dns_records, mail.dns_seen, mail.check(), mail.who_gets(''y@n.test''), mail.why_limited(''x@n.test''),'
     'mail.why_no_login(''x@n.test''), mail.app_password_usage, mail.app_password_uses, mail.logins, mail.last_logins,'
     'mail.bayes_status, mail.bayes_settings, mail.learn_requests, mail.bayes_lessons,'
     'mail.arc_trusted_sealers, mail.access_lists, mail.posting_rights, mail.greylist, mail.send_habits,'
     'mail.auth_limits, mail.auth_blocks, mail.bans, mail.rate_exemptions, mail.sending_blocks, mail.rate_resets, mail.rate_notices,'
     ' mail.domain_usage, mail.quota_warned, mail.quota_warnings, mail.login_changes LIMIT 1')) AS v (s);
SELECT is(pg_temp.as_role('postward_admin', s), 'ok', 'people: ' || s)
FROM (VALUES ('SELECT * FROM mail.dkim_life, mail.dkim_seen, mail.dkim_hosts, mail.dns_records(''d.test''), mail.dkim_rotations')) AS v (s);
SELECT is(pg_temp.as_role('postward_dkim', s), 'ok', 'the timer: ' || s)
FROM (VALUES ('SELECT * FROM mail.dns_records WHERE kind = ''dkim'''), ('SELECT mail.record_dns(''[]''), mail.fill_mx_addresses('''')')) AS v (s);
SELECT * FROM finish();
ROLLBACK;
