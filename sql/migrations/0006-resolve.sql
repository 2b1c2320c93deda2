-- The one order in which an address finds its way. Every answer about addresses, from
-- Postfix's maps to mail.who_gets, comes from mail.resolve_step.

SET LOCAL ROLE postward_owner;

-- One step. No row: nobody. Rows of one step only: the first that knows the address.
--   step         alias | mailbox | subaddress | alias domain | catch-all
--   kind         mailbox: delivered to mailbox destination
--                refused: that mailbox takes no mail
--                onward:  goes on to destination
CREATE FUNCTION mail.resolve_step(address text, OUT step text, OUT kind text,
                                  OUT destination text) RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp
ROWS 2 AS $$
DECLARE
    domain constant text := mail.domain_of(address);
    base constant text := mail.base_address(address);
    candidate text;
    target text;
BEGIN
    IF NOT EXISTS (SELECT FROM virtual_domains AS d WHERE d.name = domain AND d.enabled) THEN
        SELECT left(address, -length(domain)) || d.name INTO target
        FROM alias_domains AS a JOIN virtual_domains AS d ON d.name = a.target
        WHERE a.name = domain AND a.enabled AND d.enabled;
        IF target IS NOT NULL AND EXISTS (SELECT FROM resolve_step(target)) THEN
            RETURN QUERY SELECT 'alias domain', 'onward', target;
        END IF;
        RETURN;
    END IF;
    FOREACH candidate IN ARRAY CASE WHEN base = address THEN ARRAY[address]
                                    ELSE ARRAY[address, base] END LOOP
        step := CASE WHEN candidate = address THEN 'alias' ELSE 'subaddress' END;
        RETURN QUERY
            SELECT resolve_step.step,
                   CASE WHEN u.id IS NULL THEN 'onward'
                        WHEN u.may_receive THEN 'mailbox' ELSE 'refused' END,
                   a.destination::text
            FROM virtual_aliases AS a
            LEFT JOIN virtual_users AS u ON a.destination = a.source AND u.email = a.source
            WHERE a.source = candidate AND a.enabled
            ORDER BY a.id;
        IF FOUND THEN
            RETURN;
        END IF;
        RETURN QUERY
            SELECT CASE WHEN candidate = address THEN 'mailbox' ELSE 'subaddress' END,
                   CASE WHEN u.may_receive THEN 'mailbox' ELSE 'refused' END, u.email::text
            FROM virtual_users AS u WHERE u.email = candidate;
        IF FOUND THEN
            RETURN;
        END IF;
    END LOOP;
    RETURN QUERY
        SELECT 'catch-all', 'onward', a.destination::text
        FROM virtual_aliases AS a WHERE a.source = '@' || domain AND a.enabled
        ORDER BY a.id;
END $$;
COMMENT ON FUNCTION mail.resolve_step(text) IS
    'One step of an address in normal form: exact alias, mailbox, subaddress base, alias domain, '
    'catch-all, the first that knows it. No row: unknown.';

-- All steps, depth first, each address once. path is the way to the address at hand, so that
-- coming back to one of them is a loop, unless that one keeps a copy for itself (two people
-- who forward to each other).
CREATE FUNCTION mail.resolve(start text, OUT depth int, OUT address text, OUT step text,
                             OUT kind text, OUT destination text) RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp
ROWS 4 AS $$
#variable_conflict use_column
DECLARE
    depth_max constant int := 10;
    fan_out_max constant int := 1000;
    todo text[] := ARRAY[start]; -- a stack; NULL = leave the address on top of path
    path text[] := '{}';
    met text[] := '{}';
    keeps text[] := '{}';
    top text;
    hop record;
    onward text[];
