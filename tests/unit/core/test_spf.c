#include "../table.h"

#include <string.h>

#include "core/spf.h"
#include "core/spf_macro.h"
#include "core/spf_record.h"

#define L50 "a123456789.b123456789.c123456789.d123456789.e12345678."
#define X10 "x-x-x-x-x-"
#define NIBBLES "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"

/* clang-format off */
/* Everything the rows below ask. Absent names are NXDOMAIN. */
static const struct {
	const char *name;
	enum pw_dns_type type;
	const char *value; /* !SERVFAIL, !TIMEOUT or !EMPTY stand for such an answer */
} zone[] = {
	/* RFC 7208 appendix A */
	{ "example.com",        PW_DNS_A,   "192.0.2.10" },
	{ "example.com",        PW_DNS_A,   "192.0.2.11" },
	{ "example.com",        PW_DNS_MX,  "mail-a.example.com" },
	{ "example.com",        PW_DNS_MX,  "mail-b.example.com" },
	{ "amy.example.com",    PW_DNS_A,   "192.0.2.65" },
	{ "bob.example.com",    PW_DNS_A,   "192.0.2.66" },
	{ "mail-a.example.com", PW_DNS_A,   "192.0.2.129" },
	{ "mail-b.example.com", PW_DNS_A,   "192.0.2.130" },
	{ "example.org",        PW_DNS_MX,  "mail-c.example.org" },
	{ "mail-c.example.org", PW_DNS_A,   "192.0.2.140" },
	{ "10.2.0.192.in-addr.arpa",  PW_DNS_PTR, "example.com" },
	{ "11.2.0.192.in-addr.arpa",  PW_DNS_PTR, "example.com" },
	{ "65.2.0.192.in-addr.arpa",  PW_DNS_PTR, "amy.example.com" },
	{ "66.2.0.192.in-addr.arpa",  PW_DNS_PTR, "bob.example.com" },
	{ "129.2.0.192.in-addr.arpa", PW_DNS_PTR, "mail-a.example.com" },
	{ "130.2.0.192.in-addr.arpa", PW_DNS_PTR, "mail-b.example.com" },
	{ "140.2.0.192.in-addr.arpa", PW_DNS_PTR, "mail-c.example.org" },
	{ "10.0.0.10.in-addr.arpa",   PW_DNS_PTR, "example.com" },
	{ "mary.mobile-users._spf.example.com", PW_DNS_A, "127.0.0.2" },

	/* processing */
	{ "loop.example",    PW_DNS_TXT, "v=spf1 include:loop.example -all" },
	{ "turn.example",    PW_DNS_TXT, "v=spf1 redirect=turn.example" },
	{ "eleven.example",  PW_DNS_TXT, "v=spf1 a:example.com a:example.com a:example.com a:example.com "
	  "a:example.com a:example.com a:example.com a:example.com a:example.com a:example.com a:example.com +all" },
	{ "ten.example",     PW_DNS_TXT, "v=spf1 a:example.com a:example.com a:example.com a:example.com "
	  "a:example.com a:example.com a:example.com a:example.com a:example.com a:example.com -all" },
	{ "void2.example",   PW_DNS_TXT, "v=spf1 a:no1.example mx:no2.example -all" },
	{ "void3.example",   PW_DNS_TXT, "v=spf1 a:no1.example mx:no2.example exists:no3.example -all" },
	{ "nodata.example",  PW_DNS_A,   "!EMPTY" },
	{ "void3b.example",  PW_DNS_TXT, "v=spf1 a:nodata.example a:nodata.example a:nodata.example -all" },
	{ "two.example",     PW_DNS_TXT, "v=spf1 -all" },
	{ "two.example",     PW_DNS_TXT, "v=spf1 +all" },
	{ "other.example",   PW_DNS_TXT, "v=spf10 -all" },
	{ "other.example",   PW_DNS_TXT, "v=spf1-all" },
	{ "servfail.example", PW_DNS_TXT, "!SERVFAIL" },
	{ "timeout.example", PW_DNS_TXT, "!TIMEOUT" },
	{ "slow.example",    PW_DNS_A,   "!TIMEOUT" },
	{ "slow.example",    PW_DNS_MX,  "!SERVFAIL" },
	{ "slowa.example",   PW_DNS_TXT, "v=spf1 a:slow.example +all" },
	{ "slowmx.example",  PW_DNS_TXT, "v=spf1 mx:slow.example +all" },
	{ "slowex.example",  PW_DNS_TXT, "v=spf1 exists:slow.example +all" },
	{ "slowhost.example", PW_DNS_MX, "slow.example" },
	{ "slowmxa.example", PW_DNS_TXT, "v=spf1 mx:slowhost.example +all" },
	{ "inctemp.example", PW_DNS_TXT, "v=spf1 include:timeout.example +all" },
	{ "incnone.example", PW_DNS_TXT, "v=spf1 include:no1.example +all" },
	{ "incfail.example", PW_DNS_TXT, "v=spf1 include:ten.example ?all" },
	{ "late.example",    PW_DNS_TXT, "v=spf1 +all ip4:192.0.2.300" },
	{ "upper.example",   PW_DNS_TXT, "V=SPF1 IP4:192.0.2.0/24 -ALL" },
	{ "blanks.example",  PW_DNS_TXT, "v=spf1   ip4:192.0.2.7    -all   " },
	{ "nullmx.example",  PW_DNS_MX,  "" },
	{ "usenullmx.example", PW_DNS_TXT, "v=spf1 mx:nullmx.example -all" },
	{ "long.example",    PW_DNS_TXT, "v=spf1 "
	  "ip4:198.51.100.1 ip4:198.51.100.2 ip4:198.51.100.3 ip4:198.51.100.4 ip4:198.51.100.5 ip4:198.51.100.6 "
	  "ip4:198.51.100.11 ip4:198.51.100.12 ip4:198.51.100.13 ip4:198.51.100.14 ip4:198.51.100.15 ip4:198.51.100.16 "
	  "ip4:198.51.100.21 ip4:198.51.100.22 ip4:198.51.100.23 ip4:198.51.100.24 ip4:198.51.100.25 ip4:198.51.100.26 "
	  "ip4:198.51.100.31 ip4:198.51.100.32 ip4:198.51.100.33 ip4:198.51.100.34 ip4:198.51.100.35 ip4:198.51.100.36 "
	  "ip4:192.0.2.7 -all" },
	{ "v6.example",      PW_DNS_TXT, "v=spf1 ip6:2001:db8::/33 ip4:192.0.2.7 -all" },
	{ "all2.example",    PW_DNS_TXT, "v=spf1 ?all -all" },
	{ "redirall.example", PW_DNS_TXT, "v=spf1 redirect=two.example ~all" },
	{ "junk.example",    PW_DNS_TXT, "v=spf1 \xc3\xa9t\xc3\xa9 +all" },
	{ "bigd.example",    PW_DNS_TXT, "v=spf1 exists:%{d2147483648}.big.example -all" },
	{ "bigd.example.big.example", PW_DNS_A, "127.0.0.2" },
	{ "d0.example",      PW_DNS_TXT, "v=spf1 exists:%{d0}.big.example +all" },
	{ "provider.example", PW_DNS_TXT, "v=spf1 exists:%{i}._ip.%{h}._ehlo.%{d}._spf.vali.example ~all" },
	{ "192.0.2.7._ip.mail.provider.example._ehlo.provider.example._spf.vali.example", PW_DNS_A, "127.0.0.2" },
	{ "toolong.example", PW_DNS_TXT, "v=spf1 exists:%{d}." L50 L50 L50 L50 L50 L50 "example -all" },
	{ "e12345678." L50 L50 L50 L50 "example", PW_DNS_A, "192.0.2.1" },
	{ "d123456789.e12345678." L50 L50 L50 L50 "example", PW_DNS_A, "127.0.0.2" },
	{ "7.2.0.192.in-addr.arpa", PW_DNS_PTR, "liar.example.net" },
	{ "7.2.0.192.in-addr.arpa", PW_DNS_PTR, "slow.example" },
	{ "7.2.0.192.in-addr.arpa", PW_DNS_PTR, "host.sub.ptr.example" },
	{ "liar.example.net", PW_DNS_A, "192.0.2.8" },
	{ "host.sub.ptr.example", PW_DNS_A, "192.0.2.7" },
	{ "ptr.example",     PW_DNS_TXT, "v=spf1 ptr -all exp=why.ptr.example" },
	{ "trap.example",    PW_DNS_TXT, "v=spf1 ptr:tr.example -all exp=why.ptr.example" },
	{ "why.ptr.example", PW_DNS_TXT, "%{i} is %{p}, asked by %{r} at %{t} for %{S}%_%%%-" },
	{ "9.2.0.192.in-addr.arpa", PW_DNS_PTR, "!SERVFAIL" },
	{ "wide.example",    PW_DNS_TXT, "v=spf1 -all exp=wide-why.example" },
	{ "wide-why.example", PW_DNS_TXT, "%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}" },
	{ "local.example",   PW_DNS_TXT, "v=spf1 -all exp=local-why.example" },
	{ "local-why.example", PW_DNS_TXT, "<%{l}>" },
	{ "manymx.example",  PW_DNS_TXT, "v=spf1 mx +all" },
	{ "manymx.example",  PW_DNS_MX, "m1.example" }, { "manymx.example", PW_DNS_MX, "m2.example" },
	{ "manymx.example",  PW_DNS_MX, "m3.example" }, { "manymx.example", PW_DNS_MX, "m4.example" },
	{ "manymx.example",  PW_DNS_MX, "m5.example" }, { "manymx.example", PW_DNS_MX, "m6.example" },
	{ "manymx.example",  PW_DNS_MX, "m7.example" }, { "manymx.example", PW_DNS_MX, "m8.example" },
	{ "manymx.example",  PW_DNS_MX, "m9.example" }, { "manymx.example", PW_DNS_MX, "m10.example" },
	{ "manymx.example",  PW_DNS_MX, "m11.example" },
};

