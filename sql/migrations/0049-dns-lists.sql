-- Lists over DNS: who is asked about what, what each answer is worth, and how the lists stand.

SET LOCAL ROLE postward_owner;

CREATE FUNCTION mail.is_dns_codes(codes text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT codes ~ '^(\s*((\d{1,3}(-\d{1,3})?|\*|&\d{1,3})\.){3}(\d{1,3}(-\d{1,3})?|\*|&\d{1,3})){0,8}\s*$'
       AND NOT EXISTS (SELECT FROM regexp_matches(codes, '\d+', 'g') AS n WHERE n[1]::int > 255)
$$;
COMMENT ON FUNCTION mail.is_dns_codes(text) IS
    'Is it what mail.dns_list_answers.codes takes: "127.0.0.2 127.0.0.4-7 127.0.*.1 127.0.0.&8"?';

CREATE TABLE mail.dns_lists (
    zone           text NOT NULL CHECK (zone ~ '^[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?$'),
    about          text NOT NULL CHECK (about IN ('client', 'name', 'helo', 'sender', 'from', 'dkim', 'url')),
    enabled        boolean NOT NULL DEFAULT true,
    refusals       text NOT NULL DEFAULT '127.0.0.1 127.255.255.*' CHECK (mail.is_dns_codes(refusals)),
    test_listed    text NOT NULL DEFAULT '' CHECK (test_listed ~ '^[a-zA-Z0-9._-]{0,200}$'),
    test_unlisted  text NOT NULL DEFAULT '' CHECK (test_unlisted ~ '^[a-zA-Z0-9._-]{0,200}$'),
    terms          text NOT NULL DEFAULT '',
    changed_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (zone, about)
);
COMMENT ON TABLE mail.dns_lists IS
    'Lists over DNS that postward-score asks about mail. UPDATE mail.dns_lists SET enabled = true WHERE zone = '
    '''zen.spamhaus.org''; what the answers are worth stands in mail.dns_list_answers, how a list stands in '
    'mail.dns_list_health. They want a resolver of your own: most refuse the large public ones.';
COMMENT ON COLUMN mail.dns_lists.zone IS 'Its zone.';
COMMENT ON COLUMN mail.dns_lists.about IS
    'What it is asked about: client (address), name (domain of the client''s verified name), helo, sender (domain of the '
    'envelope), from (of the author), dkim (domains whose signature is right), url (domains of links).';
COMMENT ON COLUMN mail.dns_lists.enabled IS 'false: never asked.';
COMMENT ON COLUMN mail.dns_lists.refusals IS
    'Answers that mean "not for you": nothing is scored then, and nobody asks until the next look at its test points.';
COMMENT ON COLUMN mail.dns_lists.test_listed IS 'Name below the zone that is always listed (RFC 5782 5); empty = none is known.';
COMMENT ON COLUMN mail.dns_lists.test_unlisted IS 'Name below the zone that never is.';
COMMENT ON COLUMN mail.dns_lists.terms IS 'For people: whom its operators let ask for free, as far as known; please look yourself.';
COMMENT ON COLUMN mail.dns_lists.changed_at IS 'When the row last changed.';

CREATE TABLE mail.dns_list_answers (
    name         text PRIMARY KEY CHECK (name ~ '^[A-Z][A-Z0-9_]{1,62}$'),
    zone         text NOT NULL,
    about        text NOT NULL,
    codes        text NOT NULL CHECK (mail.is_dns_codes(codes) AND codes <> ''),
    weight       numeric(7, 3) NOT NULL CHECK (weight BETWEEN -1000 AND 1000),
    grp          text NOT NULL DEFAULT 'dns_lists' CHECK (grp ~ '^[a-z][a-z0-9_]{0,30}$'),
    description  text NOT NULL DEFAULT '',
    enabled      boolean NOT NULL DEFAULT true,
    dry_run      boolean NOT NULL DEFAULT false,
    changed_at   timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (zone, about) REFERENCES mail.dns_lists (zone, about) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE mail.dns_list_answers IS 'What answers of the lists of mail.dns_lists are worth: a symbol each.';
COMMENT ON COLUMN mail.dns_list_answers.name IS 'Name of the symbol; its row of mail.score_symbols follows this one.';
COMMENT ON COLUMN mail.dns_list_answers.zone IS 'The list.';
COMMENT ON COLUMN mail.dns_list_answers.about IS 'What it was asked about.';
COMMENT ON COLUMN mail.dns_list_answers.codes IS
    'The answers: 127.0.0.2, a range 127.0.0.4-7, any 127.0.*.1, one of these bits 127.0.0.&8; several with blanks between.';
COMMENT ON COLUMN mail.dns_list_answers.weight IS 'Points; positive is spam.';
COMMENT ON COLUMN mail.dns_list_answers.grp IS 'Group of the symbol; mail.score_groups may cap it.';
COMMENT ON COLUMN mail.dns_list_answers.description IS 'What it means; mail.explain shows it.';
COMMENT ON COLUMN mail.dns_list_answers.enabled IS 'false: as if the row were not there.';
COMMENT ON COLUMN mail.dns_list_answers.dry_run IS 'true: shown, but adds no points.';
COMMENT ON COLUMN mail.dns_list_answers.changed_at IS 'When the row last changed.';

CREATE FUNCTION mail.tidy_dns_list() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    NEW.zone := rtrim(lower(NEW.zone COLLATE "C"), '.');
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_dns_list() IS 'Trigger: the zone in small letters without a final dot, time of the change.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.dns_lists
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_dns_list();
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.dns_list_answers
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_own_symbol();
CREATE TRIGGER follow AFTER INSERT OR DELETE OR UPDATE ON mail.dns_list_answers
    FOR EACH ROW EXECUTE FUNCTION mail.follow_own_symbol();
SELECT mail.watch('mail.dns_lists', 'zone');
SELECT mail.watch('mail.dns_list_answers', 'name');

-- How they stand, as each program sees it: the last word counts.
CREATE TABLE mail.dns_list_health (
    zone     text NOT NULL,
    about    text NOT NULL,
    state    text NOT NULL,
    since    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (zone, about)
);
COMMENT ON TABLE mail.dns_list_health IS 'How the lists of mail.dns_lists stand; postward-score says so whenever it changes.';
COMMENT ON COLUMN mail.dns_list_health.zone IS 'The list.';
COMMENT ON COLUMN mail.dns_list_health.about IS 'What it is asked about.';
COMMENT ON COLUMN mail.dns_list_health.state IS
    'good; away (no answer), refuses (answers, but not us: ask from a resolver of your own), broken (lists everybody or '
    'nobody). Only what is good is asked about mail.';
COMMENT ON COLUMN mail.dns_list_health.since IS 'Since when.';

CREATE FUNCTION mail.tell_dns_lists(rows jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH said AS (
        SELECT DISTINCT ON (e ->> 'zone', e ->> 'about')
               e ->> 'zone' AS zone, e ->> 'about' AS about, e ->> 'state' AS state
        FROM jsonb_array_elements(rows) WITH ORDINALITY AS a (e, n)
        WHERE e ->> 'zone' IS NOT NULL AND e ->> 'about' IS NOT NULL AND e ->> 'state' IS NOT NULL
        ORDER BY e ->> 'zone', e ->> 'about', n DESC
    ), news AS (
        INSERT INTO mail.events (kind, who, text, detail)
        SELECT 'dns_list', s.zone, format('%s is %s', s.zone, s.state), jsonb_build_object('about', s.about, 'state', s.state)
        FROM said AS s LEFT JOIN mail.dns_list_health AS h ON (h.zone, h.about) = (s.zone, s.about)
        WHERE s.state <> coalesce(h.state, 'good')
    ), kept AS (
        INSERT INTO mail.dns_list_health AS h (zone, about, state)
        SELECT zone, about, state FROM said
        ON CONFLICT (zone, about) DO UPDATE SET state = excluded.state, since = excluded.since
            WHERE h.state <> excluded.state
        RETURNING 1)
    SELECT count(*) FROM kept
$$;
COMMENT ON FUNCTION mail.tell_dns_lists(jsonb) IS
    'For postward-score: [{"zone", "about", "state"}, ...]; a change is an event, too.';
GRANT EXECUTE ON FUNCTION mail.tell_dns_lists(jsonb) TO postward_score;

CREATE VIEW mail.snapshot_dns_lists AS
    SELECT l.zone, l.about, l.refusals, l.test_listed, l.test_unlisted FROM mail.dns_lists AS l
    WHERE l.enabled ORDER BY l.zone, l.about;
COMMENT ON VIEW mail.snapshot_dns_lists IS 'For postward-score: lists over DNS.';
COMMENT ON COLUMN mail.snapshot_dns_lists.zone IS 'Zone.';
COMMENT ON COLUMN mail.snapshot_dns_lists.about IS 'What it is asked about.';
COMMENT ON COLUMN mail.snapshot_dns_lists.refusals IS 'Answers that say nothing.';
COMMENT ON COLUMN mail.snapshot_dns_lists.test_listed IS 'Always listed.';
COMMENT ON COLUMN mail.snapshot_dns_lists.test_unlisted IS 'Never listed.';

CREATE VIEW mail.snapshot_dns_list_answers AS
    SELECT a.name, a.zone, a.about, a.codes FROM mail.dns_list_answers AS a
    JOIN mail.dns_lists AS l ON (l.zone, l.about) = (a.zone, a.about)
    WHERE a.enabled AND l.enabled ORDER BY a.name;
COMMENT ON VIEW mail.snapshot_dns_list_answers IS 'For postward-score: what answers of lists mean.';
COMMENT ON COLUMN mail.snapshot_dns_list_answers.name IS 'The symbol.';
COMMENT ON COLUMN mail.snapshot_dns_list_answers.zone IS 'The list.';
COMMENT ON COLUMN mail.snapshot_dns_list_answers.about IS 'What it was asked about.';
COMMENT ON COLUMN mail.snapshot_dns_list_answers.codes IS 'The answers.';
GRANT SELECT ON mail.snapshot_dns_lists, mail.snapshot_dns_list_answers TO postward_score;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.dns_lists, mail.dns_list_answers TO postward_admin;
GRANT SELECT ON mail.dns_list_health TO postward_admin;

CREATE FUNCTION mail.check_dns_lists(OUT severity text, OUT what text, OUT hint text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    -- that one is away or broken for some hours is its operators' business, and seen in the view
    SELECT 'warning', format('DNS list %s %s, since %s: it is not asked about mail', h.zone,
                             CASE h.state WHEN 'refuses' THEN 'refuses to answer us'
                                          WHEN 'away' THEN 'does not answer' ELSE 'lists everybody or nobody' END,
                             to_char(h.since, 'YYYY-MM-DD HH24:MI')),
           format('use a resolver of your own (dns_servers in score.conf), or: UPDATE mail.dns_lists SET enabled = false '
                  'WHERE zone = %L;', h.zone)
    FROM mail.dns_list_health AS h JOIN mail.dns_lists AS l ON (l.zone, l.about) = (h.zone, h.about)
    WHERE l.enabled AND (h.state = 'refuses' OR h.state IN ('away', 'broken') AND h.since < now() - interval '1 day')
    UNION ALL
    SELECT 'warning', format('DNS list %s (%s) is asked, and none of its answers is worth anything', l.zone, l.about),
           format('INSERT INTO mail.dns_list_answers (name, zone, about, codes, weight) VALUES (''...'', %L, %L, '
                  '''127.0.0.2'', 2);', l.zone, l.about)
    FROM mail.dns_lists AS l
    WHERE l.enabled AND NOT EXISTS (SELECT FROM mail.dns_list_answers AS a
                                    WHERE a.enabled AND (a.zone, a.about) = (l.zone, l.about))
