"""A JSON schema of option files, made from the declarations; editors complete and check with it.

It describes files as they are written: leaves and fragments, which may leave out anything, and
where a reference `${name}` may stand for any value. What concerns several values at once, and what
a leaf must have after its fragments are merged, only `validate` can judge.
"""

from __future__ import annotations

import collections.abc
import os
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from semanir_arch.utils.options import basicsr_keys as host
from semanir_arch.utils.options import own_keys
from semanir_arch.utils.options.option_checks import Catalogue
from semanir_arch.utils.options.option_types import Option
from semanir_arch.utils.options.roles import BASE_KEY, TEST_KEY, TRAINING_ROOT
from semanir_arch.utils.options.substitution import VARS_KEY
from semanir_arch.utils.values import Bounds, Entries, FileName, Length, OneOf, Strength

__all__ = ["build_schema", "type_schema"]

Schema = dict[str, Any]
Section = Mapping[str, Option]

_REFERENCE: Schema = {"$ref": "#/$defs/reference"}
_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_LISTS = (
    list,
    tuple,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_MAPPINGS = (dict, collections.abc.Mapping)


def build_schema(catalogue: Catalogue) -> Schema:
    """Describe option files.

    Args:
        catalogue: Catalogue of the names that files may use.

    Returns:
        A schema of JSON Schema 2020-12.
    """
    own = {
        key: option for model in catalogue.models.values() for key, option in (model or {}).items()
    }
    sections = {
        "path": host.PATH,
        "logger": {**host.LOGGER, **own_keys.LOGGER},
        "val": host.VAL,
        "train": host.TRAIN,
    }
    blocks = {name: _section(name, section, own) for name, section in sections.items()}
    blocks["val"]["properties"]["metrics"] = _mapping(".", "metric")
    blocks["train"]["properties"] |= {
        "optim_g": {"$ref": "#/$defs/optimizer"},
        "scheduler": {"$ref": "#/$defs/schedule"},
        "pixel_opt": {"$ref": "#/$defs/loss"},
        "perceptual_opt": {"$ref": "#/$defs/loss"},
        "losses": _mapping(".", "loss"),
    }
    blocks["datasets"] = _mapping("^(train|val|test)(_|$)", "dataset")
    blocks["network_g"] = {"$ref": "#/$defs/network"}
    root = {**host.ROOT, **host.TRAIN_ROOT, **host.TEST_ROOT, **_below("", own)}
    properties = {name: _option(option) for name, option in root.items()}
    for name, block in blocks.items():
        properties[name] = {**block, "description": root[name].help}
    properties["model_type"] = _or_reference({"enum": sorted(catalogue.models)})
    properties = {
        BASE_KEY: {
            "type": "array",
            "items": {"type": "string"},
            "description": "fragments to inherit from, relative to this file",
        },
        VARS_KEY: {"type": "object", "description": "values that ${name} stands for"},
        **properties,
    }
    test = {
        "type": "object",
        "description": "what only tests read; its fragments replace those of the same folder",
        "properties": {key: value for key, value in properties.items() if key not in TRAINING_ROOT},
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Option file of semanir_arch",
        "type": "object",
        "properties": {**properties, TEST_KEY: test},
        "patternProperties": {"^network_": {"type": ["object", "null"]}},
        "additionalProperties": False,
        "$defs": _definitions(catalogue),
    }


def _definitions(catalogue: Catalogue) -> Schema:
    """Blocks that name a class."""
    training = {**host.TRAIN_DATASET, **own_keys.TRAIN_DATASET}
    return {
        "reference": {"type": "string", "pattern": r"\$\{[^${}]+\}"},
        "network": _typed(catalogue.networks),
        # BasicSR adds the scale itself; loader settings of training are harmless elsewhere
        "dataset": _typed(
            catalogue.datasets, {**host.DATASET, **training}, more=("scale", "phase")
        ),
        "loss": _typed(catalogue.losses),
        "metric": _typed(catalogue.metrics, host.METRIC),
        "optimizer": _typed(catalogue.optimizers),
        "schedule": _typed({**catalogue.schedules, **host.SCHEDULERS}),
    }


def type_schema(kind: Any) -> Schema:
    """Describe what a value may be.

    Args:
        kind: Type as in `Option.type`: a type, an annotation, or a tuple of them.

    Returns:
        A schema; `{}`, which accepts everything, for annotations that cannot be judged.
    """
    if isinstance(kind, Strength):
        kind = kind.forms
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, tuple) or origin in (typing.Union, types.UnionType):
        choices = kind if isinstance(kind, tuple) else arguments
        return {"anyOf": [type_schema(choice) for choice in choices]}
    if origin is Annotated:
        inner, *marks = arguments
        schema = type_schema(inner)
        for mark in marks:
            schema |= _mark(mark, schema.get("type"))
        return schema
    if origin is typing.Literal:
        return {"enum": [*arguments]}
    if kind in (None, type(None)):
        return {"type": "null"}
    if isinstance(kind, type) and kind in _NAMES:
        return {"type": _NAMES[kind]}
    if kind in _LISTS or origin in _LISTS:
        return _list(origin, arguments)
    if kind in _MAPPINGS or origin in _MAPPINGS:
        return {"type": "object"}
    if isinstance(kind, type) and issubclass(kind, os.PathLike):
        return {"type": "string"}
    return {}


