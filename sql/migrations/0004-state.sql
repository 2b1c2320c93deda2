-- What every change does: raise the generation, notify the programs, leave an event.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.state (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation  bigint NOT NULL DEFAULT 1,
    changed_by  xid8,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.state IS
    'One row: the number of the last change that programs must know of.';
COMMENT ON COLUMN mail.state.one IS 'Always true: there is one row.';
COMMENT ON COLUMN mail.state.generation IS 'Grows with every transaction that changed settings.';
COMMENT ON COLUMN mail.state.changed_by IS 'That transaction.';
COMMENT ON COLUMN mail.state.changed_at IS 'When it began.';
INSERT INTO mail.state DEFAULT VALUES;
GRANT SELECT ON mail.state TO postward_admin;

CREATE FUNCTION mail.generation() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    SELECT generation FROM mail.state
$$;
COMMENT ON FUNCTION mail.generation() IS
    'Number of the last change; programs read their snapshot again when it differs.';
GRANT EXECUTE ON FUNCTION mail.generation() TO postward_admin, postward_policy, postward_dkim,
    postward_score, postward_dovecot, postward_postfix;

-- Runs before the rows change, so that its row lock also puts writers in a queue: checks
-- across tables (loops, a domain in two tables) then see what was committed before them.
CREATE FUNCTION mail.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    UPDATE mail.state
    SET generation = generation + 1, changed_by = pg_current_xact_id(), changed_at = now()
    WHERE changed_by IS DISTINCT FROM pg_current_xact_id();
    PERFORM pg_notify('postward', TG_TABLE_NAME);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_change() IS
    'Trigger: raises the generation once a transaction and notifies channel postward.';

CREATE TABLE mail.events (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind    text NOT NULL,
    who     text,
    text    text NOT NULL DEFAULT '',
    detail  jsonb NOT NULL DEFAULT '{}',
    actor   text NOT NULL DEFAULT session_user
);
CREATE INDEX events_at ON mail.events (at);
CREATE INDEX events_who_at ON mail.events (who, at);
COMMENT ON TABLE mail.events IS
    'What happened: changes made by people, limits reached, keys made. Rows are only added.';
COMMENT ON COLUMN mail.events.id IS 'Running number.';
COMMENT ON COLUMN mail.events.at IS 'When.';
COMMENT ON COLUMN mail.events.kind IS
    'What: a table and what was done to it (virtual_users insert), or a program''s word (rate).';
COMMENT ON COLUMN mail.events.who IS 'Whom it concerns: an address, a login or a domain.';
COMMENT ON COLUMN mail.events.text IS 'The same in words.';
COMMENT ON COLUMN mail.events.detail IS 'Old and new values; never passwords or keys.';
COMMENT ON COLUMN mail.events.actor IS 'Database role that did it.';
GRANT SELECT ON mail.events TO postward_admin;

-- Argument: the column that says whom the row concerns.
CREATE FUNCTION mail.note_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    secret constant text[] := '{password,private_key}';
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    now_is jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    detail jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN -- what differs, old and new
        SELECT jsonb_object_agg(key, CASE WHEN key = ANY (secret) THEN '"changed"'::jsonb
                                          ELSE jsonb_build_array(was -> key, value) END)
        INTO detail FROM jsonb_each(now_is)
        WHERE value IS DISTINCT FROM was -> key AND key <> 'changed_at';
        IF detail IS NULL THEN
            RETURN NULL;
        END IF;
    ELSE
        detail := jsonb_strip_nulls(coalesce(now_is, was) - secret - 'changed_at');
    END IF;
    INSERT INTO mail.events (kind, who, text, detail)
    VALUES (TG_TABLE_NAME || ' ' || lower(TG_OP), coalesce(now_is, was) ->> TG_ARGV[0],
            CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'DELETE' THEN 'removed'
                       ELSE 'changed ' || (SELECT string_agg(k, ', ' ORDER BY k)
                                           FROM jsonb_object_keys(detail) AS k) END,
            detail);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_event() IS 'Trigger: writes the change of a row to mail.events.';

-- Give a table of settings its triggers, so that no table misses one.
CREATE FUNCTION mail.watch(watched regclass, who_column text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER a_note_change BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE '
                   'ON %s FOR EACH STATEMENT EXECUTE FUNCTION mail.note_change()', watched);
    EXECUTE format('CREATE TRIGGER z_note_event AFTER INSERT OR UPDATE OR DELETE ON %s '
                   'FOR EACH ROW EXECUTE FUNCTION mail.note_event(%L)', watched, who_column);
END $$;
COMMENT ON FUNCTION mail.watch(regclass, text) IS
    'For migrations: give a table the triggers that notify and write events.';

CREATE FUNCTION mail.record_events(events jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH added AS (
        INSERT INTO mail.events (kind, who, text, detail)
        SELECT coalesce(e ->> 'kind', 'other'), e ->> 'who', coalesce(e ->> 'text', ''),
               coalesce(e -> 'detail', '{}')
        FROM jsonb_array_elements(events) AS e
        RETURNING 1)
    SELECT count(*) FROM added
$$;
COMMENT ON FUNCTION mail.record_events(jsonb) IS
    'For programs: add events, [{"kind", "who", "text", "detail"}, ...]; answers how many.';
GRANT EXECUTE ON FUNCTION mail.record_events(jsonb)
    TO postward_policy, postward_dkim, postward_score;

CREATE TABLE mail.settings (
    name     text PRIMARY KEY,
    value    text NOT NULL,
    note     text NOT NULL
);
COMMENT ON TABLE mail.settings IS 'Few settings of the SQL side itself; change the values.';
COMMENT ON COLUMN mail.settings.name IS 'Name, fixed.';
COMMENT ON COLUMN mail.settings.value IS 'Value; empty = the default of the program asked.';
COMMENT ON COLUMN mail.settings.note IS 'What it does.';
INSERT INTO mail.settings VALUES
    ('password_min_length', '16', 'shortest password that set_password and add_user take'),
    ('password_rounds', '100000', 'work of a SHA512-CRYPT made in SQL'),
    ('mail_home', '', 'home folder of a mailbox for Dovecot, %d domain, %n local part; empty = Dovecot''s mail_home'),
    ('mail_location', '', 'mail location for Dovecot; empty = Dovecot''s own'),
    ('mail_uid', '', 'user of the mail files for Dovecot; empty = Dovecot''s mail_uid'),
    ('mail_gid', '', 'group of the mail files for Dovecot; empty = Dovecot''s mail_gid'),
    ('mx_hosts', '', 'names of the public mail hosts, separated by blanks, for mail.dns_records');
GRANT SELECT, UPDATE (value) ON mail.settings TO postward_admin;
SELECT mail.watch('mail.settings', 'name');

CREATE FUNCTION mail.check_setting() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name = 'password_min_length' AND NEW.value !~ '^([89]|[1-9][0-9]|1[0-9]{2})$' THEN
        RAISE EXCEPTION 'password_min_length must be 8 to 199' USING ERRCODE = 'check_violation';
    ELSIF NEW.name = 'password_rounds' AND NEW.value !~ '^([1-9][0-9]{3,5}|1000000)$' THEN
        RAISE EXCEPTION 'password_rounds must be 1000 to 1000000'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.check_setting() IS 'Trigger: refuses a setting out of range.';
CREATE TRIGGER check_setting BEFORE INSERT OR UPDATE ON mail.settings
    FOR EACH ROW EXECUTE FUNCTION mail.check_setting();

CREATE FUNCTION mail.setting(name text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN (SELECT nullif(s.value, '') FROM mail.settings AS s WHERE s.name = setting.name);
END $$;
COMMENT ON FUNCTION mail.setting(text) IS 'Value of a setting; NULL if empty.';
GRANT EXECUTE ON FUNCTION mail.setting(text) TO postward_admin;
