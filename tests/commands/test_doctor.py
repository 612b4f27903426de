from __future__ import annotations

import importlib.machinery
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from semanir_arch.commands import doctor
from semanir_arch.utils import repairs
from tests.helpers import ROOT


@pytest.fixture
def machine(monkeypatch):
    """A healthy machine, of which a test changes one thing."""
    state = SimpleNamespace(
        versions={
            "torch": "2.11.0+cpu",
            "torchvision": "0.26.0+cpu",
            "opencv-python-headless": "5.0",
        },
        failures={},
    )
    monkeypatch.setattr(doctor, "installed", state.versions.get)
    monkeypatch.setattr(repairs, "installed", state.versions.get)
    monkeypatch.setattr(doctor, "failure", state.failures.get)
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: ["numpy", "torch (==2.11.0)"])
    return state


@pytest.fixture
def basicsr(monkeypatch, tmp_path):
    """A folder that Python finds as `basicsr`."""
    folder = tmp_path / "basicsr"
    (folder / "utils").mkdir(parents=True)
    (folder / "utils" / "registry.py").write_text("ARCH_REGISTRY = Registry('arch')\n")
    spec = importlib.machinery.ModuleSpec("basicsr", None, is_package=True)
    spec.submodule_search_locations.append(str(folder))
    monkeypatch.setattr(doctor, "find_spec", lambda _: spec)
    return folder


def test_a_healthy_machine_has_no_problems(machine, basicsr, monkeypatch):
    machine.versions["basicsr"] = "1.4.2"
    monkeypatch.setattr(doctor, "missing_requirements", lambda _: [])
    assert [p for check in doctor.CHECKS[1:] for p in check()] == []


@pytest.mark.parametrize("version", ["3.10.13", "3.14.0", "4.0.1"])
def test_an_untested_python_is_said_but_no_defect(monkeypatch, version):
    monkeypatch.setattr(doctor.platform, "python_version_tuple", lambda: tuple(version.split(".")))
    (problem,) = doctor.check_python()
    assert "3.11 to 3.13" in problem.repair
    assert not problem.broken


@pytest.mark.parametrize("version", ["3.11.7", "3.12.1", "3.13.0"])
def test_a_tested_python_is_no_problem(monkeypatch, version):
    monkeypatch.setattr(doctor.platform, "python_version_tuple", lambda: tuple(version.split(".")))
    assert [*doctor.check_python()] == []


def test_missing_torch_is_broken(machine, monkeypatch):
    del machine.versions["torch"]
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    (problem,) = doctor.check_torch()
    assert problem.broken
    assert "torch is not installed" in problem.what


def test_a_torchvision_for_another_torch_is_named_with_both_versions(machine):
    machine.versions["torch"] = "2.12.0"
    (problem,) = doctor.check_torchvision()
    assert "made for torch 2.11.0, not for 2.12.0" in problem.what
    assert "same index" in problem.repair


def test_a_torchvision_of_another_build_is_found_by_importing_it(machine):
    machine.failures["torchvision"] = "RuntimeError: operator torchvision::nms does not exist"
    (problem,) = doctor.check_torchvision()
    assert "torchvision::nms" in problem.what


def test_two_builds_of_opencv_are_both_named(machine):
    machine.versions["opencv-python"] = "5.0"
    (problem,) = doctor.check_opencv()
    assert "opencv-python and opencv-python-headless" in problem.what
    assert problem.repair.commands == [
        ("uninstall", "-y", "opencv-python", "opencv-python-headless"),
        ("install", "opencv-python-headless"),
    ]


def test_opencv_without_libgl_is_repaired_by_the_headless_build(machine):
    machine.versions["opencv-python"] = machine.versions.pop("opencv-python-headless")
    machine.failures["cv2"] = "ImportError: libGL.so.1: cannot open shared object file"
    (problem,) = doctor.check_opencv()
    assert "libGL.so.1" in problem.what
    assert str(problem.repair).endswith("pip install opencv-python-headless")


def test_tb_nightly_is_repaired_by_removing_both(machine):
    machine.versions |= {"tensorboard": "2.21.0", "tb-nightly": "2.20"}
    (problem,) = doctor.check_tensorboard()
    assert "tb-nightly tensorboard; pip install 'tensorboard" in str(problem.repair)


