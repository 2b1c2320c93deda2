"""A strict reader of Prometheus' text format 0.0.4, which refuses what Prometheus or node_exporter would."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{(?:{LABEL}(?:,{LABEL})*,?)?\}})? (\S+)")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")


def read(text):
    """{sample with its labels: value}; ValueError with the line that is wrong."""
    assert text.endswith("\n"), "the last line has no end"
    samples, types, helps, family = {}, {}, set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            if name in helps or name in types:
                raise ValueError(f"HELP late or twice: {line}")
            helps.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in types or kind not in TYPES:
                raise ValueError(f"TYPE twice or unknown: {line}")
            types[name] = kind
            family = name
        else:
            samples.update([sample(line, family, types, samples)])
    return samples


def sample(line, family, types, samples):
    match = SAMPLE.fullmatch(line)
    if not match:
        raise ValueError(f"no sample: {line}")
    name, labels, value = match.groups()
    parts = ("", "_bucket", "_sum", "_count") if types.get(family) in ("histogram", "summary") else ("",)
    if name not in [f"{family}{part}" for part in parts]:
        raise ValueError(f"outside of its family: {line}")
    key = name + (labels or "")
    if key in samples:
        raise ValueError(f"twice: {line}")
    return key, float(value)
