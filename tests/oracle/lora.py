"""Writes LoRA adapters with PEFT, and checks that PEFT reads those of Darkroom.

    python lora.py write FOLDER     adapters and network.safetensors: weights, x, output
    python lora.py check FOLDER     loads the folder's adapters onto the same network, compares the output

Run with torch 2.13.0 and peft 0.21.2 on the CPU. LoraTest leaves a folder to check in target/lora, with the
output that Java found in it.
"""

import json
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
torch.manual_seed(3)


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3, bias=False)

    def forward(self, x):
        return self.down(torch.tanh(self.up(x)))


command, folder = sys.argv[1:]
network = Network()
if command == "write":
    weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
    adapted = get_peft_model(network, LoraConfig(r=2, lora_alpha=6, target_modules=["up", "down"]))
    for key, value in adapted.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(value, std=0.3)
    adapted.save_pretrained(folder)
    config = json.load(open(f"{folder}/adapter_config.json"))
    config["target_modules"] = sorted(config["target_modules"])  # PEFT's order is that of a set
    json.dump(config, open(f"{folder}/adapter_config.json", "w"), indent=2)
    x = torch.randn(4, 6)
    save_file({**weights, "x": x, "output": adapted(x).detach()}, f"{folder}/network.safetensors")
else:
    files = load_file(f"{folder}/network.safetensors")
    network.load_state_dict({k: files[k] for k in network.state_dict()})
    adapted = PeftModel.from_pretrained(network, folder)
    difference = ((adapted(files["x"]) - files["output"]).abs().max() / files["output"].abs().max()).item()
    print("largest difference, relative to the largest magnitude, as in the Java tests:", difference)
    assert difference < 1e-6
