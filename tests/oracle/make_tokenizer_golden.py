"""Makes the golden files of the tokenizers' tests: strings with the ids that the references give.

Usage: make_tokenizer_golden.py TOKENIZERS OUT
TOKENIZERS is a copy of tests/cases/tokenizers with its .gz files gunzipped, OUT is tokenizers/src/test/resources/dev/darkroom/tokenizers.

Needs transformers 4.57.1, tokenizers 0.22.1, sentencepiece 0.2.3 and ftfy 6.3. Writes
  golden.jsonl.gz    1,000 strings, each with its ids from the four readers
  variants.jsonl.gz  other settings and models: a line that describes one, then its strings
  *.model.gz         the models that only the variants use
  clip-tokenizer.json  CLIP's tokenizer.json without vocabulary and merges, which a test puts back
"""
import gzip
import json
import os
import random
import shutil
import sys
import tempfile
import unicodedata

import sentencepiece
import transformers

SEED = 20261122
CASES, OUT = sys.argv[1:]

WORDS = """a an the of on in red blue green yellow heart star cat dog horse astronaut riding painting oil old tree
house background photo portrait light river mountain city night sky two three very double spaces cafe small large
robot watercolor sketch forest ocean bird flower train car boat moon sun cloud rain snow hyperrealistic 8k unreal
engine don't they'll I'm we've it's you'd O'Neill rock'n'roll artstation trending bokeh f/1.8 35mm""".split()
LINES = [
    "日本の富士山と桜、夕暮れ", "深い森の中の小さな家", "한국어 텍스트와 그림", "лес и река ночью, Москва", "ένα κόκκινο ΣΠΊΤΙ στο βουνό",
    "قطة حمراء على خلفية زرقاء", "כלב חום על רקע לבן", "แมวสีแดงบนพื้นหลังสีน้ำเงิน", "नीली पृष्ठभूमि पर लाल दिल", "இந்திய யானை",
    "ქართული ანბანი", "Հայաստան", "ለምሳሌ", "İstanbul'da bir GÜN", "Straße, Ärger, ÀÉÎÕÜ", "Žluťoučký kůň", "Tiếng Việt có dấu",
    "naïve façade — “quotes” … ½ ﬁ ① Å ™ ℡ ㎏ Ⅷ", "ﬀ ﬂ ﬃ ﬅ ǆ Ĳ ŉ", "ＦＵＬＬ　ｗｉｄｔｈ　１２３", "ﾊﾟﾌｫｰﾏﾝｽ ｶﾞﾝﾀﾞﾑ", "x² + y³ = z⁴ ₂", "𝕬𝖓 𝖎𝖒𝖆𝖌𝖊 𝟙𝟚𝟛",
    "https://example.org/a/b?c=d&e=%20f#g", "user.name+tag@example.co.uk", "for (int i = 0; i < n; i++) { a[i] += b[i]; }",
    "def f(x): return x**2  # comment", "SELECT * FROM t WHERE a >= 'b';", "C:\\Windows\\System32", "<b>bold &amp; strong</b>",
    "fish &amp; chips &quot;now&quot; &#39;here&#39; &copy; &NotEqualTilde; &eacute; &EACUTE; &amp;amp;lt; &nope; &#x1F600; &#128; &#0; &#59;",
    "1,234,567.89 €$£¥ 12:34:56 2026-11-22", "I've 3 cats'll they'RE 'S 'T", "don't 'tis ''quoted'' \"double\"", "a'b'c''d", "it‘s ‛odd‟ „quotes“ ʼn",
    "<|startoftext|> hello <|endoftext|>", "<|endoftext|><|endoftext|>", "<|EndOfText|> caps", "＜|endoftext|＞", "a<|endoftext|>b",
    "</s>", "a </s> b", "a</s>", "</s></s>", "<pad> <unk> <s>", "<extra_id_0>", "a <extra_id_0> b <extra_id_99>.", "  <extra_id_1>  ", "x<extra_id_12>y",
    "▁", "▁▁a▁b ▁", " ▁ ", "a▁", "▁cat", "wow!", "!", "!!! what ! ?!", "<unk>", "a<unk>b", "<0x41> <0xE3>", "\u0000a\u0000 b",
    "", " ", "   ", "\t", "\n", " \n\t ", "\u00a0", "\u3000", "\u200b", "\u200d", "\ufeff", "\ufeffbom", "a\u00a0b\u2003c\u2028d\u2029e\u0085f",
    "tab\tnewline\nreturn\rboth\r\nform\ffeed\vvertical", "\x1b[31mred\x1b[0m text", "bell\x07 nul\x00 esc\x1b del\x7f sep\x1c\x1d\x1e\x1f.", "\x80\x91\x92\x85\x9f\x81 c1",
    "soft\u00adhyphen zero\u200bwidth \u200cjoin\u200der \u2060word", "\u202eright to left\u202c \u2066iso\u2069 \u206a\u206f", "\ufff9a\ufffab\ufffb \ufffc \ufffd",
    "e\u0301 o\u0308 n\u0303 a\u0323\u0302 \u0301lone", "Z\u0351\u036b\u0343a\u0301\u0302\u0303l\u0316\u0317g\u0338o\u034f", "¨ ´ ½\u0301 ①\u20dd ﬁ\u0301 ™\u0301", "\r\n\r\n a\r\nb", "각 가\u11a8 \u1112\u1161\u11ab", "क्षि न्\u200dय \u0915\u094d\u0937",
    "👩‍👩‍👧‍👦 family", "🧑‍🚀🏽", "👍🏿👍", "🇯🇵🇩🇪🇺", "❤️❤︎", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "1️⃣#️⃣", "🗻🙂‍↔️😀a😀",
    "Ünïcödé ẞ ß ſ ŉ ǰ ΐ", "ΑΣ ΑΣΑ Σ ΣΑΣ.", "ΑΣ.Α ΑΣ'. Α\u0301Σ\u0301 aΣ:b ΑΣ‚â 1Σ Σ1 ªΣ ⒶΣ", "İIıi Ǆ ǅ K Å Ω", "\u0345 a\u0345b !\u0345! \u1fb3", "K\u212a \u2126 \u212b", "ⅨⅫⅰ Ⓐⓐ", "𐐀𐐨 𞤀𞤢", "\U0001f1e6 \U00020000 \U0002f800 \U000f0000 \U0010fffd",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababab", "x" * 300, "antidisestablishmentarianism" * 12, "12345678901234567890", "., .. ... .... !?!? --- === ~~~", "the" * 40, "red " * 80, "héart" * 30,
]
# Long enough that SentencePiece starts its sums from zero again.
LONG = ["ü" * 9000 + " the red cat, an astronaut" * 40]


