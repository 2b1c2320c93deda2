-- Whose logins changed, so that caches forget them and sessions end. Writers queue for the
-- row of mail.state (note_change), so a generation is committed before the next one begins:
-- who has read up to one misses nothing by asking for what is above it.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.login_changes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    generation  bigint NOT NULL,
    login       text NOT NULL,
    why         text NOT NULL
                CHECK (why IN ('password', 'refused', 'app_password', 'deleted', 'changed', 'added')),
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX login_changes_generation ON mail.login_changes (generation);
CREATE INDEX login_changes_at ON mail.login_changes (at);
COMMENT ON TABLE mail.login_changes IS
    'Whose right to log in changed during the last day; Dovecot and postward-policyd follow it.';
COMMENT ON COLUMN mail.login_changes.id IS 'Running number.';
COMMENT ON COLUMN mail.login_changes.generation IS 'The change (mail.generation()).';
COMMENT ON COLUMN mail.login_changes.login IS
    'A mailbox, master user or alias; @domain for all of a domain, * for all.';
COMMENT ON COLUMN mail.login_changes.why IS
    'password: the own one changed; refused: may do less; app_password: one was taken away or changed; '
    'deleted: the login is gone; changed: may do more, or elsewhere; added: something new, no session to close.';
COMMENT ON COLUMN mail.login_changes.at IS 'When.';
GRANT SELECT ON mail.login_changes TO postward_admin;

ALTER TABLE mail.state ADD logins_since bigint NOT NULL DEFAULT 0;
UPDATE mail.state SET logins_since = generation;
COMMENT ON COLUMN mail.state.logins_since IS
    'login_changes holds everything after this generation; what was before it is forgotten.';

-- A re-hash is no change that anybody must hear of, and there may be hundreds a second; so
-- dovecot_rehash leaves its transaction here for the triggers to see. People cannot write it.
CREATE UNLOGGED TABLE mail.rehashes (
    xact  xid8 PRIMARY KEY
);
COMMENT ON TABLE mail.rehashes IS 'Empty, but for the moment of a dovecot_rehash.';
COMMENT ON COLUMN mail.rehashes.xact IS 'Its transaction.';

CREATE FUNCTION mail.is_rehash() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM mail.rehashes WHERE xact = pg_current_xact_id_if_assigned());
END $$;
COMMENT ON FUNCTION mail.is_rehash() IS
    'For triggers: is this transaction a dovecot_rehash at the moment?';

CREATE OR REPLACE FUNCTION mail.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'virtual_users' AND TG_OP = 'UPDATE' AND mail.is_rehash() THEN
        RETURN NULL;
    END IF;
    UPDATE mail.state
    SET generation = generation + 1, changed_by = pg_current_xact_id(), changed_at = now()
    WHERE changed_by IS DISTINCT FROM pg_current_xact_id();
    PERFORM pg_notify('postward', TG_TABLE_NAME);
    RETURN NULL;
END $$;

-- Argument: the column that says whom the row concerns; of user_id the mailbox is told.
CREATE OR REPLACE FUNCTION mail.note_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    secret constant text[] := '{password,private_key}';
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    now_is jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    whom text := coalesce(now_is, was) ->> TG_ARGV[0];
    detail jsonb;
BEGIN
    IF TG_TABLE_NAME = 'virtual_users' AND TG_OP = 'UPDATE' AND mail.is_rehash() THEN
        RETURN NULL;
    END IF;
    IF TG_ARGV[0] = 'user_id' THEN
        whom := (SELECT u.email FROM mail.virtual_users AS u WHERE u.id = whom::bigint);
        IF whom IS NULL THEN -- it goes with its mailbox, whose event tells enough
            RETURN NULL;
        END IF;
    END IF;
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
    VALUES (TG_TABLE_NAME || ' ' || lower(TG_OP), whom,
            CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'DELETE' THEN 'removed'
                       ELSE 'changed ' || (SELECT string_agg(k, ', ' ORDER BY k)
                                           FROM jsonb_object_keys(detail) AS k) END,
            detail);
    RETURN NULL;
