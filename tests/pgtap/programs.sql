-- What the programs record and read, events, the generation, comments.
BEGIN;
SELECT plan(34);

CREATE TEMP TABLE g AS SELECT mail.generation() AS before;
INSERT INTO mail.virtual_domains (name) VALUES ('d.test');
INSERT INTO mail.virtual_users (email, quota_mb) VALUES ('ann@d.test', 1), ('bob@d.test', 0);
SELECT is(mail.generation(), (SELECT before + 1 FROM g), 'the generation grows once a transaction');
SELECT is((SELECT string_agg(kind || ' ' || who, ', ' ORDER BY id) FROM mail.events WHERE at >= now()),
          'virtual_domains insert d.test, virtual_users insert ann@d.test, virtual_users insert bob@d.test',
          'changes leave events');
SELECT lives_ok($$SELECT mail.set_password('ann@d.test', 'sixteen letters.')$$, 'a password');
SELECT is((SELECT detail::text FROM mail.events ORDER BY id DESC LIMIT 1), '{"password": "changed"}',
          'the event of it tells no hash');
UPDATE mail.virtual_users SET quota_mb = 2 WHERE email = 'ann@d.test';
SELECT is((SELECT detail::text FROM mail.events ORDER BY id DESC LIMIT 1), '{"quota_mb": [1, 2]}',
          'an event tells old and new');

SELECT is(mail.record_usage('[{"user":"ann@d.test","bytes":3145728,"messages":4},{"user":"no@d.test","bytes":1},
                              {"user":"bob@d.test","bytes":-5,"messages":1e30}]'), 2::bigint, 'usage');
SELECT results_eq($$SELECT address, quota_bytes, used_bytes, may_receive FROM mail.snapshot_quotas ORDER BY 1$$,
                  $$VALUES ('ann@d.test', 2097152::bigint, 3145728::bigint, true),
                           ('bob@d.test', 0, 0, true)$$, 'limits and usage');
SELECT is((SELECT percent FROM mail.quota_usage WHERE email = 'ann@d.test'), 150.0, 'quota_usage');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what = 'mailbox ann@d.test is full'$$, 'check() sees it');
SELECT is(mail.record_events('[{"kind":"rate","who":"ann@d.test","text":"over","detail":{"n":6}},{"kind":"x"}]'),
          2::bigint, 'events of programs');

INSERT INTO mail.rate_limits (id, limit_count, period) VALUES (71, 5, '1 hour');
INSERT INTO mail.rate_limits (id, who, limit_count, period, burst) VALUES (72, 'ANN@d.test', 10, '1 day', 2);
SELECT results_eq($$SELECT who, period_s, burst FROM mail.snapshot_rate_limits ORDER BY id$$,
                  $$VALUES ('*', 3600::bigint, 5::bigint), ('ann@d.test', 86400, 2)$$, 'limits');
SELECT throws_ok($$INSERT INTO mail.rate_limits (who, limit_count) VALUES ('ann', 1)$$, '23514', NULL,
                 'a limit for nobody');
SELECT is(mail.record_rate(jsonb_build_array(
              jsonb_build_object('id', 72, 'who', 'ann@d.test',
                                 'full_at_us', (extract(epoch FROM now()) * 1e6 + 2 * 8640e6)::bigint),
              jsonb_build_object('id', 99999, 'who', 'x', 'full_at_us', 1))), 1::bigint, 'counters');
SELECT is((SELECT count(*) FROM mail.rate_load()), 1::bigint, 'and back');
SELECT results_eq($$SELECT used, free FROM mail.rate_usage$$, $$VALUES (2::bigint, 0::bigint)$$, 'rate_usage');
SELECT ok((SELECT bool_or(w LIKE 'limit for ann@d.test: 10 messages%') AND bool_or(w LIKE 'used: 2, free: 0, next one at%')
                  AND bool_or(w LIKE '%: rate over') FROM mail.why_limited('Ann@d.test') AS w),
          'why_limited: the best match, its counter, the event');

SELECT is(mail.record_messages('[{"queue_id":"Q1","at":1795000000.5,"host":"mx","client_address":"2001:db8::7",
    "client_name":"c.test","sender":"a@b.test","recipients":["ann@d.test","bob@d.test"],"from":"a@b.test","size":99,
    "spf":"pass","score":7.5,"action":"add header",
    "symbols":[{"name":"A","score":4.25,"evidence":"x"},{"name":"B","score":5},{"name":"C","score":9,"dry_run":true}]},
    {"queue_id":"Q1","at":1795000000,"host":"mx","client_address":"unknown","score":1},
    {"queue_id":"Q1","at":1795100000,"host":"mx","score":2}, {"at":1}]'), 2::bigint,
    'messages: the last word on queue id, host and day');
