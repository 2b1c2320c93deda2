-- Bayes: lessons, relearning, what is recalled for whom, what goes again.
BEGIN;
SELECT plan(48);

SELECT mail.add_domain('d.test'), mail.add_domain('e.test');
SELECT mail.add_user(u, 'sixteen letters.', 0) FROM unnest('{ann@d.test,bob@d.test,cat@e.test}'::text[]) AS u;
INSERT INTO mail.alias_domains (name, target) VALUES ('a.test', 'd.test');
INSERT INTO mail.virtual_aliases (source, destination) VALUES
    ('office@d.test', 'ann@d.test'), ('all@d.test', 'ann@d.test'), ('all@d.test', 'bob@d.test'),
    ('out@d.test', 'x@far.test'), ('both@d.test', 'ann@d.test'), ('both@d.test', 'x@far.test');

-- whose base
SELECT is(mail.bayes_mailbox(r::text[]), m, 'the mailbox of ' || r)
FROM (VALUES ('{ann@d.test}', 'ann@d.test'), ('{ANN+x@d.test}', 'ann@d.test'), ('{ann@a.test}', 'ann@d.test'),
             ('{office@d.test}', 'ann@d.test'), ('{office@d.test,ann@d.test}', 'ann@d.test'),
             ('{both@d.test}', 'ann@d.test'), ('{ann@d.test,x@far.test}', 'ann@d.test'), ('{all@d.test}', NULL),
             ('{ann@d.test,cat@e.test}', NULL), ('{out@d.test}', NULL), ('{nobody@d.test}', NULL), ('{not an address}', NULL),
             ('{}', NULL)) AS v (r, m);

-- lessons
CREATE FUNCTION pg_temp.learn(login text, verdict text, what text, tokens bigint[], origin text DEFAULT 'move',
                              version int DEFAULT 1) RETURNS text LANGUAGE sql AS $$
    SELECT l.outcome || coalesce(': ' || nullif(l.reason, ''), '')
    FROM mail.bayes_learn(login, verdict, origin, sha256(what::bytea), tokens, version, '<m>') AS l
$$;
CREATE FUNCTION pg_temp.counts(scope_of text, t bigint) RETURNS text LANGUAGE sql AS $$
    SELECT k.spam || ' ' || k.ham FROM mail.bayes_tokens AS k JOIN mail.bayes_scopes AS c ON c.id = k.scope
    LEFT JOIN mail.virtual_users AS u ON u.id = c.user_id WHERE coalesce(u.email, '*') = scope_of AND k.token = t
$$;
UPDATE mail.bayes_settings SET tokens_min = 2, learned_min = 2;
SELECT is(pg_temp.learn('ann@d.test', 'spam', 'one', '{1,2,3,-4}'), 'learned', 'a first lesson');
SELECT is(pg_temp.counts('ann@d.test', 1), '1 0', 'her base has it');
SELECT is(pg_temp.counts('*', -4), '1 0', 'and the shared one');
SELECT is(pg_temp.learn('ann@d.test', 'spam', 'one', '{1,2,3,-4}'), 'already', 'moved once more: nothing');
SELECT is(pg_temp.counts('*', 1), '1 0', 'is counted once');
SELECT is(pg_temp.learn('ANN@a.test', 'ham', 'one', '{1,2,3,-4}'), 'relearned', 'moved back, by another of her names');
SELECT is(pg_temp.counts('ann@d.test', 1) || ', ' || pg_temp.counts('*', 1), '0 1, 0 1', 'unlearned and learned');
SELECT results_eq('SELECT who, spam, ham FROM mail.bayes_status ORDER BY who',
                  $$VALUES ('*'::text, 0, 1), ('ann@d.test', 0, 1)$$, 'messages too');
SELECT is(pg_temp.learn('ann@d.test', 'spam', 'one', '{8,9}', 'move', 2), 'relearned', 'tokens of another making');
SELECT is(pg_temp.counts('ann@d.test', 1) || ', ' || pg_temp.counts('ann@d.test', 8), '0 1, 1 0', 'stay, and come besides');
SELECT is(pg_temp.learn('bob@d.test', 'ham', 'two', '{7}'), 'too little text: 1 tokens, 2 are needed', 'too little text');
SELECT is(pg_temp.learn('dan@d.test', 'ham', 'two', '{7,8}'), 'refused: no such mailbox', 'a stranger');
SELECT is(pg_temp.learn('bob@d.test', 'ham', 'two', ARRAY(SELECT generate_series(1, 5001))), 'refused: more than 5000 tokens', 'too much');
SELECT is(pg_temp.learn('', 'ham', 'three', '{5,6}', 'auto'), 'learned', 'for all, by itself');
SELECT is(pg_temp.learn('', 'spam', 'three', '{5,6}', 'command'), 'relearned', 'a person says otherwise');
SELECT is(pg_temp.learn('', 'ham', 'three', '{5,6}', 'auto'), 'ignored: somebody said otherwise', 'and that holds');
SELECT results_eq('SELECT outcome, count(*) FROM mail.learn_requests GROUP BY 1 ORDER BY 1',
                  $$VALUES ('already', 1::bigint), ('ignored', 1), ('learned', 2), ('refused', 2), ('relearned', 3),
                           ('too little text', 1)$$, 'every request has its row');
