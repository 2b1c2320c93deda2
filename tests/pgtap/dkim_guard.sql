-- The guard's alarms become events, one an hour and domain; rules for signatures that nobody can make are named.
BEGIN;
SELECT plan(13);
CREATE FUNCTION pg_temp.alarm(VARIADIC domains text[]) RETURNS bigint LANGUAGE sql AS $$
    SELECT mail.record_dkim_alarms(jsonb_agg(jsonb_build_object('domain', d, 'selector', 's1', 'why', 'body hash mismatch',
                                                                'queue_id', '4fQ2xT1z9Yz')))
    FROM unnest(domains) AS d
$$;
INSERT INTO mail.virtual_domains (name) VALUES ('d.test'), ('e.test'), ('bare.test'), ('gone.test');

SET ROLE postward_dkim;
SELECT is(mail.record_dkim_alarms('[{"domain": "d.test", "selector": "s1", "why": "body hash mismatch", "queue_id": "4fQ2xT1z9Yz"}]'),
          1::bigint, 'postward-dkim writes an alarm');
SELECT throws_ok('SELECT FROM mail.events', '42501', NULL, 'and reads none');
RESET ROLE;
SELECT results_eq($$SELECT who, text, detail ->> 'selector', detail ->> 'queue_id' FROM mail.events WHERE kind = 'dkim_guard'$$,
    $$VALUES ('d.test', 'a message left with a signature of d.test that does not hold: body hash mismatch', 's1', '4fQ2xT1z9Yz')$$,
    'with what is known');
SELECT is(pg_temp.alarm('D.test', 'd.test.'), 0::bigint, 'a second one of the hour is not written');
SELECT is(pg_temp.alarm('e.test', 'e.test', 'd.test'), 1::bigint, 'nor two of one batch');
UPDATE mail.events SET at = at - interval '61 minutes' WHERE kind = 'dkim_guard';
SELECT is(pg_temp.alarm('d.test'), 1::bigint, 'an hour later it is');
SELECT is(pg_temp.alarm('no domain', '', NULL), 0::bigint, 'what is no domain is passed over');
SELECT is(mail.record_dkim_alarms(jsonb_build_array(jsonb_build_object('domain', 'long.test', 'why', repeat('x', 9999)))),
          1::bigint, 'a long reason');
SELECT is((SELECT length(text) < 300 FROM mail.events WHERE who = 'long.test'), true, 'is cut');
SELECT is((SELECT count(*) FROM mail.check() WHERE severity = 'error' AND what LIKE '%does not hold%'), 3::bigint,
          'mail.check() tells each domain''s newest');

INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record, state)
VALUES ('d.test', 'a', 'rsa-sha256', '-----BEGIN PRIVATE KEY-----x', 'v=DKIM1; p=a', 'active');
CREATE FUNCTION pg_temp.keyless() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT what FROM mail.check() WHERE what LIKE 'rule %' ORDER BY what COLLATE "C"
$$;
INSERT INTO mail.dkim_rules (id, author, domain) OVERRIDING SYSTEM VALUE VALUES (1, '*', 'd.test'), (2, '@.bare.test', NULL);
INSERT INTO mail.dkim_rules (id, author, action) OVERRIDING SYSTEM VALUE VALUES (3, 'ann@bare.test', 'unsigned');
INSERT INTO mail.dkim_rules (id, author, domain, enabled) OVERRIDING SYSTEM VALUE VALUES (4, 'bob@bare.test', 'e.test', false);
SELECT is_empty('SELECT * FROM pg_temp.keyless()', 'rules with a key, or without need of one, are no problem');
INSERT INTO mail.dkim_rules (id, author, domain) OVERRIDING SYSTEM VALUE
VALUES (5, '@bare.test', NULL), (6, '@d.test', 'e.test'), (7, '@e.test', 'gone.test');
DELETE FROM mail.virtual_domains WHERE name = 'gone.test';
SELECT results_eq('SELECT * FROM pg_temp.keyless()', ARRAY[
    'rule 5 signs mail of @bare.test with keys of bare.test, which has none in use',
    'rule 6 signs mail of @d.test with keys of e.test, which has none in use',
    'rule 7 signs mail of @e.test with keys of gone.test, which has none in use'], 'each without is named');
INSERT INTO mail.dkim_requests (domain, selector) VALUES ('e.test', 'soon');
SELECT results_eq($$SELECT hint FROM mail.check() WHERE what LIKE 'rule %' ORDER BY what COLLATE "C"$$, ARRAY[
    'SELECT mail.dkim_rotate(''bare.test'');', 'DELETE FROM mail.dkim_rules WHERE id = 7;'],
    'with what cures it, unless a key is on its way');
SELECT * FROM finish();
ROLLBACK;
