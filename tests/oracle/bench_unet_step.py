"""One guided evaluation of the U-Net of Stable Diffusion 1.5 or XL by a peer, for bench_turns.py.

    python bench_unet_step.py sd15|sdxl float32|bfloat16 diffusers|channels-last
    python bench_unet_step.py sd15|sdxl float32|bfloat16 convert FILE.xml
    python bench_unet_step.py sd15|sdxl float32|bfloat16 openvino FILE.xml

Random weights, two threads and the shapes of dev.darkroom.bench.UnetStep, and its lines of input and output. Needs
torch and diffusers, for the last two `openvino`, which runs what `convert` writes: fixed shapes, and weights in float16
for bfloat16.
"""
import sys
import time

CONFIGS = {
    "sd15": dict(cross_attention_dim=768),
    "sdxl": dict(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(320, 640, 1280), cross_attention_dim=2048, attention_head_dim=(5, 10, 20),
        transformer_layers_per_block=(1, 2, 10), use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)}


def torch_step(model, dtype, memory_format):
    """Returns the network as a module that takes all its inputs in order, and random inputs."""
    import torch
    from diffusers import UNet2DConditionModel

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = UNet2DConditionModel(**CONFIGS[model])

        def forward(self, latents, timestep, text, pooled=None, sizes=None):
            added = {"text_embeds": pooled, "time_ids": sizes}
            return self.network(latents, timestep, text, added_cond_kwargs=added, return_dict=False)[0]

    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.set_default_dtype(getattr(torch, dtype))
    memory_format = getattr(torch, memory_format)
    inputs = [torch.randn(2, 4, 64, 64).to(memory_format=memory_format), torch.tensor([500.0]),
              torch.randn(2, 77, CONFIGS[model]["cross_attention_dim"])]
    if model == "sdxl":
        inputs += [torch.randn(2, 1280), torch.full((2, 6), 512.0)]
    return Step().eval().to(memory_format=memory_format), inputs


def convert(model, dtype, file):
    import openvino

    step, inputs = torch_step(model, "float32", "contiguous_format")
    converted = openvino.convert_model(step, example_input=tuple(inputs), input=[list(i.shape) for i in inputs])
    openvino.save_model(converted, file, compress_to_fp16=dtype == "bfloat16")


def openvino_step(dtype, file):
    import numpy
    import openvino

    compiled = openvino.Core().compile_model(file, "CPU", {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[dtype],
        "INFERENCE_NUM_THREADS": 2, "PERFORMANCE_HINT": "LATENCY"})
    return compiled, [numpy.random.standard_normal(port.shape).astype("f") for port in compiled.inputs]


model, dtype, peer, *file = sys.argv[1:]
if peer == "convert":
    convert(model, dtype, *file)
    sys.exit()
if peer == "openvino":
    compiled, inputs = openvino_step(dtype, *file)
    run = lambda: compiled(inputs)
else:
    step, inputs = torch_step(model, dtype, {"diffusers": "contiguous_format", "channels-last": "channels_last"}[peer])
    run = lambda: step(*inputs)
print("ready", flush=True)
for _ in sys.stdin:
    begin = time.perf_counter()
    run()
    print(time.perf_counter() - begin, flush=True)
