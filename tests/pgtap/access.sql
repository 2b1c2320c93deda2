-- Allow and deny lists, posting rights, greylisting, stolen accounts, the function of owners.
BEGIN;
SELECT plan(79);
INSERT INTO mail.virtual_domains (name) VALUES ('d.test');
INSERT INTO mail.alias_domains (name, target) VALUES ('a.test', 'd.test');
INSERT INTO mail.virtual_users (email) VALUES ('ann@d.test'), ('bob@d.test');

-- patterns
SELECT is(mail.normal_access_pattern(kind, pattern), normal, kind || ' ' || pattern)
FROM (VALUES ('sender', 'Ann@D.test', 'ann@d.test'), ('sender', '@D.test.', '@d.test'), ('sender', 'd.test', '@d.test'),
             ('sender', '*@d.test', '@d.test'), ('recipient', '.D.test', '@.d.test'), ('recipient', '@.d.test', '@.d.test'),
             ('sender', '*@.d.test', '@.d.test'), ('sender', '<>', '<>'), ('recipient', '<>', NULL), ('sender', 'a b', NULL),
             ('network', '192.0.2.7/24', '192.0.2.0/24'), ('network', '192.0.2.7', '192.0.2.7/32'),
             ('network', '2001:DB8::/32', '2001:db8::/32'), ('network', 'x', NULL), ('network', '192.0.2.0/99', NULL),
             ('client_name', '.Example.NET', 'example.net'), ('client_name', 'a b', NULL)) AS v (kind, pattern, normal);
SELECT lives_ok($$INSERT INTO mail.access_lists (id, who, kind, pattern, action) VALUES (1, 'Ann@D.TEST', 'sender', '*@Spam.Example', 'deny')$$,
                'a row is tidied');
SELECT results_eq($$SELECT who, pattern FROM mail.access_lists WHERE id = 1$$, $$VALUES ('ann@d.test', '@spam.example')$$, 'so');
SELECT throws_ok($$INSERT INTO mail.access_lists (who, kind, pattern, action) VALUES ('ann', 'sender', 'x@y.test', 'deny')$$, '23514',
                 '"ann" is neither a mail address nor @domain', 'who is nobody');
SELECT throws_ok($$INSERT INTO mail.access_lists (kind, pattern, action) VALUES ('network', 'example.org', 'deny')$$, '23514',
                 '"example.org" is no network', 'no network');
SELECT throws_ok($$INSERT INTO mail.access_lists (kind, pattern, action) VALUES ('helo', 'x', 'deny')$$, '23514', NULL, 'no kind');
SELECT throws_ok($$INSERT INTO mail.access_lists (kind, pattern, action, dry_run) VALUES ('sender', 'x@y.test', 'allow', true)$$, '23514',
                 NULL, 'allow is not tried out');
SELECT throws_ok($$INSERT INTO mail.access_lists (who, kind, pattern, action) VALUES ('ann@d.test', 'sender', '@spam.example', 'allow')$$,
                 '23505', NULL, 'one row of a kind');
INSERT INTO mail.access_lists (kind, pattern, action, expires_at, enabled)
VALUES ('sender', 'a@past.test', 'deny', now() - interval '1 second', true), ('sender', 'a@soon.test', 'deny', now() + interval '1 hour', true),
       ('sender', 'a@off.test', 'deny', NULL, false), ('sender', 'a@ever.test', 'deny', 'infinity', true);
SELECT results_eq($$SELECT pattern, expires_ms FROM mail.snapshot_access_lists WHERE who = '*' ORDER BY pattern$$,
                  $$SELECT 'a@ever.test', NULL::bigint UNION ALL
                    SELECT 'a@soon.test', (extract(epoch FROM now()) * 1000)::bigint + 3600000$$, 'what counts now');
SELECT is((SELECT count(*) FROM mail.events WHERE kind = 'access_lists insert'), 5::bigint, 'events');

-- posting rights
SELECT lives_ok($$INSERT INTO mail.posting_rights (alias, moderators) VALUES ('List@D.test', '{Ann@d.test,@A.test}')$$, 'a right');
SELECT results_eq($$SELECT alias, who_may, moderators, trust_sender FROM mail.snapshot_posting_rights$$,
                  $$VALUES ('list@d.test', 'members', E'ann@d.test\n@a.test', false)$$, 'as policyd gets it');
SELECT throws_ok($$INSERT INTO mail.posting_rights (alias) VALUES ('list@elsewhere.test')$$, '23503', NULL, 'not of ours');
SELECT throws_ok($$INSERT INTO mail.posting_rights (alias) VALUES ('list@a.test')$$, '23503', NULL, 'an alias domain has none of its own');
SELECT throws_ok($$INSERT INTO mail.posting_rights (alias) VALUES ('list')$$, '23514', NULL, 'no address');
SELECT throws_ok($$INSERT INTO mail.posting_rights (alias, moderators) VALUES ('l@d.test', '{ann}')$$, '23514', NULL, 'no moderator');
SELECT throws_ok($$INSERT INTO mail.posting_rights (alias, moderators) VALUES ('l@d.test', '{NULL}')$$, '23514', NULL, 'nobody');
SELECT throws_ok($$INSERT INTO mail.posting_rights (alias, who_may) VALUES ('l@d.test', 'friends')$$, '23514', NULL, 'no right');
UPDATE mail.posting_rights SET who_may = 'public';
SELECT is_empty($$SELECT FROM mail.snapshot_posting_rights$$, 'public needs no asking');

