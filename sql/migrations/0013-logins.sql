-- Who may log in where: switches of mailboxes and domains, names to log in with.

SET LOCAL ROLE postward_owner;

ALTER TABLE mail.virtual_users
    ADD may_imap           boolean NOT NULL DEFAULT true,
    ADD may_pop3           boolean NOT NULL DEFAULT true,
    ADD may_smtp           boolean NOT NULL DEFAULT true,
    ADD may_sieve          boolean NOT NULL DEFAULT true,
    ADD suspended          text CONSTRAINT suspended_is_one_line
                           CHECK (suspended ~ '^[^[:cntrl:]]+$' AND octet_length(suspended) <= 200),
    ADD expires_at         timestamptz,
    ADD allow_nets         cidr[] CONSTRAINT allow_nets_or_null
                           CHECK (cardinality(allow_nets) > 0 AND cardinality(allow_nets) <= 100
                                  AND array_position(allow_nets, NULL) IS NULL),
    ADD app_passwords_only boolean NOT NULL DEFAULT false,
    ADD proxy_host         text CONSTRAINT proxy_host_is_a_host
                           CHECK (proxy_host ~ '^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$'),
    ADD quota_messages     bigint NOT NULL DEFAULT 0
                           CHECK (quota_messages BETWEEN 0 AND 1000000000000);
COMMENT ON COLUMN mail.virtual_users.enabled IS
    'false: may not log in, and so not send; goes on receiving. suspended does the same with a reason.';
COMMENT ON COLUMN mail.virtual_users.may_imap IS 'false: no IMAP, which webmail uses too.';
COMMENT ON COLUMN mail.virtual_users.may_pop3 IS 'false: no POP3.';
COMMENT ON COLUMN mail.virtual_users.may_smtp IS 'false: may not send by logging in.';
COMMENT ON COLUMN mail.virtual_users.may_sieve IS 'false: no ManageSieve, filters cannot be changed.';
COMMENT ON COLUMN mail.virtual_users.suspended IS
    'Why the mailbox may not log in and not send for now, one line, shown in logs and to the sender; '
    'NULL = not suspended. It goes on receiving.';
COMMENT ON COLUMN mail.virtual_users.expires_at IS 'From then on nobody logs in; NULL = never.';
COMMENT ON COLUMN mail.virtual_users.allow_nets IS
    'Networks it may log in from: ''{192.0.2.0/24, 2001:db8::/32}''; NULL = everywhere.';
COMMENT ON COLUMN mail.virtual_users.app_passwords_only IS
    'true: the own password is refused, only app passwords count (webmail has a second factor).';
COMMENT ON COLUMN mail.virtual_users.proxy_host IS
    'Dovecot passes logins on to this host; NULL = that of the domain, or here.';
COMMENT ON COLUMN mail.virtual_users.quota_messages IS 'Most messages; 0 = no limit.';

ALTER TABLE mail.virtual_domains
    ADD quota_mb    bigint NOT NULL DEFAULT 0 CHECK (quota_mb BETWEEN 0 AND 4398046511104),
    ADD proxy_host  text CONSTRAINT proxy_host_is_a_host
                    CHECK (proxy_host ~ '^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$');
COMMENT ON COLUMN mail.virtual_domains.quota_mb IS
    'Most MiB that all its mailboxes hold together; 0 = no limit.';
COMMENT ON COLUMN mail.virtual_domains.proxy_host IS
    'Dovecot passes logins of the domain on to this host; NULL = here.';

GRANT SELECT (may_imap, may_pop3, may_smtp, may_sieve, suspended, expires_at, allow_nets,
              app_passwords_only, proxy_host, quota_messages) ON mail.virtual_users TO postward_admin;

-- Settings ---------------------------------------------------------------------------------

INSERT INTO mail.settings VALUES
    ('login_by_alias', 'no', 'yes: an alias that leads to exactly one mailbox is a login name of it too'),
    ('password_scheme', '', 'scheme that a password is hashed with again at its next login; empty = left as it is'),
    ('quota_grace_percent', '0', 'a delivery that begins below the limit may end so many percent above it');

-- One row a setting with a range: what its value has to match, and the same in words.
CREATE OR REPLACE FUNCTION mail.check_setting() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    range record;
BEGIN
    SELECT * INTO range FROM (VALUES
        ('password_min_length', '([89]|[1-9][0-9]|1[0-9]{2})',    '8 to 199'),
        ('password_rounds',     '([1-9][0-9]{3,5}|1000000)',      '1000 to 1000000'),
        ('login_by_alias',      '(yes|no)',                       'yes or no'),
        ('password_scheme',     '(|SHA512-CRYPT|BLF-CRYPT|ARGON2ID|SCRAM-SHA-256)',
                                'empty, SHA512-CRYPT, BLF-CRYPT, ARGON2ID or SCRAM-SHA-256'),
        ('quota_grace_percent', '([0-9]|[1-9][0-9]|100)',         '0 to 100')
    ) AS known (name, pattern, words) WHERE known.name = NEW.name;
    IF FOUND AND NEW.value !~ ('^' || range.pattern || '$') THEN
        RAISE EXCEPTION '% must be %', NEW.name, range.words USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Names to log in with ---------------------------------------------------------------------

