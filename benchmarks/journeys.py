"""Walk the three ways through the toolkit as a person types them, and write down what it answered.

    python benchmarks/journeys.py --output docs/journeys.md

A photo restored by the command; a network trained on own photos, by docs/own_photos.md; the page
asked over HTTP. Every command runs in a shell, in an empty folder; what it prints, stdout and
stderr, becomes docs/journeys.md. Long outputs are shortened where `[...]` says so. Needs the
packages for training, scikit-image, curl and `datasets/train/CID22`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("restore", "train", "test", "data", "options")
PORT = 7861

MOST_LINES, FIRST, LAST = 16, 9, 5
TRAINING = "--force_yml train:total_iter=40 train:scheduler:periods=[40]"
"""What makes the page's training of 1000 iterations one of a moment."""


@dataclass(frozen=True)
class Step:
    """One thing a person does.

    Args:
        text: Reason for the step, shown before the command.
        command: Command for bash; empty for text alone.
        fails: Whether it is expected to be refused.
    """

    text: str
    command: str = ""
    fails: bool = False


PHOTO = [
    Step(
        "A folder with what people have: a grainy cat, a cup of coffee saved as a bad JPEG file, a "
        "tiny portrait, a photo without faults, and a PDF file.",
        "ls photos",
    ),
    Step("What can it do?", "semanir-restore --list"),
    Step("What is wrong with them?", "semanir-restore photos --diagnose"),
    Step("Repair all.", "semanir-restore photos -o restored"),
    Step("Once more: nothing is overwritten.", "semanir-restore photos/cat.png -o restored", True),
    Step(
        "Too strong? Keep 60 % of the change.",
        "semanir-restore photos/cat.png -o softer --strength 0.6",
    ),
    Step("What would other tasks do?", "semanir-restore photos/cat.png -o sheets --try"),
    Step("A word it does not know.", "semanir-restore photos/cat.png -o x --task upscale", True),
    Step("A file that is no picture.", "semanir-restore photos/bill.pdf -o x", True),
]

OWN = [
    Step("Twenty photos of one's own.", "ls photos | head -3; ls photos | wc -l"),
    Step(
        "Cut them, keep two for testing.",
        "semanir-data patches --input photos --output datasets/photos/train --size 256 --step 224"
        " --holdout IMG_0001 IMG_0002 --holdout-output datasets/photos/test",
    ),
    Step("The option files of the toolkit.", "semanir-options --copy options"),
    Step(
        "The first file of [own_photos.md](own_photos.md), put under its name.",
        "mkdir -p options/photos && cp denoise.yml options/photos/ && cat options/photos/*.yml",
    ),
    Step("Is everything in order?", "semanir-data check -opt options/photos/denoise.yml"),
    Step(
        "Train; the page takes 1000 iterations, this journey 40. Ctrl-C after a while.",
        "timeout -s INT {patience} semanir-train -opt options/photos/denoise.yml --auto_resume "
        + TRAINING,
        True,
    ),
    Step(
        "The same command continues.",
        "semanir-train -opt options/photos/denoise.yml --auto_resume " + TRAINING,
    ),
    Step(
        "Test on the two photos that it never saw.",
        "semanir-test -opt options/photos/denoise.yml --weights "
        "experiments/photos_denoise/models/net_g_latest.pth",
    ),
    Step(
        "Restore a photo with the own weights.",
        "semanir-restore photos/IMG_0001.png -o restored --weights "
        "experiments/photos_denoise/models/net_g_latest.pth --compare",
    ),
]

API = f"http://127.0.0.1:{PORT}/api"
PAGE = [
    Step(
        "Start the page; a person opens the address in a browser. Here curl asks what the browser "
        "would.",
        f"semanir-restore --serve --port {PORT} > served.txt & sleep {{patience}}; cat served.txt",
    ),
    Step("The page itself.", f"curl -s http://127.0.0.1:{PORT}/ | grep -o '<title>.*</title>'"),
    Step(
        "A photo is dropped: what is wrong with it?",
        f"curl -s --data-binary @photos/cat.png '{API}/look?name=cat.png'; echo",
    ),
    Step(
        "*Restore* is pressed; the state is asked for until it is done.",
        f"id=$(curl -s --data-binary @photos/cat.png '{API}/jobs?task=denoise&name=cat.png'"
        """ | sed 's/.*"id":"\\([^"]*\\)".*/\\1/'); for i in $(seq 60); do """
        f"curl -s {API}/jobs/$id > state.json; grep -q done state.json && break; sleep 1; done; "
        "cat state.json; echo; "
        f"curl -s -o cat_denoise.png {API}/jobs/$id/result; file cat_denoise.png",
    ),
    Step(
        "A file that is no picture.",
        f"curl -s --data-binary @photos/bill.pdf '{API}/look?name=bill.pdf'; echo",
    ),
    Step(
        "Another web site tries.", f"curl -s -H 'Origin: http://evil.example' {API}/options; echo"
    ),
    Step("Ctrl-C ends it.", "kill -INT $(cat server.pid); sleep 3; cat served.txt | tail -1"),
]


