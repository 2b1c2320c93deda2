-- Limits, lists and rights that do nothing or too much are problems that mail.check() names.
BEGIN;
SELECT plan(5);
CREATE FUNCTION pg_temp.problems() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT what FROM mail.check()
    WHERE what ~ '^(limit|notices|the list|the posting|nobody may)' ORDER BY what COLLATE "C"
$$;
INSERT INTO mail.virtual_domains (name) VALUES ('d.test');
INSERT INTO mail.virtual_users (email) VALUES ('ann@d.test');
INSERT INTO mail.virtual_aliases (source, destination) VALUES ('all@d.test', 'ann@d.test');
INSERT INTO mail.alias_domains (name, target) VALUES ('e.test', 'd.test');
INSERT INTO mail.rate_limits (key, who, limit_count, period, tell) VALUES
    ('login', 'ann@d.test', 5, '1 hour', 'user'), ('login', '@d.test', 5, '1 hour', 'user'),
    ('login', '@e.test', 5, '1 hour', 'user'), ('client', '192.0.2.0/24', 5, '1 hour', 'nobody'),
    ('sender', 'who@away.test', 5, '1 hour', 'nobody');
INSERT INTO mail.access_lists (who, kind, pattern, action) VALUES
    ('*', 'sender', 'bad@away.test', 'deny'), ('@d.test', 'sender', 'bad@away.test', 'deny'),
    ('all@d.test', 'sender', 'bad@away.test', 'deny');
INSERT INTO mail.posting_rights (alias, who_may) VALUES ('all@d.test', 'members');
SELECT is_empty($$SELECT * FROM pg_temp.problems()$$, 'rows that mean something are no problem');

INSERT INTO mail.rate_limits (id, key, who, limit_count, period, tell) VALUES
    (1001, 'login', '*', 5, '1 hour', 'admin'), (1002, 'login', 'gone@d.test', 5, '1 hour', 'user'),
    (1003, 'login', '@gone.test', 5, '1 hour', 'user');
INSERT INTO mail.access_lists (id, who, kind, pattern, action, expires_at) VALUES
    (1004, 'gone@d.test', 'sender', 'bad@away.test', 'deny', NULL),
    (1005, '@gone.test', 'sender', 'bad@away.test', 'deny', now() - interval '1 day');
INSERT INTO mail.posting_rights (id, alias, who_may) VALUES (1006, 'gone@d.test', 'members'),
    (1007, 'ann@d.test', 'moderators');
SELECT results_eq($$SELECT * FROM pg_temp.problems()$$, ARRAY[
    'limit 1001 of * tells the admin, and nobody said who that is',
    'limit 1002 is of the login gone@d.test, which does not exist',
    'limit 1003 is of the login @gone.test, which does not exist',
    'nobody may write to ann@d.test: it has moderators only, and none is named',
    'the list entry 1004 of gone@d.test is of nobody here',
    'the posting right 1006 is of gone@d.test, which does not exist'], 'each that does not is named');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE hint = 'DELETE FROM mail.posting_rights WHERE id = 1006;'$$,
                  'with what cures it');

UPDATE mail.settings SET value = 'root@away.test' WHERE name = 'rate_admin';
SELECT isnt_empty($$SELECT FROM pg_temp.problems() AS p WHERE p = 'notices of limits go to root@away.test, which is no address of ours'$$,
                  'an admin who is not here gets no notice');
UPDATE mail.settings SET value = 'all@d.test' WHERE name = 'rate_admin';
SELECT is_empty($$SELECT FROM pg_temp.problems() AS p WHERE p LIKE '%admin%' OR p LIKE 'notices%'$$, 'an alias of ours does');

SELECT * FROM finish();
ROLLBACK;