static struct check_row {
	const char *label, *ip, *from, *result, *term, *explanation;
	int lookups;
} check_rows[] = {
	/* input 22 of the reliability list */
	{ "include loop",           "192.0.2.7", "a@loop.example",     "permerror", "", "", 10 },
	{ "redirect loop",          "192.0.2.7", "a@turn.example",     "permerror", "", "", 10 },
	{ "ten lookups",            "192.0.2.7", "a@ten.example",      "fail", "-all", "", 10 },
	{ "eleven lookups",         "192.0.2.7", "a@eleven.example",   "permerror", "", "", 10 },
	{ "two void lookups",       "192.0.2.7", "a@void2.example",    "fail", "-all", "", 2 },
	{ "three void lookups",     "192.0.2.7", "a@void3.example",    "permerror", "", "", 3 },
	{ "no data is void too",    "192.0.2.7", "a@void3b.example",   "permerror", "", "", 3 },
	{ "d with a huge number",   "192.0.2.7", "a@bigd.example",     "pass", "exists:%{d2147483648}.big.example", "", 1 },
	{ "d with zero",            "192.0.2.7", "a@d0.example",       "permerror", "", "", 0 },
	{ "provider's real form",   "192.0.2.7", "a@provider.example", "pass", "exists:%{i}._ip.%{h}._ehlo.%{d}._spf.vali.example", "", 1 },
	{ "name over 253 is cut from the left", "192.0.2.7", "a@toolong.example", "pass",
	  "exists:%{d}." L50 L50 L50 L50 L50 L50 "example", "", 1 },
	{ "ptr validated",          "192.0.2.7", "a@ptr.example",      "pass", "ptr", "", 1 },
	{ "ptr needs a whole label", "192.0.2.7", "a@trap.example",    "fail", "-all",
	  "192.0.2.7 is host.sub.ptr.example, asked by mx.example.net at 1700000000 for a%40trap.example %%20", 1 },
	{ "ptr error is no match",  "192.0.2.9", "a@ptr.example",      "fail", "-all",
	  "192.0.2.9 is unknown, asked by mx.example.net at 1700000000 for a%40ptr.example %%20", 1 },
	{ "mapped address is IPv4", "::ffff:192.0.2.7", "a@v6.example", "pass", "ip4:192.0.2.7", "", 0 },
	{ "IPv6 network",           "2001:db8:7fff::1", "a@v6.example", "pass", "ip6:2001:db8::/33", "", 0 },
	{ "IPv6 outside",           "2001:db8:8000::1", "a@v6.example", "fail", "-all", "", 0 },
	{ "all twice: first wins",  "192.0.2.7", "a@all2.example",     "neutral", "?all", "", 0 },
	{ "two records",            "192.0.2.7", "a@two.example",      "permerror", "", "", 0 },
	{ "over 450 bytes",         "192.0.2.7", "a@long.example",     "pass", "ip4:192.0.2.7", "", 0 },
	{ "upper case",             "192.0.2.7", "a@upper.example",    "pass", "IP4:192.0.2.0/24", "", 0 },
	{ "junk after the version", "192.0.2.7", "a@junk.example",     "permerror", "", "", 0 },
	/* errors of DNS are temporary, those of the record permanent */
	{ "SERVFAIL for the record", "192.0.2.7", "a@servfail.example", "temperror", "", "", 0 },
	{ "timeout for the record", "192.0.2.7", "a@timeout.example",  "temperror", "", "", 0 },
	{ "timeout in a",           "192.0.2.7", "a@slowa.example",    "temperror", "", "", 1 },
	{ "SERVFAIL in mx",         "192.0.2.7", "a@slowmx.example",   "temperror", "", "", 1 },
	{ "timeout of an mx host",  "192.0.2.7", "a@slowmxa.example",  "temperror", "", "", 1 },
	{ "timeout in exists",      "192.0.2.7", "a@slowex.example",   "temperror", "", "", 1 },
	{ "include: temperror",     "192.0.2.7", "a@inctemp.example",  "temperror", "", "", 1 },
	{ "include: none",          "192.0.2.7", "a@incnone.example",  "permerror", "", "", 1 },
	{ "include: fail goes on; its lookups count", "192.0.2.7", "a@incfail.example", "permerror", "", "", 10 },
	{ "error after all",        "192.0.2.7", "a@late.example",     "permerror", "", "", 0 },
	{ "eleven MX",              "192.0.2.7", "a@manymx.example",   "permerror", "", "", 1 },
	{ "null MX",                "192.0.2.7", "a@usenullmx.example", "fail", "-all", "", 1 },
	{ "many blanks",            "192.0.2.7", "a@blanks.example",   "pass", "ip4:192.0.2.7", "", 0 },
	{ "all makes redirect idle", "192.0.2.7", "a@redirall.example", "softfail", "~all", "", 0 },
	{ "other versions",         "192.0.2.7", "a@other.example",    "none", "", "", 0 },
	/* what is checked */
	{ "no record",              "192.0.2.7", "a@example.com",      "none", "", "", 0 },
	{ "no such domain",         "192.0.2.7", "a@nowhere.example",  "none", "", "", 0 },
	{ "null sender: HELO",      "192.0.2.7", "",                   "none", "", "", 0 },
	{ "final dot",              "192.0.2.7", "a@blanks.example.",  "pass", "ip4:192.0.2.7", "", 0 },
	{ "single label",           "192.0.2.7", "a@localhost",        "none", "", "", 0 },
	{ "address literal",        "192.0.2.7", "a@[192.0.2.7]",      "none", "", "", 0 },
	{ "blank in the domain",    "192.0.2.7", "a@exa mple.com",     "none", "", "", 0 },
	{ "no local part",          "192.0.2.7", "@local.example",     "fail", "-all", "<postmaster>", 0 },
	{ "domain only",            "192.0.2.7", "local.example",      "fail", "-all", "<postmaster>", 0 },
	{ "last @ divides",         "192.0.2.7", "a@b@local.example",  "fail", "-all", "<a@b>", 0 },
	{ "control characters do not get into the explanation", "192.0.2.7", "a\r\nB: \xff@local.example", "fail", "-all", "<a??B: ?>", 0 },
	{ "explanation beyond its limit is none", "192.0.2.7", X10 X10 X10 X10 X10 X10 "@wide.example", "fail", "-all", "", 0 },
};

