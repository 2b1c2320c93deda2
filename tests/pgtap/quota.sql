-- Limits of messages and of domains, warnings, grace; limits of wrong passwords.
BEGIN;
SELECT plan(34);
INSERT INTO mail.virtual_domains (name, quota_mb) VALUES ('d.test', 3), ('e.test', 0);
INSERT INTO mail.virtual_users (email, quota_mb, quota_messages) VALUES ('ann@d.test', 2, 10), ('bob@d.test', 2, 0), ('eve@e.test', 0, 0);
CREATE TEMP TABLE g AS SELECT mail.generation() AS before;

SELECT is(mail.record_usage('[{"user":"ann@d.test","bytes":1,"messages":1,"warned":80},{"user":"ann@d.test","bytes":1992294,"messages":4},
                              {"user":"bob@d.test","bytes":1048576,"messages":2}]'), 2::bigint, 'usage, with a warning');
SELECT results_eq($$SELECT address, quota_bytes, used_bytes, quota_messages, used_messages, warned_percent, domain_quota_bytes
                    FROM mail.snapshot_quotas ORDER BY 1$$,
                  $$VALUES ('ann@d.test', 2097152::bigint, 1992294::bigint, 10::bigint, 4::bigint, 80, 3145728::bigint),
                           ('bob@d.test', 2097152, 1048576, 0, 2, 0, 3145728), ('eve@e.test', 0, 0, 0, 0, 0, 0)$$, 'snapshot_quotas');
SELECT is(mail.record_usage('[{"user":"ann@d.test","bytes":2000000,"messages":5}]'), 1::bigint, 'usage alone');
SELECT is((SELECT warned_percent FROM mail.quota_warned WHERE email = 'ann@d.test'), 80, 'keeps what was warned');
CREATE TEMP TABLE said AS SELECT at FROM mail.usage;
SELECT is(mail.record_usage('[{"user":"ann@d.test","warned":95},{"user":"eve@e.test","warned":2000}]'), 2::bigint, 'a warning alone');
SELECT results_eq($$SELECT bytes, messages, warned_percent FROM mail.usage ORDER BY user_id$$,
                  $$VALUES (2000000::bigint, 5::bigint, 95), (1048576, 2, 0), (0, 0, 1000)$$, 'keeps the usage');
SELECT is(mail.record_usage('[{"user":"eve@e.test","warned":0}]'), 1::bigint, 'armed again');
SELECT results_eq($$SELECT email, percent, warned_percent FROM mail.quota_warned$$, $$VALUES ('ann@d.test', 95.4, 95)$$, 'the admin''s list');
SELECT is((SELECT before FROM g), mail.generation(), 'usage raises no generation');
SELECT results_eq($$SELECT domain, quota_mb, used_mb, percent, messages, mailboxes FROM mail.domain_usage ORDER BY 1$$,
                  $$VALUES ('d.test', 3::bigint, 2.9, 96.9, 7::bigint, 2::bigint), ('e.test', 0, 0.0, NULL, 0, 1)$$, 'domain_usage');
SELECT is_empty($$SELECT FROM mail.check() WHERE what ~ 'full|MiB'$$, 'nothing is full');
SELECT is(mail.record_usage('[{"user":"bob@d.test","bytes":2097152,"messages":2},{"user":"ann@d.test","bytes":5,"messages":10}]'), 2::bigint, 'more');
UPDATE mail.virtual_domains SET quota_mb = 1 WHERE name = 'd.test';
SELECT results_eq($$SELECT what FROM mail.check() WHERE what ~ 'full|MiB|more than' ORDER BY what COLLATE "C"$$,
                  $$VALUES ('mailbox ann@d.test is full'), ('mailbox ann@d.test may hold more than all of its domain'), ('mailbox bob@d.test is full'),
                           ('mailbox bob@d.test may hold more than all of its domain'), ('the mailboxes of domain d.test hold 2.0 MiB of 1 MiB')$$,
                  'check() finds what is full');
SELECT results_eq($$SELECT percent, subject FROM mail.snapshot_quota_warnings ORDER BY 1$$,
                  $$SELECT p, 'Your mailbox is %{percent} % full' FROM unnest('{80,90,95}'::int[]) AS p$$, 'three warnings');
UPDATE mail.quota_warnings SET enabled = false WHERE percent = 80;
SELECT is((SELECT count(*) FROM mail.snapshot_quota_warnings WHERE text LIKE '%\%{user}%\%{used\_mb}%\%{quota\_mb}%'), 2::bigint, 'one switched off');
SELECT throws_ok($$INSERT INTO mail.quota_warnings VALUES (50, E'two\nlines', 'x')$$, '23514', NULL, 'a subject of two lines');
SELECT results_eq($$SELECT name, value FROM mail.snapshot_settings ORDER BY name$$,
                  $$VALUES ('quota_grace_percent', '0'), ('rate_admin', '')$$, 'grace');
SELECT throws_ok(format('UPDATE mail.settings SET value = %L WHERE name = ''quota_grace_percent''', v), '23514',
                 'quota_grace_percent must be 0 to 100', 'grace of ' || v)
FROM unnest('{101,-1,10 %}'::text[]) AS v;

-- bad input 41: limits that are none
SELECT throws_ok(format('UPDATE mail.virtual_users SET %s = %s', c, v), code, NULL, format('bad input 41: %s = %s', c, v))
FROM (VALUES ('quota_mb', '-1', '23514'), ('quota_mb', '9223372036854775808', '22003'), ('quota_mb', 'NULL', '23502'),
             ('quota_mb', '''10 GB ''', '22P02'), ('quota_mb', '9223372036854775807', '23514'), ('quota_messages', '-1', '23514'),
             ('quota_messages', 'NULL', '23502')) AS v (c, v, code);
SELECT is(mail.record_usage('[{"user":"gone@d.test","bytes":1,"messages":1},{"user":"ann@d.test","bytes":9e30,"messages":"x"}]'), 1::bigint,
          'bad input 41: a mailbox deleted meanwhile, usage beyond any number');

SELECT results_eq($$SELECT kind, failures, period_s, block_s, dry_run FROM mail.snapshot_auth_limits ORDER BY 1$$,
                  $$VALUES ('login', 20, 600::bigint, 600::bigint, false), ('network', 10, 600, 600, false)$$, 'limits of wrong passwords');
UPDATE mail.auth_limits SET dry_run = true WHERE kind = 'login';
UPDATE mail.auth_limits SET enabled = false WHERE kind = 'network';
SELECT results_eq($$SELECT kind, dry_run FROM mail.snapshot_auth_limits$$, $$VALUES ('login', true)$$, 'one off, one only logged');
SELECT results_eq($$SELECT what FROM mail.check() WHERE what LIKE 'wrong%' ORDER BY 1$$,
                  $$VALUES ('wrong passwords never block a client'), ('wrong passwords never block a login')$$, 'check() warns');
UPDATE mail.auth_limits SET distinct_passwords = false WHERE kind = 'spray';
SELECT results_eq($$SELECT kind, failures, period_s, block_s, dry_run, distinct_passwords FROM mail.snapshot_auth_rules ORDER BY 1$$,
                  $$VALUES ('login', 20, 600::bigint, 600::bigint, true, true), ('spray', 10, 3600, 3600, false, false)$$,
                  'rules of failed logins');
SELECT throws_ok($$UPDATE mail.auth_limits SET kind = 'host' WHERE kind = 'spray'$$, '23514', NULL, 'no such kind');
INSERT INTO mail.auth_exemptions (net) VALUES ('192.0.2.7'), ('2001:db8::/32');
SELECT results_eq('SELECT net FROM mail.snapshot_auth_exemptions ORDER BY net::cidr', $$VALUES ('192.0.2.7/32'), ('2001:db8::/32')$$, 'exemptions');
SELECT * FROM finish();
ROLLBACK;
