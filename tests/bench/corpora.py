"""Mail corpora for the benches of scores: unpacked, cleaned of what tells the label, each message with the
envelope it came with.

Cleaning is the same for every system and a fixed function of the bytes. For all corpora: the mbox line goes,
fields of filters and of the reader's mailbox go, [SPAM] goes out of Subject, names the collectors put in place
of the recipient are replaced. For those whose ham and spam come through lists and traps (profile `lists`), besides:
fields of lists and receivers go, list names and addresses are replaced, footers are cut, the Received fields of the
collector go down to the one in which a foreign host handed the message over."""
import hashlib
import json
import re
import shutil
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path

I = re.I
CORPORA = "corpus", "corpus-2010", "corpus-new"
LISTED = {"corpus-new"}  # profile lists
NOBODY = "user@example.net"
FILTERS = re.compile(
    r"(x-)?spam(d)?(-.*)?$|x-va-spam|x-spam|x-rspam|x-barracuda|x-asg-|x-bitdefender|x-rc-(spam|virus)|x-amavis|"
    r"xstatus$|xlevel$|xchecker|x-policyd|x-cm-(score|analysis)|x-vr-|x-greylist|x-brightmail|x-ironport|ironport|"
    r"x-amp-|x-mimecast-(spam|bulk)|x-cfilter|x-headers-end|x-authority-analysis|x-helo-check|x-bogosity|x-mailscanner|"
    r"x-virus|x-scanned|x-antivirus|x-antispam|x-sid-|x-message-(delivery|info|flag)|x-sender-ip|x-dspam|x-crm114|"
    r"x-pmx|x-proofpoint|x-policy|x-forefront|x-microsoft-antispam|x-ms-|x-eop|"
    r"x-incoming|x-exchange-antispam|x-sfv|x-ovh-spam|x-cloudmark|"
    r"x-mozilla|x-account-key|x-uidl|x-keywords$|x-status$|status$|x-keys|delivery-date$|x-evolution|x-imap|"
    r"x-original-authentication-results|authentication-results-original|x-getmail|"
    r"x-gmail-labels|x-forwarded-encrypted|x-gm-(message|features|gg)|x-google-(smtp|dkim|group)|x-antiabuse|"
    r"x-(amp|cm)-|x-microsoft-exchange-diag|x-.*spam", I)
OF_LISTS = re.compile(
    r"list-(id|post|help|owner|archive|subscribe)$|mailing-list$|x-(mailing-list|mailman|beenthere|list|loop|original-to|"
    r"original-sender|original-from|mailfrom|message-id-hash|gm-original|google-appengine)|message-id-hash$|archived-at$|"
    r"precedence$|errors-to$|delivered-to$|received-spf$|x-received$|authentication-results$|arc-|x-srs-rewrite|"
    r"x-original-date$|x-no-archive$|x-extloop|x-amavis|return-path$", I)
LISTS = ("clang-built-linux", "linux-alpha", "linux-f2fs-devel", "linux-man", "linux-ntfs-dev", "linux-sctp", "usrp-users",
         "osst-users", "industrypack-devel")
NAMES = "|".join(LISTS)
HOSTS = (r"(?:lists?\.sourceforge\.net|vger\.kernel\.org|googlegroups\.com|lists\.ettus\.com|lfdr\.de|"
         r"lists\.(?:01|infradead)\.org)")
