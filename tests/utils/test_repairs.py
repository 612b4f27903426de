from __future__ import annotations

import os
import subprocess
import sys

import pytest

from semanir_arch.utils import repairs

SETUP_LIKE_BASICSR = """
def get_version():
    exec(compile("__version__ = '1.4.2'", "version.py", "exec"))
    return locals()["__version__"]

print(get_version())

names = {}
exec("a = 1", names)
exec("b = a + 1", names, names)
exec("c = 3")
print(names["b"], c)
"""


def run_setup(**variables):
    return subprocess.run(
        [sys.executable, "-c", SETUP_LIKE_BASICSR],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_setup_that_reads_locals_after_exec_runs_during_the_build_of_basicsr():
    result = run_setup(**repairs.install_basicsr().variables)
    assert result.stdout.split() == ["1.4.2", "2", "3"], result.stderr


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the defect came with Python 3.13")
def test_without_the_repair_such_a_setup_fails_on_python_3_13():
    assert "KeyError: '__version__'" in run_setup().stderr


def test_basicsr_is_built_with_this_torch_and_without_its_requirements():
    *_, install = repairs.install_basicsr().commands
    assert {"--no-build-isolation", "--no-deps", "basicsr==1.4.2"} <= set(install)


def test_what_an_extra_lacks_is_asked_for_with_its_limits(monkeypatch):
    lines = ["torch>=2.8", "lmdb>=1.5; extra == 'train'", 'scipy >=1.13 ; extra == "train"']
    lines += ["h5py>=3.12; extra == 'metrics'"]
    monkeypatch.setattr(repairs.metadata, "requires", lambda _: lines)
    monkeypatch.setattr(repairs, "installed", {"scipy": "1.17"}.get)
    assert repairs.missing_requirements("train") == ["lmdb>=1.5"]


def test_an_environment_of_uv_has_no_pip(monkeypatch):
    monkeypatch.setattr(repairs.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(repairs.shutil, "which", lambda _: "/bin/uv")
    assert repairs._pip() == ["/bin/uv", "pip"]
    monkeypatch.setattr(repairs.shutil, "which", lambda _: None)
    with pytest.raises(RuntimeError, match="neither pip nor uv"):
        repairs._pip()
