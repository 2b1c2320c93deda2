-- The life of a DKIM key: pending, published, active, retiring, revoked. A key signs only
-- while DNS shows it. Private keys are sealed under a key that the database does not have.

SET LOCAL ROLE postward_owner;

-- Settings ---------------------------------------------------------------------------------

INSERT INTO mail.settings VALUES
    ('dkim_wait_for_dns', 'yes', 'yes: a key signs once DNS was seen to show it, and while it does; no: at once'),
    ('dkim_settle_minutes', '10', 'how long DNS has to show a new key before it signs'),
    ('dkim_keep_days', '7', 'how long the record of a key that signs no more has to stay: its TTL and the life of Postfix''s queue'),
    ('dkim_seal', 'yes', 'yes: postward-dkim seals private keys under its host key; no: new ones stay in clear, for nodes that cannot read sealed ones'),
    ('client_host', '', 'name under which mail programs reach IMAP and submission, for SRV records; empty = the first of mx_hosts'),
    ('mta_sts', 'off', 'off, testing or enforce: MTA-STS (RFC 8461), for mail.dns_records and mail.mta_sts_policy'),
    ('tls_reports_to', '', 'who gets reports about TLS (RFC 8460), an address; empty = postmaster of the domain');

CREATE FUNCTION mail.check_dkim_setting() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    range record;
BEGIN
    SELECT * INTO range FROM (VALUES
        ('dkim_wait_for_dns',   '(yes|no)',                  'yes or no'),
        ('dkim_settle_minutes', '[0-9]{1,4}',                '0 to 9999'),
        ('dkim_keep_days',      '[0-9]{1,3}',                '0 to 999'),
        ('dkim_seal',           '(yes|no)',                  'yes or no'),
        ('client_host',         '([a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+)?', 'a host name'),
        ('mta_sts',             '(off|testing|enforce)',     'off, testing or enforce'),
        ('tls_reports_to',      '([^@\s";,!]+@[a-z0-9.-]+)?', 'an address')
    ) AS known (name, pattern, words) WHERE known.name = NEW.name;
    IF FOUND AND NEW.value !~ ('^(' || range.pattern || ')$') THEN
        RAISE EXCEPTION '% must be %', NEW.name, range.words USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.check_dkim_setting() IS 'Trigger: settings about keys and DNS have their ranges.';
CREATE TRIGGER check_dkim_setting BEFORE INSERT OR UPDATE ON mail.settings
    FOR EACH ROW EXECUTE FUNCTION mail.check_dkim_setting();

-- Keys -------------------------------------------------------------------------------------

ALTER TABLE mail.dkim_keys
    DROP CONSTRAINT dkim_keys_state_check,
    DROP CONSTRAINT dkim_keys_private_key_check,
    ADD COLUMN rotates boolean NOT NULL DEFAULT false,
    ADD COLUMN replaced_by bigint REFERENCES mail.dkim_keys (id) ON DELETE SET NULL,
    ADD COLUMN published_at timestamptz,
    ADD COLUMN active_at timestamptz,
    ADD COLUMN retiring_at timestamptz,
    ADD COLUMN revoked_at timestamptz;
UPDATE mail.dkim_keys SET state = CASE state WHEN 'waiting' THEN 'pending' WHEN 'retired' THEN 'retiring' ELSE state END,
    active_at = CASE state WHEN 'active' THEN created_at END,
    retiring_at = CASE state WHEN 'retired' THEN changed_at END;
ALTER TABLE mail.dkim_keys
    ADD CONSTRAINT dkim_keys_state_check
        CHECK (state IN ('pending', 'published', 'active', 'retiring', 'revoked')),
    ADD CONSTRAINT dkim_keys_private_key_check
        CHECK (private_key ~ '^-----BEGIN [A-Z ]*PRIVATE KEY-----'
               OR private_key ~ '^pwk1:[0-9a-f]{16}:[A-Za-z0-9+/]+=*$'
               OR private_key = '' AND state = 'revoked');
COMMENT ON COLUMN mail.dkim_keys.private_key IS
    'PEM, or sealed under the host key of postward-dkim: pwk1:host key:text; empty once revoked.';
COMMENT ON COLUMN mail.dkim_keys.state IS
    'pending: DNS does not show it; published: DNS shows it; active: signs; retiring: signs no more, its record stays for mail on its way; revoked: its record says p= and nothing.';
COMMENT ON COLUMN mail.dkim_keys.rotates IS 'Takes the place of older keys of its kind once it signs.';
COMMENT ON COLUMN mail.dkim_keys.replaced_by IS 'The key that took its place.';
COMMENT ON COLUMN mail.dkim_keys.published_at IS 'When DNS was first seen to show it.';
COMMENT ON COLUMN mail.dkim_keys.active_at IS 'Since when it signs, or did last.';
COMMENT ON COLUMN mail.dkim_keys.retiring_at IS 'Since when it signs no more.';
COMMENT ON COLUMN mail.dkim_keys.revoked_at IS 'When it was revoked.';
GRANT SELECT (rotates, replaced_by, published_at, active_at, retiring_at, revoked_at) ON mail.dkim_keys TO postward_admin;

