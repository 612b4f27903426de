from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from semanir_arch.data.sources import scanning
from semanir_arch.restoring.jobs import Job, list_jobs


def jobs_of(inputs, output, suffix=None):
    return list_jobs([str(given) for given in inputs], output, suffix)


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
    job_list = jobs_of([photos], Path("out"))
    assert [str(job.target) for job in job_list.jobs] == [
        "out/img2.png",
        "out/img10.jpg",
        "out/trip/img1.tif",
    ]
    assert job_list.problems == []


def test_one_image_may_name_its_result(photos):
    job_list = jobs_of([photos / "img2.png"], Path("new/name.tif"))
    assert job_list.jobs == [Job(photos / "img2.png", Path("new/name.tif"))]


def test_an_existing_folder_stays_a_folder_whatever_its_name(photos):
    Path("out.png").mkdir()
    (job,) = jobs_of([photos / "img2.png"], Path("out.png")).jobs
    assert job.target == Path("out.png/img2.png")


def test_a_format_that_cannot_be_written_becomes_png(photos):
    (photos / "old.gif").touch()
    (job,) = jobs_of([photos / "old.gif"], Path("out")).jobs
    assert job.target == Path("out/old.png")


def test_results_of_an_earlier_call_are_no_inputs(photos):
    (photos / "out").mkdir()
    (photos / "out" / "img2.png").touch()
    job_list = jobs_of([photos], photos / "out")
    assert len(job_list.jobs) == 3
    assert all("out" not in job.source.parts for job in job_list.jobs)


def test_an_empty_name_is_not_the_current_folder(photos):
    job_list = jobs_of([""], Path("out"))
    assert (job_list.jobs, job_list.problems) == ([], ["'': a name must not be empty"])


