-- Bans: whom, for how long, whom never, and what policyd is given.
BEGIN;
SELECT plan(47);

-- whom
SELECT is(mail.ban_net(address)::text, net, 'with ' || address)
FROM (VALUES ('192.0.2.7'::inet, '192.0.2.7/32'), ('2001:db8::5', '2001:db8::/64'), ('2001:db8:0:1::/64', '2001:db8:0:1::/64'),
             ('2001:db8:0:1::5/100', '2001:db8:0:1::/64'), ('::ffff:192.0.2.7', '192.0.2.7/32'), ('192.0.2.7/24', NULL),
             ('192.0.2.0/24', NULL), ('2001:db8::/48', NULL)) AS v (address, net);
SELECT is(mail.ban('192.0.2.7', '1 hour', 'sends spam'), now() + interval '1 hour', 'a ban');
SELECT is(mail.ban('2001:db8::5', '2 hours'), now() + interval '2 hours', 'of IPv6');
SELECT results_eq('SELECT net::text, until, reason FROM mail.bans ORDER BY net',
                  $$VALUES ('192.0.2.7/32', now() + interval '1 hour', 'sends spam'), ('2001:db8::/64', now() + interval '2 hours', '')$$,
                  'rows');
SELECT is(mail.ban('192.0.2.7', '1 minute'), now() + interval '1 hour', 'the longer one stays');
SELECT is(mail.ban('::ffff:192.0.2.7', '3 hours', 'again'), now() + interval '3 hours', 'a longer one counts');
SELECT is((SELECT reason FROM mail.bans WHERE net = '192.0.2.7'), 'again', 'with its reason');
INSERT INTO mail.bans (net) VALUES ('2001:db8:0:7::9');
SELECT results_eq($$SELECT until FROM mail.bans WHERE net = '2001:db8:0:7::/64'$$, $$VALUES (now() + interval '1 day')$$,
                  'a plain INSERT does the same');

-- whom never, how long never
SELECT throws_like(format('SELECT mail.ban(%L, %L)', a, '1 hour'), '% is never banned: it is loopback, private or reserved', 'never ' || a)
FROM unnest('{127.0.0.1,10.9.0.1,172.31.0.1,192.168.1.1,100.64.0.1,169.254.1.1,0.0.0.1,224.0.0.1,255.255.255.255,::1,fd00::1,fe80::1,
              ::ffff:10.9.0.1}'::inet[]) AS a;
SELECT throws_like($$INSERT INTO mail.bans (net) VALUES ('10.1.2.3')$$, '% is never banned: %', 'not by INSERT either');
SELECT throws_like(format('SELECT mail.ban(%L, %L)', a, '1 hour'), '% is no single client: %', 'no network: ' || a)
FROM unnest('{192.0.2.0/24,2001:db8::/48}'::inet[]) AS a;
SELECT throws_like(format('SELECT mail.ban(%L, %L)', '192.0.2.9', d), 'a ban lasts a second at least and a year at most', 'not for ' || d)
FROM unnest('{-1 second,0 seconds,2 years}'::interval[]) AS d;
SELECT throws_like($$INSERT INTO mail.bans (net, until) VALUES ('192.0.2.9', 'infinity')$$, 'a ban lasts a year at most', 'nor for ever');
INSERT INTO mail.auth_exemptions (net) VALUES ('198.51.100.0/24');
SELECT throws_like($$SELECT mail.ban('198.51.100.7', '1 hour')$$, '198.51.100.7/32 is never banned: mail.auth_exemptions has 198.51.100.0/24',
                   'nor who is exempt');

-- what policyd is given
SELECT results_eq($$SELECT net, until_ms FROM mail.snapshot_bans WHERE net = '192.0.2.7/32'$$,
                  $$SELECT '192.0.2.7/32', (extract(epoch FROM now()) * 1000)::bigint + 3 * 3600000$$, 'snapshot_bans');
SELECT is((SELECT count(*) FROM mail.snapshot_bans), 3::bigint, 'all of them');
INSERT INTO mail.auth_exemptions (net) VALUES ('2001:db8::5');
SELECT is((SELECT count(*) FROM mail.snapshot_bans), 2::bigint, 'less who is exempt now');
UPDATE mail.bans SET until = now() - interval '1 second' WHERE net = '192.0.2.7';
SELECT is((SELECT count(*) FROM mail.snapshot_bans), 1::bigint, 'less what has ended');
SELECT is(mail.ban('203.0.113.1', '1 hour'), now() + interval '1 hour', 'another one');
SELECT is_empty($$SELECT FROM mail.bans WHERE net = '192.0.2.7'$$, 'at the next ban it goes');
SET LOCAL session_replication_role = replica; -- no event for each
INSERT INTO mail.bans (net, until, created_at) SELECT '198.18.0.0'::inet + i, now() + interval '1 hour', now() + i * interval '1 ms' FROM generate_series(1, 100005) AS i;
SET LOCAL session_replication_role = origin;
SELECT is((SELECT count(*) FROM mail.snapshot_bans), 100000::bigint, 'at most 100,000');
SELECT results_eq($$SELECT bool_or(net = '203.0.113.1/32'), bool_or(net = ('198.18.0.0'::inet + 100005)::text) FROM mail.snapshot_bans$$,
                  'VALUES (false, true)', 'the newest');

-- ends, events
SELECT is(mail.unban('2001:db8:0:7::1'), true, 'unban');
SELECT is(mail.unban('2001:db8:0:7::1'), false, 'once');
SELECT results_eq($$SELECT kind FROM mail.events WHERE who = '2001:db8:0:7::/64' ORDER BY id$$,
                  $$VALUES ('bans insert'), ('bans delete')$$, 'events');
SELECT * FROM finish();
ROLLBACK;
