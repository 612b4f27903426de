"""Contact sheets: a row per strength, reproducible, and one message for what is wrong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from datasets_prep import generate_lq
from semanir_arch.data.degradations.damages import DAMAGES
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.preparation.preview import draw_sheet
from tests.each import each
from tests.helpers import make_image

CELL = 192


@pytest.fixture
def photo(tmp_path):
    pixels = cv2.GaussianBlur(make_image((210, 220, 3)), (0, 0), 2)
    write_image(tmp_path / "photo.png", pixels)
    return tmp_path / "photo.png"


def cells(sheet, row):
    """The three pictures of a row."""
    top = row * (CELL + 20) + 20
    return [sheet[top : top + CELL, x : x + CELL] for x in (0, CELL + 4, 2 * CELL + 8)]


def run(*arguments):
    return generate_lq.main([str(argument) for argument in arguments])


@each("damage", DAMAGES)
def test_every_damage_has_a_sheet_from_weak_to_strong(damage, photo):
    picture = load_image(photo).pixels
    columns = [("photo.png", picture)] * 3
    sheet = draw_sheet(columns, damage, {})
    rows = 1 + max(1, len(DAMAGES[damage].examples))
    assert sheet.shape == (rows * (CELL + 20), 3 * CELL + 8, 3)
    clean = cells(sheet, 0)
    np.testing.assert_array_equal(clean[0], picture[9:201, 14:206])
    assert (clean[0] != cells(sheet, rows - 1)[0]).any()


def test_columns_are_other_draws_and_a_seed_repeats_them(photo, tmp_path):
    sheets = []
    for name, seed in (("a", 0), ("b", 0), ("c", 5)):
        file = tmp_path / f"{name}.png"
        extra = ("--seed", seed, "--set", "sigma=20")
        assert run("--damage", "noise", "--preview", file, photo, *extra) == 0
        sheets.append(load_image(file).pixels)
    np.testing.assert_array_equal(sheets[0], sheets[1])
    assert (sheets[0] != sheets[2]).any()
    # what the user gives makes all rows equal, so there is one
    assert sheets[0].shape[0] == 2 * (CELL + 20)
    first, second, _ = cells(sheets[0], 1)
    assert (first != second).mean() > 0.5


def test_a_folder_shows_its_first_pictures(photo, tmp_path):
    for number in range(4):
        write_image(tmp_path / "more" / f"{number}.png", make_image((30, 40, 1), seed=number))
    file = tmp_path / "sheet.jpg"
    assert run("--damage", "noise", "--preview", file, tmp_path / "more") == 0
    assert load_image(file).pixels.shape[1] == 3 * CELL + 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--preview", "{}/sheet.gif", "{}/photo.png"), "a contact sheet is one of .jpg, .jpeg"),
        (("--preview", "{}/s.png", "{}/photo.png", "{}/o.png"), "--preview writes nothing else"),
        (("{}/photo.png",), "an output is needed, or --preview FILE"),
        (("--preview", "{}/s.png", "{}/nothing.png"), "nothing.png"),
        (("--preview", "{}/s.png", "{}/photo.png", "--set", "size=1"), "no parameter size"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(photo, tmp_path, capsys, arguments, message):
    filled = [argument.format(tmp_path) for argument in arguments]
    assert run("--damage", "noise", *filled) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [photo.name]


def test_the_former_name_of_damage_is_still_read(photo, tmp_path, capsys):
    assert run("--task", "noise", "--sigma", 5, photo, tmp_path / "out.png") == 0
    assert capsys.readouterr().err == "--task is now called --damage; both are read\n"
    for arguments in (("--task", "rain", "--damage", "snow"), ()):
        with pytest.raises(SystemExit):
            run(*arguments, photo, tmp_path / "out.png")
    assert "--damage is needed" in capsys.readouterr().err
