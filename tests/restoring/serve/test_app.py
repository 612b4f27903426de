from __future__ import annotations

import base64
import io
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import PIL.Image
import pytest

from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.files.image_io import decode_image
from semanir_arch.restoring.diagnosis import choose, diagnose
from semanir_arch.restoring.serve import app, job_queue
from tests.data.files.test_image_fuzz import FILES
from tests.each import each
from tests.helpers import make_image

from .conftest import wait_until


def encoded(name, shape=(12, 17, 3), dtype=np.uint8, seed=0):
    return encode_image(make_image(shape, dtype, seed), Path(name))


def test_the_menu_names_tasks_and_limits(running):
    status, options, _ = running.request("GET", "/api/options")
    assert status == 200
    assert [task["name"] for task in options["tasks"]] == ["same", "large"]
    assert options["tasks"][1] | {"scale": 2, "demonstration": True} == options["tasks"][1]
    assert options["local"] is True


@pytest.mark.parametrize("name", ["photo.png", "Käse & Brot.tif", "photo.webp", "photo.bmp"])
def test_a_result_keeps_name_and_format_and_says_its_task(running, name):
    data = encoded(name)
    status, job = running.send(data, name)
    assert status == 202
    done = running.finished(job["id"])
    own = f"{Path(name).stem}_same{Path(name).suffix}"
    assert (done["state"], done["name"], done["width"], done["height"]) == ("done", own, 17, 12)
    _, result, headers = running.request("GET", f"/api/jobs/{job['id']}/result")
    np.testing.assert_array_equal(
        decode_image(result, name).pixels, decode_image(data, name).pixels
    )
    assert PIL.Image.open(io.BytesIO(result)).format == PIL.Image.open(io.BytesIO(data)).format
    assert headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")


def test_sixteen_bits_are_kept_and_shown_with_eight(running):
    data = encoded("deep.png", dtype=np.uint16)
    job = running.finished(running.send(data, "deep.png")[1]["id"])
    result = running.request("GET", f"/api/jobs/{job['id']}/result")[1]
    np.testing.assert_array_equal(decode_image(result, "").pixels, decode_image(data, "").pixels)
    for part in ("before", "after"):
        shown = running.request("GET", f"/api/jobs/{job['id']}/{part}")[1]
        assert decode_image(shown, part).pixels.dtype == np.uint8


def test_a_format_that_cannot_be_written_becomes_png(running):
    buffer = io.BytesIO()
    PIL.Image.fromarray(make_image((9, 8, 3))).save(buffer, "GIF")
    job = running.finished(running.send(buffer.getvalue(), "old.gif")[1]["id"])
    assert job["name"] == "old_same.png"


def test_super_resolution_enlarges(running):
    job = running.finished(running.send(encoded("a.png"), "a.png", "large")[1]["id"])
    assert (job["width"], job["height"]) == (34, 24)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "photo.png: the file is empty"),
        (b"no image at all", "photo.png: cannot be read as an image: it has an unsupported format"),
    ],
)
def test_what_is_no_image_is_refused(running, data, message):
    status, answer = running.send(data)
    assert status == 422
    assert answer["error"].startswith(message)


def test_a_damaged_image_fails_with_one_sentence_and_the_next_works(running):
    whole = bytearray(encoded("photo.png", (80, 80, 3)))
    assert running.send(bytes(whole[:9000]))[0] == 422
    # nobody finds this before the pixels are decoded
    whole[5000:5100] = bytes(100)
    cut = bytes(whole)
    failed = running.finished(running.send(cut)[1]["id"])
    assert failed["state"] == "failed"
    assert failed["error"].startswith("photo.png: cannot be read as an image")
    assert running.finished(running.send(encoded("photo.png"))[1]["id"])["state"] == "done"


