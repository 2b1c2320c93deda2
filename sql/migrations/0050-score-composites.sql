-- The admin's own composites: symbols that are made of other symbols.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.score_composites (
    name         text PRIMARY KEY CHECK (name ~ '^[A-Z][A-Z0-9_]{1,62}$'),
    expression   text NOT NULL CHECK (octet_length(expression) <= 1000)
                               CHECK (expression ~ '^[A-Za-z0-9_&|!+()\s]+$'),
    parts        text NOT NULL DEFAULT 'keep' CHECK (parts IN ('keep', 'remove weight', 'remove symbol')),
    weight       numeric(7, 3) NOT NULL CHECK (weight BETWEEN -1000 AND 1000),
    grp          text NOT NULL DEFAULT 'own' CHECK (grp ~ '^[a-z][a-z0-9_]{0,30}$'),
    description  text NOT NULL DEFAULT '',
    enabled      boolean NOT NULL DEFAULT true,
    dry_run      boolean NOT NULL DEFAULT false,
    changed_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.score_composites IS
    'Own composites of postward-score: the symbol of a message for whose symbols an expression is true. INSERT INTO '
    'mail.score_composites (name, expression, weight) VALUES (''LURE'', ''PHISHING_ANCHOR & !DMARC_PASS'', 2); '
    'mail.check() tells of expressions that cannot be used.';
COMMENT ON COLUMN mail.score_composites.name IS 'Name of its symbol, as in X-Spam-Status; its row of mail.score_symbols follows this one.';
COMMENT ON COLUMN mail.score_composites.expression IS
    'Symbols (in capitals) and groups (in small letters: any of their symbols) with & (and), | (or), ! (not) and '
    'parentheses; ! binds closest, then &. No composite can be named. + before a name: it stays whatever parts says.';
COMMENT ON COLUMN mail.score_composites.parts IS
    'What becomes of the symbols that make it true, those behind ! aside: keep; remove weight (shown, their points taken '
    'off in a line of its own); remove symbol (not shown).';
COMMENT ON COLUMN mail.score_composites.weight IS 'Points; positive is spam.';
COMMENT ON COLUMN mail.score_composites.grp IS 'Group of its symbol; mail.score_groups may cap it.';
COMMENT ON COLUMN mail.score_composites.description IS 'What it means; mail.explain shows it.';
COMMENT ON COLUMN mail.score_composites.enabled IS 'false: as if the composite were not there.';
COMMENT ON COLUMN mail.score_composites.dry_run IS
    'true: shown, but adds no points and leaves its parts alone. Symbols that run dry make only composites that do.';
COMMENT ON COLUMN mail.score_composites.changed_at IS 'When the row last changed.';

CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.score_composites
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_own_symbol();
CREATE TRIGGER follow AFTER INSERT OR DELETE OR UPDATE ON mail.score_composites
    FOR EACH ROW EXECUTE FUNCTION mail.follow_own_symbol();
SELECT mail.watch('mail.score_composites', 'name');

CREATE VIEW mail.snapshot_score_composites AS
    SELECT c.name, c.expression, c.parts FROM mail.score_composites AS c WHERE c.enabled ORDER BY c.name;
COMMENT ON VIEW mail.snapshot_score_composites IS 'For postward-score: own composites.';
COMMENT ON COLUMN mail.snapshot_score_composites.name IS 'The symbol.';
COMMENT ON COLUMN mail.snapshot_score_composites.expression IS 'What makes it.';
COMMENT ON COLUMN mail.snapshot_score_composites.parts IS 'What becomes of the symbols that make it.';

CREATE FUNCTION mail.check_composites(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT 'error', format('composite %s is not used: %s', c.name, p.problem),
           format('UPDATE mail.score_composites SET expression = ''...'' WHERE name = %L;', c.name)
    FROM mail.score_rule_problems AS p JOIN mail.score_composites AS c ON c.name = p.name
    WHERE c.enabled AND c.changed_at <= p.told_at
    UNION ALL
    SELECT 'error', format('composite %s does nothing: its row of mail.score_symbols is gone', c.name),
           format('UPDATE mail.score_composites SET weight = weight WHERE name = %L;', c.name)
    FROM mail.score_composites AS c
    WHERE c.enabled AND NOT EXISTS (SELECT FROM mail.score_symbols AS s WHERE s.name = c.name)
$$;
COMMENT ON FUNCTION mail.check_composites() IS 'Part of mail.check(): own composites that postward-score cannot use.';

COMMENT ON TABLE mail.score_rule_problems IS
    'Own rules, maps, lists and composites that postward-score left out when it last read them; mail.check() shows them.';

-- As in 0009, and what a composite takes off its parts has a meaning.
CREATE OR REPLACE FUNCTION mail.explain(queue_id text, OUT at timestamptz, OUT symbol text, OUT score numeric,
                                        OUT total numeric, OUT evidence text, OUT meaning text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    found_one boolean := false;
    m mail.messages;
BEGIN
    FOR m IN SELECT * FROM messages WHERE messages.queue_id = explain.queue_id
             ORDER BY messages.at DESC, messages.host LOOP
        found_one := true;
        RETURN QUERY
            WITH parts AS (
                SELECT n, e ->> 'name' AS name, (e ->> 'score')::numeric(9, 3) AS points, e ->> 'evidence' AS seen
                FROM jsonb_array_elements(m.symbols) WITH ORDINALITY AS a (e, n)
                WHERE NOT coalesce((e ->> 'dry_run')::boolean, false)
                UNION ALL -- so that the column adds up to what was decided on
                SELECT 1000000, '(limits)', m.score - sum(coalesce((e ->> 'score')::numeric, 0)), ''
                FROM jsonb_array_elements(m.symbols) AS e
                WHERE NOT coalesce((e ->> 'dry_run')::boolean, false)
                HAVING m.score <> sum(coalesce((e ->> 'score')::numeric, 0)))
            SELECT m.at, p.name, p.points, sum(p.points) OVER (ORDER BY p.n), p.seen,
                   coalesce(s.description,
                            CASE WHEN p.name = '(limits)' THEN 'most points of a group'
                                 WHEN p.name LIKE 'parts:%' THEN substr(p.name, 7) || ' stands for its parts' END,
                            g.description)
            FROM parts AS p
            LEFT JOIN score_symbols AS s ON s.name = p.name
            LEFT JOIN score_groups AS g ON g.grp = p.name
            ORDER BY p.n;
        at := m.at;
        symbol := coalesce(m.action, 'no action');
        score := NULL;
        total := m.score;
        evidence := format('from <%s> to %s, client %s, spf=%s dkim=%s dmarc=%s', m.sender,
                           array_to_string(m.recipients, ' '),
                           coalesce(m.client_name || '[' || host(m.client_address) || ']', m.login, 'local'),
                           coalesce(m.spf, 'none'), coalesce(m.dkim, 'none'), coalesce(m.dmarc, 'none'));
        meaning := 'what was done';
        RETURN NEXT;
    END LOOP;
    IF NOT found_one THEN
        RAISE EXCEPTION 'no message with queue id %', explain.queue_id
            USING ERRCODE = 'no_data_found',
                  HINT = 'Rows arrive seconds after the message; look with: SELECT at, queue_id, sender, '
                         'subject FROM mail.messages ORDER BY at DESC LIMIT 20;';
    END IF;
END $$;

GRANT SELECT ON mail.snapshot_score_composites TO postward_score;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.score_composites TO postward_admin;
