"""Read one YAML file the way people write option files.

PyYAML follows YAML 1.1, where `2e-4` is a text, `015` is 13, `1:30` is 90, and a key given twice
silently keeps its last value. Here numbers follow YAML 1.2 (`2e-4` is a float, `015` is 15, `1:30`
is a text) and a key given twice is an error. `yes`, `no`, `on` and `off` stay booleans, as
BasicSR's files expect.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import yaml

from semanir_arch.utils.errors import InputError
from semanir_arch.utils.options.problems import KeyPath, OptionError, Problem, hint, shown
from semanir_arch.utils.values import show

REFERENCE = re.compile(r"\$\{([^${}]*)\}")
"""`${name}`; see `substitution.py`."""

_INT = re.compile(r"[-+]?[0-9][0-9_]*$|0o[0-7]+$|0x[0-9a-fA-F]+$")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_INT_TAG, _FLOAT_TAG, _TIME_TAG = (
    f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp")
)


_KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")

_MOST_BYTES = 2**18
_MOST_VALUES = 20_000
_DEEPEST = 32
_TOO_DEEP = f"values lie more than {_DEEPEST} levels deep"
_LONGEST_NUMBER = 64


@dataclass(frozen=True)
class Source:
    """One file as it was read.

    Args:
        path: The file.
        data: Content of the file.
        lines: Line number of every key, counted from 1.
    """

    path: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int]


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 numbers."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, rule) for tag, rule in rules if tag not in (_INT_TAG, _FLOAT_TAG, _TIME_TAG)]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def fetch_flow_collection_start(self, TokenClass: type[yaml.Token]) -> None:
        # PyYAML's time grows with the square of the depth, and it recurses
        if self.flow_level >= _DEEPEST:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=self.get_mark())
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        if len(self.indents) > _DEEPEST:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP, problem_mark=self.get_mark())
        added: bool = super().add_indent(column)
        return added

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = self.construct_scalar(node).replace("_", "")
        if len(text) > _LONGEST_NUMBER:
            raise yaml.MarkedYAMLError(
                problem=f"a number of {len(text)} digits", problem_mark=node.start_mark
            )
        for prefix, base in (("0o", 8), ("0x", 16)):
            if text.startswith(prefix):
                return int(text, base)
        return int(text)


_Loader.add_implicit_resolver(_INT_TAG, _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT_TAG, _FLOAT, list("-+.0123456789"))
_Loader.add_constructor(_INT_TAG, _Loader.construct_yaml_int)


class _Dumper(yaml.SafeDumper):
    """SafeDumper whose output every YAML 1.1 or 1.2 reader understands in the same way."""

    # A copy, because add_implicit_resolver would otherwise extend lists that the base class shares.
    yaml_implicit_resolvers: ClassVar = {
        first: list(rules) for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, _: Any) -> bool:
        return True


_Dumper.add_implicit_resolver(_INT_TAG, _INT, list("-+0123456789"))
_Dumper.add_implicit_resolver(_FLOAT_TAG, _FLOAT, list("-+.0123456789"))
_Dumper.add_representer(
    list,
    lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True),
)
_Dumper.add_representer(tuple, lambda dumper, data: dumper.represent_list(list(data)))


def load_file(path: str | os.PathLike[str]) -> Source:
    """Read one option file.

    Raises:
        OptionError: No such file, no YAML, no mapping at its top, or keys given twice.
    """
    path = Path(path)
    if not path.is_file():
        raise OptionError(Problem("", (), _explain_absence(path)))
    if path.stat().st_size > _MOST_BYTES:
        text = f"larger than {_MOST_BYTES // 1024} KiB; an option file has a few"
        raise OptionError(Problem(shown(path), (), text))
    try:
        data, keys = _parse(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise OptionError(_explain_syntax(path, error)) from error
    if not isinstance(data, dict):
        raise OptionError(
            Problem(shown(path), (), "expected keys and values at the top of the file")
        )
    lines: dict[KeyPath, int] = {}
    repeated = []
    for key, line in keys:
        if key in lines:
            repeated.append(
                Problem(
                    f"{shown(path)}:{line}", key, f"given twice; the first is in line {lines[key]}"
                )
            )
        lines.setdefault(key, line)
    if repeated:
        raise OptionError(repeated)
    return Source(path, copy.deepcopy(data), lines)


@lru_cache(maxsize=256)  # a fragment is read again with every leaf that names it
def _parse(text: str) -> tuple[Any, list[tuple[KeyPath, int]]]:
    """Content of a file, not to be changed, and its keys with their lines, in its order.

    Raises:
        yaml.YAMLError: See `_compose` and `_construct`.
    """
    loader = _Loader(text)
    node = _compose(loader)
    if not isinstance(node, yaml.MappingNode):
        return None, []
    keys = [*_walk(node)]
    return _construct(loader, node), keys


def _compose(loader: _Loader) -> yaml.Node | None:
    """Read the text as nodes, `_MOST_VALUES` at most when all aliases are filled in.

    Raises:
        yaml.YAMLError: It is no YAML, contains itself, is too deep, too large, or has keys that are
            no texts.
    """
    node: yaml.Node | None = loader.get_single_node()
    if node is not None:
        _count(node, {}, ())
    return node


def _count(node: yaml.Node, known: dict[yaml.Node, int], above: tuple[yaml.Node, ...]) -> int:
    """Values below a node, those of aliases as often as they stand there."""
    if node in known:
        return known[node]
    problem = None
    if node in above:
        problem = "a value that contains itself"
    elif len(above) > _DEEPEST:
        problem = _TOO_DEEP
    elif isinstance(node, yaml.MappingNode):
        wrong = [key for key, _ in node.value if key.tag not in _KEY_TAGS]
        if wrong:
            raise yaml.MarkedYAMLError(
                problem="a key must be a text; write it in quotes", problem_mark=wrong[0].start_mark
            )
        children = [value for _, value in node.value]
    else:
        children = node.value if isinstance(node, yaml.SequenceNode) else []
    count = 1
    if problem is None:
        for child in children:
            count += _count(child, known, (*above, node))
        if count > _MOST_VALUES:
            problem = f"more than {_MOST_VALUES:,d} values"
    if problem is not None:
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    known[node] = count
    return count


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    """Values of nodes.

    Raises:
        yaml.YAMLError: A value is not what its tag says.
    """
    try:
        return _unshare(loader.construct_document(node))
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        # PyYAML's constructors do not expect what an explicit tag (!!int abc) may stand before
        raise yaml.MarkedYAMLError(
            problem=f"a value does not have the form of its tag ({error})",
            problem_mark=node.start_mark,
        ) from error


def _unshare(value: Any) -> Any:
    """A copy in which no two places share a block, as those of YAML's aliases do.

    What overrides one place would change the other.
    """
    if isinstance(value, dict):
        return {name: _unshare(item) for name, item in value.items()}
    return [_unshare(item) for item in value] if isinstance(value, list) else value


def find_references(value: Any) -> set[str]:
    """Names in all `${name}` below a value."""
    if isinstance(value, dict):
        return set().union(*map(find_references, value.values()))
    if isinstance(value, list):
        return set().union(*map(find_references, value))
    return set(REFERENCE.findall(value)) if isinstance(value, str) else set()


def parse_value(text: str) -> Any:
    """One value as an option file would read it: `2e-4`, `[1, 2]`, `null`, `text`.

    Raises:
        ValueError: Not YAML.
    """
    if len(text) > _MOST_BYTES:
        raise InputError(f"longer than {_MOST_BYTES // 1024} KiB")
    try:
        loader = _Loader(text)
        node = _compose(loader)
        return None if node is None else _construct(loader, node)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None)
        raise InputError(
            f"{show(text)} is not a YAML value{f' ({reason})' if reason else ''}"
        ) from error


def to_yaml(options: dict[str, Any], *, complete: bool = False) -> str:
    """Options as text that this module and BasicSR's own loader read back as the same values.

    Args:
        options: Complete options.
        complete: Whether they come from a file with `_base_`. Then the text has an empty one, so
            that it is checked like that file, down to keys that nothing reads.
    """
    if complete:
        options = {"_base_": [], **options}
    return yaml.dump(options, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def _walk(node: yaml.MappingNode, above: KeyPath = ()) -> Iterator[tuple[KeyPath, int]]:
    for key_node, value_node in node.value:
        key = (*above, str(key_node.value))
        yield key, key_node.start_mark.line + 1
        if isinstance(value_node, yaml.MappingNode):
            yield from _walk(value_node, key)


def _explain_absence(path: Path) -> str:
    if path.is_dir():
        return f"{shown(path)} is a folder; an option file is expected"
    if not path.parent.is_dir():
        return f"{shown(path)}: no such file; the folder {shown(path.parent)} does not exist either"
    others = [other.name for other in path.parent.glob("*.yml")]
    return f"{shown(path)}: no such file; {hint(path.name, others)}"


def _explain_syntax(path: Path, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return Problem(shown(path), (), f"cannot be read as UTF-8 YAML: {error}")
    reason = getattr(error, "problem", None) or getattr(error, "context", None) or "not YAML"
    return Problem(
        f"{shown(path)}:{mark.line + 1}", (), f"not YAML: {reason} (column {mark.column + 1})"
    )