def main() -> None:
    """Walk, and write the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/journeys.md"))
    parser.add_argument("--patience", type=int, default=30, help="seconds before Ctrl-C")
    arguments = parser.parse_args()
    parts = [
        "# Three journeys",
        "```bash\npython benchmarks/journeys.py      # makes this page anew\n```",
        "What three people type, and what they are answered, on one processor core that is shared\n"
        "with other work; times in seconds stand after the commands. `[...]` marks what was left\n"
        "out of long outputs.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        tools = make_commands(Path(folder) / "bin")
        for title, steps, prepare in (
            ("A photo, by the command", PHOTO, some_photos),
            ("A network of one's own", OWN, twenty_photos),
            ("The page, over HTTP", PAGE, some_photos),
        ):
            place = Path(folder) / title.split()[-1]
            prepare(place)
            parts.append(f"## {title}")
            for step in steps:
                parts += walk(step, place, tools, arguments.patience)
    arguments.output.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {arguments.output}\n")


def make_commands(folder: Path) -> Path:
    """The console commands, of this checkout."""
    folder.mkdir(parents=True)
    for name in COMMANDS:
        path = folder / f"semanir-{name}"
        # a server must be ended by its own number
        note = "echo $$ > server.pid\n" if name == "restore" else ""
        path.write_text(f'#!/bin/sh\n{note}exec {sys.executable} -m semanir_arch {name} "$@"\n')
        path.chmod(0o755)
    return folder


def walk(step: Step, place: Path, tools: Path, patience: int) -> Iterator[str]:
    """Do a step; gives its parts of the document.

    Raises:
        RuntimeError: It failed, or did not where it should.
    """
    command = step.command.replace("{patience}", str(patience))
    environment = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", PYTHONPATH=str(ROOT))
    start = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=(place / "output.txt").open("wb"),
        stderr=subprocess.STDOUT,
        check=False,
    )
    seconds = time.monotonic() - start
    text = (place / "output.txt").read_text(encoding="utf-8", errors="replace")
    (place / "output.txt").unlink()
    sys.stdout.write(f"[{done.returncode}] {command}\n{text}\n")
    sys.stdout.flush()
    if (done.returncode != 0) != step.fails:
        raise RuntimeError(f"{command!r} ended with {done.returncode}:\n{text}")
    yield textwrap.fill(step.text, 100, break_long_words=False)
    ended = f"  (exit code {done.returncode})" if done.returncode else ""
    yield f"```text\n$ {command}    # {seconds:.0f} s{ended}\n{shortened(text)}```"


def shortened(text: str) -> str:
    """An output with its middle left out where it is long, and without what differs each time."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).replace(str(ROOT), "~/SemanIR")
    plain = re.sub(r"/tmp/tmp\w+/\w+", "~", plain)
    lines = [line.rstrip() for line in plain.splitlines()]
    if len(lines) > MOST_LINES:
        left = len(lines) - FIRST - LAST
        lines = [*lines[:FIRST], f"[... {left} lines ...]", *lines[-LAST:]]
    return "".join(f"{line[:160]}{'[...]' * (len(line) > 160)}\n" for line in lines)


def some_photos(place: Path) -> None:
    """A folder `photos` with faults that people's pictures have."""
    from skimage import data

    folder = place / "photos"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)

    def save(name: str, image: np.ndarray, **options: Any) -> None:
        pixels = image.round().clip(0, 255).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(folder / name, **options)

    cat, coffee, rocket = (
        image.astype(float) for image in (data.chelsea(), data.coffee(), data.rocket())
    )
    save("cat.png", cat + random.normal(0, 25, cat.shape))
    save("coffee.jpg", coffee, quality=25)
    save("rocket.png", rocket)
    small = np.asarray(PIL.Image.fromarray(data.astronaut()).resize((180, 180)), float)
    save("astronaut.jpg", small, quality=40)
    (folder / "bill.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")


def twenty_photos(place: Path) -> None:
    """`photos/IMG_0001.png` to `IMG_0020.png`, and the page's first option file."""
    folder = place / "photos"
    folder.mkdir(parents=True)
    paths = sorted((ROOT / "datasets/train/CID22/training").iterdir())[:20]
    for number, path in enumerate(paths, start=1):
        shutil.copy(path, folder / f"IMG_{number:04}.png")
    page = (ROOT / "docs/own_photos.md").read_text(encoding="utf-8")
    found = re.search(r"`options/photos/denoise.yml`:\n\n```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None, "docs/own_photos.md has lost its first file"
    (place / "denoise.yml").write_text(found[1], encoding="utf-8")


if __name__ == "__main__":
    main()
