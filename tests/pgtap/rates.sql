-- Limits of sending: what a row may say, what programs read, counters, suspensions.
BEGIN;
SELECT plan(54);
INSERT INTO mail.virtual_domains (name) VALUES ('d.test');
INSERT INTO mail.virtual_users (email) VALUES ('ann@d.test'), ('bob@d.test');

-- normal forms
INSERT INTO mail.rate_limits (id, key, who, limit_count) VALUES
    (1, 'login', '*', 1), (2, ' login,recipient_domain ', 'ANN@D.test', 2), (3, 'client', '192.0.2.77/24', 3),
    (4, 'sender_domain', 'Far.Example.', 4), (5, 'client_name', '.DYN.example.net', 5), (6, 'sender', '@.Far.Example', 6),
    (7, 'server_port', '25', 7), (8, 'server', '*', 8), (9, 'client', '2001:DB8::1', 9), (10, 'policy_context', 'In', 10),
    (11, 'login', '@.d.test', 11);
SELECT results_eq($$SELECT key, who FROM mail.rate_limits ORDER BY id$$,
    $$VALUES ('login', '*'), ('login recipient_domain', 'ann@d.test'), ('client', '192.0.2.0/24'),
             ('sender_domain', '@far.example'), ('client_name', 'dyn.example.net'), ('sender', '@.far.example'),
             ('server_port', '25'), ('server', '*'), ('client', '2001:db8::1'), ('policy_context', 'In'), ('login', '@.d.test')$$,
    'normal forms of key and who');
UPDATE mail.rate_limits SET sender = ' <> ', login = 'ANN@d.test', recipient = '@.X.test', client_name = 'H.test' WHERE id = 8;
SELECT results_eq($$SELECT sender, login, recipient, client_name FROM mail.rate_limits WHERE id = 8$$,
                  $$VALUES ('<>', 'ann@d.test', '@.x.test', 'h.test')$$, 'normal forms of the conditions');

-- readable errors
SELECT throws_like(format('INSERT INTO mail.rate_limits (%s, limit_count) VALUES (%s, 5)', c, v), said, c || ' = ' || v)
FROM (VALUES
    ('key', '''mood''', '"mood" is nothing a limit can count by'),
    ('key', '''''', '"" is nothing a limit can count by'),
    ('key', '''login login''', '"login login" is nothing a limit can count by'),
    ('key', '''login sender client recipient''', '%is nothing a limit can count by'),
    ('key', '''server login''', '%is nothing a limit can count by'),
    ('key, who', '''client'', ''ann@d.test''', '"ann@d.test" is no client of a limit'),
    ('key, who', '''server'', ''x''', '"x" is no server of a limit'),
    ('key, who', '''server_port'', ''70000''', '"70000" is no server_port of a limit'),
    ('who', '''ann''', '"ann" is no login of a limit'),
    ('who', '''<>''', '"<>" is no login of a limit'),
    ('sender', '''a b''', '"a b" is no sender of a limit'),
    ('client_name', '''a b''', '"a b" is no client_name of a limit'),
    ('client', '''192.0.2.7/24''', '%cidr%'),
    ('unit', '''stones''', '%"unit: messages, recipients or bytes"%'),
    ('kind', '''leaky''', '%"kind: bucket or window"%'),
    ('kind, burst', '''window'', 5', '%"burst: from 1 up, as limit_count; a window has none"%'),
    ('burst', '0', '%"burst: from 1 up%'),
    ('burst, period', '1000000000, ''366 days''', '%"burst: fills up within 100 years"%'),
    ('action', '''drop''', '%"action: defer, reject, hold or block"%'),
    ('key, action', '''client'', ''block''', '%"action block: the key begins with login"%'),
    ('code', '''550 5.7.1''', '%"code: 4xx 4.x.x to defer%'),
    ('action, code', '''reject'', ''450 4.7.1''', '%"code: 4xx 4.x.x to defer%'),
    ('action, code', '''hold'', ''450 4.7.1''', '%"code: 4xx 4.x.x to defer%'),
    ('block_for', '''1 second''', '%"block_for: 1 minute to 366 days"%'),
    ('on_outage', '''maybe''', '%"on_outage: share, open or closed"%'),
    ('priority', '1001', '%"priority: -1000 to 1000"%'),
    ('prefix4', '33', '%"prefix4: 0 to 32"%'),
    ('prefix6', '129', '%"prefix6: 0 to 128"%'),
    ('tell', '''everybody''', '%"tell: nobody, user, admin or both"%'),
    ('server_port', '0', '%"server_port: 1 to 65535"%'),
    ('policy_context', '''''', '%"policy_context: 1 to 100 characters"%')
) AS v (c, v, said);
SELECT throws_like('INSERT INTO mail.rate_limits (limit_count) VALUES (2000000000)', '%"limit_count: 0 to a billion%', 'too many');
SELECT lives_ok($$INSERT INTO mail.rate_limits (unit, limit_count) VALUES ('bytes', 4398046511104)$$, '4 TiB');
SELECT throws_like('INSERT INTO mail.rate_limits (limit_count, inherit) VALUES (0, true)', '%"inherit: not with a limit of 0"%', 'none and more');
SELECT throws_like('INSERT INTO mail.rate_limits (limit_count) VALUES (9)', '%rate_limits_once%', 'the same row twice');
SELECT lives_ok($$INSERT INTO mail.rate_limits (limit_count, period) VALUES (9, '1 day')$$, 'several of one who: another period');
SELECT throws_like('INSERT INTO mail.rate_exemptions (note) VALUES (''all'')', '%"an exemption needs a condition"%', 'everything exempted');

