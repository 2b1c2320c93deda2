-- The life of a DKIM key, told with a clock of its own: DNS that publishes late, never and
-- wrongly. No key signs that DNS does not show.
BEGIN;
SELECT plan(46);

INSERT INTO mail.virtual_domains (name) VALUES ('d.test'), ('e.test');
CREATE TEMP TABLE clock AS SELECT timestamptz '2030-01-01 00:00Z' AS zero;
CREATE FUNCTION pg_temp.at(after interval) RETURNS timestamptz LANGUAGE sql AS $$SELECT zero + after FROM clock$$;
-- postward-dkim: makes what is asked for
CREATE FUNCTION pg_temp.make() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(mail.dkim_store_key(t.id, t.selector, t.algorithm, '-----BEGIN PRIVATE KEY-----' || t.id,
                                     'v=DKIM1; k=rsa; p=' || t.selector)) FROM mail.dkim_take() AS t
$$;
-- what DNS shows of a key at a time; then the step
CREATE FUNCTION pg_temp.look(selector text, state text, after interval) RETURNS text LANGUAGE sql AS $$
    SELECT mail.dkim_saw(jsonb_build_array(jsonb_build_object('name', k.selector || '._domainkey.' || k.domain, 'type', 'TXT',
                                           'value', k.public_record, 'state', look.state)), pg_temp.at(after))
    FROM mail.dkim_keys AS k WHERE k.selector = look.selector;
    SELECT string_agg(selector || ' ' || was || ' ' || state, ', ') FROM mail.dkim_step(pg_temp.at(after))
$$;
CREATE FUNCTION pg_temp.signs() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(selector, ' ' ORDER BY selector), 'nobody') FROM mail.snapshot_dkim_keys WHERE domain = 'd.test'
$$;

-- a first key: published late
INSERT INTO mail.dkim_requests (domain, selector) VALUES ('d.test', 'one');
SELECT is(pg_temp.make(), 1::bigint, 'a key is made');
SELECT is(pg_temp.signs(), 'nobody', 'which does not sign');
SELECT is(pg_temp.look('one', 'missing', '1 min'), NULL, 'nor while DNS does not show it');
SELECT is(pg_temp.look('one', 'unknown', '2 min'), NULL, 'no answer is no news');
SELECT is(pg_temp.look('one', 'differs', '3 min'), NULL, 'another key is none');
SELECT is(pg_temp.signs(), 'nobody', 'still not');
SELECT is(pg_temp.look('one', 'ok', '10 min'), 'one pending published', 'DNS shows it');
SELECT is(pg_temp.signs(), 'nobody', 'which has to last');
SELECT is(pg_temp.look('one', 'ok', '15 min'), NULL, 'five minutes are too few');
SELECT is(pg_temp.look('one', 'missing', '16 min'), 'one published pending', 'it was gone in between');
SELECT is(pg_temp.look('one', 'ok', '21 min'), 'one pending published', 'so it begins anew');
SELECT is(pg_temp.look('one', 'unknown', '26 min'), NULL, 'a server that does not answer');
SELECT is((SELECT count(*) FROM mail.dkim_step(pg_temp.at('2 hours'))), 0::bigint, 'time alone does nothing');
SELECT is(pg_temp.look('one', 'ok', '31 min'), 'one published active', 'seen for ten minutes');
SELECT is(pg_temp.signs(), 'one', 'it signs');

-- lost while it signs
SELECT is(pg_temp.look('one', 'unknown', '40 min'), NULL, 'DNS away: it goes on');
SELECT is(pg_temp.look('one', 'missing', '41 min'), 'one active pending', 'its record is gone');
SELECT is(pg_temp.signs(), 'nobody', 'no verifier would find it');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what = 'DKIM key one of d.test signs no more: DNS does not show it'$$, 'check() tells');
SELECT is(pg_temp.look('one', 'ok', '42 min'), 'one pending published', 'it is back');
SELECT is(pg_temp.look('one', 'ok', '53 min'), 'one published active', 'and signs');