-- settings
SELECT throws_ok(format('UPDATE mail.settings SET value = %L WHERE name = %L', value, name), '23514', NULL, name || ' ' || value)
FROM (VALUES ('greylist', 'perhaps'), ('greylist_delay', '0 seconds'), ('greylist_delay', '2 days'), ('greylist_delay', 'soon'),
             ('greylist_window', ''), ('greylist_keep', '10 years'), ('greylist_client_passes', '-1'), ('stolen_networks', '65'),
             ('stolen_window', '2 days'), ('stolen_messages', 'many'), ('stolen_factor', '0'), ('stolen_suspend', ''),
             ('stolen_exempt', 'ann')) AS v (name, value);
SELECT lives_ok($$UPDATE mail.settings SET value = ' Ann@D.test   @A.test ' WHERE name = 'stolen_exempt';
                  UPDATE mail.settings SET value = '90 minutes' WHERE name = 'stolen_window'$$, 'good ones');
SELECT set_eq($$SELECT name || '=' || value FROM mail.snapshot_access_settings$$,
              '{greylist=no,greylist_delay=300,greylist_window=172800,greylist_keep=3024000,greylist_client_passes=5,stolen_networks=20,
                stolen_window=5400,stolen_messages=200,stolen_factor=10,stolen_suspend=no,stolen_exempt=ann@d.test @a.test}'::text[],
              'as policyd gets them; greylisting and suspension are off by default');

-- greylist
CREATE FUNCTION pg_temp.ms(t timestamptz) RETURNS bigint LANGUAGE sql AS 'SELECT (extract(epoch FROM t) * 1000)::bigint';
CREATE FUNCTION pg_temp.met(sender text, first_at timestamptz, passed_at timestamptz, passes bigint) RETURNS jsonb LANGUAGE sql AS
$$SELECT jsonb_build_array(jsonb_build_object('client', '192.0.2.0/24', 'sender', sender, 'recipient', 'ann@d.test',
      'first_ms', pg_temp.ms(first_at), 'passed_ms', coalesce(pg_temp.ms(passed_at), 0), 'passes', passes))$$;
SELECT is(mail.record_greylist(pg_temp.met('x@y.test', now() - interval '1 hour', NULL, 0)), 1::bigint, 'one waits');
SELECT is(mail.record_greylist(pg_temp.met('x@y.test', now(), NULL, 0)), 1::bigint, 'another node met it later');
SELECT results_eq($$SELECT first_at::timestamptz(0), passed_at FROM mail.greylist$$,
                  $$SELECT (now() - interval '1 hour')::timestamptz(0), NULL::timestamptz$$, 'the earlier time counts');
SELECT is(mail.record_greylist(pg_temp.met('x@y.test', now(), now(), 2)), 1::bigint, 'it passes');
SELECT is(mail.record_greylist(pg_temp.met('x@y.test', now(), now() - interval '1 minute', 1)), 1::bigint, 'an older word');
SELECT results_eq($$SELECT passed_at::timestamptz(0), passes FROM mail.greylist$$, $$SELECT now()::timestamptz(0), 2::bigint$$,
                  'takes nothing back');
SELECT results_eq($$SELECT client, sender, recipient, passes FROM mail.greylist_load(0)$$,
                  $$VALUES ('192.0.2.0/24', 'x@y.test', 'ann@d.test', 2::bigint)$$, 'what is loaded');
SELECT is_empty($$SELECT FROM mail.greylist_load(pg_temp.ms(clock_timestamp() + interval '1 second'))$$, 'nothing since');
INSERT INTO mail.greylist (client, sender, recipient, first_at, passed_at)
VALUES ('192.0.2.0/24', 'late@y.test', 'ann@d.test', now() - interval '3 days', NULL),
       ('192.0.2.0/24', 'waits@y.test', 'ann@d.test', now() - interval '1 day', NULL),
       ('192.0.2.0/24', 'old@y.test', 'ann@d.test', now() - interval '90 days', now() - interval '36 days'),
       ('192.0.2.0/24', 'known@y.test', 'ann@d.test', now() - interval '90 days', now() - interval '34 days');
SELECT is(mail.record_greylist('[]'), 0::bigint, 'nothing new');
SELECT set_eq('SELECT sender FROM mail.greylist', '{x@y.test,waits@y.test,known@y.test}'::text[], 'what nobody remembers goes');

-- stolen accounts
SELECT is(mail.record_send_habits('[{"user":"ann@d.test","busiest":70},{"user":"no@d.test","busiest":1},{"user":"bob@d.test","busiest":-1}]'),
          2::bigint, 'habits');
