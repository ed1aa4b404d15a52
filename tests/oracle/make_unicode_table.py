"""Makes unicode.txt, the characters on which the tokenizers' references and Java's releases disagree, and
unicode-sweep.jsonl.gz, what the references make of every character, alone and beside combining marks.

Usage: make_unicode_table.py TOKENIZERS MAIN TEST
TOKENIZERS is a copy of tests/cases/tokenizers with its .gz files gunzipped; MAIN and TEST are src/main/resources/ and src/test/resources/ of models, down to
dev/darkroom/tokenizers.

Needs Python 3.11 (whose unicodedata is Unicode 14), regex 2026.11.19 (18), transformers 4.57.1, tokenizers 0.22.1 (its
regular expressions and lower case are 16, its normalizers 9), sentencepiece 0.2.3 and ftfy 6.3. USE_TORCH=0 spares torch.
"""
import gzip
import hashlib
import json
import sys
import unicodedata

import regex
import transformers
from tokenizers import Regex, normalizers, pre_tokenizers

CASES, MAIN, TEST = sys.argv[1:]
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()
CHARACTERS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ALL = "".join(map(chr, CHARACTERS))


def categories(matches):
    return {ord(m): k for k in CATEGORIES for m in matches(rf"\p{{{k}}}")}


PYTHON = {c: unicodedata.category(chr(c)) for c in CHARACTERS}
ONIG = categories(lambda p: (s for s, _ in pre_tokenizers.Split(Regex(p), "removed", invert=True).pre_tokenize_str(ALL)))
REGEX = categories(lambda p: regex.findall(p, ALL))
NFC, NFD, NFKD, STRIP, LOWER = (getattr(normalizers, n)().normalize_str for n in ("NFC", "NFD", "NFKD", "StripAccents", "Lowercase"))


def is_new_to_normalizers(c):
    """Whether a character of Unicode 14 is one that the tokenizers library's normalizers don't know."""
    s = chr(c)
    order = "a" + s + "\u0334"  # whose class is the lowest
    return (NFKD(s) != unicodedata.normalize("NFKD", s) or NFD(s) != unicodedata.normalize("NFD", s)
            or unicodedata.combining(s) and NFD(order) != unicodedata.normalize("NFD", order)
            or PYTHON[c][0] == "M" and STRIP(s) != "")


def kind(c, new):
    known = PYTHON.get(c, "Cs"), ONIG.get(c, "Cs"), REGEX.get(c, "Cs")
    if set(known) == {"Cn"}:
        return "-"
    if len(set(known)) == 1:
        return "+" if c in new else "="
    return " ".join(known)


def table():
    new = {c for c in CHARACTERS if PYTHON[c] != "Cn" and is_new_to_normalizers(c)}
    lines, last = [], None
    for c in range(0x110000):
        k = kind(c, new)
        if k != last:
            lines.append(f"{c:X} {k}\n")
            last = k
    for c in CHARACTERS:
        if PYTHON[c] == "Cn" and LOWER(chr(c)) != chr(c):
            lines.append(f"lower {c:X} {ord(LOWER(chr(c))):X}\n")
        elif PYTHON[c] != "Cn":
            assert LOWER(chr(c)) == chr(c).lower(), hex(c)
    with open(f"{MAIN}/unicode.txt", "w") as f:
        f.writelines(lines)
    print("unicode.txt", len(lines), "lines")


def is_swept(c):
    """Every character that some version knows; of the long runs of ideographs and syllables only some."""
    around = range(max(0, c - 8), min(0x10FFFF, c + 8) + 1)
    return (0xD800 > c or c >= 0xE000) and REGEX[c] not in ("Cn", "Co") and (
        c % 64 == 0 or any((PYTHON.get(d), ONIG.get(d), REGEX.get(d)) != (PYTHON[c], ONIG[c], "Lo") for d in around))


def runs(characters):
    """The first and the last of each run."""
    firsts = [c for c in characters if c - 1 not in characters]
    lasts = [c for c in characters if c + 1 not in characters]
    return [list(run) for run in zip(firsts, lasts)]


def sweep():
    """For each block of 256, the runs of swept characters and a hash over the ids of the texts with each."""
    t5, clip = f"{CASES}/t5", f"{CASES}/clip"
    readers = {
        "t5": transformers.T5Tokenizer.from_pretrained(t5),
        "t5_fast": transformers.T5TokenizerFast(tokenizer_file=f"{t5}/tokenizer.json"),
        "clip": transformers.CLIPTokenizer.from_pretrained(clip),
        "clip_fast": transformers.CLIPTokenizerFast.from_pretrained(clip),
    }
    rows = []
    for block in range(0, 0x110000, 256):
        swept = [c for c in range(block, block + 256) if is_swept(c)]
        if swept:
            row = {"runs": runs(swept)}
            for name, t in readers.items():
                ids = "".join(" ".join(map(str, t(text).input_ids)) + "\n" for c in swept for text in texts(chr(c)))
                row[name] = hashlib.sha256(ids.encode()).hexdigest()[:8]
            rows.append(row)
    with open(f"{TEST}/unicode-sweep.jsonl.gz", "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode())
    print("unicode-sweep.jsonl.gz", len(rows), "blocks,", sum(b - a + 1 for row in rows for a, b in row["runs"]), "characters")


def texts(s):
    """A character alone, in a word, and before and after marks of low, high and no class."""
    return [s, f"a{s}b 1{s}", f"a{s}\u0334\u0301", f"e\u0301{s}\u0323{s}\u0308", f"\u00aa{s} {s}\u08d2", f"{s}\u0345 \u03a3{s} {s}\u03a3"]


table()
sweep()
