from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from datasets_prep import prepare
from semanir_arch.data.files.image_io import load_image, write_image
from semanir_arch.data.preparation.dataset_facts import Archive, load_catalogue
from semanir_arch.data.preparation.layout import STAGING
from tests.each import each
from tests.helpers import ROOT, make_image

CATALOGUE = load_catalogue(prepare.CATALOGUE)
FILES = 2

LISTINGS = {
    "GOPRO_Large": (
        "GoPro",
        [
            f"GOPRO_Large/{split}/GOPR0{n}_11_00/{kind}/00004{n}.png"
            for split in ("train", "test")
            for n in (1, 2)
            for kind in ("blur", "blur_gamma", "sharp")
        ],
        ["train/GoPro/input/GOPR01_11_00-000041.png", "test/GoPro/target/GOPR02_11_00-000042.png"],
    ),
    "SIDD": (
        "SIDD",
        [
            f"Data/000{n}_001_S6_00100/000{n}_{kind}_SRGB_01{n}.PNG"
            for n in (1, 2)
            for kind in ("NOISY", "GT")
        ],
        ["train/SIDD/input/0001_NOISY_SRGB_011.PNG", "train/SIDD/target/0001_NOISY_SRGB_011.PNG"],
    ),
    "MCWNNM-ICCV2017": (
        "CC15",
        [
            f"MCWNNM-ICCV2017-master/Real_ccnoise_denoised_part/d800_iso{n}_1_{kind}.png"
            for n in (1600, 3200)
            for kind in ("mean", "ours", "real")
        ],
        ["test/CC15_real/lq/d800_iso1600_1.png", "test/CC15_real/gt/d800_iso3200_1.png"],
    ),
    "PolyU": (
        "PolyU",
        [
            f"PolyU-master/{folder}/Sony_3-5_200_1600_{name}.JPG"
            for folder, name in (
                ("OriginalImages", "plant_mean"),
                *(
                    ("CroppedImages", f"plant_{n}_{kind}")
                    for n in (1, 2)
                    for kind in ("mean", "real")
                ),
            )
        ],
        [
            "test/PolyU/input/Sony_3-5_200_1600_plant_1.JPG",
            "test/PolyU/target/Sony_3-5_200_1600_plant_2.JPG",
        ],
    ),
    "RainDrop": (
        "RainDrop",
        [f"test_a/{kind}.png" for n in "01" for kind in (f"data/{n}_rain", f"gt/{n}_clean")],
        ["test/RainDrop_a/input/0.png", "test/RainDrop_a/target/1.png"],
    ),
    "Snow100K": (
        "Snow100K",
        [
            f"media/jdway/GameSSD/overlapping/test/Snow100K-L/{kind}/city_{n}.jpg"
            for n in (1, 2)
            for kind in ("gt", "mask", "synthetic")
        ],
        ["test/Snow100K_L/input/city_1.jpg", "test/Snow100K_L/target/city_2.jpg"],
    ),
    "VE-LOL": (
        "VE-LOL",
        [
            f"VE-LOL-L/VE-LOL-L-Cap-Full/VE-LOL-L-Cap-{kind}0000{n}.png"
            for n in (1, 2)
            for kind in ("Low_test/low", "Normal_test/normal")
        ],
        ["test/VELOL_captured/input/00001.png", "test/VELOL_captured/target/00002.png"],
    ),
    "benchmark": (
        "BSD100",
        [f"benchmark/{s}/HR/{n}.png" for s in ("B100", "Set5") for n in (1, 2)],
        ["test/BSD100/HR/1.png"],
    ),
}


def small(data_set, size=None):
    """The same data set with two files per folder, of any size unless one is given."""
    parts = {
        name: tuple(dataclasses.replace(f, files=FILES, size=size) for f in part)
        for name, part in data_set.parts.items()
    }
    return dataclasses.replace(data_set, parts=parts)


@pytest.fixture(autouse=True)
def small_catalogue(monkeypatch):
    catalogue = {name: small(data_set) for name, data_set in CATALOGUE.items()}
    monkeypatch.setattr(prepare, "load_catalogue", lambda path: catalogue)
    return catalogue


def content(name, size=(6, 8, 3)):
    from semanir_arch.data.files.image_encoding import encode_image

    if Path(name).suffix.lower() not in (".png", ".jpg", ".bmp", ".tif"):
        return name.encode()
    return encode_image(make_image(size, seed=len(name)), Path(name))


