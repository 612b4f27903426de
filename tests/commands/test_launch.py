from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

from semanir_arch.commands import completion, data, launch
from semanir_arch.commands.options import main as options
from semanir_arch.utils import shipped
from semanir_arch.utils.command_line import FAULT, Exit, Parser, run_guarded, spell_command
from semanir_arch.utils.errors import InputError, MissingFileError
from tests.helpers import ROOT


def test_every_command_has_a_parser_and_a_purpose():
    for name, command in launch.COMMANDS.items():
        assert isinstance(command.build_parser(), Parser), name
        assert command.purpose in launch.overview()


def test_what_can_be_run_as_a_module_does_something():
    """A module with `main` that Python is asked to run must call it."""
    silent = []
    for path in (ROOT / "semanir_arch").rglob("*.py"):
        body = ast.parse(path.read_text()).body
        has_main = any(isinstance(x, ast.FunctionDef) and x.name == "main" for x in body)
        starts = any(isinstance(x, ast.If) and "__main__" in ast.unparse(x.test) for x in body)
        if has_main and not starts:
            silent.append(str(path.relative_to(ROOT)))
    assert not silent


def test_a_misspelt_command_is_told_with_the_nearest(capsys):
    assert launch.run("trian", []) == Exit.REFUSED
    assert "did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--auto_resum"], "did you mean '--auto_resume'?"),
        (["-opt", "x.yml", "--autoresume"], "did you mean '--auto_resume'?"),
    ],
)
def test_a_misspelt_option_is_one_line_with_the_nearest(capsys, argv, message):
    parser = Parser(prog="semanir-x", allow_abbrev=False)
    parser.add_argument("-opt")
    parser.add_argument("--auto_resume", action="store_true")
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(argv)
    assert stopped.value.code == Exit.REFUSED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("semanir-x: ")
    assert message in line


def test_a_misspelt_choice_is_told_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as stopped:
        data.main(["ptches"])
    assert stopped.value.code == Exit.REFUSED
    assert "did you mean 'patches'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MissingFileError("a.png: no such file"), Exit.REFUSED),
        (OSError(28, "No space left on device", "a.png"), Exit.REFUSED),
        (InputError("sigma -1: allowed: 0 to 500"), Exit.REFUSED),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
    ],
)
def test_what_ends_a_command_is_one_line_and_a_code(capsys, error, code):
    def work():
        raise error

    assert run_guarded("semanir-x", work) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("semanir-x: ")


def test_a_defect_of_ours_keeps_its_traceback():
    def stumble():
        raise ValueError("math domain error")

    for work in (stumble, lambda: {}["x"]):
        with pytest.raises((KeyError, ValueError)) as raised:
            run_guarded("semanir-x", work)
        assert FAULT in raised.value.__notes__


@pytest.mark.parametrize(
    ("script", "module", "spelled"),
    [
        ("train.py", None, "python train.py -opt 'a b.yml'"),
        ("/x/bin/semanir-train", None, "semanir-train -opt 'a b.yml'"),
        ("/x/train.py", "semanir_arch.commands.train", "python -m semanir_arch.commands.train"),
        (
            "/x/semanir_arch/__main__.py",
            "semanir_arch.__main__",
            "python -m semanir_arch train -opt",
        ),
    ],
)
def test_a_command_is_shown_as_it_was_typed(monkeypatch, script, module, spelled):
    monkeypatch.setattr(sys, "argv", [script, "train", "-opt", "a b.yml"])
    spec = None if module is None else type("Spec", (), {"name": module})()
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    assert spell_command(["-opt", "a b.yml"]).startswith(spelled)


def test_a_script_for_data_runs_and_hands_on_its_exit_code(capfd):
    assert (
        data.main(["patches", "--input", "no", "--output", "x", "--size", "8", "--step", "8"]) == 2
    )
    assert "no: no such folder" in capfd.readouterr().err