END $$;

-- The feed ---------------------------------------------------------------------------------

CREATE FUNCTION mail.add_login_change(login text, why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    INSERT INTO mail.login_changes (generation, login, why)
    SELECT s.generation, add_login_change.login, add_login_change.why FROM mail.state AS s;
END $$;
COMMENT ON FUNCTION mail.add_login_change(text, text) IS 'For triggers: a row of login_changes.';

CREATE FUNCTION mail.prune_login_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    upto bigint;
BEGIN
    IF mail.is_rehash() THEN -- holds a mailbox and must not wait for mail.state
        RETURN NULL;
    END IF;
    SELECT max(c.generation) INTO upto FROM mail.login_changes AS c WHERE c.at < now() - interval '1 day';
    IF upto IS NOT NULL THEN
        DELETE FROM mail.login_changes AS c WHERE c.generation <= upto;
        UPDATE mail.state SET logins_since = greatest(logins_since, upto);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.prune_login_changes() IS 'Trigger: forgets what is older than a day.';

CREATE FUNCTION mail.note_login_added() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    PERFORM mail.add_login_change(NEW.email, 'added');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_login_added() IS
    'Trigger: a new mailbox, that caches may remember as unknown.';

CREATE FUNCTION mail.note_login_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    PERFORM mail.add_login_change(OLD.email, 'deleted');
    IF TG_OP = 'UPDATE' THEN
        PERFORM mail.add_login_change(NEW.email, 'added');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_login_gone() IS 'Trigger: a mailbox that is gone, or has another address.';

-- Less: something it had is taken away, or may have been.
CREATE FUNCTION mail.note_login_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    less constant boolean :=
        NEW.enabled < OLD.enabled OR NEW.may_imap < OLD.may_imap OR NEW.may_pop3 < OLD.may_pop3
        OR NEW.may_smtp < OLD.may_smtp OR NEW.may_sieve < OLD.may_sieve
        OR NEW.app_passwords_only > OLD.app_passwords_only
        OR NEW.suspended IS NOT NULL AND OLD.suspended IS NULL
        OR NEW.allow_nets IS NOT NULL AND NEW.allow_nets IS DISTINCT FROM OLD.allow_nets
        OR NEW.expires_at <= now() AND NEW.expires_at IS DISTINCT FROM OLD.expires_at;
BEGIN
    IF NOT mail.is_rehash() THEN
        PERFORM mail.add_login_change(NEW.email,
            CASE WHEN NEW.password IS DISTINCT FROM OLD.password THEN 'password'
                 WHEN less THEN 'refused'
                 ELSE 'changed' END);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_login_changed() IS
    'Trigger: a mailbox whose password or right to log in changed.';

CREATE TRIGGER login_added AFTER INSERT ON mail.virtual_users
    FOR EACH ROW EXECUTE FUNCTION mail.note_login_added();
CREATE TRIGGER login_gone AFTER DELETE ON mail.virtual_users
    FOR EACH ROW EXECUTE FUNCTION mail.note_login_gone();
CREATE TRIGGER login_renamed AFTER UPDATE ON mail.virtual_users
    FOR EACH ROW WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION mail.note_login_gone();
CREATE TRIGGER login_changed AFTER UPDATE ON mail.virtual_users
    FOR EACH ROW WHEN (OLD.email IS NOT DISTINCT FROM NEW.email AND (
        OLD.password IS DISTINCT FROM NEW.password OR OLD.enabled IS DISTINCT FROM NEW.enabled
        OR OLD.suspended IS DISTINCT FROM NEW.suspended
        OR OLD.expires_at IS DISTINCT FROM NEW.expires_at
        OR OLD.allow_nets IS DISTINCT FROM NEW.allow_nets
        OR OLD.may_imap IS DISTINCT FROM NEW.may_imap
        OR OLD.may_pop3 IS DISTINCT FROM NEW.may_pop3
        OR OLD.may_smtp IS DISTINCT FROM NEW.may_smtp
        OR OLD.may_sieve IS DISTINCT FROM NEW.may_sieve
        OR OLD.app_passwords_only IS DISTINCT FROM NEW.app_passwords_only
        OR OLD.proxy_host IS DISTINCT FROM NEW.proxy_host))
    EXECUTE FUNCTION mail.note_login_changed();
CREATE TRIGGER prune_login_changes AFTER INSERT OR UPDATE OR DELETE ON mail.virtual_users
    FOR EACH STATEMENT EXECUTE FUNCTION mail.prune_login_changes();

CREATE FUNCTION mail.note_app_password() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    mailbox text;
BEGIN
    SELECT u.email INTO mailbox FROM mail.virtual_users AS u
    WHERE u.id = CASE WHEN TG_OP = 'DELETE' THEN OLD.user_id ELSE NEW.user_id END;
    IF FOUND THEN -- else it goes with its mailbox, which has a row already
        PERFORM mail.add_login_change(mailbox, CASE TG_OP WHEN 'INSERT' THEN 'added' ELSE 'app_password' END);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_app_password() IS 'Trigger: an app password was made, changed or taken away.';
SELECT mail.watch('mail.app_passwords', 'user_id');
CREATE TRIGGER login_added AFTER INSERT OR DELETE ON mail.app_passwords
    FOR EACH ROW EXECUTE FUNCTION mail.note_app_password();
CREATE TRIGGER login_changed AFTER UPDATE ON mail.app_passwords
    FOR EACH ROW WHEN (OLD.password IS DISTINCT FROM NEW.password
                       OR OLD.protocols IS DISTINCT FROM NEW.protocols
                       OR OLD.nets IS DISTINCT FROM NEW.nets
                       OR OLD.expires_at IS DISTINCT FROM NEW.expires_at)
    EXECUTE FUNCTION mail.note_app_password();

-- A disabled or renamed domain has no mailboxes that may log in; an alias domain is another
-- name for each of them. Only names that were good before, or are now, need a row.
CREATE FUNCTION mail.note_domain_logins() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM mail.add_login_change('@' || NEW.name, 'added');
        RETURN NULL;
    END IF;
    PERFORM mail.add_login_change('@' || OLD.name,
        CASE WHEN TG_OP = 'DELETE' THEN 'deleted'
             WHEN NEW.name <> OLD.name OR NEW.enabled < OLD.enabled THEN 'refused'
             ELSE 'changed' END);
    IF TG_OP = 'UPDATE' AND NEW.name <> OLD.name THEN
        PERFORM mail.add_login_change('@' || NEW.name, 'added');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_domain_logins() IS
    'Trigger: a domain or alias domain whose names mean other logins now.';
CREATE TRIGGER login_changed AFTER UPDATE ON mail.virtual_domains
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name
                       OR OLD.enabled IS DISTINCT FROM NEW.enabled
                       OR OLD.proxy_host IS DISTINCT FROM NEW.proxy_host)
    EXECUTE FUNCTION mail.note_domain_logins();