/* RFC 7208 7.4: sender strong-bad@email.example.com, client 192.0.2.3, domain as the sender's */
static struct macro_row {
	const char *label, *spec, *value, *value6;
} macro_rows[] = {
	{ "s",     "%{s}",    "strong-bad@email.example.com", NULL },
	{ "o",     "%{o}",    "email.example.com", NULL },
	{ "d",     "%{d}",    "email.example.com", NULL },
	{ "d4",    "%{d4}",   "email.example.com", NULL },
	{ "d3",    "%{d3}",   "email.example.com", NULL },
	{ "d2",    "%{d2}",   "example.com", NULL },
	{ "d1",    "%{d1}",   "com", NULL },
	{ "dr",    "%{dr}",   "com.example.email", NULL },
	{ "d2r",   "%{d2r}",  "example.email", NULL },
	{ "l",     "%{l}",    "strong-bad", NULL },
	{ "l-",    "%{l-}",   "strong.bad", NULL },
	{ "lr",    "%{lr}",   "strong-bad", NULL },
	{ "lr-",   "%{lr-}",  "bad.strong", NULL },
	{ "l1r-",  "%{l1r-}", "strong", NULL },
	{ "ir",    "%{ir}.%{v}._spf.%{d2}",     "3.2.0.192.in-addr._spf.example.com",
	  "1.0.B.C.0.0.0.0." "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com" },
	{ "lr- lp", "%{lr-}.lp._spf.%{d2}",     "bad.strong.lp._spf.example.com", NULL },
	{ "lr- lp ir", "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com", NULL },
	{ "ir lr-", "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com", NULL },
	{ "d2 of trusted", "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net", NULL },
	{ "escapes", "a%%b%_c%-d",  "a%b c%20d", NULL },
	{ "upper escapes for URLs", "%{S}", "strong-bad%40email.example.com", NULL },
	{ "several delimiters", "%{sr-.}", "com.example.bad@email.strong", NULL },
	{ "d65536 keeps all", "%{d65536}", "email.example.com", NULL },
	{ "d99999999999999999999 keeps all", "%{d99999999999999999999}", "email.example.com", NULL },
};