def _list(origin: Any, arguments: tuple[Any, ...]) -> Schema:
    if origin is tuple and arguments and Ellipsis not in arguments:
        items = [_or_reference(type_schema(item)) for item in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if not arguments:
        return {"type": "array"}
    return {"type": "array", "items": _or_reference(type_schema(arguments[0]))}


def _mark(mark: Any, kind: Any) -> Schema:
    """Add what a mark of `semanir_arch.utils.values` says to the schema of its type."""
    if isinstance(mark, Bounds):
        limits = {
            "minimum": mark.least,
            "maximum": mark.most,
            "exclusiveMinimum": mark.above,
            "exclusiveMaximum": mark.below,
            "multipleOf": mark.multiple_of or (1 if mark.whole else None),
        }
        return {name: limit for name, limit in limits.items() if limit is not None}
    if isinstance(mark, Length):
        what = "Properties" if kind == "object" else "Items"
        most = {} if mark.most is None else {f"max{what}": mark.most}
        # a mapping of a leaf may complete that of a fragment
        return {**({} if kind == "object" else {f"min{what}": mark.least}), **most}
    if isinstance(mark, OneOf):
        return {"enum": [*mark.choices]}
    if isinstance(mark, FileName):
        return {"minLength": 1, "pattern": r"^[^/\\]*$"}
    if isinstance(mark, Entries):
        keys = {key: _or_reference(type_schema(kind)) for key, kind in mark.types.items()}
        return {"properties": keys, "additionalProperties": False}
    return {}


def _option(option: Option) -> Schema:
    schema = type_schema(option.type)
    if option.choices is not None:
        schema = {"enum": [*option.choices]}
    choices = [schema, _REFERENCE]
    if option.default is None:
        choices.append({"type": "null"})
    described = {"description": option.help} if option.help else {}
    return {"anyOf": choices, **described} if schema else described


def _or_reference(schema: Schema) -> Schema:
    return {"anyOf": [schema, _REFERENCE]} if schema else {}


def _typed(
    kinds: Mapping[str, Section | None],
    common: Section | None = None,
    more: Sequence[str] = (),
) -> Schema:
    """A block whose `type` decides which other keys it may have; null leaves it out."""
    shared: dict[str, Schema] = {
        **{name: {} for name in more},
        **{name: _option(option) for name, option in (common or {}).items()},
    }
    shared["type"] = _or_reference({"enum": sorted(kinds)})
    rules = [
        {
            "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
            "then": {
                "properties": {
                    **shared,
                    **{name: _option(option) for name, option in section.items()},
                },
                "additionalProperties": False,
            },
        }
        for kind, section in kinds.items()
        if section is not None
    ]
    if all(section is not None for section in kinds.values()):
        # the type stands in a fragment: any key that one of the classes has
        known = {*shared, *(name for section in kinds.values() for name in section or {})}
        rules.append(
            {"if": {"required": ["type"]}, "else": {"propertyNames": {"enum": sorted(known)}}}
        )
    return {"type": ["object", "null"], "properties": shared, "allOf": rules}


def _section(name: str, section: Section, own: Section) -> Schema:
    """A section of fixed keys, to which model classes add theirs, also as blocks."""
    properties = {
        key: _option(option) for key, option in {**section, **_below(f"{name}.", own)}.items()
    }
    for key in _below(f"{name}.", own):
        inner = _below(f"{name}.{key}.", own)
        if inner:
            properties[key] = {
                "type": ["object", "null"],
                "properties": {each: _option(option) for each, option in inner.items()},
                "additionalProperties": False,
            }
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _below(prefix: str, own: Section) -> dict[str, Option]:
    """Options of model classes directly below a dotted prefix."""
    return {
        key[len(prefix) :]: option
        for key, option in own.items()
        if key.startswith(prefix) and "." not in key[len(prefix) :]
    }


def _mapping(pattern: str, definition: str) -> Schema:
    """Blocks by name."""
    return {
        "type": ["object", "null"],
        "patternProperties": {pattern: {"$ref": f"#/$defs/{definition}"}},
        "additionalProperties": False,
    }