-- The words of earlier programs and people still mean what they meant.
CREATE FUNCTION mail.tidy_dkim_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    NEW.state := CASE NEW.state WHEN 'waiting' THEN 'pending' WHEN 'retired' THEN 'retiring' ELSE NEW.state END;
    IF TG_OP = 'INSERT' OR NEW.state IS DISTINCT FROM OLD.state THEN
        CASE NEW.state
        WHEN 'published' THEN NEW.published_at := coalesce(NEW.published_at, now());
        WHEN 'active' THEN
            IF TG_OP = 'INSERT' OR NEW.active_at IS NOT DISTINCT FROM OLD.active_at THEN
                NEW.active_at := now();
            END IF;
            NEW.retiring_at := NULL;
            NEW.replaced_by := NULL;
        WHEN 'retiring' THEN NEW.retiring_at := coalesce(NEW.retiring_at, now());
        WHEN 'revoked' THEN
            NEW.revoked_at := coalesce(NEW.revoked_at, now());
            NEW.private_key := '';
        ELSE NULL;
        END CASE;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_dkim_state() IS 'Trigger: when a key came into its state; a revoked one loses its private half.';
CREATE TRIGGER tidy_state BEFORE INSERT OR UPDATE ON mail.dkim_keys
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_dkim_state();

-- What DNS showed of a key. Apart from the key: seeing it again is no change that anybody loads.
CREATE TABLE mail.dkim_seen (
    key_id      bigint PRIMARY KEY REFERENCES mail.dkim_keys (id) ON DELETE CASCADE,
    state       text NOT NULL CHECK (state IN ('ok', 'missing', 'differs')),
    since       timestamptz NOT NULL,
    checked_at  timestamptz NOT NULL,
    seen_at     timestamptz
);
COMMENT ON TABLE mail.dkim_seen IS 'What postwardctl dns check --record saw of keys at all name servers of their domain.';
COMMENT ON COLUMN mail.dkim_seen.key_id IS 'The key.';
COMMENT ON COLUMN mail.dkim_seen.state IS 'ok, missing or differs; no answer is no news.';
COMMENT ON COLUMN mail.dkim_seen.since IS 'Since when it is like that without a break.';
COMMENT ON COLUMN mail.dkim_seen.checked_at IS 'When it was last looked at.';
COMMENT ON COLUMN mail.dkim_seen.seen_at IS 'When it was last seen to be right.';
GRANT SELECT ON mail.dkim_seen TO postward_admin;

-- Requests ---------------------------------------------------------------------------------

ALTER TABLE mail.dkim_requests
    ADD COLUMN rsa_bits integer NOT NULL DEFAULT 2048 CHECK (rsa_bits IN (2048, 3072, 4096)),
    ADD COLUMN rotates boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN mail.dkim_requests.rsa_bits IS 'Size of an RSA key: 2048, 3072 or 4096.';
COMMENT ON COLUMN mail.dkim_requests.rotates IS 'The key takes the place of older ones of its kind.';

CREATE TABLE mail.dkim_rotations (
    domain    text PRIMARY KEY CHECK (domain = '*' OR domain = mail.normal_domain(domain)),
    days      integer CHECK (days BETWEEN 1 AND 3650),
    rsa_bits  integer NOT NULL DEFAULT 2048 CHECK (rsa_bits IN (2048, 3072, 4096))
);
COMMENT ON TABLE mail.dkim_rotations IS
    'How old keys get before new ones take their place: a row a domain, and one for all others.';
COMMENT ON COLUMN mail.dkim_rotations.domain IS 'The domain; * = those without a row.';
COMMENT ON COLUMN mail.dkim_rotations.days IS 'Days; NULL = until somebody says mail.dkim_rotate(domain).';
COMMENT ON COLUMN mail.dkim_rotations.rsa_bits IS 'Size of new RSA keys.';
INSERT INTO mail.dkim_rotations VALUES ('*', NULL, 2048);
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.dkim_rotations TO postward_admin;
SELECT mail.watch('mail.dkim_rotations', 'domain');

CREATE FUNCTION mail.dkim_rotation_of(domain text) RETURNS mail.dkim_rotations
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT r FROM mail.dkim_rotations AS r WHERE r.domain IN (dkim_rotation_of.domain, '*')
    ORDER BY r.domain = '*' LIMIT 1
$$;
COMMENT ON FUNCTION mail.dkim_rotation_of(text) IS 'The row of mail.dkim_rotations that counts for a domain.';
GRANT EXECUTE ON FUNCTION mail.dkim_rotation_of(text) TO postward_admin;