LIST_ADDRESS = re.compile(rf"(?:lists\+)?(?:{NAMES})(?:[-+][\w.+=-]*)?@[\w.-]+".encode(), I)
LIST_NAME = re.compile(rf"(?:{NAMES}|industrypack(?:[ _]devel)?|\bosst\b(?:[ _]users)?)".encode(), I)
LIST_TAG = re.compile(rf"\[(?:{NAMES}|f2fs-dev|ntfs-dev)\]\s*".encode(), I)
LIST_HOST = re.compile(HOSTS.encode() + rb"|sourceforge\.(?:net|com)|ettus\.com", I)
OUTLOOK = rb"\S*\.(?:prod|protection)\.outlook\.com|\S*\.outlook\.office365\.com"
SOURCEFORGE = rb"lists\.sourceforge\.net|\S*sourceforge\.(?:com|net)"
# Hosts of the list or the collector: their Received fields are after the fact.
BY_COLLECTOR = re.compile(
    rb"\bby\s+(?:\S*\.)?(?:mail\.lfdr\.de|lfdr\.de|lfdr|sf[is]-\S+|mx\.sourceforge\.net|" + SOURCEFORGE +
    rb"|vger\.kernel\.org|(?:smtp|sv|sy|ny|am|dfw|tor|wormhole|transwarp)\S*\.(?:mirrors|subspace)\.kernel\.org|"
    rb"smtp\.subspace\.kernel\.org|lindbergh\.monkeyblade\.net|(?:gmr-)?mx\.google\.com|(?:[0-9a-f]+:)+\S*|"
    rb"lists\.ettus\.com|mm2\.emwd\.com|emwd\.com|\S*\.emwd\.com|" + OUTLOOK + rb")(?=[\s;(]|$)", I)
FROM_COLLECTOR = re.compile(
    rb"^\s*from\s+(?!\S*outbound\.protection)(?:\S*\.)?(?:mail\.lfdr\.de|lfdr|\[127\.0\.0\.1\]|\[::1\]|"
    rb"localhost(?:\.localdomain)?|\[172\.\S+|" + SOURCEFORGE + rb"|vger\.kernel\.org|lindbergh\.monkeyblade\.net|"
    rb"\S*\.(?:mirrors|subspace)\.kernel\.org|\S*\.ettus\.com|\S*emwd\.com|" + OUTLOOK + rb")[\s(;]", I)
FOOTERS = (re.compile(rb"\n_{30,}\n[^\n]{0,60}mailing list[^\n]*\n"
                      rb"(?:[^\n]*(?:lists?\.|mailman|unsubscribe)[^\n]*\n?){1,4}", I),
           re.compile(rb"\n-- ?\nYou received this message because you are subscribed to the Google Groups.*?"
                      rb"(?:\n\n|\n--|\Z)", I | re.S))
SPAM_TAG = re.compile(rb"\s*(?:\*{3,}|\[)\s*(?:suspected |possible |virus/)?spam\s*(?:\*{3,}|\])", I)
OWN_SIGNATURE = re.compile(rb"\bd=(?:lists\.)?(?:sourceforge\.net|lfdr\.de|sf\.net|googlegroups\.com|vger\.kernel\.org|"
                           rb"[\w.]*ettus\.com|emwd\.com);", I)
REMOVED_RCPT = re.compile(rb"(?m)^((?:delivered-to|to|from|cc|bcc|return-path|reply-to):)\s*<?\[removed\]>?[ \t]*$", I)
ADDRESS = re.compile(rb"[\w.+=-]+@[\w.-]+")
FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
IP = rb"(?:IPv6:)?((?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]*:[0-9a-f:]+[0-9a-f])"
UNSAFE = re.compile(r"[^\w.-]")
NOT_PUBLIC = re.compile(r"(0|10|127|169\.254|172\.(1[6-9]|2\d|3[01])|192\.168|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|"
                        r"22[4-9]|2[345]\d)\.")
TRACE = "received", "return-path", "delivered-to", "x-original-to"


@dataclass(frozen=True)
class Mail:
    """One message: `path` holds it as an MX gets it, without the field the MX itself writes."""

    corpus: str
    label: str  # ham or spam
    source: str
    path: str
    ip: str
    client: str  # the name the neutral DNS gives that address
    helo: str
    sender: str
    recipient: str
    date: str  # of the handing over, as it stood in Received
    digest: str  # sha256 of the message as it was

    def fold(self, count):
        return int(self.digest[:8], 16) % count


