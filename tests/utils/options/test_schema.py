from __future__ import annotations

import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from semanir_arch.commands.options import main
from semanir_arch.runs.class_schemas import build_catalogue
from semanir_arch.utils.options.yaml_reading import load_file
from tests.each import each
from tests.helpers import ROOT

FILES = sorted((ROOT / "options").rglob("*.yml"))


@pytest.fixture(scope="module")
def validator():
    from semanir_arch.utils.options.schema import build_schema

    # through JSON, as an editor gets it
    schema = json.loads(json.dumps(build_schema(build_catalogue())))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_every_option_file_fits_the_schema(validator):
    assert len(FILES) > 100
    problems = []
    for path in FILES:
        for error in validator.iter_errors(load_file(path).data):
            place = "/".join(map(str, error.absolute_path))
            problems.append(f"{path.relative_to(ROOT)}: {place}: {error.message[:200]}")
    assert not problems, "\n".join(problems)


FAULTY = {
    "a misspelled key": "trian: {total_iter: 5}",
    "a misspelled key of a section": "train: {totl_iter: 5}",
    "a misspelled key of a block of a model": "train: {mixing_augs: {mixup_bta: 1.0}}",
    "a text for a number": "train: {total_iter: many}",
    "a network that does not exist": "network_g: {type: SemanIRUnet}",
    "an argument that a network does not have": "network_g: {type: SemanIR, window: 8}",
    "an argument that no network has": "network_g: {embed_dims: 8}",
    "a number outside its range": "scale: 0",
    "a number of GPUs in words": "num_gpu: all",
    "a data set that does not exist": "datasets: {train: {type: GaussianDataset}}",
    "an option that a data set does not have": (
        "datasets: {train: {type: GaussianDenoisingDataset, sigmas: 25}}"
    ),
    "a strength out of range": "datasets: {val: {type: GaussianDenoisingDataset, sigma: -1}}",
    "a phase that nothing reads": "datasets: {validation: {name: x}}",
    "an unknown optimizer": "train: {optim_g: {type: Adamm}}",
    "an unknown loss": "train: {losses: {pixel: {type: L3Loss}}}",
    "a choice that does not exist": "val: {metrics: {psnr: {better: best}}}",
}


@each("text", FAULTY.values())
def test_what_the_toolkit_refuses_an_editor_marks(validator, text):
    assert not validator.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "scale: ${scale}",
        "train: {total_iter: '${length}', scheduler: {type: CosineAnnealingRestartLR, "
        "periods: ['${length}']}}",
        "datasets: {val: null}",
        "network_g: {k: 64}",
        "datasets: {train: {type: GaussianDenoisingDataset, sigma: [0, 50]}}",
        "datasets: {train: {sigma: {list: [15, 25]}}}",
    ],
)
def test_what_files_may_leave_open_is_no_fault(validator, text):
    assert [*validator.iter_errors(yaml.safe_load(text))] == []


def test_the_command_prints_it(capsys):
    assert main(["--schema"]) == 0
    Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))