$$;
COMMENT ON FUNCTION mail.check_dns_lists() IS 'Part of mail.check(): lists over DNS that say nothing.';

-- On from the start: who may be asked by anybody with a resolver of their own and little mail.
INSERT INTO mail.dns_lists (zone, about, enabled, refusals, test_listed, test_unlisted, terms) VALUES
    ('rep.mailspike.net', 'client', true, '127.0.0.1 127.255.255.*', '', '1.0.0.127', 'free for less than 100,000 questions a day'),
    ('bl.spamcop.net', 'client', true, '127.0.0.1 127.255.255.*', '2.0.0.127', '1.0.0.127', 'free'),
    ('psbl.surriel.com', 'client', true, '127.0.0.1 127.255.255.*', '2.0.0.127', '1.0.0.127', 'free'),
    ('bl.blocklist.de', 'client', true, '127.0.0.1 127.255.255.*', '2.0.0.127', '1.0.0.127', 'free'),
    ('list.dnswl.org', 'client', true, '127.0.0.255 127.255.255.*', '', '', 'free for less than 100,000 questions a day'),
    ('dwl.dnswl.org', 'dkim', true, '127.0.0.255 127.255.255.*', '', '', 'free for less than 100,000 questions a day'),
    ('multi.uribl.com', 'url', true, '127.0.0.1 127.255.255.*', 'test.uribl.com', '', 'free for little mail, from no public resolver'),
    ('multi.surbl.org', 'url', false, '127.0.0.1 127.255.255.*', '', '', 'free for less than 1,000 users and no profit; others by contract'),
    ('zen.spamhaus.org', 'client', false, '127.0.0.1 127.255.255.*', '2.0.0.127', '1.0.0.127',
     'free for less than 300,000 questions a day and no profit, from no public resolver; others by contract'),
    ('dbl.spamhaus.org', 'url', false, '127.0.1.255 127.255.255.*', 'dbltest.com', '', 'as zen.spamhaus.org'),
    ('fresh.fmb.la', 'url', false, '127.0.0.1 127.255.255.*', '', '', 'ask its operators');