def test_damaged_files_of_every_format_are_one_sentence(running):
    generator = np.random.default_rng(5)
    states = []
    for name, data in FILES.items():
        damaged = bytearray(data)
        for position in generator.integers(len(data) // 3, len(data), size=6):
            damaged[position] = generator.integers(256)
        for sent in (bytes(damaged), bytes(damaged[: len(data) // 2])):
            status, answer = running.send(sent, f"{name}.png")
            assert status in (202, 422), (name, answer)
            job = running.finished(answer["id"]) if status == 202 else answer
            states.append(job.get("state", "refused"))
            if "error" in job:
                assert job["error"].startswith(f"{name}.png: cannot be read as an image: "), name
                assert "\n" not in job["error"]
    assert set(states) == {"done", "failed", "refused"}


def huge(width, height):
    """A PNG file of a few bytes that promises many pixels."""
    buffer = io.BytesIO()
    PIL.Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "task", "limit"),
    [((6000, 4001), "same", "24 megapixels"), ((3000, 2001), "large", "6 megapixels, because")],
)
def test_huge_photos_are_refused_before_they_are_decoded(running, monkeypatch, size, task, limit):
    monkeypatch.setattr("semanir_arch.restoring.serve.codec.CodecProcess.decode", None)
    status, answer = running.send(huge(*size), "huge.png", task)
    assert status == 422
    assert f"{size[0]} x {size[1]} pixels; this page takes up to {limit}" in answer["error"]


def test_large_files_are_refused_with_and_without_a_declared_length(running, monkeypatch):
    monkeypatch.setattr(app, "MAX_BYTES", 2**20)
    status, answer = running.send(bytes(2**20 + 1))
    assert (status, answer["error"]) == (
        413,
        "photo.png is too large: this page takes files up to 1 MiB",
    )
    parts = iter([bytes(2**20), bytes(1)])
    status, _, _ = running.request("POST", "/api/jobs?task=same&name=a.png", parts)
    assert status == 413


def test_an_unknown_task_is_refused_with_those_that_exist(running):
    status, answer = running.send(encoded("a.png"), task="magic")
    assert (status, answer["error"]) == (
        400,
        "unknown task; allowed: same, large, or up to 3 of them joined by +",
    )


@pytest.mark.parametrize(
    ("task", "strength", "message"),
    [
        ("large", "3", "Twice as large has no strength to bound"),
        ("same", "much", "'much' is not a number"),
    ],
)
def test_a_strength_that_means_nothing_is_refused(running, task, strength, message):
    status, answer = running.send(encoded("a.png"), task=f"{task}&strength={strength}")
    assert (status, answer["error"]) == (400, message)


def test_a_strength_out_of_range_is_one_sentence(running):
    job = running.finished(running.send(encoded("a.png"), task="same&strength=999")[1]["id"])
    assert job["state"] == "failed"
    assert job["error"].startswith("sigma=999; allowed: 0 to 255")


def test_two_photos_at_once_wait_for_each_other_and_are_not_mixed(running):
    running.allowed.clear()
    files = [encoded("a.png", seed=seed) for seed in range(3)]
    jobs = [running.send(data, f"{number}.png")[1] for number, data in enumerate(files)]
    assert jobs[2]["ahead"] == 2
    running.allowed.set()
    for number, (job, data) in enumerate(zip(jobs, files, strict=True)):
        assert running.finished(job["id"])["name"] == f"{number}_same.png"
        result = running.request("GET", f"/api/jobs/{job['id']}/result")[1]
        np.testing.assert_array_equal(
            decode_image(result, "").pixels, decode_image(data, "").pixels
        )


def test_more_than_may_wait_are_asked_to_come_back(running, monkeypatch):
    monkeypatch.setattr(job_queue, "MAX_WAITING", 2)
    running.allowed.clear()
    first = running.send(encoded("a.png"))[1]
    wait_until(lambda: running.request("GET", f"/api/jobs/{first['id']}")[1]["state"] == "working")
    assert [running.send(encoded("a.png"))[0] for _ in range(3)] == [202, 202, 503]


def test_a_photo_is_cancelled_in_the_middle_of_the_network(running):
    running.allowed.clear()
    first, second = (running.send(encoded("a.png"))[1]["id"] for _ in range(2))
    wait_until(lambda: running.request("GET", f"/api/jobs/{first}")[1]["state"] == "working")
    job = running.queue.find(first)
    assert running.request("DELETE", f"/api/jobs/{first}")[0] == 204
    running.allowed.set()
    assert running.finished(second)["state"] == "done"
    assert (job.state, job.outcome) == ("cancelled", None)
    assert running.request("GET", f"/api/jobs/{first}")[0] == 404


def test_nothing_is_kept_of_a_result_that_is_dropped(running):
    job = running.finished(running.send(encoded("a.png"))[1]["id"])["id"]
    assert running.queue._held() > 0
    assert running.request("POST", f"/api/jobs/{job}/forget")[0] == 204
    assert running.queue._held() == 0
    assert running.request("GET", f"/api/jobs/{job}/result")[0] == 404
    assert running.request("DELETE", f"/api/jobs/{job}")[0] == 404


@each(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "192.0.2.1"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:PORT"},
        {"Origin": "127.0.0.1:PORT"},
        {"Origin": "http://127.0.0.1:PORT/"},
        {"Host": "127.0.0.1"},
        {"Host": "localhost:1"},
        {"Host": "127.0.0.1:PORT:PORT"},
        {"Host": "127.0.0.1:PORT@evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"},
    ],
)
@each("method", ["GET", "POST"])
def test_other_web_sites_cannot_use_the_server(running, headers, method):
    path = "/api/options" if method == "GET" else "/api/jobs?task=same&name=a.png"
    body = encoded("a.png") if method == "POST" else None
    headers = {name: text.replace("PORT", str(running.port)) for name, text in headers.items()}
    assert running.request(method, path, body, **headers)[0] == 403
    assert not running.queue._jobs


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_the_names_of_this_computer_are_answered(running, name):
    host = f"{name}:{running.port}"
    headers = {"Host": host, "Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}
    assert running.request("GET", "/api/options", **headers)[0] == 200


def test_a_link_on_another_site_may_lead_to_the_page(running):
    headers = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    status, page, answered = running.request("GET", "/", **headers)
    assert status == 200
    assert b"Restore photos" in page
    assert answered["Content-Security-Policy"].startswith("default-src 'none'")
    assert answered["Cache-Control"] == "no-store"


def test_a_photo_is_diagnosed_without_a_job(running):
    image = make_image((80, 90, 3))
    data = encode_image(image, Path("a.tif"))
    status, found, _ = running.request("POST", "/api/look?name=a.tif&shown=1", data)
    assert status == 200
    assert (found["width"], found["height"], found["tasks"]) == (90, 80, [])
    expected = choose(diagnose(image), [])
    assert found["findings"] == expected.findings
    kind, _, picture = found["preview"].partition(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(decode_image(base64.b64decode(picture), "a").pixels, image)
    assert "preview" not in running.request("POST", "/api/look?name=a.tif", data)[1]
    assert not running.queue._jobs


def test_a_look_keeps_the_bounds_of_an_upload(running, monkeypatch):
    for name, data in {"wrong.png": b"no image", "huge.png": huge(6000, 4001)}.items():
        status, answer, _ = running.request("POST", f"/api/look?name={name}", data)
        assert status == 422
        assert answer["error"].startswith(name)
    headers = {"Origin": "http://evil.example"}
    for path in ("look", "tries"):
        address = f"/api/{path}?name=a.png"
        assert running.request("POST", address, encoded("a.png"), **headers)[0] == 403
    monkeypatch.setattr(app, "MAX_BYTES", 2**20)
    assert running.request("POST", "/api/look?name=a.png", bytes(2**20 + 1))[0] == 413


def test_networks_run_one_after_another(running):
    task = quote("same+large")
    job = running.finished(running.send(encoded("a.png"), "a.png", task)[1]["id"])
    assert (job["name"], job["width"], job["height"]) == ("a_same+large.png", 34, 24)
    too_large = running.send(huge(3000, 2001), "huge.png", task)[1]["error"]
    assert "6 megapixels, because" in too_large


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_share_of_the_change_is_a_blend_with_the_enlarged_photo(running, dtype):
    photo = make_image((12, 17, 3), dtype)
    data = encode_image(photo, Path("a.png"))
    job = running.finished(running.send(data, "a.png", "large")[1]["id"])["id"]

    def result(share):
        answer = running.request("GET", f"/api/jobs/{job}/result?share={share}")[1]
        return decode_image(answer, "").pixels

    enlarged = cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(result(0), enlarged)
    middle = (enlarged.astype(np.float64) + result(1)) / 2
    assert np.abs(result(0.5) - middle).max() <= 0.5 + 1e-3
    for wrong in ("2", "-1", "nan", "much"):
        assert running.request("GET", f"/api/jobs/{job}/result?share={wrong}")[0] == 400


def test_a_blend_does_not_bring_hidden_colors_back(running):
    """Beside 0 the photo counts as the network, here one that changes nothing, saw it."""
    photo = make_image((24, 32, 4))
    photo[..., 3] = np.where(np.arange(32) < 16, 255, 0)
    photo[:, :16, :3] = 200
    job = running.finished(running.send(encode_image(photo, Path("a.png")), "a.png")[1]["id"])

    def result(share):
        address = f"/api/jobs/{job['id']}/result?share={share}"
        return decode_image(running.request("GET", address)[1], "").pixels

    assert (result(1)[..., :3] == 200).all()
    np.testing.assert_array_equal(result(0.5), result(1))
    np.testing.assert_array_equal(result(0), photo)


def test_every_task_is_tried_on_the_interesting_part(running):
    photo = np.full((300, 400, 3), 128, np.uint8)
    photo[100:292, 200:392] = make_image((192, 192, 3))
    data = encode_image(photo, Path("a.png"))
    _, sent, _ = running.request("POST", "/api/tries?name=a.png", data)
    job = running.finished(sent["id"])
    assert job["tried"] == ["same", "large"]
    samples = [
        decode_image(running.request("GET", f"/api/jobs/{sent['id']}/sample/{n}")[1], "").pixels
        for n in range(3)
    ]
    np.testing.assert_array_equal(samples[1], samples[0])
    assert [one.shape[:2] for one in samples] == [(192, 192), (192, 192), (384, 384)]
    assert samples[0].std() > 20
    assert running.request("GET", f"/api/jobs/{sent['id']}/sample/3")[0] == 404
