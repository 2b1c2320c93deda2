-- What DNS should say, and what it was seen to say.
BEGIN;
SELECT plan(30);

INSERT INTO mail.virtual_domains (name) VALUES ('d.test'), ('off.test');
INSERT INTO mail.alias_domains (name, target) VALUES ('also.test', 'd.test'), ('gone.test', 'd.test'), ('alone.test', 'off.test');
UPDATE mail.virtual_domains SET enabled = false WHERE name = 'off.test';
UPDATE mail.alias_domains SET enabled = false WHERE name = 'gone.test';
INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record, state)
SELECT d, s, 'rsa-sha256', '-----BEGIN PRIVATE KEY-----x', 'v=DKIM1; p=' || s, t
FROM (VALUES ('d.test', 'a', 'active'), ('d.test', 'w', 'waiting'), ('d.test', 'r', 'retired'),
             ('also.test', 'a', 'active'), ('off.test', 'a', 'active')) AS v (d, s, t);

SELECT is_empty($$SELECT * FROM mail.dns_records WHERE type IN ('MX', 'A', 'AAAA', 'PTR')$$, 'no hosts, no records of hosts');
SELECT isnt_empty($$SELECT FROM mail.check() WHERE what LIKE 'nobody said which hosts%'$$, 'check() asks for them');
UPDATE mail.settings SET value = '  MX.d.test   mx2.d.test ' WHERE name = 'mx_hosts';
UPDATE mail.settings SET value = '192.0.2.7 mx2.d.test=192.0.2.8 2001:DB8::7' WHERE name = 'mx_addresses';
SELECT is((SELECT value FROM mail.settings WHERE name = 'mx_hosts'), 'mx.d.test mx2.d.test', 'hosts in normal form');
SELECT is_empty($$SELECT FROM mail.check() WHERE what LIKE 'nobody said which hosts%'$$, 'and is content');
SELECT set_eq($$SELECT domain || ' ' || value FROM mail.dns_records WHERE kind = 'mx'$$,
              $$VALUES ('d.test 10 mx.d.test.'), ('d.test 10 mx2.d.test.'), ('also.test 10 mx.d.test.'),
                       ('also.test 10 mx2.d.test.')$$, 'MX: alias domains too, nothing that is disabled');
SELECT set_eq($$SELECT domain || ' ' || name || ' ' || type || ' ' || value FROM mail.dns_records WHERE kind IN ('address', 'ptr')$$,
$$VALUES ('mx.d.test mx.d.test A 192.0.2.7'), ('mx.d.test mx.d.test AAAA 2001:db8::7'), ('mx2.d.test mx2.d.test A 192.0.2.8'),
         ('mx.d.test 7.2.0.192.in-addr.arpa PTR mx.d.test.'), ('mx2.d.test 8.2.0.192.in-addr.arpa PTR mx2.d.test.'),
         ('mx.d.test 7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.d.test.')$$,
'addresses and their names');
SELECT set_eq($$SELECT name || ' ' || needed || ' ' || note FROM mail.dns_records WHERE kind = 'dkim'$$,
$$VALUES ('a._domainkey.d.test true DKIM key, rsa-sha256'), ('w._domainkey.d.test false DKIM key, rsa-sha256, not used yet'),
         ('r._domainkey.d.test false DKIM key, rsa-sha256, used no more: leave it for mail on its way'), ('a._domainkey.also.test true DKIM key, rsa-sha256')$$,
'keys: those in use are needed');
SELECT set_eq($$SELECT name || ' ' || value FROM mail.dns_records WHERE kind IN ('spf', 'dmarc')$$,
$$VALUES ('d.test v=spf1 mx -all'), ('also.test v=spf1 mx -all'), ('_dmarc.d.test v=DMARC1; p=quarantine'),
         ('_dmarc.also.test v=DMARC1; p=quarantine')$$, 'policies');

SELECT throws_ok($$UPDATE mail.settings SET value = $$ || quote_literal(v) || $$ WHERE name = $$ || quote_literal(n), code, NULL, 'refused: ' || v)
FROM (VALUES ('mx_hosts', 'mx', '23514'), ('mx_hosts', 'mx.d.test.', '23514'), ('mx_hosts', 'mx.d.test, mx2.d.test', '23514'),
             ('mx_addresses', 'mx.d.test', '23514'), ('mx_addresses', '300.1.2.3', '22P02'), ('mx_addresses', 'mx=192.0.2.7', '23514')) AS t (n, v, code);

