"""Weighted and long prompts, and learned tokens, as the text encoders of the cases sd15 and sdxl have them with diffusers
0.35.2 and transformers 4.57.1: oracle/prompts.json and oracle/prompts.safetensors, and embeddings in oracle/embeddings.

Chunks, weights and the mean that stays are those of AUTOMATIC1111's web UI, put together by hand from parts of prompts
that are given with their weights; what the brackets of a prompt mean is not computed here. Learned tokens go through
diffusers' load_textual_inversion and maybe_convert_prompt. Run in tests/ as: python oracle/prompts.py
"""
import json
import os

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file
from transformers import CLIPTokenizerFast

torch.set_grad_enabled(False)
torch.set_num_threads(1)
LONG = ", ".join(f"a {c} tree in the snow, {c} eyes and a very old hat" for c in "red blue green".split())
WORDS = " ".join("cats dogs".split() * 50)
BREAK = None
# prompt, its parts with their weights, whether in chunks
CASES = {
    "weighted": ("a (red:1.4) heart ((on)) [blue] \\(sky\\)",
                 [("a ", 1), ("red", 1.4), (" heart ", 1), ("on", 1.1 * 1.1), (" ", 1), ("blue", 1 / 1.1), (" (sky)", 1)],
                 False),
    "negative_weight": ("a (cat:-0.5) and a dog", [("a ", 1), ("cat", -0.5), (" and a dog", 1)], False),
    "commas": (LONG, [(LONG, 1)], True),
    "no_commas": (WORDS, [(WORDS, 1)], True),
    "weighted_chunks": (f"({LONG}:1.2), (hat:0.7)", [(LONG, 1.2), (", ", 1), ("hat", 0.7)], True),
    "breaks": ("a (red BREAK tree:1.3) BREAK", [("a ", 1), ("red", 1.3), BREAK, ("tree", 1.3), BREAK], True),
}
NEGATIVE = "blurry, (ugly:1.5)"
NEGATIVE_PARTS = [("blurry, ", 1), ("ugly", 1.5)]


NEGATIVES = ("weighted", "commas", "breaks")


def chunks(tokenizer, parts, capacity):
    """Lists of (id, weight); a comma among the last 20 of a full chunk is where it ends."""
    comma = tokenizer(",", add_special_tokens=False).input_ids
    out, flat = [], []
    for part in parts:
        if part is BREAK:
            out += split(flat, comma, capacity, True)
            flat = []
        else:
            flat += [(i, part[1]) for i in tokenizer(part[0], add_special_tokens=False).input_ids]
    return out + (split(flat, comma, capacity, False) if flat or not out else [])


def split(flat, comma, capacity, keep_empty):
    out = []
    while len(flat) > capacity:
        end = capacity
        if [flat[capacity][0]] != comma:
            near = [k for k in range(capacity - 20, capacity) if [flat[k][0]] == comma]
            end = near[-1] + 1 if near else capacity
        out.append(flat[:end])
        flat = flat[end:]
    return out + ([flat] if flat or keep_empty or not out else [])


def encoded(tokenizer, encoder, hidden, cut, count):
    states, pooled = [], None
    for chunk in cut + [[]] * (count - len(cut)):
        ids = [tokenizer.bos_token_id] + [i for i, _ in chunk] + [tokenizer.eos_token_id]
        weights = torch.tensor([1.0] + [w for _, w in chunk] + [1.0] * (78 - len(ids)))
        ids += [tokenizer.pad_token_id] * (77 - len(ids))
        out = encoder(torch.tensor([ids]), output_hidden_states=True)
        state = out.last_hidden_state if hidden is None else out.hidden_states[hidden]
        pooled = out[0] if pooled is None else pooled
        scaled = state * weights[:77, None]
        states.append(scaled * (state.mean() / scaled.mean()))
    return torch.cat(states, 1), pooled


def pair(encoders, parts, negative, in_chunks):
    """States of prompt and negative prompt, of equal length."""
    cut = [[chunks(t, p, 75 if in_chunks else 10**9) for p in (parts, negative)] for t, _, _ in encoders]
    if not in_chunks:
        cut = [[[p[0][:75]] for p in of] for of in cut]
    count = max(len(p) for of in cut for p in of)
    result = []
    for k in range(2):
        outs = [encoded(t, e, h, of[k], count) for (t, e, h), of in zip(encoders, cut)]
        result += [torch.cat([o[0] for o in outs], 2), outs[-1][1]]
    return result


