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
    "moved": set(),
    "tasks": {"utils"},
    "host": {"utils"},
    "ops": {"utils"},
    "modules": {"ops", "utils"},
    "archs": {"modules", "ops", "tasks", "utils"},
    "data": {"tasks", "utils"},
    "losses": {"utils"},
    "metrics": {"utils"},
    "weights": {"tasks", "utils"},
    "report": {"metrics", "data", "tasks", "utils"},
    "bridges": {"archs", "modules", "weights", "host", "tasks", "utils"},
    "restoring": {
        "archs",
        "modules",
        "ops",
        "data",
        "bridges",
        "report",
        "tasks",
        "weights",
        "utils",
    },
    "evaluation": {"archs", "modules", "data", "metrics", "host", "utils"},
    "models": {"archs", "modules", "data", "losses", "metrics", "evaluation", "host", "utils"},
    "registration": {"archs", "bridges", "data", "losses", "metrics", "models", "host"},
    "runs": {
        *("archs", "bridges", "ops", "models", "evaluation", "report", "registration", "host"),
        *("data", "metrics", "utils"),
    },
    "training": {"ops", "runs", "metrics", "host", "utils"},
    "shipping": {
        *("archs", "modules", "data", "metrics", "registration", "runs", "training", "report"),
        *("tasks", "weights", "utils"),
    },
    "plugin": {"training", "registration"},
    "commands": {
        *("archs", "bridges", "data", "evaluation", "host", "metrics", "models", "plugin"),
        *("report", "restoring", "runs", "shipping", "tasks", "training", "weights", "utils"),
    },
    "__main__": {"commands"},
    "doctor": {"commands"},
}
"""For every part of the package, the parts below or beside it that it may use."""

USES_BASICSR = {
    *("host", "models", "registration", "plugin", "evaluation", "runs", "training", "shipping"),
    *("commands", "bridges"),
}
"""The parts that need BasicSR; all others must work where it is not installed."""

FILES = sorted(PACKAGE.rglob("*.py"))
LIMITS = {"file": 400, "kernel": 700, "function": 60, "script": 25}


HOLDS = {
    "__main__": "`python -m semanir_arch`: lists and starts the commands",
    "doctor": "`python -m semanir_arch.doctor`",
    "commands": "argument parsers, exit codes and messages of every command; nothing else",
    "plugin": "the one import that BasicSR's own training script needs",
    "shipping": "trains, chooses, scores and publishes the weights in the package",
    "training": "the loop, the data stream, saved states, and observers of a training",
    "runs": "turns an option file into a run that can start; runs test.py",
    "registration": "registers everything by name in BasicSR",
    "models": "BasicSR's model classes: the training step, schedules, optimizers",
    "evaluation": "scores a network on data sets, and caches the scores",
    "restoring": "image files in, restored files out; the page, `--explain`, export",
    "bridges": "other projects' networks, weights from anywhere, the hub; our networks elsewhere",
    "report": "tables, the papers' figures, the self-contained page",
    "archs": "networks: numbers and strings in, never an option dictionary",
    "modules": "`nn.Module`s that networks share, one idea per file",
    "ops": "functions on tensors: definition, fast versions, choice of backend",
    "data": "files, sources, degradations, data sets, preparation",
    "losses": "pure functions first, registered classes second",
    "metrics": "scores, protocols, and BasicSR's form of both",
    "weights": "small trained networks and their records",
    "host": "makes BasicSR 1.4.2 importable today and repairs what we measured to be broken",
    "tasks": "the one vocabulary: the names of every task, and where to find it",
    "utils": "option files, checkpoints, atomic files, what all commands share, repairs",
    "moved": "the old names of modules",
}
"""What every part holds, from the top down."""


def table():
    """The table of docs/architecture.md."""
    rows = ["| part | holds | may import |", "| --- | --- | --- |"]
    for part, text in HOLDS.items():
        used = ", ".join(f"`{name}`" for name in HOLDS if name in MAY_IMPORT[part])
        rows.append(f"| `{part}` | {text} | {used or 'nothing'} |")
    return "\n".join(rows)


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