UPDATE mail.send_habits SET at = now() - interval '14 days' WHERE busiest_hour = 70;
SELECT is(mail.record_send_habits('[{"user":"ann@d.test","busiest":3}]'), 1::bigint, 'a node that saw less');
SELECT results_eq('SELECT email, busiest FROM mail.send_habits_load()', $$VALUES ('ann@d.test', 35::bigint)$$,
                  'the busier one stays, faded');
SELECT is(mail.record_stolen('[{"who":"ann@d.test","text":"ann: looks bad","reason":"looks bad","detail":{"why":"volume"}}]'), 1::bigint,
          'an alarm');
SELECT results_eq($$SELECT who, text, detail FROM mail.events WHERE kind = 'stolen_account'$$,
                  $$VALUES ('ann@d.test', 'ann: looks bad', '{"why": "volume", "suspended": false}'::jsonb)$$, 'an event');
SELECT is((SELECT suspended FROM mail.virtual_users WHERE email = 'ann@d.test'), NULL, 'not suspended: that is off');
UPDATE mail.settings SET value = 'yes' WHERE name = 'stolen_suspend';
UPDATE mail.virtual_users SET suspended = 'by hand' WHERE email = 'bob@d.test';
SELECT is(mail.record_stolen(jsonb_build_array(
              jsonb_build_object('who', 'ann@d.test', 'reason', E'bad\n' || repeat('ü', 300)),
              jsonb_build_object('who', 'bob@d.test', 'reason', 'bad'), jsonb_build_object('who', 'no@d.test'), '{}'::jsonb)), 3::bigint,
          'alarms, the odd ones too');
SELECT is((SELECT suspended FROM mail.virtual_users WHERE email = 'ann@d.test'), 'bad ' || repeat('ü', 46), 'suspended, with the reason');
SELECT is((SELECT suspended FROM mail.virtual_users WHERE email = 'bob@d.test'), 'by hand', 'who is already keeps his reason');
SELECT results_eq($$SELECT who, detail ->> 'suspended' FROM mail.events WHERE kind = 'stolen_account' AND text = '' ORDER BY id$$,
                  $$VALUES ('ann@d.test', 'true'), ('bob@d.test', 'false'), ('no@d.test', 'false')$$, 'the events say which');
SELECT results_eq($$SELECT login, why FROM mail.login_changes WHERE login = 'ann@d.test' ORDER BY id DESC LIMIT 1$$,
                  $$VALUES ('ann@d.test', 'refused')$$, 'its sessions end');
UPDATE mail.virtual_users SET suspended = NULL;

-- owners
INSERT INTO mail.sender_permissions (login, pattern) VALUES ('bob@d.test', '*@Example.ORG');
SELECT is((SELECT pattern::text FROM mail.sender_permissions), '@example.org', '*@domain is @domain');
SELECT throws_ok($$INSERT INTO mail.sender_permissions (login, pattern) VALUES ('bob@d.test', '*')$$, '23514', NULL, 'not everything');
INSERT INTO mail.virtual_aliases (source, destination) VALUES ('team@d.test', 'ann@d.test'), ('team@d.test', 'bob@d.test'),
    ('@d.test', 'bob@d.test');
SELECT set_eq('SELECT login, pattern FROM mail.snapshot_senders',
              $$VALUES ('ann@d.test', 'ann@d.test'), ('ann@d.test', 'ann@a.test'), ('bob@d.test', 'bob@d.test'), ('bob@d.test', 'bob@a.test'),
                       ('ann@d.test', 'team@d.test'), ('ann@d.test', 'team@a.test'), ('bob@d.test', 'team@d.test'),
                       ('bob@d.test', 'team@a.test'), ('bob@d.test', '@example.org')$$,
              'own address, alias of several, alias domain, wildcard; no catch-all');
SELECT set_eq($$SELECT mail.postfix_senders('Team+x@A.test')$$, '{ann@d.test,bob@d.test}'::text[], 'and Postfix''s map the same');
SELECT set_eq($$SELECT mail.postfix_senders('anybody@example.org')$$, '{bob@d.test}'::text[], 'the wildcard');
CREATE OR REPLACE FUNCTION mail.sender_owners(address text, OUT login text, OUT pattern text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT s.login, s.pattern FROM mail.senders() AS s UNION ALL VALUES ('ann@d.test', '@d.test')
$$;
SELECT set_has('SELECT login, pattern FROM mail.snapshot_senders', $$VALUES ('ann@d.test', '@d.test'), ('bob@d.test', 'bob@d.test')$$,
               'an admin''s own function');
SELECT set_eq($$SELECT mail.postfix_senders('bob@d.test')$$, '{ann@d.test,bob@d.test}'::text[], 'in Postfix''s map too');
SELECT is_empty($$SELECT mail.postfix_senders('x@nowhere.test')$$, 'nobody');
SELECT * FROM finish();
ROLLBACK;
