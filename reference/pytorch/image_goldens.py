# SPDX-License-Identifier: Apache-2.0
"""Draws the image fixtures of tests/goldens/images and writes what Python makes of them.

    .venv/bin/python reference/pytorch/image_goldens.py [tests/goldens/images]

Oracles: Pillow 12.0.0 (pixels, EXIF, bicubic), torch 2.13 (bicubic on uint8 and float32, bilinear
and nearest upsampling), transformers 4.57.1 (smart_resize, Qwen2-VL image processors), pycocotools
2.0.10 (run-length masks; `pip install --no-deps pycocotools` first, else the committed file stays).

Files written (text, one record a line, blank-separated; CRC-32 in hexadecimal):
    <name>.<png|jpg|bmp|ppm|..>  the fixtures
    pixels.txt     file width height orientation crc(RGB) crc(RGB after exif_transpose)
    resize.txt     file width height crc(pillow) crc(torch-u8) crc(torch-f32) and 12 torch-f32 bytes
    smart.txt      height width factor min_pixels max_pixels resized_height resized_width
    patches.txt    file min max grid_h grid_w crc(fast float32 bytes) crc(slow) then 8 x "index value"
    upsample.txt   h w H W crc(bilinear mask) crc(nearest mask) area score, logits as in the C++ test
    run_length.txt h w seed area x y w h counts
"""
import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image, ImageOps
from torch.nn.functional import interpolate

assert PIL.__version__ == "12.0.0", "Pillow 13 runs its passes in another order"
OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/goldens/images")
rng = np.random.default_rng(20251)