SELECT is(mail.record_dns('[{"name": "d.test", "type": "TXT", "value": "v=spf1 mx -all", "state": "missing", "problem": "there is no such record"},
                            {"name": "_dmarc.d.test", "type": "TXT", "value": "v=DMARC1; p=quarantine", "state": "ok", "seen": "v=DMARC1; p=none"},
                            {"name": "mx.d.test", "type": "A", "value": "192.0.2.7", "state": "unknown", "problem": "SERVFAIL"},
                            {"name": "foreign.test", "type": "A", "value": "192.0.2.7", "state": "ok"}]'), 3::bigint,
          'recorded, but for what is no record of ours');
SELECT results_eq($$SELECT severity, what, hint FROM mail.check() WHERE what LIKE 'DNS%'$$,
                  $$VALUES ('error', 'DNS, d.test TXT: there is no such record', 'postwardctl dns check d.test --record')$$, 'check() tells');
SELECT is(mail.record_dns('[{"name": "_dmarc.d.test", "type": "TXT", "value": "v=DMARC1; p=quarantine", "state": "unknown", "problem": "TIMEOUT"}]'),
          1::bigint, 'once more, without an answer');
SELECT results_eq($$SELECT state, seen, problem, checked_at IS NOT NULL, failed_at IS NOT NULL FROM mail.dns_seen WHERE name = '_dmarc.d.test'$$,
                  $$VALUES ('ok', 'v=DMARC1; p=none', '', true, true)$$, 'what was seen before stays');
SELECT results_eq($$SELECT state, checked_at IS NULL FROM mail.dns_seen WHERE name = 'mx.d.test'$$, $$VALUES ('unknown', true)$$, 'never answered');
UPDATE mail.settings SET value = '' WHERE name = 'mx_addresses';
SELECT is(mail.record_dns('[]'), 0::bigint, 'nothing new');
SELECT is_empty($$SELECT FROM mail.dns_seen WHERE name = 'mx.d.test'$$, 'what is no record any more is forgotten');
SELECT is_empty($$SELECT FROM mail.check() WHERE what LIKE 'DNS, mx.d.test%'$$, 'and no problem');

SELECT set_eq($$SELECT name || ' ' || value || ' ' || needed FROM mail.dns_records WHERE kind = 'srv' AND domain = 'd.test'$$,
$$VALUES ('_imaps._tcp.d.test 0 1 993 mx.d.test. false'), ('_submissions._tcp.d.test 0 1 465 mx.d.test. false')$$, 'where mail programs go');
SELECT is_empty($$SELECT FROM mail.dns_records WHERE kind IN ('text', 'tlsrpt')$$, 'no MTA-STS by itself');
UPDATE mail.settings SET value = 'testing' WHERE name = 'mta_sts';
SELECT is(mail.mta_sts_policy('D.test'), E'version: STSv1\r\nmode: testing\r\nmx: mx.d.test\r\nmx: mx2.d.test\r\nmax_age: 604800\r\n', 'its policy');
SELECT set_eq($$SELECT name || ' ' || regexp_replace(value, '[0-9a-f]{16}', 'N') FROM mail.dns_records('d.test') WHERE kind IN ('text', 'tlsrpt')$$,
$$VALUES ('_mta-sts.d.test v=STSv1; id=N;'), ('_smtp._tls.d.test v=TLSRPTv1; rua=mailto:postmaster@d.test')$$, 'MTA-STS and TLS-RPT');
SELECT is(mail.txt_strings('a"b\c'), '"a\"b\\c"', 'a text is quoted');
SELECT is(mail.txt_strings(repeat('x', 600)), format('"%s" "%s" "%s"', repeat('x', 255), repeat('x', 255), repeat('x', 90)),
          'and cut at 255');
SELECT is((SELECT zone_line FROM mail.dns_records('d.test') WHERE kind = 'spf'), 'd.test. IN TXT "v=spf1 mx -all"', 'as a zone file has it');
SELECT is((SELECT zone_line FROM mail.dns_records('d.test') WHERE kind = 'mx' LIMIT 1), 'd.test. IN MX 10 mx.d.test.', 'of any type');
SELECT * FROM finish();
ROLLBACK;