torch.manual_seed(5)
tensors, requests = {}, {}
sd = StableDiffusionPipeline.from_pretrained("cases/sd15/model", safety_checker=None)
xl = StableDiffusionXLPipeline.from_pretrained("cases/sdxl/model")
ENCODERS = {
    "sd15": [(sd.tokenizer, sd.text_encoder, None)],
    "sdxl": [(xl.tokenizer, xl.text_encoder, -2), (xl.tokenizer_2, xl.text_encoder_2, -2)]}
for case, encoders in ENCODERS.items():
    for name, (prompt, parts, in_chunks) in CASES.items():
        if case == "sdxl" and name in ("negative_weight", "no_commas"):
            continue
        requests[f"{case}.{name}"] = dict(case=case, prompt=prompt, negative_prompt=NEGATIVE, long=in_chunks,
                                          weighted=True)
        states, pooled, negative, negative_pooled = pair(encoders, parts, NEGATIVE_PARTS, in_chunks)
        kept = dict(prompt_embeds=states, negative_embeds=negative)
        if case == "sdxl":
            kept.update(pooled=pooled, negative_pooled=negative_pooled)
        tensors.update({f"{case}.{name}.{k}": v for k, v in kept.items() if name in NEGATIVES or "negative" not in k})

os.makedirs("oracle/embeddings", exist_ok=True)
FILES = {
    "style": {"emb_params": torch.randn(3, 8)},
    "concept": {"<Cat-Toy>": torch.randn(8)},
    "xl": {"clip_l": torch.randn(2, 4), "clip_g": torch.randn(2, 4)}}
for name, file in FILES.items():
    save_file(file, f"oracle/embeddings/{name}.safetensors")
sd.load_textual_inversion("oracle/embeddings/style.safetensors", token="my-Style")
sd.load_textual_inversion("oracle/embeddings/concept.safetensors")
for part, tokenizer, encoder in (("clip_l", xl.tokenizer, xl.text_encoder), ("clip_g", xl.tokenizer_2, xl.text_encoder_2)):
    xl.load_textual_inversion(FILES["xl"][part], token="xl", tokenizer=tokenizer, text_encoder=encoder)
fast = CLIPTokenizerFast.from_pretrained("cases/sd15/model/tokenizer")
fast.add_tokens(["my-Style", "my-Style_1", "my-Style_2", "<Cat-Toy>"])
PROMPTS = {
    "sd15.learned": "a <Cat-Toy> in my-Style, my-style, two <Cat-Toy>s",
    "sd15.learned_too_long": "my-Style " * 40,
    "sdxl.learned": "a tree, xl and xl, xl"}
for name, prompt in PROMPTS.items():
    case = name.split(".")[0]
    pipe = sd if case == "sd15" else xl
    requests[name] = dict(case=case, prompt=prompt, negative_prompt=prompt[2:9], long=False, weighted=False)
    if case == "sd15":
        states, negative = pipe.encode_prompt(prompt, "cpu", 1, True, negative_prompt=prompt[2:9])
        kept = dict(prompt_embeds=states, negative_embeds=negative)
    else:
        kept = dict(zip(("prompt_embeds", "negative_embeds", "pooled", "negative_pooled"),
                        pipe.encode_prompt(prompt, None, "cpu", 1, True, negative_prompt=prompt[2:9])))
    tensors.update({f"{name}.{k}": v for k, v in kept.items()})
    text = pipe.maybe_convert_prompt(prompt, pipe.tokenizer)
    if case == "sd15":
        requests[name]["fast_ids"] = fast(prompt, add_special_tokens=False).input_ids
    requests[name]["ids"] = pipe.tokenizer(text, add_special_tokens=False).input_ids
save_file({k: v.contiguous() for k, v in tensors.items()}, "oracle/prompts.safetensors")
json.dump(requests, open("oracle/prompts.json", "w"), indent=1)
