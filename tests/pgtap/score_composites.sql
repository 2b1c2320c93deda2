-- Own composites: each is a symbol, and what the program cannot use is a problem that mail.check() names.
BEGIN;
SELECT plan(19);
SELECT lives_ok($$INSERT INTO mail.score_composites (name, expression, weight, description)
                  VALUES ('lure', 'PHISHING_ANCHOR & !(DMARC_PASS | +bayes)', 2, 'a lure')$$, 'a composite');
SELECT results_eq($$SELECT name, grp, weight, enabled, dry_run, description FROM mail.score_symbols WHERE name = 'LURE'$$,
                  $$VALUES ('LURE', 'own', 2::numeric, true, false, 'a lure')$$, 'is a symbol');
SELECT results_eq($$SELECT name, expression, parts FROM mail.snapshot_score_composites$$,
                  $$VALUES ('LURE', 'PHISHING_ANCHOR & !(DMARC_PASS | +bayes)', 'keep')$$, 'and in the snapshot');
UPDATE mail.score_composites SET weight = 4, dry_run = true, grp = 'mine', parts = 'remove weight' WHERE name = 'LURE';
SELECT results_eq($$SELECT grp, weight, dry_run FROM mail.snapshot_symbols WHERE name = 'LURE'$$,
                  $$VALUES ('mine', 4::numeric, true)$$, 'its symbol follows');
INSERT INTO mail.score_rules (name, kind, pattern, weight) VALUES ('rule', 'body', 'x', 1);
SELECT throws_ok($$INSERT INTO mail.score_composites (name, expression, weight) VALUES ('RULE', 'SPF_FAIL', 1)$$,
                 '23505', 'there is a symbol RULE already', 'a name of a rule');
SELECT throws_ok($$INSERT INTO mail.score_rules (name, kind, pattern, weight) VALUES ('LURE', 'body', 'x', 1)$$,
                 '23505', 'there is a symbol LURE already', 'and the other way round');
SELECT throws_ok(format('INSERT INTO mail.score_composites (name, expression, parts, weight) VALUES (%L, %L, %L, 1)',
                        'C', expression, parts), '23514', NULL, why)
FROM (VALUES ('', 'keep', 'nothing'), ('SPF_FAIL && a > 2', 'keep', 'a strange character'),
             ('SPF_FAIL', 'drop', 'no such fate'), (repeat('SPF_FAIL|', 112), 'keep', 'too long'))
     AS v (expression, parts, why);

SELECT is(mail.tell_score_rules('[{"name": "LURE", "problem": "no symbol X at character 3"}]'), 1::bigint,
          'the program says what it cannot use');
SELECT results_eq($$SELECT severity, what FROM mail.check() WHERE what LIKE 'composite %'$$,
                  $$VALUES ('error', 'composite LURE is not used: no symbol X at character 3')$$, 'check() tells');
SELECT is_empty($$SELECT FROM mail.check() WHERE what LIKE 'rule %'$$, 'once');
UPDATE mail.score_composites SET expression = 'PHISHING_ANCHOR';
SELECT is_empty($$SELECT FROM mail.check() WHERE what LIKE 'composite %'$$, 'not of one that was changed since');
DELETE FROM mail.score_symbols WHERE name = 'LURE';
SELECT results_eq($$SELECT severity, what FROM mail.check() WHERE what LIKE 'composite %'$$,
                  $$VALUES ('error', 'composite LURE does nothing: its row of mail.score_symbols is gone')$$, 'nor one without');
UPDATE mail.score_composites SET enabled = false;
SELECT is_empty($$SELECT FROM mail.snapshot_score_composites$$, 'not one that is off');
DELETE FROM mail.score_composites;
SELECT is_empty($$SELECT FROM mail.score_symbols WHERE name = 'LURE'$$, 'a composite goes with its symbol');

SELECT is(mail.record_messages('[{"queue_id": "4f", "host": "mx", "at": 1795249800, "score": 4, "action": "none", "symbols": [
    {"name": "SPF_FAIL", "score": 1, "evidence": ""}, {"name": "LURE", "score": 4, "evidence": "SPF_FAIL"},
    {"name": "parts:LURE", "score": -1, "evidence": "points of its parts"}]}]'), 1::bigint, 'a message');
SELECT results_eq($$SELECT symbol, score, total, meaning FROM mail.explain('4f') WHERE symbol <> 'SPF_FAIL' AND symbol <> 'LURE'$$,
                  $$VALUES ('parts:LURE', -1::numeric, 4::numeric, 'LURE stands for its parts'),
                           ('none', NULL, 4, 'what was done')$$, 'the column adds up');
SELECT * FROM finish();
ROLLBACK;
