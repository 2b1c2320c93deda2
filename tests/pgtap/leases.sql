-- Leases: several nodes, one counter.
BEGIN;
SELECT plan(38);

CREATE FUNCTION pg_temp.lease(node_has bigint, until_at bigint, rule bigint, who text, cost bigint DEFAULT 1,
                              need bigint DEFAULT 1,
                              OUT held bigint, OUT until bigint, OUT lasts_us bigint, OUT free bigint,
                              OUT behind_us bigint, OUT next_us bigint, OUT nodes int) AS $$
    SELECT l.held, l.until_at, l.lasts_us, l.free, l.behind_us, l.next_us, l.nodes
    FROM mail.rate_lease(jsonb_build_array(jsonb_build_object(
        'id', rule, 'who', who, 'cost', cost, 'need', need, 'have', node_has, 'until', until_at))) AS l
$$ LANGUAGE sql;
CREATE FUNCTION pg_temp.settle(batch bigint, deltas jsonb) RETURNS bigint AS $$
    SELECT mail.rate_settle(jsonb_build_object('node', 'a', 'program', 'p', 'batch', batch, 'deltas', deltas))
$$ LANGUAGE sql;

INSERT INTO mail.rate_limits (id, limit_count, period) VALUES (1, 100, '1 day');
INSERT INTO mail.rate_limits (id, who, limit_count, period) VALUES (2, 'seven@d.test', 3, '7 seconds');
INSERT INTO mail.rate_limits (id, who, limit_count, period, kind) VALUES (3, 'w@d.test', 10, '1 day', 'window');
INSERT INTO mail.rate_limits (id, who, limit_count) VALUES (4, 'free@d.test', 0);

-- nodes
SELECT is(mail.nodes_alive(), 1, 'nobody is one');
SELECT is(mail.node_seen('a', 'p'), 1, 'a node');
SELECT is(mail.node_seen('b', 'p'), 2, 'two nodes');
UPDATE mail.nodes SET seen_at = seen_at - interval '11 seconds' WHERE name = 'b';
SELECT is(mail.nodes_alive(), 1, 'one that is silent for 10 s counts no more');
SELECT mail.node_gone('b', 'p');
SELECT is((SELECT count(*) FROM mail.nodes), 1::bigint, 'one that ends is gone');

-- buckets
SELECT results_eq($$SELECT held, free, next_us, nodes FROM pg_temp.lease(0, 0, 1, 'ann')$$,
                  $$VALUES (12::bigint, 88::bigint, 0::bigint, 1)$$, 'far from the limit: an eighth of it');
SELECT results_eq($$SELECT held, free FROM pg_temp.lease(0, 0, 1, 'ann', 20, 30)$$,
                  $$VALUES (30::bigint, 58::bigint)$$, 'what is needed now');
SELECT results_eq($$SELECT held, free, next_us > 863000000 AND next_us <= 864000000 FROM pg_temp.lease(0, 0, 1, 'ann', 59)$$,
                  $$VALUES (0::bigint, 58::bigint, true)$$, 'more than there is: nothing, and when it will be there');
SELECT is((SELECT next_us FROM pg_temp.lease(0, 0, 1, 'ann', 101)), -1::bigint, 'more than there ever is');
SELECT is((SELECT sum(held) FROM generate_series(1, 40) AS g, pg_temp.lease(0 * g, 0, 1, 'ann')), 58::numeric,
          'all that were given together are the limit');
SELECT results_eq($$SELECT used, free FROM mail.rate_usage WHERE who = 'ann'$$, $$VALUES (100::bigint, 0::bigint)$$,
                  'rate_usage');
SELECT is((SELECT held FROM pg_temp.lease(7, 5, 1, 'ann', 1)), 7::bigint, 'a refused node keeps what it has');

-- giving back
CREATE TEMP TABLE lease AS SELECT * FROM pg_temp.lease(0, 0, 1, 'bob');
SELECT is(pg_temp.settle(1, jsonb_build_array(jsonb_build_object(
              'id', 1, 'who', 'bob', 'back', 12, 'until', (SELECT until FROM lease)))), 1::bigint, 'given back');
SELECT is((SELECT free FROM mail.rate_usage WHERE who = 'bob'), 100::bigint, 'whole again');
SELECT is((SELECT held FROM pg_temp.lease(0, 0, 1, 'bob')), 12::bigint, 'taken');
SELECT is(pg_temp.settle(1, jsonb_build_array(jsonb_build_object(
              'id', 1, 'who', 'bob', 'back', 12, 'until', (SELECT until FROM lease)))), 0::bigint,
          'the same batch twice is one');