INSERT INTO mail.dns_list_answers (name, zone, about, codes, weight, description) VALUES
    ('MAILSPIKE_WORST', 'rep.mailspike.net', 'client', '127.0.0.10', 2, 'the client has the worst reputation at Mailspike'),
    ('MAILSPIKE_BAD', 'rep.mailspike.net', 'client', '127.0.0.11-12', 1, 'the client has a bad reputation at Mailspike'),
    ('MAILSPIKE_GOOD', 'rep.mailspike.net', 'client', '127.0.0.18-19', -0.1, 'the client has a good reputation at Mailspike'),
    ('MAILSPIKE_EXCELLENT', 'rep.mailspike.net', 'client', '127.0.0.20', -0.4, 'the client has an excellent reputation at Mailspike'),
    ('SPAMCOP', 'bl.spamcop.net', 'client', '127.0.0.2', 1.3, 'people reported spam of the client to SpamCop'),
    ('PSBL', 'psbl.surriel.com', 'client', '127.0.0.2', 2, 'the client wrote to a spam trap of PSBL'),
    ('BLOCKLIST_DE', 'bl.blocklist.de', 'client', '127.0.0.2-255', 2, 'the client attacked hosts that tell blocklist.de'),
    ('DNSWL_LOW', 'list.dnswl.org', 'client', '127.0.*.1', -0.1, 'the client is known to DNSWL, trust low'),
    ('DNSWL_MED', 'list.dnswl.org', 'client', '127.0.*.2', -0.2, 'the client is known to DNSWL, trust medium'),
    ('DNSWL_HI', 'list.dnswl.org', 'client', '127.0.*.3', -0.5, 'the client is known to DNSWL, trust high'),
    ('DNSWL_DKIM_MED', 'dwl.dnswl.org', 'dkim', '127.0.*.2', -2, 'a signer is known to DNSWL, trust medium'),
    ('DNSWL_DKIM_HI', 'dwl.dnswl.org', 'dkim', '127.0.*.3', -3.5, 'a signer is known to DNSWL, trust high'),
    ('URIBL_BLACK', 'multi.uribl.com', 'url', '127.0.0.&2', 7.5, 'a link goes to a domain that URIBL knows from spam'),
    ('URIBL_GREY', 'multi.uribl.com', 'url', '127.0.0.&4', 1.5, 'a link goes to a domain that URIBL knows from unwanted mail'),
    ('URIBL_RED', 'multi.uribl.com', 'url', '127.0.0.&8', 3.5, 'a link goes to a domain that URIBL has reason to doubt'),
    ('SURBL_PH', 'multi.surbl.org', 'url', '127.0.0.&8', 5.5, 'a link goes to a domain that SURBL knows from phishing'),
    ('SURBL_MW', 'multi.surbl.org', 'url', '127.0.0.&16', 5.5, 'a link goes to a domain that SURBL knows from malware'),
    ('SURBL_ABUSE', 'multi.surbl.org', 'url', '127.0.0.&64', 5.5, 'a link goes to a domain that SURBL knows from spam'),
    ('SURBL_CR', 'multi.surbl.org', 'url', '127.0.0.&128', 4, 'a link goes to a domain that SURBL knows as cracked'),
    ('ZEN_SBL', 'zen.spamhaus.org', 'client', '127.0.0.2', 4, 'the client is on Spamhaus SBL'),
    ('ZEN_CSS', 'zen.spamhaus.org', 'client', '127.0.0.3', 2, 'the client is on Spamhaus CSS'),
    ('ZEN_XBL', 'zen.spamhaus.org', 'client', '127.0.0.4-7', 4, 'the client is on Spamhaus XBL: taken over'),
    ('ZEN_DROP', 'zen.spamhaus.org', 'client', '127.0.0.9', 7, 'the client is in a network on Spamhaus DROP'),
    ('ZEN_PBL', 'zen.spamhaus.org', 'client', '127.0.0.10-11', 2, 'the client is on Spamhaus PBL: no mail host'),
    ('DBL_SPAM', 'dbl.spamhaus.org', 'url', '127.0.1.2', 6.5, 'a link goes to a domain on Spamhaus DBL: spam'),
    ('DBL_PHISH', 'dbl.spamhaus.org', 'url', '127.0.1.4', 6.5, 'a link goes to a domain on Spamhaus DBL: phishing'),
    ('DBL_MALWARE', 'dbl.spamhaus.org', 'url', '127.0.1.5', 6.5, 'a link goes to a domain on Spamhaus DBL: malware'),
    ('DBL_BOTNET', 'dbl.spamhaus.org', 'url', '127.0.1.6', 5.5, 'a link goes to a domain on Spamhaus DBL: botnet'),
    ('DBL_ABUSED', 'dbl.spamhaus.org', 'url', '127.0.1.102-106', 5, 'a link goes to a domain on Spamhaus DBL: abused'),
    ('FRESH_DOMAIN', 'fresh.fmb.la', 'url', '127.2.0.2 127.2.0.14', 2, 'a link goes to a domain registered days ago');
