"""Small pictures of many kinds and what Pillow reads of them, for PictureFileTest in models.

    python tests/oracle/pictures.py        (Pillow 13.0.0, numpy; writes the test's resources)

Beside each picture lies NAME.expected.png: upright, on white where it is transparent, in RGB.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

OUT = Path(__file__).parents[2] / "training/src/test/resources/dev/darkroom/training/data/pictures"
W, H = 25, 18
OUT.mkdir(parents=True, exist_ok=True)

y, x = np.mgrid[0:H, 0:W]
ramps = np.stack([x * 255 // (W - 1), y * 255 // (H - 1), (x + y) * 255 // (W + H - 2)], -1)
ramps[3:8, 3:11] = [220, 30, 30]
ramps[10:16, 12:22] = [40, 60, 210]
ramps = ramps.astype(np.uint8)
rgb = Image.fromarray(ramps)
alpha = (x * 11 + y * 5).astype(np.uint8)[..., None]
rgba = Image.fromarray(np.concatenate([ramps, alpha], -1))


def exif(orientation):
    made = Image.Exif()
    made[274] = orientation
    return made.tobytes()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(name, bits, colour, rows, interlaced=0, extra=b""):
    """What Pillow does not write."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, bits, colour, 0, 0, interlaced))
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 9))
    (OUT / name).write_bytes(b"\x89PNG\r\n\x1a\n" + head + extra + data + chunk(b"IEND", b""))


def adam7(pixels):
    for left, top, right, down in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
    ):  # fmt: skip
        yield from pixels[top::down, left::right]


# JPEG. Adobe's marker ends in the transform: 2 makes YCCK of CMYK, in other colours.
rgb.save(OUT / "baseline.jpg", quality=80, subsampling=2)
rgb.save(OUT / "progressive.jpg", quality=80, subsampling=1, progressive=True)
rgb.save(OUT / "rgb.jpg", quality=90, keep_rgb=True)
rgb.convert("L").save(OUT / "grey.jpg", quality=80)
rgb.convert("CMYK").save(OUT / "cmyk.jpg", quality=90)
cmyk = (OUT / "cmyk.jpg").read_bytes()
adobe = cmyk.index(b"Adobe") + 11
(OUT / "ycck.jpg").write_bytes(cmyk[:adobe] + b"\2" + cmyk[adobe + 1 :])
rgb.save(OUT / "xmp.jpg", quality=80, xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
         b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff='
         b'"http://ns.adobe.com/tiff/1.0/" tiff:Orientation="8"/></rdf:RDF></x:xmpmeta>')  # fmt: skip

# WebP
rgb.save(OUT / "lossy.webp", quality=60)
rgba.save(OUT / "lossy_alpha.webp", quality=60, alpha_quality=70)
rgba.save(OUT / "lossless_alpha.webp", lossless=True)
rgb.save(OUT / "turned.webp", lossless=True, exif=exif(6))
big = np.mgrid[0:50, 0:70].sum(0)  # across several macroblocks, where a decoder's error adds up
Image.fromarray(np.stack([big, big[::-1], big[:, ::-1]], -1).astype(np.uint8)).save(
    OUT / "smooth.webp", quality=50
)

# PNG
rgba.convert("LA").save(OUT / "grey_alpha.png")
rgb.convert("1").save(OUT / "one_bit.png")
palette = rgb.quantize(40)
palette.save(OUT / "palette_alpha.png", transparency=bytes([0, 128] + [255] * 38))
rgb.save(OUT / "one_colour_transparent.png", transparency=(220, 30, 30))
png("interlaced.png", 8, 6, adam7(np.asarray(rgba)), interlaced=1)
wide = (ramps.astype(np.uint16) * 257 + x[..., None] * 5).clip(0, 65535)
png("sixteen_bit.png", 16, 2, wide.astype(">u2"))
png("sixteen_bit_alpha.png", 16, 6, np.concatenate([wide, alpha.astype(np.uint16) * 257], -1).astype(">u2"))
digits = exif(6).hex()
lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
text = f"\nexif\n{len(digits) // 2:8}\n{lines}\n".encode()
png("exif_as_text.png", 8, 2, ramps, extra=chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)))

# GIF and BMP
palette.save(OUT / "transparent.gif", transparency=3)
rgb.save(OUT / "colour.bmp")
palette.save(OUT / "palette.bmp")

for file in sorted(OUT.iterdir()):
    if ".expected." not in file.name:
        image = ImageOps.exif_transpose(Image.open(file))
        if image.mode in ("RGBA", "LA") or "transparency" in image.info:
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            image = white
        image.convert("RGB").save(OUT / f"{file.name}.expected.png", optimize=True)
