#include "mail/attachments.h"

#include "core/office.h"
#include "mail/decode.h"

/* The part's first bytes as they were before its transfer encoding; raw_max of it. */
static struct pw_str decode(struct pw_buf *out, const struct pw_part *part,
                            size_t raw_max)
{
	struct pw_str raw = pw_str_sub(part->body, 0, raw_max);

	if (part->leaf->encoding == PW_MIME_BASE64)
		pw_decode_base64(out, raw);
	else if (part->leaf->encoding == PW_MIME_QP)
		pw_decode_qp(out, raw, false);
	else if (part->leaf->encoding == PW_MIME_UU)
		pw_decode_uu(out, raw);
	else
		return raw;
	return pw_buf_str(out);
}

static bool is_looked_into(const struct pw_part *part)
{
	return part->body.len > 0 &&
	       (part->name.len > 0 || !pw_str_starts(part->type, PW_STR("text/")));
}

static enum pw_status list(struct pw_message *m, struct pw_part *part,
                           struct pw_str content)
{
	struct pw_archive *archive = pw_arena_alloc(m->arena, sizeof(*archive));
	bool is_cut = m->is_body_cut &&
	              part->body.at + part->body.len == m->body.at + m->body.len;
	enum pw_status r;

	if (archive == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_archive_list(archive, m->arena, part->magic, content)) != PW_OK)
		return r;
	if (is_cut)
		archive->flags &= ~(uint32_t)PW_ARCHIVE_BROKEN;
	part->archive = archive;
	part->office = pw_office_scan_names(archive);
	return PW_OK;
}

static enum pw_status look_into(struct pw_message *m, struct pw_part *part)
{
	PW_AUTO(pw_buf_done) struct pw_buf start = { 0 }, all = { 0 };
	struct pw_str content;

	part->magic = pw_magic_find(decode(&start, part, PW_MAGIC_BYTES / 3 * 4));
	if (part->magic != PW_MAGIC_OLE && !pw_archive_is_listed(part->magic))
		return PW_OK;
	content = decode(&all, part, part->body.len);
	if (pw_buf_status(&start) != PW_OK || pw_buf_status(&all) != PW_OK)
		return PW_ERR_NOMEM;
	if (part->magic != PW_MAGIC_OLE)
		return list(m, part, content);
	part->office = pw_office_scan_ole(content);
	return PW_OK;
}

enum pw_status pw_attachments_read(struct pw_message *m)
{
	enum pw_status r;

	for (size_t i = 0; i < m->part_count; i++)
		if (is_looked_into(&m->parts[i]) &&
		    (r = look_into(m, &m->parts[i])) != PW_OK)
			return r;
	return PW_OK;
}
