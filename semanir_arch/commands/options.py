"""Option files: list, copy, print as BasicSR will see them, and describe for editors.

    semanir-options --list denoising
    semanir-options options/TASK/NAME.yml [--test] [--force_yml key:key=value ...]
    semanir-options --copy mine                # all files, to change and to run
    semanir-options --schema > schema.json     # for editors that complete and check YAML
    semanir-options --table options            # as in docs/tasks.md

It is an entry point, like train.py, and may therefore look up what the layers above declare.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from semanir_arch.tasks import find_task
from semanir_arch.utils.command_line import Parser, run_guarded
from semanir_arch.utils.errors import ExistingFileError, InputError
from semanir_arch.utils.options.overview import find_leaves, overview
from semanir_arch.utils.shipped import find_option_file, shipped_folder, was_of_tests

__all__ = ["build_parser", "copy_options", "list_options", "main"]


def build_parser() -> Parser:
    """The arguments of `semanir-options`."""
    parser = Parser(
        prog="semanir-options",
        description="Print a complete option file: merged, substituted, overridden and checked; "
        "or list, copy and describe the files of the package.",
        epilog="See docs/options.md.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("leaf", nargs="?", metavar="FILE", help="option file to complete")
    what.add_argument(
        "--list",
        nargs="?",
        const="",
        metavar="WORD",
        help="list the package's option files, or those of a task or with this word in their path",
    )
    what.add_argument("--copy", type=Path, metavar="FOLDER", help="copy all of them to FOLDER")
    what.add_argument(
        "--schema", action="store_true", help="print a JSON schema of option files, for editors"
    )
    what.add_argument(
        "--table",
        type=Path,
        metavar="FOLDER",
        help="print the tasks and networks of all files, in Markdown",
    )
    parser.add_argument(
        "--test",
        action="store_true",
        help="print what a test reads; by default what a training reads, if the file has one",
    )
    parser.add_argument("--force_yml", nargs="+", default=[], metavar="KEY:KEY=VALUE")
    return parser


def main(argv: Sequence[str]) -> int:
    """Print what is asked for, or what is wrong.

    Args:
        argv: Command line without the name of the module.

    Returns:
        Exit code: 0, or 2 when something given cannot be used.
    """
    arguments = build_parser().parse_args(argv)

    def work() -> None:
        if arguments.leaf:
            _print_complete(arguments.leaf, arguments.force_yml, arguments.test)
        elif arguments.list is not None:
            sys.stdout.writelines(f"{line}\n" for line in list_options(arguments.list))
        elif arguments.copy:
            copied = copy_options(arguments.copy)
            sys.stdout.write(f"{copied} option files are in {arguments.copy}\n")
        elif arguments.schema:
            sys.stdout.write(_schema())
        else:
            sys.stdout.write(overview(arguments.table))

    return run_guarded("semanir-options", work)


def list_options(word: str = "") -> Iterator[str]:
    """Files to train and test with, each with its title.

    Args:
        word: Name of a task, or part of the path; all files if empty.

    Yields:
        Lines such as `options/denoising/SemanIR_color.yml  Title`.

    Raises:
        ValueError: No file has such a path.
    """
    root = shipped_folder("options")
    task = find_task(word)
    found = False
    for path in find_leaves(root):
        name = f"options/{path.relative_to(root).as_posix()}"
        of_task = task is not None and path.parent.name == task.folder
        if of_task or word.lower() in name.lower():
            found = True
            title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
            yield f"{name:60} {title}"
    if not found:
        raise InputError(f"--list {word}: no option file has this in its path; --list shows all")


def copy_options(target: Path) -> int:
    """Copy all option files of the package, complete or not at all.

    Args:
        target: Folder that does not exist yet.

    Returns:
        Number of files.

    Raises:
        FileExistsError: There is something of this name.
    """
    if target.exists():
        raise ExistingFileError(f"--copy {target}: exists already; nothing was copied")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        copy = Path(folder) / "options"
        shutil.copytree(shipped_folder("options"), copy)
        copy.replace(target)
    return sum(1 for _ in target.rglob("*.yml"))


def _print_complete(given: str, overrides: Sequence[str], is_test: bool) -> None:
    from semanir_arch.runs.prepare import complete_options
    from semanir_arch.utils.options import resolve, to_yaml

    leaf = find_option_file(given)
    is_test |= was_of_tests(given, leaf)
    is_train = not is_test and "train" in resolve(leaf, overrides).options
    resolved = complete_options(leaf, overrides, is_train)
    sys.stdout.write(to_yaml(resolved.options, complete=resolved.inherits))


def _schema() -> str:
    from semanir_arch.runs.class_schemas import build_catalogue
    from semanir_arch.utils.options.schema import build_schema

    return json.dumps(build_schema(build_catalogue()), indent=1) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
