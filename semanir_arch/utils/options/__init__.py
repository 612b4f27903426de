"""Option files that inherit, are checked, and say what is wrong with them (`docs/options.md`)."""

from semanir_arch.utils.options.declaration import (
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
from semanir_arch.utils.options.files import check_files, leave_out_missing
from semanir_arch.utils.options.loading import to_yaml
from semanir_arch.utils.options.overview import Header, overview, read_header
from semanir_arch.utils.options.problems import OptionError, Problem, hint
from semanir_arch.utils.options.resolution import Resolved, derive_name, resolve
from semanir_arch.utils.options.typing_rules import declare, signature_options
from semanir_arch.utils.options.validation import Catalogue, validate

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