def pack(path, names, contents=None):
    """A zip, tar or tar.gz with these members."""
    contents = contents or {}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, contents.get(name) or content(name))
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for name in names:
                data = contents.get(name) or content(name)
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def run(tmp_path, name, *archives):
    root = tmp_path / "datasets"
    return prepare.main([name, "--root", str(root), "--archive", *map(str, archives)])


def tree(tmp_path):
    root = tmp_path / "datasets"
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def members_for(folder, rule):
    """Two members that a rule of the catalogue takes, named so that pairs come out."""
    for n in range(FILES):
        stars = rule.pattern.count("*")
        fill = [f"s{i}" for i in range(stars - 1)] + [f"0{n}"]
        if rule.pattern.endswith(".*"):
            fill = [f"0{n}", "png"]
        elif rule.pattern.endswith("*"):
            fill[-1] += ".png"
        pieces = rule.pattern.split("*")
        yield "top/" + "".join(a + b for a, b in zip(pieces, [*fill, ""], strict=True))


@each("name, edition", [(name, edition) for name in sorted(CATALOGUE) for edition in (0, 1)])
def test_archives_of_every_layout_are_laid_out_completely(tmp_path, capsys, name, edition):
    folders = [folder for part in CATALOGUE[name].parts.values() for folder in part]
    names = []
    for folder in folders:
        rules = folder.rules
        if not any("*" in rule.pattern for rule in rules):
            names += [rule.pattern for rule in rules]
        elif len(rules) == 2 and "*" not in rules[1].pattern:
            names += [next(members_for(folder, rules[0])), rules[1].pattern]
        else:
            names += members_for(folder, rules[min(edition, len(rules) - 1)])
    archive = pack(tmp_path / ("a.zip" if edition else "a.tar.gz"), dict.fromkeys(names))
    assert run(tmp_path, name, archive) == 0
    found = tree(tmp_path)
    assert len(found) == FILES * len(folders)
    assert "0 of" not in capsys.readouterr().out
    for part in CATALOGUE[name].parts.values():
        stems = [{Path(n).stem for n in found if Path(n).parent == Path(f.path)} for f in part]
        assert all(stem == stems[0] for stem in stems)


@each("listing", LISTINGS)
def test_members_of_published_archives_find_their_place(tmp_path, listing):
    name, members, expected = LISTINGS[listing]
    assert run(tmp_path, name, pack(tmp_path / "a.tar", members)) == 0
    found = tree(tmp_path)
    assert set(expected) <= set(found)
    assert not any("gamma" in path or "mask" in path or "Set5" in path for path in found)


@pytest.fixture
def lol(tmp_path):
    names = [f"our485/{kind}/{n}.png" for kind in ("low", "high") for n in (1, 2)]
    return pack(tmp_path / "lol.zip", [*names, "our485/readme.txt", "__MACOSX/our485/low/1.png"])


def test_second_run_does_nothing(tmp_path, lol, capsys):
    assert run(tmp_path, "LOL", lol) == 0
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "datasets").rglob("*.png")}
    assert run(tmp_path, "LOL", lol) == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "datasets").rglob("*.png")} == times
    assert len(times) == 4
    assert not (tmp_path / "datasets" / STAGING).exists()


def test_folders_that_users_unpacked_are_taken(tmp_path, lol):
    with zipfile.ZipFile(lol) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert run(tmp_path, "LOL", tmp_path / "unpacked") == 0
    assert len(tree(tmp_path)) == 4
    # also where the folder itself is part of the layout
    assert run(tmp_path / "second", "LOL", tmp_path / "unpacked" / "our485") == 0
    assert len(tree(tmp_path / "second")) == 4


def test_incomplete_parts_stay_out_of_sight_and_are_named(tmp_path, capsys):
    names = ["our485/low/1.png", "our485/low/2.png", "our485/high/1.png"]
    assert run(tmp_path, "LOL", pack(tmp_path / "a.zip", names)) == 1
    captured = capsys.readouterr()
    assert "train/LOL/target: 1 of 2 files; without partner: 2" in captured.err
    assert not (tmp_path / "datasets" / "train").exists()
    assert run(tmp_path, "LOL", pack(tmp_path / "b.tar", ["our485/high/2.png"])) == 0
    assert len(tree(tmp_path)) == 4


