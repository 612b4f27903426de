"""What `pip install .` builds, and whether constraints.txt pins what it asks for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import semanir_arch
from tests.helpers import ROOT

PYTHONS = ("3.10", "3.11", "3.12")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the tree, with a torch in the way that cannot be imported."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT / "semanir_arch", source / "semanir_arch", ignore=shutil.ignore_patterns("__pycache__")
    )
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
    in_tree = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "semanir_arch").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == in_tree


def test_the_wheel_carries_license_and_command(wheel):
    names = {name.rsplit("/", 1)[-1]: name for name in wheel.namelist()}
    assert {"LICENSE", "THIRD_PARTY.md"} <= names.keys()
    entry_points = wheel.read(names["entry_points.txt"]).decode()
    assert "semanir-restore = semanir_arch.restoring.cli:main" in entry_points


def test_the_version_has_one_home(metadata):
    assert metadata["Version"] == semanir_arch.__version__


def test_basicsr_is_never_required(metadata):
    """It would build in isolation, with a second torch, and bring tb-nightly."""
    names = {Requirement(line).name for line in metadata.get_all("Requires-Dist")}
    assert names.isdisjoint({"basicsr", "tb-nightly"})


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_has_one_fitting_pin(metadata, python):
    environment = {"python_version": python, "platform_system": "Linux"}
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate(environment):
                assert pin.name not in pins, f"{pin.name} is pinned twice for Python {python}"
                pins[pin.name] = Version(next(iter(pin.specifier)).version)
    for line in metadata.get_all("Requires-Dist"):
        requirement = Requirement(line)
        assert requirement.name in pins
        assert pins[requirement.name] in requirement.specifier, requirement


def test_every_public_name_can_be_loaded():
    assert dir(semanir_arch) == sorted(semanir_arch.__all__)
    for name in semanir_arch.__all__:
        assert getattr(semanir_arch, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Restorerr"):
        _ = semanir_arch.Restorerr