CREATE TRIGGER login_changed AFTER UPDATE ON mail.alias_domains
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name
                       OR OLD.target IS DISTINCT FROM NEW.target
                       OR OLD.enabled IS DISTINCT FROM NEW.enabled)
    EXECUTE FUNCTION mail.note_domain_logins();
CREATE TRIGGER login_added AFTER INSERT OR DELETE ON mail.alias_domains
    FOR EACH ROW EXECUTE FUNCTION mail.note_domain_logins();

-- Aliases are login names only where the setting says so. An alias can lead through others,
-- so who logged in by one of them is unknown: caches forget all.
CREATE FUNCTION mail.note_alias_logins() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'settings' OR mail.setting('login_by_alias') = 'yes' THEN
        PERFORM mail.add_login_change('*', 'changed');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_alias_logins() IS
    'Trigger: aliases changed while they are login names, or became such.';
CREATE TRIGGER login_changed AFTER INSERT OR UPDATE OR DELETE ON mail.virtual_aliases
    FOR EACH STATEMENT EXECUTE FUNCTION mail.note_alias_logins();
CREATE TRIGGER login_changed AFTER UPDATE ON mail.settings
    FOR EACH ROW WHEN (OLD.name = 'login_by_alias' AND OLD.value <> NEW.value)
    EXECUTE FUNCTION mail.note_alias_logins();

