from __future__ import annotations

from pathlib import Path

import pytest

from semanir_arch.inference.jobs import Job, make_plan


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder `photos` in the current directory; only names matter here."""
    monkeypatch.chdir(tmp_path)
    for name in ("img2.png", "img10.jpg", "trip/img1.tif", "notes.txt"):
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Path("photos")


def test_a_folder_reappears_below_the_output_in_natural_order(photos):
    plan = make_plan([photos], Path("out"))
    assert [str(job.target) for job in plan.jobs] == [
        "out/img2.png",
        "out/img10.jpg",
        "out/trip/img1.tif",
    ]
    assert plan.problems == []


def test_one_image_may_name_its_result(photos):
    plan = make_plan([photos / "img2.png"], Path("new/name.tif"))
    assert plan.jobs == [Job(photos / "img2.png", Path("new/name.tif"))]


def test_an_existing_folder_stays_a_folder_whatever_its_name(photos):
    Path("out.png").mkdir()
    (job,) = make_plan([photos / "img2.png"], Path("out.png")).jobs
    assert job.target == Path("out.png/img2.png")


def test_a_format_that_cannot_be_written_becomes_png(photos):
    (photos / "old.gif").touch()
    (job,) = make_plan([photos / "old.gif"], Path("out")).jobs
    assert job.target == Path("out/old.png")


def test_results_of_an_earlier_call_are_no_inputs(photos):
    (photos / "out").mkdir()
    (photos / "out" / "img2.png").touch()
    plan = make_plan([photos], photos / "out")
    assert len(plan.jobs) == 3
    assert all("out" not in job.source.parts for job in plan.jobs)


def test_an_input_is_never_a_target(photos):
    plan = make_plan([photos / "img2.png"], photos)
    assert plan.jobs == []
    assert "overwrite an input, photos/img2.png" in plan.problems[0]


def test_two_inputs_with_one_target_are_told_apart(photos):
    (photos / "trip" / "img2.png").touch()
    plan = make_plan([photos / "img2.png", photos / "trip" / "img2.png"], Path("out"))
    assert [job.source for job in plan.jobs] == [photos / "img2.png"]
    assert plan.problems == [
        "photos/trip/img2.png: its result would replace that of photos/img2.png, out/img2.png"
    ]


@pytest.mark.parametrize("name", ["nothing.png", "empty"])
def test_an_input_without_images_is_a_problem_and_the_rest_goes_on(photos, name):
    Path("empty").mkdir()
    plan = make_plan([Path(name), photos], Path("out"))
    assert len(plan.jobs) == 3
    assert len(plan.problems) == 1
    assert name in plan.problems[0]


def test_the_picture_lies_beside_the_result():
    assert Job(Path("a.jpg"), Path("out/a.jpg")).picture == Path("out/a_compare.png")
