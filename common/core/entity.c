#include "core/entity.h"

#include <string.h>

#include "core/ascii.h"

#define NAME_MAX_LEN 16

/* Those of HTML 4, what else stands for a sign of ASCII, for a blank or for nothing, and
 * letters that are taken for others. By name; is_loose: known without ';' too. */
/* clang-format off */
static const struct entity {
	const char *name;
	uint32_t code;
	bool is_loose;
} entities[] = {
	{ "AElig", 0xc6, true }, { "AMP", 0x26, true }, { "Aacute", 0xc1, true }, { "Acirc", 0xc2, true },
	{ "Acy", 0x410, false }, { "Agrave", 0xc0, true }, { "Alpha", 0x391, false },
	{ "ApplyFunction", 0x2061, false }, { "Aring", 0xc5, true }, { "Atilde", 0xc3, true }, { "Auml", 0xc4, true },
	{ "Bcy", 0x411, false }, { "Beta", 0x392, false }, { "CHcy", 0x427, false }, { "COPY", 0xa9, true },
	{ "Cacute", 0x106, false }, { "Ccaron", 0x10c, false }, { "Ccedil", 0xc7, true }, { "Chi", 0x3a7, false },
	{ "DJcy", 0x402, false }, { "DScy", 0x405, false }, { "DZcy", 0x40f, false }, { "Dagger", 0x2021, false },
	{ "Dcy", 0x414, false }, { "Delta", 0x394, false }, { "Dstrok", 0x110, false }, { "ETH", 0xd0, true },
	{ "Eacute", 0xc9, true }, { "Ecirc", 0xca, true }, { "Ecy", 0x42d, false }, { "Egrave", 0xc8, true },
	{ "Epsilon", 0x395, false }, { "Eta", 0x397, false }, { "Euml", 0xcb, true }, { "Fcy", 0x424, false },
	{ "GJcy", 0x403, false }, { "GT", 0x3e, true }, { "Gamma", 0x393, false }, { "Gbreve", 0x11e, false },
	{ "Gcy", 0x413, false }, { "HARDcy", 0x42a, false }, { "Hat", 0x5e, false }, { "IEcy", 0x415, false },
	{ "IOcy", 0x401, false }, { "Iacute", 0xcd, true }, { "Icirc", 0xce, true }, { "Icy", 0x418, false },
	{ "Idot", 0x130, false }, { "Igrave", 0xcc, true }, { "InvisibleComma", 0x2063, false },
	{ "InvisibleTimes", 0x2062, false }, { "Iota", 0x399, false }, { "Iukcy", 0x406, false },
	{ "Iuml", 0xcf, true }, { "Jcy", 0x419, false }, { "Jsercy", 0x408, false }, { "Jukcy", 0x404, false },
	{ "KHcy", 0x425, false }, { "KJcy", 0x40c, false }, { "Kappa", 0x39a, false }, { "Kcy", 0x41a, false },
	{ "LJcy", 0x409, false }, { "LT", 0x3c, true }, { "Lambda", 0x39b, false }, { "Lcy", 0x41b, false },
	{ "Lstrok", 0x141, false }, { "Mcy", 0x41c, false }, { "Mu", 0x39c, false }, { "NJcy", 0x40a, false },
	{ "Ncy", 0x41d, false }, { "NewLine", 0xa, false }, { "NoBreak", 0x2060, false },
	{ "NonBreakingSpace", 0xa0, false }, { "Ntilde", 0xd1, true }, { "Nu", 0x39d, false },
	{ "OElig", 0x152, false }, { "Oacute", 0xd3, true }, { "Ocirc", 0xd4, true }, { "Ocy", 0x41e, false },
	{ "Ograve", 0xd2, true }, { "Omega", 0x3a9, false }, { "Omicron", 0x39f, false }, { "Oslash", 0xd8, true },
	{ "Otilde", 0xd5, true }, { "Ouml", 0xd6, true }, { "Pcy", 0x41f, false }, { "Phi", 0x3a6, false },
	{ "Pi", 0x3a0, false }, { "Prime", 0x2033, false }, { "Psi", 0x3a8, false }, { "QUOT", 0x22, true },
	{ "REG", 0xae, true }, { "Rcy", 0x420, false }, { "Rho", 0x3a1, false }, { "SHCHcy", 0x429, false },
	{ "SHcy", 0x428, false }, { "SOFTcy", 0x42c, false }, { "Scaron", 0x160, false }, { "Scedil", 0x15e, false },
	{ "Scy", 0x421, false }, { "Sigma", 0x3a3, false }, { "THORN", 0xde, true }, { "TRADE", 0x2122, false },
	{ "TSHcy", 0x40b, false }, { "TScy", 0x426, false }, { "Tab", 0x9, false }, { "Tau", 0x3a4, false },
	{ "Tcy", 0x422, false }, { "Theta", 0x398, false }, { "ThinSpace", 0x2009, false }, { "Uacute", 0xda, true },
	{ "Ubrcy", 0x40e, false }, { "Ucirc", 0xdb, true }, { "Ucy", 0x423, false }, { "Ugrave", 0xd9, true },
	{ "UnderBar", 0x5f, false }, { "Upsilon", 0x3a5, false }, { "Uuml", 0xdc, true }, { "Vcy", 0x412, false },
	{ "Xi", 0x39e, false }, { "YAcy", 0x42f, false }, { "YIcy", 0x407, false }, { "YUcy", 0x42e, false },
	{ "Yacute", 0xdd, true }, { "Ycy", 0x42b, false }, { "Yuml", 0x178, false }, { "ZHcy", 0x416, false },
	{ "Zcaron", 0x17d, false }, { "Zcy", 0x417, false }, { "ZeroWidthSpace", 0x200b, false },
	{ "Zeta", 0x396, false }, { "aacute", 0xe1, true }, { "acirc", 0xe2, true }, { "acute", 0xb4, true },
	{ "acy", 0x430, false }, { "aelig", 0xe6, true }, { "agrave", 0xe0, true }, { "alefsym", 0x2135, false },
	{ "alpha", 0x3b1, false }, { "amp", 0x26, true }, { "and", 0x2227, false }, { "ang", 0x2220, false },
	{ "aogon", 0x105, false }, { "apos", 0x27, false }, { "aring", 0xe5, true }, { "ast", 0x2a, false },
	{ "asymp", 0x2248, false }, { "atilde", 0xe3, true }, { "auml", 0xe4, true }, { "bcy", 0x431, false },
	{ "bdquo", 0x201e, false }, { "beta", 0x3b2, false }, { "bigstar", 0x2605, false }, { "brvbar", 0xa6, true },
	{ "bsol", 0x5c, false }, { "bull", 0x2022, false }, { "cacute", 0x107, false }, { "cap", 0x2229, false },
	{ "ccaron", 0x10d, false }, { "ccedil", 0xe7, true }, { "cedil", 0xb8, true }, { "cent", 0xa2, true },
	{ "chcy", 0x447, false }, { "check", 0x2713, false }, { "chi", 0x3c7, false }, { "circ", 0x2c6, false },
	{ "clubs", 0x2663, false }, { "colon", 0x3a, false }, { "comma", 0x2c, false }, { "commat", 0x40, false },
	{ "cong", 0x2245, false }, { "copy", 0xa9, true }, { "crarr", 0x21b5, false }, { "cross", 0x2717, false },
	{ "cup", 0x222a, false }, { "curren", 0xa4, true }, { "dArr", 0x21d3, false }, { "dagger", 0x2020, false },
	{ "darr", 0x2193, false }, { "dash", 0x2010, false }, { "dcy", 0x434, false }, { "deg", 0xb0, true },
	{ "delta", 0x3b4, false }, { "diams", 0x2666, false }, { "divide", 0xf7, true }, { "djcy", 0x452, false },
	{ "dollar", 0x24, false }, { "dscy", 0x455, false }, { "dstrok", 0x111, false }, { "dzcy", 0x45f, false },
	{ "eacute", 0xe9, true }, { "ecirc", 0xea, true }, { "ecy", 0x44d, false }, { "egrave", 0xe8, true },
	{ "empty", 0x2205, false }, { "emsp", 0x2003, false }, { "ensp", 0x2002, false }, { "eogon", 0x119, false },
	{ "epsilon", 0x3b5, false }, { "equals", 0x3d, false }, { "equiv", 0x2261, false }, { "eta", 0x3b7, false },
	{ "eth", 0xf0, true }, { "euml", 0xeb, true }, { "euro", 0x20ac, false }, { "excl", 0x21, false },
	{ "exist", 0x2203, false }, { "fcy", 0x444, false }, { "female", 0x2640, false }, { "fnof", 0x192, false },
	{ "forall", 0x2200, false }, { "frac12", 0xbd, true }, { "frac13", 0x2153, false }, { "frac14", 0xbc, true },
	{ "frac23", 0x2154, false }, { "frac34", 0xbe, true }, { "frasl", 0x2044, false }, { "gamma", 0x3b3, false },
	{ "gbreve", 0x11f, false }, { "gcy", 0x433, false }, { "ge", 0x2265, false }, { "gjcy", 0x453, false },
	{ "grave", 0x60, false }, { "gt", 0x3e, true }, { "hArr", 0x21d4, false }, { "hairsp", 0x200a, false },
	{ "half", 0xbd, false }, { "hardcy", 0x44a, false }, { "harr", 0x2194, false }, { "hearts", 0x2665, false },
	{ "hellip", 0x2026, false }, { "hyphen", 0x2010, false }, { "iacute", 0xed, true }, { "icirc", 0xee, true },
	{ "icy", 0x438, false }, { "iecy", 0x435, false }, { "iexcl", 0xa1, true }, { "igrave", 0xec, true },
	{ "image", 0x2111, false }, { "imath", 0x131, false }, { "infin", 0x221e, false }, { "inodot", 0x131, false },
	{ "int", 0x222b, false }, { "iocy", 0x451, false }, { "iota", 0x3b9, false }, { "iquest", 0xbf, true },
	{ "isin", 0x2208, false }, { "iukcy", 0x456, false }, { "iuml", 0xef, true }, { "jcy", 0x439, false },
	{ "jsercy", 0x458, false }, { "jukcy", 0x454, false }, { "kappa", 0x3ba, false }, { "kcy", 0x43a, false },
	{ "khcy", 0x445, false }, { "kjcy", 0x45c, false }, { "lArr", 0x21d0, false }, { "lambda", 0x3bb, false },
	{ "lang", 0x2329, false }, { "laquo", 0xab, true }, { "larr", 0x2190, false }, { "lbrace", 0x7b, false },
	{ "lbrack", 0x5b, false }, { "lceil", 0x2308, false }, { "lcub", 0x7b, false }, { "lcy", 0x43b, false },
	{ "ldquo", 0x201c, false }, { "le", 0x2264, false }, { "lfloor", 0x230a, false }, { "ljcy", 0x459, false },
	{ "lowast", 0x2217, false }, { "lowbar", 0x5f, false }, { "loz", 0x25ca, false }, { "lpar", 0x28, false },
	{ "lrm", 0x200e, false }, { "lsaquo", 0x2039, false }, { "lsqb", 0x5b, false }, { "lsquo", 0x2018, false },
	{ "lstrok", 0x142, false }, { "lt", 0x3c, true }, { "macr", 0xaf, true }, { "male", 0x2642, false },
	{ "mcy", 0x43c, false }, { "mdash", 0x2014, false }, { "micro", 0xb5, true }, { "middot", 0xb7, true },
	{ "minus", 0x2212, false }, { "mu", 0x3bc, false }, { "nabla", 0x2207, false }, { "nacute", 0x144, false },
	{ "nbsp", 0xa0, true }, { "ncy", 0x43d, false }, { "ndash", 0x2013, false }, { "ne", 0x2260, false },
	{ "ni", 0x220b, false }, { "njcy", 0x45a, false }, { "not", 0xac, true }, { "notin", 0x2209, false },
	{ "nsub", 0x2284, false }, { "ntilde", 0xf1, true }, { "nu", 0x3bd, false }, { "num", 0x23, false },
	{ "numsp", 0x2007, false }, { "oacute", 0xf3, true }, { "ocirc", 0xf4, true }, { "ocy", 0x43e, false },
	{ "oelig", 0x153, false }, { "ograve", 0xf2, true }, { "oline", 0x203e, false }, { "omega", 0x3c9, false },
	{ "omicron", 0x3bf, false }, { "oplus", 0x2295, false }, { "or", 0x2228, false }, { "ordf", 0xaa, true },
	{ "ordm", 0xba, true }, { "oslash", 0xf8, true }, { "otilde", 0xf5, true }, { "otimes", 0x2297, false },
	{ "ouml", 0xf6, true }, { "para", 0xb6, true }, { "part", 0x2202, false }, { "pcy", 0x43f, false },
	{ "percnt", 0x25, false }, { "period", 0x2e, false }, { "permil", 0x2030, false }, { "perp", 0x22a5, false },
	{ "phi", 0x3c6, false }, { "phone", 0x260e, false }, { "pi", 0x3c0, false }, { "piv", 0x3d6, false },
	{ "plus", 0x2b, false }, { "plusmn", 0xb1, true }, { "pound", 0xa3, true }, { "prime", 0x2032, false },
	{ "prod", 0x220f, false }, { "prop", 0x221d, false }, { "psi", 0x3c8, false }, { "puncsp", 0x2008, false },
	{ "quest", 0x3f, false }, { "quot", 0x22, true }, { "rArr", 0x21d2, false }, { "radic", 0x221a, false },
	{ "rang", 0x232a, false }, { "raquo", 0xbb, true }, { "rarr", 0x2192, false }, { "rbrace", 0x7d, false },
	{ "rbrack", 0x5d, false }, { "rceil", 0x2309, false }, { "rcub", 0x7d, false }, { "rcy", 0x440, false },
	{ "rdquo", 0x201d, false }, { "real", 0x211c, false }, { "reg", 0xae, true }, { "rfloor", 0x230b, false },
	{ "rho", 0x3c1, false }, { "rlm", 0x200f, false }, { "rpar", 0x29, false }, { "rsaquo", 0x203a, false },
	{ "rsqb", 0x5d, false }, { "rsquo", 0x2019, false }, { "sacute", 0x15b, false }, { "sbquo", 0x201a, false },
	{ "scaron", 0x161, false }, { "scedil", 0x15f, false }, { "scy", 0x441, false }, { "sdot", 0x22c5, false },
	{ "sect", 0xa7, true }, { "semi", 0x3b, false }, { "shchcy", 0x449, false }, { "shcy", 0x448, false },
	{ "shy", 0xad, true }, { "sigma", 0x3c3, false }, { "sigmaf", 0x3c2, false }, { "sim", 0x223c, false },
	{ "softcy", 0x44c, false }, { "sol", 0x2f, false }, { "spades", 0x2660, false }, { "star", 0x2606, false },
	{ "starf", 0x2605, false }, { "sub", 0x2282, false }, { "sube", 0x2286, false }, { "sum", 0x2211, false },
	{ "sup", 0x2283, false }, { "sup1", 0xb9, true }, { "sup2", 0xb2, true }, { "sup3", 0xb3, true },
	{ "supe", 0x2287, false }, { "szlig", 0xdf, true }, { "tau", 0x3c4, false }, { "tcy", 0x442, false },
	{ "there4", 0x2234, false }, { "theta", 0x3b8, false }, { "thetasym", 0x3d1, false },
	{ "thinsp", 0x2009, false }, { "thorn", 0xfe, true }, { "tilde", 0x2dc, false }, { "times", 0xd7, true },
	{ "trade", 0x2122, false }, { "tscy", 0x446, false }, { "tshcy", 0x45b, false }, { "uArr", 0x21d1, false },
	{ "uacute", 0xfa, true }, { "uarr", 0x2191, false }, { "ubrcy", 0x45e, false }, { "ucirc", 0xfb, true },
	{ "ucy", 0x443, false }, { "ugrave", 0xf9, true }, { "uml", 0xa8, true }, { "upsih", 0x3d2, false },
	{ "upsilon", 0x3c5, false }, { "uuml", 0xfc, true }, { "vcy", 0x432, false }, { "verbar", 0x7c, false },
	{ "vert", 0x7c, false }, { "weierp", 0x2118, false }, { "xi", 0x3be, false }, { "yacute", 0xfd, true },
	{ "yacy", 0x44f, false }, { "ycy", 0x44b, false }, { "yen", 0xa5, true }, { "yicy", 0x457, false },
	{ "yucy", 0x44e, false }, { "yuml", 0xff, true }, { "zacute", 0x17a, false }, { "zcaron", 0x17e, false },
	{ "zcy", 0x437, false }, { "zdot", 0x17c, false }, { "zeta", 0x3b6, false }, { "zhcy", 0x436, false },
	{ "zwj", 0x200d, false }, { "zwnj", 0x200c, false },
};