static struct syntax_row {
	const char *label, *record;
	bool is_valid;
} syntax_rows[] = {
	{ "bare version",          "v=spf1", true },
	{ "a with both lengths",   "v=spf1 a/24//64", true },
	{ "a with IPv6 length",    "v=spf1 a//64", true },
	{ "a, domain and lengths", "v=spf1 a:b.example/24//64", true },
	{ "slash inside the domain", "v=spf1 a:b/24/c.example", true },
	{ "a length twice",        "v=spf1 a/24/24", false },
	{ "a lengths in the wrong order", "v=spf1 a//64/24", false },
	{ "a length over 32",      "v=spf1 a/33", false },
	{ "a IPv6 length over 128", "v=spf1 a//129", false },
	{ "a empty length",        "v=spf1 a/", false },
	{ "a leading zero",        "v=spf1 a/024", false },
	{ "a length 0",            "v=spf1 a/0", true },
	{ "a huge length",         "v=spf1 a/99999999999999999999999", false },
	{ "a empty domain",        "v=spf1 a:", false },
	{ "a empty domain, length", "v=spf1 a:/24", false },
	{ "a name without dot",    "v=spf1 a:localhost", false },
	{ "a IPv4 address",        "v=spf1 a:192.0.2.1", false },
	{ "a toplabel hyphen last", "v=spf1 a:b.example-", false },
	{ "a toplabel in punycode", "v=spf1 a:b.xn--p1ai", true },
	{ "a final dot",           "v=spf1 a:b.example.", true },
	{ "a only final dot",      "v=spf1 a:example.", false },
	{ "a ends in a macro",     "v=spf1 a:%{d}", true },
	{ "a ends in %%",          "v=spf1 a:b.example%%", true },
	{ "include needs a domain", "v=spf1 include", false },
	{ "exists needs a domain", "v=spf1 exists", false },
	{ "include takes no length", "v=spf1 include:b.example/24", false },
	{ "ptr takes no length",   "v=spf1 ptr/24", false },
	{ "all takes nothing",     "v=spf1 all:b.example", false },
	{ "ip4 IPv6 address",      "v=spf1 ip4:2001:db8::1", false },
	{ "ip6 IPv4 address",      "v=spf1 ip6:192.0.2.1", false },
	{ "ip4 no address",        "v=spf1 ip4:", false },
	{ "ip4 no colon",          "v=spf1 ip4/24", false },
	{ "two qualifiers",        "v=spf1 +-all", false },
	{ "lone qualifier",        "v=spf1 -", false },
	{ "lone colon",            "v=spf1 :", false },
	{ "lone slash",            "v=spf1 /24", false },
	{ "tab between",           "v=spf1 a\tmx", false },
	{ "NUL-like rest",         "v=spf1 a\x01", false },
	{ "unknown mechanism",     "v=spf1 spf2.0:b.example", false },
	{ "unknown modifier",      "v=spf1 x-y_z.1=%{c}:/anything", true },
	{ "unknown modifier empty", "v=spf1 x=", true },
	{ "unknown modifier twice", "v=spf1 x=1 x=2", true },
	{ "modifier with qualifier", "v=spf1 -redirect=b.example", false },
	{ "redirect twice",        "v=spf1 redirect=b.example redirect=b.example", false },
	{ "exp twice",             "v=spf1 exp=b.example EXP=b.example", false },
	{ "redirect empty",        "v=spf1 redirect=", false },
	{ "redirect as mechanism", "v=spf1 redirect:b.example", false },
	{ "macro t in a domain",   "v=spf1 a:%{t}.example", false },
	{ "macro unknown",         "v=spf1 a:%{x}.example", false },
	{ "macro not closed",      "v=spf1 a:%{d.example", false },
	{ "macro empty",           "v=spf1 a:%{}.example", false },
	{ "macro bad delimiter",   "v=spf1 a:%{d:}.example", false },
	{ "macro order",           "v=spf1 a:%{dr2}.example", false },
	{ "macro slash delimiter", "v=spf1 a:%{d/}/24", true },
	{ "percent last",          "v=spf1 a:b.example%", false },
	{ "percent alone",         "v=spf1 a:%b.example", false },
};
/* clang-format on */

