-- Passwords: {SCHEME}hash, nothing else. SHA512-CRYPT is made here from core's sha512(),
-- because pgcrypto before PostgreSQL 18 has none: crypt('secret', '$6$salt') quietly
-- returns a DES hash of the first eight letters. The CHECK refuses those.

SET LOCAL ROLE postward_owner;

-- The alphabet of crypt(3) is not base64: six bits at a time, lowest first.
CREATE FUNCTION mail.crypt64(b1 int, b2 int, b3 int, letters int) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg(substr('./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
                             (((b1 << 16) + (b2 << 8) + b3) >> (6 * i) & 63) + 1, 1), '' ORDER BY i)
    FROM generate_series(0, letters - 1) AS i
$$;
COMMENT ON FUNCTION mail.crypt64(int, int, int, int) IS
    'Part of sha512_crypt: three bytes as letters of crypt(3).';

-- Bytes of text repeated to a length.
CREATE FUNCTION mail.repeat_bytes(bytes bytea, len int) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN len = 0 THEN ''::bytea
                ELSE substr(decode(repeat(encode(bytes, 'hex'), len / length(bytes) + 1), 'hex'),
                            1, len) END
$$;
COMMENT ON FUNCTION mail.repeat_bytes(bytea, int) IS
    'Part of sha512_crypt: bytes repeated to a length.';

-- Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512"; the step numbers are his.
CREATE FUNCTION mail.sha512_crypt(password text, salt text, rounds int DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    key constant bytea := convert_to(password, 'UTF8');
    s constant bytea := convert_to(left(salt, 16), 'UTF8');
    n constant int := least(greatest(coalesce(rounds, 5000), 1000), 999999999);
    a bytea;
    p bytea;
    q bytea;
    bits int := length(key);
    text_out text := '';
BEGIN
    IF password IS NULL OR salt IS NULL OR left(salt, 16) !~ '^[./0-9A-Za-z]+$' THEN
        RAISE EXCEPTION 'sha512_crypt needs a password and a salt of letters, digits, "." and "/"'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF length(key) > 256 THEN -- work grows with the square of the length
        RAISE EXCEPTION 'the password is longer than 256 bytes'
            USING ERRCODE = 'string_data_right_truncation';
    END IF;
    q := sha512(key || s || key); -- 4 to 8
    a := key || s || mail.repeat_bytes(q, length(key)); -- 1 to 3, 9, 10
    WHILE bits > 0 LOOP -- 11
        a := a || CASE WHEN bits & 1 = 1 THEN q ELSE key END;
        bits := bits >> 1;
    END LOOP;
    a := sha512(a); -- 12
    p := mail.repeat_bytes( -- 13 to 16
        sha512(decode(repeat(encode(key, 'hex'), length(key)), 'hex')), length(key));
    q := substr(sha512(decode(repeat(encode(s, 'hex'), 16 + get_byte(a, 0)), 'hex')), -- 17 to 20
                1, length(s));
    FOR i IN 0 .. n - 1 LOOP -- 21
        a := sha512(CASE WHEN i & 1 = 1 THEN p ELSE a END
                    || CASE WHEN i % 3 <> 0 THEN q ELSE ''::bytea END
                    || CASE WHEN i % 7 <> 0 THEN p ELSE ''::bytea END
                    || CASE WHEN i & 1 = 1 THEN a ELSE p END);
    END LOOP;
    FOR i IN 0 .. 20 LOOP -- 22: triples 0 21 42, 22 43 1, 44 2 23, ...
        text_out := text_out || mail.crypt64(get_byte(a, i * 22 % 63),
                                             get_byte(a, (i * 22 + 21) % 63),
                                             get_byte(a, (i * 22 + 42) % 63), 4);
    END LOOP;
    RETURN '$6$' || CASE WHEN rounds IS NULL THEN '' ELSE 'rounds=' || n || '$' END
           || left(salt, 16) || '$' || text_out || mail.crypt64(0, 0, get_byte(a, 63), 2);
END $$;
COMMENT ON FUNCTION mail.sha512_crypt(text, text, int) IS
    'SHA512-CRYPT ($6$...) as crypt(3) and openssl passwd -6 make it; rounds NULL = 5000 unwritten.';

CREATE FUNCTION mail.is_password_hash(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT EXISTS (SELECT FROM (VALUES
        -- scheme of Dovecot  what follows it
        ('SHA512-CRYPT',  '\$6\$(rounds=[1-9][0-9]{3,8}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}'),
        ('SHA256-CRYPT',  '\$5\$(rounds=[1-9][0-9]{3,8}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43}'),
        ('BLF-CRYPT',     '\$2[abxy]\$[0-3][0-9]\$[./0-9A-Za-z]{53}'),
        ('ARGON2ID',      '\$argon2id\$v=[0-9]+\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}'),
        ('ARGON2I',       '\$argon2i\$v=[0-9]+\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}'),
        ('CRYPT',         '\$6\$(rounds=[1-9][0-9]{3,8}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}'),
        ('CRYPT',         '\$2[abxy]\$[0-3][0-9]\$[./0-9A-Za-z]{53}'),
        ('CRYPT',         '\$(y|gy|7)\$[./0-9A-Za-z$]{40,200}'),
        ('SCRAM-SHA-256', '[0-9]{4,7},[A-Za-z0-9+/]+=*,[A-Za-z0-9+/]{43}=,[A-Za-z0-9+/]{43}='),
        ('SSHA512',       '[A-Za-z0-9+/]{91,}={0,2}'),
        ('SSHA256',       '[A-Za-z0-9+/]{48,}={0,2}'),
        ('PBKDF2',        '\$1\$[./0-9A-Za-z]+\$[0-9]{3,7}\$[0-9a-f]{40}')
    ) AS known (scheme, pattern)
    WHERE value ~ ('^\{' || scheme || '\}' || pattern || '$'))
$$;
COMMENT ON FUNCTION mail.is_password_hash(text) IS
    'Is this a well-formed {SCHEME}hash of a scheme that is safe to keep?';

-- Its message never shows the value: it may be a password in clear text.
CREATE FUNCTION mail.must_be_password_hash(value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF value IS NOT NULL AND NOT mail.is_password_hash(value) THEN
        RAISE EXCEPTION 'a password is kept as {SCHEME}hash only, this is none'
            USING ERRCODE = 'check_violation',
                  HINT = 'SELECT mail.set_password(''ann@example.org'', ''...''), or insert '
                         'mail.hash_password(''...''), or run postwardctl passwd. Do not use '
                         'pgcrypto''s crypt(): before PostgreSQL 18 it answers $6$ with DES.';
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION mail.must_be_password_hash(text) IS 'True, or a readable error.';

CREATE DOMAIN mail.password_hash AS text
    CONSTRAINT password_hash CHECK (mail.must_be_password_hash(VALUE));
COMMENT ON DOMAIN mail.password_hash IS '{SCHEME}hash as Dovecot reads it.';

GRANT EXECUTE ON FUNCTION mail.sha512_crypt(text, text, int), mail.crypt64(int, int, int, int),
    mail.repeat_bytes(bytea, int), mail.is_password_hash(text), mail.must_be_password_hash(text)
TO postward_admin;