def fields_of(head):
    """[[name in lower case, whole text, value]] of a header with LF."""
    found = []
    for line in head.split(b"\n"):
        if line[:1] in (b" ", b"\t") and found:
            found[-1] += b"\n" + line
        else:
            found.append(line)
    rows = []
    for text in found:
        match = FIELD.match(text)
        rows.append([match[1].decode().lower() if match else "", text, text[match.end():] if match else b""])
    return rows


def handed_over(rows, source):
    """Index of the Received field in which a foreign host hands the message to the collector, or None; and those
    above it, which go."""
    drop, entry = set(), None
    for i, (name, _, value) in enumerate(rows):
        if name != "received":
            continue
        google = (re.match(rb"\s*by\s+\S+", value) and entry is None and
                  source in ("clang-built-linux", "e-mail-spam-archive"))
        if not google and not BY_COLLECTOR.search(value) and not (
                source == "clang-built-linux" and b"lfdr.de>" in value):
            break
        if entry is not None:
            drop.add(entry)
        entry = i
        if not google and not FROM_COLLECTOR.match(value) and re.match(rb"\s*from\s", value) and b"lfdr.de" not in value:
            break
    if entry is not None and (FROM_COLLECTOR.match(rows[entry][2]) or not re.match(rb"\s*from\s", rows[entry][2])):
        drop.add(entry)
        entry = None
    return entry, drop


def is_of_collector(name, value, source, rows):
    """Fields of the list, of the trap, of the receiver."""
    if OF_LISTS.match(name):
        return True
    if name in ("list-unsubscribe", "sender"):
        return bool(LIST_NAME.search(value) or LIST_HOST.search(value))
    if name == "list-unsubscribe-post":
        return not any(n == "list-unsubscribe" and not LIST_HOST.search(v) for n, _, v in rows)
    if name in ("message-id", "resent-message-id"):
        return bool(re.search(rb"@sfs-ml-|\.eop-[\w.-]*prod\.protection\.outlook", value, I))
    if name in ("dkim-signature", "domainkey-signature"):
        return bool(OWN_SIGNATURE.search(re.sub(rb"\s", b"", value) + b";"))
    if name == "reply-to":
        sender = next((v for n, _, v in rows if n == "from"), b"")
        return bool(LIST_ADDRESS.search(value) and source in LISTS or LIST_ADDRESS.search(sender))
    return source == "usrp-users" and re.match(
        r"x-source|x-get-message-sender|x-authenticated-sender|x-sender", name) is not None


def true_from(value, rows):
    """From as it was before the list put itself there for DMARC's sake."""
    first = {name: text for name, _, text in reversed(rows)}
    other = first.get("x-original-from") or first.get("reply-to") or first.get("x-mailfrom")
    shown = re.sub(rb"""["']?\s+via\s+.*""", b"", value, flags=I | re.S).strip(b" \"'\n\t").replace(b'"', b"")
    match = ADDRESS.search(other) if other else None
    address = match[0] if match and not LIST_ADDRESS.search(match[0]) else NOBODY.encode()
    return b"From: " + (b'"' + shown + b'" ' if shown else b"") + b"<" + address + b">"


def without_lists(rows, source, digest):
    """Header rows of a message that came through a list or a trap, and its entry."""
    entry, drop = handed_over(rows, source)
    kept, at = [], None
    for i, (name, text, value) in enumerate(rows):
        if i == entry:
            at = len(kept)
        elif i in drop or is_of_collector(name, value, source, rows):
            continue
        if source == "e-mail-spam-archive" and name and not value.strip():  # made empty by its owner
            if name not in ("from", "to"):
                continue
            text += b" " + NOBODY.encode()
        if source == "e-mail-spam-archive" and name == "message-id" and b"[removed]" in value:
            text = b"Message-ID: <" + digest[:24].encode() + b"@mail.example.org>"
        if name == "from" and re.search(rb"\bvia\b", value, I) and (LIST_ADDRESS.search(value) or b" via " in value):
            text = true_from(value, rows)
        if name == "subject":
            text = LIST_TAG.sub(b"", text)
        kept.append([name, text, text[len(text) - len(value):] if text.endswith(value) else text.partition(b":")[2]])
    return kept, at


