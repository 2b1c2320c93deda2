-- The admin's own rules: patterns in parts of a message, each worth a symbol of its own.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.score_rules (
    name         text PRIMARY KEY CHECK (name ~ '^[A-Z][A-Z0-9_]{1,62}$'),
    kind         text NOT NULL CHECK (kind IN ('header', 'raw header', 'subject', 'body', 'raw body', 'url',
                                               'attachment')),
    field        text NOT NULL DEFAULT '' CHECK (field ~ '^[!-9;-~]{0,100}$'),
    pattern      text NOT NULL CHECK (octet_length(pattern) BETWEEN 1 AND 1000),
    flags        text NOT NULL DEFAULT 'i' CHECK (flags ~ '^[imsux]*$'),
    weight       numeric(7, 3) NOT NULL CHECK (weight BETWEEN -1000 AND 1000),
    grp          text NOT NULL DEFAULT 'own' CHECK (grp ~ '^[a-z][a-z0-9_]{0,30}$'),
    description  text NOT NULL DEFAULT '',
    enabled      boolean NOT NULL DEFAULT true,
    dry_run      boolean NOT NULL DEFAULT false,
    changed_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT score_rules_field CHECK ((field <> '') = (kind = 'header'))
);
COMMENT ON TABLE mail.score_rules IS
    'Own rules of postward-score: a pattern (PCRE2) and the symbol a message that matches it gets. INSERT INTO '
    'mail.score_rules (name, kind, pattern, weight) VALUES (''PARCEL'', ''subject'', ''\bparcel \d{6}'', 3); '
    'mail.check() tells of patterns that cannot be used.';
COMMENT ON COLUMN mail.score_rules.name IS 'Name of its symbol, as in X-Spam-Status; its row of mail.score_symbols follows this one.';
COMMENT ON COLUMN mail.score_rules.kind IS
    'Where to look: header (each field named by field, decoded), raw header (all fields as they came), subject, body '
    '(text as a reader sees it, every run of blanks and line ends one blank), raw body (as it came), url (each link), '
    'attachment (each file name, those in archives too).';
COMMENT ON COLUMN mail.score_rules.field IS 'For kind header: name of the field, such as X-Mailer.';
COMMENT ON COLUMN mail.score_rules.pattern IS 'What to find there: a pattern of PCRE2.';
COMMENT ON COLUMN mail.score_rules.flags IS
    'i: case does not matter; m: ^ and $ at every line; s: . is a line end too; u: letters of all languages; x: '
    'blanks in the pattern are for people.';
COMMENT ON COLUMN mail.score_rules.weight IS 'Points; positive is spam.';
COMMENT ON COLUMN mail.score_rules.grp IS 'Group of its symbol; mail.score_groups may cap it.';
COMMENT ON COLUMN mail.score_rules.description IS 'What it means; mail.explain shows it.';
COMMENT ON COLUMN mail.score_rules.enabled IS 'false: as if the rule were not there.';
COMMENT ON COLUMN mail.score_rules.dry_run IS 'true: shown, but adds no points.';
COMMENT ON COLUMN mail.score_rules.changed_at IS 'When the row last changed.';

-- Whatever makes a symbol of its own has these columns: name, grp, weight, enabled, dry_run, description.
CREATE FUNCTION mail.tidy_own_symbol() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    NEW.name := upper(NEW.name COLLATE "C");
    NEW.changed_at := clock_timestamp();
    IF (TG_OP = 'INSERT' OR NEW.name <> OLD.name)
       AND EXISTS (SELECT FROM score_symbols AS s WHERE s.name = NEW.name) THEN
        RAISE EXCEPTION 'there is a symbol % already', NEW.name
            USING ERRCODE = 'unique_violation', HINT = 'Choose another name.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_own_symbol() IS
    'Trigger of mail.score_rules and its like: name in capitals, of no other symbol; time of the change.';

CREATE FUNCTION mail.follow_own_symbol() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND NEW.name <> OLD.name) THEN
        DELETE FROM score_symbols AS s WHERE s.name = OLD.name;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    INSERT INTO score_symbols AS s (name, grp, weight, enabled, dry_run, description)
    VALUES (NEW.name, NEW.grp, NEW.weight, NEW.enabled, NEW.dry_run, NEW.description)
    ON CONFLICT (name) DO UPDATE
        SET grp = excluded.grp, weight = excluded.weight, enabled = excluded.enabled, dry_run = excluded.dry_run,
            description = excluded.description
        WHERE (s.grp, s.weight, s.enabled, s.dry_run, s.description) IS DISTINCT FROM
              (excluded.grp, excluded.weight, excluded.enabled, excluded.dry_run, excluded.description);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.follow_own_symbol() IS
    'Trigger of mail.score_rules and its like: the row of mail.score_symbols follows.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.score_rules
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_own_symbol();
CREATE TRIGGER follow AFTER INSERT OR DELETE OR UPDATE ON mail.score_rules
    FOR EACH ROW EXECUTE FUNCTION mail.follow_own_symbol();
