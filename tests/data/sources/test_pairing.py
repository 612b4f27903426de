from __future__ import annotations

import time

import pytest

from semanir_arch.data.sources.image_source import ImageSource
from semanir_arch.data.sources.name_rules import parse_name_rule
from semanir_arch.data.sources.name_table import NameTable
from semanir_arch.data.sources.pairing import ListFile, find_pairs

SAME = parse_name_rule("same", "{}")


class Names(ImageSource):
    """A source that has names only."""

    def __init__(self, root, names):
        super().__init__(root)
        self._names = NameTable(names)

    @property
    def names(self):
        return self._names

    def path(self, index):
        return f"{self.root}/{self._names[index]}.png"

    def read(self, index):
        raise NotImplementedError


def paired_names(lq, gt, rule=SAME, list_file=None):
    pairs = find_pairs(lq, gt, rule, list_file)
    return [(lq.names[i], gt.names[j]) for i, j in zip(*pairs, strict=True)]


def test_pairs_are_found_whatever_the_order():
    lq, gt = Names("lq", ["b", "a/1", "c"]), Names("gt", ["a/1", "c", "b"])
    assert paired_names(lq, gt) == [("b", "b"), ("a/1", "a/1"), ("c", "c")]


def test_one_target_may_have_several_inputs():
    lq = Names("lq", ["im_0001_s80_a04", "im_0001_s85_a05", "im_0002_s80_a04"])
    pairs = paired_names(
        lq, Names("gt", ["im_0001", "im_0002"]), parse_name_rule("outdoor_rain", "{}")
    )
    assert [target for _, target in pairs] == ["im_0001", "im_0001", "im_0002"]


def test_inputs_and_targets_in_one_folder_are_told_apart_by_the_rule():
    names = ["s/1_NOISY_SRGB", "s/1_GT_SRGB", "s/2_GT_SRGB", "s/2_NOISY_SRGB"]
    source = Names("SIDD", names)
    rule = parse_name_rule("sidd", "{}")
    assert paired_names(source, source, rule) == [
        ("s/1_NOISY_SRGB", "s/1_GT_SRGB"),
        ("s/2_NOISY_SRGB", "s/2_GT_SRGB"),
    ]
    with pytest.raises(ValueError, match="1 of 3 targets in SIDD have no input"):
        find_pairs(Names("SIDD", names[:3]), Names("SIDD", names[:3]), rule)


def test_the_first_ten_without_a_partner_are_listed():
    names = [f"{number:02d}" for number in range(15)]
    lq, gt = Names("lq", names), Names("gt", names[:2])
    with pytest.raises(ValueError, match=r"13 of 15 inputs in lq .* gt: 02, .*, 11, \.\.\.$"):
        find_pairs(lq, gt, SAME)
    with pytest.raises(ValueError, match=r"13 of 15 targets in lq .* gt: 02, .*, 11, \.\.\.$"):
        find_pairs(gt, lq, SAME)
    rule = parse_name_rule("same", "{}x2")
    with pytest.raises(ValueError, match=r"1 of 1 inputs .*: bx2 \(looked for b\)$"):
        find_pairs(Names("lq", ["bx2"]), Names("gt", ["a"]), rule)


def test_two_files_of_one_name_are_refused():
    twice = Names("folder", ["a", "b", "a"])
    once = Names("other", ["a", "b"])
    for lq, gt in ((twice, once), (once, twice)):
        with pytest.raises(
            ValueError, match=r"folder: 1 names occur more than once, .* first is a$"
        ):
            find_pairs(lq, gt, SAME)


@pytest.fixture
def listed(tmp_path):
    def write(text, *columns):
        path = tmp_path / "list.txt"
        path.write_text(text, encoding="utf-8")
        return ListFile(path, columns)

    return write


def test_lists_of_pairs_may_have_the_target_first(listed):
    # RealBlur's lists
    source = Names("datasets/RealBlur", ["J/scene1/blur/blur_1", "J/scene1/gt/gt_1", "J/scene2/x"])
    lines = "J/scene1/gt/gt_1.png J/scene1/blur/blur_1.png \n"
    pairs = paired_names(source, source, list_file=listed(lines, "gt", "lq"))
    assert pairs == [("J/scene1/blur/blur_1", "J/scene1/gt/gt_1")]


