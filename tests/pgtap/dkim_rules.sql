-- Whose keys sign whose mail: rows are put into normal form, nonsense is refused, who_signs tells.
BEGIN;
SELECT plan(39);

INSERT INTO mail.virtual_domains (name) VALUES ('d.test'), ('sub.d.test'), ('provider.test'), ('bare.test');
INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record, state)
SELECT d, s, 'rsa-sha256', '-----BEGIN PRIVATE KEY-----x', 'v=DKIM1; p=' || s, 'active'
FROM (VALUES ('d.test', 'a'), ('d.test', 'b'), ('provider.test', 'p')) AS v (d, s);

SELECT set_eq($$SELECT domain, selector FROM mail.who_signs('Ann@D.test')$$,
              $$VALUES ('d.test', 'a'), ('d.test', 'b')$$, 'without rows: the own keys');
SELECT is_empty($$SELECT FROM mail.who_signs('ann@bare.test')$$, 'no keys: nothing');
INSERT INTO mail.dkim_rules (author, domain) VALUES ('*', 'provider.test');
SELECT set_eq($$SELECT domain FROM mail.who_signs('ann@bare.test')$$, $$VALUES ('provider.test')$$, 'a default domain');
SELECT set_eq($$SELECT DISTINCT domain FROM mail.who_signs('ann@d.test')$$, $$VALUES ('d.test')$$, 'own keys before the default');
SELECT set_eq($$SELECT domain FROM mail.who_signs('ann@a.sub.d.test')$$, $$VALUES ('provider.test')$$, 'below: the default');
INSERT INTO mail.dkim_rules (author, domain, identity) VALUES ('.D.test', 'D.TEST', 'author_domain');
SELECT set_eq($$SELECT DISTINCT domain FROM mail.who_signs('ann@a.sub.d.test')$$, $$VALUES ('d.test')$$, 'a subdomain by rule');
INSERT INTO mail.dkim_rules (author, domain) VALUES ('@.sub.d.test', 'provider.test');
SELECT set_eq($$SELECT domain FROM mail.who_signs('ann@a.sub.d.test')$$, $$VALUES ('provider.test')$$, 'the nearest one');
INSERT INTO mail.dkim_rules (author, action) VALUES ('List@d.test', 'unsigned');
SELECT set_eq($$SELECT domain, why LIKE '%left unsigned' FROM mail.who_signs('list@d.test')$$, $$VALUES (NULL, true)$$, 'unsigned on purpose');
INSERT INTO mail.dkim_rules (author, domain, adds) VALUES ('@d.test', 'provider.test', true);
SELECT set_eq($$SELECT domain, selector FROM mail.who_signs('ann@d.test')$$,
              $$VALUES ('d.test', 'a'), ('d.test', 'b'), ('provider.test', 'p')$$, 'one more signature');
INSERT INTO mail.dkim_rules (author) VALUES ('bare.test');
SELECT set_eq($$SELECT domain, selector, why FROM mail.who_signs('ann@bare.test')$$,
              $$VALUES ('bare.test', NULL::text, 'bare.test has no active key')$$, 'a rule without key');
SELECT set_eq('SELECT author FROM mail.dkim_rules',
              $$VALUES ('*'), ('@.d.test'), ('@.sub.d.test'), ('list@d.test'), ('@d.test'), ('@bare.test')$$, 'authors in normal form');
SELECT set_eq('SELECT pattern, domain, identity FROM mail.snapshot_dkim_rules',
              $$VALUES ('*', 'provider.test', ''), ('.d.test', 'd.test', 'author_domain'), ('.sub.d.test', 'provider.test', ''),
                       ('list@d.test', '', ''), ('d.test', 'provider.test', ''), ('bare.test', '', '')$$, 'as the program reads them');
UPDATE mail.dkim_rules SET enabled = false WHERE author = '@bare.test';
SELECT set_eq($$SELECT domain FROM mail.who_signs('ann@bare.test')$$, $$VALUES ('provider.test')$$, 'switched off');
UPDATE mail.dkim_rules SET expires_after = '14 days', headers = ' + X-Ticket  X-Other', oversign = 'To' WHERE author = '*';
SELECT set_eq($$SELECT expires_s, headers, oversign FROM mail.snapshot_dkim_rules WHERE pattern = '*'$$,
              $$VALUES (1209600::bigint, '+ X-Ticket  X-Other', 'To')$$, 'time and fields');

SELECT throws_ok(format('INSERT INTO mail.dkim_rules (author, %s) VALUES (%L, %s)', k, a, v), code, NULL, format('refused: %s %s %s', a, k, v))
FROM (VALUES ('ann@', 'note', $$''$$, '23514'), ('a b@d.test', 'note', $$''$$, '23514'), ('', 'note', $$''$$, '23514'), ('@', 'note', $$''$$, '23514'),
             (E'd.test\r\nX: y', 'note', $$''$$, '23514'), ('x.test', 'domain', $$'foreign.test'$$, '23503'),
             ('x.test', 'domain', $$'d test'$$, '23514'), ('x.test', 'identity', $$'ann'$$, '23514'),
             ('x.test', 'identity', $$'a;b@d.test'$$, '23514'), ('x.test', 'identity', $$E'a\r\n@d.test'$$, '23514'),
             ('x.test', 'expires_after', $$'1 minute'$$, '23514'), ('x.test', 'expires_after', $$'-1 day'$$, '23514'),
             ('x.test', 'headers', $$'To, Cc'$$, NULL), ('x.test', 'headers', $$'Received'$$, '23514'), ('x.test', 'headers', $$'+ bcc'$$, '23514'),
             ('x.test', 'headers', $$E'To\nX'$$, '23514'), ('x.test', 'headers', $$'To: Cc'$$, '23514'), ('x.test', 'headers', $$'To;b=x'$$, '23514'),
             ('x.test', 'oversign', $$'DKIM-Signature'$$, '23514'), ('x.test', 'action', $$'reject'$$, '23514')) AS t (a, k, v, code)
WHERE code IS NOT NULL;
SELECT throws_ok($$INSERT INTO mail.dkim_rules (author, domain) VALUES ('*', 'provider.test')$$, '23505', NULL, 'twice the same');
SELECT throws_ok($$INSERT INTO mail.dkim_rules (author, domain, identity) VALUES ('x.test', 'd.test', 'a@xd.test')$$, '23514', NULL, 'an identity outside');
SELECT lives_ok($$INSERT INTO mail.dkim_rules (author, domain, identity) VALUES ('x.test', 'd.test', 'a@b.d.test')$$, 'an identity inside');
SELECT throws_ok($$INSERT INTO mail.dkim_rules (author, action, domain) VALUES ('y.test', 'unsigned', 'd.test')$$, '23514', NULL, 'unsigned, and by whom');
INSERT INTO mail.dkim_requests (domain, algorithm) VALUES ('bare.test', 'rsa-sha256');
SELECT set_eq('SELECT domain FROM mail.snapshot_dkim_pending', $$VALUES ('bare.test')$$, 'a key is on its way');
UPDATE mail.dkim_requests SET state = 'failed', error = 'x';
SELECT is_empty('SELECT domain FROM mail.snapshot_dkim_pending', 'and not any more');
SELECT * FROM finish();
ROLLBACK;