def without_names(data):
    data = REMOVED_RCPT.sub(rb"\1 " + NOBODY.encode(), data)
    data = data.replace(b"[removed]", NOBODY.encode())
    for footer in FOOTERS:
        data = footer.sub(b"\n", data)
    data = LIST_NAME.sub(b"project", LIST_ADDRESS.sub(NOBODY.encode(), data))
    data = re.sub(HOSTS.encode(), b"example.net", data, flags=I)
    return re.sub(rb"\bsourceforge(?:\.net)?\b", b"example", data, flags=I)


def stranger(value, digest, is_sure):
    """(address, HELO, date) of the client by a Received field, or None. is_sure: it is the right field, and an
    address that is no public IPv4 one gets a stand-in."""
    text = re.sub(rb"\s+", b" ", value).strip()
    way, date = re.split(rb"\bby\s+\S", text, maxsplit=1)[0], text.rsplit(b";", 1)[-1].strip() if b";" in text else b""
    found = [m[1].decode() for m in re.finditer(rb"[\[(]" + IP + rb"[\])]", way, I)]
    address = next((a for a in found if "." in a and not NOT_PUBLIC.match(a) and all(int(n) < 256 for n in a.split("."))),
                   None)
    if address is None and not is_sure:
        return None
    helo = re.search(rb"helo[= ]\[?([^\s)\]]+)", way, I) or re.match(rb"from\s+([^\s(]+)", way, I)
    return address or stand_in(digest), helo[1].decode(errors="replace") if helo else "", date.decode(errors="replace")


def stand_in(digest):
    """A public address for a client of which none is known."""
    return f"45.45.{int(digest[:2], 16)}.{1 + int(digest[2:4], 16) % 254}"


def one_address(rows, names):
    for name in names:
        for n, _, value in rows:
            if n == name:
                match = re.search(rb"<(\S*@[^\s>]*|)>", value) or re.search(rb"([^\s<>,;\"()\[\]:]+@[^\s<>,;\"()\[\]]+)",
                                                                            value)
                if match:
                    return match[1].decode("ascii", "ignore")[:250]
    return None


def clean(data, corpus, source):
    """(message as the MX gets it, envelope as a dictionary)."""
    digest = hashlib.sha256(data).hexdigest()
    data, mbox_sender = data.replace(b"\r\n", b"\n"), None
    while re.match(rb">?From ", data):
        line, _, data = data.partition(b"\n")
        mbox_sender = mbox_sender or line.split()[1].decode("ascii", "ignore")
    head, gap, body = data.partition(b"\n\n")
    rows = [r for r in fields_of(head) if not (r[0] and FILTERS.match(r[0]))]
    for row in rows:
        if row[0] == "subject":
            row[1:] = [SPAM_TAG.sub(b"", row[1]), SPAM_TAG.sub(b"", row[2])]
    entry = None
    if corpus in LISTED:
        rows, entry = without_lists(rows, source, digest)
    envelope = envelope_of(rows, entry, mbox_sender, digest)
    rows = [r for i, r in enumerate(rows) if i > envelope["entry"] or r[0] not in TRACE]
    data = b"\n".join(r[1] for r in rows) + (b"\n\n" + body if gap else b"\n")
    data = re.sub(rb"phishing([@=])pot", rb"user\1example.net", data, flags=I)
    return without_names(data) if corpus in LISTED else data, envelope


def envelope_of(rows, entry, mbox_sender, digest):
    seen, client = -1, None
    received = [i for i, r in enumerate(rows) if r[0] == "received"]
    for i in [entry] if entry is not None else received[:5]:
        client = stranger(rows[i][2], digest, i == entry)
        if client is not None:
            seen = i
            break
    ip, helo, date = client or (stand_in(digest), "", "")
    name = f"p-{ip.replace('.', '-')}.rev.test"
    sender = one_address(rows, ("return-path",)) if mbox_sender is None or "@" not in mbox_sender else mbox_sender
    if sender is None:
        sender = one_address(rows, ("from", "sender")) or ""
    recipient = one_address(rows, ("delivered-to", "x-original-to", "to", "cc")) or NOBODY
    return {"entry": seen, "ip": ip, "client": name, "helo": plain(helo) or name, "sender": neutral(plain(sender)),
            "recipient": neutral(plain(recipient)) or NOBODY, "date": plain(date), "digest": digest}