INSERT INTO mail.learn_requests (login, verdict, origin, outcome, digest)
SELECT 'bob@d.test', 'spam', 'move', 'learned', sha256(n::text::bytea) FROM generate_series(1, 1000) AS n;
SELECT is(pg_temp.learn('bob@d.test', 'spam', 'many', '{1,2}'), 'refused: more than 1000 requests in a day', 'a flood of moves');
SELECT is(pg_temp.learn('bob@d.test', 'spam', 'many', '{1,2}', 'command'), 'learned', 'who trains is not held up');

-- settings by domain
INSERT INTO mail.bayes_settings (domain, teach_shared) VALUES ('e.test', false);
SELECT is(pg_temp.learn('cat@e.test', 'spam', 'four', '{41,42}'), 'learned', 'not for others');
SELECT is(pg_temp.counts('cat@e.test', 41) || coalesce(pg_temp.counts('*', 41), ', nothing'), '1 0, nothing', 'her own alone');
UPDATE mail.bayes_settings SET per_user = false WHERE domain = 'e.test';
SELECT is(pg_temp.learn('cat@e.test', 'spam', 'five', '{51,52}'), 'learned', 'no bases of their own');
SELECT is(pg_temp.counts('*', 51) || coalesce(pg_temp.counts('cat@e.test', 51), ', nothing'), '1 0, nothing', 'the shared one alone');
SELECT throws_ok('DELETE FROM mail.bayes_settings', '23514', NULL, 'the row for all stays');
SELECT throws_ok($$UPDATE mail.bayes_settings SET learned_min = NULL WHERE domain = '*'$$, '23514', NULL, 'whole');

-- recalled
SELECT mail.bayes_forget(''), mail.bayes_forget('ann@d.test');
SELECT is((SELECT count(*) FROM mail.bayes_tokens AS t JOIN mail.bayes_scopes AS c ON c.id = t.scope
           LEFT JOIN mail.virtual_users AS u ON u.id = c.user_id WHERE c.id = 0 OR u.email = 'ann@d.test'), 0::bigint, 'forgotten');
SELECT pg_temp.learn('', v, v || n, ARRAY[n, 100 + n, 7], 'command') FROM unnest('{spam,ham}'::text[]) AS v, generate_series(1, 2) AS n;
SELECT pg_temp.learn('ann@d.test', 'spam', 'hers', '{7,8}');
SELECT set_eq($$SELECT * FROM mail.bayes_recall('{ann@d.test}', '{1,7,999}')$$,
              $$VALUES (-1, NULL::bigint, 2::bigint, 2::bigint), (0, NULL, 3, 2), (1, NULL, 1, 0), (0, 1, 1, 1), (0, 7, 3, 2)$$,
              'a base of one class alone is not asked');
SELECT pg_temp.learn('ann@d.test', 'ham', 'hers too', '{7,9}');
SELECT set_eq($$SELECT * FROM mail.bayes_recall('{ann@d.test}', '{1,7,999}')$$,
              $$VALUES (-1, NULL::bigint, 2::bigint, 2::bigint), (0, NULL, 3, 3), (1, NULL, 1, 1), (0, 1, 1, 1), (0, 7, 3, 3),
                       (1, 7, 1, 1)$$, 'both bases');
SELECT set_eq($$SELECT * FROM mail.bayes_recall('{ann@d.test,bob@d.test}', '{7}')$$,
              $$VALUES (-1, NULL::bigint, 2::bigint, 2::bigint), (0, NULL, 3, 3), (0, 7, 3, 3)$$, 'several: the shared one');
UPDATE mail.bayes_settings SET learned_min = 4 WHERE domain = '*';
SELECT is_empty($$SELECT * FROM mail.bayes_recall('{ann@d.test}', '{7}') WHERE token IS NOT NULL$$, 'too little learned: no token is looked up');

-- what goes
UPDATE mail.bayes_tokens SET seen = current_date - 61 WHERE token IN (8, 7);
UPDATE mail.bayes_tokens SET seen = current_date - 501 WHERE token = 101;
SELECT mail.bayes_prune();
SELECT is(pg_temp.counts('ann@d.test', 8), NULL, 'what stood in one message two months ago is gone');
SELECT is(pg_temp.counts('ann@d.test', 7), '1 1', 'what stood in several stays');
DELETE FROM mail.virtual_users WHERE email = 'ann@d.test';
SELECT is_empty('SELECT t.scope FROM mail.bayes_tokens AS t WHERE t.scope NOT IN (SELECT id FROM mail.bayes_scopes)
                 UNION ALL SELECT l.scope FROM mail.bayes_lessons AS l WHERE l.scope NOT IN (SELECT id FROM mail.bayes_scopes)',
                'with its mailbox a base goes');
SELECT is(mail.record_lessons(jsonb_build_array(jsonb_build_object('login', '', 'verdict', 'spam', 'origin', 'auto',
              'digest', encode(sha256('x'), 'hex'), 'tokens', '[-9223372036854775808, 9223372036854775807]'::jsonb,
              'version', 1, 'message_id', '<x>'))), 1::bigint, 'from the program');
SELECT is(pg_temp.counts('*', 9223372036854775807), '1 0', 'tokens of all 64 bits');
SELECT * FROM finish();
ROLLBACK;
