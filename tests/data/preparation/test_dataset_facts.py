from __future__ import annotations

import pytest

from datasets_prep.prepare import CATALOGUE
from semanir_arch.data.preparation.dataset_facts import Rule, load_catalogue
from tests.each import each

EXPECTED = {
    *("DIV2K", "Flickr2K", "WED", "BSD400", "Set5", "Set14", "BSD100", "Urban100", "Manga109"),
    *("Set12", "BSD68", "CBSD68", "Kodak24", "McMaster", "classic5", "LIVE1"),
    *("GoPro", "HIDE", "RealBlur", "DPDD", "Rain13K", "AllWeather", "RainDrop", "OutdoorRain"),
    *(
        "Snow100K",
        "SIDD",
        "DND",
        "LOL",
        "VE-LOL",
        "CC15",
        "PolyU",
        "RealSR",
        "DRealSR",
        "RealSRSet",
    ),
}

ENTRY = """
Some:
  tasks: [sr]
  page: https://example.org/
  licence: l
  serves: s
  limit_gib: 1
  archives: [{name: a.zip, bytes: 10}]
  parts: {train: {train/Some: {files: 2, from: ['a/*.png']}}}
"""


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(CATALOGUE)


def test_every_data_set_of_every_task_is_listed(catalogue):
    assert set(catalogue) == EXPECTED


def test_no_folder_belongs_to_two_data_sets(catalogue):
    folders = [f.path for d in catalogue.values() for part in d.parts.values() for f in part]
    assert len(folders) == len(set(folders))


def test_published_numbers_of_images_are_right(catalogue):
    def files(name, part):
        return {folder.files for folder in catalogue[name].parts[part]}

    assert files("DIV2K", "train_HR") == {800}
    assert files("Flickr2K", "HR") == {2650}
    assert files("WED", "train") == {4744}
    assert files("BSD400", "train") == {400}
    assert files("GoPro", "train") == {2103}
    assert files("GoPro", "test") == {1111}
    assert files("HIDE", "test") == {2025}
    assert files("RealBlur", "J") == files("RealBlur", "R") == {980}
    assert [files("DPDD", part) for part in ("train", "val", "test")] == [{350}, {74}, {76}]
    assert files("SIDD", "train") == {320}
    assert files("AllWeather", "train") == {18069}
    assert sum(max(files("Snow100K", part)) for part in "SML") == 50000
    assert files("Rain13K", "Test2800") == {2800}
    assert files("Rain13K", "Test1200") == {1200}
    assert files("LOL", "train") == {485}
    assert files("LOL", "test") == {15}


def test_pairs_have_as_many_inputs_as_targets(catalogue):
    for data_set in catalogue.values():
        for part in data_set.parts.values():
            assert len({folder.files for folder in part}) == 1


@pytest.mark.parametrize(
    ("rule", "member", "name"),
    [
        (Rule("train/input/*.png", None), "Data/train/input/7.png", "7.png"),
        (Rule("train/input/*.png", None), "train/input/7.jpg", None),
        (Rule("train/input/*.png", None), "xtrain/input/7.png", None),
        (Rule("train/input/*.png", None), "train/input/sub/7.png", None),
        (Rule("train/*/blur/*.png", "{0}-{1}.png"), "train/GO_1/blur/07.png", "GO_1-07.png"),
        (Rule("*.png", None), "a[1].png", "a[1].png"),
    ],
)
def test_rules_match_the_end_of_a_path(rule, member, name):
    assert rule.file_name(member) == name


@each(
    "old, new, message",
    [
        ("tasks: [sr]", "tusks: [sr]", r"unknown \['tusks'\], missing \['tasks'\]"),
        (
            "tasks: [sr]",
            "tasks: [rs]",
            r"tasks must be a list of names of tasks, received \['rs'\]",
        ),
        ("https://example.org/", "example.org", "page must be an address"),
        ("limit_gib: 1", "limit_gib: 0", "limit_gib must be a number above 0"),
        ("bytes: 10", "bytes: ten", "bytes must be a number"),
        ("bytes: 10", "bytes: 10, md5: abc", "md5 must have 32 hexadecimal digits"),
        ("train/Some:", "Some/train:", "must lie below train/"),
        ("files: 2", "files: 2, size: [4]", r"size must be \[width, height\]"),
        ("['a/*.png']", "[{'a/*': '{1}'}]", "does not fit the stars"),
        ("['a/*.png']", "[3]", "from takes patterns"),
        ("{train: {train/Some", "{train: {}, test: {train/Some", "every part folders"),
    ],
)
def test_mistakes_in_the_catalogue_are_named(tmp_path, old, new, message):
    path = tmp_path / "datasets.yml"
    path.write_text(ENTRY)
    assert list(load_catalogue(path)) == ["Some"]
    assert ENTRY.count(old) == 1
    path.write_text(ENTRY.replace(old, new))
    with pytest.raises(ValueError, match=message):
        load_catalogue(path)