BEGIN
    WHILE cardinality(todo) > 0 LOOP
        top := todo[cardinality(todo)];
        todo := trim_array(todo, 1);
        IF top IS NULL THEN
            path := trim_array(path, 1);
            CONTINUE;
        END IF;
        depth := cardinality(path);
        address := top;
        step := '';
        destination := NULL;
        kind := CASE
            WHEN top = ANY (path) AND NOT top = ANY (keeps) THEN 'loop'
            WHEN top = ANY (met) THEN 'met'
            WHEN depth > depth_max THEN 'too deep'
            WHEN cardinality(met) >= fan_out_max THEN 'too many' END;
        CONTINUE WHEN kind = 'met';
        IF kind IS NOT NULL THEN
            RETURN NEXT;
            RETURN;
        END IF;
        met := met || top;
        path := path || top;
        todo := todo || NULL::text;
        onward := '{}';
        FOR hop IN SELECT * FROM resolve_step(top) LOOP
            step := hop.step;
            kind := hop.kind;
            destination := hop.destination;
            RETURN NEXT;
            IF kind = 'onward' THEN
                onward := destination || onward;
            ELSIF destination = top THEN
                keeps := keeps || top;
            END IF;
        END LOOP;
        todo := todo || onward;
        IF kind IS NULL THEN
            kind := CASE WHEN domain_of(top) IN (SELECT name FROM virtual_domains WHERE enabled
                                                 UNION ALL
                                                 SELECT name FROM alias_domains WHERE enabled)
                         THEN 'unknown' ELSE 'remote' END;
            destination := top;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION mail.resolve(text) IS
    'Every step of an address in normal form. Kinds: onward; mailbox, remote (the ends); refused, '
    'unknown; loop, too deep, too many (nothing after them counts).';

-- Aliases that cannot work are refused when they are made. A loop that only appears when
-- something else is removed later shows in mail.check().
CREATE FUNCTION mail.guard_alias() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    -- A catch-all is tried with an address that nothing else can take.
    probe constant text := CASE WHEN left(NEW.source, 1) = '@'
                                THEN replace(gen_random_uuid()::text, '-', '') || NEW.source
                                ELSE NEW.source END;
    trouble record;
BEGIN
    IF NOT NEW.enabled THEN
        RETURN NULL;
    END IF;
    SELECT * INTO trouble FROM mail.resolve(probe)
    WHERE kind IN ('loop', 'too deep', 'too many') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'alias % to % %', NEW.source, NEW.destination,
            CASE trouble.kind
                WHEN 'loop' THEN format('runs in a circle at %s', trouble.address)
                WHEN 'too deep' THEN 'makes a chain of more than 10 steps'
                ELSE 'leads to more than 1000 addresses' END
            USING ERRCODE = 'check_violation',
                  HINT = CASE WHEN trouble.kind = 'loop'
                              THEN 'An alias to itself keeps a copy, where a mailbox of that name exists. '
                              ELSE '' END
                         || format('Look with: SELECT * FROM mail.who_gets(%L);', NEW.destination);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.guard_alias() IS
    'Trigger: refuses circles, chains of more than 10 steps and more than 1000 addresses.';
CREATE TRIGGER guard AFTER INSERT OR UPDATE ON mail.virtual_aliases
    FOR EACH ROW EXECUTE FUNCTION mail.guard_alias();

