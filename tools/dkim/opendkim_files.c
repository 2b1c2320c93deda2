#include "tools/dkim/opendkim_files.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "core/pairs.h"
#include "tools/command.h"
#include "tools/input.h"

#define CONF_DEFAULT "/etc/opendkim.conf"
#define TABLE_MAX ((size_t)16 * 1024 * 1024)

struct reader {
	const struct opendkim_where *where;
	struct opendkim *list;
};

static int complain(const char *path, const char *why, int code)
{
	fprintf(stderr, "postwardctl dkim: %s: %s\n", path, why);
	return code;
}

const char *opendkim_path(struct pw_buf *out, const struct opendkim_where *where,
                          struct pw_str path)
{
	if (where->root && path.len > 0 && path.at[0] == '/')
		pw_buf_puts(out, pw_str_from(where->root));
	pw_buf_puts(out, path);
	return pw_buf_text(out);
}

/* A data set that is a file: file:, refile: or the path alone. */
struct dataset {
	struct pw_str path;
	bool is_refile;
};

static bool parse_dataset(struct dataset *out, struct pw_str spec)
{
	*out = (struct dataset){ spec, pw_str_starts(spec, PW_STR("refile:")) };
	if (out->is_refile || pw_str_starts(spec, PW_STR("file:"))) {
		out->path = pw_str_sub(spec, pw_str_find(spec, ':') + 1, spec.len);
		return out->path.len > 0;
	}
	return spec.len > 0 && (spec.at[0] == '/' || spec.at[0] == '.');
}

static int read_text(const struct reader *w, struct pw_buf *text, struct pw_str path,
                     const char **name_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf whole = { 0 };
	struct pw_str kept;
	const char *why;

	(void)opendkim_path(&whole, w->where, path);
	if (pw_arena_copy(w->list->arena, pw_buf_str(&whole), &kept) != PW_OK)
		return EX_OSERR;
	*name_out = kept.at;
	if (tool_read_regular(text, kept.at, TABLE_MAX, &why) != PW_OK)
		return complain(kept.at, why, EX_NOINPUT);
	return EXIT_FINE;
}

static int read_table(const struct reader *w, struct pw_str spec, bool is_signing)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	struct dataset set;
	const char *name;
	int code;

	if (!parse_dataset(&set, spec)) {
		fprintf(stderr,
		        "postwardctl dkim: %.*s: only tables in files can be read\n",
		        PW_FMT(spec));
		return EX_DATAERR;
	}
	if ((code = read_text(w, &text, set.path, &name)) != EXIT_FINE)
		return code;
	if (is_signing)
		opendkim_read_signing(w->list, name, pw_buf_str(&text), set.is_refile);
	else
		opendkim_read_keys(w->list, name, pw_buf_str(&text));
	return EXIT_FINE;
}

/* A file named on the command line lies where it says, whatever --root is. */
static int read_named_table(const struct reader *w, const char *spec, bool is_signing)
{
	struct opendkim_where here = *w->where;
	struct reader unrooted = { &here, w->list };
	PW_AUTO(pw_buf_done) struct pw_buf dotted = { 0 };

	here.root = NULL;
	if (!strchr(spec, ':') && spec[0] != '/' && spec[0] != '.')
		pw_buf_puts(&dotted, PW_STR("./"));
	pw_buf_puts(&dotted, pw_str_from(spec));
	return read_table(&unrooted, pw_buf_str(&dotted), is_signing);
}

static int read_tables(const struct reader *w)
{
	int code = read_named_table(w, w->where->keytable, false);

	if (code != EXIT_FINE)
		return code;
	if (w->where->signingtable)
		return read_named_table(w, w->where->signingtable, true);
	opendkim_take_all(w->list);
	return EXIT_FINE;
}

/* What opendkim.conf may say of keys. */
struct conf {
	struct pw_str key_table, signing_table, domain, selector, key_file, multiple;
	unsigned int line; /* of the last one */
};

static void read_conf(struct conf *conf, struct pw_str text)
{
	const struct setting {
		const char *name;
		struct pw_str *value;
	} settings[] = {
		{ "KeyTable", &conf->key_table },
		{ "SigningTable", &conf->signing_table },
		{ "Domain", &conf->domain },
		{ "Selector", &conf->selector },
		{ "KeyFile", &conf->key_file },
		{ "MultipleSignatures", &conf->multiple },
	};
	struct pw_pairs pairs = { .rest = text,
		                  .next_line = 1,
		                  .has_comments_anywhere = true };
	struct pw_pair pair;

	while (pw_pairs_next(&pairs, &pair)) {
		for (size_t i = 0; i < PW_LEN(settings); i++) {
			if (!pw_str_eq_nocase(pair.name, pw_str_from(settings[i].name)))
				continue;
			*settings[i].value = pair.value;
			conf->line = pair.line;
		}
	}
}

/* Domain, Selector, KeyFile: one key for each domain named. */
static int take_single(const struct reader *w, const struct conf *conf, const char *name)
{
	struct pw_str domains = conf->domain, domain;
	struct dataset set;

	if (conf->domain.len == 0 || conf->selector.len == 0 || conf->key_file.len == 0)
		return complain(
			name,
			"names neither KeyTable and SigningTable nor Domain, Selector "
			"and KeyFile: OpenDKIM signs nothing",
			EX_DATAERR);
	if (parse_dataset(&set, domains))
		return complain(name,
		                "has the names of its domains in a file: import each by "
		                "postwardctl dkim import DOMAIN SELECTOR FILE",
		                EX_DATAERR);
	if (pw_str_starts(domains, PW_STR("csl:")))
		domains = pw_str_sub(domains, sizeof("csl:") - 1, domains.len);
	while (pw_list_next(&domains, &domain))
		opendkim_wish(w->list, name, conf->line, domain, conf->selector,
		              conf->key_file);
	return EXIT_FINE;
}

static int read_opendkim(const struct reader *w)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	struct pw_str path = pw_str_from(w->where->conf ? w->where->conf : CONF_DEFAULT);
	struct conf conf = { 0 };
	const char *name, *why;
	int code;

	if (w->where->conf) {
		name = w->where->conf;
		if (tool_read_regular(&text, name, TABLE_MAX, &why) != PW_OK)
			return complain(name, why, EX_NOINPUT);
	} else if ((code = read_text(w, &text, path, &name)) != EXIT_FINE) {
		return code;
	}
	read_conf(&conf, pw_buf_str(&text));
	w->list->is_multiple =
		conf.multiple.len > 0 && strchr("TtYy1", conf.multiple.at[0]) != NULL;
	if (conf.key_table.len == 0)
		return take_single(w, &conf, name);
	if ((code = read_table(w, conf.key_table, false)) != EXIT_FINE)
		return code;
	if (conf.signing_table.len > 0)
		return read_table(w, conf.signing_table, true);
	opendkim_take_all(w->list);
	return EXIT_FINE;
}

int opendkim_read_files(struct opendkim *list, const struct opendkim_where *where)
{
	struct reader w = { where, list };

	return where->keytable ? read_tables(&w) : read_opendkim(&w);
}
