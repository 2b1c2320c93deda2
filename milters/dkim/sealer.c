#include "dkim/sealer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <openssl/evp.h>

#include "dkim/host_key.h"
#include "io/clock.h"
#include "io/log.h"

#define DATABASE_MS 10000

struct sealer {
	char *path;
	struct pw_vault *vault;
	bool has_failed; /* logged once */
};

enum pw_status sealer_new(struct sealer **out, const char *path)
{
	PW_AUTO(sealer_free) struct sealer *sealer = calloc(1, sizeof(*sealer));

	if (!sealer || !(sealer->path = strdup(path)))
		return PW_ERR_NOMEM;
	*out = PW_TAKE(sealer);
	return PW_OK;
}

void sealer_free(struct sealer **sealer)
{
	if (!*sealer)
		return;
	pw_vault_free(&(*sealer)->vault);
	free((*sealer)->path);
	free(*sealer);
	*sealer = NULL;
}

const struct pw_vault *sealer_vault(const struct sealer *sealer)
{
	return sealer->vault;
}

static bool fail(struct sealer *sealer, const char *why)
{
	if (!sealer->has_failed)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "host_key"), PW_KV("why", why),
		       PW_KV_END);
	sealer->has_failed = true;
	return false;
}

static bool query(struct pw_db_result **out, struct sealer *sealer, struct pw_db *db,
                  const char *sql, const struct pw_str *params, size_t count)
{
	enum pw_status r =
		pw_db_exec(db, sql, params, count, pw_clock_mono_ms() + DATABASE_MS, out);
	const char *message = *out ? pw_db_message(*out) : "";

	return r == PW_OK || fail(sealer, message[0] ? message : pw_status_text(r));
}

/* Only while nothing is sealed: a key of its own beside that of another node would seal
 * what the other cannot open. */
static bool make(struct sealer *sealer, struct pw_db *db)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	enum pw_status r;

	if (!query(&rows, sealer, db, "SELECT key_id FROM mail.dkim_sealed_with()", NULL,
	           0))
		return false;
	if (pw_db_rows(rows) > 0)
		return fail(sealer,
		            "keys in the database are sealed, and there is no host "
		            "key here: postwardctl dkim host-key export on a node "
		            "that has it, import on this one");
	if ((r = host_key_make(sealer->path)) != PW_OK)
		return fail(sealer, pw_status_text(r));
	pw_log(PW_LOG_INFO, "", PW_KV("event", "host_key_made"),
	       PW_KV("path", sealer->path), PW_KV_END);
	return true;
}

static bool read_vault(struct sealer *sealer, struct pw_db *db)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r;

	pw_vault_free(&sealer->vault);
	r = host_key_read(&sealer->vault, sealer->path, &why);
	if (r == PW_ERR_NOTFOUND) {
		if (!make(sealer, db))
			return false;
		r = host_key_read(&sealer->vault, sealer->path, &why);
	}
	return r == PW_OK ||
	       fail(sealer, why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
}

static void put_ids(struct pw_buf *out, const struct pw_vault *vault)
{
	for (size_t i = 0; i < pw_vault_count(vault); i++)
		pw_buf_printf(out, "%c%.*s", i > 0 ? ',' : '{',
		              PW_FMT(pw_vault_id(vault, i)));
	pw_buf_putc(out, '}');
}

static void put_hash(struct pw_buf *out, struct pw_str text)
{
	unsigned char digest[32];

	if (EVP_Q_digest(NULL, "SHA256", NULL, text.at, text.len, digest, NULL) != 1)
		return;
	for (size_t i = 0; i < sizeof(digest); i++)
		pw_buf_printf(out, "%02x", digest[i]);
}

/* id, domain, selector, private key: in clear, or under an older host key. */
static bool seal(struct sealer *sealer, struct pw_db *db, const struct pw_db_result *rows,
                 size_t i)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *done = NULL;
	PW_AUTO(pw_buf_wipe) struct pw_buf opened = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf hash = { 0 }, sealed = { 0 };
	struct pw_str domain = pw_db_value(rows, i, 1),
		      selector = pw_db_value(rows, i, 2);
	struct pw_str text = pw_db_value(rows, i, 3), pem = text;
	enum pw_status r = PW_OK;

	if (pw_vault_is_sealed(text)) {
		r = pw_vault_open(sealer->vault, domain, selector, text, &opened);
		pem = pw_buf_str(&opened);
	}
	if (r == PW_OK)
		r = pw_vault_seal(sealer->vault, domain, selector, pem, &sealed);
	if (r != PW_OK)
		return fail(sealer, pw_status_text(r));
	put_hash(&hash, text);
	if (!query(&done, sealer, db, "SELECT mail.dkim_seal($1, $2, $3)",
	           (const struct pw_str[]){ pw_db_value(rows, i, 0), pw_buf_str(&hash),
	                                    pw_buf_str(&sealed) },
	           3))
		return false;
	pw_log(PW_LOG_INFO, "", PW_KV("event", "key_sealed"), PW_KV("domain", domain),
	       PW_KV("selector", selector),
	       PW_KV("host_key", pw_vault_id(sealer->vault, 0)), PW_KV_END);
	return true;
}

static bool seal_all(struct sealer *sealer, struct pw_db *db)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf ids = { 0 };
	struct utsname node;
	bool is_well = true;

	(void)uname(&node);
	put_ids(&ids, sealer->vault);
	if (!query(&rows, sealer, db,
	           "SELECT id, domain, selector, private_key "
	           "FROM mail.dkim_to_seal($1, $2::text[], now())",
	           (const struct pw_str[]){ pw_str_from(node.nodename),
	                                    pw_buf_str(&ids) },
	           2))
		return false;
	for (size_t i = 0; i < pw_db_rows(rows); i++)
		is_well = seal(sealer, db, rows, i) && is_well;
	return is_well;
}

bool sealer_look(struct sealer *sealer, struct pw_db *db)
{
	if (!read_vault(sealer, db))
		return false;
	if (seal_all(sealer, db))
		sealer->has_failed = false;
	return true;
}
