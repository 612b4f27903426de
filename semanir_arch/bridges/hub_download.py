"""Finds weights with an address: `hf:USER/REPO[@REVISION]` on the Hugging Face hub."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from semanir_arch.utils.errors import FileError, InputError, MissingFileError

__all__ = ["INSTALL", "WEIGHTS", "fetch", "require_hub"]

INSTALL = "pip install 'semanir-arch[hub]'"

WEIGHTS = "model.safetensors"
"""File of a repository, where an address names none."""

_ADDRESS = re.compile(
    r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<file>[^@\s]+))?(?:@(?P<revision>[^\s@]+))?"
)


def require_hub(what: str) -> None:
    """Refuse to go on without huggingface_hub.

    Args:
        what: Purpose for which it is needed; the message begins with it.

    Raises:
        ValueError: It is not installed.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise InputError(f"{what}: this needs huggingface_hub: {INSTALL}")


def fetch(address: str, *, cache: Path | None = None, offline: bool = False) -> Path:
    """Find the weights of an address, in the cache or on the hub.

    Args:
        address: `hf:USER/REPO[@REVISION]`; the revision is a branch, tag or commit. Files of other
            names: `hf:USER/REPO/FILE[@REVISION]`.
        cache: Folder for downloads; None for huggingface_hub's own (`HF_HOME`).
        offline: Whether to make no request, as with `HF_HUB_OFFLINE=1` in the environment. The
            cache is also used if the hub cannot be reached.

    Returns:
        Path of the file in the cache.

    Raises:
        ValueError: It is no address, or huggingface_hub is not installed.
        FileNotFoundError: There are no such weights, or they are not in the cache and the hub
            cannot be reached.
        OSError: The download failed.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InputError(
            f"{address!r} is not an address; expected hf:USER/REPO, hf:USER/REPO@REVISION or "
            "hf:USER/REPO/FILE"
        )
    require_hub(address)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    file = found["file"] or WEIGHTS
    # the first that fits: a missing revision is an error of HTTP too
    absent: dict[type[Exception], str] = {
        LocalEntryNotFoundError: "not in the cache, and the hub was not asked or cannot be reached",
        RevisionNotFoundError: f"the repository has no revision {found['revision']!r}",
        RepositoryNotFoundError: "no such repository, or a private one (`hf auth login`)",
        EntryNotFoundError: f"the repository has no {file}; name one: hf:{found['repo']}/FILE",
    }
    kinds = tuple(absent)
    try:
        path = hf_hub_download(
            found["repo"],
            file,
            revision=found["revision"],
            cache_dir=cache,
            local_files_only=offline,
        )
    except HFValidationError as error:
        raise InputError(f"{address!r} is not an address: {error}") from error
    except kinds as error:
        text = next(text for kind, text in absent.items() if isinstance(error, kind))
        raise MissingFileError(f"{address}: {text}") from error
    except HfHubHTTPError as error:
        raise FileError(f"{address}: the download failed: {error}") from error
    return Path(path)