def test_option_files_are_found_where_there_is_no_clone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = "options/quickstart/SemanIR_tiny_denoising.yml"
    assert shipped.find_option_file(name) == str(ROOT / name)
    assert shipped.find_option_file(name.removeprefix("options/")) == str(ROOT / name)
    assert shipped.find_option_file("options/none.yml") == "options/none.yml"
    assert capsys.readouterr().err == ""
    for folder in ("train", "test"):
        former = name.replace("options/", f"options/{folder}/")
        assert shipped.find_option_file(former) == str(ROOT / name)
        assert shipped.find_option_file(former.removeprefix("options/")) == str(ROOT / name)
        assert capsys.readouterr().err.splitlines()[0] == f"note: {former} is now {name}"
        assert shipped.find_option_file(str(ROOT / former)) == str(ROOT / name)
        assert shipped.was_of_tests(former, str(ROOT / name)) == (folder == "test")
        assert shipped.was_of_tests(str(ROOT / former), str(ROOT / name)) == (folder == "test")
        capsys.readouterr()
    mine = tmp_path / name
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert shipped.find_option_file(name) == name
    assert not shipped.was_of_tests("/test/options/train/a/x.yml", "/test/options/a/x.yml")
    assert not shipped.was_of_tests("/test/options/a/x.yml", "/test/options/a/x.yml")


def test_the_installed_folder_comes_before_the_one_beside_the_package(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "semanir_arch"
    (package / "options").mkdir(parents=True)
    (tmp_path / "site-packages" / "options").mkdir()
    monkeypatch.setattr(shipped, "_PACKAGE", package)
    assert shipped.shipped_folder("options") == package / "options"
    with pytest.raises(FileNotFoundError, match="install it again"):
        shipped.shipped_folder("datasets_prep")


def test_option_files_are_listed_and_copied_whole(tmp_path, capsys):
    assert options(["--list", "quickstart"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all("quickstart" in line for line in lines)
    assert options(["--list", "quikstart"]) == Exit.REFUSED
    copy = tmp_path / "mine" / "options"
    assert options(["--copy", str(copy)]) == 0
    there = {path.relative_to(copy) for path in copy.rglob("*.yml")}
    assert there == {p.relative_to(ROOT / "options") for p in (ROOT / "options").rglob("*.yml")}
    assert [path.name for path in copy.parent.iterdir()] == ["options"]
    (copy / "mine.yml").touch()
    assert options(["--copy", str(copy)]) == Exit.REFUSED
    assert (copy / "mine.yml").exists()


TRY_COMPLETION = """
source completion.bash
try() {
    COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
    registered=$(complete -p "$1"); after=${registered#* -F }; COMPREPLY=()
    [[ $registered == *"-o default "* ]] && "${after% *}"
    echo "${COMPREPLY[@]}"
}
try semanir-restore --tas
try semanir-restore --task dem
try semanir-restore pho
try semanir-train --auto
try semanir-train -opt mine/
try semanir-data pat
"""


def test_bash_completes_options_words_and_files(capsys, tmp_path):
    assert completion.main(["bash"]) == 0
    (tmp_path / "completion.bash").write_text(capsys.readouterr().out)
    (tmp_path / "mine").mkdir()
    for name in ("photo.jpg", "mine/x.yml"):
        (tmp_path / name).touch()
    result = subprocess.run(
        ["bash", "-c", TRY_COMPLETION], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    expected = ["--task", "demosaic", "photo.jpg", "--auto_resume", "mine/x.yml", "patches"]
    assert result.stdout.splitlines() == expected, result.stderr


def test_the_list_of_commands_needs_no_torch():
    code = (
        "import sys, runpy; sys.argv = ['x']\n"
        "runpy.run_module('semanir_arch', run_name='__main__')\n"
        "sys.exit(len({'torch', 'cv2', 'basicsr'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "semanir-restore" in result.stdout
