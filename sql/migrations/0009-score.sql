-- What messages are judged with, and what became of them.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.score_groups (
    grp          text PRIMARY KEY,
    max_score    numeric(7, 3) CHECK (max_score BETWEEN 0 AND 1000),
    built_in     numeric(7, 3) NOT NULL DEFAULT 0,
    description  text NOT NULL DEFAULT '',
    changed_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.score_groups IS
    'Groups of symbols and the most points each may add. postward-score adds the rows it knows.';
COMMENT ON COLUMN mail.score_groups.grp IS 'Name of the group.';
COMMENT ON COLUMN mail.score_groups.max_score IS 'Most points it may add; NULL = as built in.';
COMMENT ON COLUMN mail.score_groups.built_in IS 'What the program would take by itself.';
COMMENT ON COLUMN mail.score_groups.description IS 'What its symbols look at.';
COMMENT ON COLUMN mail.score_groups.changed_at IS 'When the row last changed.';

CREATE TABLE mail.score_symbols (
    name         text PRIMARY KEY CHECK (name ~ '^[A-Z][A-Z0-9_]{1,62}$'),
    grp          text,
    weight       numeric(7, 3) CHECK (weight BETWEEN -1000 AND 1000),
    built_in     numeric(7, 3) NOT NULL DEFAULT 0,
    enabled      boolean NOT NULL DEFAULT true,
    dry_run      boolean NOT NULL DEFAULT false,
    description  text NOT NULL DEFAULT '',
    changed_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.score_symbols IS
    'Marks a message can show and what each is worth. postward-score adds the rows it knows; '
    'UPDATE mail.score_symbols SET weight = 3 WHERE name = ''SPF_FAIL'';';
COMMENT ON COLUMN mail.score_symbols.name IS 'Name, as in X-Spam-Status.';
COMMENT ON COLUMN mail.score_symbols.grp IS 'Its group.';
COMMENT ON COLUMN mail.score_symbols.weight IS 'Points; positive is spam. NULL = as built in.';
COMMENT ON COLUMN mail.score_symbols.built_in IS 'What the program would take by itself.';
COMMENT ON COLUMN mail.score_symbols.enabled IS 'false: not looked at.';
COMMENT ON COLUMN mail.score_symbols.dry_run IS 'true: shown, but adds no points.';
COMMENT ON COLUMN mail.score_symbols.description IS 'What it means.';
COMMENT ON COLUMN mail.score_symbols.changed_at IS 'When the row last changed.';

CREATE TABLE mail.score_actions (
    action      text PRIMARY KEY CHECK (action IN ('greylist', 'add header', 'reject')),
    threshold   numeric(7, 3) NOT NULL CHECK (threshold BETWEEN -1000 AND 1000),
    enabled     boolean NOT NULL DEFAULT true,
    dry_run     boolean NOT NULL DEFAULT false,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.score_actions IS 'What is done from which score on.';
COMMENT ON COLUMN mail.score_actions.action IS 'greylist, add header or reject.';
COMMENT ON COLUMN mail.score_actions.threshold IS 'From this score on.';
COMMENT ON COLUMN mail.score_actions.enabled IS 'false: never.';
COMMENT ON COLUMN mail.score_actions.dry_run IS 'true: logged, not done.';
COMMENT ON COLUMN mail.score_actions.changed_at IS 'When the row last changed.';
INSERT INTO mail.score_actions (action, threshold, enabled)
VALUES ('greylist', 4, false), ('add header', 6, true), ('reject', 15, true);

CREATE FUNCTION mail.tidy_score() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'score_symbols' THEN
        NEW.name := upper(NEW.name COLLATE "C");
    END IF;
    NEW.changed_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_score() IS 'Trigger: names in capitals, time of the change.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.score_groups
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_score();
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.score_symbols
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_score();
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.score_actions
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_score();
SELECT mail.watch('mail.score_groups', 'grp');
SELECT mail.watch('mail.score_symbols', 'name');
SELECT mail.watch('mail.score_actions', 'action');

-- The program tells what it knows, so that its table of symbols is written once. Only what
-- differs is touched: a restart changes nothing.
CREATE FUNCTION mail.offer_symbols(symbols jsonb, groups jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    changed bigint := 0;
    n bigint;
BEGIN
    IF EXISTS (SELECT FROM jsonb_array_elements(groups) AS e
               LEFT JOIN mail.score_groups AS g ON g.grp = e ->> 'name'
               WHERE (g.built_in, g.description) IS DISTINCT FROM
                     ((e ->> 'max')::numeric(7, 3), e ->> 'description')) THEN
        INSERT INTO mail.score_groups AS g (grp, built_in, description)
        SELECT e ->> 'name', (e ->> 'max')::numeric, e ->> 'description'
        FROM jsonb_array_elements(groups) AS e
        ON CONFLICT (grp) DO UPDATE
            SET built_in = excluded.built_in, description = excluded.description
            WHERE (g.built_in, g.description) IS DISTINCT FROM
                  (excluded.built_in, excluded.description);
        GET DIAGNOSTICS changed = ROW_COUNT;
    END IF;
    IF EXISTS (SELECT FROM jsonb_array_elements(symbols) AS e
               LEFT JOIN mail.score_symbols AS s ON s.name = e ->> 'name'
               WHERE (s.grp, s.built_in, s.description) IS DISTINCT FROM
                     (e ->> 'group', (e ->> 'weight')::numeric(7, 3), e ->> 'description')) THEN
        INSERT INTO mail.score_symbols AS s (name, grp, built_in, description)
        SELECT e ->> 'name', e ->> 'group', (e ->> 'weight')::numeric, e ->> 'description'
        FROM jsonb_array_elements(symbols) AS e
        ON CONFLICT (name) DO UPDATE
            SET grp = excluded.grp, built_in = excluded.built_in,
                description = excluded.description
            WHERE (s.grp, s.built_in, s.description) IS DISTINCT FROM
                  (excluded.grp, excluded.built_in, excluded.description);
        GET DIAGNOSTICS n = ROW_COUNT;
        changed := changed + n;
    END IF;
    RETURN changed;
END $$;
COMMENT ON FUNCTION mail.offer_symbols(jsonb, jsonb) IS
    'For postward-score at start: [{"name", "group", "weight", "description"}, ...] and '
    '[{"name", "max", "description"}, ...]; weights set by people stay. Answers how many rows changed.';

-- History. Queue ids repeat after a while, and hosts have their own.
CREATE TABLE mail.messages (
    host            text NOT NULL,
    queue_id        text NOT NULL,
    day             date NOT NULL GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED,
    at              timestamptz NOT NULL,
    client_address  inet,
    client_name     text,
    helo            text,
    sender          text,
    login           text,
    recipients      text[] NOT NULL DEFAULT '{}',
    message_id      text,
    header_from     text,
    subject         text,
    size            bigint,
    spf             text,
    dkim            text,
    dmarc           text,
    arc             text,
    score           numeric(9, 3),
    action          text,
    symbols         jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(symbols) = 'array'),
    PRIMARY KEY (queue_id, host, day)
);
CREATE INDEX messages_at ON mail.messages (at);
CREATE INDEX messages_sender ON mail.messages (sender, at);
CREATE INDEX messages_login ON mail.messages (login, at) WHERE login IS NOT NULL;
CREATE INDEX messages_message_id ON mail.messages (message_id);
CREATE INDEX messages_recipients ON mail.messages USING gin (recipients);
COMMENT ON TABLE mail.messages IS
    'Every message that came to its end here, and how it was judged. A crash may lose the last seconds.';
COMMENT ON COLUMN mail.messages.host IS 'The mail host.';
COMMENT ON COLUMN mail.messages.queue_id IS 'Postfix''s queue id there; mail.explain(queue_id) tells more.';
COMMENT ON COLUMN mail.messages.day IS 'Day in UTC: queue ids may repeat.';
COMMENT ON COLUMN mail.messages.at IS 'When.';
COMMENT ON COLUMN mail.messages.client_address IS 'The client that really sent it, not our tunnel.';
COMMENT ON COLUMN mail.messages.client_name IS 'Its name, as verified.';
COMMENT ON COLUMN mail.messages.helo IS 'What it called itself.';
COMMENT ON COLUMN mail.messages.sender IS 'Envelope sender; empty = bounce.';
COMMENT ON COLUMN mail.messages.login IS 'Who had logged in; NULL = nobody.';
COMMENT ON COLUMN mail.messages.recipients IS 'Envelope recipients: WHERE recipients @> ''{ann@example.org}''.';
COMMENT ON COLUMN mail.messages.message_id IS 'Its Message-ID.';
COMMENT ON COLUMN mail.messages.header_from IS 'Its From.';
COMMENT ON COLUMN mail.messages.subject IS 'Its Subject.';
COMMENT ON COLUMN mail.messages.size IS 'Bytes.';
COMMENT ON COLUMN mail.messages.spf IS 'Result of SPF.';
COMMENT ON COLUMN mail.messages.dkim IS 'Result of DKIM.';
COMMENT ON COLUMN mail.messages.dmarc IS 'Result of DMARC.';
COMMENT ON COLUMN mail.messages.arc IS 'Result of ARC.';
COMMENT ON COLUMN mail.messages.score IS 'Sum of the symbols.';
COMMENT ON COLUMN mail.messages.action IS 'What was done.';
COMMENT ON COLUMN mail.messages.symbols IS 'What it showed: [{"name", "score", "evidence"}, ...].';

CREATE FUNCTION mail.inet_or_null(value text) RETURNS inet
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN value::inet;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN NULL; -- Postfix says "unknown" where there is no client
END $$;
COMMENT ON FUNCTION mail.inet_or_null(text) IS 'For record_messages: an address, or NULL.';

CREATE FUNCTION mail.record_messages(messages jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH said AS (
        SELECT e, n, coalesce(e ->> 'host', '') AS host, e ->> 'queue_id' AS queue_id,
               CASE WHEN jsonb_typeof(e -> 'at') = 'number'
                    THEN to_timestamp((e ->> 'at')::float8)
                    ELSE coalesce((e ->> 'at')::timestamptz, now()) END AS at
        FROM jsonb_array_elements(messages) WITH ORDINALITY AS a (e, n)
        WHERE coalesce(e ->> 'queue_id', '') <> ''
    ), last AS ( -- the last word on each
        SELECT DISTINCT ON (host, queue_id, (at AT TIME ZONE 'UTC')::date) *
        FROM said ORDER BY host, queue_id, (at AT TIME ZONE 'UTC')::date, n DESC
    ), kept AS (
        INSERT INTO mail.messages AS m (host, queue_id, at, client_address, client_name, helo, sender,
            login, recipients, message_id, header_from, subject, size, spf, dkim, dmarc, arc, score,
            action, symbols)
        SELECT host, queue_id, at, mail.inet_or_null(e ->> 'client_address'), e ->> 'client_name',
            e ->> 'helo', e ->> 'sender', nullif(e ->> 'login', ''),
            CASE WHEN jsonb_typeof(e -> 'recipients') = 'array'
                 THEN ARRAY(SELECT jsonb_array_elements_text(e -> 'recipients')) ELSE '{}' END,
            e ->> 'message_id', e ->> 'from', e ->> 'subject', mail.whole(e -> 'size', NULL),
            e ->> 'spf', e ->> 'dkim', e ->> 'dmarc', e ->> 'arc',
            CASE WHEN jsonb_typeof(e -> 'score') = 'number' THEN (e ->> 'score')::numeric END,
            e ->> 'action',
            CASE WHEN jsonb_typeof(e -> 'symbols') = 'array' THEN e -> 'symbols' ELSE '[]' END
        FROM last ORDER BY n
        ON CONFLICT (queue_id, host, day) DO UPDATE SET
            at = excluded.at, client_address = excluded.client_address,
            client_name = excluded.client_name, helo = excluded.helo, sender = excluded.sender,
            login = excluded.login, recipients = excluded.recipients,
            message_id = excluded.message_id, header_from = excluded.header_from,
            subject = excluded.subject, size = excluded.size, spf = excluded.spf,
            dkim = excluded.dkim, dmarc = excluded.dmarc, arc = excluded.arc,
            score = excluded.score, action = excluded.action, symbols = excluded.symbols
        RETURNING 1)
    SELECT count(*) FROM kept
$$;
COMMENT ON FUNCTION mail.record_messages(jsonb) IS
    'For postward-score: messages as they ended, [{"queue_id", "at", "host", "client_address", ...}, '
    '...]; at in seconds since 1970 or as text. Answers how many were kept.';
GRANT EXECUTE ON FUNCTION mail.offer_symbols(jsonb, jsonb), mail.record_messages(jsonb)
    TO postward_score;

CREATE FUNCTION mail.explain(queue_id text, OUT at timestamptz, OUT symbol text, OUT score numeric,
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
                            CASE WHEN p.name = '(limits)' THEN 'most points of a group' END, g.description)
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
COMMENT ON FUNCTION mail.explain(text) IS
    'Why a message got its score: each symbol with its points and what was seen; score adds up to '
    'the total of the last line. SELECT * FROM mail.explain(''4fQ2xT1z9Yz'');';

GRANT SELECT ON mail.messages, mail.score_groups, mail.score_symbols, mail.score_actions
    TO postward_admin;
GRANT INSERT, UPDATE, DELETE ON mail.score_groups, mail.score_symbols, mail.score_actions
    TO postward_admin;
GRANT EXECUTE ON FUNCTION mail.explain(text) TO postward_admin;