CREATE FUNCTION mail.resolve_ends(address text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT ROWS 2 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT DISTINCT r.destination FROM mail.resolve(address) AS r
        WHERE r.kind IN ('mailbox', 'remote');
END $$;
COMMENT ON FUNCTION mail.resolve_ends(text) IS
    'Where mail for an address (in normal form) ends: mailboxes and foreign addresses.';

CREATE FUNCTION mail.who_gets(address text, OUT step int, OUT text text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    start constant text := normal_address(who_gets.address);
    hop record;
    ends text;
BEGIN
    PERFORM must_be_address(coalesce(who_gets.address, ''));
    step := 0;
    FOR hop IN SELECT * FROM resolve(start) LOOP
        step := step + 1;
        text := repeat('  ', hop.depth) || hop.address || ': ' || CASE hop.kind
            WHEN 'onward' THEN hop.step || ' to ' || hop.destination
            WHEN 'mailbox' THEN CASE hop.step WHEN 'mailbox' THEN 'mailbox'
                                              WHEN 'alias' THEN 'alias to itself: its mailbox keeps a copy'
                                              ELSE hop.step || ' of mailbox ' || hop.destination END
            WHEN 'refused' THEN 'mailbox ' || hop.destination || ' takes no mail (may_receive is false)'
            WHEN 'remote' THEN 'not one of our domains: sent there'
            WHEN 'unknown' THEN 'unknown: no alias, mailbox or catch-all'
            WHEN 'loop' THEN 'runs in a circle'
            WHEN 'too deep' THEN 'more than 10 steps deep'
            ELSE 'more than 1000 addresses' END;
        RETURN NEXT;
    END LOOP;
    SELECT string_agg(DISTINCT destination, ', ') INTO ends FROM resolve_ends(start) AS destination;
    step := step + 1;
    text := CASE WHEN ends IS NULL THEN 'nobody gets it: refused' ELSE 'delivered to ' || ends END;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION mail.who_gets(text) IS
    'Who gets mail for this address, step by step: SELECT * FROM mail.who_gets(''info@example.org'');';

GRANT EXECUTE ON FUNCTION mail.resolve_step(text), mail.resolve(text), mail.resolve_ends(text),
    mail.who_gets(text) TO postward_admin;

-- Sender ownership: the logins that may send as an address. Neither does a catch-all give
-- the right to send as everybody, nor a forwarded mailbox the right to send as its owner.
CREATE FUNCTION mail.senders_of(address text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT ROWS 2 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN QUERY
        WITH RECURSIVE names (name) AS ( -- the address, its base, and the same in the target domain
            SELECT v.name
            FROM (SELECT address UNION SELECT mail.base_address(address)) AS v (name)
            UNION
            SELECT left(n.name, -length(a.name)) || a.target
            FROM names AS n JOIN mail.alias_domains AS a ON a.name = mail.domain_of(n.name)
            WHERE a.enabled
        ), logins (login) AS (
            SELECT n.name FROM names AS n
            UNION
            SELECT r.destination
            FROM names AS n, mail.resolve(n.name) AS r
            WHERE r.kind IN ('mailbox', 'refused')
              AND EXISTS (SELECT FROM mail.virtual_aliases AS a WHERE a.source = n.name AND a.enabled)
              AND NOT EXISTS (SELECT FROM mail.virtual_users AS u WHERE u.email = n.name)
            UNION
            SELECT p.login
            FROM names AS n JOIN mail.sender_permissions AS p
                 ON p.pattern IN (n.name, '@' || mail.domain_of(n.name))
            WHERE p.enabled
        )
        SELECT u.email::text
        FROM logins AS l
        JOIN mail.virtual_users AS u ON u.email = l.login AND u.enabled
        JOIN mail.virtual_domains AS d ON d.id = u.domain_id AND d.enabled;
END $$;
COMMENT ON FUNCTION mail.senders_of(text) IS
    'Logins that may send as an address (in normal form).';

-- The same as a table, for the programs' snapshots.
CREATE FUNCTION mail.senders(OUT login text, OUT pattern text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH own (login, pattern) AS (
        SELECT u.email, u.email::text FROM mail.virtual_users AS u
        UNION
        SELECT r.destination, a.source
        FROM (SELECT DISTINCT source::text FROM mail.virtual_aliases
              WHERE enabled AND source NOT LIKE '@%'
                AND source NOT IN (SELECT email FROM mail.virtual_users)) AS a,
             mail.resolve(a.source) AS r
        WHERE r.kind IN ('mailbox', 'refused')
        UNION
        SELECT p.login, p.pattern FROM mail.sender_permissions AS p WHERE p.enabled
    ), everywhere (login, pattern) AS (
        SELECT o.login, o.pattern FROM own AS o
        UNION
        SELECT o.login, left(o.pattern, -length(a.target)) || a.name
        FROM own AS o JOIN mail.alias_domains AS a ON a.target = mail.domain_of(o.pattern)
        WHERE a.enabled
    )
    SELECT e.login, e.pattern
    FROM everywhere AS e
    JOIN mail.virtual_users AS u ON u.email = e.login AND u.enabled
    JOIN mail.virtual_domains AS d ON d.id = u.domain_id AND d.enabled
$$;
COMMENT ON FUNCTION mail.senders() IS
    'Who may send as what: own address, aliases that lead to it, sender_permissions; each also in '
    'the alias domains.';
GRANT EXECUTE ON FUNCTION mail.senders_of(text), mail.senders() TO postward_admin;
