"""Mail about a limit that was reached: policyd, PostgreSQL, and Dovecot that delivers it."""
import pytest

from test_quota_sql import QuotaBed


@pytest.fixture(scope="module")
def bed():
    with QuotaBed() as running:
        yield running


def subjects(bed, user):
    with bed.login(user) as c:
        c.select("INBOX", readonly=True)
        found = c.search(None, "ALL")[1][0].split()
        return [c.fetch(n, "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1] for n in found]


def text_of_last(bed, user):
    import email  # pylint: disable=import-outside-toplevel
    with bed.login(user) as c:
        c.select("INBOX", readonly=True)
        last = c.search(None, "ALL")[1][0].split()[-1]
        message = email.message_from_bytes(c.fetch(last, "(RFC822)")[1][0][1])
    return message.get_payload(decode=True).decode().replace("\r\n", "\n")


def test_the_user_and_the_admin_are_told_once_a_period(bed):
    user, admin = bed.new_user(), bed.new_user()
    bed.pg.sql("SELECT mail.add_alias('limits@example.test', %s)", admin)
    bed.pg.sql("UPDATE mail.settings SET value = 'limits@example.test' WHERE name = 'rate_admin'")
    bed.pg.sql("UPDATE mail.rate_notices SET text = 'Stop, $login: $limit $unit in a $period. 100 %, $client'"
               " WHERE whom = 'user'")
    bed.limit(user, 1, tell="both")
    with bed.client() as client:
        answers = [client.message(f"n{n}", sasl_username=user, sender=user) for n in range(4)]
    assert [a[:3] for a in answers] == ["DUN", "450", "450", "450"]
    bed.wait(lambda: len(subjects(bed, user)) == 1, what="the user's mail")
    bed.wait(lambda: len(subjects(bed, admin)) == 1, what="the admin's mail")
    assert text_of_last(bed, user) == f"Stop, {user}: 1 message in a hour. 100 %, 192.0.2.7\n"
    text = text_of_last(bed, admin)
    assert f"{user} has reached a limit: 1 message per hour." in text
    assert f"SELECT mail.why_limited('{user}');" in text and "Client: 192.0.2.7" in text
    bed.wait(lambda: sorted(bed.pg.sql("SELECT who FROM mail.events WHERE kind = 'rate_notice'")) ==
             sorted([(user,), (admin,)]), what="events")
    with bed.client() as client:
        assert client.message("n5", sasl_username=user, sender=user)[:3] == "450"
    assert bed.program.lines("action=warn", "cause=rate", user)
    assert len(subjects(bed, user)) == len(subjects(bed, admin)) == 1


def test_a_trial_tells_the_admin_alone_and_nobody_where_the_row_says_so(bed):
    user, admin = bed.new_user(), bed.new_user()
    bed.pg.sql("UPDATE mail.settings SET value = %s WHERE name = 'rate_admin'", admin)
    bed.limit(user, 1, tell="both", dry_run=True)
    with bed.client() as client:
        assert [client.message(f"t{n}", sasl_username=user, sender=user) for n in range(3)] == ["DUNNO"] * 3
    bed.wait(lambda: len(subjects(bed, admin)) == 1, what="the admin's mail")
    bed.limit(user, 1)
    with bed.client() as client:
        assert client.message("u0", sasl_username=user, sender=user) == "DUNNO"
        assert client.message("u1", sasl_username=user, sender=user)[:3] == "450"
    bed.wait(lambda: bed.pg.value("SELECT count(*) FROM mail.events WHERE kind = 'rate' AND who = %s", user) == 2,
             what="events")
    assert subjects(bed, user) == [] and len(subjects(bed, admin)) == 1