-- rotation
SELECT is((SELECT string_agg(algorithm, ' ') FROM mail.dkim_rotate('D.test')), 'rsa-sha256', 'of the kind there is');
SELECT throws_ok($$SELECT mail.dkim_rotate('d.test')$$, '55000', NULL, 'once');
UPDATE mail.dkim_requests SET selector = 'two' WHERE state = 'pending';
SELECT is(pg_temp.make(), 1::bigint, 'the next key is made');
SELECT throws_ok($$SELECT mail.dkim_rotate('d.test')$$, '55000', NULL, 'and has to come into use first');
SELECT is(pg_temp.look('two', 'missing', '30 days'), NULL, 'never published');
SELECT is(pg_temp.signs(), 'one', 'the old one signs on');
SELECT is(pg_temp.look('two', 'ok', '31 days'), 'two pending published', 'published');
SELECT is(pg_temp.look('two', 'ok', '31 days 10 min'), 'two published active, one active retiring', 'it takes over');
SELECT is(pg_temp.signs(), 'two', 'alone');
SELECT is((SELECT replaced_by = t.id FROM mail.dkim_keys AS k, LATERAL (SELECT id FROM mail.dkim_keys WHERE selector = 'two') AS t
           WHERE k.selector = 'one'), true, 'known by which');
SELECT is((SELECT value FROM mail.dns_records WHERE name LIKE 'one.%'), 'v=DKIM1; k=rsa; p=one', 'the record of the old one stays');
SELECT is(pg_temp.look('one', 'ok', '32 days'), NULL, 'it retires');
SELECT is(pg_temp.look('two', 'missing', '33 days'), 'two active pending, one retiring active', 'the new one is lost: the old one helps out');
SELECT is(pg_temp.look('two', 'ok', '33 days 1 min'), 'two pending published', 'back');
SELECT is(pg_temp.look('two', 'ok', '33 days 12 min'), 'two published active, one active retiring', 'in use again');
SELECT is((SELECT count(*) FROM mail.dkim_step(pg_temp.at('40 days'))), 0::bigint, 'not yet a week');
SELECT is((SELECT string_agg(selector || ' ' || state, '') FROM mail.dkim_step(pg_temp.at('40 days 13 min'))), 'one revoked', 'a week later');
SELECT is((SELECT value || needed FROM mail.dns_records WHERE name LIKE 'one.%'), 'v=DKIM1; k=rsa; p=false', 'an empty p=');
SELECT is((SELECT private_key FROM mail.dkim_keys WHERE selector = 'one'), '', 'its private half is gone');

-- by age
UPDATE mail.dkim_keys SET created_at = pg_temp.at('0') WHERE selector = 'two';
INSERT INTO mail.dkim_rotations VALUES ('d.test', 90, 3072);
CREATE TEMP TABLE early AS SELECT * FROM mail.dkim_step(pg_temp.at('89 days'));
SELECT is_empty($$SELECT FROM mail.dkim_requests WHERE state = 'pending'$$, 'not old enough');
CREATE TEMP TABLE due AS SELECT * FROM mail.dkim_step(pg_temp.at('90 days'));
CREATE TEMP TABLE again AS SELECT * FROM mail.dkim_step(pg_temp.at('91 days'));
SELECT results_eq($$SELECT rsa_bits, rotates FROM mail.dkim_requests WHERE domain = 'd.test' AND state = 'pending'$$, $$VALUES (3072, true)$$, 'asked for, once');

-- an old program's words, and who does not wait
UPDATE mail.dkim_keys SET state = 'retired' WHERE selector = 'two';
SELECT is((SELECT state FROM mail.dkim_keys WHERE selector = 'two'), 'retiring', 'the old word');
UPDATE mail.settings SET value = 'no' WHERE name = 'dkim_wait_for_dns';
INSERT INTO mail.dkim_requests (domain, selector) VALUES ('e.test', 'at-once');
SELECT is(pg_temp.make(), 2::bigint, 'no waiting');
SELECT is((SELECT state FROM mail.dkim_keys WHERE selector = 'at-once'), 'active', 'it signs');
SELECT throws_ok($$UPDATE mail.settings SET value = 'perhaps' WHERE name = 'dkim_wait_for_dns'$$, '23514', NULL, 'settings have their ranges');
SELECT * FROM finish();
ROLLBACK;