-- Neither a catch-all nor a subaddress names somebody; an alias does if it leads to one
-- mailbox and nowhere else.
CREATE FUNCTION mail.mailbox_of_alias(alias text) RETURNS text
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    ends text[];
BEGIN
    IF NOT EXISTS (SELECT FROM virtual_aliases AS a WHERE a.source = alias AND a.enabled) THEN
        RETURN NULL;
    END IF;
    ends := ARRAY(SELECT resolve_ends(alias));
    RETURN (SELECT u.email FROM virtual_users AS u
            WHERE cardinality(ends) = 1 AND u.email = ends[1]);
END $$;
COMMENT ON FUNCTION mail.mailbox_of_alias(text) IS
    'The one mailbox an alias (in normal form) leads to; NULL if there are none or more.';

CREATE OR REPLACE FUNCTION mail.mailbox_of(login text) RETURNS text
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
DECLARE
    wanted text := mail.normal_address(login);
    domain constant text := mail.domain_of(wanted);
    stands_for text;
    mailbox text;
BEGIN
    SELECT a.target INTO stands_for FROM mail.alias_domains AS a WHERE a.name = domain AND a.enabled;
    IF FOUND THEN
        wanted := left(wanted, -length(domain)) || stands_for;
    END IF;
    mailbox := (SELECT u.email FROM mail.virtual_users AS u WHERE u.email = wanted);
    IF mailbox IS NULL AND mail.setting('login_by_alias') = 'yes' THEN
        mailbox := mail.mailbox_of_alias(wanted);
    END IF;
    RETURN mailbox;
END $$;
COMMENT ON FUNCTION mail.mailbox_of(text) IS
    'The mailbox a login name means: its address, also written in an alias domain; with the setting '
    'login_by_alias an alias of that one mailbox too.';

CREATE FUNCTION mail.protocol_of(service text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE lower(service) WHEN 'submission' THEN 'smtp' WHEN 'managesieve' THEN 'sieve'
                               WHEN 'imap-urlauth' THEN 'imap' ELSE lower(service) END
$$;
COMMENT ON FUNCTION mail.protocol_of(text) IS
    'The protocol (imap, pop3, smtp, sieve) behind Dovecot''s name of a service; others as they are.';

-- Hashes that would keep a processor busy for minutes at each login, by anybody who knows
-- the address.
CREATE OR REPLACE FUNCTION mail.is_password_hash(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT EXISTS (SELECT FROM (VALUES
        -- scheme of Dovecot  what follows it
        ('SHA512-CRYPT',  '\$6\$(rounds=[1-9][0-9]{3,6}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}'),
        ('SHA256-CRYPT',  '\$5\$(rounds=[1-9][0-9]{3,6}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43}'),
        ('BLF-CRYPT',     '\$2[abxy]\$(0[4-9]|1[0-6])\$[./0-9A-Za-z]{53}'),
        ('ARGON2ID',      '\$argon2id\$v=[0-9]{1,3}\$m=[0-9]{1,7},t=[0-9]{1,2},p=[0-9]{1,2}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}'),
        ('ARGON2I',       '\$argon2i\$v=[0-9]{1,3}\$m=[0-9]{1,7},t=[0-9]{1,2},p=[0-9]{1,2}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}'),
        ('CRYPT',         '\$6\$(rounds=[1-9][0-9]{3,6}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}'),
        ('CRYPT',         '\$2[abxy]\$(0[4-9]|1[0-6])\$[./0-9A-Za-z]{53}'),
        ('CRYPT',         '\$(y|gy|7)\$[./0-9A-Za-z$]{40,200}'),
        ('SCRAM-SHA-256', '[0-9]{4,7},[A-Za-z0-9+/]+=*,[A-Za-z0-9+/]{43}=,[A-Za-z0-9+/]{43}='),
        ('SSHA512',       '[A-Za-z0-9+/]{91,}={0,2}'),
        ('SSHA256',       '[A-Za-z0-9+/]{48,}={0,2}'),
        ('PBKDF2',        '\$1\$[./0-9A-Za-z]+\$[0-9]{3,7}\$[0-9a-f]{40}')
    ) AS known (scheme, pattern)
    WHERE length(value) <= 500 AND value ~ ('^\{' || scheme || '\}' || pattern || '$'))
$$;
COMMENT ON FUNCTION mail.is_password_hash(text) IS
    'Is this a well-formed {SCHEME}hash of a scheme that is safe to keep, of at most 500 bytes and '
    'with work that a login can wait for?';
