-- Limits of sending by any part of a question, of two kinds, with more to do than to refuse;
-- exemptions, suspensions, counters set to zero by SQL, notices. Old rows mean what they meant.

SET LOCAL ROLE postward_owner;

-- Names -------------------------------------------------------------------------------------

CREATE FUNCTION mail.normal_rate_key(key text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN count(*) BETWEEN 1 AND 3 AND count(*) = count(DISTINCT w.word)
                     AND bool_and(w.word IN ('login', 'login_domain', 'sender', 'sender_domain', 'recipient',
                                             'recipient_domain', 'client', 'client_name', 'policy_context',
                                             'server_port', 'server'))
                     AND (count(*) = 1 OR bool_and(w.word <> 'server'))
                THEN string_agg(w.word, ' ' ORDER BY w.n) END
    FROM regexp_split_to_table(btrim(key, ' ,'), '[ ,]+') WITH ORDINALITY AS w (word, n)
$$;
COMMENT ON FUNCTION mail.normal_rate_key(text) IS
    'What a limit counts by, its words parted by one blank; NULL if that is nothing it can count by.';

-- In the first word of the key: what a pattern of it looks like.
CREATE FUNCTION mail.normal_rate_pattern(word text, pattern text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    p constant text := btrim(pattern, E' \t');
BEGIN
    IF p = '*' THEN
        RETURN '*';
    ELSIF word IN ('login', 'sender', 'recipient') AND p LIKE '@.%' THEN
        RETURN '@.' || mail.normal_domain(substr(p, 3));
    ELSIF word IN ('login', 'sender', 'recipient') THEN
        RETURN mail.normal_pattern(p);
    ELSIF word IN ('login_domain', 'sender_domain', 'recipient_domain') THEN
        RETURN CASE WHEN p LIKE '@.%' THEN '@.' || mail.normal_domain(substr(p, 3))
                    ELSE '@' || mail.normal_domain(ltrim(p, '@')) END;
    ELSIF word = 'client' THEN
        RETURN abbrev(network(mail.inet_or_null(p))::inet);
    ELSIF word = 'client_name' THEN
        RETURN mail.normal_domain(ltrim(p, '.'));
    ELSIF word = 'policy_context' THEN
        RETURN CASE WHEN p ~ '^[^[:cntrl:]]{1,100}$' THEN p END;
    ELSIF word = 'server_port' THEN
        RETURN CASE WHEN p ~ '^[1-9][0-9]{0,4}$' AND p::int < 65536 THEN p END;
    END IF;
    RETURN NULL; -- server has one counter: who is *
END $$;
COMMENT ON FUNCTION mail.normal_rate_pattern(text, text) IS
    'For whom a limit with that first word of its key is, in normal form; NULL if it is none.';

-- The CHECKs below run with the rights of who writes the row.
GRANT EXECUTE ON FUNCTION mail.normal_rate_key(text), mail.normal_rate_pattern(text, text), mail.inet_or_null(text)
    TO postward_admin;

-- The table ---------------------------------------------------------------------------------

-- bursts that would need longer than 100 years were taken before
UPDATE mail.rate_limits
SET burst = greatest(floor(limit_count * 86400::numeric * 36525 / extract(epoch FROM period)), 1)
WHERE limit_count > 0 AND burst * extract(epoch FROM period) > limit_count * 86400::numeric * 36525;
SET CONSTRAINTS ALL IMMEDIATE;

ALTER TABLE mail.rate_limits
    DROP CONSTRAINT rate_limits_key_check,
    DROP CONSTRAINT rate_limits_who_check,
    DROP CONSTRAINT rate_limits_unit_check,
    DROP CONSTRAINT rate_limits_limit_count_check,
    DROP CONSTRAINT rate_limits_burst_check,
    DROP CONSTRAINT rate_limits_action_check,
    DROP CONSTRAINT rate_limits_key_who_unit_key,
    ADD kind            text NOT NULL DEFAULT 'bucket',
    ADD code            text,
    ADD block_for       interval NOT NULL DEFAULT '1 hour',
    ADD on_outage       text NOT NULL DEFAULT 'share',
    ADD strict          boolean NOT NULL DEFAULT true,
    ADD priority        int NOT NULL DEFAULT 0,
    ADD inherit         boolean NOT NULL DEFAULT false,
    ADD prefix4         int NOT NULL DEFAULT 32,
    ADD prefix6         int NOT NULL DEFAULT 64,
    ADD tell            text NOT NULL DEFAULT 'nobody',
    ADD authenticated   boolean,
    ADD login           text,
    ADD sender          text,
    ADD client          cidr,
    ADD client_name     text,
    ADD recipient       text,
    ADD policy_context  text,
    ADD server_port     int,
    ADD CONSTRAINT "key: what a limit can count by"
        CHECK (key IS NOT DISTINCT FROM mail.normal_rate_key(key)),
    ADD CONSTRAINT "who: * or a pattern that fits the first word of key"
        CHECK (who IS NOT DISTINCT FROM mail.normal_rate_pattern(split_part(key, ' ', 1), who)),
    ADD CONSTRAINT "unit: messages, recipients or bytes" CHECK (unit IN ('messages', 'recipients', 'bytes')),
    ADD CONSTRAINT "kind: bucket or window" CHECK (kind IN ('bucket', 'window')),
    ADD CONSTRAINT "limit_count: 0 to a billion, of bytes to 4 TiB"
        CHECK (limit_count BETWEEN 0 AND CASE unit WHEN 'bytes' THEN 4398046511104 ELSE 1000000000 END),
    ADD CONSTRAINT "burst: from 1 up, as limit_count; a window has none"
        CHECK (burst IS NULL OR (kind = 'bucket' AND burst >= 1
                                 AND burst <= CASE unit WHEN 'bytes' THEN 4398046511104 ELSE 1000000000 END)),
    ADD CONSTRAINT "burst: fills up within 100 years"
        CHECK (burst IS NULL OR limit_count = 0
               OR burst * extract(epoch FROM period) <= limit_count * 86400::numeric * 36525),
    ADD CONSTRAINT "action: defer, reject, hold or block" CHECK (action IN ('defer', 'reject', 'hold', 'block')),
    ADD CONSTRAINT "action block: the key begins with login" CHECK (action <> 'block' OR split_part(key, ' ', 1) = 'login'),
    ADD CONSTRAINT "code: 4xx 4.x.x to defer, 5xx 5.x.x to reject, none to hold"
        CHECK (code IS NULL OR CASE action WHEN 'hold' THEN false
                                           WHEN 'defer' THEN code ~ '^4[0-9][0-9] 4\.[0-9]{1,3}\.[0-9]{1,3}$'
                                           ELSE code ~ '^5[0-9][0-9] 5\.[0-9]{1,3}\.[0-9]{1,3}$' END),
    ADD CONSTRAINT "block_for: 1 minute to 366 days" CHECK (block_for BETWEEN interval '1 minute' AND interval '366 days'),
    ADD CONSTRAINT "on_outage: share, open or closed" CHECK (on_outage IN ('share', 'open', 'closed')),
    ADD CONSTRAINT "priority: -1000 to 1000" CHECK (priority BETWEEN -1000 AND 1000),
    ADD CONSTRAINT "inherit: not with a limit of 0" CHECK (NOT inherit OR limit_count > 0),
    ADD CONSTRAINT "prefix4: 0 to 32" CHECK (prefix4 BETWEEN 0 AND 32),
    ADD CONSTRAINT "prefix6: 0 to 128" CHECK (prefix6 BETWEEN 0 AND 128),
    ADD CONSTRAINT "tell: nobody, user, admin or both" CHECK (tell IN ('nobody', 'user', 'admin', 'both')),
    ADD CONSTRAINT "server_port: 1 to 65535" CHECK (server_port BETWEEN 1 AND 65535),
    ADD CONSTRAINT "policy_context: 1 to 100 characters" CHECK (policy_context ~ '^[^[:cntrl:]]{1,100}$');
CREATE UNIQUE INDEX rate_limits_once ON mail.rate_limits
    (key, who, unit, kind, period, coalesce(authenticated::text, ''), coalesce(login, ''), coalesce(sender, ''),
     coalesce(client::text, ''), coalesce(client_name, ''), coalesce(recipient, ''), coalesce(policy_context, ''),
     coalesce(server_port, 0));

COMMENT ON TABLE mail.rate_limits IS
    'How much may be sent. All conditions of a row must hold. Of the rows that fit, of the same key and unit, those of '
    'the highest priority count, among them those of the nearest who; wider ones besides where these inherit. All '
    'that count must have room.';
COMMENT ON COLUMN mail.rate_limits.key IS
    'What is counted by: login, login_domain, sender, sender_domain, recipient, recipient_domain, client (its network: '
    'prefix4, prefix6), client_name, policy_context, server_port, or up to three of them (''login recipient_domain''); '
    'server = one counter for all.';
COMMENT ON COLUMN mail.rate_limits.who IS
    'Whose, by the first word of key: * for each; an address, @domain, @.domain (it and all below); of client an '
    'address or network, of client_name a name and all below it.';
COMMENT ON COLUMN mail.rate_limits.unit IS
    'What is counted: messages, recipients (a message to three counts three), or bytes of messages.';
COMMENT ON COLUMN mail.rate_limits.limit_count IS
    'So many in a period; 0 = no limit for whom the row fits: wider rows of the same key and unit do not count either.';
COMMENT ON COLUMN mail.rate_limits.burst IS 'Of a bucket: so many at once; empty = as many as the limit.';
COMMENT ON COLUMN mail.rate_limits.action IS
    'Over the limit: defer (450, the sender tries again), reject (554), hold (taken, and kept in Postfix''s hold '
    'queue), block (reject, and the login may not send for block_for).';
COMMENT ON COLUMN mail.rate_limits.text IS
    'Said to the sender; empty = a text that names the limit and when it ends. $who, $login, $sender, $recipient, '
    '$client, $limit, $unit, $period, $until are filled in.';
COMMENT ON COLUMN mail.rate_limits.kind IS
    'bucket: what was used flows back evenly, burst at once; window: never more than the limit in any period.';
COMMENT ON COLUMN mail.rate_limits.code IS 'SMTP code and status, ''450 4.7.1''; empty = the action''s own.';
COMMENT ON COLUMN mail.rate_limits.block_for IS 'How long the action block suspends the login.';
COMMENT ON COLUMN mail.rate_limits.on_outage IS
    'While the database is away: share (this node''s part of what was left), open (no limit), closed (refuse).';
COMMENT ON COLUMN mail.rate_limits.strict IS
    'true: several nodes together never let more through, at the price of a wait near the limit; false: no wait.';
COMMENT ON COLUMN mail.rate_limits.priority IS 'Among rows of the same key and unit the highest goes first.';
COMMENT ON COLUMN mail.rate_limits.inherit IS 'true: wider rows of the same key and unit count besides this one.';
COMMENT ON COLUMN mail.rate_limits.prefix4 IS 'With client in key: IPv4 addresses of such a network are one.';
COMMENT ON COLUMN mail.rate_limits.prefix6 IS 'With client in key: IPv6 addresses of such a network are one.';
COMMENT ON COLUMN mail.rate_limits.tell IS
    'Who gets mail when somebody first runs into the limit: nobody, user, admin (setting rate_admin), both.';
COMMENT ON COLUMN mail.rate_limits.authenticated IS 'Only with (true) or without (false) a login; empty = either.';
COMMENT ON COLUMN mail.rate_limits.login IS 'Only of this login, @domain, or @.domain and all below.';
COMMENT ON COLUMN mail.rate_limits.sender IS 'Only from this address, @domain, @.domain; <> = bounces.';
COMMENT ON COLUMN mail.rate_limits.client IS 'Only from this address or network.';
COMMENT ON COLUMN mail.rate_limits.client_name IS 'Only from hosts of this verified name, and all below it.';
COMMENT ON COLUMN mail.rate_limits.recipient IS 'Only to this address, @domain, @.domain.';
COMMENT ON COLUMN mail.rate_limits.policy_context IS 'Only asked in this policy_context of Postfix.';
COMMENT ON COLUMN mail.rate_limits.server_port IS 'Only on this port of ours.';

-- Exemptions --------------------------------------------------------------------------------

CREATE TABLE mail.rate_exemptions (
    id              bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    authenticated   boolean,
    login           text,
    sender          text,
    client          cidr,
    client_name     text,
    recipient       text,
    policy_context  text CONSTRAINT "policy_context: 1 to 100 characters" CHECK (policy_context ~ '^[^[:cntrl:]]{1,100}$'),
    server_port     int CONSTRAINT "server_port: 1 to 65535" CHECK (server_port BETWEEN 1 AND 65535),
    enabled         boolean NOT NULL DEFAULT true,
    note            text NOT NULL DEFAULT '',
    changed_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT "an exemption needs a condition" CHECK (num_nonnulls(authenticated, login, sender, client, client_name,
                                                                    recipient, policy_context, server_port) > 0)
);
COMMENT ON TABLE mail.rate_exemptions IS
    'What no limit of sending counts: INSERT INTO mail.rate_exemptions (client) VALUES (''192.0.2.7''); all conditions '
    'of a row must hold.';
COMMENT ON COLUMN mail.rate_exemptions.id IS 'Number, found by itself.';
COMMENT ON COLUMN mail.rate_exemptions.authenticated IS 'Only with (true) or without (false) a login; empty = either.';
COMMENT ON COLUMN mail.rate_exemptions.login IS 'Only of this login, @domain, or @.domain and all below.';
COMMENT ON COLUMN mail.rate_exemptions.sender IS 'Only from this address, @domain, @.domain; <> = bounces.';
COMMENT ON COLUMN mail.rate_exemptions.client IS 'Only from this address or network.';
COMMENT ON COLUMN mail.rate_exemptions.client_name IS 'Only from hosts of this verified name, and all below it.';
COMMENT ON COLUMN mail.rate_exemptions.recipient IS 'Only to this address, @domain, @.domain.';
COMMENT ON COLUMN mail.rate_exemptions.policy_context IS 'Only asked in this policy_context of Postfix.';
COMMENT ON COLUMN mail.rate_exemptions.server_port IS 'Only on this port of ours.';
COMMENT ON COLUMN mail.rate_exemptions.enabled IS 'false: as if the row were not there.';
COMMENT ON COLUMN mail.rate_exemptions.note IS 'For people.';
COMMENT ON COLUMN mail.rate_exemptions.changed_at IS 'When the row last changed.';

-- Both tables -------------------------------------------------------------------------------

CREATE FUNCTION mail.must_be_rate_pattern(word text, pattern text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    normal constant text := CASE WHEN word = 'sender' AND btrim(pattern) = '<>' THEN '<>'
                                 ELSE mail.normal_rate_pattern(word, pattern) END;
BEGIN
    IF normal IS NULL AND pattern IS NOT NULL THEN
        RAISE EXCEPTION '"%" is no % of a limit', left(pattern, 300), word
            USING ERRCODE = 'check_violation', HINT = CASE
                WHEN word IN ('login', 'sender', 'recipient')
                THEN 'Write ann@example.org, @example.org for a domain, @.example.org for it and all below, * for each.'
                WHEN word = 'client' THEN 'Write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32, * for each.'
                WHEN word = 'server' THEN 'There is one counter: who is *.'
                WHEN word = 'server_port' THEN 'Write a number like 587, * for each.'
                ELSE 'Write it like example.org, * for each.' END;
    END IF;
    RETURN nullif(normal, CASE WHEN word = ANY ('{login,sender,recipient}') THEN NULL ELSE '' END);
END $$;
COMMENT ON FUNCTION mail.must_be_rate_pattern(text, text) IS
    'Normal form of a pattern of mail.rate_limits, or a readable error.';

CREATE OR REPLACE FUNCTION mail.tidy_rate_limit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF normal_rate_key(NEW.key) IS NULL THEN
        RAISE EXCEPTION '"%" is nothing a limit can count by', left(NEW.key, 300)
            USING ERRCODE = 'check_violation',
                  HINT = 'One to three of login, login_domain, sender, sender_domain, recipient, recipient_domain, '
                         'client, client_name, policy_context, server_port; or server alone.';
    END IF;
    NEW.key := normal_rate_key(NEW.key);
    NEW.who := must_be_rate_pattern(split_part(NEW.key, ' ', 1), NEW.who);
    NEW.login := must_be_rate_pattern('login', NEW.login);
    NEW.sender := must_be_rate_pattern('sender', NEW.sender);
    NEW.recipient := must_be_rate_pattern('recipient', NEW.recipient);
    NEW.client_name := must_be_rate_pattern('client_name', NEW.client_name);
    NEW.changed_at := now();
    RETURN NEW;
END $$;

CREATE FUNCTION mail.tidy_rate_exemption() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    NEW.login := must_be_rate_pattern('login', NEW.login);
    NEW.sender := must_be_rate_pattern('sender', NEW.sender);
    NEW.recipient := must_be_rate_pattern('recipient', NEW.recipient);
    NEW.client_name := must_be_rate_pattern('client_name', NEW.client_name);
    NEW.changed_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_rate_exemption() IS 'Trigger: normal form of the conditions.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.rate_exemptions
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_rate_exemption();
SELECT mail.watch('mail.rate_exemptions', 'note');
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.rate_exemptions TO postward_admin;

-- Suspensions -------------------------------------------------------------------------------

CREATE TABLE mail.sending_blocks (
    login       text PRIMARY KEY,
    until       timestamptz NOT NULL,
    why         text NOT NULL DEFAULT '',
    limit_id    bigint,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.sending_blocks IS
    'Logins that may not send for a while: limits with the action block add rows, people may too. DELETE lets go.';
COMMENT ON COLUMN mail.sending_blocks.login IS 'The login.';
COMMENT ON COLUMN mail.sending_blocks.until IS 'Until then.';
COMMENT ON COLUMN mail.sending_blocks.why IS 'Why.';
COMMENT ON COLUMN mail.sending_blocks.limit_id IS 'The row of rate_limits that did it; NULL = people.';
COMMENT ON COLUMN mail.sending_blocks.changed_at IS 'When the row last changed.';

CREATE FUNCTION mail.tidy_sending_block() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    NEW.login := coalesce(normal_address(NEW.login), lower(NEW.login COLLATE "C"));
    NEW.changed_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_sending_block() IS 'Trigger: normal form of the login.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.sending_blocks
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_sending_block();
SELECT mail.watch('mail.sending_blocks', 'login');
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.sending_blocks TO postward_admin;

CREATE FUNCTION mail.record_sending_blocks(blocks jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH gone AS (
        DELETE FROM mail.sending_blocks WHERE until < now() - interval '1 day'
    ), said AS (
        SELECT DISTINCT ON (s.login) s.login, s.until, s.why, s.rule
        FROM jsonb_array_elements(blocks) AS e,
             LATERAL (SELECT coalesce(mail.normal_address(e ->> 'login'), lower((e ->> 'login') COLLATE "C")) AS login,
                             to_timestamp(mail.whole(e -> 'until_ms') / 1000.0) AS until,
                             coalesce(e ->> 'why', '') AS why, mail.whole(e -> 'rule') AS rule) AS s
        WHERE s.login <> '' AND s.until > now() AND s.until < now() + interval '400 days'
        ORDER BY s.login, s.until DESC
    ), kept AS (
        INSERT INTO mail.sending_blocks AS b (login, until, why, limit_id)
        SELECT login, until, why, rule FROM said ORDER BY login
        ON CONFLICT (login) DO UPDATE SET until = excluded.until, why = excluded.why, limit_id = excluded.limit_id
            WHERE b.until < excluded.until
        RETURNING 1)
    SELECT count(*) FROM kept
$$;
COMMENT ON FUNCTION mail.record_sending_blocks(jsonb) IS
    'For postward-policyd: [{"login", "until_ms", "why", "rule"}, ...]; answers how many rows changed.';

-- Counters ----------------------------------------------------------------------------------

ALTER TABLE mail.rate_state
    ADD head_us   bigint,
    ADD width_us  bigint CHECK (width_us > 0),
    ADD counts    bigint[],
    ADD over      bigint NOT NULL DEFAULT 0,
    ADD told_until_us  bigint;
COMMENT ON TABLE mail.rate_state IS
    'Counters of the limits, so that they survive a restart. mail.rate_usage reads easier. A row that is deleted sets '
    'the running counter to zero.';
COMMENT ON COLUMN mail.rate_state.who IS 'Whose counter: the values of the limit''s key, parted by blanks.';
COMMENT ON COLUMN mail.rate_state.full_at_us IS 'When its allowance is whole again, microseconds since 1970.';
COMMENT ON COLUMN mail.rate_state.head_us IS 'Of a window: when its newest part began; empty = a bucket.';
COMMENT ON COLUMN mail.rate_state.width_us IS 'Of a window: how long a part is.';
COMMENT ON COLUMN mail.rate_state.counts IS 'Of a window: what was used in each part, the newest first.';
COMMENT ON COLUMN mail.rate_state.over IS 'Attempts over the limit since the last event about them.';
COMMENT ON COLUMN mail.rate_state.told_until_us IS 'No second event about it before then; empty = it was not reached.';

-- Old programs read no windows.
CREATE OR REPLACE FUNCTION mail.rate_load(OUT id bigint, OUT who text, OUT full_at_us bigint)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT limit_id, who, full_at_us FROM mail.rate_state
    WHERE full_at_us > extract(epoch FROM now()) * 1000000 AND width_us IS NULL
$$;

-- Strangers make keys without end. What is whole equals what was never seen, and goes.
CREATE TABLE mail.rate_pruned (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    page  bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE mail.rate_pruned IS 'One row: how far mail.rate_state was last looked through for counters that are whole again.';
COMMENT ON COLUMN mail.rate_pruned.one IS 'Always true: there is one row.';
COMMENT ON COLUMN mail.rate_pruned.page IS 'The next page of the table.';
INSERT INTO mail.rate_pruned DEFAULT VALUES;

-- A piece at a time, and of rows that nobody holds: whoever calls it waits for nothing.
CREATE FUNCTION mail.rate_prune() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    step constant bigint := 100;
    pages constant bigint := pg_relation_size('mail.rate_state') / current_setting('block_size')::bigint;
    first bigint;
BEGIN
    SELECT p.page INTO first FROM rate_pruned AS p FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF first > 0 OR pages > step THEN
        UPDATE rate_pruned SET page = CASE WHEN first + step < pages THEN first + step ELSE 0 END;
    END IF;
    DELETE FROM rate_state AS s WHERE s.ctid = ANY (ARRAY(
        SELECT o.ctid FROM rate_state AS o
        WHERE o.ctid >= format('(%s,0)', first)::tid AND o.ctid < format('(%s,0)', first + step)::tid
          AND o.full_at_us < extract(epoch FROM now() - interval '1 hour') * 1000000
          AND coalesce(o.told_until_us, 0) < extract(epoch FROM now()) * 1000000
        FOR UPDATE SKIP LOCKED));
END $$;
COMMENT ON FUNCTION mail.rate_prune() IS
    'With each sign of life of a node: counters of the next 100 pages that are whole for an hour are forgotten.';

-- Set to zero -------------------------------------------------------------------------------

CREATE TABLE mail.rate_resets (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    limit_id  bigint,
    who       text,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE mail.rate_resets IS
    'Counters set to zero lately, for programs that have them in memory; mail.rate_reset writes it.';
COMMENT ON COLUMN mail.rate_resets.id IS 'Running number.';
COMMENT ON COLUMN mail.rate_resets.limit_id IS 'Of this limit; NULL = of all.';
COMMENT ON COLUMN mail.rate_resets.who IS 'Whose counter; NULL = everybody''s.';
COMMENT ON COLUMN mail.rate_resets.at IS 'When.';
COMMENT ON COLUMN mail.rate_resets.actor IS 'Database role that did it.';
SELECT mail.watch('mail.rate_resets', 'who');
GRANT SELECT ON mail.rate_resets TO postward_admin;

CREATE FUNCTION mail.note_rate_reset() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    now_us constant numeric := extract(epoch FROM now()) * 1000000;
    -- not those that go with their limit, nor those that were whole
    n constant bigint := (SELECT count(*) FROM gone AS g JOIN rate_limits AS l ON l.id = g.limit_id
                          WHERE g.full_at_us > now_us);
BEGIN
    IF n = 0 THEN
        RETURN NULL;
    END IF;
    DELETE FROM rate_resets AS r WHERE r.at < now() - interval '1 day';
    IF n > 1000 THEN -- not row by row
        INSERT INTO rate_resets (limit_id) SELECT DISTINCT g.limit_id FROM gone AS g;
    ELSE
        INSERT INTO rate_resets (limit_id, who)
        SELECT g.limit_id, g.who FROM gone AS g JOIN rate_limits AS l ON l.id = g.limit_id
        WHERE g.full_at_us > now_us;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_rate_reset() IS
    'Trigger: tells the programs of counters that were deleted; of more than a thousand at once all of their limits.';
CREATE TRIGGER z_note_reset AFTER DELETE ON mail.rate_state REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION mail.note_rate_reset();

CREATE FUNCTION mail.rate_reset(who text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    key constant text := coalesce(mailbox_of(rate_reset.who), normal_address(rate_reset.who), btrim(rate_reset.who));
    n bigint;
BEGIN
    PERFORM FROM rate_state AS s -- in the order of leases, or each waits for the other
    WHERE s.who = key OR position(' ' || key || ' ' IN ' ' || s.who || ' ') > 0
    ORDER BY s.limit_id, s.who FOR UPDATE;
    DELETE FROM rate_state AS s WHERE s.who = key OR position(' ' || key || ' ' IN ' ' || s.who || ' ') > 0;
    GET DIAGNOSTICS n = ROW_COUNT;
    INSERT INTO rate_resets (who) VALUES (key); -- what is not stored yet
    RETURN n;
END $$;
COMMENT ON FUNCTION mail.rate_reset(text) IS
    'Set the counters of somebody to zero, within seconds: SELECT mail.rate_reset(''ann@example.org''); also of an '
    'address, a network or another key of mail.rate_usage. Answers how many there were.';
GRANT EXECUTE ON FUNCTION mail.rate_reset(text) TO postward_admin;

-- Notices -----------------------------------------------------------------------------------

CREATE TABLE mail.rate_notices (
    whom        text PRIMARY KEY CHECK (whom IN ('user', 'admin')),
    subject     text NOT NULL CHECK (subject ~ '^[^[:cntrl:]]+$' AND octet_length(subject) <= 400),
    text        text NOT NULL CHECK (octet_length(text) BETWEEN 1 AND 10000),
    enabled     boolean NOT NULL DEFAULT true,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.rate_notices IS
    'What somebody is told who ran into a limit, and the admin about it, where the limit says so (tell); once a period.';
COMMENT ON COLUMN mail.rate_notices.whom IS 'user, or admin (the mailboxes behind the setting rate_admin).';
COMMENT ON COLUMN mail.rate_notices.subject IS
    'Subject; $who, $login, $sender, $client, $limit, $unit, $period, $until are filled in.';
COMMENT ON COLUMN mail.rate_notices.text IS 'The message; the same are filled in.';
COMMENT ON COLUMN mail.rate_notices.enabled IS 'false: not sent.';
COMMENT ON COLUMN mail.rate_notices.changed_at IS 'When the row last changed.';
INSERT INTO mail.rate_notices (whom, subject, text) VALUES
    ('user', 'You have sent as much as you may for now',
     E'$login may send $limit $unit per $period, and has done so.\n\nMore is taken again after $until. If you did not send '
     'so much yourself, change your password now and tell your postmaster.\n'),
    ('admin', '$who: $limit $unit per $period reached',
     E'$who has reached a limit: $limit $unit per $period.\nLogin: $login\nSender: $sender\nClient: $client\nMore is taken '
     'again after $until.\n\nSELECT mail.why_limited(''$who'');\n');
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.rate_notices
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_changed_at();
SELECT mail.watch('mail.rate_notices', 'whom');
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.rate_notices TO postward_admin;
INSERT INTO mail.settings VALUES
    ('rate_admin', '', 'address that gets the notices of limits reached meant for the admin; empty = nobody');

-- What the program reads ---------------------------------------------------------------------

-- What programs before this know: a login's bucket, of two units, that defers or rejects.
CREATE OR REPLACE VIEW mail.snapshot_rate_limits AS
    SELECT l.id, l.key, l.who, l.unit, l.limit_count,
           greatest(extract(epoch FROM l.period), 1)::bigint AS period_s,
           coalesce(l.burst, l.limit_count) AS burst,
           CASE l.action WHEN 'block' THEN 'reject' ELSE l.action END AS action, l.text, l.dry_run
    FROM mail.rate_limits AS l
    WHERE l.enabled AND l.key = 'login' AND l.kind = 'bucket' AND l.unit <> 'bytes' AND l.action <> 'hold'
      AND l.who NOT LIKE '@.%'
      AND num_nonnulls(l.login, l.sender, l.client, l.client_name, l.recipient, l.policy_context, l.server_port) = 0
      AND l.authenticated IS DISTINCT FROM false;

CREATE VIEW mail.snapshot_rate_rules AS
    SELECT l.id, l.key, l.who, l.unit, l.kind, l.limit_count,
           greatest(extract(epoch FROM l.period), 1)::bigint AS period_s, l.burst, l.action, l.code, l.text,
           extract(epoch FROM l.block_for)::bigint AS block_s, l.dry_run, l.on_outage, l.strict, l.priority, l.inherit,
           l.prefix4, l.prefix6, l.tell, l.authenticated, l.login, l.sender, l.client::text AS client, l.client_name,
           l.recipient, l.policy_context, l.server_port
    FROM mail.rate_limits AS l WHERE l.enabled;
COMMENT ON VIEW mail.snapshot_rate_rules IS 'For postward-policyd: limits of sending; columns as of rate_limits.';
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.attname, coalesce(col_description('mail.rate_limits'::regclass, t.attnum), '') AS said
             FROM pg_attribute AS v LEFT JOIN pg_attribute AS t
                  ON t.attrelid = 'mail.rate_limits'::regclass AND t.attname = v.attname
             WHERE v.attrelid = 'mail.snapshot_rate_rules'::regclass LOOP
        EXECUTE format('COMMENT ON COLUMN mail.snapshot_rate_rules.%I IS %L', c.attname,
                       CASE c.attname WHEN 'period_s' THEN 'The period in seconds.'
                                      WHEN 'block_s' THEN 'How long block suspends, in seconds.' ELSE c.said END);
    END LOOP;
END $$;

CREATE VIEW mail.snapshot_rate_exemptions AS
    SELECT e.authenticated, e.login, e.sender, e.client::text AS client, e.client_name, e.recipient, e.policy_context,
           e.server_port
    FROM mail.rate_exemptions AS e WHERE e.enabled;
COMMENT ON VIEW mail.snapshot_rate_exemptions IS 'For postward-policyd: what no limit counts.';
COMMENT ON COLUMN mail.snapshot_rate_exemptions.authenticated IS 'With or without a login; NULL = either.';
COMMENT ON COLUMN mail.snapshot_rate_exemptions.login IS 'Of this login.';
COMMENT ON COLUMN mail.snapshot_rate_exemptions.sender IS 'From this address.';
COMMENT ON COLUMN mail.snapshot_rate_exemptions.client IS 'From this network.';
COMMENT ON COLUMN mail.snapshot_rate_exemptions.client_name IS 'From hosts of this name.';
COMMENT ON COLUMN mail.snapshot_rate_exemptions.recipient IS 'To this address.';
COMMENT ON COLUMN mail.snapshot_rate_exemptions.policy_context IS 'In this policy_context.';
COMMENT ON COLUMN mail.snapshot_rate_exemptions.server_port IS 'On this port.';

CREATE VIEW mail.snapshot_rate_resets AS
    SELECT r.id, r.limit_id, r.who FROM mail.rate_resets AS r WHERE r.at > now() - interval '1 day';
COMMENT ON VIEW mail.snapshot_rate_resets IS 'For postward-policyd: counters set to zero in the last day.';
COMMENT ON COLUMN mail.snapshot_rate_resets.id IS 'Running number.';
COMMENT ON COLUMN mail.snapshot_rate_resets.limit_id IS 'Of this limit; NULL = of all.';
COMMENT ON COLUMN mail.snapshot_rate_resets.who IS 'Whose counter; NULL = everybody''s.';

CREATE VIEW mail.snapshot_rate_notices AS
    SELECT n.whom, n.subject, n.text FROM mail.rate_notices AS n WHERE n.enabled;
COMMENT ON VIEW mail.snapshot_rate_notices IS 'For postward-policyd: what is said about limits reached.';
COMMENT ON COLUMN mail.snapshot_rate_notices.whom IS 'user or admin.';
COMMENT ON COLUMN mail.snapshot_rate_notices.subject IS 'Subject, to be filled in.';
COMMENT ON COLUMN mail.snapshot_rate_notices.text IS 'The message, to be filled in.';

CREATE VIEW mail.snapshot_sending_blocks AS
    SELECT b.login, (extract(epoch FROM b.until) * 1000)::bigint AS until_ms
    FROM mail.sending_blocks AS b WHERE b.until > now();
COMMENT ON VIEW mail.snapshot_sending_blocks IS 'For postward-policyd: logins that may not send now.';
COMMENT ON COLUMN mail.snapshot_sending_blocks.login IS 'The login.';
COMMENT ON COLUMN mail.snapshot_sending_blocks.until_ms IS 'Until then, milliseconds since 1970.';

CREATE OR REPLACE VIEW mail.snapshot_settings AS
    SELECT s.name, s.value FROM mail.settings AS s WHERE s.name IN ('quota_grace_percent', 'rate_admin');

GRANT SELECT ON mail.snapshot_rate_rules, mail.snapshot_rate_exemptions, mail.snapshot_rate_resets,
    mail.snapshot_rate_notices, mail.snapshot_sending_blocks TO postward_policy;
GRANT EXECUTE ON FUNCTION mail.record_sending_blocks(jsonb) TO postward_policy;

-- What an admin reads -------------------------------------------------------------------------

CREATE OR REPLACE VIEW mail.rate_usage AS
    SELECT s.who, l.limit_count, l.period, u.used, greatest(u.most - u.used, 0)::bigint AS free, u.next_at,
           to_timestamp(s.full_at_us / 1e6) AS whole_at, l.dry_run, l.id AS limit_id, l.unit, l.kind, l.key,
           CASE WHEN s.told_until_us > extract(epoch FROM now()) * 1000000 THEN s.over ELSE 0 END AS over
    FROM mail.rate_state AS s
    JOIN mail.rate_limits AS l ON l.id = s.limit_id AND l.limit_count > 0,
    LATERAL (SELECT extract(epoch FROM now()) * 1000000 AS now_us) AS n,
    LATERAL ( -- what GCRA's one instant means in tokens
        SELECT least(ceil(b.behind_us / b.token_us), b.burst)::bigint AS used, b.burst AS most,
               CASE WHEN b.behind_us > b.token_us * (b.burst - 1)
                    THEN now() + (b.behind_us - b.token_us * (b.burst - 1)) * interval '1 microsecond' END AS next_at
        FROM (SELECT extract(epoch FROM l.period) * 1000000 / l.limit_count AS token_us,
                     coalesce(l.burst, l.limit_count) AS burst, greatest(s.full_at_us - n.now_us, 0) AS behind_us) AS b
        WHERE s.width_us IS NULL
        UNION ALL -- parts of a window that still count; the oldest go first
        SELECT coalesce(sum(p.n), 0)::bigint, l.limit_count,
               CASE WHEN sum(p.n) >= l.limit_count
                    THEN to_timestamp(min(p.end_us) FILTER (WHERE p.younger < l.limit_count) / 1e6) END
        FROM (SELECT c.n, sum(c.n) OVER (ORDER BY c.age) - c.n AS younger,
                     s.head_us + (50 - c.age) * s.width_us AS end_us
              FROM unnest(s.counts) WITH ORDINALITY AS c (n, age)
              WHERE s.head_us + (50 - c.age) * s.width_us > n.now_us) AS p
        HAVING s.width_us IS NOT NULL) AS u;
COMMENT ON VIEW mail.rate_usage IS 'Who has used how much of a limit, a second old.';
COMMENT ON COLUMN mail.rate_usage.who IS 'Whose: the values of the limit''s key.';
COMMENT ON COLUMN mail.rate_usage.limit_count IS 'The limit.';
COMMENT ON COLUMN mail.rate_usage.unit IS 'What is counted.';
COMMENT ON COLUMN mail.rate_usage.kind IS 'bucket or window.';
COMMENT ON COLUMN mail.rate_usage.key IS 'What is counted by.';
COMMENT ON COLUMN mail.rate_usage.over IS 'Attempts over the limit in the period they were first told of.';

-- Does a pattern of a limit take in a value?
CREATE FUNCTION mail.rate_pattern_fits(pattern text, value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN pattern = '*' OR pattern = value THEN true
                WHEN pattern LIKE '@.%' THEN mail.domain_of('@' || ltrim(coalesce(substring(value FROM '@[^@]*$'), value), '@'))
                                             = substr(pattern, 3)
                                          OR value LIKE '%_' || replace(substr(pattern, 2), '_', '\_')
                WHEN pattern LIKE '@%' THEN substring('@' || value FROM '@[^@]*$') = pattern
                WHEN mail.inet_or_null(pattern) IS NOT NULL
                THEN coalesce(mail.inet_or_null(value) <<= mail.inet_or_null(pattern), false)
                ELSE value LIKE '%_.' || replace(pattern, '_', '\_') END
$$;
COMMENT ON FUNCTION mail.rate_pattern_fits(text, text) IS 'For why_limited: is a value one of those a limit''s who names?';

CREATE FUNCTION mail.rate_rule_text(l mail.rate_limits) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT format('%s %s in %s%s%s%s', l.limit_count, l.unit, l.period,
                  CASE WHEN l.kind = 'window' THEN ', sliding' WHEN l.burst <> l.limit_count THEN ', at once ' || l.burst
                       ELSE '' END,
                  coalesce(', only ' || nullif(concat_ws(', ',
                      CASE l.authenticated WHEN true THEN 'with a login' WHEN false THEN 'without a login' END,
                      'login ' || l.login, 'from ' || l.sender, 'client ' || l.client::text, 'host ' || l.client_name,
                      'to ' || l.recipient, 'context ' || l.policy_context, 'port ' || l.server_port), ''), ''),
                  CASE WHEN l.dry_run THEN ', only logged' ELSE '' END)
$$;
COMMENT ON FUNCTION mail.rate_rule_text(mail.rate_limits) IS 'For why_limited: a limit in words.';

CREATE OR REPLACE FUNCTION mail.why_limited(who text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    mailbox constant text := coalesce(mailbox_of(why_limited.who), normal_address(why_limited.who));
    name constant text := coalesce(mailbox, lower(btrim(why_limited.who)));
    net constant inet := inet_or_null(name);
    found_any boolean := false;
    r record;
BEGIN
    IF mailbox IS NOT NULL AND NOT EXISTS (SELECT FROM virtual_users WHERE email = mailbox) THEN
        RETURN NEXT format('%s is not a mailbox: nobody logs in as it', mailbox);
    END IF;
    RETURN QUERY
        SELECT format('%s may not send: %s; SELECT mail.why_no_login(%L, ''smtp'');', mailbox, s.refusal, mailbox)
        FROM snapshot_logins AS s WHERE s.login = mailbox AND NOT s.may_send;
    RETURN QUERY
        SELECT format('%s may not send until %s: %s; DELETE FROM mail.sending_blocks WHERE login = %L;', b.login,
                      date_trunc('second', b.until), b.why, b.login)
        FROM sending_blocks AS b WHERE b.login = name AND b.until > now();
    FOR r IN -- per key and unit the best match, and what it lets through to wider ones
        WITH fitting AS (
            SELECT l, split_part(l.key, ' ', 1) AS word,
                   l.priority * 10000 + CASE WHEN l.who = '*' THEN 0 WHEN l.who LIKE '@.%' THEN length(l.who)
                       WHEN l.who LIKE '@%' THEN 1000 WHEN l.who LIKE '%@%' THEN 2000
                       WHEN inet_or_null(l.who) IS NOT NULL THEN 1 + masklen(inet_or_null(l.who)) ELSE length(l.who) END AS rank
            FROM rate_limits AS l
            WHERE l.enabled AND rate_pattern_fits(l.who, name)
              AND CASE split_part(l.key, ' ', 1)
                      WHEN 'client' THEN net IS NOT NULL
                      WHEN 'login' THEN mailbox IS NOT NULL
                      WHEN 'sender' THEN mailbox IS NOT NULL
                      WHEN 'server' THEN name = '*'
                      ELSE (l.who <> '*' AND net IS NULL) OR EXISTS (SELECT FROM rate_state AS s
                                                    WHERE s.limit_id = l.id AND split_part(s.who, ' ', 1) = name) END
        )
        SELECT f.l, f.rank FROM fitting AS f
        WHERE NOT EXISTS (SELECT FROM fitting AS o
                          WHERE (o.l).key = (f.l).key AND (o.l).unit = (f.l).unit AND o.rank > f.rank
                            AND NOT (o.l).inherit AND num_nonnulls((o.l).login, (o.l).sender, (o.l).client, (o.l).client_name,
                                (o.l).recipient, (o.l).policy_context, (o.l).server_port, (o.l).authenticated) = 0)
        ORDER BY (f.l).key <> 'login', (f.l).key, (f.l).unit, f.rank DESC, (f.l).id
    LOOP
        found_any := true;
        IF (r.l).limit_count = 0 THEN
            RETURN NEXT format('no limit for %s: of %s by %s (row %s of mail.rate_limits says so)', name, (r.l).unit,
                               (r.l).key, (r.l).id);
            CONTINUE;
        END IF;
        RETURN NEXT format('limit for %s: %s (row %s of mail.rate_limits, for %s%s)', name, rate_rule_text(r.l), (r.l).id,
                           (r.l).who, CASE WHEN (r.l).key <> 'login' THEN ' by ' || (r.l).key ELSE '' END);
        IF (r.l).key IN ('login', 'sender') AND NOT EXISTS (SELECT FROM rate_usage AS u WHERE u.limit_id = (r.l).id
                                                            AND u.who = name) THEN
            RETURN NEXT format('used: 0, free: %s', coalesce((r.l).burst, (r.l).limit_count));
        END IF;
        RETURN QUERY
            SELECT format('used%s: %s, free: %s%s%s', CASE WHEN u.who <> name THEN ' by ' || u.who ELSE '' END, u.used,
                          u.free, coalesce(', next one at ' || date_trunc('second', u.next_at), ''),
                          CASE WHEN u.over > 0 THEN format(', %s attempts over it', u.over) ELSE '' END)
            FROM rate_usage AS u
            WHERE u.limit_id = (r.l).id AND (split_part(u.who, ' ', 1) = name OR net <<= inet_or_null(split_part(u.who, ' ', 1)))
            ORDER BY u.free, u.who LIMIT 20;
    END LOOP;
    FOR r IN -- counters that have it elsewhere in their key
        SELECT u.*, l FROM rate_usage AS u JOIN rate_limits AS l ON l.id = u.limit_id
        WHERE position(' ' || name || ' ' IN ' ' || u.who || ' ') > 1 ORDER BY u.free, u.who LIMIT 20
    LOOP
        found_any := true;
        RETURN NEXT format('limit for %s: %s (row %s of mail.rate_limits)', r.who, rate_rule_text(r.l), r.limit_id);
        RETURN NEXT format('used: %s, free: %s%s', r.used, r.free,
                           coalesce(', next one at ' || date_trunc('second', r.next_at), ''));
    END LOOP;
    IF NOT found_any THEN
        RETURN NEXT format('no limit for %s', name);
    END IF;
    RETURN QUERY
        SELECT format('%s: %s %s', date_trunc('second', e.at), e.kind, e.text)
        FROM events AS e
        WHERE (e.who = name OR (' ' || e.who || ' ') LIKE '% ' || replace(name, '_', '\_') || ' %')
          AND e.at > now() - interval '7 days' AND e.kind NOT LIKE '% %'
        ORDER BY e.at DESC LIMIT 10;
END $$;
COMMENT ON FUNCTION mail.why_limited(text) IS
    'Why somebody may not send now, and how much is left: SELECT mail.why_limited(''ann@example.org''); also of an '
    'address of a client (''192.0.2.7''), a domain or another key of mail.rate_usage; ''*'' for the whole server.';
