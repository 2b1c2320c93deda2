-- The feed of changed logins: who hears of what, and what nobody hears of.
BEGIN;
SELECT plan(50);
INSERT INTO mail.virtual_domains (name) VALUES ('d.test');
INSERT INTO mail.alias_domains (name, target) VALUES ('x.test', 'd.test');
INSERT INTO mail.virtual_users (email, password) VALUES ('ann@d.test', '{SSHA512}' || repeat('A', 96)), ('bob@d.test', NULL);
SELECT mail.add_alias('info@d.test', 'ann@d.test'), mail.add_app_password('ann@d.test', 'phone'), 1 AS made \gset

-- One transaction is one generation; so that each change has its own, pretend it was another.
CREATE FUNCTION pg_temp.change(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    got text;
BEGIN
    UPDATE mail.state SET changed_by = NULL RETURNING generation INTO before;
    EXECUTE statement;
    SELECT string_agg(login || ' ' || why, ', ' ORDER BY id) INTO got FROM mail.login_changes WHERE generation > before;
    RETURN coalesce(got, 'nothing');
END $$;
SELECT is(pg_temp.change(statement), answer, statement)
FROM (VALUES
    ($$SELECT mail.set_password('ann@d.test', 'sixteen letters.')$$, 'ann@d.test password'),
    ($$UPDATE mail.virtual_users SET enabled = false WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET enabled = true WHERE email = 'ann@d.test'$$, 'ann@d.test changed'),
    ($$UPDATE mail.virtual_users SET suspended = 'x' WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET suspended = NULL WHERE email = 'ann@d.test'$$, 'ann@d.test changed'),
    ($$UPDATE mail.virtual_users SET expires_at = now() + interval '1 day' WHERE email = 'ann@d.test'$$, 'ann@d.test changed'),
    ($$UPDATE mail.virtual_users SET expires_at = now() WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET expires_at = NULL WHERE email = 'ann@d.test'$$, 'ann@d.test changed'),
    ($$UPDATE mail.virtual_users SET allow_nets = '{192.0.2.0/24}' WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET allow_nets = NULL WHERE email = 'ann@d.test'$$, 'ann@d.test changed'),
    ($$UPDATE mail.virtual_users SET may_imap = false WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET may_pop3 = false WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET may_smtp = false WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET may_sieve = false WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET may_imap = true, may_pop3 = true WHERE email = 'ann@d.test'$$, 'ann@d.test changed'),
    ($$UPDATE mail.virtual_users SET app_passwords_only = true WHERE email = 'ann@d.test'$$, 'ann@d.test refused'),
    ($$UPDATE mail.virtual_users SET app_passwords_only = false, may_smtp = true, may_sieve = true$$, 'ann@d.test changed'),
    ($$UPDATE mail.virtual_users SET proxy_host = 'b.d.test' WHERE email = 'ann@d.test'$$, 'ann@d.test changed'),
    ($$UPDATE mail.virtual_users SET password = NULL, enabled = false WHERE email = 'ann@d.test'$$, 'ann@d.test password'),
    ($$UPDATE mail.virtual_users SET quota_mb = 9, name = 'Ann', may_receive = false$$, 'nothing'),
    ($$UPDATE mail.virtual_users SET email = 'eve@d.test' WHERE email = 'bob@d.test'$$, 'bob@d.test deleted, eve@d.test added'),
    ($$DELETE FROM mail.virtual_users WHERE email = 'eve@d.test'$$, 'eve@d.test deleted'),
    ($$INSERT INTO mail.virtual_users (email) VALUES ('eve@d.test'), ('bob@d.test')$$, 'eve@d.test added, bob@d.test added'),
    ($$SELECT mail.add_app_password('ann@d.test', 'laptop')$$, 'ann@d.test added'),
    ($$UPDATE mail.app_passwords SET name = 'tablet' WHERE name = 'laptop'$$, 'nothing'),
    ($$UPDATE mail.app_passwords SET protocols = '{imap}' WHERE name = 'tablet'$$, 'ann@d.test app_password'),
    ($$SELECT mail.revoke_app_password('ann@d.test', 'tablet')$$, 'ann@d.test app_password'),
    ($$UPDATE mail.virtual_domains SET enabled = false$$, '@d.test refused'),
    ($$UPDATE mail.virtual_domains SET enabled = true$$, '@d.test changed'),
    ($$UPDATE mail.virtual_domains SET note = 'x', quota_mb = 5$$, 'nothing'),
    ($$UPDATE mail.alias_domains SET enabled = false$$, '@x.test refused'),
    ($$UPDATE mail.alias_domains SET enabled = true$$, '@x.test changed'),
    ($$SELECT mail.add_alias('more@d.test', 'ann@d.test')$$, 'nothing'),
    ($$UPDATE mail.settings SET value = 'yes' WHERE name = 'login_by_alias'$$, '* changed'),
    ($$DELETE FROM mail.virtual_aliases WHERE source = 'more@d.test'$$, '* changed'),
    ($$INSERT INTO mail.master_users VALUES ('m@d.test', '{SSHA512}' || repeat('A', 96), '*')$$, 'm@d.test added'),
    ($$DELETE FROM mail.master_users$$, 'm@d.test deleted'),
    ($$SELECT mail.record_logins('[{"user":"ann@d.test","service":"imap","at_ms":1795000000000}]'), mail.record_usage('[]')$$, 'nothing')
) AS v (statement, answer);

CREATE FUNCTION pg_temp.since(n bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(generation - mail.generation() || ' ' || coalesce(login, '-'), ', ' ORDER BY login NULLS FIRST)
    FROM mail.dovecot_changes(n) $$;
SELECT pg_temp.change($$SELECT mail.set_password('ann@d.test', 'sixteen letters.')$$) AS done \gset
SELECT is(pg_temp.since(0), '0 -', 'who begins hears where it stands');
SELECT is(pg_temp.since(mail.generation()), '0 -', 'nothing new');
SELECT is(pg_temp.since(mail.generation() - 1), '0 -, 0 ann@d.test, 0 ann@x.test, 0 info@d.test, 0 info@x.test',
          'a change, under each name a cache may know it by');
SELECT is(pg_temp.since(mail.generation() + 1), '0 -, 0 *', 'from the future (another database): all');
SELECT is(pg_temp.since(1), '0 -, 0 *', 'from before the feed: all');
SELECT pg_temp.change($$UPDATE mail.virtual_domains SET enabled = false$$) AS done \gset
SELECT is(pg_temp.since(mail.generation() - 1), '0 -, 0 *', 'a whole domain: all');
SELECT is(pg_temp.since(mail.generation() - 2), '0 -, 0 *', 'and with it the rest');
SELECT results_eq($$SELECT login, why, at_ms BETWEEN extract(epoch FROM now()) * 1000 - 1 AND extract(epoch FROM clock_timestamp()) * 1000 + 1
                    FROM mail.snapshot_login_changes ORDER BY generation DESC LIMIT 2$$,
                  $$VALUES ('@d.test', 'refused', true), ('ann@d.test', 'password', true)$$, 'snapshot_login_changes');
SELECT is_empty($$SELECT FROM mail.snapshot_login_changes WHERE why = 'added' OR login = '*'$$, 'without what closes no session');

INSERT INTO mail.virtual_users (email) SELECT 'u' || i || '@d.test' FROM generate_series(1, 1001) AS i;
SELECT is(pg_temp.since(mail.generation() - 1), '0 -, 0 *', 'a thousand at once: all');
UPDATE mail.login_changes SET at = at - interval '25 hours' WHERE generation < mail.generation();
SELECT pg_temp.change($$DELETE FROM mail.virtual_users WHERE email = 'u1@d.test'$$) AS done \gset
SELECT is((SELECT min(generation) FROM mail.login_changes), mail.generation() - 1, 'after a day rows go');
SELECT is(pg_temp.since(mail.generation() - 3), '0 -, 0 *', 'and who has not asked since hears: all');
SELECT * FROM finish();
ROLLBACK;
