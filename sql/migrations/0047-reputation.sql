-- Reputation: how much spam and how much ham came from a network, an authenticated sender, a DKIM domain, or
-- with links to a domain. Counts fade: half of each is gone after 30 days.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.reputation_counts (
    source      text PRIMARY KEY CHECK (source ~ '^(network|sender|dkim|url):.' AND length(source) <= 300),
    spam_milli  bigint NOT NULL DEFAULT 0 CHECK (spam_milli >= 0),
    ham_milli   bigint NOT NULL DEFAULT 0 CHECK (ham_milli >= 0),
    counted_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reputation_counts_counted_at ON mail.reputation_counts (counted_at);
COMMENT ON TABLE mail.reputation_counts IS
    'What came from where, as of counted_at; to be read through mail.reputation. Goes 120 days after the last message.';
COMMENT ON COLUMN mail.reputation_counts.source IS
    'network:192.0.2.0/24, sender:example.org (DMARC passed), dkim:example.org (signature passed), url:example.org.';
COMMENT ON COLUMN mail.reputation_counts.spam_milli IS 'Messages of spam, in thousandths.';
COMMENT ON COLUMN mail.reputation_counts.ham_milli IS 'Honest messages, in thousandths.';
COMMENT ON COLUMN mail.reputation_counts.counted_at IS 'When it was last counted.';

CREATE TABLE mail.reputation_messages (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id  text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    verdict     text NOT NULL CHECK (verdict IN ('spam', 'ham', '')),
    sources     text[] NOT NULL
);
CREATE INDEX reputation_messages_message_id ON mail.reputation_messages USING hash (message_id);
CREATE INDEX reputation_messages_at ON mail.reputation_messages (at);
COMMENT ON TABLE mail.reputation_messages IS
    'What was counted for whom, for 30 days: whoever calls the message spam or ham later is right.';
COMMENT ON COLUMN mail.reputation_messages.id IS 'Running number.';
COMMENT ON COLUMN mail.reputation_messages.message_id IS 'Its Message-ID.';
COMMENT ON COLUMN mail.reputation_messages.at IS 'When it was judged.';
COMMENT ON COLUMN mail.reputation_messages.verdict IS 'What it was counted as; empty: in doubt, as nothing.';
COMMENT ON COLUMN mail.reputation_messages.sources IS 'For which sources.';

-- Whole halves by shifting, the rest along a straight line: the same on each machine.
CREATE FUNCTION mail.reputation_faded(n bigint, age interval) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    half constant bigint := 30 * 86400;
    s constant bigint := greatest(extract(epoch FROM age), 0)::bigint;
    halved bigint;
BEGIN
    IF s / half > 40 THEN
        RETURN 0;
    END IF;
    halved := n >> (s / half)::int;
    RETURN halved - (halved::numeric * (s % half) / (2 * half))::bigint;
END $$;
COMMENT ON FUNCTION mail.reputation_faded(bigint, interval) IS
    'What is left of a count after a time: half after 30 days. Integers only.';

CREATE VIEW mail.reputation AS
    SELECT split_part(c.source, ':', 1) AS kind, substr(c.source, strpos(c.source, ':') + 1) AS name,
           round(mail.reputation_faded(c.spam_milli, now() - c.counted_at) / 1000.0, 1) AS spam,
           round(mail.reputation_faded(c.ham_milli, now() - c.counted_at) / 1000.0, 1) AS ham, c.counted_at
    FROM mail.reputation_counts AS c;
COMMENT ON VIEW mail.reputation IS
    'How much spam and ham came from where; the more recent, the more it counts. DELETE FROM mail.reputation WHERE name = '
    '''example.org'' lets it begin anew.';
COMMENT ON COLUMN mail.reputation.kind IS 'network, sender, dkim or url.';
COMMENT ON COLUMN mail.reputation.name IS 'Network or domain.';
COMMENT ON COLUMN mail.reputation.spam IS 'Messages of spam that still count.';
COMMENT ON COLUMN mail.reputation.ham IS 'Honest messages that still count.';
COMMENT ON COLUMN mail.reputation.counted_at IS 'When one was last counted.';

CREATE FUNCTION mail.reputation_recall(sources text[], OUT n int, OUT spam_milli bigint, OUT ham_milli bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp
SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN QUERY
        SELECT s.i::int, reputation_faded(c.spam_milli, now() - c.counted_at),
               reputation_faded(c.ham_milli, now() - c.counted_at)
        FROM unnest(sources) WITH ORDINALITY AS s (source, i) JOIN reputation_counts AS c ON c.source = s.source;
END $$;
COMMENT ON FUNCTION mail.reputation_recall(text[]) IS
    'For postward-score: what is known of these sources; n: which one, from 1 on.';

-- Always in the order of their names: two nodes never wait for each other in a circle.
CREATE FUNCTION mail.reputation_count(sources text[], spam bigint[], ham bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    INSERT INTO reputation_counts AS c (source, spam_milli, ham_milli)
    SELECT u.source, greatest(sum(u.spam), 0), greatest(sum(u.ham), 0)
    FROM unnest(reputation_count.sources, reputation_count.spam, reputation_count.ham) AS u (source, spam, ham)
    WHERE u.source ~ '^(network|sender|dkim|url):.' AND length(u.source) <= 300
    GROUP BY u.source ORDER BY u.source
    ON CONFLICT (source) DO UPDATE
        SET spam_milli = reputation_faded(c.spam_milli, now() - c.counted_at) + excluded.spam_milli,
            ham_milli = reputation_faded(c.ham_milli, now() - c.counted_at) + excluded.ham_milli,
            counted_at = greatest(now(), c.counted_at);
END $$;
COMMENT ON FUNCTION mail.reputation_count(text[], bigint[], bigint[]) IS
    'For record_reputation and lessons: add thousandths of messages to the counts of sources.';

CREATE FUNCTION mail.reputation_prune() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    DELETE FROM reputation_messages AS m WHERE m.id IN (
        SELECT o.id FROM reputation_messages AS o WHERE o.at < now() - interval '30 days'
        ORDER BY o.at LIMIT 500 FOR UPDATE SKIP LOCKED);
    DELETE FROM reputation_counts AS c WHERE c.source IN (
        SELECT o.source FROM reputation_counts AS o WHERE o.counted_at < now() - interval '120 days'
        ORDER BY o.counted_at LIMIT 500 FOR UPDATE SKIP LOCKED);
END $$;
COMMENT ON FUNCTION mail.reputation_prune() IS
    'With each batch: some of the messages that are 30 days old, and of the sources silent for 120.';

CREATE FUNCTION mail.record_reputation(messages jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    names text[];
    spam bigint[];
    ham bigint[];
BEGIN
    INSERT INTO reputation_messages (message_id, verdict, sources)
    SELECT left(e ->> 'message_id', 1000), e ->> 'verdict', ARRAY(SELECT jsonb_array_elements_text(e -> 'sources'))
    FROM jsonb_array_elements(messages) AS e;
    SELECT array_agg(s), array_agg(CASE WHEN e ->> 'verdict' = 'spam' THEN 1000 ELSE 0 END),
           array_agg(CASE WHEN e ->> 'verdict' = 'ham' THEN 1000 ELSE 0 END)
    INTO names, spam, ham
    FROM jsonb_array_elements(messages) AS e, jsonb_array_elements_text(e -> 'sources') AS s
    WHERE e ->> 'verdict' <> '';
    PERFORM reputation_count(names, spam, ham);
    PERFORM reputation_prune();
    RETURN jsonb_array_length(messages);
END $$;
COMMENT ON FUNCTION mail.record_reputation(jsonb) IS
    'For postward-score: count messages, [{"message_id", "verdict": "spam", "ham" or "", "sources": [...]}, ...].';

-- A lesson is worth more than our own verdict: what that added goes, as far as it is still there.
CREATE FUNCTION mail.reputation_lesson() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    m reputation_messages;
BEGIN
    SELECT * INTO m FROM reputation_messages AS r
    WHERE r.message_id = NEW.message_id AND NEW.message_id <> '' ORDER BY r.at DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND OR m.verdict = NEW.verdict THEN
        RETURN NULL;
    END IF;
    UPDATE reputation_messages AS r SET verdict = NEW.verdict WHERE r.id = m.id;
    PERFORM 1 FROM reputation_counts AS c WHERE c.source = ANY (m.sources) ORDER BY c.source FOR UPDATE;
    UPDATE reputation_counts AS c
    SET spam_milli = greatest(c.spam_milli - CASE m.verdict WHEN 'spam' THEN 1000 ELSE 0 END, 0),
        ham_milli = greatest(c.ham_milli - CASE m.verdict WHEN 'ham' THEN 1000 ELSE 0 END, 0)
    WHERE c.source = ANY (m.sources);
    PERFORM reputation_count(m.sources,
                             array_fill(CASE NEW.verdict WHEN 'spam' THEN 1000::bigint ELSE 0 END, ARRAY[cardinality(m.sources)]),
                             array_fill(CASE NEW.verdict WHEN 'ham' THEN 1000::bigint ELSE 0 END, ARRAY[cardinality(m.sources)]));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.reputation_lesson() IS 'Trigger: who calls a message spam or ham says so of its sources too.';
CREATE TRIGGER reputation AFTER INSERT ON mail.learn_requests
    FOR EACH ROW WHEN (NEW.origin <> 'auto' AND NEW.outcome IN ('learned', 'relearned'))
    EXECUTE FUNCTION mail.reputation_lesson();

GRANT EXECUTE ON FUNCTION mail.reputation_recall(text[]), mail.record_reputation(jsonb) TO postward_score;
GRANT SELECT, DELETE ON mail.reputation TO postward_admin;
GRANT EXECUTE ON FUNCTION mail.reputation_faded(bigint, interval) TO postward_admin;