/* Answer from the zone above. */
static struct pw_dns_answer answer_from_zone(const struct pw_dns_question *q,
                                             struct pw_dns_record *records)
{
	struct pw_dns_answer answer = { .rcode = PW_DNS_NXDOMAIN, .records = records };

	for (size_t i = 0; i < PW_LEN(zone); i++) {
		struct pw_str value = pw_str_from(zone[i].value);

		if (!pw_str_eq_nocase(q->name, pw_str_from(zone[i].name)))
			continue;
		if (answer.rcode == PW_DNS_NXDOMAIN)
			answer.rcode = PW_DNS_OK;
		if (q->type != zone[i].type)
			continue;
		if (pw_str_eq(value, PW_STR("!SERVFAIL")))
			answer.rcode = PW_DNS_SERVFAIL;
		else if (pw_str_eq(value, PW_STR("!TIMEOUT")))
			answer.rcode = PW_DNS_TIMEOUT;
		else if (pw_ip_parse(&records[answer.count].ip, value) == PW_OK)
			answer.count++;
		else if (!pw_str_eq(value, PW_STR("!EMPTY")))
			records[answer.count++].text = value;
	}
	return answer;
}

static struct pw_spf_outcome run(struct pw_arena *arena, const char *ip, const char *from)
{
	struct pw_spf_input input = { .helo = PW_STR("mail.provider.example"),
		                      .from = pw_str_from(from),
		                      .receiver = PW_STR("mx.example.net"),
		                      .now_s = 1700000000 };
	struct pw_spf_outcome outcome;
	struct pw_dns_question ask;
	struct pw_spf *spf;
	int questions = 0;