SELECT is(mail.record_messages('[{"queue_id":"Q2","at":1795000000.5,"host":"mx","client_address":"2001:db8::7",
    "recipients":["ann@d.test"],"size":99,"score":7.5,"action":"add header",
    "symbols":[{"name":"A","score":4.25,"evidence":"x"},{"name":"B","score":5},{"name":"C","score":9,"dry_run":true}]}]'),
    1::bigint, 'a message');
SELECT is((SELECT host(client_address) || ' ' || day || ' ' || size FROM mail.messages WHERE queue_id = 'Q2'),
          '2001:db8::7 2026-11-18 99', 'as it was said');
SELECT results_eq($$SELECT symbol, score, total FROM mail.explain('Q2')$$,
                  $$VALUES ('A', 4.25, 4.25), ('B', 5, 9.25), ('(limits)', -1.75, 7.5), ('add header', NULL, 7.5)$$,
                  'explain adds up to the score');
SELECT throws_ok($$SELECT mail.explain('Q9')$$, 'P0002', 'no message with queue id Q9', 'of no message');

SELECT is(mail.offer_symbols('[{"name":"AA","group":"g","weight":1.5,"description":"a"}]',
                             '[{"name":"g","max":8,"description":"grp"}]'), 2::bigint, 'symbols offered');
UPDATE mail.score_symbols SET weight = 3 WHERE name = 'AA';
SELECT is(mail.offer_symbols('[{"name":"AA","group":"g","weight":1.5,"description":"a"}]',
                             '[{"name":"g","max":8,"description":"grp"}]'), 0::bigint, 'again: nothing');
SELECT is((SELECT weight FROM mail.snapshot_symbols WHERE name = 'AA'), 3::numeric, 'a weight set by people stays');
SELECT results_eq($$SELECT action, threshold FROM mail.snapshot_actions ORDER BY 1$$,
                  $$VALUES ('add header', 6::numeric), ('reject', 15)$$, 'thresholds');

INSERT INTO mail.dkim_requests (domain) VALUES ('D.test');
INSERT INTO mail.dkim_requests (domain, algorithm) VALUES ('d.test', 'ed25519-sha256');
CREATE TEMP TABLE taken AS SELECT * FROM mail.dkim_take_requests();
SELECT is((SELECT string_agg(algorithm || ' ' || right(selector, 1), ', ' ORDER BY id) FROM taken),
          'rsa-sha256 r, ed25519-sha256 e', 'requests taken, selectors found');
SELECT is_empty($$SELECT * FROM mail.dkim_take_requests()$$, 'once');
SELECT lives_ok($$SELECT mail.dkim_store_key(min(id), 's1', 'rsa-sha256',
                  '-----BEGIN PRIVATE KEY-----x', 'v=DKIM1; k=rsa; p=AAAA') FROM taken$$, 'a key stored');
SELECT throws_ok($$SELECT mail.dkim_store_key(min(id), 's2', 'rsa-sha256',
                   '-----BEGIN PRIVATE KEY-----x', 'v=DKIM1; k=rsa; p=AAAA') FROM taken$$, 'P0002', NULL, 'once');
SELECT isnt_empty($$SELECT FROM mail.dns_records WHERE name = 's1._domainkey.d.test' AND value LIKE 'v=DKIM1%'$$,
                  'its record');
SELECT throws_ok($$INSERT INTO mail.dkim_requests (domain) VALUES ('foreign.test')$$, '23503', NULL, 'not ours');

SELECT is((SELECT "user" || nologin FROM mail.dovecot_passdb('ANN@d.test', 'imap')), 'ann@d.testfalse', 'passdb');
UPDATE mail.virtual_users SET enabled = false WHERE email = 'ann@d.test';
SELECT is((SELECT nologin FROM mail.dovecot_passdb('ann@d.test', 'imap')), true, 'disabled: nologin, not unknown');

SELECT is_empty($$
    SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class AS c
    LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'mail'::regnamespace AND c.relkind IN ('r', 'v')
      AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
    UNION ALL
    SELECT p.oid::regprocedure::text FROM pg_proc AS p
    WHERE p.pronamespace = 'mail'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
    UNION ALL
    SELECT t.typname FROM pg_type AS t
    WHERE t.typnamespace = 'mail'::regnamespace AND t.typtype = 'd' AND obj_description(t.oid, 'pg_type') IS NULL$$,
    'every table, view, column, function and type has its comment');
SELECT * FROM finish();
ROLLBACK;
