-- SHA512-CRYPT against crypt_vectors (made by openssl passwd -6), and what is refused.
BEGIN;
SELECT plan(38);
SELECT cmp_ok((SELECT count(*) FROM crypt_vectors), '>', 8::bigint, 'openssl made the vectors');
SELECT is_empty($$SELECT password, salt, rounds FROM crypt_vectors
                  WHERE mail.sha512_crypt(password, salt, rounds) IS DISTINCT FROM hash$$,
                'equal to openssl passwd -6');
SELECT is(mail.sha512_crypt('Hello world!', 'saltstringsaltstring', 10000),
          '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
          'a vector of the specification');
SELECT throws_ok($$SELECT mail.sha512_crypt('x', 'a$b')$$, '22023', NULL, 'a salt of other letters');
SELECT throws_ok($$SELECT mail.sha512_crypt(repeat('x', 257), 'salt')$$, '22001', NULL, 'over 256 bytes');

INSERT INTO mail.virtual_domains (name) VALUES ('d.test');
CREATE FUNCTION pg_temp.put(hash text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO mail.virtual_users (email, password) VALUES ('t@d.test', hash);
    DELETE FROM mail.virtual_users WHERE email = 't@d.test' $$;
SELECT throws_ok(format('SELECT pg_temp.put(%L)', h), '23514',
                 'a password is kept as {SCHEME}hash only, this is none', 'refused: ' || h)
FROM (VALUES ('a password in clear text'), ('{PLAIN}secret of some length'), ('$6$WXuMaSVnzYM'),
             ('{SHA512-CRYPT}$6WXuMaSVnzYM'), ('{CRYPT}$6WXuMaSVnzYM'), ('{CRYPT}abJnggxhB/yWI'),
             ('{SHA512-CRYPT}'), ('')) AS v (h);
SELECT lives_ok(format('SELECT pg_temp.put(%L)', h), 'taken: ' || left(h, 20))
FROM (VALUES ('{SHA512-CRYPT}' || mail.sha512_crypt('x', 'salt')),
             ('{BLF-CRYPT}$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe'),
             ('{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$RdescudvJCsgt3ub+b+dWRWJTmaaJObG')) AS v (h);

-- bad input 40: before PostgreSQL 18 pgcrypto makes a DES hash of eight letters out of $6$
CREATE EXTENSION IF NOT EXISTS pgcrypto;
SELECT throws_ok(format('SELECT pg_temp.put(%L)', scheme || crypt('correct horse', '$6$saltsalt')), '23514', NULL,
                 'bad input 40: DES of pgcrypto as ' || scheme)
FROM unnest('{"{SHA512-CRYPT}","{CRYPT}","{DES-CRYPT}",""}'::text[]) AS scheme
WHERE length(crypt('correct horse', '$6$saltsalt')) = 13 OR scheme IN ('{DES-CRYPT}', '');
SELECT throws_ok($$SELECT mail.set_password_hash('t@d.test', '{CRYPT}$6WXuMaSVnzYM')$$, '23514', NULL, 'bad input 40: by set_password_hash');
SELECT throws_ok($$INSERT INTO mail.master_users VALUES ('m@d.test', '{CRYPT}$6WXuMaSVnzYM', '*')$$, '23514', NULL, 'bad input 40: of a master user');

-- bad input 39, of what SQL keeps: unknown schemes, work for hours, a megabyte
SELECT throws_ok(format('SELECT pg_temp.put(%L)', h), '23514', 'a password is kept as {SCHEME}hash only, this is none',
                 'bad input 39: ' || left(h, 40))
FROM (VALUES ('{PLAIN}x'), ('{NOSUCH}' || repeat('A', 86)), ('{CLEARTEXT}'), ('{SHA512-CRYPT}$6$rounds=999999999$saltsalt$' || repeat('a', 86)),
             ('{SHA256-CRYPT}$5$rounds=99999999$saltsalt$' || repeat('a', 43)), ('{CRYPT}$6$rounds=999999999$saltsalt$' || repeat('a', 86)),
             ('{BLF-CRYPT}$2y$31$' || repeat('a', 53)), ('{ARGON2ID}$argon2id$v=19$m=99999999,t=3,p=1$' || repeat('a', 22) || '$' || repeat('a', 43)),
             ('{ARGON2I}$argon2i$v=19$m=65536,t=9999,p=1$' || repeat('a', 22) || '$' || repeat('a', 43)),
             ('{SSHA512}' || repeat('A', 1048576)), (E'{SSHA512}' || repeat('A', 95) || E'\n')) AS v (h);

SELECT throws_ok($$SELECT mail.add_user('a@d.test', 'fifteen letters')$$, '23514',
                 'the password is too short, it needs 16 characters', 'add_user wants 16 characters');
SELECT lives_ok($$SELECT mail.add_user('a@d.test', 'sixteen letters.')$$, 'and takes 16');
SELECT throws_ok($$SELECT mail.set_password('a@d.test', 'short')$$, '23514', NULL, 'set_password as well');
SELECT throws_ok($$SELECT mail.set_password('b@d.test', 'sixteen letters.')$$, 'P0002',
                 'there is no mailbox b@d.test', 'of a mailbox that is not there');
SELECT isnt((SELECT mail.hash_password('sixteen letters.')), (SELECT mail.hash_password('sixteen letters.')),
            'each hash has a salt of its own');
SELECT * FROM finish();
ROLLBACK;