	assert_int_equal(pw_ip_parse(&input.ip, pw_str_from(ip)), PW_OK);
	assert_int_equal(pw_spf_new(&spf, arena, &input), PW_OK);
	while (pw_spf_next(spf, &ask) == PW_SPF_ASK) {
		struct pw_dns_record records[PW_LEN(zone)] = { 0 };
		struct pw_dns_answer answer = answer_from_zone(&ask, records);

		assert_int_equal(pw_spf_outcome(spf, &outcome), PW_ERR_STATE);
		assert_true(++questions <= PW_SPF_QUESTIONS_MAX);
		pw_spf_feed(spf, &answer);
	}
	assert_int_equal(pw_spf_outcome(spf, &outcome), PW_OK);
	return outcome;
}

static void assert_text(struct pw_str got, const char *wanted)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_buf_puts(&text, got);
	assert_string_equal(pw_buf_text(&text), wanted);
}

static void check_check(void **state)
{
	const struct check_row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_spf_outcome outcome;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	outcome = run(arena, row->ip, row->from);
	assert_string_equal(pw_spf_result_text(outcome.result), row->result);
	assert_text(outcome.term, row->term);
	assert_text(outcome.explanation, row->explanation);
	assert_int_equal(outcome.lookups, row->lookups);
}

static void check_macro(void **state)
{
	const struct macro_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_spf_macro_values
		values = { .by_letter = {
				   ['s' - 'a'] = PW_STR("strong-bad@email.example.com"),
				   ['l' - 'a'] = PW_STR("strong-bad"),
				   ['o' - 'a'] = PW_STR("email.example.com"),
				   ['d' - 'a'] = PW_STR("email.example.com"),
				   ['i' - 'a'] = PW_STR("192.0.2.3"),
				   ['v' - 'a'] = PW_STR("in-addr"),
			   } };

	assert_true(pw_spf_macro_is_valid(pw_str_from(row->spec), PW_SPF_MACRO_STRING));
	pw_spf_macro_expand(&out, pw_str_from(row->spec), &values);
	assert_string_equal(pw_buf_text(&out), row->value);
	if (row->value6 == NULL)
		return;
	pw_buf_reset(&out);
	values.by_letter['i' - 'a'] = PW_STR("2.0.0.1.0.D.B.8." NIBBLES ".C.B.0.1");
	values.by_letter['v' - 'a'] = PW_STR("ip6");
	pw_spf_macro_expand(&out, pw_str_from(row->spec), &values);
	assert_string_equal(pw_buf_text(&out), row->value6);
}