def code_points():
    ok = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    return [c for c in ok if c < 0x3000], ok


def mojibake(r, s):
    """UTF-8 decoded as something else, sometimes twice, with some of the damage that goes with it."""
    for _ in range(r.choice([1, 1, 2])):
        s = s.encode().decode(r.choice(["latin-1", "windows-1252", "windows-1251", "windows-1250", "windows-1253", "windows-1254", "windows-1257",
                                        "iso-8859-2", "macroman", "cp437"]), errors=r.choice(["replace", "ignore"]))
    return r.choice([lambda t: t, lambda t: t, lambda t: t.replace("\u00a0", " "), lambda t: t[1:]])(s)


def strings(r, count):
    low, every = code_points()
    out = list(LINES)
    makers = [
        lambda: " ".join(r.choice(WORDS) for _ in range(r.randint(1, 20))),
        lambda: ", ".join(" ".join(r.choice(WORDS) for _ in range(r.randint(1, 4))) for _ in range(r.randint(1, 6))),
        lambda: "".join(chr(r.choice(low)) for _ in range(r.randint(1, 30))),
        lambda: "".join(chr(r.choice(every)) for _ in range(r.randint(1, 20))),
        lambda: "".join(chr(r.randint(0, 0x17f)) for _ in range(r.randint(1, 30))),
        lambda: "".join(r.choice(" abcAéŒß漢字.,!?'-_0123\t\u00a0\u200b🙂\u0301\u0308\u200d\u3000") for _ in range(r.randint(1, 50))),
        lambda: r.choice(["", " ", "  ", "\t", "\n"]).join(r.choice(LINES) for _ in range(2)),
        lambda: "".join(r.choice("aehrtd ") for _ in range(r.randint(5, 80))),
        lambda: "".join(c + r.choice(["", "", "\u0301", "\u0323", "\u20e3", "\ufe0f", "\u200d", "\u0331"]) for c in r.choice(LINES)[:60]),
        lambda: "".join(r.choice([str.upper, str.lower, str.title])(w) + r.choice([" ", " ", "  ", "-", "'s ", "&amp;", "</s>", "<|endoftext|>"]) for w in r.sample(WORDS, 5)),
        lambda: mojibake(r, r.choice(LINES + WORDS)),
        lambda: r.choice(LINES)[:20] + mojibake(r, r.choice(LINES)[:40]) + r.choice(WORDS),
    ]
    while len(out) < count:
        out.append(r.choice(makers)())
    return out


