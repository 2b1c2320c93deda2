/* Names that checks look up. Sorted by nothing: each list is short. */
#include "mail/checks_room.h"

/* clang-format off */
static const char *const freemail[] = {
	"gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de", "yahoo.it",
	"yahoo.es", "yahoo.co.in", "yahoo.in", "yahoo.com.br", "yahoo.ca", "yahoo.com.hk", "yahoo.co.jp",
	"ymail.com", "rocketmail.com", "myyahoo.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr",
	"hotmail.it", "hotmail.de", "outlook.com", "outlook.fr", "outlook.de", "live.com", "live.co.uk",
	"live.fr", "msn.com", "aol.com", "aim.com", "gmx.com", "gmx.de", "gmx.net", "gmx.us", "web.de",
	"mail.com", "email.com", "usa.com", "post.com", "consultant.com", "mail.ru", "inbox.ru", "list.ru",
	"bk.ru", "yandex.ru", "yandex.com", "rambler.ru", "icloud.com", "me.com", "mac.com", "proton.me",
	"protonmail.com", "zoho.com", "qq.com", "163.com", "126.com", "sina.com", "yeah.net", "foxmail.com",
	"aliyun.com", "139.com", "sohu.com", "21cn.com", "263.net", "tom.com", "naver.com", "hanmail.net",
	"daum.net", "libero.it", "virgilio.it", "tiscali.it", "free.fr", "laposte.net", "orange.fr", "wanadoo.fr",
	"terra.com.br", "uol.com.br", "bol.com.br", "ig.com.br", "rediffmail.com", "lycos.com", "excite.com",
	"netscape.net", "juno.com", "netzero.net", "fastmail.com", "hushmail.com", "tutanota.com", "seznam.cz",
	"o2.pl", "wp.pl", "interia.pl", "t-online.de", "freenet.de", "arcor.de", "comcast.net", "att.net",
	"verizon.net", "sbcglobal.net", "bellsouth.net", "cox.net", "earthlink.net", "btinternet.com",
	"eircom.net", "telkom.net", "indiatimes.com", "sify.com", "walla.com", "mailinator.com", NULL
};
static const char *const shorteners[] = {
	"bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "buff.ly", "rb.gy", "cutt.ly", "shorturl.at",
	"t.ly", "lnkd.in", "rebrand.ly", "tiny.cc", "s.id", "bl.ink", "shorte.st", "adf.ly", "v.gd", "qrco.de",
	"tiny.one", "u.to", "clck.ru", "bit.do", "snip.ly", "urlz.fr", "me2.do", "n9.cl", "acortar.link",
	"encurtador.com.br", "surl.li", "l.ead.me", "did.li", "url.cn", NULL
};
static const char *const free_hosting[] = {
	"storage.googleapis.com", "web.app", "firebaseapp.com", "pages.dev", "workers.dev", "r2.dev",
	"blob.core.windows.net", "web.core.windows.net", "azurewebsites.net", "weebly.com", "wixsite.com",
	"blogspot.com", "sites.google.com", "docs.google.com", "forms.gle", "netlify.app", "vercel.app",
	"herokuapp.com", "glitch.me", "repl.co", "000webhostapp.com", "square.site", "godaddysites.com",
	"wordpress.com", "webflow.io", "framer.app", "notion.site", "s3.amazonaws.com", "amplifyapp.com",
	"ngrok.io", "ngrok-free.app", "trycloudflare.com", "duckdns.org", "ddns.net", "hopto.org", "serveo.net",
	"geocities.com", "tripod.com", "angelfire.com", "cloudfront.net", "ipfs.io", "dweb.link", "fleek.co",
	"page.link", "linktr.ee", "typeform.com", "jotform.com", "formstack.com", "translate.goog",
	"spaces.live.com", "livejournal.com", "mybloglog.com", "freewebs.com", NULL
};
static const char *const bad_tlds[] = {
	"top", "xyz", "icu", "buzz", "cyou", "click", "link", "monster", "rest", "surf", "cam", "quest", "sbs",
	"cfd", "bond", "shop", "store", "live", "online", "site", "fun", "club", "work", "loan", "win", "bid",
	"stream", "download", "review", "trade", "date", "racing", "party", "science", "gq", "ml", "cf", "tk", "ga",
	"biz", "ru", "cn", "su", "pw", "ws", "vip", "best", "beauty", "hair", "skin", "lol", "mom", "autos",
	"boats", "makeup", "support", "zip", "mov", "homes", "yachts", "pro", "bar", "life", "world", "today", NULL
};
static const char *const programs[] = {
	"exe", "scr", "pif", "com", "bat", "cmd", "js", "jse", "vbs", "vbe", "wsf", "wsh", "hta", "lnk", "iso", "img",
	"vhd", "vhdx", "msi", "msp", "cpl", "jar", "ps1", "psm1", "reg", "chm", "dll", "ocx", "one", "xll", "ace",
	"application", "gadget", "inf", "sct", "url", "cab", "arj", "lzh", "uue", "xlam", "docm", "xlsm", "r00",
	"appx", "msix", "library-ms", "settingcontent-ms", NULL
};
static const char *const documents[] = {
	"pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "rtf", "jpg", "jpeg", "png", "gif", "mp3", "mp4",
	"avi", "htm", "html", "csv", "zip", NULL
};
/* clang-format on */

static const char *const *const lists[PW_LISTS] = {
	freemail, shorteners, free_hosting, bad_tlds, programs, documents,
};

static bool matches(enum pw_list list, struct pw_str name, struct pw_str entry)
{
	if (pw_str_eq_nocase(name, entry))
		return true;
	return list == PW_LIST_FREE_HOSTING && name.len > entry.len + 1 &&
	       pw_str_ends_nocase(name, entry) &&
	       name.at[name.len - entry.len - 1] == '.';
}

bool pw_list_has(enum pw_list list, struct pw_str name)
{
	for (size_t i = 0; lists[list][i] != NULL; i++)
		if (matches(list, name, pw_str_from(lists[list][i])))
			return true;
	return false;
}
