-- Who may log in: what Dovecot is answered, and what people are told.
BEGIN;
SELECT plan(80);

INSERT INTO mail.virtual_domains (name) VALUES ('d.test'), ('off.test');
INSERT INTO mail.alias_domains (name, target) VALUES ('x.test', 'd.test');
CREATE FUNCTION pg_temp.hash(word text) RETURNS text LANGUAGE sql AS $$
    SELECT '{SSHA512}' || rpad(word, 96, 'A') $$;
INSERT INTO mail.virtual_users (email, password) VALUES
    ('ann@d.test', pg_temp.hash('ann')), ('bob@d.test', NULL), ('"a b"@d.test', pg_temp.hash('blank')),
    ('eve@off.test', pg_temp.hash('eve'));
UPDATE mail.virtual_domains SET enabled = false WHERE name = 'off.test';

-- the answer in one text: credential:refusal of each row
CREATE FUNCTION pg_temp.ask(login text, service text DEFAULT 'imap', remote text DEFAULT '192.0.2.7') RETURNS text
LANGUAGE sql AS $$ SELECT string_agg(format('%s:%s:%s', "user", credential, coalesce(refusal, 'ok')), ' ')
                   FROM mail.dovecot_passdb(login, service, remote) $$;
CREATE FUNCTION pg_temp.ann(change text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'UPDATE mail.virtual_users SET ' || change || ' WHERE email = ''ann@d.test''';
    RETURN change;
END $$;

-- names
SELECT is(pg_temp.ask(login), answer, 'login name ' || to_json(left(login, 25)))
FROM (VALUES ('ann@d.test', 'ann@d.test:0:ok'), ('ANN@D.TEST', 'ann@d.test:0:ok'), ('ann@d.test.', 'ann@d.test:0:ok'),
             ('Ann@X.test', 'ann@d.test:0:ok'), ('"ann"@d.test', 'ann@d.test:0:ok'), ('"A B"@x.test', '"a b"@d.test:0:ok'),
             ('ann+x@d.test', NULL), ('ann', NULL), ('', NULL), ('%', NULL), ('*', NULL), ('nobody@d.test', NULL),
             (repeat('a', 10240) || '@d.test', NULL), (E'ann@d.test\n', NULL), ('bob@d.test', NULL),
             (E'ann\t@d.test', NULL), ('ann@d.test*bob@d.test', NULL)) AS v (login, answer);
SELECT is((SELECT password FROM mail.dovecot_passdb('ann@d.test', 'imap', '')), pg_temp.hash('ann'), 'the hash');
SELECT is(pg_temp.ask(NULL), NULL, 'no name at all');
SELECT is(mail.mailbox_of('ann@d.test'), 'ann@d.test', 'mailbox_of');

-- aliases as names
SELECT mail.add_alias('info@d.test', 'ann@d.test'), mail.add_alias('chain@d.test', 'info@d.test'),
       mail.add_alias('two@d.test', 'ann@d.test'), mail.add_alias('two@d.test', 'bob@d.test'),
       mail.add_alias('far@d.test', 'ann@elsewhere.test'), mail.add_alias('@d.test', 'ann@d.test'), 1 AS made \gset
SELECT is(pg_temp.ask('info@d.test'), NULL, 'an alias is no login name');
SELECT throws_ok($$UPDATE mail.settings SET value = 'maybe' WHERE name = 'login_by_alias'$$, '23514',
                 'login_by_alias must be yes or no', 'a setting with a range');
UPDATE mail.settings SET value = 'yes' WHERE name = 'login_by_alias';
SELECT is(pg_temp.ask(login), answer, 'with login_by_alias: ' || login)
FROM (VALUES ('info@d.test', 'ann@d.test:0:ok'), ('INFO@x.test', 'ann@d.test:0:ok'), ('chain@d.test', 'ann@d.test:0:ok'),
             ('two@d.test', NULL), ('far@d.test', NULL), ('caught@d.test', NULL),
             ('ann@d.test', 'ann@d.test:0:ok')) AS v (login, answer);

-- refusals: the hash comes all the same
SELECT is(pg_temp.ask('eve@off.test'), 'eve@off.test:0:domain disabled', 'of a domain that is off');
SAVEPOINT a;
SELECT pg_temp.ann('may_imap = false, may_smtp = false') AS done \gset
SELECT is(pg_temp.ask('ann@d.test', service), 'ann@d.test:0:' || answer, 'IMAP and SMTP off: ' || service)
FROM (VALUES ('imap', 'protocol'), ('imap-urlauth', 'protocol'), ('pop3', 'ok'), ('smtp', 'protocol'), ('submission', 'protocol'), ('sieve', 'ok'),
             ('managesieve', 'ok'), ('doveadm', 'ok'), ('lmtp', 'ok')) AS v (service, answer);
SELECT is(pg_temp.ann('enabled = false') || pg_temp.ask('ann@d.test'), 'enabled = falseann@d.test:0:disabled', 'disabled');
ROLLBACK TO a;
SELECT is(pg_temp.ask('ann@d.test'), 'ann@d.test:0:ok', 'and back');
SELECT pg_temp.ann('suspended = ''sent spam'', expires_at = now() + interval ''1 hour''') AS done \gset
SELECT is(pg_temp.ask('ANN@x.test'), 'ann@d.test:0:suspended: sent spam', 'suspended');
SELECT results_eq($$SELECT login, may_send, refusal, expires_ms = (extract(epoch FROM now()) * 1000)::bigint + 3600000
                    FROM mail.snapshot_logins WHERE login IN ('ann@d.test', 'bob@d.test', 'eve@off.test') ORDER BY 1$$,
                  $$VALUES ('ann@d.test', false, 'suspended: sent spam', true), ('bob@d.test', true, NULL, NULL),
                           ('eve@off.test', false, 'domain disabled', NULL)$$, 'snapshot_logins');
SELECT results_eq(format('SELECT may_send, refusal, expires_ms FROM mail.snapshot_logins WHERE login = ''ann@d.test'' AND %L <> ''''',
                         pg_temp.ann(format('suspended = NULL, expires_at = %L', never))), answer, 'snapshot_logins: expires at ' || never)
FROM (VALUES ('infinity', 'VALUES (true, NULL::text, NULL::bigint)'), ('-infinity', 'VALUES (false, ''expired'', NULL::bigint)')) AS v (never, answer);
SELECT pg_temp.ann('suspended = ''sent spam'', expires_at = now() + interval ''1 hour''') AS done \gset
SELECT is((SELECT nologin FROM mail.dovecot_passdb('ann@d.test', 'imap')), true, 'the older function as well');
SELECT ok((SELECT bool_or(w LIKE 'ann@d.test may not send: suspended: sent spam%') FROM mail.why_limited('ann@d.test') AS w),
          'why_limited says so');
SELECT ok((SELECT bool_or(w LIKE 'mailbox: NO, it is suspended: sent spam%') AND bool_or(w LIKE 'result: no login%')
           FROM mail.why_no_login('Ann@x.test') AS w), 'why_no_login too');
SELECT is((SELECT refusal FROM mail.users WHERE email = 'ann@d.test'), 'suspended: sent spam', 'and mail.users');
SELECT is_empty($$SELECT FROM mail.sogo_user_profile WHERE c_uid = 'ann@d.test'$$, 'SOGo does not know it');
SELECT throws_ok(format('UPDATE mail.virtual_users SET %s WHERE email = ''ann@d.test''', bad), '23514', NULL, 'refused: ' || bad)
FROM (VALUES ('suspended = '''''), ('suspended = E''two\nlines'''), ('allow_nets = ''{}'''), ('allow_nets = ''{NULL}'''),
             ('proxy_host = ''a b'''), ('quota_messages = -1')) AS v (bad);
ROLLBACK TO a;
SELECT pg_temp.ann('expires_at = now()') AS done \gset
SELECT is(pg_temp.ask('ann@d.test', 'pop3'), 'ann@d.test:0:expired', 'expired');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what LIKE 'mailbox ann@d.test expired on %'$$, 'check() says so');
ROLLBACK TO a;

SELECT lives_ok($$SELECT mail.suspend('Ann@d.test', 'by function')$$, 'suspend');
SELECT is(pg_temp.ask('ann@d.test'), 'ann@d.test:0:suspended: by function', 'suspended by function');
SELECT throws_ok($$SELECT mail.suspend('ann@d.test', '')$$, '23514', 'a suspension needs a reason', 'for no reason');
SELECT mail.unsuspend('Ann@d.test') AS done \gset
SELECT is(pg_temp.ask('ann@d.test'), 'ann@d.test:0:ok', 'unsuspend');

SELECT mail.record_events('[{"kind":"auth_block","who":"ann@d.test","text":"tried by many"}, {"kind":"auth_block","who":"2001:db8::/64","text":"tries many"},
                            {"kind":"auth_block","who":"192.0.2.7","text":"another"}, {"kind":"auth_block","who":"bob@d.test","text":"of bob"}]') AS done \gset
SELECT results_eq($$SELECT regexp_replace(w, '^lately: \S+ \S+ ', '') FROM mail.why_no_login('ann@d.test', 'imap', '2001:db8::5') AS w
                    WHERE w LIKE 'lately: %' ORDER BY 1$$,
                  $$VALUES ('auth_block tried by many'), ('auth_block tries many')$$, 'why_no_login tells of blocks');
SELECT results_eq($$SELECT right(w, 7) FROM mail.why_no_login('eve@off.test', 'imap', '::ffff:192.0.2.7') AS w WHERE w LIKE 'lately: %'$$,
                  $$VALUES ('another')$$, 'of the address too');

-- networks are for Dovecot to compare
SELECT pg_temp.ann('allow_nets = ''{192.0.2.0/24,2001:db8::/32}'', proxy_host = ''b2.d.test''') AS done \gset
UPDATE mail.virtual_domains SET proxy_host = 'b1.d.test' WHERE name = 'd.test';
SELECT results_eq($$SELECT "user", refusal, allow_nets, host FROM mail.dovecot_passdb('ann@d.test', 'imap', NULL)$$,
                  $$VALUES ('ann@d.test', NULL, '192.0.2.0/24,2001:db8::/32', 'b2.d.test')$$, 'networks and host');
SELECT is((SELECT nologin FROM mail.dovecot_passdb('ann@d.test', 'imap')), true, 'the older function knows no networks: refused');
SELECT results_eq($$SELECT split_part(w, ': ', 1), left(split_part(w, ': ', 2), 2)
                    FROM mail.why_no_login('ann@d.test', 'imap', '::ffff:198.51.100.1') AS w LIMIT 4$$,
                  $$VALUES ('name', 'ok'), ('mailbox', 'ok'), ('service', 'ok'), ('network', 'NO')$$, 'why_no_login: network');
SELECT results_eq($$SELECT "user", quota_bytes, quota_messages, host FROM mail.dovecot_userdb('ANN@x.test')$$,
                  $$VALUES ('ann@d.test', 1073741824::bigint, 0::bigint, 'b2.d.test')$$, 'userdb');
SELECT is((SELECT host FROM mail.dovecot_userdb('bob@d.test')), 'b1.d.test', 'the host of the domain');
UPDATE mail.settings SET value = '/m/%d/%n' WHERE name = 'mail_home';
SELECT is((SELECT home || coalesce(mail, '-') FROM mail.dovecot_userdb('"a b"@d.test')), '/m/d.test/"a b"-', 'userdb: home');
SELECT is_empty($$SELECT * FROM mail.dovecot_userdb('caught@d.test')$$, 'userdb: unknown');

-- re-hashing
SELECT is(mail.dovecot_rehash('ANN@d.test', 'not this', pg_temp.hash('new')), false, 'a password that is not there');
CREATE TEMP TABLE g AS SELECT mail.generation() AS before, (SELECT count(*) FROM mail.login_changes) AS changes;
SELECT is(mail.dovecot_rehash('ANN@x.test', pg_temp.hash('ann'), pg_temp.hash('new')), true, 're-hashed');
SELECT is((SELECT password FROM mail.dovecot_passdb('ann@d.test', 'imap', '')), pg_temp.hash('new'), 'it is there');
SELECT results_eq('SELECT mail.generation(), (SELECT count(*) FROM mail.login_changes)', 'SELECT * FROM g', 'nobody hears of it');
SELECT throws_ok($$SELECT mail.dovecot_rehash('ann@d.test', pg_temp.hash('new'), '{PLAIN}x')$$, '23514', NULL, 'no bad hash');
SELECT is((SELECT string_agg(kind || ' ' || who || ' ' || text, ',') FROM mail.events WHERE kind = 'rehash'),
          'rehash ann@d.test from {SSHA512} to {SSHA512} at a login', 'one event, no hash in it');
SELECT is((SELECT count(*) FROM mail.rehashes), 0::bigint, 'what changes after it is heard of again');
SELECT throws_ok($$UPDATE mail.settings SET value = 'PLAIN' WHERE name = 'password_scheme'$$, '23514', NULL, 'no such scheme');
SELECT results_eq('SELECT name FROM mail.dovecot_settings() ORDER BY 1', $$VALUES ('login_by_alias'), ('password_rounds'), ('password_scheme')$$,
                  'settings for Dovecot');
SELECT * FROM finish();
ROLLBACK;