def test_lists_may_repeat_the_end_of_the_root(listed):
    # All-Weather's list: one line per input, targets have equal names
    lq = Names("data/train/allweather/input", ["0_rain", "im_1_s80", "city_1"])
    gt = Names("data/train/allweather/gt", ["city_1", "im_1_s80", "0_rain"])
    lines = "./allweather/input/im_1_s80.png\ninput/0_rain.png\n\n"
    pairs = paired_names(lq, gt, list_file=listed(lines, "lq"))
    assert pairs == [("0_rain", "0_rain"), ("im_1_s80", "im_1_s80")]


def test_basicsr_lists_name_targets_with_their_shape(listed):
    lq, gt = Names("lq", ["0001x2", "0002x2", "more"]), Names("gt", ["0001", "0002", "rest"])
    rule = parse_name_rule("same", "{}x2")
    pairs = paired_names(lq, gt, rule, listed("0002.png (480,480,3)\n", "gt"))
    assert pairs == [("0002x2", "0002")]


def test_names_with_spaces_and_dots_can_be_listed(listed):
    lq, gt = Names("lq", ["a b.1"]), Names("gt", ["c d"])
    assert paired_names(lq, gt, list_file=listed("a b.1\tc d.png\n", "lq", "gt"))
    assert paired_names(lq, Names("gt", ["a b.1"]), list_file=listed("a b.1.png", "lq"))


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("a b\na\n", ("lq", "gt"), "list.txt, line 2: must have lq and gt, received 'a'"),
        ("a.png x.png\n", ("lq", "gt"), "list.txt: 1 of 1 images in it are not in gt: x.png"),
        ("\n", ("lq",), "list.txt: lists no images"),
        ("c.png\n", ("gt",), "list.txt: 1 images in it have no partner: c"),
    ],
)
def test_lists_that_do_not_fit_are_refused(listed, text, columns, message):
    lq, gt = Names("lq", ["a", "b"]), Names("gt", ["a", "b", "c"])
    with pytest.raises(ValueError, match=message):
        find_pairs(lq, gt, SAME, listed(text, *columns))


def test_lists_of_other_encodings_are_named(listed):
    source = Names("a", ["\u00e4"])
    list_file = listed("\ufeff\u00e4.png\n", "lq")
    assert paired_names(source, source, list_file=list_file)
    list_file.path.write_bytes("\u00e4.png".encode("latin-1"))
    with pytest.raises(ValueError, match=r"list\.txt: not UTF-8"):
        find_pairs(source, source, SAME, list_file)


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.txt: no such list file"):
        find_pairs(
            Names("a", ["a"]), Names("b", ["a"]), SAME, ListFile(tmp_path / "missing.txt", ("lq",))
        )


def test_time_grows_with_the_number_of_pairs_not_with_its_square():
    def seconds(count):
        names = [f"scene{n // 100}/{n:07d}" for n in range(count)]
        lq, gt = Names("lq", names), Names("gt", reversed(names))
        started = time.process_time()
        assert len(find_pairs(lq, gt, SAME).lq) == count
        return time.process_time() - started

    # a search of lists, as in BasicSR, would take a hundred times as long for ten times as many
    fewer, more = (min(seconds(count) for _ in range(3)) for count in (10_000, 100_000))
    assert more < 50 * fewer


def test_lists_of_real_esrgan_have_commas(listed):
    gt, lq = Names("data/HR", ["a b", "c", "d,e"]), Names("data/LR", ["a b_x4", "c_x4", "d,e"])
    lines = "HR/a b.png, LR/a b_x4.png\nHR/c.png,LR/c_x4.png\nd,e.png d,e.png\n"
    pairs = paired_names(lq, gt, list_file=listed(lines, "gt", "lq"))
    assert pairs == [("a b_x4", "a b"), ("c_x4", "c"), ("d,e", "d,e")]
    with pytest.raises(ValueError, match=r"line 1: holds two names, .* say meta_info_columns: "):
        find_pairs(gt, gt, SAME, listed("c.png, c_x4.png\n", "gt"))


@pytest.mark.parametrize("with_list", [False, True])
def test_names_that_look_the_same_get_a_hint(with_list, listed):
    nfc, nfd = "caf\u00e9", "cafe\u0301"
    lq, gt = Names("lq", ["a", nfd]), Names("gt", ["a", nfc])
    list_file = listed(f"a\n{nfc}\n", "lq") if with_list else None
    with pytest.raises(ValueError, match=r"stored in another way .Unicode NFC and NFD.: rename"):
        find_pairs(lq, gt, SAME, list_file)


def test_a_part_may_be_paired():
    pairs = find_pairs(Names("lq", ["b", "x"]), Names("gt", ["a", "b"]), SAME, partly=True)
    assert (pairs.lq.tolist(), pairs.gt.tolist()) == ([0], [1])