CREATE FUNCTION mail.dkim_is_under_way(wanted_domain text, wanted_algorithm text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT EXISTS (SELECT FROM mail.dkim_requests AS r WHERE r.domain = wanted_domain
                   AND r.algorithm = wanted_algorithm AND r.state IN ('pending', 'taken'))
        OR EXISTS (SELECT FROM mail.dkim_keys AS k WHERE k.domain = wanted_domain
                   AND k.algorithm = wanted_algorithm AND k.state IN ('pending', 'published'))
$$;
COMMENT ON FUNCTION mail.dkim_is_under_way(text, text) IS 'Is a further key of that kind asked for, or made and not yet in use?';

CREATE FUNCTION mail.dkim_rotate(domain text, OUT request_id bigint, OUT algorithm text, OUT selector text)
RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    wanted constant text := mail.normal_domain(dkim_rotate.domain);
    rule constant mail.dkim_rotations := mail.dkim_rotation_of(wanted);
    kinds text[] := ARRAY(SELECT DISTINCT k.algorithm FROM mail.dkim_keys AS k
                          WHERE k.domain = wanted AND k.state = 'active' ORDER BY 1 DESC);
BEGIN
    IF cardinality(kinds) = 0 THEN
        kinds := '{rsa-sha256,ed25519-sha256}';
    END IF;
    kinds := ARRAY(SELECT a FROM unnest(kinds) AS a WHERE NOT mail.dkim_is_under_way(wanted, a));
    IF cardinality(kinds) = 0 THEN
        RAISE EXCEPTION 'new keys of % are under way already', wanted
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('SELECT * FROM mail.dkim_life WHERE domain = %L;', wanted);
    END IF;
    RETURN QUERY
        INSERT INTO mail.dkim_requests (domain, algorithm, rsa_bits, rotates)
        SELECT wanted, a, rule.rsa_bits, true FROM unnest(kinds) AS a
        RETURNING id, dkim_requests.algorithm, dkim_requests.selector::text;
END $$;
COMMENT ON FUNCTION mail.dkim_rotate(text) IS
    'New keys for a domain, of the kinds it has. They sign once DNS shows them; the old ones then retire.';
GRANT EXECUTE ON FUNCTION mail.dkim_rotate(text) TO postward_admin;

CREATE FUNCTION mail.dkim_take(OUT id bigint, OUT domain text, OUT algorithm text, OUT selector text,
                               OUT rsa_bits integer, OUT is_sealed boolean) RETURNS SETOF record
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT t.id, t.domain, t.algorithm, t.selector, r.rsa_bits, mail.setting('dkim_seal') IS DISTINCT FROM 'no'
    FROM mail.dkim_take_requests() AS t JOIN mail.dkim_requests AS r ON r.id = t.id
$$;
COMMENT ON FUNCTION mail.dkim_take() IS
    'For postward-dkim: as dkim_take_requests, with the size of RSA keys, and whether they are to be sealed.';

CREATE OR REPLACE FUNCTION mail.dkim_store_key(id bigint, selector text, algorithm text, private_key text,
                                               public_record text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    request mail.dkim_requests;
    made bigint;
BEGIN
    SELECT * INTO request FROM mail.dkim_requests AS r
    WHERE r.id = dkim_store_key.id AND r.state IN ('pending', 'taken') FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'DKIM request % is not open', dkim_store_key.id
            USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record, rotates, state)
    VALUES (request.domain, dkim_store_key.selector, dkim_store_key.algorithm,
            dkim_store_key.private_key, dkim_store_key.public_record, request.rotates,
            CASE WHEN mail.setting('dkim_wait_for_dns') = 'no' THEN 'active' ELSE 'pending' END)
    RETURNING dkim_keys.id INTO made;
    UPDATE mail.dkim_requests AS r SET state = 'done', key_id = made, error = NULL
    WHERE r.id = request.id;
    RETURN made;
END $$;

-- The next state -----------------------------------------------------------------------------

CREATE TYPE mail.dkim_terms AS (waits boolean, settle interval, keep interval);
COMMENT ON TYPE mail.dkim_terms IS 'Settings that decide about the state of a key.';

CREATE FUNCTION mail.dkim_terms() RETURNS mail.dkim_terms
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT (coalesce(mail.setting('dkim_wait_for_dns'), 'yes') <> 'no',
            make_interval(mins => coalesce(mail.setting('dkim_settle_minutes')::int, 10)),
            make_interval(days => coalesce(mail.setting('dkim_keep_days')::int, 7)))::mail.dkim_terms
$$;
COMMENT ON FUNCTION mail.dkim_terms() IS 'The settings dkim_wait_for_dns, dkim_settle_minutes and dkim_keep_days.';

-- Pure: all it needs is in its arguments. seen NULL: nobody looked yet, so an active key is
-- there on an administrator's word.
CREATE FUNCTION mail.dkim_next_state(key mail.dkim_keys, seen mail.dkim_seen, successor mail.dkim_keys,
                                     terms mail.dkim_terms, at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE key.state
        WHEN 'pending' THEN
            CASE WHEN NOT terms.waits THEN 'active'
                 WHEN seen.state = 'ok' AND seen.checked_at - seen.since >= terms.settle THEN 'active'
                 WHEN seen.state = 'ok' THEN 'published'
                 ELSE 'pending' END
        WHEN 'published' THEN
            CASE WHEN NOT terms.waits THEN 'active'
                 WHEN seen.state = 'ok' AND seen.checked_at - seen.since >= terms.settle THEN 'active'
                 WHEN seen.state = 'ok' THEN 'published'
                 ELSE 'pending' END
        WHEN 'active' THEN
            CASE WHEN terms.waits AND seen.state IN ('missing', 'differs') THEN 'pending'
                 WHEN successor.state = 'active' THEN 'retiring'
                 ELSE 'active' END
        WHEN 'retiring' THEN
            CASE WHEN key.replaced_by IS NOT NULL AND successor.state = 'pending' AND seen.state = 'ok' THEN 'active'
                 WHEN at - key.retiring_at >= terms.keep THEN 'revoked'
                 ELSE 'retiring' END
        ELSE key.state END
$$;
COMMENT ON FUNCTION mail.dkim_next_state(mail.dkim_keys, mail.dkim_seen, mail.dkim_keys, mail.dkim_terms, timestamptz) IS
    'The state of a key at a time, by what DNS shows and by the key that takes its place. Pure.';

-- Keys of domains whose keys are too old, each kind once, some at a time.
CREATE FUNCTION mail.dkim_ask_by_age(at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    due record;
BEGIN
    FOR due IN
        SELECT k.domain, k.algorithm, (mail.dkim_rotation_of(k.domain)).rsa_bits AS rsa_bits
        FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
        WHERE k.state = 'active'
        GROUP BY k.domain, k.algorithm
        HAVING max(k.created_at) <= at - make_interval(days => (mail.dkim_rotation_of(k.domain)).days)
           AND NOT mail.dkim_is_under_way(k.domain, k.algorithm)
           AND NOT EXISTS (SELECT FROM mail.dkim_requests AS r
                           WHERE r.domain = k.domain AND r.algorithm = k.algorithm AND r.state = 'failed'
                             AND r.changed_at > at - interval '1 day')
        ORDER BY 1, 2 LIMIT 50
    LOOP
        INSERT INTO mail.dkim_requests (domain, algorithm, rsa_bits, rotates)
        VALUES (due.domain, due.algorithm, due.rsa_bits, true);
    END LOOP;
END $$;
COMMENT ON FUNCTION mail.dkim_ask_by_age(timestamptz) IS 'Part of mail.dkim_step: requests by mail.dkim_rotations.';

-- Twice, for what one key becomes decides about the one whose place it takes.
CREATE FUNCTION mail.dkim_step(at timestamptz, OUT domain text, OUT selector text, OUT was text, OUT state text)
RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    terms constant mail.dkim_terms := mail.dkim_terms();
    moved record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mail.dkim_step'));
    FOR round IN 1 .. 2 LOOP
        FOR moved IN
            SELECT k.id, k.domain::text AS domain, k.selector::text AS selector, k.state AS was,
                   (n.successor).id AS successor_id,
                   mail.dkim_next_state(k, n.seen, n.successor, terms, at) AS state
            FROM mail.dkim_keys AS k, LATERAL (
                SELECT (SELECT s FROM mail.dkim_seen AS s WHERE s.key_id = k.id) AS seen,
                       (SELECT s FROM mail.dkim_keys AS s
                        WHERE s.domain = k.domain AND s.algorithm = k.algorithm AND s.id > k.id AND s.rotates
                          AND s.state IN ('active', 'pending')
                        ORDER BY s.state = 'active' DESC, s.id DESC LIMIT 1) AS successor) AS n
            WHERE k.state <> 'revoked' AND mail.dkim_next_state(k, n.seen, n.successor, terms, at) <> k.state
            ORDER BY k.id
        LOOP
            UPDATE mail.dkim_keys AS k SET state = moved.state,
                replaced_by = CASE moved.state WHEN 'retiring' THEN moved.successor_id ELSE k.replaced_by END,
                published_at = CASE WHEN moved.was = 'pending' AND moved.state IN ('published', 'active')
                                    THEN coalesce(k.published_at, at) ELSE k.published_at END,
                active_at = CASE moved.state WHEN 'active' THEN at ELSE k.active_at END,
                retiring_at = CASE moved.state WHEN 'retiring' THEN at ELSE k.retiring_at END,
                revoked_at = CASE moved.state WHEN 'revoked' THEN at ELSE k.revoked_at END
            WHERE k.id = moved.id;
            domain := moved.domain;
            selector := moved.selector;
            was := moved.was;
            state := moved.state;
            RETURN NEXT;
        END LOOP;
    END LOOP;
    PERFORM mail.dkim_ask_by_age(at);
END $$;
COMMENT ON FUNCTION mail.dkim_step(timestamptz) IS
    'For postward-dkim and postwardctl dns check --record: bring all keys into the state they have at a time; answers what changed.';

CREATE FUNCTION mail.dkim_saw(answers jsonb, at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    seen bigint;
BEGIN
    INSERT INTO mail.dkim_seen AS s (key_id, state, since, checked_at, seen_at)
    SELECT DISTINCT ON (k.id) k.id, a.state, at, at, CASE a.state WHEN 'ok' THEN at END
    FROM jsonb_to_recordset(answers) AS a (name text, type text, value text, state text)
    JOIN mail.dkim_keys AS k ON a.name = k.selector || '._domainkey.' || k.domain AND a.value = k.public_record
    WHERE a.type = 'TXT' AND a.state IN ('ok', 'missing', 'differs')
    ON CONFLICT (key_id) DO UPDATE SET
        since = CASE WHEN s.state = excluded.state THEN s.since ELSE excluded.since END,
        state = excluded.state, checked_at = excluded.checked_at,
        seen_at = coalesce(excluded.seen_at, s.seen_at);
    GET DIAGNOSTICS seen = ROW_COUNT;
    RETURN seen;
END $$;
COMMENT ON FUNCTION mail.dkim_saw(jsonb, timestamptz) IS
    'Part of mail.record_dns: what was seen of keys at a time; answers of how many.';

CREATE VIEW mail.dkim_life AS
    SELECT k.domain::text AS domain, k.selector::text AS selector, k.algorithm, k.state, s.state AS dns,
           s.seen_at, s.checked_at, k.created_at, k.published_at, k.active_at, k.retiring_at,
           k.retiring_at + (mail.dkim_terms()).keep AS revoke_at, k.revoked_at,
           CASE WHEN k.private_key = '' THEN 'gone' WHEN k.private_key LIKE 'pwk1:%'
                THEN 'sealed by ' || split_part(k.private_key, ':', 2) ELSE 'in clear' END AS private_half
    FROM mail.dkim_keys AS k LEFT JOIN mail.dkim_seen AS s ON s.key_id = k.id;
COMMENT ON VIEW mail.dkim_life IS 'Every DKIM key, its state, and what DNS shows of it.';
COMMENT ON COLUMN mail.dkim_life.domain IS 'The domain that signs.';
COMMENT ON COLUMN mail.dkim_life.selector IS 'Name of the key in DNS.';
COMMENT ON COLUMN mail.dkim_life.algorithm IS 'rsa-sha256 or ed25519-sha256.';
COMMENT ON COLUMN mail.dkim_life.state IS 'pending, published, active, retiring or revoked.';
COMMENT ON COLUMN mail.dkim_life.dns IS 'ok, missing or differs; NULL = nobody looked, or DNS did not answer yet.';
COMMENT ON COLUMN mail.dkim_life.seen_at IS 'When it was last seen to be right.';
COMMENT ON COLUMN mail.dkim_life.checked_at IS 'When DNS last answered.';
COMMENT ON COLUMN mail.dkim_life.created_at IS 'When it was made.';
COMMENT ON COLUMN mail.dkim_life.published_at IS 'When DNS was first seen to show it.';
COMMENT ON COLUMN mail.dkim_life.active_at IS 'Since when it signs, or did last.';
COMMENT ON COLUMN mail.dkim_life.retiring_at IS 'Since when it signs no more.';
COMMENT ON COLUMN mail.dkim_life.revoke_at IS 'When it will be revoked.';
COMMENT ON COLUMN mail.dkim_life.revoked_at IS 'When it was revoked.';
COMMENT ON COLUMN mail.dkim_life.private_half IS 'sealed by which host key, in clear, or gone.';
GRANT SELECT ON mail.dkim_life TO postward_admin;

-- Sealing ------------------------------------------------------------------------------------

CREATE TABLE mail.dkim_hosts (
    host      text PRIMARY KEY,
    key_ids   text[] NOT NULL,
    seen_at   timestamptz NOT NULL
);
COMMENT ON TABLE mail.dkim_hosts IS 'Nodes that run postward-dkim, and which host keys they hold.';
COMMENT ON COLUMN mail.dkim_hosts.host IS 'Name of the node.';
COMMENT ON COLUMN mail.dkim_hosts.key_ids IS 'Its host keys by name, the one that seals first.';
COMMENT ON COLUMN mail.dkim_hosts.seen_at IS 'When it last said so.';
GRANT SELECT, DELETE ON mail.dkim_hosts TO postward_admin;

-- The private keys that should be sealed anew: in clear, or under another host key than that
-- with which the caller seals.
CREATE FUNCTION mail.dkim_to_seal(host text, key_ids text[], at timestamptz, OUT id bigint, OUT domain text,
                                  OUT selector text, OUT private_key text) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO mail.dkim_hosts AS h (host, key_ids, seen_at) VALUES (dkim_to_seal.host, dkim_to_seal.key_ids, at)
    ON CONFLICT (host) DO UPDATE SET key_ids = excluded.key_ids, seen_at = excluded.seen_at
    WHERE h.key_ids <> excluded.key_ids OR h.seen_at < at - interval '1 minute';
    RETURN QUERY
        SELECT k.id, k.domain::text, k.selector::text, k.private_key FROM mail.dkim_keys AS k
        WHERE k.private_key <> '' AND cardinality(dkim_to_seal.key_ids) > 0
          AND k.private_key NOT LIKE 'pwk1:' || dkim_to_seal.key_ids[1] || ':%'
          AND (k.private_key LIKE '-%' OR split_part(k.private_key, ':', 2) = ANY (dkim_to_seal.key_ids))
          AND mail.setting('dkim_seal') IS DISTINCT FROM 'no'
          -- a host key that some node does not have yet seals nothing that the node reads now
          AND NOT EXISTS (SELECT FROM mail.dkim_hosts AS h
                          WHERE h.seen_at > at - interval '1 day' AND dkim_to_seal.key_ids[1] <> ALL (h.key_ids))
        ORDER BY k.id LIMIT 200;
END $$;
COMMENT ON FUNCTION mail.dkim_to_seal(text, text[], timestamptz) IS
    'For postward-dkim: notes which host keys a node has; answers the private keys that it should seal.';

CREATE FUNCTION mail.dkim_sealed_with(OUT key_id text) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT DISTINCT split_part(k.private_key, ':', 2) FROM mail.dkim_keys AS k WHERE k.private_key LIKE 'pwk1:%'
$$;
COMMENT ON FUNCTION mail.dkim_sealed_with() IS 'Names of the host keys that private keys are sealed with.';

CREATE FUNCTION mail.dkim_seal(id bigint, was_sha256 text, sealed text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE mail.dkim_keys AS k SET private_key = dkim_seal.sealed
    WHERE k.id = dkim_seal.id AND encode(sha256(convert_to(k.private_key, 'UTF8')), 'hex') = was_sha256 AND dkim_seal.sealed LIKE 'pwk1:%';
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION mail.dkim_seal(bigint, text, text) IS
    'For postward-dkim: a private key, sealed; false if it is another one by now.';

GRANT EXECUTE ON FUNCTION mail.dkim_take(), mail.dkim_step(timestamptz), mail.dkim_to_seal(text, text[], timestamptz),
    mail.dkim_seal(bigint, text, text), mail.dkim_sealed_with() TO postward_dkim;
GRANT EXECUTE ON FUNCTION mail.dkim_step(timestamptz), mail.dkim_sealed_with() TO postward_admin;

-- Records --------------------------------------------------------------------------------------

CREATE FUNCTION mail.txt_strings(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT coalesce(string_agg('"' || regexp_replace(substr(value, n, 255), '(["\\])', '\\\1', 'g') || '"', ' ' ORDER BY n), '""')
    FROM generate_series(1, length(value), 255) AS n
$$;
COMMENT ON FUNCTION mail.txt_strings(text) IS 'A TXT record as zone files have it: strings of at most 255 characters.';
GRANT EXECUTE ON FUNCTION mail.txt_strings(text) TO postward_admin;

-- The same for every domain, so that the view asks once.
CREATE FUNCTION mail.mta_sts_text() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT E'version: STSv1\r\nmode: ' || mail.setting('mta_sts') || E'\r\n'
           || (SELECT string_agg('mx: ' || host || E'\r\n', '' ORDER BY host)
               FROM string_to_table(mail.setting('mx_hosts'), ' ') AS host WHERE host <> '')
           || E'max_age: 604800\r\n'
    WHERE mail.setting('mta_sts') IN ('testing', 'enforce')
$$;
COMMENT ON FUNCTION mail.mta_sts_text() IS 'The MTA-STS policy of our domains; NULL while setting mta_sts is off.';

CREATE FUNCTION mail.mta_sts_policy(domain text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT mail.mta_sts_text() FROM mail.snapshot_domains AS d WHERE d.name = mail.normal_domain(mta_sts_policy.domain)
$$;
COMMENT ON FUNCTION mail.mta_sts_policy(text) IS
    'What https://mta-sts.DOMAIN/.well-known/mta-sts.txt has to say (RFC 8461); NULL while setting mta_sts is off.';
GRANT EXECUTE ON FUNCTION mail.mta_sts_policy(text) TO postward_admin;

CREATE OR REPLACE VIEW mail.dns_domain_records AS
    SELECT d.name AS domain, d.name AS name, 'MX' AS type, '10 ' || host || '.' AS value,
           'takes mail for the domain' AS note, 'mx' AS kind, true AS needed
    FROM mail.snapshot_domains AS d,
         string_to_table((SELECT s.value FROM mail.settings AS s WHERE s.name = 'mx_hosts'), ' ') AS host
    WHERE host <> ''
    UNION ALL
    SELECT d.name, d.name, 'TXT', 'v=spf1 mx -all', 'SPF: only the hosts of MX send; add others before -all',
           'spf', true
    FROM mail.snapshot_domains AS d
    UNION ALL
    SELECT k.domain, k.selector || '._domainkey.' || k.domain, 'TXT',
           CASE k.state WHEN 'revoked' THEN regexp_replace(k.public_record, '\mp=.*$', 'p=') ELSE k.public_record END,
           'DKIM key, ' || k.algorithm || CASE k.state
               WHEN 'pending' THEN ', not used yet' WHEN 'published' THEN ', used soon'
               WHEN 'retiring' THEN ', used no more: leave it for mail on its way'
               WHEN 'revoked' THEN ', revoked: may go' ELSE '' END,
           'dkim', k.state IN ('active', 'published')
    FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
    UNION ALL
    SELECT d.name, '_dmarc.' || d.name, 'TXT', 'v=DMARC1; p=quarantine', 'DMARC: start with p=none where unsure',
           'dmarc', true
    FROM mail.snapshot_domains AS d
    UNION ALL
    SELECT d.name, s.service || '._tcp.' || d.name, 'SRV', '0 1 ' || s.port || ' ' || h.host || '.',
           'where mail programs find ' || s.what || ' (RFC 6186, RFC 8314)', 'srv', false
    FROM mail.snapshot_domains AS d,
         (VALUES ('_imaps', 993, 'IMAP'), ('_submissions', 465, 'submission')) AS s (service, port, what),
         (SELECT coalesce(mail.setting('client_host'), split_part(mail.setting('mx_hosts'), ' ', 1)) AS host OFFSET 0) AS h
    WHERE h.host <> ''
    UNION ALL
    SELECT d.name, '_mta-sts.' || d.name, 'TXT',
           'v=STSv1; id=' || left(md5(p.policy), 16) || ';',
           'MTA-STS: senders shall use TLS; mail.mta_sts_policy(domain) is to be served by https', 'text', true
    FROM mail.snapshot_domains AS d, (SELECT mail.mta_sts_text() AS policy OFFSET 0) AS p WHERE p.policy IS NOT NULL
    UNION ALL
    SELECT d.name, '_smtp._tls.' || d.name, 'TXT',
           'v=TLSRPTv1; rua=mailto:' || coalesce(w.reports_to, 'postmaster@' || d.name),
           'TLS-RPT: who is told of TLS that failed (RFC 8460)', 'tlsrpt', false
    FROM mail.snapshot_domains AS d,
         (SELECT mail.setting('tls_reports_to') AS reports_to, mail.setting('mta_sts') AS mta_sts OFFSET 0) AS w
    WHERE w.reports_to IS NOT NULL OR w.mta_sts <> 'off';
COMMENT ON COLUMN mail.dns_domain_records.kind IS 'mx, spf, dkim, dmarc, srv, tlsrpt, or text: compared word for word.';

CREATE OR REPLACE VIEW mail.dns_records AS
    SELECT r.domain::text AS domain, r.name::text AS name, r.type::text AS type, r.value::text AS value,
           r.note::text AS note, r.kind, r.needed,
           r.name || '. IN ' || r.type || ' '
           || CASE r.type WHEN 'TXT' THEN mail.txt_strings(r.value) ELSE r.value END AS zone_line
    FROM (SELECT * FROM mail.dns_domain_records UNION ALL SELECT * FROM mail.dns_host_records) AS r;
COMMENT ON COLUMN mail.dns_records.kind IS
    'What it is: mx, spf, dkim, dmarc, srv, tlsrpt, address, ptr, text; says how it is compared.';
COMMENT ON COLUMN mail.dns_records.needed IS 'false: may be missing (a key not used yet, or no more; what only helps).';
COMMENT ON COLUMN mail.dns_records.zone_line IS 'The record as a line of a zone file; value is what web forms take.';

CREATE FUNCTION mail.dns_records(domain text) RETURNS SETOF mail.dns_records
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT r.* FROM mail.dns_records AS r
    WHERE r.domain = mail.normal_domain(dns_records.domain) OR r.kind IN ('address', 'ptr')
    ORDER BY array_position('{mx,address,ptr,spf,dkim,dmarc,text,tlsrpt,srv}', r.kind), r.name, r.value
$$;
COMMENT ON FUNCTION mail.dns_records(text) IS
    'What to publish for a domain: SELECT zone_line, note FROM mail.dns_records(''example.org'');';
GRANT EXECUTE ON FUNCTION mail.dns_records(text) TO postward_admin;

-- What was seen --------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION mail.record_dns(answers jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    recorded bigint;
BEGIN
    DELETE FROM dns_seen AS s
    WHERE NOT EXISTS (SELECT FROM dns_records AS r
                      WHERE r.name = s.name AND r.type = s.type AND r.value = s.value);
    INSERT INTO dns_seen AS s (domain, name, type, value, state, seen, problem, checked_at, failed_at)
    SELECT r.domain, r.name, r.type, r.value, a.state, coalesce(a.seen, ''), coalesce(a.problem, ''),
           CASE WHEN a.state <> 'unknown' THEN now() END, CASE WHEN a.state = 'unknown' THEN now() END
    FROM jsonb_to_recordset(answers) AS a (name text, type text, value text, state text, seen text, problem text)
    JOIN (SELECT DISTINCT ON (name, type, value) * FROM dns_records) AS r
         ON r.name = a.name AND r.type = a.type AND r.value = a.value
    ON CONFLICT (name, type, value) DO UPDATE SET
        domain = excluded.domain,
        state = CASE WHEN excluded.state = 'unknown' THEN s.state ELSE excluded.state END,
        seen = CASE WHEN excluded.state = 'unknown' THEN s.seen ELSE excluded.seen END,
        problem = CASE WHEN excluded.state = 'unknown' THEN s.problem ELSE excluded.problem END,
        checked_at = coalesce(excluded.checked_at, s.checked_at),
        failed_at = excluded.failed_at;
    GET DIAGNOSTICS recorded = ROW_COUNT;
    PERFORM mail.dkim_saw(answers, now());
    PERFORM mail.dkim_step(now());
    RETURN recorded;
END $$;

CREATE FUNCTION mail.fill_mx_addresses(addresses text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    UPDATE mail.settings AS s SET value = addresses WHERE s.name = 'mx_addresses' AND s.value = '';
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION mail.fill_mx_addresses(text) IS
    'For postwardctl dns check --record: setting mx_addresses, if it is empty.';
GRANT EXECUTE ON FUNCTION mail.fill_mx_addresses(text) TO postward_admin, postward_dkim;
GRANT EXECUTE ON FUNCTION mail.record_dns(jsonb) TO postward_dkim;
GRANT SELECT ON mail.dns_records TO postward_dkim;
-- functions of views run with the reader's rights
GRANT EXECUTE ON FUNCTION mail.setting(text), mail.mx_addresses(), mail.reverse_name(inet), mail.txt_strings(text),
    mail.mta_sts_text() TO postward_dkim;
GRANT EXECUTE ON FUNCTION mail.mta_sts_text(), mail.dkim_terms() TO postward_admin;

CREATE FUNCTION mail.check_dkim(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT 'error', format('DKIM key %s of %s signs no more: DNS does not show it', k.selector, k.domain),
           format('SELECT zone_line FROM mail.dns_records(%L);', k.domain)
    FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
    WHERE k.state = 'pending' AND k.active_at IS NOT NULL
    UNION ALL
    SELECT 'warning', format('DKIM key %s of %s waits for its record in DNS', k.selector, k.domain),
           format('SELECT zone_line FROM mail.dns_records(%L);', k.domain)
    FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
    WHERE k.state = 'pending' AND k.active_at IS NULL AND k.created_at < now() - interval '1 day'
    UNION ALL
    SELECT 'warning', 'DKIM keys wait, and nobody looks at DNS', 'systemctl enable --now postward-dns.timer'
    WHERE EXISTS (SELECT FROM mail.dkim_keys AS k JOIN mail.snapshot_domains AS d ON d.name = k.domain
                  WHERE k.state IN ('pending', 'published') AND k.created_at < now() - interval '1 hour')
      AND NOT EXISTS (SELECT FROM mail.dns_seen AS s
                      WHERE greatest(s.checked_at, s.failed_at) > now() - interval '1 hour')
    UNION ALL
    SELECT 'error', format('node %s lacks host key %s: it cannot sign with %s keys', h.host, s.key_id, s.count),
           'postwardctl dkim host-key export there, where it is; import here'
    FROM mail.dkim_hosts AS h,
         (SELECT split_part(k.private_key, ':', 2) AS key_id, count(*) AS count FROM mail.dkim_keys AS k
          WHERE k.private_key LIKE 'pwk1:%' GROUP BY 1) AS s
    WHERE h.seen_at > now() - interval '1 day' AND s.key_id <> ALL (h.key_ids)
    UNION ALL
    SELECT 'warning', format('%s private DKIM keys are in clear text in the database', count(*)),
           'Is postward-dkim running, and has every node the same host key? See its log.'
    FROM mail.dkim_keys AS k
    WHERE k.private_key LIKE '-%' AND k.changed_at < now() - interval '10 minutes'
      AND mail.setting('dkim_seal') IS DISTINCT FROM 'no'
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION mail.check_dkim() IS 'Part of mail.check(): keys that wait, and host keys.';

CREATE OR REPLACE FUNCTION mail.check_dns(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT CASE WHEN r.kind = 'dmarc' THEN 'warning' ELSE 'error' END,
           format('DNS, %s %s: %s', s.name, s.type, s.problem),
           format('postwardctl dns check %s --record', s.domain)
    FROM mail.dns_seen AS s
    JOIN mail.dns_records AS r ON r.name = s.name AND r.type = s.type AND r.value = s.value
    WHERE s.state IN ('missing', 'differs') AND s.problem <> ''
    UNION ALL
    SELECT 'warning', 'nobody said which hosts take mail for our domains',
           'UPDATE mail.settings SET value = ''mx.example.org'' WHERE name = ''mx_hosts'';'
    WHERE mail.setting('mx_hosts') IS NULL AND EXISTS (SELECT FROM mail.snapshot_domains)
    UNION ALL
    SELECT * FROM mail.check_dkim()
$$;
