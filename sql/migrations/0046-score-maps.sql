-- The admin's own lists of addresses, domains and networks, each worth a symbol of its own.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.score_maps (
    name           text PRIMARY KEY CHECK (name ~ '^[A-Z][A-Z0-9_]{1,62}$'),
    property       text NOT NULL CHECK (property IN ('client', 'name', 'helo', 'sender', 'from', 'recipient')),
    authenticated  boolean NOT NULL DEFAULT false,
    weight         numeric(7, 3) NOT NULL CHECK (weight BETWEEN -1000 AND 1000),
    grp            text NOT NULL DEFAULT 'own' CHECK (grp ~ '^[a-z][a-z0-9_]{0,30}$'),
    description    text NOT NULL DEFAULT '',
    enabled        boolean NOT NULL DEFAULT true,
    dry_run        boolean NOT NULL DEFAULT false,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT score_maps_authenticated CHECK (NOT authenticated OR property IN ('sender', 'from'))
);
COMMENT ON TABLE mail.score_maps IS
    'Own lists of postward-score: a message whose client, sender, author or recipient is in mail.score_map_entries '
    'under this name gets the symbol. INSERT INTO mail.score_maps (name, property, weight) VALUES (''PARTNERS'', '
    '''client'', -5);';
COMMENT ON COLUMN mail.score_maps.name IS 'Name of the list and of its symbol, whose row of mail.score_symbols follows this one.';
COMMENT ON COLUMN mail.score_maps.property IS
    'What is looked up: client (address), name (the client''s verified name), helo, sender (envelope), from (author), '
    'recipient (each; ann+x@example.org is found as ann@example.org, too).';
COMMENT ON COLUMN mail.score_maps.authenticated IS
    'true: a sender counts only with an SPF pass, an author only with a DMARC pass. Advised where the weight is negative: '
    'anybody can write any From.';
COMMENT ON COLUMN mail.score_maps.weight IS 'Points; positive is spam.';
COMMENT ON COLUMN mail.score_maps.grp IS 'Group of its symbol; mail.score_groups may cap it.';
COMMENT ON COLUMN mail.score_maps.description IS 'What it means; mail.explain shows it.';
COMMENT ON COLUMN mail.score_maps.enabled IS 'false: as if the list were not there.';
COMMENT ON COLUMN mail.score_maps.dry_run IS 'true: shown, but adds no points.';
COMMENT ON COLUMN mail.score_maps.changed_at IS 'When the row last changed.';

CREATE TABLE mail.score_map_entries (
    map         text NOT NULL REFERENCES mail.score_maps (name) ON UPDATE CASCADE ON DELETE CASCADE,
    entry       text NOT NULL,
    note        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (map, entry)
);
COMMENT ON TABLE mail.score_map_entries IS 'Who is in the lists of mail.score_maps.';
COMMENT ON COLUMN mail.score_map_entries.map IS 'The list.';
COMMENT ON COLUMN mail.score_map_entries.entry IS
    'For client: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32. Else example.org (exactly), .example.org (all below it), and '
    'for sender, from and recipient ann@example.org.';
COMMENT ON COLUMN mail.score_map_entries.note IS 'For people.';
COMMENT ON COLUMN mail.score_map_entries.created_at IS 'When the row was added.';

CREATE FUNCTION mail.tidy_map_entry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    wanted text;
    tidy text;
BEGIN
    NEW.map := upper(NEW.map COLLATE "C");
    SELECT m.property INTO wanted FROM score_maps AS m WHERE m.name = NEW.map;
    IF wanted IS NULL THEN
        RETURN NEW; -- the foreign key says so
    ELSIF wanted = 'client' THEN
        tidy := network(mail.inet_or_null(btrim(NEW.entry)))::text;
    ELSIF NEW.entry LIKE '%@%' AND wanted IN ('sender', 'from', 'recipient') THEN
        tidy := mail.normal_address(NEW.entry);
    ELSE
        tidy := CASE WHEN NEW.entry LIKE '.%' THEN '.' ELSE '' END
                || mail.normal_domain(regexp_replace(NEW.entry, '^\.', ''));
    END IF;
    IF tidy IS NULL THEN
        RAISE EXCEPTION '"%" cannot be in %, a list of %', left(NEW.entry, 300), NEW.map,
            CASE wanted WHEN 'client' THEN 'addresses and networks' WHEN 'name' THEN 'domains'
                        WHEN 'helo' THEN 'domains' ELSE 'addresses and domains' END
            USING ERRCODE = 'check_violation', HINT = 'See \d+ mail.score_map_entries.';
    END IF;
    NEW.entry := tidy;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_map_entry() IS 'Trigger: normal form of an entry.';

CREATE FUNCTION mail.keep_map_property() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF NEW.property <> OLD.property AND EXISTS (SELECT FROM score_map_entries AS e WHERE e.map = OLD.name) THEN
        RAISE EXCEPTION 'the entries of % are of %', OLD.name, OLD.property
            USING ERRCODE = 'check_violation', HINT = 'Add a list of its own, or remove the entries first.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.keep_map_property() IS 'Trigger: what a list looks up stays while it has entries.';

CREATE TRIGGER keep_property BEFORE UPDATE ON mail.score_maps
    FOR EACH ROW EXECUTE FUNCTION mail.keep_map_property();
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.score_maps
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_own_symbol();
CREATE TRIGGER follow AFTER INSERT OR DELETE OR UPDATE ON mail.score_maps
    FOR EACH ROW EXECUTE FUNCTION mail.follow_own_symbol();
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.score_map_entries
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_map_entry();
SELECT mail.watch('mail.score_maps', 'name');
SELECT mail.watch('mail.score_map_entries', 'map');

CREATE VIEW mail.snapshot_score_maps AS
    SELECT m.name, m.property, m.authenticated FROM mail.score_maps AS m WHERE m.enabled ORDER BY m.name;
COMMENT ON VIEW mail.snapshot_score_maps IS 'For postward-score: own lists.';
COMMENT ON COLUMN mail.snapshot_score_maps.name IS 'The symbol.';
COMMENT ON COLUMN mail.snapshot_score_maps.property IS 'What is looked up.';
COMMENT ON COLUMN mail.snapshot_score_maps.authenticated IS 'Only what is no forgery.';

CREATE VIEW mail.snapshot_score_map_entries AS
    SELECT e.map, e.entry FROM mail.score_map_entries AS e JOIN mail.score_maps AS m ON m.name = e.map WHERE m.enabled;
COMMENT ON VIEW mail.snapshot_score_map_entries IS 'For postward-score: who is in own lists.';
COMMENT ON COLUMN mail.snapshot_score_map_entries.map IS 'The list.';
COMMENT ON COLUMN mail.snapshot_score_map_entries.entry IS 'Address, domain, .domain or network.';

CREATE OR REPLACE FUNCTION mail.check_rules(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH own AS (
        SELECT 'rule' AS word, 'mail.score_rules' AS place, 'pattern = ''...''' AS cure, name, changed_at
        FROM mail.score_rules WHERE enabled
        UNION ALL
        SELECT 'map', 'mail.score_maps', 'name = ''...''', name, changed_at FROM mail.score_maps WHERE enabled)
    SELECT 'error', format('%s %s is not used: %s', o.word, o.name, p.problem),
           format('UPDATE %s SET %s WHERE name = %L;', o.place, o.cure, o.name)
    FROM mail.score_rule_problems AS p JOIN own AS o ON o.name = p.name
    WHERE o.changed_at <= p.told_at
    UNION ALL
    SELECT 'error', format('%s %s does nothing: its row of mail.score_symbols is gone', o.word, o.name),
           format('UPDATE %s SET weight = weight WHERE name = %L;', o.place, o.name)
    FROM own AS o
    WHERE NOT EXISTS (SELECT FROM mail.score_symbols AS s WHERE s.name = o.name)
    UNION ALL
    SELECT 'warning', format('map %s has no entries', m.name),
           format('INSERT INTO mail.score_map_entries (map, entry) VALUES (%L, ''...'');', m.name)
    FROM mail.score_maps AS m
    WHERE m.enabled AND NOT EXISTS (SELECT FROM mail.score_map_entries AS e WHERE e.map = m.name)
    UNION ALL
    SELECT 'warning', format('map %s is in the sender''s favour and believes any From', m.name),
           format('UPDATE mail.score_maps SET authenticated = true WHERE name = %L;', m.name)
    FROM mail.score_maps AS m
    WHERE m.enabled AND m.weight < 0 AND m.property IN ('sender', 'from') AND NOT m.authenticated
$$;
COMMENT ON FUNCTION mail.check_rules() IS 'Part of mail.check(): own rules and maps that do nothing, or too much.';

GRANT SELECT ON mail.snapshot_score_maps, mail.snapshot_score_map_entries TO postward_score;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.score_maps, mail.score_map_entries TO postward_admin;
