#!/usr/bin/python3
"""Second opinion on DKIM signatures: python3-dkim verifies every signature of the messages.

usage: dkim_verify.py ZONE.json FILE...    one line a signature: FILE INDEX pass|fail
"""
import json
import sys

import dkim


def lookup_in(zone):
    def lookup(name, timeout=None):
        records = zone.get(name.decode().rstrip("."), {}).get("TXT", [])
        return records[0].encode() if records else None
    return lookup


def main(zone_path, paths):
    with open(zone_path, encoding="utf-8") as file:
        lookup = lookup_in(json.load(file))
    for path in paths:
        with open(path, "rb") as file:
            message = file.read()
        count = sum(1 for name, _ in dkim.rfc822_parse(message)[0]
                    if name.lower() == b"dkim-signature")
        for index in range(count):
            try:
                ok = dkim.DKIM(message).verify(idx=index, dnsfunc=lookup)
            except dkim.DKIMException:
                ok = False
            print(path, index, "pass" if ok else "fail")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