def crc(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"


def picture(width: int, height: int, channels: int = 3, noise: float = 12) -> np.ndarray:
    """Gradients, discs and a little noise: compresses well, still exercises every filter."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = []
    for c in range(channels):
        plane = 127 + 90 * np.sin(x / (5 + 3 * c) + c) * np.cos(y / (7 + 2 * c))
        cx, cy, r = width * (0.3 + 0.2 * c), height * 0.5, min(width, height) * 0.3 + 1
        plane = np.where((x - cx) ** 2 + (y - cy) ** 2 < r * r, 255 - plane, plane)
        planes.append(plane + rng.normal(0, noise, plane.shape))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def save(name: str, image: Image.Image, **options) -> None:
    image.save(OUT / name, **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(name, samples, depth, colour, extra=b"", interlaced=False):
    """A PNG by hand: samples [h, w, channels], all five row filters in turn, optional Adam7."""
    height, width, channels = samples.shape
    raw = b""
    for x0, y0, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[y0::dy, x0::dx]
        if part.size == 0:
            continue
        bits = np.unpackbits(part.reshape(len(part), -1, 1).astype(">u2").view(np.uint8), axis=-1)
        rows = np.packbits(bits.reshape(len(part), -1, 16)[:, :, 16 - depth:].reshape(len(part), -1), axis=1)
        step = max(1, channels * depth // 8)
        above = np.zeros(rows.shape[1], np.int64)
        for number, row in enumerate(rows.astype(np.int64)):
            left = np.concatenate([np.zeros(step, np.int64), row])[: len(row)]
            corner = np.concatenate([np.zeros(step, np.int64), above])[: len(row)]
            p = left + above - corner
            pa, pb, pc = abs(p - left), abs(p - above), abs(p - corner)
            paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, above, corner))
            guess = [0 * row, left, above, (left + above) // 2, paeth][number % 5]
            raw += bytes([number % 5]) + ((row - guess) % 256).astype(np.uint8).tobytes()
            above = row
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    body = zlib.compress(raw, 9)
    half = len(body) // 2  # two IDAT chunks: readers must join them
    (OUT / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body[:half])
                             + chunk(b"IDAT", body[half:]) + chunk(b"IEND", b""))


def exif(orientation: int, big: bool) -> bytes:
    order = ">" if big else "<"
    entries = struct.pack(order + "HHI4s", 0x010F, 2, 4, b"cam\0")
    entries += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return (b"MM" if big else b"II") + struct.pack(order + "HIH", 42, 8, 2) + entries + bytes(4)


def draw_fixtures() -> None:
    save("rgb_odd.png", Image.fromarray(picture(61, 47)))
    save("rgb_1x1.png", Image.fromarray(picture(1, 1)))
    save("rgb_2x2.png", Image.fromarray(picture(2, 2)))
    save("rgb_3x1.png", Image.fromarray(picture(3, 1)))
    save("rgb_1x150.png", Image.fromarray(picture(1, 150)))
    save("rgb_400x2.png", Image.fromarray(picture(400, 2)))
    save("rgb_190x1.png", Image.fromarray(picture(190, 1)))
    save("rgb_28.png", Image.fromarray(picture(28, 28)))
    save("rgb_56x84.png", Image.fromarray(picture(56, 84)))
    save("rgb_70x42.png", Image.fromarray(picture(70, 42)))
    save("rgb_tall.png", Image.fromarray(picture(33, 129)))
    save("rgb_wide.png", Image.fromarray(picture(199, 57, noise=0)))
    save("noise.png", Image.fromarray(rng.integers(0, 256, (37, 41, 3), dtype=np.uint8)))
    edge = np.zeros((40, 40, 3), np.uint8)
    edge[10:30, 15:25] = 255
    save("edges.png", Image.fromarray(edge))
    save("grey.png", Image.fromarray(picture(45, 31, 1)[..., 0]))
    save("grey_alpha.png", Image.fromarray(picture(23, 19, 2), "LA"))
    save("rgb_alpha.png", Image.fromarray(picture(29, 31, 4), "RGBA"))
    save("palette.png", Image.fromarray(picture(53, 37)).quantize(200))
    save("palette_transparent.png", Image.fromarray(picture(31, 37)).quantize(16), transparency=3)
    save("bits.png", Image.fromarray(picture(43, 21, 1)[..., 0]).convert("1"))
    save("grey16.png", Image.fromarray((np.arange(35 * 23).reshape(23, 35) * 7).astype(np.uint16)))
    wide = lambda c: rng.integers(0, 65536, (11, 13, c))
    png("rgb16.png", wide(3), 16, 2)
    png("grey_alpha16.png", wide(2), 16, 4)
    png("rgb_alpha16.png", wide(4), 16, 6)
    gamma = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"cHRM", bytes(32))
    colours = chunk(b"PLTE", rng.integers(0, 256, 5 * 3, dtype=np.uint8).tobytes())
    png("palette4_short.png", rng.integers(0, 8, (9, 15, 1)), 4, 3, gamma + colours + chunk(b"tRNS", b"\0\x80"))
    png("grey2.png", rng.integers(0, 4, (9, 15, 1)), 2, 0, chunk(b"tRNS", b"\0\1"))
    png("grey4.png", rng.integers(0, 16, (9, 15, 1)), 4, 0)
    png("palette1.png", rng.integers(0, 2, (12, 21, 1)), 1, 3, colours)
    png("rgb_filters.png", picture(17, 12).astype(int), 8, 2, gamma + chunk(b"tRNS", bytes([0, 9, 0, 9, 0, 9])))
    png("adam7_rgb.png", picture(19, 21).astype(int), 8, 2, interlaced=True)
    png("adam7_tiny.png", picture(3, 2).astype(int), 8, 2, interlaced=True)
    png("adam7_grey1.png", rng.integers(0, 2, (13, 21, 1)), 1, 0, interlaced=True)
    png("adam7_grey16.png", rng.integers(0, 400, (10, 9, 1)), 16, 0, interlaced=True)
    png("exif_png.png", picture(11, 7).astype(int), 8, 2, chunk(b"eXIf", exif(6, True)))

    photo = Image.fromarray(picture(75, 53, noise=6))
    save("jpeg_420.jpg", photo, quality=80, subsampling=2)
    save("jpeg_422.jpg", photo, quality=85, subsampling=1)
    save("jpeg_444.jpg", photo, quality=90, subsampling=0)
    save("jpeg_progressive.jpg", photo, quality=80, progressive=True)
    save("jpeg_grey.jpg", photo.convert("L"), quality=85)
    save("jpeg_cmyk.jpg", Image.fromarray(picture(37, 26, 4), "CMYK"), quality=85)  # with black, too
    save("jpeg_restart.jpg", photo, quality=70, restart_marker_blocks=2)
    save("jpeg_1x1.jpg", Image.fromarray(picture(1, 1)))
    for orientation in range(1, 9):
        tag = b"Exif\0\0" + exif(orientation, orientation % 2 == 0)
        save(f"exif_{orientation}.jpg", Image.fromarray(picture(13, 9)), quality=75, exif=tag)

    save("rgb.bmp", Image.fromarray(picture(17, 11)))
    save("grey.bmp", Image.fromarray(picture(18, 5, 1)[..., 0]))
    save("palette.bmp", Image.fromarray(picture(19, 9)).quantize(32))
    save("bits.bmp", Image.fromarray(picture(37, 9, 1)[..., 0]).convert("1"))
    save("rgb_alpha.bmp", Image.fromarray(picture(9, 7, 4), "RGBA"))
    write_bmps()
    save("rgb.ppm", Image.fromarray(picture(15, 9)))
    save("grey.pgm", Image.fromarray(picture(14, 9, 1)[..., 0]))
    save("bits.pbm", Image.fromarray(picture(19, 9, 1)[..., 0]).convert("1"))
    text = lambda a: "\n".join(" ".join(map(str, row.reshape(-1))) for row in a).encode()
    (OUT / "text1.pbm").write_bytes(b"P1\n# bits\n5 3\n01 001\n1 1 1 0 0 # end\n00000\n")
    (OUT / "text2.pgm").write_bytes(b"P2 7 4 # grey\n100\n" + text(rng.integers(0, 101, (4, 7))))
    (OUT / "text3.ppm").write_bytes(b"P3\n4 3\n31\n" + text(rng.integers(0, 32, (3, 4, 3))))
    (OUT / "grey100.pgm").write_bytes(b"P5\n9 3\n100\n" + rng.integers(0, 101, 27, dtype=np.uint8).tobytes())
    (OUT / "grey999.pgm").write_bytes(b"P5 9 3 999\n" + rng.integers(0, 9, 27).astype(">u2").tobytes())
    (OUT / "grey65535.pgm").write_bytes(b"P5 9 3 65535\n" + rng.integers(0, 400, 27).astype(">u2").tobytes())
    (OUT / "rgb65535.ppm").write_bytes(b"P6 5 3 65535\n" + rng.integers(0, 65536, 45).astype(">u2").tobytes())


def write_bmps() -> None:
    def bmp(name, width, height, bits, compression, data, palette=b"", masks=b"", header=40):
        offset = 14 + header + len(masks) + len(palette)
        info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(data), 0, 0,
                           len(palette) // 4, 0)
        (OUT / name).write_bytes(struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset) + info
                                 + masks + palette + data)
    rows = lambda height, size: rng.integers(0, 256, (height, size), dtype=np.uint8).tobytes()
    bmp("rgb555.bmp", 7, 5, 16, 0, rows(5, 16))
    bmp("rgb565.bmp", 7, 5, 16, 3, rows(5, 16), masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    bmp("rgb32_masks.bmp", 7, 5, 32, 3, rows(5, 28), masks=struct.pack("<III", 0xFF000000, 0xFF0000, 0xFF00))
    bmp("rgb32_top_down.bmp", 7, -5, 32, 0, rows(5, 28))
    palette = rng.integers(0, 256, 64, dtype=np.uint8).tobytes()
    bmp("palette4.bmp", 7, 5, 4, 0, rows(5, 4), palette)
    # No jumps (0, 2, right, up): Pillow 12.0.0 reads their two bytes twice.
    runs = bytes([4, 1, 3, 2, 0, 0, 0, 3, 5, 6, 7, 0, 4, 9, 0, 0, 11, 7, 0, 0, 2, 3, 5, 4, 0, 1])
    bmp("runs8.bmp", 7, 4, 8, 1, runs, palette)
    bmp("runs4.bmp", 6, 2, 4, 2, bytes([5, 0x12, 1, 0x30, 0, 0, 0, 6, 0x45, 0x67, 0x89, 0, 0, 1]), palette)
    data = rows(3, 16)
    (OUT / "os2.bmp").write_bytes(struct.pack("<2sIHHI", b"BM", 26 + len(data), 0, 0, 26)
                                  + struct.pack("<IHHHH", 12, 5, 3, 1, 24) + data)


def rgb(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def write_pixels(files) -> None:
    lines = []
    for path in files:
        image = Image.open(path)
        orientation = image.getexif().get(0x0112, 1)
        turned = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        lines.append(f"{path.name} {image.width} {image.height} {orientation} {crc(rgb(path).tobytes())} "
                     f"{crc(turned.tobytes())}")
    (OUT / "pixels.txt").write_text("\n".join(lines) + "\n")


def torch_resize(pixels: np.ndarray, width: int, height: int, dtype) -> np.ndarray:
    batch = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].contiguous().to(dtype)
    out = interpolate(batch, size=(height, width), mode="bicubic", antialias=True)
    if dtype == torch.float32:
        out = out.round().clamp(0, 255).to(torch.uint8)
    return out[0].permute(1, 2, 0).contiguous().numpy()


def write_resize(files) -> None:
    lines = []
    for number, path in enumerate(files):
        pixels = rgb(path)
        height, width = pixels.shape[:2]
        # torch 2.13 fails on 1 x 1 (uint8) and repeats the first row in results of width 1 (float32).
        sizes = [(28, 28), (56, 84), (max(2, width), 28), (28, height), (width * 2 + 1, height * 3 + 2),
                 (max(2, width // 3), max(1, height // 2)), (2, 1)]
        for w, h in [sizes[number % 7], sizes[(number + 3) % 7]]:
            pillow = np.asarray(Image.fromarray(pixels).resize((w, h), Image.Resampling.BICUBIC))
            u8 = torch_resize(pixels, w, h, torch.uint8)
            f32 = torch_resize(pixels, w, h, torch.float32)
            sampled = f32.reshape(-1)[[(f32.size - 1) * i // 11 for i in range(12)]]
            lines.append(f"{path.name} {w} {h} {crc(pillow.tobytes())} {crc(u8.tobytes())} {crc(f32.tobytes())} "
                         + " ".join(map(str, sampled)))
    (OUT / "resize.txt").write_text("\n".join(lines) + "\n")


def write_processor(files) -> None:
    from transformers import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize
    lines = []
    sizes = [(1, 1), (2, 2), (1, 200), (200, 1), (42, 70), (70, 42), (14, 14), (98, 126), (896, 896), (480, 640),
             (4000, 3000), (27, 5400), (5400, 27), (100, 20000), (13, 1), (640, 427), (1000, 5)]
    sizes += [tuple(int(v) for v in np.exp(rng.uniform(0, 9, 2))) for _ in range(400)]
    for height, width in sizes:
        for factor, least, most in [(28, 3136, 12845056), (28, 802816, 1003520), (28, 802816, 802816),
                                    (16, 4096, 65536), (28, 1, 784)]:
            try:
                h, w = smart_resize(height, width, factor, least, most)
            except ValueError:
                h = w = -1
            lines.append(f"{height} {width} {factor} {least} {most} {h} {w}")
    (OUT / "smart.txt").write_text("\n".join(lines) + "\n")

    # The fast processor imports torchvision; its formulas are restated here over torch (lines of
    # image_processing_utils_fast.py) and checked against the slow processor, which runs as it is.
    lines = []
    for number, path in enumerate(files):
        least, most = [(3136, 12544), (784, 3136), (9408, 9408)][number % 3]
        pixels = rgb(path)
        try:
            h, w = smart_resize(*pixels.shape[:2], 28, least, most)
        except ValueError:
            continue
        if h * w > 40000:
            continue
        slow = Qwen2VLImageProcessor(min_pixels=least, max_pixels=most)
        # Without the format it guesses, and takes an image of 3 rows for three planes.
        expected = slow(Image.fromarray(pixels), return_tensors="np", input_data_format="channels_last")
        assert tuple(expected["image_grid_thw"][0]) == (1, h // 14, w // 14)
        resized = np.asarray(Image.fromarray(pixels).resize((w, h), Image.Resampling.BICUBIC))
        mean = torch.tensor(slow.image_mean) * (1.0 / slow.rescale_factor)
        std = torch.tensor(slow.image_std) * (1.0 / slow.rescale_factor)
        values = torch.from_numpy(resized.copy()).permute(2, 0, 1).to(torch.float32)
        values = values.sub_(mean[:, None, None]).div_(std[:, None, None])  # torchvision's normalize
        values = values[None, None].repeat(1, 2, 1, 1, 1)
        grid_h, grid_w = h // 14, w // 14
        values = values.view(1, 1, 2, 3, grid_h // 2, 2, 14, grid_w // 2, 2, 14)
        fast = values.permute(0, 1, 4, 7, 5, 8, 3, 2, 6, 9).reshape(grid_h * grid_w, 1176).contiguous().numpy()
        slow_values = np.ascontiguousarray(expected["pixel_values"], dtype=np.float32)
        assert np.abs(fast - slow_values).max() < 1e-6
        flat = fast.reshape(-1)
        where = rng.integers(0, flat.size, 8)
        lines.append(f"{path.name} {least} {most} {grid_h} {grid_w} {crc(fast.tobytes())} {crc(slow_values.tobytes())} "
                     + " ".join(f"{i} {flat[i]:.9g}" for i in where))
    (OUT / "patches.txt").write_text("\n".join(lines) + "\n")


def grid_logits(h: int, w: int) -> np.ndarray:
    """What C++ makes alike: ((7 i^2 + 13 i + 5) mod 31 - 15) / 8 + 0.0137, so that no interpolated
    value is exactly 0, where the order of the additions would decide."""
    i = np.arange(h * w)
    return ((((7 * i * i + 13 * i + 5) % 31 - 15) / 8).astype(np.float32) + np.float32(0.0137)).reshape(h, w)


def write_upsample() -> None:
    lines = []
    for h, w, height, width in [(1, 1, 1, 1), (1, 1, 5, 7), (2, 2, 56, 56), (4, 6, 110, 122), (13, 17, 110, 122),
                                (5, 7, 3, 2), (26, 26, 512, 333), (2, 20, 82, 92), (9, 31, 131, 427), (32, 32, 640, 480)]:
        logits = torch.from_numpy(grid_logits(h, w))[None, None]
        smooth = interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
        nearest = interpolate((logits > 0).float(), size=(height, width), mode="nearest")
        score = torch.sigmoid(smooth.double())[smooth > 0]
        lines.append(f"{h} {w} {height} {width} {crc((smooth > 0).to(torch.uint8).numpy().tobytes())} "
                     f"{crc(nearest.to(torch.uint8).numpy().tobytes())} {int((smooth > 0).sum())} "
                     f"{float(score.mean()) if score.numel() else 0:.9g}")
    (OUT / "upsample.txt").write_text("\n".join(lines) + "\n")


def seeded_mask(h: int, w: int, seed: int) -> np.ndarray:
    """A mask that C++ makes alike: blocks of a 32-bit multiplicative hash."""
    y, x = np.mgrid[0:h, 0:w].astype(np.uint64)
    cell = max(1, seed % 7)
    value = ((y // cell) * 2654435761 + (x // cell) * 40503 + seed * 97) & 0xFFFFFFFF
    return (((value * 2246822519) & 0xFFFFFFFF) >> 16) % 100 < (seed * 13) % 101


def write_run_length() -> None:
    try:
        from pycocotools import mask as coco
    except ImportError:
        print("pycocotools is missing: run_length.txt stays as it is")
        return
    lines = []
    sizes = [(1, 1), (1, 9), (9, 1), (5, 7), (31, 33), (64, 48), (100, 3), (7, 300), (200, 200)]
    for number, (h, w) in enumerate(sizes * 3):
        mask = np.asfortranarray(seeded_mask(h, w, number).astype(np.uint8))
        if number == 3:
            mask[:] = 1
        runs = coco.encode(mask)
        box = " ".join(str(int(v)) for v in coco.toBbox(runs))
        lines.append(f"{h} {w} {number} {int(coco.area(runs))} {box} {runs['counts'].decode()}")
    (OUT / "run_length.txt").write_text("\n".join(lines) + "\n")


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    draw_fixtures()
    files = sorted(p for p in OUT.iterdir() if p.suffix in {".png", ".jpg", ".bmp", ".ppm", ".pgm", ".pbm"})
    write_pixels(files)
    write_resize(files)
    write_processor(files)
    write_upsample()
    write_run_length()
    print(len(files), "images,", sum(p.stat().st_size for p in OUT.iterdir()), "bytes")


if __name__ == "__main__":
    main()