def write(name, rows):
    with open(f"{OUT}/{name}", "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
        z.write("".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows).encode())
    print(name, len(rows), "lines,", os.path.getsize(f"{OUT}/{name}"), "bytes")


def load(cls, files, folder, **kwargs):
    """A tokenizer of a class from a folder with just these files: name -> path, or a JSON value."""
    os.makedirs(folder)
    for name, source in files.items():
        if isinstance(source, str):
            shutil.copy(source, f"{folder}/{name}")
        else:
            json.dump(source, open(f"{folder}/{name}", "w"), ensure_ascii=False)
    return getattr(transformers, cls).from_pretrained(folder, **kwargs)


def train(name, r, **options):
    """A unigram model with more pieces than the case's, on words, prompts and many scripts."""
    text = [" ".join(r.choice(WORDS) for _ in range(r.randint(3, 14))) for _ in range(2000)]
    text += [line for line in LINES if "\x00" not in line] * 5
    text += [unicodedata.name(chr(c)).lower() for c in range(0x21, 0x3000) if unicodedata.name(chr(c), "")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_prefix=f"{OUT}/{name}", model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        hard_vocab_limit=False, minloglevel=2, num_threads=1, **options)
    os.remove(f"{OUT}/{name}.vocab")
    return f"{OUT}/{name}.model"


