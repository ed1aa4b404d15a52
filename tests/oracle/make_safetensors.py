"""Writes the safetensors files that the runtime's tests compare Darkroom's writer with.

Usage: python make_safetensors.py OUTPUT_FOLDER      (needs torch and safetensors)

Every tensor's bytes are 3, 10, 17 ... (7 apart, modulo 256); those of bool tensors are 0, 1, 0 ...
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E8M0": torch.float8_e8m0fnu,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "I16": torch.int16,
    "U16": torch.uint16,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I32": torch.int32,
    "U32": torch.uint32,
    "F32": torch.float32,
    "C64": torch.complex64,
    "F64": torch.float64,
    "I64": torch.int64,
    "U64": torch.uint64,
}


def tensor(name, *shape):
    dtype = DTYPES[name]
    count = torch.Size(shape).numel() * dtype.itemsize
    step = (lambda i: i % 2) if name == "BOOL" else (lambda i: (3 + 7 * i) % 256)
    data = torch.tensor([step(i) for i in range(count)], dtype=torch.uint8)
    return data.view(dtype).reshape(shape)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {f"block.{name}": tensor(name, 2, 3) for name in DTYPES},
        folder / "dtypes.safetensors",
        metadata={"format": "pt"},
    )
    save_file(
        {
            "scalar": tensor("F32"),
            "scalar.bool": tensor("BOOL"),
            "empty": tensor("F16", 0, 4),
            "empty.last": tensor("U8", 3, 0),
            "odd": tensor("U8", 5),
            "half": tensor("BF16", 3),
            "": tensor("I8", 1),
            "名前.😀.weight": tensor("F32", 2),
            "\uffff": tensor("F32", 1),
            "😀": tensor("F32", 1),
            'quote " backslash \\ tab \t newline \n bell \x07 delete \x7f slash /': tensor("F32", 1),
        },
        folder / "shapes.safetensors",
    )
    save_file({}, folder / "nothing.safetensors", metadata={"": "a \"quoted\" 値\n"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
