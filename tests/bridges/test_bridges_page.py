"""docs/bridges.md: its commands run, and each of its sentences has a test.

A sentence that is new or changed fails here until the test that proves it is named below.
"""

from __future__ import annotations

import ast
import logging
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from semanir_arch import host
from semanir_arch.archs import build_network
from semanir_arch.bridges import hub_repository
from semanir_arch.commands.convert import main as convert
from semanir_arch.commands.hub import main as publish
from semanir_arch.commands.restore import main as restore
from semanir_arch.commands.test import main as measure
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.utils.checkpoint import load_checkpoint, save_checkpoint
from semanir_arch.utils.options import to_yaml
from tests.bridges.foreign_files import RRDB, SWINIR, save_basicsr
from tests.helpers import ROOT, TINY_UNET, make_image, save_weights

PAGE = (ROOT / "docs" / "bridges.md").read_text()

READER, WRITER, HUB = ("test_spandrel_reader", "test_spandrel_archs", "test_hub_repository")
CONVERT, IQA, TRAINED, HERE = (
    *("test_convert", "test_iqa", "test_restoring_trained"),
    "test_bridges_page",
)

RUN, STATED = (HERE, "test_commands_run"), (HERE, "test_what_cannot_run_is_stated_elsewhere")
PROOFS = {
    "spandrel (MIT) recognizes some forty architectures": (READER, "test_outputs_are_those_of"),
    "semanir-restore --weights FILE runs all": (READER, "test_the_command_restores_gray"),
    "Restorer(FILE) does the same": (READER, "test_the_restorer_cuts_tiles"),
    "Results are spandrel's": (READER, "test_outputs_are_those_of"),
    "It pads small and odd images": (READER, "test_outputs_are_those_of"),
    "--precision bf16 is refused": (READER, "test_bf16_is_refused"),
    "Networks that need a mask": (READER, "test_an_inpainting_network"),
    "If spandrel_extra_arches": (READER, "test_extra_architectures_are_read"),
    "python -m semanir_arch export": (READER, "test_export_keeps"),
    "test.py measures such a network": RUN,
    "The file's network replaces": (READER, "test_test_py_measures"),
    "The scales must agree": (READER, "test_test_py_measures"),
    "An option file can name it too": (HERE, "test_option_files_name"),
    "BasicSR's networks": (TRAINED, "test_the_file_of_a_training"),
    "train.py writes the options": (TRAINED, "test_the_file_of_a_training"),
    "So you can restore with SwinIR": (TRAINED, "test_the_file_of_a_training"),
    "If spandrel deduces other options": (READER, "test_a_deduction_that_contradicts"),
    "A file that states nothing": (READER, "test_a_file_that_states_nothing"),
    "install() registers SemanIR": (WRITER, "test_outputs_are_ours"),
    "This package must be installed": STATED,
    "For ComfyUI, put the two lines": STATED,
    "We could try neither program": STATED,
    "Results are ours": (WRITER, "test_outputs_are_ours"),
    "Programs see only the tensors": (WRITER, "test_weights_alone_are_refused"),
    "A safetensors file from convert": (WRITER, "test_outputs_are_ours"),
    "It survives conversion": (WRITER, "test_the_options_survive"),
    "Shipped weights load as they are": (WRITER, "test_every_shipped_file"),
    "A .pth of train.py is refused": (WRITER, "test_weights_alone_are_refused"),
    "float16 is disabled": (WRITER, "test_the_flags_hold"),
    "bfloat16 works": (WRITER, "test_the_flags_hold"),
    "Restormer is not registered": (WRITER, "test_restormer_is_not_registered"),
    "Its authors' code and weights": STATED,
    "Our class is written from the paper": (CONVERT, "test_files_of_the_authors"),
    "It does not change their license": STATED,
    "--weights hf:USER/REPO loads": (HUB, "test_an_address_is_found"),
    "Downloads are kept": (HUB, "test_an_address_is_found"),
    "They are used offline": (HUB, "test_an_address_is_found"),
    'push_to_hub("USER/REPO") uploads': (HUB, "test_pushing_uploads"),
    "From the command line": RUN,
    "pack writes the weights": RUN,
    "push uploads them": (HUB, "test_pushing_uploads"),
    "Both texts are made from": (HUB, "test_the_card_and_the_entry"),
    "What the record does not say": (HUB, "test_little_is_said"),
    "OpenModelDB must add": STATED,
    "convert refuses files that could not": (CONVERT, "test_what_could_not_be_restored"),
    "If a file does not name its network": RUN,
    "--network also takes an option file": (CONVERT, "test_an_option_file_names"),
    "pyiqa has some hundred": (IQA, "test_its_psnr_is_ours"),
    "One metric makes them all": (HERE, "test_option_files_name"),
    "It is never required": (IQA, "test_without_pyiqa"),
    "Install it with pip": (IQA, "test_without_pyiqa"),
    "Do not take PSNR": STATED,
    "Largest difference between two ways": (HERE, "test_measured_differences_are_asserted"),
}
"""For each sentence, by its beginning: the file of the test, and the beginning of its name."""

