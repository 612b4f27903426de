"""Publishes weights on the Hugging Face hub.

A repository that `pack` writes holds `model.safetensors` (with the network's options),
`config.json`, a model card and an entry for OpenModelDB.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from semanir_arch.bridges.cards import Publication, model_card, open_model_db
from semanir_arch.bridges.hub_download import WEIGHTS, require_hub
from semanir_arch.bridges.opening import open_network
from semanir_arch.utils.atomic import write_text
from semanir_arch.utils.checkpoint import Checkpoint, load_checkpoint
from semanir_arch.utils.errors import CheckpointError, ExistingFileError
from semanir_arch.utils.tensor_file import write_tensors
from semanir_arch.weights import available

__all__ = ["CARD", "CONFIG", "ENTRY", "pack", "push", "write_publication"]

CONFIG, CARD, ENTRY = "config.json", "README.md", "openmodeldb.json"
"""Files of a repository beside its weights."""


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
        folder: Folder to write to; made if it does not exist.
        name: Name of the model; None for the file's name.
        repo: `USER/REPO`, if it is known already, for the addresses in the texts.
        author: Publisher, for OpenModelDB.
        license: SPDX expression of the weights' licence; None states none.
        date: Day of publication, yyyy-mm-dd; None for today.
        overwrite: Whether files that exist are replaced.

    Returns:
        Paths of the written files.

    Raises:
        FileNotFoundError: No such weights.
        FileExistsError: One of the files exists; nothing is written.
        ValueError: The weights cannot be used.
    """
    paths = [folder / file for file in (WEIGHTS, CONFIG, CARD, ENTRY)]
    if not overwrite:
        for path in paths:
            if path.exists():
                raise ExistingFileError(f"{path} exists; --overwrite replaces it")
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
        draft: Publication without size and digest.
        folder: Existing folder.
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
        weights: File, shipped task or hub address, as for `pack`.
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
    """Known facts of a training: the record next to shipped weights, else what the file carries.

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
