"""What `pip install .` builds, and whether the files of pins have what it asks for."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.version import Version

import semanir_arch
from semanir_arch.commands import launch
from tests.helpers import ROOT

PYTHONS = ("3.11", "3.12", "3.13")
PINS = ("constraints.txt", "constraints-lowest.txt")
BESIDE = ("options", "datasets_prep")
"""Folders of a clone that a wheel holds inside the package."""


def files_in(folder):
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the tree, with a torch in the way that cannot be imported."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("semanir_arch", *BESIDE):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / name, source)
    (folder / "torch.py").write_text("raise ImportError('building needs no torch')\n")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(source)],
        env=os.environ | {"PYTHONPATH": str(folder)},
        check=True,
    )
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_every_module_and_nothing_else(wheel):
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    beside = {f"semanir_arch/{name}" for folder in BESIDE for name in files_in(folder)}
    assert packed == files_in("semanir_arch") | beside


def test_the_wheel_carries_license_and_command(wheel):
    names = {name.rsplit("/", 1)[-1]: name for name in wheel.namelist()}
    assert {"LICENSE", "THIRD_PARTY.md"} <= names.keys()
    scripts = configparser.ConfigParser()
    scripts.read_string(wheel.read(names["entry_points.txt"]).decode())
    expected = {
        f"semanir-{name}": f"semanir_arch.commands.launch:{name}"
        for name, command in launch.COMMANDS.items()
        if command.is_script
    }
    assert dict(scripts["console_scripts"]) == expected
    assert all(callable(getattr(launch, name.removeprefix("semanir-"))) for name in expected)


def test_the_metadata_is_valid_and_complete(wheel):
    """`Metadata.from_email` judges every field as package indexes do."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    parsed = Metadata.from_email(wheel.read(name), validate=True)
    assert parsed.license_expression == "Apache-2.0"
    assert parsed.description_content_type == "text/markdown"
    assert parsed.keywords
    assert {f"Programming Language :: Python :: {python}" for python in PYTHONS} <= set(
        parsed.classifiers
    )
    assert str(parsed.requires_python) == f">={PYTHONS[0]}"


def test_the_source_distribution_holds_what_building_and_testing_need(tmp_path):
    for name in ("semanir_arch", *BESIDE):
        (tmp_path / name).symlink_to(ROOT / name)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    code = "import setuptools.build_meta as build; print(build.build_sdist('dist'))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as content:
        packed = {name.partition("/")[2] for name in content.getnames()}
    needed = files_in("semanir_arch") | files_in("options") | files_in("datasets_prep")
    needed |= {"pyproject.toml", "setup.py", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"}
    assert needed - packed == set()


def test_the_version_has_one_home(metadata):
    assert metadata["Version"] == semanir_arch.__version__


def test_basicsr_is_never_required(metadata):
    """It would build in isolation, with a second torch, and bring tb-nightly."""
    names = {Requirement(line).name for line in metadata.get_all("Requires-Dist")}
    assert names.isdisjoint({"basicsr", "tb-nightly"})


def read_pins(name, python):
    environment = {"python_version": python, "platform_system": "Linux"}
    pins = {}
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate(environment):
                assert pin.name not in pins, f"{pin.name} is pinned twice for Python {python}"
                pins[pin.name] = Version(next(iter(pin.specifier)).version)
    return pins


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", PINS)
def test_every_requirement_has_one_fitting_pin(metadata, name, python):
    pins = read_pins(name, python)
    wrong = [
        line
        for line in metadata.get_all("Requires-Dist")
        if pins.get(Requirement(line).name) not in Requirement(line).specifier
    ]
    assert not wrong


def test_the_lowest_pins_are_the_lowest_that_are_allowed_of_torch(metadata):
    pins = read_pins("constraints-lowest.txt", PYTHONS[0])
    for line in metadata.get_all("Requires-Dist"):
        requirement = Requirement(line)
        if requirement.name in ("torch", "torchvision", "numpy"):
            (lowest,) = requirement.specifier
            assert pins[requirement.name].release[:2] == Version(lowest.version).release[:2]


def test_every_public_name_can_be_loaded():
    assert dir(semanir_arch) == sorted(semanir_arch.__all__)
    for name in semanir_arch.__all__:
        assert getattr(semanir_arch, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Restorerr"):
        _ = semanir_arch.Restorerr