static void check_syntax(void **state)
{
	const struct syntax_row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_spf_record record;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_true(pw_spf_record_is(pw_str_from(row->record)));
	assert_int_equal(pw_spf_record_parse(&record, arena, pw_str_from(row->record)),
	                 row->is_valid ? PW_OK : PW_ERR_SYNTAX);
}

/* RFC 7208 A.1: records of example.com, tried with its hosts. */
static void examples_of_the_rfc(void **state)
{
	static const struct {
		const char *record, *ip, *result;
	} rows[] = {
		{ "v=spf1 +all", "203.0.113.1", "pass" },
		{ "v=spf1 a -all", "192.0.2.10", "pass" },
		{ "v=spf1 a -all", "192.0.2.65", "fail" },
		{ "v=spf1 a:example.org -all", "192.0.2.10", "fail" },
		{ "v=spf1 mx -all", "192.0.2.129", "pass" },
		{ "v=spf1 mx -all", "192.0.2.10", "fail" },
		{ "v=spf1 mx:example.org -all", "192.0.2.140", "pass" },
		{ "v=spf1 mx mx:example.org -all", "192.0.2.140", "pass" },
		{ "v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.131", "pass" },
		{ "v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.132", "fail" },
		{ "v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.143", "pass" },
		{ "v=spf1 ptr -all", "192.0.2.65", "pass" },
		{ "v=spf1 ptr -all", "192.0.2.140", "fail" },
		{ "v=spf1 ptr -all", "10.0.0.10", "fail" },
		{ "v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129", "pass" },
		{ "v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.65", "fail" },
		{ "v=spf1 exists:%{l1r+}.mobile-users._spf.%{d} -all", "203.0.113.1",
		  "pass" },
		{ "v=spf1 exists:%{ir}.%{l1r+}.remote-users._spf.%{d} -all",
		  "203.0.113.1", "fail" },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
		struct pw_spf_input input = { .helo = PW_STR("h.example"),
			                      .from = PW_STR("mary+x@example.com") };
		struct pw_dns_question ask;
		struct pw_spf_outcome outcome;
		struct pw_spf *spf;

		assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
		assert_int_equal(pw_ip_parse(&input.ip, pw_str_from(rows[i].ip)), PW_OK);
		assert_int_equal(pw_spf_new(&spf, arena, &input), PW_OK);
		while (pw_spf_next(spf, &ask) == PW_SPF_ASK) {
			struct pw_dns_record records[PW_LEN(zone)] = { 0 };
			struct pw_dns_answer answer = answer_from_zone(&ask, records);

			if (ask.type == PW_DNS_TXT) {
				records[0].text = pw_str_from(rows[i].record);
				answer = (struct pw_dns_answer){ .records = records,
					                         .count = 1 };
			}
			pw_spf_feed(spf, &answer);
		}
		assert_int_equal(pw_spf_outcome(spf, &outcome), PW_OK);
		if (strcmp(pw_spf_result_text(outcome.result), rows[i].result) != 0)
			fail_msg("%s from %s: %s", rows[i].record, rows[i].ip,
			         pw_spf_result_text(outcome.result));
	}
}

