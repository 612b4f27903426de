"""Nonsense in option files is refused before anything starts; see `option_mutations`."""

from __future__ import annotations

import random

import pytest

from semanir_arch.runs.class_schemas import build_catalogue
from semanir_arch.utils.options import REQUIRED, basicsr_keys, own_keys, resolve
from semanir_arch.utils.options.basicsr_classes import DATASETS, NETWORKS
from tests.leaves import OPTIONS, ROLES
from tests.option_mutations import EVERY_OPTION, try_all

SEED, FILES = 3, 6
"""How many leaf files are tried, drawn anew when the seed changes; the script tries all."""

ADVERSARIAL = OPTIONS / "realworld" / "RAMiT_x2_gan.yml"
"""The file of every option has no second network."""


@pytest.fixture(scope="module")
def catalogue():
    return build_catalogue()


def test_every_kind_of_nonsense_is_refused_in_every_declared_option(catalogue):
    """Each declaration that occurs in the files is tried once with each kind of nonsense."""
    tried = set()

    def skip(declared):
        known = declared in tried
        tried.add(declared)
        return known

    leaves = [(EVERY_OPTION, "train"), (ADVERSARIAL, "train")]
    leaves += random.Random(SEED).sample(ROLES, FILES)
    counts, wrong = try_all(leaves, catalogue, skip)
    assert not wrong
    assert counts["refused"] > 1500


def test_a_mutation_that_is_no_nonsense_would_be_noticed(catalogue, tmp_path):
    """The judge does not call everything refused."""
    text = EVERY_OPTION.read_text().replace("sigma: [0, 50]", "sigma: [0, 51]")
    path = tmp_path / "x.yml"
    path.write_text(text)
    _, wrong = try_all([(path, "train")], catalogue, skip=lambda _: True)
    assert not wrong
    path.write_text(text.replace("sigma: [0, 51]", "sigma: [0, 256]"))
    _, wrong = try_all([(path, "train")], catalogue, skip=lambda _: True)
    assert wrong == ["x.yml (train): refused as it is"]


def test_the_file_with_every_option_has_every_option(catalogue):
    options = resolve(EVERY_OPTION).options
    model = catalogue.models["RestorationModel"]
    paths = {key for key in model if "." not in key} | set(basicsr_keys.ROOT)
    paths |= {f"path.{key}" for key in basicsr_keys.PATH}
    paths |= {f"val.{key}" for key in basicsr_keys.VAL}
    paths |= {f"logger.{key}" for key in (basicsr_keys.LOGGER | own_keys.LOGGER)}
    paths |= {key for key in model if "." in key}
    training = basicsr_keys.TRAIN_DATASET | own_keys.TRAIN_DATASET | basicsr_keys.DATASET
    paths |= {f"datasets.train.{key}" for key in training}
    given = {".".join(key) for key in _keys(options)}
    assert paths - given <= {"train.perceptual_opt"}
    kinds = {block["type"] for block in options["datasets"].values()}
    ours = {name for name in catalogue.datasets if name in catalogue.ours}
    # the others have no option of their own, or stand in leaf files
    in_leaves = {"BicubicSRDataset", "DemosaickingDataset", "DualPixelDefocusDataset"}
    in_leaves |= {"PhotographDataset", "PhotographicBlurDataset", "SecondOrderDataset"}
    assert ours - kinds <= in_leaves | {"SubmissionDataset"}


def _keys(block, above=()):
    for name, value in block.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from _keys(value, (*above, name))


def test_every_number_that_is_declared_has_a_range(catalogue):
    """Of this package's classes, and of those of BasicSR that its files name."""
    wrong = []
    sections = {
        **{f"networks {name}": catalogue.networks[name] for name in NETWORKS},
        **{f"datasets {name}": catalogue.datasets[name] for name in DATASETS},
        **{
            f"{part} {name}": section
            for part in ("networks", "datasets", "models", "losses", "metrics")
            for name, section in getattr(catalogue, part).items()
            if name in catalogue.ours
        },
        **{f"schedules {name}": section for name, section in catalogue.schedules.items()},
        **{
            f"basicsr_keys {name}": section
            for name, section in vars(basicsr_keys).items()
            if name.isupper() and name != "SCHEDULERS" and isinstance(section, dict)
        },
    }
    for place, section in sections.items():
        for name, option in section.items():
            allowed = option.choices is not None
            if not allowed and (option.fault(-(10**9)) is None or option.fault(10.0**30) is None):
                wrong.append(f"{place}: {name}")
            if option.default is not REQUIRED and option.default is not None:
                default = option.default
                value = list(default) if isinstance(default, tuple) else default
                if option.fault(value) is not None:
                    wrong.append(f"{place}: {name}: its default is not allowed")
    assert not wrong
