-- The one order: exact alias, mailbox, subaddress base, alias domain, catch-all.
BEGIN;
SELECT plan(45);

INSERT INTO mail.virtual_domains (name) VALUES ('d.test'), ('off.test');
INSERT INTO mail.alias_domains (name, target) VALUES ('a.test', 'd.test');
INSERT INTO mail.virtual_users (email) VALUES
    ('ann@d.test'), ('bob@d.test'), ('eve@d.test'), ('p+q@d.test'), ('deaf@d.test'), ('u@off.test');
UPDATE mail.virtual_users SET may_receive = false WHERE email = 'deaf@d.test';
UPDATE mail.virtual_domains SET enabled = false WHERE name = 'off.test';
INSERT INTO mail.virtual_aliases (source, destination) VALUES
    ('info@d.test', 'ann@d.test'), ('info@d.test', 'x@far.test'),
    ('ann+shop@d.test', 'bob@d.test'),
    ('eve@d.test', 'bob@d.test'),
    ('@d.test', 'bob@d.test');

CREATE FUNCTION pg_temp.ends(a text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(e, ' ' ORDER BY e), 'nobody') FROM mail.resolve_ends(a) AS e $$;
CREATE FUNCTION pg_temp.steps(a text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(step || '>' || kind || '>' || destination, ' '), 'none')
    FROM mail.resolve_step(a) $$;

SELECT is(pg_temp.ends('info@d.test'), 'ann@d.test x@far.test', 'alias, two destinations');
SELECT is(pg_temp.steps('eve@d.test'), 'alias>onward>bob@d.test', 'an alias goes before its mailbox');
SELECT is(pg_temp.steps('ann@d.test'), 'mailbox>mailbox>ann@d.test', 'a mailbox goes before the catch-all');
SELECT is(pg_temp.steps('ann+x@d.test'), 'subaddress>mailbox>ann@d.test', 'subaddress of a mailbox');
SELECT is(pg_temp.steps('info+x@d.test'),
          'subaddress>onward>ann@d.test subaddress>onward>x@far.test', 'subaddress of an alias');
SELECT is(pg_temp.steps('ann+shop@d.test'), 'alias>onward>bob@d.test', 'an exact alias with a subaddress');
SELECT is(pg_temp.steps('p+q@d.test'), 'mailbox>mailbox>p+q@d.test', 'a mailbox with a + in its name');
SELECT is(pg_temp.steps('ann@a.test'), 'alias domain>onward>ann@d.test', 'alias domain');
SELECT is(pg_temp.ends('info+x@a.test'), 'ann@d.test x@far.test', 'alias domain, subaddress, alias');
SELECT is(pg_temp.ends('what@a.test'), 'bob@d.test', 'alias domain, then its catch-all');
SELECT is(pg_temp.steps('what@d.test'), 'catch-all>onward>bob@d.test', 'catch-all');
SELECT is(pg_temp.ends('deaf@d.test'), 'nobody', 'may_receive = false: refused, not the catch-all''s');
SELECT is(pg_temp.ends('deaf@a.test'), 'nobody', 'the same in the alias domain');
SELECT is(pg_temp.ends('u@off.test'), 'u@off.test', 'a domain switched off is as foreign');
SELECT is(pg_temp.steps('u@off.test'), 'none', 'and has no steps');
UPDATE mail.virtual_users SET enabled = false WHERE email = 'ann@d.test';
SELECT is(pg_temp.ends('ann@d.test'), 'ann@d.test', 'who may not log in still receives');
UPDATE mail.virtual_users SET enabled = true WHERE email = 'ann@d.test';
UPDATE mail.virtual_aliases SET enabled = false WHERE source = 'info@d.test';
SELECT is(pg_temp.ends('info@d.test'), 'bob@d.test', 'an alias switched off is not there');
UPDATE mail.virtual_aliases SET enabled = true WHERE source = 'info@d.test';
INSERT INTO mail.virtual_aliases (source, destination) VALUES ('eve@d.test', 'eve@d.test');
SELECT is(pg_temp.ends('eve@d.test'), 'bob@d.test eve@d.test', 'an alias to itself keeps a copy');
INSERT INTO mail.virtual_aliases (source, destination) VALUES ('bob@d.test', 'bob@d.test'), ('bob@d.test', 'eve@d.test');
SELECT is(pg_temp.ends('eve@d.test'), 'bob@d.test eve@d.test', 'two who forward to each other and keep copies');
DELETE FROM mail.virtual_aliases WHERE source = 'bob@d.test';

-- what cannot work is refused
SELECT throws_ok($$SELECT mail.add_alias('l@d.test', 'l@d.test')$$, '23514',
                 'alias l@d.test to l@d.test runs in a circle at l@d.test', 'itself without a mailbox');
SELECT throws_ok($$INSERT INTO mail.virtual_aliases (source, destination)
                   VALUES ('l1@d.test', 'l2@d.test'), ('l2@d.test', 'l3@d.test'), ('l3@d.test', 'l1@d.test')$$,
                 '23514', NULL, 'a circle of three in one statement');
