/* A message as the checks read it: fields, parts, visible text, links. Fed like a milter
 * is; bounded whatever comes; what is malformed is noted, never refused. */
#pragma once

#include "core/address.h"
#include "core/archive.h"
#include "core/header.h"
#include "core/html.h"
#include "core/mime.h"
#include "mail/decode.h"

#define PW_MESSAGE_FIELDS_MAX 1000                 /* further ones are counted only */
#define PW_MESSAGE_HEADER_MAX ((size_t)512 * 1024) /* bytes of all fields kept */
#define PW_MESSAGE_BODY_MAX ((size_t)1024 * 1024)  /* bytes of the body kept */
#define PW_MESSAGE_TEXT_MAX ((size_t)256 * 1024)   /* bytes of visible text kept */
#define PW_MESSAGE_PARTS_MAX 100                   /* leaves kept */
#define PW_MESSAGE_ARENA_MAX ((size_t)24 * 1024 * 1024) /* suits one message */

struct pw_field {
	struct pw_str name, value; /* value raw */
	struct pw_str text;        /* unfolded and trimmed */
};

/* One leaf of the MIME tree. */
struct pw_part {
	struct pw_str type;    /* "text/plain", lower case */
	struct pw_str charset; /* as written, or empty */
	struct pw_str name;    /* file name, decoded to UTF-8, or empty */
	struct pw_str
		other_name;     /* what name= says when filename= says other, or empty */
	struct pw_str encoding; /* lower case */
	struct pw_str body;     /* raw; may be cut */
	uint32_t flags;         /* PW_MIME_... */
	const struct pw_mime_part *leaf;  /* where it stands in the tree */
	const struct pw_archive *archive; /* what it holds, or NULL */
	enum pw_magic magic;              /* by its bytes; NONE where nobody looked */
	uint32_t office;                  /* PW_OFFICE_... */
	size_t text_len;                  /* bytes of visible text it gave */
	size_t words_hash_bits;           /* how many bits of its word set are set */
	uint64_t words[16];               /* which words it has, one bit each by hash */
	bool is_attachment;
	bool is_in_alternative;
	bool is_ascii; /* raw body is 7-bit */
	bool decodes_to_ascii;
};

struct pw_message {
	struct pw_arena *arena;
	struct pw_field *fields;
	size_t field_count, fields_seen, header_bytes;
	struct pw_buf body;
	int64_t size_bytes; /* of the whole message */
	bool is_body_cut;   /* it is longer than what is kept */

	/* There after pw_message_eoh. */
	struct pw_mailbox from; /* author, when there is exactly one */
	bool has_from;          /* from is usable */
	struct pw_str from_display;
	struct pw_str subject; /* decoded to UTF-8; empty if there is none */
	struct pw_words_seen from_words, subject_words;
	bool has_body_in_header; /* set by who feeds: the header ended in no empty line */

	/* There after pw_message_end. */
	const struct pw_mime_part *tree; /* all of it; parts are its leaves */
	size_t tree_count;
	uint64_t mime_steps;
	uint32_t mime_flags; /* PW_MIME_... of all of the tree */
	struct pw_part parts[PW_MESSAGE_PARTS_MAX];
	size_t part_count;
	bool has_multipart, has_alternative;
	bool is_broken_mime; /* a type that cannot be read, a boundary that never comes */
	bool is_too_deep;    /* more levels or parts than are read */
	struct pw_str text;  /* visible text of all parts, UTF-8 */
	struct pw_str lower; /* the same: ASCII in lower case, blanks squeezed to one */
	struct pw_links links;
	struct pw_html_facts html;
	struct pw_html_facts attached_html; /* of HTML files, whose text is not read */
};

/* Begin. Everything lives in arena, made for PW_MESSAGE_ARENA_MAX; body is owned until
 * pw_message_done.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_message_new(struct pw_message **out,
                                            struct pw_arena *arena);
/* For PW_AUTO; before the arena is reset. */
void pw_message_done(struct pw_message **message);

/* Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_message_field(struct pw_message *m, struct pw_str name,
                                              struct pw_str value);
/* The header is complete: find author and subject.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_message_eoh(struct pw_message *m);
PW_MUST_CHECK enum pw_status pw_message_body(struct pw_message *m, struct pw_str chunk);
/* Take the message apart.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_message_end(struct pw_message *m);

/* First field of that name, or NULL; with *from (start at 0) the next one each time. */
const struct pw_field *pw_message_find(const struct pw_message *m, const char *name);
const struct pw_field *pw_message_next(const struct pw_message *m, const char *name,
                                       size_t *from);
size_t pw_message_count(const struct pw_message *m, const char *name);
