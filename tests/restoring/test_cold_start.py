"""A short command waits for nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys

from semanir_arch.data.files.image_io import load_image, write_image
from tests.helpers import ROOT, make_image

NOT_NEEDED = {"torch._dynamo", "torch._inductor", "sympy", "triton"} | {
    *("basicsr", "matplotlib", "scipy", "skimage", "torchvision"),
}


def test_a_restoration_imports_neither_the_compiler_nor_what_only_training_needs(tmp_path) -> None:
    write_image(tmp_path / "frog.png", make_image((64, 64, 3)))
    code = f"""
import sys
from semanir_arch.commands import restore as cli
code = cli.main(sys.argv[1:])
sys.exit(code or " ".join({NOT_NEEDED!r} & set(sys.modules)) or 0)
"""
    arguments = (tmp_path / "frog.png", "-o", tmp_path / "out", "--task", "denoise")
    command = [sys.executable, "-c", code, *map(str, arguments), "--device", "cpu"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert load_image(tmp_path / "out" / "frog.png").pixels.shape == (64, 64, 3)
