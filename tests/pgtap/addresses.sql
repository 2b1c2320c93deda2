-- Normal form, types, and what plain INSERT, UPDATE and DELETE do.
BEGIN;
SELECT plan(33);

SELECT cmp_ok((SELECT count(*) FROM address_vectors), '>', 30::bigint, 'the vectors are there');
SELECT is_empty($$SELECT input, normal, mail.normal_address(input) FROM address_vectors
                  WHERE mail.normal_address(input) IS DISTINCT FROM normal$$,
                'every shared vector has the normal form that the programs make');
SELECT is_empty($$SELECT normal FROM address_vectors WHERE mail.normal_address(normal) <> normal$$,
                'the normal form of a normal form is itself');
SELECT is(mail.base_address('ann+a+b@example.test'), 'ann@example.test', 'base: up to the first +');
SELECT is(mail.base_address('+a@example.test'), '+a@example.test', 'base: nothing before the +');
SELECT is(mail.base_address('"ann b+c"@example.test'), '"ann b"@example.test', 'base: quoted');
SELECT is(mail.base_address('ann@example.test'), 'ann@example.test', 'base: none');
SELECT is(mail.normal_pattern('@Example.TEST.'), '@example.test', 'pattern of a domain');
SELECT is(mail.normal_domain(repeat('a', 64) || '.test'), NULL, 'a label of 64 letters is none');

SELECT lives_ok($$INSERT INTO mail.virtual_domains (name) VALUES ('Example.TEST.')$$, 'a domain');
SELECT is((SELECT name FROM mail.virtual_domains)::text, 'example.test', 'stored in normal form');
SELECT throws_ok($$INSERT INTO mail.virtual_domains (name) VALUES ('EXAMPLE.test')$$, '23505', NULL,
                 'the same again, written otherwise');
SELECT throws_ok($$INSERT INTO mail.virtual_domains (name) VALUES ('no domain')$$, '23514',
                 '"no domain" is not a domain name', 'a bad domain says so');
SELECT lives_ok($$INSERT INTO mail.virtual_users (email) VALUES ('Ann@EXAMPLE.test')$$,
                'a mailbox without domain_id');
SELECT is((SELECT email || ' ' || (domain_id = (SELECT id FROM mail.virtual_domains))
           FROM mail.virtual_users), 'ann@example.test true', 'domain found, address normal');
SELECT throws_ok($$INSERT INTO mail.virtual_users (email) VALUES ('ann@elsewhere.test')$$, '23503',
                 'domain elsewhere.test of ann@elsewhere.test is not ours', 'foreign domain');
SELECT throws_ok($$INSERT INTO mail.virtual_users (email, domain_id) VALUES ('x@example.test', 99999)$$,
                 '23503', NULL, 'an address and another domain_id');
SELECT throws_ok($$INSERT INTO mail.virtual_users (email) VALUES ('ann')$$, '23514',
                 '"ann" is not a mail address', 'a bad address says so');
SELECT throws_ok($$INSERT INTO mail.virtual_users (email, quota_mb) VALUES ('q@example.test', -1)$$,
                 '23514', NULL, 'a negative quota');
SELECT throws_ok($$DELETE FROM mail.virtual_domains$$, '23503',
                 'domain example.test still has 1 mailboxes', 'a domain with mailboxes stays');
SELECT throws_ok($$UPDATE mail.virtual_domains SET name = 'b.test'$$, '23503', NULL,
                 'and keeps its name');
SELECT lives_ok($$UPDATE mail.virtual_domains SET note = 'x', name = 'EXAMPLE.test'$$,
                'the same name written otherwise is no renaming');

SELECT lives_ok($$INSERT INTO mail.alias_domains (name, target) VALUES ('Alias.test', 'EXAMPLE.TEST')$$,
                'an alias domain');
SELECT throws_ok($$INSERT INTO mail.virtual_domains (name) VALUES ('alias.test')$$, '23505', NULL,
                 'a name is not both');
SELECT throws_ok($$INSERT INTO mail.alias_domains (name, target) VALUES ('example.test', 'example.test')$$,
                 '23505', NULL, 'nor the other way round');
SELECT throws_ok($$INSERT INTO mail.alias_domains (name, target) VALUES ('x.test', 'alias.test')$$,
                 '23503', NULL, 'no alias of an alias');
SELECT throws_ok($$INSERT INTO mail.virtual_users (email) VALUES ('ann@alias.test')$$, '23503',
                 'alias.test is an alias domain, it has no addresses of its own', 'no mailbox there');

SELECT throws_ok($$INSERT INTO mail.sender_permissions (login, pattern) VALUES ('no@example.test', '@x.test')$$,
                 '23503', 'there is no mailbox no@example.test', 'a permission needs a login');
SELECT lives_ok($$INSERT INTO mail.sender_permissions (login, pattern) VALUES ('ANN@example.test', '@X.test')$$,
                'a permission');
SELECT lives_ok($$UPDATE mail.virtual_users SET email = 'anna@example.test'$$, 'a mailbox is renamed');
SELECT is((SELECT login || ' ' || pattern FROM mail.sender_permissions), 'anna@example.test @x.test',
          'its permissions follow');
SELECT lives_ok($$DELETE FROM mail.virtual_users; DELETE FROM mail.virtual_domains$$, 'all goes');
SELECT is_empty($$SELECT FROM mail.alias_domains UNION ALL SELECT FROM mail.sender_permissions$$,
                'and takes along what hangs on it');
SELECT * FROM finish();
ROLLBACK;
