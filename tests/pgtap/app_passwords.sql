-- App passwords: made, tried, used, taken away. Master users.
BEGIN;
SELECT plan(46);
INSERT INTO mail.virtual_domains (name) VALUES ('d.test'), ('e.test');
INSERT INTO mail.virtual_users (email, password) VALUES
    ('ann@d.test', '{SSHA512}' || repeat('A', 96)), ('bob@d.test', NULL), ('cat@e.test', NULL);
CREATE TEMP TABLE made (name text, secret text);
INSERT INTO made
SELECT n, mail.add_app_password('Ann@d.test', n, p, s, e)
FROM (VALUES ('any', NULL::text[], NULL::cidr[], NULL::timestamptz), ('mail', '{imap,smtp}', NULL, NULL),
             ('home', NULL, '{192.0.2.0/24,2001:db8::/32}', now() + interval '1 day'), ('old', NULL, NULL, now())) AS v (n, p, s, e)
ORDER BY n;
SELECT is((SELECT count(*) FROM made WHERE secret ~ '^([a-km-np-z2-9]{6}-){3}[a-km-np-z2-9]{6}$'), 4::bigint, '24 letters of 32');
SELECT is((SELECT count(DISTINCT secret) FROM made), 4::bigint, 'another each time');
SELECT is((SELECT count(*) FROM made AS m JOIN mail.app_passwords AS a USING (name),
                LATERAL (SELECT decode(substr(a.password, 10), 'base64')) AS d (b)
           WHERE substr(b, 1, 64) = sha512(convert_to(m.secret, 'UTF8') || substr(b, 65)) AND length(b) = 72), 4::bigint,
          'kept as {SSHA512} of it, salted');
SELECT is((SELECT count(DISTINCT substr(decode(substr(password, 10), 'base64'), 65)) FROM mail.app_passwords), 4::bigint,
          'each with its own salt');
SELECT is_empty($$SELECT FROM mail.events AS e, made AS m, mail.app_passwords AS a
                  WHERE e::text LIKE '%' || m.secret || '%' OR e::text LIKE '%' || a.password || '%'$$, 'no event shows one');
SELECT is((SELECT count(*) FROM mail.events WHERE kind = 'app_passwords insert' AND who = 'ann@d.test'), 4::bigint, 'but each tells of it');

-- which are tried: names in their order
CREATE FUNCTION pg_temp.ask(service text, remote text, login text DEFAULT 'ann@d.test') RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(a.name, 'own') || CASE WHEN p.refusal IS NOT NULL THEN '!' || p.refusal ELSE '' END, ' ' ORDER BY n)
    FROM mail.dovecot_passdb(login, service, remote) WITH ORDINALITY
         AS p ("user", password, credential, refusal, allow_nets, host, n)
    LEFT JOIN mail.app_passwords AS a ON a.id = p.credential $$;
SELECT is(pg_temp.ask(service, remote), answer, format('%s from %s', service, coalesce(remote, 'unknown')))
FROM (VALUES ('imap', '192.0.2.7', 'own any home mail'), ('pop3', '192.0.2.7', 'own any home'), ('sieve', '2001:db8::1', 'own any home'),
             ('submission', '198.51.100.7', 'own any mail'), ('smtp', '::FFFF:192.0.2.7', 'own any home mail'),
             ('imap', NULL, 'own any mail'), ('imap', '', 'own any mail'), ('imap', 'nonsense', 'own any mail'),
             ('doveadm', NULL, 'own any')) AS v (service, remote, answer);
SELECT is(mail.record_logins(jsonb_build_array(
    jsonb_build_object('user', 'ann@d.test', 'service', 'submission', 'address', '::ffff:198.51.100.7', 'at_ms', 1795000000500,
                       'credential', (SELECT id FROM mail.app_passwords WHERE name = 'mail')),
    jsonb_build_object('user', 'ann@d.test', 'service', 'submission', 'address', '192.0.2.1', 'at_ms', 1795000000000, 'credential', 0),
    jsonb_build_object('user', 'ann@d.test', 'service', 'imap', 'address', NULL, 'at_ms', 1795000000000, 'credential', 0),
    jsonb_build_object('user', 'bob@d.test', 'service', 'imap', 'address', 'x', 'at_ms', 1795000000000,
                       'credential', (SELECT id FROM mail.app_passwords WHERE name = 'any')),
    jsonb_build_object('user', 'gone@d.test', 'service', 'imap', 'at_ms', 1), jsonb_build_object('user', 'ann@d.test', 'at_ms', 1),
    jsonb_build_object('user', 'ann@d.test', 'service', 'pop3', 'at_ms', 9e30), '7')), 3::bigint, 'logins recorded');
SELECT results_eq($$SELECT email, protocol, host(address), by_what FROM mail.logins ORDER BY email, protocol$$,
                  $$VALUES ('ann@d.test', 'imap', NULL, 'own password'), ('ann@d.test', 'smtp', '198.51.100.7', 'app password mail'),
                           ('bob@d.test', 'imap', NULL, 'an app password that is gone')$$, 'mail.logins');
SELECT results_eq($$SELECT name, host(last_address), last_protocol FROM mail.app_password_usage WHERE last_used_at IS NOT NULL$$,
                  $$VALUES ('mail', '198.51.100.7', 'smtp')$$, 'of app passwords too, not those of others');
SELECT is(mail.record_logins('[{"user":"ann@d.test","service":"imap","at_ms":1794000000000,"credential":0}]'), 0::bigint, 'an older one changes nothing');
SELECT is((SELECT last_login FROM mail.users WHERE email = 'ann@d.test'), to_timestamp(1795000000.5), 'mail.users');
SELECT is(pg_temp.ask('imap', '192.0.2.7'), 'own mail any home', 'last used first');

