#include "tools/scan_tree.h"

#include <stdio.h>

#include "core/utf8.h"

#define INDENT 2
#define NAMES_SHOWN 20 /* of an archive, to people */

/* What was made of a part of the tree; NULL where nothing was: containers, and leaves
 * behind the last one that is read. */
static const struct pw_part *part_of(const struct pw_message *m,
                                     const struct pw_mime_part *node)
{
	for (size_t i = 0; i < m->part_count; i++)
		if (m->parts[i].leaf == node)
			return &m->parts[i];
	return NULL;
}

static struct pw_str encoding_of(const struct pw_mime_part *node)
{
	return node->encoding_text.len > 0 ? node->encoding_text : PW_STR("7bit");
}

static struct pw_str name_of(const struct pw_mime_part *node, const struct pw_part *part)
{
	if (part != NULL)
		return part->name;
	return node->filename.bytes.len > 0 ? node->filename.bytes : node->name.bytes;
}

/* A line end within a name would begin a line of its own. */
static void put_strange(struct pw_buf *out, struct pw_str text)
{
	size_t start = out->len;

	pw_utf8_put(out, text);
	for (size_t i = start; i < out->len; i++)
		if ((unsigned char)out->at[i] < ' ' || out->at[i] == 0x7f)
			out->at[i] = '?';
}

static void put_word(struct pw_buf *out, const char *what, struct pw_str word)
{
	if (word.len == 0)
		return;
	pw_buf_puts(out, pw_str_from(what));
	put_strange(out, word);
}

static void put_size(struct pw_buf *out, const struct pw_mime_part *node)
{
	char text[80];

	if (node->is_container || node->decoded_len == node->body.len)
		snprintf(text, sizeof(text), ", %zu bytes", node->body.len);
	else
		snprintf(text, sizeof(text), ", %zu bytes (%zu decoded)", node->body.len,
		         node->decoded_len);
	pw_buf_puts(out, pw_str_from(text));
}

static void put_flags(struct pw_buf *out, uint32_t flags)
{
	const char *between = " [";

	for (unsigned bit = 0; bit < PW_MIME_BITS; bit++) {
		if ((flags >> bit & 1) == 0)
			continue;
		pw_buf_puts(out, pw_str_from(between));
		pw_buf_puts(out, pw_str_from(pw_mime_flag_text(bit)));
		between = " ";
	}
	if (flags != 0)
		pw_buf_putc(out, ']');
}

static void put_indent(struct pw_buf *out, size_t depth)
{
	for (size_t i = 0; i < depth * INDENT; i++)
		pw_buf_putc(out, ' ');
}

static void put_names(struct pw_buf *out, const struct pw_archive *archive, size_t depth)
{
	char text[60];

	for (size_t i = 0; i < archive->count && i < NAMES_SHOWN; i++) {
		put_indent(out, depth);
		pw_buf_puts(out, PW_STR("- "));
		put_strange(out, archive->entries[i].name);
		pw_buf_putc(out, '\n');
	}
	if (archive->count <= NAMES_SHOWN)
		return;
	put_indent(out, depth);
	snprintf(text, sizeof(text), "- and %zu more\n", archive->count - NAMES_SHOWN);
	pw_buf_puts(out, pw_str_from(text));
}

static void put_node(struct pw_buf *out, const struct pw_message *m,
                     const struct pw_mime_part *node)
{
	const struct pw_part *part = part_of(m, node);

	put_indent(out, node->depth + 1);
	put_strange(out, node->type);
	put_word(out, ", ", encoding_of(node));
	put_word(out, ", charset ", node->charset);
	put_word(out, ", ", node->disposition);
	put_word(out, ", name ", name_of(node, part));
	put_size(out, node);
	if (part != NULL)
		put_word(out, ", is ", pw_str_from(pw_magic_text(part->magic)));
	put_flags(out, node->flags);
	pw_buf_putc(out, '\n');
	if (part != NULL && part->archive != NULL)
		put_names(out, part->archive, node->depth + 2);
}

void scan_tree_put(struct pw_buf *out, const struct pw_message *m)
{
	for (size_t i = 0; i < m->tree_count; i++)
		put_node(out, m, &m->tree[i]);
}

static struct json_object *flags_json(uint32_t flags)
{
	struct json_object *list = json_object_new_array();

	for (unsigned bit = 0; bit < PW_MIME_BITS; bit++)
		if ((flags >> bit & 1) != 0)
			json_object_array_add(
				list, json_object_new_string(pw_mime_flag_text(bit)));
	return list;
}

static struct json_object *archive_json(const struct pw_archive *archive)
{
	struct json_object *json = json_object_new_object();
	struct json_object *names = json_object_new_array();
	struct json_object *flags = json_object_new_array();

	for (unsigned flag = 1; flag <= PW_ARCHIVE_VOLUME; flag *= 2)
		if ((archive->flags & flag) != 0)
			json_object_array_add(flags, json_object_new_string(
							     pw_archive_flag_text(flag)));
	for (size_t i = 0; i < archive->count; i++)
		json_object_array_add(names, tool_json_string(archive->entries[i].name));
	json_object_object_add(json, "flags", flags);
	json_object_object_add(json, "names", names);
	return json;
}

static void add_size(struct json_object *json, const char *name, size_t size)
{
	json_object_object_add(json, name, json_object_new_int64((int64_t)size));
}

static struct json_object *node_json(const struct pw_message *m,
                                     const struct pw_mime_part *node)
{
	struct json_object *json = json_object_new_object();
	const struct pw_part *part = part_of(m, node);

	tool_json_add(json, "type", node->type);
	tool_json_add(json, "encoding", encoding_of(node));
	tool_json_add(json, "charset", node->charset);
	tool_json_add(json, "disposition", node->disposition);
	tool_json_add(json, "name", name_of(node, part));
	add_size(json, "size", node->body.len);
	if (!node->is_container)
		add_size(json, "decoded_size", node->decoded_len);
	if (part != NULL)
		tool_json_add(json, "magic", pw_str_from(pw_magic_text(part->magic)));
	json_object_object_add(json, "flags", flags_json(node->flags));
	if (part != NULL && part->archive != NULL)
		json_object_object_add(json, "archive", archive_json(part->archive));
	if (node->is_container)
		json_object_object_add(json, "parts", json_object_new_array());
	return json;
}

struct json_object *scan_tree_json(const struct pw_message *m)
{
	struct json_object *made[PW_MIME_PARTS_MAX] = { NULL }, *parts;

	for (size_t i = 0; i < m->tree_count; i++) {
		made[i] = node_json(m, &m->tree[i]);
		if (i > 0 &&
		    json_object_object_get_ex(made[m->tree[i].parent], "parts", &parts))
			json_object_array_add(parts, made[i]);
	}
	return made[0];
}