ROWS = {
    "params_ema": (CONVERT, "test_weights_of_every_origin"),
    "names with module.": (CONVERT, "test_weights_of_every_origin"),
    "n_averaged": (CONVERT, "test_weights_of_every_origin"),
    "one prefix before": (CONVERT, "test_weights_of_every_origin"),
    "several networks": (CONVERT, "test_one_of_several"),
    "ours, with spandrel's": (READER, "test_outputs_are_those_of"),
    "spandrel, with our": (WRITER, "test_outputs_are_ours"),
    "spandrel, with the 11": (WRITER, "test_every_shipped_file"),
    "from_pretrained": (HUB, "test_networks_come_back"),
    "SwinIR of a file": (READER, "test_what_train_py_writes"),
}
"""The same for the rows of tables."""


def plain(text):
    """Text without marks of Markdown."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[`*]", "", text)


def prose():
    """Paragraphs and items, without code, headings and tables."""
    text = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(#|\|).*$", "", text, flags=re.MULTILINE)
    for part in re.split(r"\n\s*\n|^- ", plain(text), flags=re.MULTILINE):
        if part.strip():
            yield " ".join(part.split())


_SMALL = "bfloat|float|push|pack|train\\.py|semanir-|convert"


def sentences():
    for part in prose():
        # some begin with a name in small letters
        yield from re.split(rf"(?<=\.) (?=[A-Z]|-|{_SMALL})", part)


def rows():
    for line in re.findall(r"^\|(.*)\|$", PAGE, flags=re.MULTILINE):
        cells = [plain(cell).strip() for cell in line.split("|")]
        if not set(cells[0]) <= set("- :") and cells[0] not in ("a file", "computed by"):
            yield cells[0]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_every_sentence_and_row_has_a_test():
    for texts, proofs in ((list(sentences()), PROOFS), (list(rows()), ROWS)):
        unproven = [text for text in texts if not text.startswith(tuple(proofs))]
        assert not unproven
        unused = [start for start in proofs if not any(text.startswith(start) for text in texts)]
        assert not unused


def test_the_named_tests_exist():
    files = {path.stem: path for path in (ROOT / "tests").rglob("test_*.py")}
    missing = []
    for file, start in {*PROOFS.values(), *ROWS.values()}:
        tree = ast.parse(files[file].read_text())
        names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        if not any(name.startswith(start) for name in names):
            missing.append((file, start))
    assert not missing


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with everything that the page names."""
    pytest.importorskip("spandrel", reason="the extra spandrel is not installed")
    pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    write_image("photo.png", make_image((12, 16, 3)))
    save_basicsr(Path("4x.pth"), RRDB, named=False)
    save_basicsr(Path("2x.pth"), SWINIR, named=False)
    save_weights(Path("net.pth"), TINY_UNET)
    snapshot = Path("cache/models--someone--denoiser/snapshots/0")
    hub_repository.pack(Path("net.pth"), snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0")
    ramit = build_network({"type": "RAMiT", "task": "low_light"})
    save_checkpoint("bare.pth", {"params": ramit.state_dict()})
    write_image(tmp_path / "gt" / "a.png", make_image((48, 64, 3)))
    options = {
        "name": "foreign",
        "model_type": "RestorationModel",
        "scale": 2,
        "num_gpu": 0,
        "datasets": {"test": {"name": "a", "type": "BicubicSRDataset", "dataroot_gt": "gt"}},
        "network_g": {"type": "SemanIR", "upscale": 2},
        "path": {"pretrain_network_g": None},
        "val": {"save_img": False, "protocol": "sr_y"},
    }
    Path("test.yml").write_text(to_yaml(options))
    host.load("basicsr.utils.logger").initialized_logger.clear()
    logging.getLogger("basicsr").handlers.clear()
    return options


def run(words):
    """One command of the page, in this process."""
    if words[:2] == ["pip", "install"]:
        extra = re.fullmatch(r"semanir-arch\[(\w+)\]", words[2])
        return 0 if f"\n{extra[1]} = [" in (ROOT / "pyproject.toml").read_text() else 1
    if words[0] == "semanir-restore":
        return restore([*words[1:], "--device", "cpu", "--overwrite"])
    if words[1] == "test.py":
        return measure(words[2:])
    mains = {"semanir_arch.commands.convert": convert, "semanir_arch.commands.hub": publish}
    return mains[words[2]](words[3:])


def test_commands_run(place):
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) >= 8
    for line in commands:
        assert run(shlex.split(line, comments=True)) == 0, line
    # the last command for the photo was that of a network which keeps the size
    assert load_image("restored/photo.png").pixels.shape == (12, 16, 3)
    assert load_checkpoint("named.safetensors").network == {"type": "RAMiT", "task": "low_light"}
    written = {path.name for path in Path("folder").iterdir()}
    assert written == {"model.safetensors", "config.json", "README.md", "openmodeldb.json"}
    shutil.rmtree("folder")
    for block in blocks("python"):
        exec(compile(block, "bridges.md", "exec"), {})
    assert Path("folder/model.safetensors").is_file()