SELECT mail.watch('mail.score_rules', 'name');

CREATE VIEW mail.snapshot_score_rules AS
    SELECT r.name, r.kind, r.field, r.pattern, r.flags FROM mail.score_rules AS r WHERE r.enabled ORDER BY r.name;
COMMENT ON VIEW mail.snapshot_score_rules IS 'For postward-score: own rules.';
COMMENT ON COLUMN mail.snapshot_score_rules.name IS 'The symbol.';
COMMENT ON COLUMN mail.snapshot_score_rules.kind IS 'Where to look.';
COMMENT ON COLUMN mail.snapshot_score_rules.field IS 'Field of the header.';
COMMENT ON COLUMN mail.snapshot_score_rules.pattern IS 'What to find.';
COMMENT ON COLUMN mail.snapshot_score_rules.flags IS 'How.';
GRANT SELECT ON mail.snapshot_score_rules TO postward_score;

-- PostgreSQL has no PCRE2: the program tries the patterns and says which it cannot use.
CREATE TABLE mail.score_rule_problems (
    name     text PRIMARY KEY,
    problem  text NOT NULL,
    told_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE mail.score_rule_problems IS 'Own rules that postward-score left out when it last read them; mail.check() shows them.';
COMMENT ON COLUMN mail.score_rule_problems.name IS 'The rule.';
COMMENT ON COLUMN mail.score_rule_problems.problem IS 'Why.';
COMMENT ON COLUMN mail.score_rule_problems.told_at IS 'When the program said so.';

CREATE FUNCTION mail.tell_score_rules(problems jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH said AS (
        SELECT DISTINCT ON (e ->> 'name') e ->> 'name' AS name, coalesce(e ->> 'problem', '') AS problem
        FROM jsonb_array_elements(problems) AS e WHERE e ->> 'name' IS NOT NULL
    ), gone AS (
        DELETE FROM mail.score_rule_problems AS p WHERE p.name NOT IN (SELECT name FROM said)
    ), kept AS (
        INSERT INTO mail.score_rule_problems AS p (name, problem)
        SELECT name, problem FROM said
        ON CONFLICT (name) DO UPDATE SET problem = excluded.problem, told_at = excluded.told_at
        RETURNING 1)
    SELECT count(*) FROM kept
$$;
COMMENT ON FUNCTION mail.tell_score_rules(jsonb) IS
    'For postward-score: the own rules it cannot use, [{"name", "problem"}, ...]; all others are good.';
GRANT EXECUTE ON FUNCTION mail.tell_score_rules(jsonb) TO postward_score;

CREATE FUNCTION mail.check_rules(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT 'error', format('rule %s is not used: %s', r.name, p.problem),
           format('UPDATE mail.score_rules SET pattern = ''...'' WHERE name = %L;', r.name)
    FROM mail.score_rule_problems AS p JOIN mail.score_rules AS r ON r.name = p.name
    WHERE r.enabled AND r.changed_at <= p.told_at
    UNION ALL
    SELECT 'error', format('rule %s does nothing: its row of mail.score_symbols is gone', r.name),
           format('UPDATE mail.score_rules SET weight = weight WHERE name = %L;', r.name)
    FROM mail.score_rules AS r
    WHERE r.enabled AND NOT EXISTS (SELECT FROM mail.score_symbols AS s WHERE s.name = r.name)
$$;
COMMENT ON FUNCTION mail.check_rules() IS 'Part of mail.check(): own rules that postward-score cannot use.';

-- Whoever adds a function mail.check_...() of this form adds a part.
CREATE OR REPLACE FUNCTION mail.check(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE (
        SELECT string_agg(format('SELECT * FROM mail.%I()', p.proname), ' UNION ' ORDER BY p.proname) || ' ORDER BY 1, 2'
        FROM pg_proc AS p
        WHERE p.pronamespace = 'mail'::regnamespace AND p.proname LIKE 'check\_%' AND p.pronargs = 0 AND p.proretset
              AND p.proargnames = '{severity,what,hint}'::text[]);
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON mail.score_rules TO postward_admin;
GRANT SELECT ON mail.score_rule_problems TO postward_admin;
