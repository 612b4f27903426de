"""The measures of the tree: how easily a reader finds a thing, in numbers.

    python benchmarks/tree.py [ROOT ...]     # one column for each checkout; default: this one

Counted from the sources, nothing is imported: circles of imports, imports that run up a layer,
names with several owners, option files and the lines that a test's leaf shares with its
training's (none where both share a leaf), items of the test suite (`--collect` asks pytest for
them, which takes a minute).
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = "semanir_arch"
OWN_NAMES = {"__init__", "__main__"}


def modules(root: Path) -> dict[str, Path]:
    """Files of the package by dotted name."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Modules of the package that a file imports, wherever in it, but for type checkers alone."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{module}.{alias.name}"
                if full in known or module in known:
                    yield full if full in known else module


def circles(root: Path) -> list[str]:
    """Groups of modules that lead to one another."""
    known = modules(root)
    edges = {name: set(imports(name, path, known)) - {name} for name, path in known.items()}
    reach: dict[str, set[str]] = {}

    def reached(start: str) -> set[str]:
        if start not in reach:
            seen, left = set(), [start]
            while left:
                for other in edges.get(left.pop(), ()):
                    if other not in seen:
                        seen.add(other)
                        left.append(other)
            reach[start] = seen
        return reach[start]

    groups = {
        tuple(sorted(other for other in reached(name) if name in reached(other)))
        for name in edges
        if name in reached(name)
    }
    return [" <-> ".join(group) for group in sorted(groups)]


def several_owners(root: Path) -> tuple[list[str], list[str]]:
    """Stems of modules, and names of public classes, that stand in several places."""
    stems, classes = defaultdict(list), defaultdict(list)
    for name, path in modules(root).items():
        if path.stem not in OWN_NAMES:
            stems[path.stem].append(name)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(name)

    def repeated(owners: Mapping[str, list[str]]) -> list[str]:
        return [f"{key}: {', '.join(v)}" for key, v in sorted(owners.items()) if len(v) > 1]

    return repeated(stems), repeated(classes)


def option_files(root: Path) -> tuple[int, float]:
    """Number of option files, and the share of lines that a test's leaf repeats."""
    files = sorted((root / "options").rglob("*.yml"))
    repeated = total = 0
    for test in sorted((root / "options" / "test").rglob("*.yml")):
        train = root / "options" / "train" / test.relative_to(root / "options" / "test")
        if train.is_file():
            lines = [line for line in test.read_text(encoding="utf-8").splitlines() if line.strip()]
            same = set(train.read_text(encoding="utf-8").splitlines())
            total += len(lines)
            repeated += sum(line in same for line in lines)
    return len(files), repeated / total if total else 0.0


def test_items(root: Path) -> int:
    """Items that pytest collects."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return sum("::" in line for line in done.stdout.splitlines())


def upward(root: Path) -> list[str]:
    """Imports that the list in the layering test of the checkout does not allow."""
    namespace: dict[str, object] = {"__name__": "layering", "__file__": str(root / "tests/x.py")}
    source = (root / "tests" / "test_layering.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MAY_IMPORT":
            exec(ast.unparse(node), namespace)
    allowed: Mapping[str, set[str]] = namespace["MAY_IMPORT"]  # type: ignore[assignment]
    known, wrong = modules(root), []
    for name, path in known.items():
        part = name.partition(".")[2].partition(".")[0]
        for used in {other.split(".")[1] for other in imports(name, path, known) if "." in other}:
            if part and used in allowed and used != part and used not in allowed.get(part, ()):
                wrong.append(f"{name} -> {used}")
    return wrong


def main() -> None:
    """Print the table, and what is counted."""
    parser = argparse.ArgumentParser(description="Measures of the tree.")
    parser.add_argument("root", nargs="*", type=Path, default=[Path(__file__).parents[1]])
    parser.add_argument("--collect", action="store_true", help="count the items of the test suite")
    parser.add_argument("--list", action="store_true", help="show what is counted")
    arguments = parser.parse_args()
    rows = defaultdict(list)
    for root in arguments.root:
        stems, classes = several_owners(root)
        count, share = option_files(root)
        found = circles(root)
        up = upward(root)
        rows["circles of imports"].append(str(len(found)))
        rows["imports that run up a layer"].append(str(len(up)))
        rows["module stems with several owners"].append(str(len(stems)))
        rows["class names with several owners"].append(str(len(classes)))
        rows["option files"].append(str(count))
        rows["lines of test leaves that stand in the train leaf"].append(f"{share:.0%}")
        if arguments.collect:
            rows["items of the test suite"].append(str(test_items(root)))
        if arguments.list:
            sys.stdout.write("\n".join([str(root), *found, *up, *stems, *classes, "", ""]))
    for name, values in rows.items():
        sys.stdout.write(f"| {name} | {' | '.join(values)} |\n")


if __name__ == "__main__":
    main()
