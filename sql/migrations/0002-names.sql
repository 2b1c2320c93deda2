-- Names in normal form, the same as core/address.h makes: ASCII letters in lower case, one
-- trailing dot of the domain dropped, needless quotes dropped, other bytes untouched.
-- Vectors shared with the programs: tests/vectors/addresses.tsv.

SET LOCAL ROLE postward_owner;

CREATE FUNCTION mail.normal_domain(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    d constant text := CASE WHEN name LIKE '_%.' THEN left(name, -1) ELSE name END;
    label text;
BEGIN
    IF octet_length(d) > 255
       OR d !~ '^([A-Za-z0-9_-]|[^\x01-\x7f])+(\.([A-Za-z0-9_-]|[^\x01-\x7f])+)*$' THEN
        RETURN NULL;
    END IF;
    IF octet_length(d) > 63 THEN
        FOREACH label IN ARRAY string_to_array(d, '.') LOOP
            IF octet_length(label) > 63 THEN
                RETURN NULL;
            END IF;
        END LOOP;
    END IF;
    RETURN lower(d COLLATE "C");
END $$;
COMMENT ON FUNCTION mail.normal_domain(text) IS
    'A domain in normal form (lower case, no trailing dot); NULL if it is none.';

CREATE FUNCTION mail.normal_local(local text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    atom constant text := '([A-Za-z0-9!#$%&''*+/=?^_`{|}~-]|[^\x01-\x7f])+';
    dots constant text := '^' || atom || '(\.' || atom || ')*$';
    plain text := local;
BEGIN
    IF left(local, 1) = '"' THEN
        IF local !~ '^"([^"\\]|\\.)*"$' THEN
            RETURN NULL;
        END IF;
        plain := regexp_replace(substr(local, 2, length(local) - 2), '\\(.)', '\1', 'g');
        plain := translate(plain, E'\r\n', '');
    ELSIF local !~ dots THEN
        RETURN NULL;
    END IF;
    IF octet_length(plain) > 64 THEN
        RETURN NULL;
    END IF;
    IF plain !~ dots THEN
        plain := '"' || regexp_replace(plain, '(["\\])', '\\\1', 'g') || '"';
    END IF;
    RETURN lower(plain COLLATE "C");
END $$;
COMMENT ON FUNCTION mail.normal_local(text) IS
    'The part before the @ in normal form; NULL if it is none.';

CREATE FUNCTION mail.normal_address(address text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    rest text := btrim(address, E' \t');
    parts text[];
    domain text;
BEGIN
    IF left(rest, 1) = '<' THEN
        IF rest !~ '^<.*>$' THEN
            RETURN NULL;
        END IF;
        rest := regexp_replace(substr(rest, 2, length(rest) - 2), '^@[^:]*:', '');
    END IF;
    parts := regexp_match(rest, '^((?:[^"@]|"(?:[^"\\]|\\.)*")+)@([^@]+)$');
    IF parts IS NULL THEN
        RETURN NULL;
    END IF;
    domain := coalesce(mail.normal_domain(parts[2]),
                       substring(lower(parts[2] COLLATE "C")
                                 FROM '^(\[[a-z0-9.:-]{1,253}\])\.?$'));
    RETURN mail.normal_local(parts[1]) || '@' || domain;
END $$;
COMMENT ON FUNCTION mail.normal_address(text) IS
    'A mail address in normal form; NULL if it is none. Takes local@domain and <local@domain>.';

CREATE FUNCTION mail.normal_pattern(pattern text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN left(btrim(pattern), 1) = '@'
                THEN '@' || mail.normal_domain(substr(btrim(pattern), 2))
                ELSE mail.normal_address(pattern) END
$$;
COMMENT ON FUNCTION mail.normal_pattern(text) IS
    'An address, or @domain for a whole domain, in normal form; NULL if it is neither.';

-- The domain of an address or pattern in normal form; local parts may hold an @ in quotes.
CREATE FUNCTION mail.domain_of(pattern text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT substring(pattern FROM '@([^@]*)$')
$$;
COMMENT ON FUNCTION mail.domain_of(text) IS
    'What follows the last @ of an address or of @domain.';

CREATE FUNCTION mail.base_address(address text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN address ~ '^"' AND address ~ '^"[^+]+\+' THEN
            mail.normal_address(substring(address FROM '^("[^+]+)\+')
                                || '"@' || mail.domain_of(address))
        WHEN address ~ '^[^"+][^+]*\+.*@' THEN
            substring(address FROM '^([^+]+)\+') || '@' || mail.domain_of(address)
        ELSE address END
$$;
COMMENT ON FUNCTION mail.base_address(text) IS
    'The address without its subaddress: ann+shop@example.org gives ann@example.org.';

-- The CHECKs of the types below raise by themselves: a type's own message names neither the
-- value nor the cure.
CREATE FUNCTION mail.must_be_domain(value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF value IS NOT NULL AND mail.normal_domain(value) IS NULL THEN
        RAISE EXCEPTION '"%" is not a domain name', left(value, 300)
            USING ERRCODE = 'check_violation',
                  HINT = 'Write it like example.org; names with other letters as xn--... labels.';
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION mail.must_be_domain(text) IS 'True, or a readable error.';

CREATE FUNCTION mail.must_be_address(value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF value IS NOT NULL AND mail.normal_address(value) IS NULL THEN
        RAISE EXCEPTION '"%" is not a mail address', left(value, 300)
            USING ERRCODE = 'check_violation',
                  HINT = 'Write it like ann@example.org, one address, no display name.';
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION mail.must_be_address(text) IS 'True, or a readable error.';

CREATE FUNCTION mail.must_be_pattern(value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF value IS NOT NULL AND mail.normal_pattern(value) IS NULL THEN
        RAISE EXCEPTION '"%" is neither a mail address nor @domain', left(value, 300)
            USING ERRCODE = 'check_violation',
                  HINT = 'Write ann@example.org for one address, @example.org for all of a domain.';
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION mail.must_be_pattern(text) IS 'True, or a readable error.';

CREATE DOMAIN mail.domain_name AS text
    CONSTRAINT domain_name CHECK (mail.must_be_domain(VALUE));
CREATE DOMAIN mail.address AS text
    CONSTRAINT address CHECK (mail.must_be_address(VALUE));
CREATE DOMAIN mail.pattern AS text
    CONSTRAINT pattern CHECK (mail.must_be_pattern(VALUE));
COMMENT ON DOMAIN mail.domain_name IS 'A domain name. Tables keep it in normal form.';
COMMENT ON DOMAIN mail.address IS 'A mail address. Tables keep it in normal form.';
COMMENT ON DOMAIN mail.pattern IS
    'A mail address, or @domain for every address of it. Tables keep it in normal form.';

GRANT EXECUTE ON FUNCTION mail.normal_domain(text), mail.normal_local(text),
    mail.normal_address(text), mail.normal_pattern(text), mail.domain_of(text),
    mail.base_address(text), mail.must_be_domain(text), mail.must_be_address(text),
    mail.must_be_pattern(text)
TO postward_admin, postward_policy, postward_dkim, postward_score, postward_dovecot,
    postward_postfix;