-- only these; suspended
UPDATE mail.virtual_users SET app_passwords_only = true WHERE email IN ('ann@d.test', 'bob@d.test');
SELECT is(pg_temp.ask('imap', NULL), 'own!app password only mail any', 'app passwords only');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what = 'mailbox bob@d.test takes app passwords only and has none'$$, 'check() finds who has none');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what LIKE 'app password "old" of ann@d.test expired on%'$$, 'and what expired');
SELECT is_empty($$SELECT FROM mail.check() WHERE what LIKE 'mailbox ann%'$$, 'ann is well');
SELECT results_eq($$SELECT w FROM mail.why_no_login('ann@d.test', 'pop3', '198.51.100.7') AS w WHERE w ~ '^(own|app|result)'$$,
    $$VALUES ('own password: NO, only app passwords count (app_passwords_only)'), ('app password "any": ok, is tried'),
             ('app password "home": NO, only from 192.0.2.0/24, 2001:db8::/32, not from 198.51.100.7'),
             ('app password "mail": NO, only for imap, smtp'),
             ('app password "old": NO, it expired at ' || date_trunc('second', now())),
             ('result: one password is tried, it has to be the right one')$$, 'why_no_login goes through them');
UPDATE mail.virtual_users SET suspended = 'x' WHERE email = 'ann@d.test';
SELECT is(pg_temp.ask('imap', NULL), 'own!suspended: x mail!suspended: x any!suspended: x', 'suspended: none of them');

-- bad ones, and the end
SELECT throws_ok($$SELECT mail.add_app_password('ann@d.test', 'any')$$, '23505', 'ann@d.test has an app password "any" already', 'a name twice');
SELECT throws_ok($$SELECT mail.add_app_password('no@d.test', 'any')$$, 'P0002', 'there is no mailbox no@d.test', 'of nobody');
SELECT throws_ok($$SELECT mail.add_app_password('ann@d.test', '')$$, '23514', 'an app password needs a name', 'without a name');
SELECT throws_ok(format('SELECT mail.add_app_password(''ann@d.test'', ''n'', %s)', bad), '23514', NULL, 'refused: ' || bad)
FROM (VALUES ('''{ftp}'''), ('''{}'''), ('''{NULL}'''), ('NULL, ''{}''')) AS v (bad);
SELECT lives_ok($$SELECT mail.add_app_password('bob@d.test', 'n' || i) FROM generate_series(1, 50) AS i$$, 'fifty');
SELECT throws_ok($$SELECT mail.add_app_password('bob@d.test', 'n51')$$, '23514', 'bob@d.test has 50 app passwords, the most there may be', 'no more');
SELECT lives_ok($$SELECT mail.revoke_app_password('Ann@d.test', 'mail')$$, 'revoked');
SELECT throws_ok($$SELECT mail.revoke_app_password('ann@d.test', 'mail')$$, 'P0002', 'ann@d.test has no app password "mail"', 'once');
SELECT lives_ok($$DELETE FROM mail.virtual_users WHERE email = 'bob@d.test'$$, 'they go with their mailbox');

-- master users
INSERT INTO mail.master_users (login, password, pattern, allow_nets) VALUES
    ('All@help.test', '{SSHA512}' || repeat('A', 96), '*', NULL), ('some@help.test', '{SSHA512}' || repeat('B', 96), '@D.test', '{192.0.2.7}');
UPDATE mail.master_users SET password = '{SSHA512}' || repeat('C', 96) WHERE login = 'all@help.test';
SELECT is_empty($$SELECT FROM mail.events WHERE kind LIKE 'master_users%' AND detail::text ~ '[ABC]{20}|SSHA512'$$, 'no event shows their hashes');
SELECT is((SELECT detail::text FROM mail.events WHERE kind = 'master_users update'), '{"password": "changed"}', 'but that one changed');
CREATE FUNCTION pg_temp.master(login text, target text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', "user", credential, coalesce(refusal, 'ok'), allow_nets) FROM mail.dovecot_masterdb(login, target, 'imap', '') $$;
SELECT results_eq($$SELECT pg_temp.master(m, t) FROM (VALUES ('ALL@help.test', 'cat@e.test'), ('all@help.test', NULL),
                        ('some@help.test', 'Ann@d.test'), ('some@help.test', 'cat@e.test'), ('some@help.test', 'no@d.test'),
                        ('ann@d.test', 'ann@d.test')) AS v (m, t)$$,
    $$VALUES ('all@help.test 0 ok'), ('all@help.test 0 ok'), ('some@help.test 0 ok 192.0.2.7/32'),
             ('some@help.test 0 not for this mailbox 192.0.2.7/32'), ('some@help.test 0 not for this mailbox 192.0.2.7/32'), (NULL)$$,
    'master users, each for their mailboxes');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what = 'master user all@help.test may open every mailbox from everywhere'$$, 'check() warns');
UPDATE mail.master_users SET enabled = false;
SELECT is(pg_temp.master('all@help.test', 'ann@d.test'), 'all@help.test 0 disabled', 'switched off');
SELECT throws_ok($$INSERT INTO mail.master_users VALUES ('m@d.test', '{PLAIN}x', '*')$$, '23514', NULL, 'no password in clear text');
SELECT throws_ok($$INSERT INTO mail.master_users VALUES ('m@d.test', '{SSHA512}' || repeat('A', 96), 'x')$$, '23514', NULL, 'for nobody');
SELECT * FROM finish();
ROLLBACK;
