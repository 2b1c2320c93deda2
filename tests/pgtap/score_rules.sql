-- Own rules: each is a symbol, and what the program cannot use is a problem that mail.check() names.
BEGIN;
SELECT plan(28);
SELECT lives_ok($$INSERT INTO mail.score_rules (name, kind, pattern, weight, description)
                  VALUES ('parcel', 'subject', '\bparcel\b', 3, 'a parcel')$$, 'a rule');
SELECT results_eq($$SELECT name, grp, weight, enabled, dry_run, description FROM mail.score_symbols WHERE name = 'PARCEL'$$,
                  $$VALUES ('PARCEL', 'own', 3::numeric, true, false, 'a parcel')$$, 'is a symbol');
SELECT results_eq($$SELECT name, kind, field, pattern, flags FROM mail.snapshot_score_rules$$,
                  $$VALUES ('PARCEL', 'subject', '', '\bparcel\b', 'i')$$, 'and in the snapshot');
UPDATE mail.score_rules SET weight = 4, dry_run = true, grp = 'mine' WHERE name = 'PARCEL';
SELECT results_eq($$SELECT grp, weight, dry_run FROM mail.snapshot_symbols WHERE name = 'PARCEL'$$,
                  $$VALUES ('mine', 4::numeric, true)$$, 'its symbol follows');
UPDATE mail.score_rules SET name = 'PACKET' WHERE name = 'PARCEL';
SELECT set_eq($$SELECT name FROM mail.score_symbols WHERE name IN ('PARCEL', 'PACKET')$$, ARRAY['PACKET'], 'a new name, too');
INSERT INTO mail.score_symbols (name, weight) VALUES ('TAKEN', 1);
SELECT throws_ok($$INSERT INTO mail.score_rules (name, kind, pattern, weight) VALUES ('taken', 'body', 'x', 1)$$,
                 '23505', 'there is a symbol TAKEN already', 'a name of another symbol');
SELECT throws_ok($$UPDATE mail.score_rules SET name = 'TAKEN'$$, '23505', NULL, 'later, too');
SELECT throws_ok(format('INSERT INTO mail.score_rules (name, kind, field, pattern, flags, weight) VALUES (%L, %L, %L, %L, %L, 1)',
                        'R', kind, field, pattern, flags), '23514', NULL, why)
FROM (VALUES ('header', '', 'x', 'i', 'no field'), ('body', 'To', 'x', 'i', 'a field of the body'),
             ('header', 'To:', 'x', 'i', 'no name of a field'), ('tail', '', 'x', 'i', 'no kind'),
             ('body', '', '', 'i', 'nothing'), ('body', '', 'x', 'g', 'no flag')) AS v (kind, field, pattern, flags, why);

SELECT is(mail.tell_score_rules('[{"name": "PACKET", "problem": "too wild"}, {"name": "GONE", "problem": "x"}]'),
          2::bigint, 'the program says what it cannot use');
SELECT results_eq($$SELECT severity, what FROM mail.check() WHERE what LIKE 'rule %'$$,
                  $$VALUES ('error', 'rule PACKET is not used: too wild')$$, 'check() tells');
UPDATE mail.score_rules SET pattern = 'tame';
SELECT is_empty($$SELECT FROM mail.check() WHERE what LIKE 'rule %'$$, 'not of a rule that was changed since');
DELETE FROM mail.score_rules;
SELECT is_empty($$SELECT FROM mail.score_symbols WHERE name = 'PACKET'$$, 'a rule goes with its symbol');

INSERT INTO mail.score_maps (name, property, weight, description) VALUES
    ('nets', 'client', 2, 'bad nets'), ('who', 'from', 2, ''), ('hosts', 'name', 2, '');
SELECT is((SELECT weight FROM mail.snapshot_symbols WHERE name = 'NETS'), 2::numeric, 'a map is a symbol');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what = 'map NETS has no entries'$$, 'an empty one is a problem');
INSERT INTO mail.score_map_entries (map, entry) VALUES ('nets', ' 192.0.2.77/24'), ('NETS', '2001:DB8::1'),
    ('who', 'Ann@D.Test'), ('who', '.D.Test'), ('who', 'e.test.'), ('hosts', '.Net.Test');
SELECT set_eq($$SELECT map || ' ' || entry FROM mail.snapshot_score_map_entries$$,
              ARRAY['NETS 192.0.2.0/24', 'NETS 2001:db8::1/128', 'WHO ann@d.test', 'WHO .d.test', 'WHO e.test', 'HOSTS .net.test'],
              'entries in normal form');
SELECT throws_ok(format('INSERT INTO mail.score_map_entries (map, entry) VALUES (%L, %L)', map, entry), '23514', NULL,
                 map || ' takes no ' || entry)
FROM (VALUES ('nets', 'example.org'), ('who', 'a b'), ('hosts', 'ann@d.test')) AS v (map, entry);
SELECT throws_ok($$UPDATE mail.score_maps SET property = 'sender' WHERE name = 'NETS'$$, '23514', NULL, 'a list stays what it is');
SELECT throws_ok($$INSERT INTO mail.score_maps (name, property, weight, authenticated) VALUES ('x_', 'client', 1, true)$$,
                 '23514', NULL, 'nothing to authenticate');
UPDATE mail.score_maps SET weight = -2 WHERE name = 'WHO';
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what LIKE 'map WHO is in the sender''s favour%'$$, 'favour for a forgery');
UPDATE mail.score_maps SET enabled = false WHERE name = 'NETS';
SELECT is_empty($$SELECT FROM mail.snapshot_score_map_entries WHERE map = 'NETS'$$, 'not of a map that is off');
DELETE FROM mail.score_maps;
SELECT is_empty($$SELECT FROM mail.score_map_entries UNION ALL SELECT FROM mail.score_symbols WHERE name IN ('NETS', 'WHO')$$,
                'a map goes with its entries and symbol');
SELECT * FROM finish();
ROLLBACK;
