"""Option files that inherit, are checked, and say what is wrong with them (`docs/options.md`)."""

from semanir_arch.utils.options.missing_files import check_files, leave_out_missing
from semanir_arch.utils.options.option_checks import Catalogue, validate
from semanir_arch.utils.options.option_types import (
    REQUIRED,
    Ascending,
    Bounds,
    Entries,
    FileName,
    Length,
    OneOf,
    Option,
    Strength,
    read_options,
)
from semanir_arch.utils.options.overview import Header, find_leaves, overview, read_header
from semanir_arch.utils.options.problems import OptionError, Problem, hint
from semanir_arch.utils.options.resolution import Resolved, derive_name, resolve
from semanir_arch.utils.options.typing_rules import declare, signature_options
from semanir_arch.utils.options.yaml_reading import to_yaml

__all__ = [
    "REQUIRED",
    "Ascending",
    "Bounds",
    "Catalogue",
    "Entries",
    "FileName",
    "Header",
    "Length",
    "OneOf",
    "Option",
    "OptionError",
    "Problem",
    "Resolved",
    "Strength",
    "check_files",
    "declare",
    "derive_name",
    "find_leaves",
    "hint",
    "leave_out_missing",
    "overview",
    "read_header",
    "read_options",
    "resolve",
    "signature_options",
    "to_yaml",
    "validate",
]
