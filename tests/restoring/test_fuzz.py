"""Five hundred damaged files in one call: each is restored or gets one line, and nothing hangs."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from semanir_arch.commands import restore as cli
from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_metadata import Metadata
from tests.data.files.made import with_opencv
from tests.helpers import make_image
from tests.restoring.networks import save_plain

pytestmark = pytest.mark.usefixtures("plain")

COUNT = 500
SECONDS = 120
SUFFIXES = (".png", ".jpg", ".tif", ".webp", ".bmp", ".jpeg", ".TIFF", ".avif", ".jp2", ".ppm")


def saved(file_format, mode="RGB", **settings):
    buffer = io.BytesIO()
    PIL.Image.fromarray(make_image((24, 20, 3))).convert(mode).save(buffer, file_format, **settings)
    return buffer.getvalue()


def sound_files():
    exif = PIL.Image.Exif()
    exif[271], exif[274], exif[34665] = "maker", 6, {33437: 2.8, 36867: "2020:01:01 00:00:00"}
    metadata = Metadata(icc_profile=b"p" * 200, exif=exif.tobytes(), xmp=b"<x/>", dpi=(300, 300))
    for suffix in (".png", ".jpg", ".tif", ".webp", ".bmp"):
        yield encode_image(make_image((24, 20, 3)), Path(f"a{suffix}"), metadata=metadata)
    for suffix in (".png", ".tif"):
        deep = make_image((24, 20, 4), np.uint16)
        yield encode_image(deep, Path(f"a{suffix}"), metadata=metadata)
    frames = [PIL.Image.fromarray(make_image((24, 20), seed=seed)) for seed in range(3)]
    for file_format in ("GIF", "TIFF", "WEBP", "PNG"):
        yield saved(file_format, "L", save_all=True, append_images=frames)
    yield saved("PNG", "P", transparency=3)
    yield saved("PNG", "1")
    yield saved("GIF", "P")
    yield saved("JPEG", progressive=True, exif=exif, dpi=(72, 72))
    yield saved("JPEG", "CMYK")
    yield saved("TIFF", compression="tiff_lzw")
    yield saved("TIFF", compression="jpeg")
    yield saved("TIFF", "1", compression="group4")
    yield saved("WEBP", exif=exif)
    yield from (saved(file_format) for file_format in ("AVIF", "JPEG2000", "PPM", "MPO"))
    yield saved("AVIF", "RGBA", exif=exif)
    yield with_opencv(".avif", make_image((24, 20, 3), np.uint16) >> 6, 513, 10)
    yield with_opencv(".jp2", make_image((64, 64, 3), np.uint16))
    yield b"P6 20 24 65535\n" + make_image((24, 20, 3), np.uint16).tobytes()


def damage(data, generator):
    """One of the things that happen to files."""
    kind = generator.integers(7)
    changed = bytearray(data)
    if kind == 0:
        return data[: generator.integers(len(data))]
    if kind == 1:
        for position in generator.integers(len(data), size=generator.integers(1, 20)):
            changed[position] ^= 1 << generator.integers(8)
    elif kind == 2:
        for position in generator.integers(min(len(data), 100), size=generator.integers(1, 6)):
            changed[position] = generator.integers(256)
    elif kind == 3:
        # sizes, counts and offsets that no file of this length has
        position = generator.integers(min(len(data) - 4, 120))
        number = generator.choice([2**31 - 1, 2**32 - 1, 60_000, 0])
        changed[position : position + 4] = struct.pack(generator.choice(["<I", ">I"]), number)
    elif kind == 4:
        start = generator.integers(len(data))
        changed[start : start + 60] = bytes(60)
    elif kind == 5:
        start, stop = sorted(generator.integers(len(data), size=2))
        del changed[start:stop]
    else:
        changed[generator.integers(len(data)) :] = generator.bytes(300)
    return bytes(changed)


def test_five_hundred_damaged_files(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(8)
    Path("in").mkdir()
    files = list(sound_files())
    for number in range(COUNT):
        data = damage(files[number % len(files)], generator)
        Path("in", f"{number}{generator.choice(SUFFIXES)}").write_bytes(data)
    sources = {str(path) for path in Path("in").iterdir()}
    weights = save_plain(Path("net.pth"))
    started = time.process_time()
    code = cli.main(["in", "-o", "out", "--weights", str(weights), "--device", "cpu"])
    assert time.process_time() - started < SECONDS
    captured = capfd.readouterr()
    restored = [
        line.split(" -> ")[0].split("] ")[1] for line in captured.out.splitlines() if " -> " in line
    ]
    messages = [line for line in captured.err.splitlines() if ": note: " not in line]
    refused = [message.split(": ")[1] for message in messages]
    assert code == 1
    assert sorted([*restored, *refused]) == sorted(sources)
    assert len(restored) > 30, "nearly everything was refused"
    assert len(refused) > 200, "the damage does too little"
    assert all(line.startswith("semanir-restore: ") for line in captured.err.splitlines())
    assert "Traceback" not in captured.err
    assert len(list(Path("out").iterdir())) == len(restored)
