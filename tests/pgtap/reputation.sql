-- Reputation: counting, fading, lessons, what goes again, who may what.
BEGIN;
SELECT plan(16);

SELECT is(mail.reputation_faded(n, a::interval), r, n || ' after ' || a)
FROM (VALUES (1000::bigint, '0', 1000::bigint), (1000, '30 days', 500), (1000, '60 days', 250), (1000, '15 days', 750),
             (1000, '-1 day', 1000), (1000, '10 years', 0)) AS v (n, a, r);

SELECT is(mail.record_reputation('[{"message_id": "<1>", "verdict": "spam", "sources": ["network:192.0.2.0/24", "url:a.test"]},
    {"message_id": "<2>", "verdict": "ham", "sources": ["network:192.0.2.0/24"]},
    {"message_id": "<3>", "verdict": "", "sources": ["dkim:b.test"]},
    {"message_id": "<4>", "verdict": "spam", "sources": ["strange:x", "url:"]}]'), 4::bigint, 'four at once');
SELECT set_eq('SELECT kind, name, spam, ham FROM mail.reputation',
              $$VALUES ('network', '192.0.2.0/24', 1.0, 1.0), ('url', 'a.test', 1.0, 0.0)$$, 'what is clear is counted');
SELECT set_eq($$SELECT * FROM mail.reputation_recall('{dkim:b.test,url:a.test,network:192.0.2.0/24}')$$,
              $$VALUES (2, 1000::bigint, 0::bigint), (3, 1000, 1000)$$, 'recalled by place');
UPDATE mail.reputation_counts SET counted_at = now() - interval '30 days' WHERE source = 'url:a.test';
SELECT mail.record_reputation('[{"message_id": "<5>", "verdict": "spam", "sources": ["url:a.test"]}]');
SELECT is((SELECT spam FROM mail.reputation WHERE name = 'a.test'), 1.5, 'half is forgotten, the new one counts whole');

INSERT INTO mail.learn_requests (verdict, origin, outcome, digest, message_id)
VALUES ('ham', 'move', 'learned', sha256('1'), '<5>'), ('ham', 'move', 'learned', sha256('1'), '<5>'),
       ('spam', 'auto', 'learned', sha256('2'), '<2>'), ('ham', 'move', 'already', sha256('3'), '<1>'),
       ('spam', 'move', 'learned', sha256('5'), '<3>');
SELECT set_eq('SELECT name, spam, ham FROM mail.reputation',
              $$VALUES ('a.test', 0.5, 1.0), ('192.0.2.0/24', 1.0, 1.0), ('b.test', 1.0, 0.0)$$,
              'a person is right, once; what teaches itself changes nothing');

UPDATE mail.reputation_counts SET counted_at = now() - interval '121 days' WHERE source = 'dkim:b.test';
UPDATE mail.reputation_messages SET at = now() - interval '31 days' WHERE message_id <> '<5>';
SELECT is(mail.record_reputation('[]'), 0::bigint, 'nothing to count');
SELECT ok(NOT EXISTS (SELECT FROM mail.reputation WHERE name = 'b.test'), 'the long silent go');
SELECT is((SELECT array_agg(message_id) FROM mail.reputation_messages), '{<5>}', 'old messages go');
SET LOCAL ROLE postward_admin;
SELECT lives_ok($$DELETE FROM mail.reputation WHERE name = 'a.test'$$, 'an admin lets one begin anew');
SELECT throws_ok('DELETE FROM mail.reputation_counts', '42501', NULL, 'by the view alone');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
