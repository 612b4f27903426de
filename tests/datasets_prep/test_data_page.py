"""What docs/data.md tells people to type and where it says things are must be true."""

from __future__ import annotations

import fnmatch
import re
import shlex

import pytest

from datasets_prep import check, extract_patches, generate_lq, prepare
from semanir_arch.data import DATASETS
from semanir_arch.data.preparation.dataset_facts import load_catalogue
from semanir_arch.data.preparation.presets import PRESETS
from semanir_arch.utils.options.yaml_reading import load_file
from tests.helpers import ROOT

PAGE = (ROOT / "docs/data.md").read_text(encoding="utf-8")
TASKS = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
SCRIPTS = {
    "prepare.py": prepare,
    "extract_patches.py": extract_patches,
    "generate_lq.py": generate_lq,
    "check.py": check,
}


def commands():
    text = "".join(re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in text.splitlines()]


def test_commands_are_understood():
    seen = set()
    for words in commands():
        folder, script = words[1].split("/")
        assert (ROOT / folder / script).is_file()
        arguments = SCRIPTS[script]._parse(words[2:])
        if script == "generate_lq.py":
            given = generate_lq._parameters(arguments)
            generate_lq.parse_degradation(arguments.damage, given)
        seen.add(script)
    assert seen == set(SCRIPTS)


@pytest.mark.parametrize("module", SCRIPTS.values(), ids=SCRIPTS)
def test_every_script_explains_itself(module, capsys):
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_every_preset_and_data_set_is_named():
    for name in [*PRESETS, *load_catalogue(prepare.CATALOGUE)]:
        assert f"`{name}`" in PAGE, name
    for name in DATASETS:
        assert f"`{name}`" in PAGE + TASKS, name


def test_folders_of_the_page_are_those_of_the_catalogue():
    folders = {
        folder.path
        for data_set in load_catalogue(prepare.CATALOGUE).values()
        for part in data_set.parts.values()
        for folder in part
    } | {output for preset in PRESETS.values() for output in preset.outputs}
    for folder in re.findall(r"`((?:train|test)/[A-Za-z0-9_/]+)`", PAGE):
        assert any(path.startswith(folder) for path in folders), folder


def data_roots(node):
    """All data roots of an option file, with variables as a star."""
    if isinstance(node, dict):
        for key, value in node.items():
            if str(key).startswith("dataroot"):
                for root in value if isinstance(value, list) else [value]:
                    yield re.sub(r"\$\{\w+\}", "*", root)
            else:
                yield from data_roots(value)


def test_option_files_read_what_the_scripts_make():
    made = {output for preset in PRESETS.values() for output in preset.outputs}
    # from its HR images, as the page says
    made.add("test/Manga109/LR_bicubic/X2")
    for data_set in load_catalogue(prepare.CATALOGUE).values():
        for part in data_set.parts.values():
            made |= {folder.path for folder in part}
            made |= {f"{f.path}/{r.pattern}" for f in part for r in f.rules if ".mat" in r.pattern}
    roots = {
        root
        for path in (ROOT / "options").rglob("*.yml")
        for root in data_roots(load_file(path).data)
        # the quickstart's and the shipped networks' data have commands of their own
        if not root.startswith(("datasets/quickstart/", "datasets/packed/"))
    }
    assert len(roots) > 10
    unknown = {
        root
        for root in roots
        if not fnmatch.filter(made, root.removeprefix("datasets/").removesuffix(".lmdb"))
    }
    assert not unknown