def parts_used(path):
    """Parts of the package that a file imports; names of the package itself are no part."""
    used = {name.split(".")[1] for name in imported(path) if name.startswith("semanir_arch.")}
    return used & set(MAY_IMPORT)


def test_a_part_uses_only_what_lies_below_it():
    wrong = [
        f"{name_of(path)} imports {', '.join(sorted(upward))}"
        for path in FILES
        if part_of(path) != "__init__"
        and (upward := parts_used(path) - MAY_IMPORT[part_of(path)] - {part_of(path)})
    ]
    assert not wrong


def test_the_rooms_of_data_use_only_those_before_them():
    rooms = ("randomness", "files", "sources", "degradations", "datasets", "preparation")
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in (PACKAGE / "data").rglob("*.py")
        if (room := path.relative_to(PACKAGE / "data").with_suffix("").parts[0]) in rooms
        for name in imported(path)
        if name.startswith("semanir_arch.data.")
        and rooms.index(name.split(".")[2]) > rooms.index(room)
    ]
    assert not wrong


def test_no_two_parts_lead_to_each_other():
    """Below every part there is an order: whatever a part may use never leads back to it."""

    def below(part, seen=()):
        for other in MAY_IMPORT[part] - set(seen):
            seen = below(other, (*seen, other))
        return seen

    assert not [part for part in MAY_IMPORT if part in below(part)]


def test_the_document_shows_the_same_list():
    """`python -m tests.test_layering` prints the table of docs/architecture.md."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert table() in page, "docs/architecture.md: put the table that this file prints there"


def test_only_the_host_knows_how_basicsr_is_imported():
    wrong = []
    for path in FILES:
        names = set(imported(path))
        outside = {name.split(".")[0] for name in names}
        if "basicsr" in outside:
            wrong.append(f"{name_of(path)} imports basicsr")
        if "torchvision" in outside and path != PACKAGE / "losses" / "perceptual_loss.py":
            wrong.append(f"{name_of(path)} imports torchvision")
        if "semanir_arch.host" in names and part_of(path) not in USES_BASICSR:
            wrong.append(f"{name_of(path)} imports the host")
    assert not wrong


def test_triton_is_imported_by_kernels_alone():
    assert not [
        name_of(path)
        for path in FILES
        if "triton" in {name.split(".")[0] for name in imported(path)}
        and path != PACKAGE / "ops" / "backend.py"
        and path.name != "triton.py"
    ]


def test_importing_reads_no_command_line_environment_or_file():
    wrong = []
    for path in FILES:
        for statement in ast.parse(path.read_text()).body:
            if isinstance(statement, (ast.FunctionDef, ast.If)):
                continue
            for node in ast.walk(statement):
                if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                    node.body = []
            names = (n for n in ast.walk(statement) if isinstance(n, (ast.Attribute, ast.Name)))
            read = {ast.unparse(n) for n in names} & {"sys.argv", "os.environ", "os.getenv", "open"}
            if read:
                wrong.append(f"{name_of(path)}: {', '.join(sorted(read))}")
    assert not wrong


def test_files_and_functions_stay_small():
    wrong = []
    for path in FILES:
        text = path.read_text()
        if len(text.splitlines()) > LIMITS["kernel" if path.name == "triton.py" else "file"]:
            wrong.append(f"{name_of(path)}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and path.name != "triton.py":
                # The signature of a network lists its options and is as long as they are many.
                length = node.end_lineno - node.body[0].lineno
                if length >= LIMITS["function"]:
                    wrong.append(f"{name_of(path)}: {node.name} has {length} lines")
    assert not wrong


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
import semanir_arch.restoring, semanir_arch.losses
import semanir_arch.utils.options, semanir_arch.utils.checkpoint
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_importing_the_package_is_light():
    code = "import sys, semanir_arch; sys.exit(len({'torch', 'basicsr', 'cv2'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
