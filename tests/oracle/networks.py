"""Writes the golden tensors that the network tests compare with.

    python networks.py CASES OUT [MODEL...]

CASES holds the folders pixart_alpha, pixart_sigma, pixart_lcm and dit; OUT is a safetensors file, in which only the
MODELs are made anew if some are named. Run with diffusers 0.35.2, transformers 4.57.1 and torch 2.13.0 on the CPU.

For each model: its inputs and the output; for the cases' T5s the ids of prompt and negative prompt, whose
embeddings the cases have. The small models made here (T5 v1.0, T5 in half precision, PixArt without a caption
projection, DiT with another patch size) bring their weights along, under "NAME.weights.".
"""

import json
import sys

import torch
from diffusers import DiTTransformer2DModel, PixArtTransformer2DModel
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5EncoderModel, T5Tokenizer

torch.set_grad_enabled(False)
torch.set_num_threads(1)
cases, out_file, *models = sys.argv[1:]
golden = {}


def record(name, **tensors):
    for key, tensor in tensors.items():
        golden[f"{name}.{key}"] = tensor.detach().clone().contiguous()


def randomised(model):
    """Weights that leave no part of the network without influence, as zero initialisation would."""
    for key, tensor in model.state_dict().items():
        scale = 1.0 if "table" in key or "relative" in key or "shared" in key else 0.25
        tensor.copy_(torch.randn(tensor.shape) * scale + (1.0 if "norm.weight" in key else 0.0))
    return model.eval()


def weights(name, model, skip=()):
    record(name, **{f"weights.{k}": v for k, v in model.state_dict().items() if k not in skip})


def pixart(name, model, size, conditions=None, embeds=None, mask=None, timestep=(999, 412)):
    latents = torch.randn(2, 4, *size)
    timestep = torch.tensor(timestep)
    record(name, latents=latents, embeds=embeds, mask=mask, timestep=timestep, **(conditions or {}))
    conditions = conditions or {"resolution": None, "aspect_ratio": None}
    output = model(latents, embeds, timestep, conditions, encoder_attention_mask=mask).sample
    record(name, output=output)


def dit(name, model, size, labels, timestep):
    latents = torch.randn(len(labels), model.config.in_channels, *size)
    labels, timestep = torch.tensor(labels), torch.tensor(timestep)
    record(name, latents=latents, labels=labels, timestep=timestep)
    record(name, output=model(latents, timestep, labels).sample)


def t5(name, model, ids, mask):
    record(name, ids=ids, mask=mask, output=model(ids, attention_mask=mask)[0])


# ---- the cases' own checkpoints
for case, size in (("pixart_alpha", (6, 10)), ("pixart_sigma", (8, 8)), ("pixart_lcm", (8, 4))):
    call = json.load(open(f"{cases}/{case}/case.json"))
    tokenizer = T5Tokenizer.from_pretrained(f"{cases}/{case}/model/tokenizer", legacy=True)
    for text in ("prompt", "negative_prompt") if call["guidance_scale"] > 1 else ("prompt",):
        ids = tokenizer(call[text].lower().strip(), padding="max_length", truncation=True,
                        max_length=call["max_sequence_length"], return_tensors="pt").input_ids
        record(case, **{f"{text}_ids": ids})

    torch.manual_seed(1)
    model = PixArtTransformer2DModel.from_pretrained(f"{cases}/{case}/model/transformer").eval()
    embeds = torch.randn(2, 12, model.config.caption_channels)
    mask = (torch.arange(12)[None] < torch.tensor([[7], [1]])).long()
    conditions = None
    if model.use_additional_conditions:
        conditions = {
            "resolution": torch.tensor([[768.0, 1280.0]] * 2),
            "aspect_ratio": torch.tensor([[0.6], [0.6]]),
        }
    pixart(case, model, size, conditions, embeds, mask)

torch.manual_seed(2)
dit("dit", DiTTransformer2DModel.from_pretrained(f"{cases}/dit/model/transformer").eval(),
    (8, 8), [3, 1000], [999, 17])

# ---- the options that those leave out
torch.manual_seed(3)
model = randomised(PixArtTransformer2DModel(
    num_attention_heads=2, attention_head_dim=8, out_channels=4, num_layers=1, cross_attention_dim=20,
    attention_bias=False, sample_size=12, activation_fn="gelu", interpolation_scale=3))
pixart("pixart_plain", model, (4, 6), None, torch.randn(2, 5, 20), torch.ones(2, 5).long(), (3.5, 0.25))
weights("pixart_plain", model)

torch.manual_seed(4)
model = randomised(DiTTransformer2DModel(
    num_attention_heads=2, attention_head_dim=8, in_channels=3, num_layers=2, sample_size=9, patch_size=3,
    num_embeds_ada_norm=5, attention_bias=False))
dit("dit_plain", model, (6, 6), [5, 0], [1, 0])
weights("dit_plain", model)

tiny = dict(vocab_size=24, d_model=20, d_kv=6, d_ff=28, num_layers=2, num_heads=3)
torch.manual_seed(5)
ids = torch.randint(0, 24, (2, 40))
mask = (torch.arange(40)[None] < torch.tensor([[40], [9]])).long()
model = randomised(T5EncoderModel(T5Config(
    **tiny, relative_attention_num_buckets=12, relative_attention_max_distance=16)))
t5("t5_v10", model, ids, mask)
weights("t5_v10", model, skip=("shared.weight",))

torch.manual_seed(6)
model = randomised(T5EncoderModel(T5Config(**tiny, feed_forward_proj="gated-gelu")))
half = model.half()
weights("t5_half", half, skip=("encoder.embed_tokens.weight",))
exact = T5EncoderModel(half.config).eval()
exact.load_state_dict(half.state_dict())
record("t5_half", output_float32=exact(ids[:, :11], attention_mask=mask[:, 5:16])[0])
for block in half.encoder.block:  # what from_pretrained(torch_dtype=float16) leaves in float32
    block.layer[-1].DenseReluDense.wo.float()
t5("t5_half", half, ids[:, :11], mask[:, 5:16])

if models:
    golden = {**load_file(out_file), **{k: v for k, v in golden.items() if k.split(".")[0] in models}}
save_file(golden, out_file)