def test_photos_of_formats_that_are_only_read_are_found(photos):
    for name in ("old.GIF", "new.avif", "web.jfif"):
        (photos / name).touch()
    names = {"old.GIF", "new.avif", "web.jfif"}
    assert names < {job.source.name for job in jobs_of([photos], Path("out")).jobs}
    assert names == {job.source.name for job in jobs_of(["photos/*.[Gaj][Ivf]*"], Path("out")).jobs}


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_found(photos, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if Path(path).name == "trip":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    job_list = jobs_of([photos], Path("out"))
    assert [job.source.name for job in job_list.jobs] == ["img2.png", "img10.jpg"]
    assert job_list.problems == ["photos/trip: this folder cannot be read: Permission denied"]


def test_pictures_of_before_and_after_have_names_of_their_own(photos):
    for name in ("img2.jpg", "img10_compare.png"):
        (photos / name).touch()
    jobs = jobs_of([photos], Path("out")).jobs
    assert {job.source.name: job.picture.name for job in jobs} == {
        "img2.jpg": "img2_compare.png",
        "img2.png": "img2.png_compare.png",
        "img10.jpg": "img10.jpg_compare.png",
        "img10_compare.png": "img10_compare_compare.png",
        "img1.tif": "img1_compare.png",
    }


def test_an_input_is_never_a_target(photos):
    job_list = jobs_of([photos / "img2.png"], photos)
    assert job_list.jobs == []
    assert "overwrite an input, photos/img2.png" in job_list.problems[0]


def test_two_inputs_with_one_target_are_told_apart(photos):
    (photos / "trip" / "img2.png").touch()
    job_list = jobs_of([photos / "img2.png", photos / "trip" / "img2.png"], Path("out"))
    assert [job.source for job in job_list.jobs] == [photos / "img2.png"]
    assert job_list.problems == [
        "photos/trip/img2.png: its result would replace that of photos/img2.png, out/img2.png"
    ]


@pytest.mark.parametrize("inputs", [["photos", "photos/img2.png"], ["photos/img2.png", "photos"]])
def test_a_file_that_is_named_again_counts_once(photos, inputs):
    job_list = jobs_of(inputs, Path("out"))
    assert sorted(job.target.name for job in job_list.jobs) == ["img1.tif", "img10.jpg", "img2.png"]
    assert [job.number for job in job_list.jobs] == [1, 2, 3]
    assert job_list.problems == []


def test_one_image_that_is_named_twice_may_name_its_result(photos):
    job_list = jobs_of([photos / "img2.png", Path.cwd() / photos / "img2.png"], Path("new.png"))
    assert job_list.jobs == [Job(photos / "img2.png", Path("new.png"))]


def test_a_folder_with_one_image_that_is_also_named_needs_a_folder(photos):
    trip = photos / "trip"
    job_list = jobs_of([trip / "img1.tif", trip], Path("new.png"))
    assert job_list.jobs == []
    assert job_list.problems == ["new.png: a file, but 1 results need a folder"]


@pytest.mark.parametrize("name", ["nothing.png", "empty"])
def test_an_input_without_images_is_a_problem_and_the_rest_goes_on(photos, name):
    Path("empty").mkdir()
    job_list = jobs_of([Path(name), photos], Path("out"))
    assert len(job_list.jobs) == 3
    assert len(job_list.problems) == 1
    assert name in job_list.problems[0]


def test_the_picture_lies_beside_the_result():
    assert Job(Path("a.jpg"), Path("out/a.jpg")).picture == Path("out/a_compare.png")


@pytest.mark.parametrize(
    ("pattern", "sources", "targets"),
    [
        ("photos/*.png", ["photos/img2.png"], ["out/img2.png"]),
        (
            "photos/**/*",
            ["photos/img2.png", "photos/img10.jpg", "photos/trip/img1.tif"],
            ["out/img2.png", "out/img10.jpg", "out/trip/img1.tif"],
        ),
        ("photos/t*", ["photos/trip/img1.tif"], ["out/trip/img1.tif"]),
        ("ph[aio]tos/img?.png", ["photos/img2.png"], ["out/photos/img2.png"]),
    ],
)
def test_patterns_are_searched_here_and_keep_the_tree(photos, pattern, sources, targets):
    for given in (pattern, str(Path.cwd() / pattern)):
        job_list = jobs_of([given], Path("out"))
        assert [str(job.target) for job in job_list.jobs] == targets
        found = {job.source.resolve() for job in job_list.jobs}
        assert found == {Path(source).resolve() for source in sources}


def test_a_pattern_without_match_and_an_address_are_problems(photos):
    inputs = ["photos/*.bmp", "https://host/a.png", "file:///a.png"]
    job_list = jobs_of([*inputs, photos / "img2.png"], Path("out"))
    assert [job.source.name for job in job_list.jobs] == ["img2.png"]
    assert job_list.problems == [
        "photos/*.bmp: no image matches this pattern",
        "https://host/a.png: web addresses are not downloaded; download the file yourself",
        "file:///a.png: web addresses are not downloaded; download the file yourself",
    ]


def test_a_file_with_the_signs_of_a_pattern_in_its_name_is_that_file(photos):
    (photos / "img[2].png").touch()
    job_list = jobs_of([photos / "img[2].png"], Path("out"))
    assert [job.source.name for job in job_list.jobs] == ["img[2].png"]


def test_a_name_that_the_system_refuses_is_a_problem(photos):
    job_list = jobs_of(["x" * 5000 + ".png"], Path("out"))
    assert len(job_list.problems) == 1
    assert "File name too long" in job_list.problems[0]


def test_a_format_for_all_replaces_the_suffixes(photos):
    job_list = jobs_of([photos], Path("out"), ".webp")
    assert {job.target.suffix for job in job_list.jobs} == {".webp"}


def test_results_that_differ_by_suffix_alone_are_told_apart(photos):
    (photos / "img2.jpg").touch()
    job_list = jobs_of([photos], Path("out"), ".png")
    assert len(job_list.jobs) == 3
    assert len(job_list.problems) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_processes_share_the_work_without_doing_any_twice(photos, count):
    for size in range(5):
        (photos / f"{size}.png").write_bytes(bytes(100 * size))
    job_list = jobs_of([photos], Path("out"))
    parts = [job_list.share(rank, count) for rank in range(count)]
    together = [job.number for part in parts for job in part]
    assert sorted(together) == list(range(1, 9))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for part in parts:
        assert [job.number for job in part] == sorted(job.number for job in part)


def test_links_in_a_circle_are_left_to_the_reader(photos):
    (photos / "loop.png").symlink_to("loop.png")
    job_list = jobs_of([photos], Path("out"))
    assert photos / "loop.png" in [job.source for job in job_list.jobs]


@pytest.mark.parametrize("output", ["one.png", "photos/notes.txt"])
@pytest.mark.parametrize("inputs", [["photos"], ["photos/img2.png", "photos/img10.jpg"]])
def test_a_file_cannot_take_several_results(photos, inputs, output):
    job_list = jobs_of(inputs, Path(output))
    assert job_list.jobs == []
    count = 3 if inputs == ["photos"] else 2
    assert job_list.problems == [f"{output}: a file, but {count} results need a folder"]


@pytest.mark.parametrize("given", ["photos", "photos/", "photos/*.png", "photos/**/*.png"])
def test_results_are_never_laid_among_the_photos(photos, given):
    job_list = jobs_of([given], photos, ".png")
    assert job_list.jobs == []
    assert job_list.problems == [
        "photos: the results would mix with the photos; choose another folder, such as "
        "-o photos/restored"
    ]


@pytest.mark.parametrize("is_there", [False, True])
def test_what_is_passed_over_is_counted_by_suffix(photos, monkeypatch, is_there):
    monkeypatch.setattr(scanning, "is_installed", lambda extra: is_there)
    for name in ("a.heic", "trip/B.HEIC", "c.DNG", "film.mp4", "README", ".hidden.heic"):
        Path("photos", name).parent.mkdir(exist_ok=True)
        Path("photos", name).touch()
    (photos / "out").mkdir()
    (photos / "out" / "old.xyz").touch()
    job_list = jobs_of([photos, photos / "img2.png"], photos / "out")
    others = {".mp4": 1, ".txt": 1, "without suffix": 1}
    extra = {} if is_there else {".heic": 2, ".dng": 1}
    assert job_list.skipped == {**others, **extra}
    assert len(job_list.jobs) == (6 if is_there else 3)
    install = "pip install 'semanir-arch[formats]'"
    told = f"; to read HEIC photos: {install}; to read camera raw files: {install}; extract"
    assert (told in job_list.note) != is_there
    assert jobs_of([photos / "img2.png"], Path("out")).note == ""


def test_heic_and_raw_become_png(photos):
    (photos / "c.DNG").touch()
    (job,) = jobs_of([photos / "c.DNG"], Path("out")).jobs
    assert job.target == Path("out/c.png")


@pytest.mark.parametrize(
    ("one", "other"), [("IMG.png", "img.PNG"), ("caf\u00e9.jpg", "cafe\u0301.jpg")]
)
def test_results_that_are_one_file_on_some_systems_are_refused(photos, one, other):
    for name in (one, other):
        (photos / "trip" / name).touch()
    job_list = jobs_of([photos / "trip"], Path("out"))
    assert len(job_list.jobs) == 2
    (problem,) = job_list.problems
    assert "its result would replace that of photos/trip/" in problem
    assert problem.endswith("names that differ only in case or accents are the same")