CREATE FUNCTION mail.note_master() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    PERFORM mail.add_login_change(CASE WHEN TG_OP = 'DELETE' THEN OLD.login ELSE NEW.login END,
        CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'DELETE' THEN 'deleted' ELSE 'refused' END);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mail.note_master() IS 'Trigger: a master user changed.';
SELECT mail.watch('mail.master_users', 'login');
CREATE TRIGGER login_changed AFTER INSERT OR UPDATE OR DELETE ON mail.master_users
    FOR EACH ROW EXECUTE FUNCTION mail.note_master();

-- Who reads it -----------------------------------------------------------------------------

CREATE FUNCTION mail.dovecot_changes(since bigint, OUT generation bigint, OUT login text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
#variable_conflict use_column
DECLARE
    most constant int := 1000; -- beyond that it is cheaper to forget all
    forgotten bigint;
    logins text[];
BEGIN
    SELECT s.generation, s.logins_since INTO generation, forgotten FROM state AS s;
    RETURN NEXT;
    IF since = 0 OR since = generation THEN
        RETURN;
    END IF;
    IF since BETWEEN forgotten AND generation THEN
        logins := ARRAY(SELECT DISTINCT CASE WHEN left(c.login, 1) = '@' THEN '*' ELSE c.login END
                        FROM login_changes AS c WHERE c.generation > since LIMIT most + 1);
    END IF;
    IF logins IS NULL OR cardinality(logins) > most OR '*' = ANY (logins) THEN
        login := '*'; -- too old, too many, or of another database: nothing can be trusted
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        WITH RECURSIVE names (name) AS ( -- a cache knows them by what people typed
            SELECT unnest(logins)
            UNION
            SELECT a.source FROM names AS n JOIN virtual_aliases AS a ON a.destination = n.name
            WHERE setting('login_by_alias') = 'yes'
        )
        SELECT dovecot_changes.generation, n.name FROM names AS n
        UNION
        SELECT dovecot_changes.generation, left(n.name, -length(a.target)) || a.name
        FROM names AS n JOIN alias_domains AS a ON a.target = domain_of(n.name);
END $$;
COMMENT ON FUNCTION mail.dovecot_changes(bigint) IS
    'For Dovecot''s cache: the generation now, in a row with login NULL; then logins changed since a '
    'generation told before (0 = none), * = all of them.';
GRANT EXECUTE ON FUNCTION mail.dovecot_changes(bigint) TO postward_dovecot;

CREATE VIEW mail.snapshot_login_changes AS
    SELECT c.generation, c.login, c.why, (extract(epoch FROM c.at) * 1000)::bigint AS at_ms
    FROM mail.login_changes AS c
    WHERE c.at > now() - interval '15 minutes' AND c.why <> 'added' AND c.login <> '*';
COMMENT ON VIEW mail.snapshot_login_changes IS
    'For postward-policyd: logins whose sessions may have to end, of the last 15 minutes.';
COMMENT ON COLUMN mail.snapshot_login_changes.generation IS 'The change.';
COMMENT ON COLUMN mail.snapshot_login_changes.login IS 'The mailbox, or @domain.';
COMMENT ON COLUMN mail.snapshot_login_changes.why IS 'password, refused, app_password, deleted or changed.';
COMMENT ON COLUMN mail.snapshot_login_changes.at_ms IS 'When, in milliseconds since 1970.';
GRANT SELECT ON mail.snapshot_login_changes TO postward_policy;