def test_missing_basicsr_is_no_defect(machine, monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    (problem,) = doctor.check_basicsr()
    assert not problem.broken
    assert "basicsr==1.4.2" in str(problem.repair)
    assert "semanir_arch.doctor --repair" in str(problem)


def test_a_foreign_basicsr_is_named_by_its_folder(machine, basicsr):
    (basicsr / "utils" / "registry.py").unlink()
    (problem,) = doctor.check_basicsr()
    assert str(basicsr) in problem.what
    assert "ARCH_REGISTRY" in problem.what


def test_basicsr_and_basicsr_fixed_clash(machine, basicsr):
    machine.versions |= {"basicsr": "1.4.2", "basicsr-fixed": "1.4.2"}
    (problem,) = doctor.check_basicsr()
    assert "pip uninstall -y basicsr basicsr-fixed" in str(problem.repair)


def test_a_basicsr_without_what_it_imports_is_said(machine, basicsr, monkeypatch):
    machine.versions["basicsr"] = "1.4.2"
    monkeypatch.setattr(doctor, "missing_requirements", lambda _: ["lmdb>=1.5"])
    (problem,) = doctor.check_basicsr()
    assert "lmdb>=1.5" in problem.what
    assert problem.repair.commands == [("install", "lmdb>=1.5")]


def test_a_basicsr_that_cannot_be_used_is_reported_with_the_reason(machine, basicsr, monkeypatch):
    monkeypatch.setattr(doctor, "missing_requirements", lambda _: [])
    machine.failures["semanir_arch.plugin"] = "HostError: torchvision cannot be imported"
    (problem,) = doctor.check_basicsr()
    assert "HostError: torchvision" in problem.what


@pytest.mark.parametrize(
    ("problems", "code"),
    [
        ([], 0),
        ([doctor.Defect("training is missing", "install it", broken=False)], 0),
        ([doctor.Defect("it is broken", "mend it")], 1),
    ],
)
def test_the_exit_code_says_whether_something_is_broken(monkeypatch, capsys, problems, code):
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter(problems),))
    assert doctor.main([]) == code
    printed = capsys.readouterr().out
    assert "naive: available" in printed
    assert "cpu: " in printed
    for problem in problems:
        assert f"{problem.what}\n    repair: {problem.repair}" in printed
    assert ("none found" in printed) == (not problems)


def run_doctor(path):
    return subprocess.run(
        [sys.executable, "-m", "semanir_arch.doctor"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_report_appears_even_without_torch(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so is missing')\n")
    result = run_doctor(tmp_path)
    assert result.returncode == 1
    assert "torch cannot be imported (ImportError: libcudart.so is missing)" in result.stdout
    assert result.stderr == ""


def test_the_report_names_a_package_that_only_claims_to_be_basicsr(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('not needed here')\n")
    (tmp_path / "basicsr").mkdir()
    (tmp_path / "basicsr" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    result = run_doctor(tmp_path)
    assert f"the package basicsr in {tmp_path / 'basicsr'} is not BasicSR" in result.stdout


def test_programs_that_are_missing_are_named_with_what_still_works(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/bin/git" if name == "git" else None)
    lines = [*doctor.describe_tools()]
    assert lines[0] == "git: /bin/git"
    assert all("not found: " in line and ";" in line for line in lines[1:])


def test_a_repair_runs_the_commands_and_says_what_it_did(monkeypatch, capfd):
    """Pip itself is replaced by a module that tells its arguments."""
    ran = []

    def run(command, env=None, **_):
        ran.append((command, env))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(repairs.subprocess, "run", run)
    repair = repairs.Repair([("install", "basicsr==1.4.2")], {"PYTHONPATH": "/somewhere"})
    monkeypatch.setattr(
        doctor,
        "CHECKS",
        (lambda: iter([doctor.Defect("no BasicSR", repair), doctor.Defect("odd", "words")]),),
    )
    assert doctor.main(["--repair"]) == 0
    (install, environment), (report, _) = ran
    assert install == [sys.executable, "-m", "pip", "install", "basicsr==1.4.2"]
    assert environment["PYTHONPATH"] == "/somewhere"
    assert report == [sys.executable, "-m", "semanir_arch.doctor"]
    printed = capfd.readouterr().out
    assert "repaired: no BasicSR" in printed
    assert "odd" not in printed


def test_a_repair_that_fails_is_told(monkeypatch, capsys):
    monkeypatch.setattr(repairs.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=7))
    monkeypatch.setattr(
        doctor,
        "CHECKS",
        (lambda: iter([doctor.Defect("two OpenCVs", repairs.Repair([("install", "x")]))]),),
    )
    assert doctor.main(["--repair"]) == 2
    assert "not repaired: " in capsys.readouterr().err
