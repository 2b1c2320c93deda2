-- Many questions at once are answered as each of them by itself.
BEGIN;
SELECT plan(6);
INSERT INTO mail.virtual_domains (name, proxy_host, enabled) VALUES ('d.test', NULL, true), ('p.test', 'b1.p.test', true), ('off.test', NULL, false);
INSERT INTO mail.virtual_users (email, password, enabled, suspended, expires_at, allow_nets, may_pop3, app_passwords_only, quota_mb)
SELECT email, '{SSHA512}' || repeat('A', 96), enabled, suspended, expires_at, allow_nets, may_pop3, app_only, 5
FROM (VALUES ('plain@d.test', true, NULL, NULL::timestamptz, NULL::cidr[], true, false), ('plain@p.test', true, NULL, NULL, NULL, true, false),
             ('off@d.test', false, NULL, NULL, NULL, true, false), ('on@off.test', true, NULL, NULL, NULL, true, false),
             ('late@d.test', true, NULL, now(), NULL, true, false), ('spam@d.test', true, 'spam', NULL, NULL, true, false),
             ('home@d.test', true, NULL, NULL, '{192.0.2.0/24}', true, false), ('nopop@d.test', true, NULL, NULL, NULL, false, false),
             ('apps@d.test', true, NULL, NULL, NULL, true, true)) AS v (email, enabled, suspended, expires_at, allow_nets, may_pop3, app_only);
INSERT INTO mail.virtual_users (email) VALUES ('none@d.test');
SELECT mail.add_app_password('apps@d.test', name) FROM (VALUES ('one'), ('two')) AS v (name);
SELECT mail.add_app_password('plain@p.test', 'three', '{pop3}');
CREATE TEMP TABLE asked AS
    SELECT row_number() OVER () AS n, login, service, remote
    FROM (SELECT email::text FROM mail.virtual_users UNION ALL
          VALUES ('PLAIN@D.test'), ('plain+x@d.test'), ('nobody@d.test'), (''), ('"'), ('{a,b}'), ('plain@d.test')) AS l (login),
         (VALUES ('imap'), ('pop3'), ('smtp'), (NULL)) AS s (service), (VALUES ('192.0.2.7'), ('198.51.100.7'), (NULL)) AS r (remote);
SELECT cmp_ok((SELECT count(*) FROM asked AS q, mail.dovecot_passdb(q.login, q.service, q.remote)), '>', 100::bigint, 'there are answers');
SELECT results_eq($$SELECT m.n, m."user", m.password, m.credential, m.refusal, m.allow_nets, m.host
                    FROM mail.dovecot_passdb_many((SELECT array_agg(login ORDER BY n) FROM asked), (SELECT array_agg(service ORDER BY n) FROM asked),
                                                  (SELECT array_agg(remote ORDER BY n) FROM asked)) WITH ORDINALITY
                         AS m ("user", password, credential, refusal, allow_nets, host, n, o) ORDER BY m.n, m.o$$,
                  $$SELECT q.n, p."user", p.password, p.credential, p.refusal, p.allow_nets, p.host
                    FROM asked AS q, mail.dovecot_passdb(q.login, q.service, q.remote) WITH ORDINALITY
                         AS p ("user", password, credential, refusal, allow_nets, host, o) ORDER BY q.n, p.o$$,
                  'passdb: the same rows in the same order');
SELECT cmp_ok((SELECT count(*) FROM asked AS q, mail.dovecot_userdb(q.login)), '>', 100::bigint, 'there are answers');
SELECT set_eq($$SELECT m.* FROM mail.dovecot_userdb_many((SELECT array_agg(login ORDER BY n) FROM asked)) AS m$$,
              $$SELECT u.*, q.n FROM asked AS q, mail.dovecot_userdb(q.login) AS u$$, 'userdb: the same rows');
SELECT is_empty($$SELECT FROM mail.dovecot_passdb_many('{}', '{}', '{}')$$, 'nobody asked');
SELECT is_empty($$SELECT FROM mail.dovecot_userdb_many('{}')$$, 'nobody asked');
SELECT * FROM finish();
ROLLBACK;