def test_killed_run_continues(tmp_path, small_catalogue):
    """The process is killed while it writes; what is there afterwards is whole."""
    big = {
        f"our485/{k}/{n}.png": content("x.png", (900, 900, 3))
        for k in ("low", "high")
        for n in (1, 2)
    }
    archive = pack(tmp_path / "lol.tar", big, big)
    code = (
        "import sys, time\n"
        "from datasets_prep import prepare\n"
        "from semanir_arch.data.preparation import archives, layout\n"
        "archives.CHUNK = 50000\n"
        "inner = archives.Member.chunks\n"
        "begun = []\n"
        "def stop_in_the_third(self):\n"
        "    begun.append(self)\n"
        "    for number, chunk in enumerate(inner(self)):\n"
        "        time.sleep(3600 if len(begun) == 3 and number == 5 else 0)\n"
        "        yield chunk\n"
        "archives.Member.chunks = stop_in_the_third\n"
        "sys.exit(prepare.main(sys.argv[1:]))\n"
    )
    root = tmp_path / "datasets"
    command = [sys.executable, "-c", code, "LOL", "--root", str(root), "--archive", str(archive)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not list(root.rglob("2.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (root / "train").exists()
    whole = {p.name: p.read_bytes() for p in root.rglob("[12].png")}
    assert whole
    assert set(whole.values()) <= set(big.values())
    assert run(tmp_path, "LOL", archive) == 0
    found = tree(tmp_path)
    assert sorted(found) == [f"train/LOL/{r}/{n}.png" for r in ("input", "target") for n in (1, 2)]
    assert all(found[f"train/LOL/input/{n}.png"] == big[f"our485/low/{n}.png"] for n in (1, 2))


def test_checksums_and_sizes_are_compared(tmp_path, lol, small_catalogue, capsys):
    data = lol.read_bytes()
    known = Archive("lol.zip", len(data), ("sha256", hashlib.sha256(data).hexdigest()), "")
    small_catalogue["LOL"] = dataclasses.replace(small_catalogue["LOL"], archives=(known,))
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    lol.write_bytes(damaged)
    assert run(tmp_path, "LOL", lol) == 2
    assert "damaged: its sha256 is" in capsys.readouterr().err
    lol.write_bytes(data[:-10])
    assert run(tmp_path, "LOL", lol) == 2
    assert f"has {len(data) - 10:,} bytes instead of {len(data):,}" in capsys.readouterr().err
    # under any name
    renamed = lol.with_name("download(1).zip")
    renamed.write_bytes(data)
    assert run(tmp_path, "LOL", renamed) == 0
    assert "sha256 is right" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize(
    "name",
    [
        "../our485/low/1.png",
        "/our485/low/1.png",
        "a/../../our485/low/1.png",
        "..\\our485\\low\\1.png",
    ],
)
def test_archives_that_would_leave_the_folder_are_refused(tmp_path, capsys, suffix, name):
    if suffix == "zip" and "\\" in name:
        pytest.skip("zipfile itself turns the slashes")
    archive = pack(tmp_path / f"a.{suffix}", [name])
    assert run(tmp_path, "LOL", archive) == 2
    assert "would leave the folder" in capsys.readouterr().err
    assert not tree(tmp_path)


@each("suffix", ["zip", "tar", "tar.gz"])
@each(
    "name",
    [
        "../our485/low/\x1b[2J\n\r\x07\x9b1m\u202e.png",
        "our485/low/\x1b[2J\n\u202egnp.png",
        "our485/low/1.png\x1b]0;title\x07.png",
    ],
)
def test_a_name_cannot_command_the_terminal(tmp_path, capsys, suffix, name):
    archive = pack(tmp_path / f"a.{suffix}", [name])
    assert run(tmp_path, "LOL", archive) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert all(sign.isprintable() for sign in (shown.out + shown.err).replace("\n", ""))
    assert r"\x1b" in shown.err
    assert not tree(tmp_path)


def test_a_damaged_member_and_the_archive_itself_are_shown_escaped(tmp_path, capsys):
    name = "our485/low/1.png"
    archive = pack(tmp_path / "a\x1b[2J.zip", [name], {name: bytes(range(256)) * 40})
    data = bytearray(archive.read_bytes())
    data[60:90] = bytes(30)
    archive.write_bytes(data)
    assert run(tmp_path, "LOL", archive) == 2
    shown = capsys.readouterr()
    assert r"a\x1b[2J.zip: " in shown.err
    assert all(sign.isprintable() for sign in (shown.out + shown.err).replace("\n", ""))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_never_made(tmp_path, kind):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("our485/low/1.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert run(tmp_path, "LOL", path) == 2
    assert not list((tmp_path / "datasets").rglob("*.png"))


def test_links_in_zip_files_and_folders_are_passed_over(tmp_path, lol):
    info = zipfile.ZipInfo("our485/low/3.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(lol, "a") as archive:
        archive.writestr(info, "/etc/passwd")
        archive.extractall(tmp_path / "unpacked")
    (tmp_path / "unpacked/our485/low/3.png").unlink()
    (tmp_path / "unpacked/our485/low/3.png").symlink_to("/etc/passwd")
    for place, source in (("one", lol), ("two", tmp_path / "unpacked")):
        assert run(tmp_path / place, "LOL", source) == 0
        assert len(tree(tmp_path / place)) == 4


def test_more_files_or_bytes_than_declared_are_refused(tmp_path, lol, small_catalogue, capsys):
    with zipfile.ZipFile(lol, "a") as archive:
        archive.writestr("our485/low/3.png", content("3.png"))
    assert run(tmp_path, "LOL", lol) == 2
    assert "more than the 2 files that belong in train/LOL/input" in capsys.readouterr().err
    small_catalogue["LOL"] = dataclasses.replace(small_catalogue["LOL"], limit=10**6)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("our485/high/1.png", bytes(2 * 10**6))
    assert run(tmp_path, "LOL", bomb) == 2
    assert "unpacks to more than" in capsys.readouterr().err
    assert not (tmp_path / "datasets/train").exists()


@each("name", ["a.zip", "a.tar", "a.tar.gz"])
@each("kept", [0.0, 0.3, 0.95])
def test_truncated_archives_are_refused(tmp_path, capsys, name, kept):
    names = [f"our485/{kind}/{n}.png" for kind in ("low", "high") for n in (1, 2)]
    big = content("x.png", (100, 100, 3))
    archive = pack(tmp_path / name, names, dict.fromkeys(names, big))
    data = archive.read_bytes()
    # the end of a tar is padding
    archive.write_bytes(data[: int(kept * (4 * len(big) if name == "a.tar" else len(data)))])
    assert run(tmp_path, "LOL", archive) == 2
    error = capsys.readouterr().err
    assert "damaged" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "datasets/train").exists()


def test_images_of_another_size_are_refused(tmp_path, lol, small_catalogue, capsys):
    small_catalogue["LOL"] = small(CATALOGUE["LOL"], size=(8, 7))
    assert run(tmp_path, "LOL", lol) == 2
    assert "1.png: is 8x6 instead of 8x7" in capsys.readouterr().err
    assert not (tmp_path / "datasets/train").exists()
    small_catalogue["LOL"] = small(CATALOGUE["LOL"], size=(6, 8))
    assert run(tmp_path, "LOL", lol) == 0


def test_other_files_in_the_place_are_never_replaced(tmp_path, lol, capsys):
    path = tmp_path / "datasets/train/LOL/input/mine.png"
    write_image(path, np.zeros((4, 4, 3), np.uint8))
    assert run(tmp_path, "LOL", lol) == 1
    assert "train/LOL/input: 1 of 2 files; move this folder away first" in capsys.readouterr().err
    assert load_image(path).pixels.shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Gopro", "--archive", "x.zip"], "Gopro: no such data set; did you mean 'GoPro'?"),
        (["LOL", "--archive", "nowhere.zip"], "nowhere.zip: no such archive"),
        ([], "name a data set, or use --list"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, capsys, arguments, message):
    assert prepare.main([*arguments, "--root", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.rar", "unpack it and give the folder"),
        ("photo.png", "holds nothing that belongs to LOL"),
        ("a.zip", "holds nothing that belongs to LOL"),
    ],
)
def test_files_that_are_no_archive_of_the_set_are_refused(tmp_path, capsys, name, message):
    path = tmp_path / name
    if name == "a.zip":
        pack(path, ["other/1.png"])
    else:
        path.write_bytes(content("x.png"))
    assert run(tmp_path, "LOL", path) == 2
    assert message in capsys.readouterr().err


def test_encrypted_archives_are_explained(tmp_path, lol, capsys):
    data = bytearray(lol.read_bytes())
    # the flag in the local and the central header of the first member
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    lol.write_bytes(data)
    assert run(tmp_path, "LOL", lol) == 2
    assert "is encrypted; unpack it" in capsys.readouterr().err


def test_list_and_description_say_what_is_there(tmp_path, lol, capsys):
    root = ["--root", str(tmp_path / "datasets")]
    assert run(tmp_path, "LOL", lol) == 0
    capsys.readouterr()
    assert prepare.main(["--list", *root]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(CATALOGUE)
    assert any("LOL" in line and "train (there), test (absent)" in line for line in lines)
    assert prepare.main(["GoPro", *root]) == 0
    text = capsys.readouterr().out
    for archive in CATALOGUE["GoPro"].archives:
        assert archive.name in text
    assert CATALOGUE["GoPro"].page in text
    assert "train/GoPro/input: 0 of 2" in text