def neutral(address):
    """An address in which the collector's own does not show."""
    is_own = re.search(r"phishing[@=]pot|\[removed\]", address) or LIST_ADDRESS.search(address.encode())
    return NOBODY if is_own else address


def plain(text):
    """Printable ASCII: it stands in a line of a list."""
    return "".join(c for c in text if " " <= c <= "~").strip()


def label_of(parts):
    """ham or spam, by the folders a message lies in; None: it is no message."""
    for part in reversed(parts[:-1]):
        if part in ("ham", "spam", "phish"):
            return "ham" if part == "ham" else "spam"
    return None


def in_archives(folder):
    """(label, source, name, bytes) of a corpus of the data folder."""
    for archive in ("ham", "spam", "phish"):
        path = folder / f"{archive}.tar.xz"
        if not path.exists():
            continue
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isfile():
                    source, name = member.name.split("/")[-2:]
                    yield "ham" if archive == "ham" else "spam", source, name, tar.extractfile(member).read()


def in_folders(folder):
    """The same of a folder with ham/ and spam/ below, whatever lies between."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        label = label_of(path.relative_to(folder).parts)
        if label:
            source, gap, name = path.name.rpartition("__")
            yield label, source.removeprefix("phish__") if gap else path.parent.name, name, path.read_bytes()


def corpus_name(folder):
    """What decides how it is cleaned: the known name among its folders, else its own."""
    return next((part for part in reversed(folder.parts) if part in CORPORA), folder.name)


def fingerprint(folder):
    """Changes with the messages and with what cleans them."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and (p.suffix == ".xz" or label_of(p.parts))):
        total.update(str(path.relative_to(folder)).encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def prepare(folder, work, corpus=None):
    """[Mail] of a corpus: a folder of archives, or with ham/ and spam/ below. Unpacked into `work` once."""
    corpus = corpus or corpus_name(folder)
    place = work / f"{corpus}-{fingerprint(folder)}"
    index = place / "index.jsonl"
    if not index.exists():
        shutil.rmtree(place, ignore_errors=True)
        has_archives = (folder / "ham.tar.xz").exists()
        rows = [asdict(m) for m in write(in_archives(folder) if has_archives else in_folders(folder), corpus, place)]
        if not rows:
            raise SystemExit(f"{folder}: no messages in ham/ and spam/ below, nor ham.tar.xz")
        index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [Mail(**json.loads(line)) for line in index.read_text().splitlines()]


def write(found, corpus, place):
    for label in ("ham", "spam"):
        (place / label).mkdir(parents=True)
    for label, source, name, data in found:
        text, envelope = clean(data, corpus, source)
        del envelope["entry"]
        path = place / label / f"{source}__{UNSAFE.sub('_', name)}"
        path.write_bytes(text)
        yield Mail(corpus=corpus, label=label, source=source, path=str(path), **envelope)


def corpora_below(folder):
    """Folders of corpora in a folder: those known by name, or itself."""
    known = [folder / name for name in CORPORA if (folder / name).is_dir()]
    return known or [folder]


def delivered(mail):
    """The message as it lies in a mailbox: with the fields its MX and its delivery agent wrote."""
    date = mail.date or "Thu, 1 Jan 2026 00:00:00 +0000"
    return (f"Return-Path: <{mail.sender}>\nReceived: from {mail.helo} ({mail.client} [{mail.ip}])\n"
            f"\tby mx.example.net (Postfix) with ESMTP id {mail.digest[:11].upper()}\n"
            f"\tfor <{mail.recipient}>; {date}\n").encode() + Path(mail.path).read_bytes()