def main():
    r = random.Random(SEED)
    texts = strings(r, 1000 - len(LONG)) + LONG
    t5, clip = f"{CASES}/t5", f"{CASES}/clip"
    tmp = tempfile.mkdtemp()
    t5_config = json.load(open(f"{t5}/tokenizer_config.json"))
    bare = {k: v for k, v in t5_config.items() if k != "add_prefix_space"}  # with it, transformers would convert spiece.model
    clip_config = json.load(open(f"{clip}/tokenizer_config.json"))
    clip_files = {f: f"{clip}/{f}" for f in ("vocab.json", "merges.txt")}

    readers = {
        "t5": load("T5Tokenizer", {"spiece.model": f"{t5}/spiece.model", "tokenizer_config.json": t5_config}, f"{tmp}/a"),
        "t5_fast": load("T5TokenizerFast", {"tokenizer.json": f"{t5}/tokenizer.json", "tokenizer_config.json": bare}, f"{tmp}/b"),
        "clip": load("CLIPTokenizer", {**clip_files, "tokenizer_config.json": clip_config}, f"{tmp}/c"),
    }
    converted = load("CLIPTokenizerFast", {**clip_files, "tokenizer_config.json": clip_config}, f"{tmp}/d")
    converted.save_pretrained(f"{tmp}/e")
    fast = json.load(open(f"{tmp}/e/tokenizer.json"))
    readers["clip_fast"] = transformers.CLIPTokenizerFast.from_pretrained(f"{tmp}/e")
    fast["model"].pop("vocab"), fast["model"].pop("merges")
    json.dump(fast, open(f"{OUT}/clip-tokenizer.json", "w"), indent=1)

    rows = []
    for s in texts:
        rows.append({"text": s, **{k: t(s).input_ids for k, t in readers.items()}})
        for k, t in readers.items():
            # A text's ids, cut to 12, and back to text, for some.
            if len(rows) % 10 == 0:
                rows[-1].setdefault("cut", {})[k] = t(s, padding="max_length", truncation=True, max_length=12).input_ids
                rows[-1].setdefault("decoded", {})[k] = t.decode(rows[-1][k], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    write("golden.jsonl.gz", rows)

    big = train("big", r, vocab_size=1500, character_coverage=0.995, normalization_rule_name="nmt_nfkc", user_defined_symbols=["cats", "ABC", "★ x"])
    odd = train("odd", r, vocab_size=900, character_coverage=0.98, normalization_rule_name="identity", byte_fallback=True,
                add_dummy_prefix=False, remove_extra_whitespaces=False)
    suffix = train("suffix", r, vocab_size=700, character_coverage=0.98, normalization_rule_name="identity", treat_whitespace_as_suffix=True)
    token = lambda s, **flags: {"content": s, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, **flags}
    extra = [f"<extra_id_{i}>" for i in range(3)]
    variants = [
        ("T5Tokenizer", {"spiece.model": big}),  # nothing said: a hundred extra ids, legacy
        ("T5Tokenizer", {"spiece.model": big, "tokenizer_config.json": {"legacy": False}}),
        ("T5Tokenizer", {"spiece.model": big, "tokenizer_config.json": {"legacy": False, "add_prefix_space": False, "extra_ids": 0}}),
        ("T5Tokenizer", {"spiece.model": big, "tokenizer_config.json": {"extra_ids": 3, "additional_special_tokens": extra}}),
        ("T5Tokenizer", {"spiece.model": big, "tokenizer_config.json": {"additional_special_tokens": ["<s>", "hello"], "extra_ids": 2}}),
        ("T5Tokenizer", {"spiece.model": big, "tokenizer_config.json": {"extra_ids": 0},
                         "special_tokens_map.json": {"pad_token": "cat", "eos_token": token("</s>")}, "added_tokens.json": {"astronaut": 5000, "red": 5001}}),
        ("T5Tokenizer", {"spiece.model": big, "tokenizer_config.json": {"extra_ids": 0, "added_tokens_decoder": {
            "7": token("dog", single_word=True), "2000": token("robot", lstrip=True, rstrip=True), "2001": token("rob")}}}),
        ("T5Tokenizer", {"spiece.model": odd}),
        ("T5Tokenizer", {"spiece.model": suffix, "tokenizer_config.json": {"extra_ids": 1}}),
        ("T5TokenizerFast", {"spiece.model": big}),
        ("T5TokenizerFast", {"spiece.model": big, "tokenizer_config.json": {"legacy": False, "extra_ids": 4}}),
        ("T5TokenizerFast", {"spiece.model": suffix, "tokenizer_config.json": {"add_prefix_space": False}}),
        ("T5TokenizerFast", {"spiece.model": f"{t5}/spiece.model", "tokenizer.json": f"{t5}/tokenizer.json", "tokenizer_config.json": t5_config}),
        ("T5TokenizerFast", {"tokenizer.json": f"{t5}/tokenizer.json", "tokenizer_config.json": {"added_tokens_decoder": {
            "7": token("dog", single_word=True), "200": token("robot", lstrip=True, rstrip=True), "201": token("Rob", normalized=True), "9": token("the")}}}),
        ("CLIPTokenizer", {**clip_files, "tokenizer_config.json": {**clip_config, "pad_token": "!"}}),
        ("CLIPTokenizer", {**clip_files, "special_tokens_map.json": {"pad_token": "!", "additional_special_tokens": ["<new>"]}, "added_tokens.json": {"<mine>": 49500}}),
        ("CLIPTokenizerFast", {**clip_files, "tokenizer_config.json": {**clip_config, "pad_token": "!"}}),
        ("CLIPTokenizerFast", {**clip_files, "tokenizer_config.json": {"added_tokens_decoder": {
            "49408": token("dog", single_word=True), "49409": token("Robot", lstrip=True, rstrip=True, normalized=True), "49410": token("the")}}}),
    ]
    rows = []
    own = ["dog dogs hotdog dog. the dog", "a  robot  b robots Robot ROBOT rob robbed", "hello <s> hello<s>world", "<new> and <mine>! x<mine>y", "red cat  cats ABC abc ★ x★ x", "astronauts red!red", "cats" * 9 + "x" * 90]
    for i, (cls, files) in enumerate(variants):
        t = load(cls, files, f"{tmp}/v{i}")
        source = lambda f: f if not isinstance(f, str) else os.path.basename(f) if f.startswith(OUT) else "/".join(f.split("/")[-2:])
        rows.append({"class": cls, "files": {k: source(f) for k, f in files.items()}, "size": len(t), "pad": t.pad_token_id})
        rows += [{"text": s, "ids": t(s).input_ids} for s in own + LINES[:: 2 if i else 1] + r.sample(texts, 60 if i else 200)]
    write("variants.jsonl.gz", rows)
    for model in (big, odd, suffix):
        with open(f"{model}.gz", "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
            z.write(open(model, "rb").read())
        os.remove(model)
    shutil.rmtree(tmp)


main()
