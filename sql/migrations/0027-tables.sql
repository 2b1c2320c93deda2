-- Postfix's tables from postward-policyd's snapshot give what mail.postfix_* give: of several
-- destinations the one that was made first is followed first, and what is a domain of ours is
-- said in one place.

SET LOCAL ROLE postward_owner;

CREATE OR REPLACE VIEW mail.snapshot_aliases AS
    SELECT a.source::text AS source, a.destination::text AS destination, a.id
    FROM mail.virtual_aliases AS a JOIN mail.virtual_domains AS d ON d.id = a.domain_id
    WHERE a.enabled AND d.enabled;
COMMENT ON COLUMN mail.snapshot_aliases.id IS 'They are followed in this order.';

-- An alias domain whose target is switched off is none of ours, as the target itself.
CREATE OR REPLACE FUNCTION mail.resolve(start text, OUT depth int, OUT address text, OUT step text,
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
            kind := CASE WHEN domain_of(top) IN (SELECT name FROM snapshot_domains)
                         THEN 'unknown' ELSE 'remote' END;
            destination := top;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