SELECT throws_ok($$SELECT mail.add_alias('l@d.test', 'l+x@d.test')$$, '23514', NULL, 'a circle by subaddress');
SELECT throws_ok($$SELECT mail.add_alias('l@d.test', 'l@a.test')$$, '23514', NULL, 'a circle by alias domain');
SELECT lives_ok($$INSERT INTO mail.virtual_aliases (source, destination)
                  SELECT 'c' || i || '@d.test', 'c' || i + 1 || '@d.test' FROM generate_series(1, 9) AS i$$,
                'a chain of nine');
SELECT lives_ok($$SELECT mail.add_alias('c10@d.test', 'x@far.test')$$, 'ten');
SELECT throws_ok($$INSERT INTO mail.virtual_aliases (source, destination)
                   VALUES ('c0@d.test', 'c1@d.test')$$, '23514', NULL, 'eleven are too many');
SELECT throws_ok($$INSERT INTO mail.virtual_aliases (source, destination)
                   SELECT 'all@d.test', 'u' || i || '@far.test' FROM generate_series(1, 1001) AS i$$,
                 '23514', NULL, 'more than a thousand destinations');
SELECT throws_ok($$SELECT mail.add_alias('info@d.test', 'Ann@d.test')$$, '23505',
                 'alias info@d.test to ann@d.test is there already', 'the same alias twice');
DELETE FROM mail.virtual_aliases WHERE source = '@d.test';
INSERT INTO mail.virtual_users (email) VALUES ('last@d.test');
INSERT INTO mail.virtual_aliases (source, destination) VALUES ('@d.test', 'last@d.test');
DELETE FROM mail.virtual_users WHERE email = 'last@d.test';
SELECT is(pg_temp.ends('zz@d.test'), 'nobody', 'a circle left by a removed mailbox delivers to nobody');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what LIKE 'alias @d.test runs in a circle%'$$,
                  'and check() says so');
SELECT is_empty($$SELECT mail.postfix_alias('zz@d.test')$$, 'Postfix refuses it at RCPT');
DELETE FROM mail.virtual_aliases WHERE source = '@d.test';
SELECT is(pg_temp.ends('zz@d.test'), 'nobody', 'unknown');
SELECT is((SELECT text FROM mail.who_gets('ZZ@d.test') ORDER BY step DESC LIMIT 1),
          'nobody gets it: refused', 'who_gets says so');

-- Postfix's maps
INSERT INTO mail.virtual_aliases (source, destination) VALUES ('@d.test', 'bob@d.test');
SELECT is_empty($$SELECT mail.postfix_alias('@d.test')$$, 'Postfix''s question for @d.test has no answer');
SELECT is_empty($$SELECT mail.postfix_alias('ann@d.test')$$, 'nor has a plain mailbox');
SELECT results_eq($$SELECT mail.postfix_mailbox('ANN+x@d.test')$$, $$VALUES ('ann@d.test')$$, 'mailbox map');
SELECT results_eq($$SELECT mail.postfix_domain('A.test')$$, $$VALUES ('a.test')$$, 'domain map, alias domain');
SELECT is_empty($$SELECT mail.postfix_domain('off.test')$$, 'domain map, switched off');

INSERT INTO mail.alias_domains (name, target) VALUES ('a.off.test', 'off.test');
INSERT INTO mail.virtual_aliases (source, destination) VALUES ('away@d.test', 'u@a.off.test');
SELECT is(pg_temp.ends('away@d.test'), 'u@a.off.test', 'the alias of a domain that is switched off is not ours, as that');
SELECT results_eq($$SELECT destination FROM mail.snapshot_aliases WHERE source = 'info@d.test' ORDER BY id$$,
                  $$VALUES ('ann@d.test'), ('x@far.test')$$, 'the programs know which destination was made first');

-- senders
SELECT results_eq($$SELECT mail.postfix_senders('info+x@a.test')$$, $$VALUES ('ann@d.test')$$, 'as the alias');
SELECT is_empty($$SELECT mail.postfix_senders('zz@d.test')$$, 'a catch-all lets nobody send');
SELECT results_eq($$SELECT mail.postfix_senders('eve@d.test')$$, $$VALUES ('eve@d.test')$$,
                  'who gets a mailbox''s mail may not send as it');
INSERT INTO mail.sender_permissions (login, pattern) VALUES ('bob@d.test', '@d.test');
SELECT is_empty($$SELECT s.pattern FROM mail.snapshot_senders AS s
                  WHERE s.pattern NOT LIKE '@%' AND s.login NOT IN (SELECT mail.senders_of(s.pattern))$$,
                'the table for the programs and the question agree');
UPDATE mail.virtual_users SET enabled = false WHERE email = 'bob@d.test';
SELECT is_empty($$SELECT FROM mail.snapshot_senders WHERE login = 'bob@d.test'$$,
                'who may not log in may not send');
SELECT * FROM finish();
ROLLBACK;
