-- What reports about DMARC are made from, and domains whose policy is not followed.
BEGIN;
SELECT plan(14);

SET ROLE postward_score;
SELECT is(mail.record_messages('[{"queue_id":"Q1","at":1795000000,"host":"mx","dmarc":"pass","action":"none"}]'), 1::bigint,
          'a program that knows nothing of it goes on');
SELECT is(mail.record_messages($$[{"queue_id":"Q2","at":1795000000,"host":"mx","client_address":"192.0.2.7","sender":"a@b.test",
    "dmarc":"fail","action":"none","auth":{"from":"d.test",
    "policy":{"domain":"d.test","p":"reject","pct":50},"evaluated":{"disposition":"none","spf":"fail","dkim":"fail",
    "reason":"local_policy"},"spf":[{"domain":"b.test","scope":"mfrom","result":"pass"}],"dkim":[]}},
    {"queue_id":"Q3","at":1795000000,"host":"mx","auth":{"from":"e.test","spf":[],"dkim":[]}},
    {"queue_id":"Q4","at":1795000000,"host":"mx","auth":"x"}]$$), 3::bigint, 'one that does');
RESET ROLE;
SELECT is((SELECT auth FROM mail.messages WHERE queue_id = 'Q1'), NULL, 'nothing is known of the old one''s');
SELECT is((SELECT auth FROM mail.messages WHERE queue_id = 'Q4'), NULL, 'nor of what is no object');
SELECT results_eq($$SELECT queue_id, host(source_ip), header_from, envelope_from, policy_domain, policy_published ->> 'pct',
                           result, disposition, spf, dkim, reason, spf_results #>> '{0,scope}', jsonb_array_length(dkim_results)
                    FROM mail.dmarc_results$$,
    $$VALUES ('Q2', '192.0.2.7', 'd.test', 'a@b.test', 'd.test', '50', 'fail', 'none', 'fail', 'fail', 'local_policy', 'mfrom', 0)$$,
    'where there is a policy there is a row for its report');
SET ROLE postward_score;
SELECT is(mail.record_messages('[{"queue_id":"Q2","at":1795000000,"host":"mx","dmarc":"pass"}]'), 1::bigint, 'the last word counts');
RESET ROLE;
SELECT is_empty('SELECT FROM mail.dmarc_results', 'for this too');

SET ROLE postward_admin;
INSERT INTO mail.dmarc_overrides (domain) VALUES ('Lists.Example.ORG'), ('.Example.ORG');
SELECT set_eq('SELECT domain, disposition FROM mail.dmarc_overrides',
              $$VALUES ('lists.example.org', 'none'), ('.example.org', 'none')$$, 'in normal form');
SELECT throws_ok($$INSERT INTO mail.dmarc_overrides VALUES ('ann@example.org')$$, '23514', NULL, 'no address');
SELECT throws_ok($$INSERT INTO mail.dmarc_overrides VALUES ('..example.org')$$, '23514', NULL, 'no domain');
SELECT throws_ok($$INSERT INTO mail.dmarc_overrides VALUES ('x.test', 'drop')$$, '23514', NULL, 'no word of DMARC''s');
UPDATE mail.dmarc_overrides SET enabled = false WHERE domain = 'lists.example.org';
RESET ROLE;
SET ROLE postward_score;
SELECT results_eq('SELECT domain, disposition FROM mail.snapshot_dmarc_overrides', $$VALUES ('.example.org', 'none')$$,
                  'postward-score reads those that count');
SELECT throws_ok('SELECT FROM mail.dmarc_overrides', '42501', NULL, 'and not the table');
RESET ROLE;
SELECT is((SELECT count(*) FROM mail.events WHERE kind LIKE 'dmarc_overrides %'), 3::bigint, 'events');
SELECT * FROM finish();
ROLLBACK;
