"""Dependencies point down; see docs/architecture.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "semanir_arch"

MAY_IMPORT = {
    "utils": set(),
    "host": {"utils"},
    "ops": set(),
    "modules": {"ops"},
    "archs": {"modules", "ops"},
    "data": {"utils"},
    "losses": {"utils"},
    "metrics": {"utils"},
    "models": {"archs", "modules", "ops", "data", "losses", "metrics", "host", "utils"},
    "registration": {"archs", "data", "losses", "metrics", "models", "host"},
    "report": {"models", "metrics", "data", "utils"},
    "weights": set(),
    "inference": {"archs", "modules", "ops", "data", "report", "weights", "utils"},
    "engine": {
        *("archs", "modules", "ops", "data", "losses", "metrics", "models", "report", "weights"),
        *("registration", "host", "utils"),
    },
    "plugin": {"engine", "registration"},
    "doctor": {"ops", "host", "utils"},
}
"""For every part of the package, the parts below or beside it that it may use."""

USES_BASICSR = {"host", "models", "registration", "plugin", "engine", "doctor"}
"""The parts that need BasicSR; all others must work where it is not installed."""

ENTRY_POINTS = {"__main__.py"}
"""Files that start something from the command line: they stand above all layers."""

FILES = sorted(PACKAGE.rglob("*.py"))
LIMITS = {"file": 400, "kernel": 700, "function": 60, "script": 25}


def name_of(path):
    return str(path.relative_to(ROOT))


def part_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """Absolute names of the modules that a file imports, wherever in it."""
    package = (PACKAGE.name, *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            if module == PACKAGE.name:
                yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_part_uses_only_what_lies_below_it(path):
    part = part_of(path)
    if part == "__init__" or path.name in ENTRY_POINTS:
        return
    used = {name.split(".")[1] for name in imported(path) if name.startswith("semanir_arch.")}
    # Names of the package itself, such as its version, are no part.
    parts = {name for name in used if name in MAY_IMPORT}
    assert parts <= MAY_IMPORT[part] | {part}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_the_host_knows_how_basicsr_is_imported(path):
    outside = {name.split(".")[0] for name in imported(path)}
    assert "basicsr" not in outside
    if path != PACKAGE / "losses" / "perceptual_loss.py":
        assert "torchvision" not in outside
    if part_of(path) not in USES_BASICSR and path.name not in ENTRY_POINTS:
        assert "semanir_arch.host" not in set(imported(path))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_triton_is_imported_by_kernels_alone(path):
    if "triton" in {name.split(".")[0] for name in imported(path)}:
        assert path == PACKAGE / "ops" / "backend.py" or path.name == "triton.py"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_importing_reads_no_command_line_environment_or_file(path):
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, (ast.FunctionDef, ast.If)):
            continue
        for node in ast.walk(statement):
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                node.body = []
        read = {
            ast.unparse(n) for n in ast.walk(statement) if isinstance(n, (ast.Attribute, ast.Name))
        }
        assert not read & {"sys.argv", "os.environ", "os.getenv", "open"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    limit = LIMITS["kernel" if path.name == "triton.py" else "file"]
    assert len(text.splitlines()) <= limit
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and path.name != "triton.py":
            # The signature of a network lists its options and is as long as they are many.
            assert node.end_lineno - node.body[0].lineno < LIMITS["function"], node.name


@pytest.mark.parametrize("script", ["train.py", "test.py"])
def test_entry_scripts_hold_no_logic(script):
    assert len((ROOT / script).read_text().splitlines()) < LIMITS["script"]


def test_nothing_here_pretends_to_be_basicsr():
    folders = [path for path in PACKAGE.rglob("basicsr") if path.is_dir()]
    assert not folders
    assert not (ROOT / "basicsr").exists()


def test_networks_data_metrics_and_inference_work_without_basicsr():
    code = """
import sys
sys.modules.update({"basicsr": None, "torchvision": None})
import semanir_arch, semanir_arch.archs, semanir_arch.data, semanir_arch.metrics
import semanir_arch.inference, semanir_arch.losses
import semanir_arch.utils.options, semanir_arch.utils.checkpoint
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_importing_the_package_is_light():
    code = "import sys, semanir_arch; sys.exit(len({'torch', 'basicsr', 'cv2'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
