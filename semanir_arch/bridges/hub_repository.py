"""Weights with an address: `hf:USER/REPO[@REVISION]` on the Hugging Face hub.

A repository that `pack` writes holds `model.safetensors` (with the network's options),
`config.json`, a model card and an entry for OpenModelDB.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from semanir_arch.bridges.cards import Publication, model_card, open_model_db
from semanir_arch.bridges.opening import open_network
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from semanir_arch.utils.tensor_file import write_tensors
from semanir_arch.weights import available

__all__ = ["CARD", "CONFIG", "ENTRY", "INSTALL", "WEIGHTS", "fetch", "pack", "push", "require_hub"]

INSTALL = "pip install 'semanir-arch[hub]'"

WEIGHTS, CONFIG, CARD, ENTRY = "model.safetensors", "config.json", "README.md", "openmodeldb.json"
"""Files of a repository."""

_ADDRESS = re.compile(
    r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<file>[^@\s]+))?(?:@(?P<revision>[^\s@]+))?"
)


def require_hub(what: str) -> None:
    """Refuse to go on without huggingface_hub.

    Args:
        what: What it is needed for, to begin the message with.

    Raises:
        ValueError: It is not installed.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise ValueError(f"{what}: this needs huggingface_hub: {INSTALL}")


def fetch(address: str, *, cache: Path | None = None, offline: bool = False) -> Path:
    """Find the weights of an address, in the cache or on the hub.

    Args:
        address: `hf:USER/REPO[@REVISION]`; the revision is a branch, tag or commit. Files of other
            names: `hf:USER/REPO/FILE[@REVISION]`.
        cache: Where downloads are kept; None for huggingface_hub's folder (`HF_HOME`).
        offline: Ask nobody; as the environment's `HF_HUB_OFFLINE=1` does. What is in the cache is
            used too where the hub cannot be reached.

    Returns:
        The file, in the cache.

    Raises:
        ValueError: It is no address, or huggingface_hub is not installed.
        FileNotFoundError: There are no such weights, or they are not in the cache and the hub
            cannot be reached.
        OSError: The download failed.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(
            f"{address!r} is no address; expected hf:USER/REPO, hf:USER/REPO@REVISION or "
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
        raise ValueError(f"{address!r} is no address: {error}") from error
    except kinds as error:
        text = next(text for kind, text in absent.items() if isinstance(error, kind))
        raise FileNotFoundError(f"{address}: {text}") from error
    except HfHubHTTPError as error:
        raise OSError(f"{address}: the download failed: {error}") from error
    return Path(path)


def pack(
    weights: Path,
    folder: Path,
    *,
    name: str | None = None,
    repo: str | None = None,
    author: str | None = None,
    license: str | None = None,
    date: str | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write everything that a repository on the hub needs into a folder.

    Args:
        weights: File that `load_checkpoint` reads; what is known of its training comes from it, or
            for shipped weights from the record beside.
        folder: Made if it does not exist.
        name: Of the model; None for the file's name.
        repo: `USER/REPO`, if it is known already, for the addresses in the texts.
        author: Who publishes, for OpenModelDB.
        license: SPDX expression of the weights' licence; None states none.
        date: Day of publication, yyyy-mm-dd; None for today.
        overwrite: Whether files that exist are replaced.

    Returns:
        The files.

    Raises:
        FileNotFoundError: No such weights.
        FileExistsError: One of the files exists; nothing is written.
        ValueError: The weights cannot be used.
    """
    paths = [folder / file for file in (WEIGHTS, CONFIG, CARD, ENTRY)]
    if not overwrite:
        for path in paths:
            if path.exists():
                raise FileExistsError(f"{path} exists; --overwrite replaces it")
    checkpoint = load_checkpoint(weights)
    draft = Publication(
        name=name or weights.stem,
        network=open_network(checkpoint),
        checkpoint=checkpoint,
        record=_record_of(weights, checkpoint),
        repo=repo,
        author=author,
        license=license,
        date=date or datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_publication(draft, folder)
    return paths


def write_publication(draft: Publication, folder: Path) -> None:
    """Write the four files of a publication.

    Args:
        draft: Without size and digest.
        folder: Exists.
    """
    path, checkpoint = folder / WEIGHTS, draft.checkpoint
    block = dict(checkpoint.network or {})
    content = {"network_g": block, "metadata": dict(checkpoint.metadata)}
    write_tensors(path, checkpoint.params, {k: v for k, v in content.items() if v})
    data = path.read_bytes()
    final = replace(draft, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    _write_json(folder / CONFIG, block or {"type": draft.architecture})
    write_text(folder / CARD, model_card(final))
    _write_json(folder / ENTRY, open_model_db(final))


def push(weights: Path, repo: str, *, private: bool = False, **facts: Any) -> str:
    """Publish weights on the hub.

    Args:
        weights: As `pack`.
        repo: `USER/REPO`; made if it does not exist.
        private: Whether a new repository is private.
        **facts: `name`, `author`, `license`, `date` of `pack`.

    Returns:
        Address of the commit.

    Raises:
        ValueError: huggingface_hub is not installed, or the weights cannot be used.
        OSError: The hub refused or cannot be reached.
    """
    require_hub(repo)
    from huggingface_hub import HfApi
    from huggingface_hub.utils import SoftTemporaryDirectory

    with SoftTemporaryDirectory() as temporary:
        folder = Path(temporary)
        pack(weights, folder, repo=repo, **facts)
        api = HfApi()
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=repo, folder_path=folder, commit_message="Weights")
    return str(commit)


def _record_of(weights: Path, checkpoint: Checkpoint) -> Mapping[str, Any]:
    """What is known of a training: the record beside shipped weights, else what the file carries.

    The record has the scores too, which are measured when the weights are written.
    """
    for shipped in available():
        if shipped.path.samefile(weights):
            return {"task": shipped.task.name, **shipped.record}
    return checkpoint.metadata


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    try:
        text = json.dumps(dict(content), indent=2, ensure_ascii=False)
    except TypeError as error:
        raise CheckpointError(f"{path}: {error}") from error
    write_text(path, text + "\n")
