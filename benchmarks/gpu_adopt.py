"""Take over what a run of `gpu_hour.py` has shown: one flag, the sentence that follows, weights.

`tests/test_gpu_adopt.py` checks that flag, README and committed records say the same.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from gpu_hour import REPORT
from gpu_report import find_doubts
from gpu_session import RECORD

from semanir_arch.tasks import NETWORK_TASKS
from semanir_arch.utils.atomic import write_text

__all__ = ["FLAG", "FLAGS", "README", "SENTENCES", "adopt", "read_flag"]

FLAG, README = Path("semanir_arch/ops/backend.py"), Path("README.md")
RESULTS, WEIGHTS = Path("benchmarks/results"), Path("semanir_arch/weights")

FLAGS = {proven: f"\nKERNELS_PROVEN = {proven}\n" for proven in (False, True)}

SENTENCES = {
    False: "PyTorch's attention is used; our Triton kernels passed in the interpreter but have "
    "**not run on a GPU yet**",
    True: "our Triton kernels do the attention in 16 bits, faster than PyTorch's with a mask; "
    "[measured](docs/gpu.md)",
}
"""Sentences of the README about GPUs, by the flag."""


def read_flag(root: Path) -> bool:
    """The flag in a checkout.

    Raises:
        ValueError: The line is not there, or not as it should be.
    """
    text = (root / FLAG).read_text(encoding="utf-8")
    found = [proven for proven, line in FLAGS.items() if line in text]
    if len(found) != 1:
        raise ValueError(f"{root / FLAG}: exactly one line must be KERNELS_PROVEN = True or False")
    return found[0]


def adopt(folder: Path, root: Path) -> list[str]:
    """Change a checkout by what a run has shown. Nothing is committed.

    Better weights are taken in any case, and so are record and report; flag and README only if
    nothing speaks against the kernels.

    Args:
        folder: Output of the run.
        root: Root of the checkout.

    Returns:
        Actions done, and reasons against doing more.

    Raises:
        FileNotFoundError: There is no record, or no report.
        ValueError: It is one of a rehearsal, or flag and README are not as expected. Nothing has
            been changed then.
    """
    file = folder / RECORD
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if record["rehearsal"]:
        raise ValueError(f"{file} is the record of a rehearsal, which shows nothing about a GPU")
    doubts = find_doubts(record)
    report = (folder / REPORT).read_text(encoding="utf-8")
    changes = {} if doubts else _switch(root)
    for path, text in changes.items():
        write_text(path, text)
    done = [f"{path.relative_to(root)}: the kernels are chosen on GPUs" for path in changes]
    name = root / RESULTS / f"gpu_{record['date']}"
    name.parent.mkdir(parents=True, exist_ok=True)
    write_text(name.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
    write_text(name.with_suffix(".md"), report)
    done.append(f"{name.relative_to(root)}: record and report")
    for task in NETWORK_TASKS:
        weights, notes = folder / f"{task}.safetensors", folder / f"{task}.json"
        if weights.is_file() and notes.is_file():
            shutil.copyfile(weights, root / WEIGHTS / weights.name)
            shutil.copyfile(notes, root / WEIGHTS / notes.name)
            command = f"python -m semanir_arch.weights score {task}"
            done.append(f"{task}: better weights; their test scores: {command}")
    return done + [f"not switched on: {doubt}" for doubt in doubts]


def _switch(root: Path) -> dict[Path, str]:
    """New content of the files that change; none if they say so already."""
    if read_flag(root):
        return {}
    changes = {}
    for path, texts in ((root / FLAG, FLAGS), (root / README, SENTENCES)):
        text = path.read_text(encoding="utf-8")
        if text.count(texts[False]) != 1:
            raise ValueError(f"{path}: this must be there once: {texts[False].strip()}")
        changes[path] = text.replace(texts[False], texts[True])
    return changes
