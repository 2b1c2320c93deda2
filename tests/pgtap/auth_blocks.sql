-- Blocks of logins, shared by nodes: what people may do, and the exchange.
BEGIN;
SELECT plan(22);
SELECT throws_ok(format('INSERT INTO mail.auth_blocks (%s) VALUES (%s)', c, v), '23514', NULL, format('no block: %s %s', c, v))
FROM (VALUES ('network', '''192.0.2.0/24'''), ('network', '''127.0.0.1'''), ('network', '''::1'''), ('network, login', '''192.0.2.1'', ''a'''),
             ('why', '''nobody'''), ('login, until', '''a@b.test'', now() + interval ''2 years'''), ('login, kind', '''a@b.test'', ''network'''),
             ('network, kind', '''192.0.2.1'', ''login''')) AS v (c, v);
SELECT mail.block_login('Ann@D.Test.', '1 hour', 'why') AS x, mail.block_network('2001:db8::7') AS y \gset
SELECT results_eq('SELECT kind, mail.auth_who(network, login), why FROM mail.auth_blocks ORDER BY id',
                  $$VALUES ('hand', 'ann@d.test', 'why'), ('hand', '2001:db8::/64', '')$$, 'in normal form');
SELECT is(mail.block_login('ann@d.test', '1 minute'), :'x'::timestamptz, 'a longer block stays');
SELECT results_eq($$SELECT kind, who, text FROM mail.events WHERE kind IN ('auth_block', 'auth_unblock') ORDER BY id$$,
                  $$VALUES ('auth_block', 'ann@d.test', 'ann@d.test: blocked for 3600 s by hand'),
                           ('auth_block', '2001:db8::/64', '2001:db8::/64: blocked for 3600 s by hand')$$, 'events');

CREATE TEMP TABLE heard AS SELECT * FROM mail.auth_exchange('mx1', 'one', '',
    '[{"kind":"network","who":"192.0.2.7","count":3,"block_ms":60000,"left_ms":59000,"failures":10,"dry_run":false},
      {"kind":"login","who":"bob@d.test","count":2}]');
SELECT results_eq($$SELECT what, kind, who, dry_run FROM heard WHERE what <> 'since' ORDER BY what, who COLLATE "C"$$,
                  $$VALUES ('all', NULL, NULL, NULL), ('block', 'network', '192.0.2.7', false), ('block', 'hand', '2001:db8::/64', false),
                           ('block', 'hand', 'ann@d.test', false)$$, 'the first time all blocks');
SELECT ok(number BETWEEN 50000 AND 59000, 'milliseconds left') FROM heard WHERE who = '192.0.2.7';
SELECT who AS since FROM heard WHERE what = 'since' \gset
SELECT results_eq($$SELECT what, kind, who, number FROM mail.auth_exchange('mx2', 'two', '', '[]') WHERE what = 'count' ORDER BY who$$,
                  $$VALUES ('count', 'network', '192.0.2.7', 3::bigint), ('count', 'login', 'bob@d.test', 2)$$, 'counts for the others');
SELECT is_empty(format($$SELECT * FROM mail.auth_exchange('mx1', 'two', %L, '[]') WHERE what = 'count'$$, :'since'), 'once');
SELECT is(node || ' ' || failures, 'mx1 10', 'where it began') FROM mail.auth_blocks WHERE kind = 'network';
SELECT count(*) AS x FROM mail.auth_exchange('mx2', 'two', '',
    '[{"kind":"network","who":"192.0.2.7","count":1,"block_ms":600000,"left_ms":600000,"failures":11,"dry_run":false}]') \gset
SELECT is(node || ' ' || failures, 'mx1 10', 'the first one stays') FROM mail.auth_blocks WHERE kind = 'network';
SELECT is(mail.unblock('192.0.2.7') + mail.unblock('nobody'), 1::bigint, 'unblock() says how many');
SELECT results_eq(format($$SELECT what, kind, who FROM mail.auth_exchange('mx2', 'two', %L, '[]') WHERE what = 'lift'$$, :'since'),
                  $$VALUES ('lift', 'network', '192.0.2.7')$$, 'what is lifted');
SELECT results_eq($$SELECT e.text FROM mail.events AS e WHERE e.who = '192.0.2.7' ORDER BY id$$,
                  $$VALUES ('192.0.2.7: blocked for 60 s after 10 failed logins'), ('192.0.2.7: no longer blocked')$$, 'its events');

-- a node that could not hand it over for long
SELECT count(*) AS x FROM mail.auth_exchange('mx1', 'one', '',
    '[{"kind":"network","who":"192.0.2.8","count":3,"block_ms":600000,"left_ms":599000,"failures":10,"dry_run":false}]', 500000) \gset
SELECT ok(until - clock_timestamp() < interval '100 seconds', 'it was made so long ago') FROM mail.auth_blocks WHERE network = '192.0.2.8';
SELECT is_empty($$SELECT FROM mail.auth_counts WHERE who = '192.0.2.8'$$, 'counts of long ago are not counted');
SELECT * FROM finish();
ROLLBACK;
