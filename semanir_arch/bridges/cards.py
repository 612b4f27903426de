"""What a file with weights says about itself, as a model card and as an entry of OpenModelDB.

Only what the file's record, or the caller, states is written: what is unknown is left out or said
to be unknown.

Model cards: https://huggingface.co/docs/hub/model-cards. Entries: `src/lib/schema.ts` of
https://github.com/OpenModelDB/open-model-database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from semanir_arch.archs.base import RestorationNetwork
from semanir_arch.tasks import Task, find_task
from semanir_arch.utils.checkpoint import Checkpoint, describe_network

__all__ = ["Publication", "model_card", "open_model_db"]


@dataclass(frozen=True)
class Publication:
    """One network that is made public.

    Args:
        name: Name of the model, such as `denoise`.
        network: The network.
        checkpoint: Contents of the model's file.
        record: Record of training and scores, in the form of the .json files next to the shipped
            weights; at least the `metadata` of the checkpoint.
        repo: `USER/REPO` on the hub, if it is to be there.
        author: Publisher, as OpenModelDB knows them.
        license: SPDX expression; None if nothing is stated.
        date: Day of publication, yyyy-mm-dd.
        size: Bytes of the file.
        sha256: Hexadecimal digest of the file.
    """

    name: str
    network: RestorationNetwork
    checkpoint: Checkpoint
    record: Mapping[str, Any] = field(default_factory=dict)
    repo: str | None = None
    author: str | None = None
    license: str | None = None
    date: str = ""
    size: int = 0
    sha256: str = ""

    @property
    def architecture(self) -> str:
        """Name of the network."""
        return str(getattr(self.network, "name", type(self.network).__name__))

    @property
    def title(self) -> str:
        """One line for people."""
        return str(self.record.get("title") or (self.task.title if self.task else self.name))

    @property
    def task(self) -> Task | None:
        """Task that the record names, if it is one of ours."""
        return find_task(self.record.get("task"))

    @property
    def trainings(self) -> list[Mapping[str, Any]]:
        """Known facts of its trainings, the first one first."""
        last = self.record.get("training")
        earlier = self.record.get("earlier_trainings") or ()
        return [one for one in (*earlier, last) if isinstance(one, Mapping)]


def model_card(publication: Publication) -> str:
    """Write README.md of a repository on the hub.

    Returns:
        Markdown behind a block of YAML.
    """
    head: dict[str, Any] = {"library_name": "semanir_arch", "pipeline_tag": "image-to-image"}
    if publication.license:
        head["license"] = publication.license.lower()
    head["tags"] = ["image-restoration", publication.architecture, *_tags(publication)]
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# {publication.title}",
        _summary(publication),
        _usage(publication),
        "## Network\n\n"
        f"`{describe_network(publication.checkpoint.network)}`, "
        f"{_count(publication.network):,d} parameters.",
        *_training(publication),
        *_scores(publication),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def open_model_db(publication: Publication) -> dict[str, Any]:
    """Write an entry for OpenModelDB, a file of `data/models`.

    Returns:
        Entry of OpenModelDB. Its `architecture` is one that OpenModelDB must add for this package's
        networks.
    """
    network, trainings = publication.network, publication.trainings
    entry: dict[str, Any] = {
        "name": publication.name,
        "author": publication.author or "unknown",
        "license": publication.license,
        "tags": _tags(publication),
        "description": _summary(publication),
        "date": publication.date,
        "architecture": re.sub(r"[^a-z0-9]+", "-", publication.architecture.lower()),
        "size": [f"{_count(network) / 1e6:.2f}M"],
        "scale": network.upscale,
        "inputChannels": network.in_chans,
        "outputChannels": network.out_chans,
        "resources": [
            {
                "platform": "pytorch",
                "type": "safetensors",
                "size": publication.size,
                "sha256": publication.sha256,
                "urls": [_address(publication)] if publication.repo else [],
            }
        ],
        "images": [],
    }
    known = {
        "trainingIterations": _iterations(publication),
        "trainingBatchSize": trainings[-1].get("batch") if trainings else None,
        "trainingHRSize": trainings[-1].get("patch_size") if trainings else None,
        "dataset": _data(trainings[-1]) if trainings else None,
        "datasetSize": (trainings[-1].get("data") or {}).get("images") if trainings else None,
    }
    entry.update({key: value for key, value in known.items() if value})
    return entry


def _address(publication: Publication) -> str:
    return f"https://huggingface.co/{publication.repo}/resolve/main/model.safetensors"


def _tags(publication: Publication) -> list[str]:
    enlarges = publication.network.upscale > 1
    tags = publication.task.tags if publication.task else ()
    return [*(tags or ("general-upscaler" if enlarges else "restoration",))]


def _summary(publication: Publication) -> str:
    network = publication.network
    colours = {(1, 1): "gray images", (3, 3): "RGB images"}.get(
        (network.in_chans, network.out_chans),
        f"images of {network.in_chans} channels, {network.out_chans} in the result",
    )
    size = f"{network.upscale} times as large" if network.upscale > 1 else "of the same size"
    lines = [f"{publication.architecture} for {colours}; the result is {size}."]
    task = publication.task
    if task is not None and task.has_network:
        lines.append(f"The image must be: {task.input}.")
        if task.demonstration:
            lines.append("Trained on synthetic damage only, to show the task.")
    if not publication.license:
        lines.append("No license is stated.")
    return " ".join(lines)


def _usage(publication: Publication) -> str:
    weights = f"hf:{publication.repo}" if publication.repo else "model.safetensors"
    return (
        "## Use\n\n"
        "```bash\n"
        "pip install 'semanir-arch[hub]'\n"
        f"semanir-restore photo.png -o restored --weights {weights}\n"
        "```\n\n"
        "In chaiNNer, ComfyUI and other programs that load with spandrel, once\n"
        "`semanir_arch.bridges.spandrel_archs.install()` has run in them: `model.safetensors`."
    )


def _iterations(publication: Publication) -> int | None:
    counts = [one["iterations"] for one in publication.trainings if "iterations" in one]
    if counts:
        return int(sum(counts))
    reached = publication.record.get("iter")
    return reached if isinstance(reached, int) and reached > 0 else None


def _data(training: Mapping[str, Any]) -> str:
    roots = (training.get("data") or {}).get("roots") or ()
    roots = [roots] if isinstance(roots, str) else roots
    return ", ".join(str(root).removeprefix("datasets/train/") for root in roots)


def _training(publication: Publication) -> Iterator[str]:
    """The table of trainings, or the little that is known."""
    trainings = publication.trainings
    if trainings:
        rows = [
            ("iterations", [one.get("iterations") for one in trainings]),
            ("minutes", [one.get("minutes") for one in trainings]),
            ("hardware", [one.get("hardware") for one in trainings]),
            ("precision", [one.get("precision") for one in trainings]),
            ("patch (pixels)", [one.get("patch_size") for one in trainings]),
            ("batch (patches)", [one.get("batch") for one in trainings]),
            ("data", [_data(one) or None for one in trainings]),
            ("images", [(one.get("data") or {}).get("images") for one in trainings]),
            ("started from", [one.get("started_from") or "random weights" for one in trainings]),
            ("option file", [one.get("option_file") for one in trainings]),
            ("seed", [one.get("seed") for one in trainings]),
            ("commit", [one.get("commit") for one in trainings]),
        ]
        titles = ["", *(f"training {number}" for number in range(1, len(trainings) + 1))]
        yield "## Training"
        yield _table(titles, [[name, *map(_text, values)] for name, values in rows if any(values)])
        return
    iterations = _iterations(publication)
    if iterations:
        name = publication.record.get("name")
        yield f"## Training\n\n{iterations:,d} iterations" + (f" of {name}." if name else ".")
    else:
        yield "## Training\n\nThe file says nothing about it."


def _scores(publication: Publication) -> Iterator[str]:
    scores = [one for one in publication.record.get("scores") or () if isinstance(one, Mapping)]
    if not scores:
        return
    rows = [
        [
            _text(one.get("dataset")),
            _text(one.get("level") or None),
            _text(one.get("protocol")),
            _text(one.get("psnr_input")),
            _text(one.get("psnr")),
            _text(one.get("ssim")),
        ]
        for one in scores
    ]
    titles = ["data set", "level", "protocol", "PSNR of the input", "PSNR", "SSIM"]
    yield "## Scores"
    yield _table(titles, rows)
    command = (publication.record.get("scored") or {}).get("command")
    if command:
        yield f"Measured by `{command}`."


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    # what a file says must not end the cell or the line
    return " ".join(str(value).replace("|", "/").split())


def _count(network: RestorationNetwork) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