/* A full arena is our failure, not a verdict, wherever it strikes. */
static void no_memory_is_an_error(void **state)
{
	bool has_finished = false;
	int failures = 0;

	(void)state;
	for (size_t room = 64; !has_finished; room += 64) {
		PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
		struct pw_spf_input input = { .helo = PW_STR("h.example"),
			                      .from = PW_STR("a@trap.example") };
		struct pw_dns_question ask;
		struct pw_spf_outcome outcome;
		struct pw_spf *spf;
		enum pw_status r;

		assert_int_equal(pw_arena_new(&arena, room), PW_OK);
		assert_int_equal(pw_ip_parse(&input.ip, PW_STR("192.0.2.7")), PW_OK);
		if ((r = pw_spf_new(&spf, arena, &input)) == PW_OK) {
			while (pw_spf_next(spf, &ask) == PW_SPF_ASK) {
				struct pw_dns_record records[PW_LEN(zone)] = { 0 };
				struct pw_dns_answer answer =
					answer_from_zone(&ask, records);

				pw_spf_feed(spf, &answer);
			}
			r = pw_spf_outcome(spf, &outcome);
		}
		has_finished = r == PW_OK;
		failures += r == PW_ERR_NOMEM;
		assert_true(r == PW_OK || r == PW_ERR_NOMEM);
	}
	assert_true(failures > 10);
}

static void feeding_without_a_question_does_nothing(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_dns_record record = { .text = PW_STR("v=spf1 +all") };
	struct pw_dns_answer answer = { .records = &record, .count = 1 };
	struct pw_spf_input input = { .from = PW_STR("a@nowhere.example") };
	struct pw_spf_outcome outcome;
	struct pw_dns_question ask;
	struct pw_spf *spf;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_ip_parse(&input.ip, PW_STR("192.0.2.7")), PW_OK);
	assert_int_equal(pw_spf_new(&spf, arena, &input), PW_OK);
	pw_spf_feed(spf, &answer);
	assert_int_equal(pw_spf_next(spf, &ask), PW_SPF_ASK);
	assert_int_equal(pw_spf_next(spf, &ask), PW_SPF_ASK);
	pw_spf_feed(spf, &answer);
	assert_int_equal(pw_spf_next(spf, &ask), PW_SPF_DONE);
	pw_spf_feed(spf, &answer);
	assert_int_equal(pw_spf_outcome(spf, &outcome), PW_OK);
	assert_int_equal(outcome.result, PW_SPF_PASS);
}

int main(void)
{
	struct CMUnitTest tests[3 + PW_LEN(check_rows) + PW_LEN(macro_rows) +
	                        PW_LEN(syntax_rows)] = {
		cmocka_unit_test(examples_of_the_rfc),
		cmocka_unit_test(no_memory_is_an_error),
		cmocka_unit_test(feeding_without_a_question_does_nothing),
	};

	PW_TABLE_TESTS(tests, 3, check_rows, check_check);
	PW_TABLE_TESTS(tests, 3 + PW_LEN(check_rows), macro_rows, check_macro);
	PW_TABLE_TESTS(tests, 3 + PW_LEN(check_rows) + PW_LEN(macro_rows), syntax_rows,
	               check_syntax);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
