-- ARC (RFC 8617): whose seals are believed when DMARC fails here, and which addresses of ours lead
-- outside, so that what goes there is sealed.

SET LOCAL ROLE postward_owner;

CREATE TABLE mail.arc_trusted_sealers (
    domain      text PRIMARY KEY CHECK (domain IS NOT DISTINCT FROM mail.normal_domain(domain)),
    enabled     boolean NOT NULL DEFAULT true,
    note        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail.arc_trusted_sealers IS
    'Forwarders and lists that are believed: where DMARC fails here, the ARC chain is valid, and one of them '
    'saw DMARC pass, with none but them since, the message is taken as if it passed. No row: nobody is.';
COMMENT ON COLUMN mail.arc_trusted_sealers.domain IS 'd= of its seals, exactly; not the domains below it.';
COMMENT ON COLUMN mail.arc_trusted_sealers.enabled IS 'false: as if the row were not there.';
COMMENT ON COLUMN mail.arc_trusted_sealers.note IS 'For people.';
COMMENT ON COLUMN mail.arc_trusted_sealers.created_at IS 'When the row was added.';

CREATE FUNCTION mail.tidy_arc_sealer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
BEGIN
    IF mail.normal_domain(NEW.domain) IS NULL THEN
        RAISE EXCEPTION '"%" is no domain', left(NEW.domain, 300)
            USING ERRCODE = 'check_violation', HINT = 'Write the d= of the ARC-Seal: example.org.';
    END IF;
    NEW.domain := mail.normal_domain(NEW.domain);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION mail.tidy_arc_sealer() IS 'Trigger: normal form of the domain.';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON mail.arc_trusted_sealers
    FOR EACH ROW EXECUTE FUNCTION mail.tidy_arc_sealer();
SELECT mail.watch('mail.arc_trusted_sealers', 'domain');
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.arc_trusted_sealers TO postward_admin;

CREATE VIEW mail.snapshot_arc_sealers AS
    SELECT s.domain FROM mail.arc_trusted_sealers AS s WHERE s.enabled;
COMMENT ON VIEW mail.snapshot_arc_sealers IS 'For postward-score: whose seals are believed.';
COMMENT ON COLUMN mail.snapshot_arc_sealers.domain IS 'd= of a seal.';
GRANT SELECT ON mail.snapshot_arc_sealers TO postward_score;

-- What leads outside, without walking from every address on its own: an alias does that names a
-- foreign address, or that goes on with an alias that does (steps as in resolve_step).
CREATE FUNCTION mail.forwards(OUT address text, OUT is_outside boolean) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp AS $$
    WITH RECURSIVE ways AS (
        SELECT a.source, a.destination, domain_of(a.destination) AS domain,
               coalesce(d.target, d.name) AS home
        FROM snapshot_aliases AS a LEFT JOIN snapshot_domains AS d ON d.name = domain_of(a.destination)
    ), inside AS (
        SELECT w.source, w.home, left(w.destination, -length(w.domain)) || w.home AS at
        FROM ways AS w WHERE w.home IS NOT NULL
    ), hops AS MATERIALIZED (
        SELECT i.source, CASE
            WHEN EXISTS (SELECT FROM virtual_aliases AS a WHERE a.source = i.at AND a.enabled) THEN i.at
            WHEN EXISTS (SELECT FROM virtual_users AS u WHERE u.email = i.at) THEN NULL
            WHEN EXISTS (SELECT FROM virtual_aliases AS a
                         WHERE a.source = base_address(i.at) AND a.enabled) THEN base_address(i.at)
            WHEN EXISTS (SELECT FROM virtual_users AS u WHERE u.email = base_address(i.at)) THEN NULL
            ELSE '@' || i.home END AS next
        FROM inside AS i
    ), outside AS (
        SELECT w.source FROM ways AS w WHERE w.home IS NULL
        UNION
        SELECT h.source FROM hops AS h JOIN outside AS o ON o.source = h.next
    ), starts AS MATERIALIZED (
        SELECT o.source FROM outside AS o
    )
    SELECT l.source, true FROM starts AS l
    UNION ALL
    SELECT DISTINCT k.address, false FROM snapshot_addresses AS k
    WHERE k.kind <> 'catchall' AND k.address NOT IN (SELECT source FROM starts)
      AND ('@' || domain_of(k.address) IN (SELECT source FROM starts)
           OR base_address(k.address) IN (SELECT source FROM starts));
$$;
COMMENT ON FUNCTION mail.forwards() IS
    'Addresses and catch-alls of ours from which mail goes to foreign addresses, and those that stand in the '
    'way of them.';
GRANT EXECUTE ON FUNCTION mail.forwards() TO postward_dkim;

CREATE VIEW mail.snapshot_forwards AS
    SELECT f.address, f.is_outside FROM mail.forwards() AS f;
COMMENT ON VIEW mail.snapshot_forwards IS 'For postward-dkim: mail for which addresses is sealed.';
COMMENT ON COLUMN mail.snapshot_forwards.address IS 'Address, or @domain for a catch-all.';
COMMENT ON COLUMN mail.snapshot_forwards.is_outside IS
    'true: some of its mail goes to a foreign address; false: none does, though a catch-all or the base of a '
    'subaddress would.';
GRANT SELECT ON mail.snapshot_forwards TO postward_dkim;
