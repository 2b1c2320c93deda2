#include "core/script.h"

#include "core/utf8.h"

#define LONG_LABEL 5 /* letters: shorter words of look-alikes only are honest Russian */

/* clang-format off */
static const struct script_row {
	uint32_t from, to;
	enum pw_script script;
} scripts[] = { /* by code point */
	{ 'A',     'Z',     PW_SCRIPT_LATIN },    { 'a',     'z',     PW_SCRIPT_LATIN },
	{ 0xc0,    0xd6,    PW_SCRIPT_LATIN },    { 0xd8,    0xf6,    PW_SCRIPT_LATIN },
	{ 0xf8,    0x2af,   PW_SCRIPT_LATIN },    { 0x370,   0x373,   PW_SCRIPT_GREEK },
	{ 0x376,   0x37d,   PW_SCRIPT_GREEK },    { 0x37f,   0x37f,   PW_SCRIPT_GREEK },
	{ 0x386,   0x3ff,   PW_SCRIPT_GREEK },    { 0x400,   0x52f,   PW_SCRIPT_CYRILLIC },
	{ 0x531,   0x587,   PW_SCRIPT_ARMENIAN }, { 0x5d0,   0x6d5,   PW_SCRIPT_OTHER },
	{ 0x710,   0x109f,  PW_SCRIPT_OTHER },    { 0x10a0,  0x139f,  PW_SCRIPT_OTHER },
	{ 0x13a0,  0x13fd,  PW_SCRIPT_CHEROKEE }, { 0x1400,  0x1c7f,  PW_SCRIPT_OTHER },
	{ 0x1c80,  0x1c8a,  PW_SCRIPT_CYRILLIC }, { 0x1d00,  0x1d25,  PW_SCRIPT_LATIN },
	{ 0x1e00,  0x1eff,  PW_SCRIPT_LATIN },    { 0x1f00,  0x1fff,  PW_SCRIPT_GREEK },
	{ 0x2de0,  0x2dff,  PW_SCRIPT_CYRILLIC }, { 0x3041,  0xa63f,  PW_SCRIPT_OTHER },
	{ 0xa640,  0xa69f,  PW_SCRIPT_CYRILLIC }, { 0xa722,  0xa7ff,  PW_SCRIPT_LATIN },
	{ 0xa800,  0xab2f,  PW_SCRIPT_OTHER },    { 0xab30,  0xab64,  PW_SCRIPT_LATIN },
	{ 0xab70,  0xabbf,  PW_SCRIPT_CHEROKEE }, { 0xabc0,  0xd7fb,  PW_SCRIPT_OTHER },
	{ 0xf900,  0xfaff,  PW_SCRIPT_OTHER },    { 0xfb00,  0xfb06,  PW_SCRIPT_LATIN },
	{ 0xfb13,  0xfb17,  PW_SCRIPT_ARMENIAN }, { 0xfb1d,  0xfdfb,  PW_SCRIPT_OTHER },
	{ 0xfe70,  0xfefc,  PW_SCRIPT_OTHER },    { 0xff21,  0xff3a,  PW_SCRIPT_LATIN },
	{ 0xff41,  0xff5a,  PW_SCRIPT_LATIN },    { 0xff66,  0xffdc,  PW_SCRIPT_OTHER },
	{ 0x1d400, 0x1d6a3, PW_SCRIPT_LATIN },    { 0x1d6a8, 0x1d7cb, PW_SCRIPT_GREEK },
	{ 0x20000, 0x3ffff, PW_SCRIPT_OTHER },
};

static const struct {
	uint32_t from, to;
} invisible[] = {
	{ 0xad, 0xad },     { 0x34f, 0x34f },   { 0x61c, 0x61c },   { 0x115f, 0x1160 },
	{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x202a, 0x202e },
	{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
};

/* Small letters that cannot be told from Latin ones; is_rare: not in the Russian alphabet. */
static const struct {
	uint32_t code;
	bool is_rare;
} lookalikes[] = {
	{ 0x430, false }, { 0x435, false }, { 0x43e, false }, { 0x440, false }, /* a e o p */
	{ 0x441, false }, { 0x443, false }, { 0x445, false },                  /* c y x */
	{ 0x455, true },  { 0x456, true },  { 0x458, true },  { 0x4bb, true },  /* s i j h */
	{ 0x4cf, true },  { 0x501, true },  { 0x51b, true },  { 0x51d, true },  /* l d q w */
	{ 0x4af, true },  { 0x475, true },                                     /* y v */
	{ 0x3bf, false }, { 0x3bd, false }, { 0x3c1, false }, { 0x3b1, false }, /* o v p a */
};
/* clang-format on */

enum pw_script pw_script_of(uint32_t code)
{
	size_t low = 0, high = PW_LEN(scripts);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code > scripts[middle].to)
			low = middle + 1;
		else
			high = middle;
	}
	return low < PW_LEN(scripts) && code >= scripts[low].from ? scripts[low].script
	                                                          : PW_SCRIPT_NONE;
}

bool pw_is_invisible(uint32_t code)
{
	for (size_t i = 0; i < PW_LEN(invisible); i++)
		if (code >= invisible[i].from && code <= invisible[i].to)
			return true;
	return false;
}

uint32_t pw_fold_width(uint32_t code)
{
	if (code >= 0xff01 && code <= 0xff5e)
		return code - 0xff01 + '!';
	return code == 0x3002 || code == 0xff61 ? '.' : code;
}

static bool looks_latin(uint32_t code, bool *is_rare)
{
	for (size_t i = 0; i < PW_LEN(lookalikes); i++) {
		if (lookalikes[i].code != code)
			continue;
		*is_rare = *is_rare || lookalikes[i].is_rare;
		return true;
	}
	return false;
}

bool pw_label_is_lookalike(struct pw_str label)
{
	enum pw_script first = PW_SCRIPT_NONE;
	bool is_mixed = false, is_all_alike = true, is_rare = false;
	size_t letters = 0, n;
	uint32_t code = 0;

	for (; label.len > 0; label = pw_str_sub(label, n, label.len)) {
		enum pw_script script;

		if ((n = pw_utf8_get(label, &code)) == 0)
			return false;
		script = pw_script_of(code);
		if (script == PW_SCRIPT_NONE || script == PW_SCRIPT_OTHER)
			continue;
		letters++;
		is_mixed = is_mixed || (first != PW_SCRIPT_NONE && script != first);
		first = script;
		is_all_alike = looks_latin(code, &is_rare) && is_all_alike;
	}
	return is_mixed || (letters > 0 && is_all_alike &&
	                    (letters >= LONG_LABEL || (is_rare && letters > 1)));
}
