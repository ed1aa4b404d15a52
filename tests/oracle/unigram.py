"""What the Python readers make of a tokenizer that UnigramTrainer trained.

  unigram.py captions            writes captions.txt: what the test trains on
  unigram.py ids                 writes ids.json: strings and their ids, from the trained files
  unigram.py compare FILE DIR    trains sentencepiece's own vocabulary on a file of captions and compares it with the one
                                 that Java trained on the same file into a folder: tokens per word, log-likelihood

The files lie in tokenizers/src/test/resources/dev/darkroom/tokenizers/unigram. If the trainer changes on purpose,
UnigramTrainerTest leaves what it trains in models/target/unigram: copy that there and run "ids" again.
Needs transformers 4.57.1, tokenizers 0.22 and sentencepiece 0.2.3.
"""
import json
import os
import random
import sys
import tempfile

import sentencepiece
import transformers

FOLDER = os.path.join(os.path.dirname(__file__), "../../tokenizers/src/test/resources/dev/darkroom/tokenizers/unigram")
COLOURS = "red orange yellow green blue purple pink brown black white gray teal".split()
THINGS = """heart cat dog horse star apple banana strawberry pineapple watermelon umbrella butterfly caterpillar telescope guitar
violin trumpet airplane helicopter sailboat lighthouse castle mountain volcano sunflower mushroom snowman pumpkin lantern
candle hourglass keyboard telephone envelope newspaper scissors paperclip thermometer toothbrush fire truck police car""".split()
STRINGS = ["", " ", "  ", "a", "A red heart on a blue background", "A GREEN CAT ON A PURPLE BACKGROUND", "  two   spaces\tand tabs\n", "heart",
           "an emoji of a pineapple, on teal", "caterpillars", "unknownish words: qwertz", "don't!", "crème brûlée", "日本の猫", "cat 猫 cat", "a😀b", "1 2 3 42",
           "▁cat▁", "a ▁ b", "ÀÉÎ", "e\u0301", "E\u0301", "İstanbul", "ΑΣ Σ", "ẞ ß", "no\u00a0break\u3000space\u2003em", "x" * 50, "heart" * 20, "RedHeart-BlueStar"]


def captions():
    r = random.Random(5)
    lines = []
    for _ in range(600):
        c, b = r.sample(COLOURS, 2)
        t = r.choice(THINGS)
        lines.append(r.choice([f"a {c} {t} on a {b} background", f"{t}, {b} background", f"A {c} {t}", f"an emoji of a {t} on {b}",
                               f"{t.capitalize()} and {r.choice(THINGS)}", f"the {t}’s {c} side, n°{r.randint(1, 99)}"]))
    with open(f"{FOLDER}/captions.txt", "w") as f:
        f.write("\n".join(lines) + "\n")


def ids():
    lines = open(f"{FOLDER}/captions.txt").read().splitlines()
    processor = sentencepiece.SentencePieceProcessor(model_file=f"{FOLDER}/spiece.model")
    slow = transformers.T5Tokenizer.from_pretrained(FOLDER)
    fast = transformers.T5TokenizerFast.from_pretrained(FOLDER)
    auto = transformers.AutoTokenizer.from_pretrained(FOLDER)
    rows = []
    for text in STRINGS + random.Random(1).sample(lines, 60):
        row = {"text": text, "slow": slow(text).input_ids, "fast": fast(text).input_ids}
        assert processor.encode(text) + [1] == row["slow"], text
        assert auto(text).input_ids == row["fast"], text
        if row["slow"] != row["fast"]:
            print("slow and fast differ:", repr(text), row["slow"], row["fast"])
        rows.append(row)
    assert (slow.pad_token_id, slow.eos_token_id, slow.unk_token_id, len(slow), len(fast)) == (0, 1, 2, len(processor), len(processor))
    with open(f"{FOLDER}/ids.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


def compare(file, folder):
    lines = [line.lower() for line in open(file).read().splitlines()]
    java = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/spiece.model")
    prefix = f"{tempfile.mkdtemp()}/python"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=prefix, model_type="unigram", vocab_size=len(java), pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        normalization_rule_name="nmt_nfkc_cf", num_threads=1, minloglevel=2)
    python = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    words = sum(len(line.split()) for line in lines)
    for name, p in ("sentencepiece", python), ("UnigramTrainer", java):
        encoded = [p.encode(line) for line in lines]
        score = sum(p.get_score(i) for e in encoded for i in e)
        print(f"{name}: {len(p)} pieces, {sum(map(len, encoded)) / words:.4f} tokens per word, best way's log-likelihood {score / words:.4f} per word")


if __name__ == "__main__":
    {"captions": captions, "ids": ids, "compare": compare}[sys.argv[1]](*sys.argv[2:])