def test_option_files_name_networks_and_measures(place):
    """The blocks of the page are options that are checked before anything starts."""
    from semanir_arch.runs.class_schemas import build_catalogue
    from semanir_arch.utils.options import resolve, validate

    network, metrics = map(yaml.safe_load, blocks("yaml"))
    place["network_g"] = network["network_g"]
    Path("test.yml").write_text(to_yaml(place))
    assert measure(["-opt", "test.yml"]) == 0
    place["val"]["metrics"] = metrics["metrics"]
    Path("test.yml").write_text("_base_: [none.yml]\n" + to_yaml(place))
    Path("none.yml").write_text("{}")
    validate(resolve("test.yml"), build_catalogue(), is_train=False)


def test_measured_differences_are_asserted():
    """The tests behind the table compare with `torch.equal`, one with 1e-6."""
    stated = re.findall(r"^\| .* \| .* \| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert stated == ["largest difference", "---:", "0", "0", "0", "0", "below 1e-6"]
    tests = {path.stem: path.read_text() for path in (ROOT / "tests" / "bridges").glob("*.py")}
    for start, (file, name) in list(ROWS.items())[-5:]:
        body = tests[file].split(f"def {name}")[1].split("\ndef ")[0]
        wanted = "atol=1e-6" if start.startswith("SwinIR of") else "torch.equal("
        assert wanted in body, start


def test_what_cannot_run_is_stated_elsewhere():
    """Licences and the programs of others cannot run here; the page repeats THIRD_PARTY.md."""
    third = (ROOT / "THIRD_PARTY.md").read_text()
    for name in ("spandrel | MIT", "huggingface_hub | Apache-2.0", "academic, non-commercial"):
        assert name in third
