-- Sealers that are trusted, and what leads outside.
BEGIN;
SELECT plan(12);

INSERT INTO mail.arc_trusted_sealers (domain) VALUES ('Lists.Example.ORG'), ('xn--bcher-kva.example');
SELECT results_eq('SELECT domain FROM mail.snapshot_arc_sealers ORDER BY domain',
                  $$VALUES ('lists.example.org'), ('xn--bcher-kva.example')$$, 'in normal form');
SELECT throws_ok($$INSERT INTO mail.arc_trusted_sealers VALUES ('ann@example.org')$$, '23514', NULL, 'no domain');
SELECT throws_ok($$INSERT INTO mail.arc_trusted_sealers VALUES ('LISTS.example.org')$$, '23505', NULL, 'once');
UPDATE mail.arc_trusted_sealers SET enabled = false WHERE domain = 'lists.example.org';
SELECT results_eq('SELECT domain FROM mail.snapshot_arc_sealers', $$VALUES ('xn--bcher-kva.example')$$, 'switched off');
SELECT is((SELECT count(*) FROM mail.events WHERE kind LIKE 'arc_trusted_sealers %'), 3::bigint, 'events');

-- what leads outside
SELECT mail.add_domain('d.test'), mail.add_domain('e.test'), mail.add_domain('f.test');
INSERT INTO mail.alias_domains (name, target) VALUES ('a.test', 'd.test');
SELECT mail.add_user(u || '@d.test', 'sixteen letters.', 0) FROM unnest('{ann,bob,cat}'::text[]) AS u;
SELECT mail.add_user('dan@f.test', 'sixteen letters.', 0);
SELECT mail.add_alias(source, destination) FROM (VALUES
    ('out@d.test', 'x@far.test'),            -- outside
    ('both@d.test', 'ann@d.test'), ('both@d.test', 'x@far.test'),
    ('copy@e.test', 'out@d.test'),           -- by one step more, in another domain
    ('deep@e.test', 'copy@e.test'),
    ('other@e.test', 'out@a.test'),          -- by an alias domain
    ('sub@e.test', 'out+tag@d.test'),        -- by the base of a subaddress
    ('in@d.test', 'ann@d.test'),             -- not outside
    ('out+kept@d.test', 'ann@d.test'),       -- in the way of a subaddress
    ('@f.test', 'y@far.test'),               -- a catch-all
    ('list@f.test', 'ann@d.test'),           -- in its way, and dan too
    ('caught@e.test', 'nobody@f.test'),      -- by that catch-all
    ('notcaught@e.test', 'dan@f.test')) AS v (source, destination);
INSERT INTO mail.virtual_aliases (domain_id, source, destination)
    SELECT id, 'cat@d.test', d FROM mail.virtual_domains, unnest('{cat@d.test,z@far.test}'::text[]) AS d WHERE name = 'd.test';
SELECT results_eq($$SELECT address FROM mail.snapshot_forwards WHERE is_outside ORDER BY address COLLATE "C"$$,
                  $$VALUES ('@f.test'), ('both@d.test'), ('cat@d.test'), ('caught@e.test'), ('copy@e.test'), ('deep@e.test'),
                           ('other@e.test'), ('out@d.test'), ('sub@e.test')$$, 'what leads outside');
SELECT results_eq($$SELECT address FROM mail.snapshot_forwards WHERE NOT is_outside ORDER BY address COLLATE "C"$$,
                  $$VALUES ('dan@f.test'), ('list@f.test'), ('out+kept@d.test')$$, 'what stands in the way');
SELECT is_empty($$SELECT a.source FROM (SELECT DISTINCT source::text FROM mail.virtual_aliases WHERE source NOT LIKE '@%') AS a
                  WHERE (a.source IN (SELECT address FROM mail.snapshot_forwards WHERE is_outside))
                        <> EXISTS (SELECT FROM mail.resolve(a.source) WHERE kind = 'remote')$$, 'as mail.resolve has it');
UPDATE mail.virtual_aliases SET enabled = false WHERE destination = 'x@far.test';
SELECT results_eq($$SELECT address FROM mail.snapshot_forwards WHERE is_outside ORDER BY address COLLATE "C"$$,
                  $$VALUES ('@f.test'), ('cat@d.test'), ('caught@e.test')$$, 'an alias that is off leads nowhere');
UPDATE mail.virtual_domains SET enabled = false WHERE name = 'f.test';
SELECT results_eq($$SELECT address FROM mail.snapshot_forwards WHERE is_outside ORDER BY address COLLATE "C"$$,
                  $$VALUES ('cat@d.test'), ('caught@e.test'), ('notcaught@e.test')$$, 'a domain that is off is foreign');

SET LOCAL ROLE postward_dkim;
SELECT lives_ok('SELECT * FROM mail.snapshot_forwards', 'postward-dkim reads it');
SET LOCAL ROLE postward_score;
SELECT throws_ok('SELECT * FROM mail.snapshot_forwards', '42501', NULL, 'postward-score does not');
SELECT * FROM finish();
ROLLBACK;