/* 0x80..0x9f are windows-1252 to whoever writes them (HTML 13.2.5.80). */
static const uint16_t c1[32] = {
	0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,
	0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a,
	0x153,  0x9d,   0x17e,  0x178,
};
/* clang-format on */

static uint32_t repair(uint64_t value)
{
	if (value >= 0x80 && value < 0xa0)
		return c1[value - 0x80];
	if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0xfffd;
	return (uint32_t)value;
}

/* "65;", "x41;" behind "&#"; any number of zeros. */
static size_t get_number(struct pw_str s, uint32_t *code)
{
	bool is_hex = s.len > 0 && pw_lower(s.at[0]) == 'x';
	size_t i = is_hex ? 1 : 0, start = i;
	uint64_t value = 0;

	for (; i < s.len; i++) {
		int digit = pw_hex_value(s.at[i]);

		if (digit < 0 || (!is_hex && digit > 9))
			break;
		if (value <= 0x10ffff)
			value = value * (is_hex ? 16 : 10) + (unsigned)digit;
	}
	if (i == start)
		return 0;
	*code = repair(value);
	return i < s.len && s.at[i] == ';' ? i + 1 : i;
}

static const struct entity *find(struct pw_str name)
{
	size_t low = 0, high = PW_LEN(entities);

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strncmp(name.at, entities[middle].name, name.len);

		if (order == 0 && entities[middle].name[name.len] == '\0')
			return &entities[middle];
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static size_t get_name(struct pw_str s, bool is_attribute, uint32_t *code)
{
	const struct entity *row = NULL;
	size_t len = 0;

	while (len < s.len && len < NAME_MAX_LEN && pw_is_alnum(s.at[len]))
		len++;
	if (len > 0 && len < s.len && s.at[len] == ';' &&
	    (row = find(pw_str_sub(s, 0, len))) != NULL) {
		*code = row->code;
		return len + 1;
	}
	/* "?a=1&copy=2" is no sign of copyright */
	if (is_attribute && len < s.len && (s.at[len] == '=' || pw_is_alnum(s.at[len])))
		return 0;
	for (; len > 1; len--) {
		row = find(pw_str_sub(s, 0, len));
		if (row == NULL || !row->is_loose)
			continue;
		*code = row->code;
		return len;
	}
	return 0;
}

size_t pw_entity_get(struct pw_str s, bool is_attribute, uint32_t *code_out)
{
	size_t n;

	s = pw_str_sub(s, 1, s.len);
	if (pw_str_starts(s, PW_STR("#"))) {
		n = get_number(pw_str_sub(s, 1, s.len), code_out);
		return n > 0 ? n + 2 : 0;
	}
	n = get_name(s, is_attribute, code_out);
	return n > 0 ? n + 1 : 0;
}