SELECT is((SELECT free FROM mail.rate_usage WHERE who = 'bob'), 88::bigint, 'and changed nothing');
SELECT is(pg_temp.settle(2, jsonb_build_array(jsonb_build_object(
              'id', 1, 'who', 'bob', 'back', 12, 'until', 1))), 1::bigint, 'a lease that has flowed back');
SELECT is((SELECT free FROM mail.rate_usage WHERE who = 'bob'), 88::bigint, 'does not come back a second time');
TRUNCATE lease;
INSERT INTO lease SELECT * FROM pg_temp.lease(0, 0, 1, 'eve');
SELECT results_eq($$SELECT n.held, n.free FROM lease, pg_temp.lease(lease.held - 8, lease.until, 1, 'eve') AS n$$,
                  $$VALUES (12::bigint, 80::bigint)$$, 'a lease filled up: what was left of it counts');

-- what was counted in an outage
SELECT is(pg_temp.settle(3, '[{"id": 1, "who": "out", "used": 30, "lasts_us": 20000000000, "age_us": 0}]'), 1::bigint,
          'counted in an outage');
SELECT is((SELECT used FROM mail.rate_usage WHERE who = 'out'), 24::bigint, 'as much of it as has not flowed back');
SELECT is(pg_temp.settle(4, '[{"id": 1, "who": "out", "used": 90, "lasts_us": 0, "age_us": 0}]'), 1::bigint, 'and more');
SELECT results_eq($$SELECT used, free FROM mail.rate_usage WHERE who = 'out'$$, $$VALUES (100::bigint, 0::bigint)$$,
                  'never emptier than empty');
SELECT is(pg_temp.settle(5, '[{"id": 99, "who": "x", "used": 1}, {"id": 4, "who": "x", "used": 1}]'), 0::bigint,
          'limits that are gone, or none');

-- exact: 3 in 7 s
SELECT is((SELECT sum(held) FROM generate_series(1, 4) AS g, pg_temp.lease(0 * g, 0, 2, 'seven')), 3::numeric, 'three');
SELECT ok((SELECT next_us BETWEEN 2000000 AND 2333334 FROM pg_temp.lease(0, 0, 2, 'seven')), 'the next after 2 1/3 s');
SELECT is((SELECT part * 7000000 % 3 FROM mail.rate_state WHERE who = 'seven'), 0::bigint, 'nothing is rounded');

-- windows
SELECT is((SELECT sum(held) FROM generate_series(1, 12) AS g, pg_temp.lease(0 * g, 0, 3, 'w')), 10::numeric, 'a window');
SELECT ok((SELECT next_us BETWEEN 86400000000 AND 88300000000 FROM pg_temp.lease(0, 0, 3, 'w')),
          'comes back when the slot has left the period');
SELECT is(pg_temp.settle(6, jsonb_build_array(jsonb_build_object('id', 3, 'who', 'w', 'back', 4, 'until',
              (SELECT head_us / width_us FROM mail.rate_state WHERE who = 'w')))), 1::bigint, 'given back');
SELECT is((SELECT free FROM mail.rate_usage WHERE who = 'w'), 4::bigint, 'to its slot');
UPDATE mail.rate_state SET head_us = head_us - 49 * width_us WHERE who = 'w';
SELECT is((SELECT free FROM mail.rate_usage WHERE who = 'w'), 10::bigint, 'an old window is whole');

-- a changed limit keeps what was used
UPDATE mail.rate_limits SET limit_count = 200 WHERE id = 1;
SELECT results_eq($$SELECT used, free FROM mail.rate_usage WHERE who = 'ann'$$, $$VALUES (100::bigint, 100::bigint)$$,
                  'the difference is free at once');
SELECT is_empty($$SELECT FROM mail.rate_lease('[{"id": 4, "who": "free"}, {"id": 99, "who": "x"}]')$$, 'no limit, no lease');
SELECT is((SELECT count(*) FROM mail.rate_load()), 5::bigint, 'an older program reads the buckets');

-- a window's tokens that come back under the slot before theirs
SELECT is((SELECT held FROM pg_temp.lease(0, 0, 3, 'old', 4, 4)), 4::bigint, 'four of this slot');
SELECT pg_temp.settle(60, jsonb_build_array(jsonb_build_object(
    'id', 3, 'who', 'old', 'back', 3, 'until', (SELECT head_us / width_us - 1 FROM mail.rate_state WHERE who = 'old'))));
SELECT is((SELECT used FROM mail.rate_usage WHERE who = 'old'), 1::bigint, 'come back all the same');

SELECT finish();
ROLLBACK;