-- what programs before see
DELETE FROM mail.rate_limits;
INSERT INTO mail.rate_limits (id, who, limit_count, kind, unit, action, key, sender) VALUES
    (21, '*', 1, 'bucket', 'messages', 'defer', 'login', NULL), (22, '*', 2, 'window', 'messages', 'defer', 'login', NULL),
    (23, '*', 3, 'bucket', 'bytes', 'defer', 'login', NULL), (24, '*', 4, 'bucket', 'messages', 'hold', 'login', '@x.test'),
    (25, '*', 5, 'bucket', 'messages', 'defer', 'client', NULL), (26, '@d.test', 6, 'bucket', 'recipients', 'block', 'login', NULL);
SELECT results_eq($$SELECT id, action FROM mail.snapshot_rate_limits ORDER BY id$$, $$VALUES (21::bigint, 'defer'), (26, 'reject')$$,
                  'old programs get what they understand');
SELECT is((SELECT count(*) FROM mail.snapshot_rate_rules), 6::bigint, 'new ones all');

-- counters
CREATE TEMP TABLE t AS SELECT (extract(epoch FROM now()) * 1e6)::bigint AS us;
SELECT is(mail.record_rate(jsonb_build_array(jsonb_build_object('id', 22, 'who', 'ann@d.test', 'full_at_us', us + 3000e6,
    'head_us', us - 10e6, 'width_us', 75e6, 'counts', '[1,0,1]'::jsonb, 'over', 4, 'told_until_us', us + 60e6)))
    , 1::bigint, 'a window is stored') FROM t;
SELECT results_eq($$SELECT used, free, over, next_at BETWEEN now() + '57 minutes' AND now() + '59 minutes' FROM mail.rate_usage$$,
                  $$VALUES (2::bigint, 0::bigint, 4::bigint, true)$$, 'and read by people');
SELECT results_eq($$SELECT array_to_string(counts, ','), width_us, over FROM mail.rate_state$$, $$VALUES ('1,0,1', 75000000::bigint, 4::bigint)$$, 'part by part');
SELECT is_empty('SELECT FROM mail.rate_load()', 'not by old ones');
SELECT is(mail.rate_reset('Ann@d.test'), 1::bigint, 'set to zero');
SELECT results_eq('SELECT limit_id, who FROM mail.snapshot_rate_resets ORDER BY id', $$VALUES (22::bigint, 'ann@d.test'), (NULL, 'ann@d.test')$$,
                  'programs are told');
INSERT INTO mail.rate_state (limit_id, who, full_at_us) SELECT 25, '192.0.2.' || i, 1 FROM generate_series(1, 5) AS i;
DELETE FROM mail.rate_limits WHERE id = 25;
SELECT is((SELECT count(*) FROM mail.rate_resets), 2::bigint, 'counters that go with their limit are no news');

INSERT INTO mail.rate_state (limit_id, who, full_at_us) SELECT 21, 'n' || i, us + 1000e6 FROM t, generate_series(1, 3) AS i;
DELETE FROM mail.rate_state WHERE who IN ('n1', 'n2');
SELECT results_eq('SELECT limit_id, who FROM mail.rate_resets WHERE id > (SELECT min(id) + 1 FROM mail.rate_resets) ORDER BY who',
                  $$VALUES (21::bigint, 'n1'), (21, 'n2')$$, 'rows that are deleted are');
INSERT INTO mail.rate_state (limit_id, who, full_at_us) SELECT 21, 'o' || i, us - i * 1000e6 FROM t, generate_series(1, 9) AS i;
SELECT mail.rate_prune();
SELECT results_eq('SELECT who FROM mail.rate_state ORDER BY who', $$VALUES ('n3'), ('o1'), ('o2'), ('o3')$$, 'whole for an hour: forgotten');
SELECT is((SELECT count(*) FROM mail.rate_resets), 4::bigint, 'which is no news');

-- suspensions
SELECT is(mail.record_sending_blocks('[{"login":"ANN@d.test","until_ms":1,"rule":26},{"login":"Bob@d.test","until_ms":99999999999999,"rule":26}]'),
          0::bigint, 'suspensions that are over, or for ever');
SELECT is(mail.record_sending_blocks(jsonb_build_array(jsonb_build_object('login', 'ANN@d.test', 'rule', 26, 'why', 'much',
    'until_ms', us / 1000 + 60000))), 1::bigint, 'a suspension') FROM t;
SELECT ok((SELECT bool_or(w LIKE 'ann@d.test may not send until%: much; DELETE FROM mail.sending_blocks%') FROM mail.why_limited('ann@d.test') AS w),
          'why_limited tells');
SELECT * FROM finish();
ROLLBACK;
