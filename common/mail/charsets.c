#include "mail/charsets.h"

#include <iconv.h>

#include "core/base.h"

static const char *const charsets[] = {
	"ISO-8859-1",    "ISO-8859-2",   "ISO-8859-3",   "ISO-8859-4",
	"ISO-8859-5",    "ISO-8859-6",   "ISO-8859-7",   "ISO-8859-8",
	"ISO-8859-9",    "ISO-8859-10",  "ISO-8859-11",  "ISO-8859-13",
	"ISO-8859-14",   "ISO-8859-15",  "ISO-8859-16",  "WINDOWS-1250",
	"WINDOWS-1251",  "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254",
	"WINDOWS-1255",  "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258",
	"WINDOWS-874",   "KOI8-R",       "KOI8-U",       "IBM437",
	"IBM850",        "IBM852",       "IBM866",       "MACINTOSH",
	"TIS-620",       "UTF-7",        "UTF-16",       "UTF-16LE",
	"UTF-16BE",      "UTF-32",       "US-ASCII",     "GB2312",
	"GBK",           "GB18030",      "BIG5",         "BIG5-HKSCS",
	"SHIFT_JIS",     "CP932",        "EUC-JP",       "ISO-2022-JP",
	"ISO-2022-JP-2", "EUC-KR",       "CP949",        "ISO-2022-KR",
	"ISO-2022-CN",   "HZ",           "JOHAB",
};

void pw_charsets_keep(void)
{
	static iconv_t kept[PW_LEN(charsets)]; /* while one is open, its module stays */

	for (size_t i = 0; i < PW_LEN(charsets); i++)
		if (kept[i] == NULL)
			kept[i] = iconv_open("UTF-8", charsets[i]);
}
