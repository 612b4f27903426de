from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.data.sources.lmdb_store import LmdbWriter, read_keys, reading, write_lmdb
from semanir_arch.data.sources.source_opening import open_source
from tests.each import each
from tests.helpers import ROOT, make_image

lmdb = pytest.importorskip("lmdb")

NAMES = ["0001", "sub/folder/0001", "v1.5.final", "Bild mit Gr\u00f6\u00dfe \u96ea", "x" * 511]


class Means(Dataset):
    """Mean of every image of an LMDB, and the process that read it."""

    def __init__(self, path):
        self.source = open_source(path)

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        return float(self.source.read(index).mean()), os.getpid()


def images(count, shape=(6, 5, 3)):
    return [(f"{seed:04d}", make_image(shape, seed=seed)) for seed in range(count)]


@each("raw", [True, False])
@each("name", NAMES)
def test_keys_are_kept_verbatim(tmp_path, name, raw):
    pixels = make_image((6, 5, 3))
    write_lmdb(tmp_path / "a.lmdb", [(name, pixels)], raw=raw)
    assert read_keys(tmp_path / "a.lmdb") == [name]
    np.testing.assert_array_equal(open_source(tmp_path / "a.lmdb").read(0), pixels)


@each("kind", ["raw", "stored png", "compressed png"])
@each("dtype", [np.uint8, np.uint16])
@each("channels", [1, 3, 4])
def test_pixels_of_every_type_come_back(tmp_path, dtype, channels, kind):
    pixels = make_image((7, 5, channels), dtype)
    write_lmdb(
        tmp_path / "a.lmdb", [("a", pixels)], raw=kind == "raw", compress=kind == "compressed png"
    )
    source = open_source(tmp_path / "a.lmdb")
    read = source.read(0)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, pixels)
    with source.view(0) as view:
        np.testing.assert_array_equal(view, pixels)
        # the file itself
        assert view.flags.writeable == (kind != "raw")


@pytest.mark.parametrize("compress", [True, False])
def test_png_values_are_png_files_for_others(tmp_path, compress):
    pixels = make_image((7, 5, 3))
    write_lmdb(tmp_path / "a.lmdb", [("a", pixels)], raw=False, compress=compress)
    with reading(tmp_path / "a.lmdb", "a") as value:
        seen = cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(seen[..., ::-1], pixels)


def test_image_files_are_stored_as_they_are(tmp_path):
    data = encode_image(make_image((8, 8, 3)), tmp_path / "a.jpg")
    write_lmdb(tmp_path / "a.lmdb", [("a", data)])
    with reading(tmp_path / "a.lmdb", "a") as value:
        assert bytes(value) == data
    assert (tmp_path / "a.lmdb/meta_info.txt").read_text() == "a.png (8,8,3) jpeg\n"
    with pytest.raises(ValueError, match=r"a\.lmdb: b: cannot be read as an image"):
        write_lmdb(tmp_path / "a.lmdb", [("b", b"no image")])


def test_the_map_grows_beyond_every_first_size(tmp_path):
    shape = (1024, 1024, 3)
    added = write_lmdb(tmp_path / "a.lmdb", images(12, shape))
    assert added == 12
    source = open_source(tmp_path / "a.lmdb")
    for index, (name, pixels) in enumerate(images(12, shape)):
        assert source.names[index] == name
        np.testing.assert_array_equal(source.read(index), pixels)


def test_writing_continues_after_a_kill_without_doing_anything_twice(tmp_path):
    script = """
        import os, sys
        from semanir_arch.data.sources import lmdb_store
        from tests.data.sources.test_lmdb_store import images
        lmdb_store._BATCH = 200
        with lmdb_store.LmdbWriter(sys.argv[1]) as writer:
            for number, (name, pixels) in enumerate(images(10)):
                if number == 7:
                    os._exit(9)
                writer.put(name, pixels)
    """
    path = tmp_path / "a.lmdb"
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 9
    with pytest.raises(FileNotFoundError, match=r"a\.lmdb: unfinished, meta_info\.txt is missing"):
        open_source(path)
    made = []
    items = [(name, lambda name=name, p=p: made.append(name) or p) for name, p in images(10)]
    added = write_lmdb(path, items)
    assert added == len(made)
    assert 3 <= added < 10
    assert made == [name for name, _ in images(10)][-added:]
    source = open_source(path)
    assert [source.read(index).tobytes() for index in range(10)] == [
        pixels.tobytes() for _, pixels in images(10)
    ]
    assert write_lmdb(path, items) == 0


def test_an_error_keeps_what_was_written_and_leaves_the_lmdb_unfinished(tmp_path):
    images = [("one", make_image((4, 4, 3))), ("two", np.zeros((4, 4, 3)))]
    with pytest.raises(TypeError, match="float64"):
        write_lmdb(tmp_path / "a.lmdb", images)
    assert not (tmp_path / "a.lmdb/meta_info.txt").exists()
    with LmdbWriter(tmp_path / "a.lmdb") as writer:
        assert "one" in writer
        assert "two" not in writer


def test_a_key_is_written_once(tmp_path):
    with LmdbWriter(tmp_path / "a.lmdb") as writer:
        writer.put("a", make_image((4, 4, 3)))
        with pytest.raises(ValueError, match="key 'a' exists already"):
            writer.put("a", make_image((4, 4, 3)))


@pytest.mark.parametrize("key", ["", "two\nlines", "x" * 512])
def test_impossible_keys_are_refused(tmp_path, key):
    with pytest.raises(ValueError, match="a key must be one line of 1 to 511 bytes"):
        write_lmdb(tmp_path / "a.lmdb", [(key, make_image((4, 4, 3)))])


@pytest.mark.parametrize(
    ("pixels", "error", "message"),
    [
        (np.zeros((4, 4, 3)), TypeError, "uint8 or uint16, received float64"),
        (np.zeros((4, 4), np.uint8), ValueError, r"\(H, W, 1 to 4\), received \(4, 4\)"),
    ],
)
def test_other_pixels_are_refused(tmp_path, pixels, error, message):
    with pytest.raises(error, match=message):
        write_lmdb(tmp_path / "a.lmdb", [("a", pixels)])


def test_the_name_must_say_what_it_is(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.lmdb"):
        LmdbWriter(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_worker_processes_read_what_the_main_process_has_open(tmp_path, context):
    write_lmdb(tmp_path / "a.lmdb", images(8))
    dataset = Means(tmp_path / "a.lmdb")
    expected = [dataset[index][0] for index in range(8)]
    loader = DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context=context)
    read = list(loader)
    assert [mean for mean, _ in read] == expected
    assert os.getpid() not in {process for _, process in read}
    assert [dataset[index][0] for index in range(8)] == expected


def test_two_datasets_share_an_lmdb(tmp_path):
    write_lmdb(tmp_path / "a.lmdb", images(2))
    first, second = open_source(tmp_path / "a.lmdb"), open_source(tmp_path / "a.lmdb")
    with first.view(0) as one, second.view(1) as two:
        assert (one != two).any()


def test_an_lmdb_that_is_written_anew_is_read_anew(tmp_path):
    for seed in range(2):
        write_lmdb(tmp_path / f"{seed}.lmdb", [("a", make_image((4, 4, 3), seed=seed))])
    source = open_source(tmp_path / "0.lmdb")
    source.read(0)
    (tmp_path / "1.lmdb/data.mdb").replace(tmp_path / "0.lmdb/data.mdb")
    np.testing.assert_array_equal(source.read(0), make_image((4, 4, 3), seed=1))
    write_lmdb(tmp_path / "0.lmdb", [("b", make_image((4, 4, 3)))])
    assert len(open_source(tmp_path / "0.lmdb")) == 2


def test_a_missing_key_is_named_with_its_file(tmp_path):
    write_lmdb(tmp_path / "a.lmdb", images(1))
    with (tmp_path / "a.lmdb/meta_info.txt").open("a") as file:
        file.write("lost.png (6,5,3) raw\n")
    source = open_source(tmp_path / "a.lmdb")
    with pytest.raises(ValueError, match=r"a\.lmdb: no key 'lost'"):
        source.read(1)


def test_damaged_pixels_are_noticed(tmp_path):
    write_lmdb(tmp_path / "a.lmdb", [("a", make_image((64, 64, 3)))])
    data = tmp_path / "a.lmdb/data.mdb"
    content = bytearray(data.read_bytes())
    position = content.index(make_image((64, 64, 3)).tobytes()[:32])
    content[position + 100] ^= 1
    data.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.lmdb/a\.png: the pixels are damaged"):
        open_source(tmp_path / "a.lmdb").read(0)


@pytest.mark.parametrize("size", [0, 100, 9000])
def test_an_lmdb_cut_short_is_refused(tmp_path, size):
    write_lmdb(tmp_path / "a.lmdb", images(4, (64, 64, 3)))
    data = tmp_path / "a.lmdb/data.mdb"
    data.write_bytes(data.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"a\.lmdb.*(cut short|cannot be read)"):
        open_source(tmp_path / "a.lmdb").read(0)


@pytest.mark.parametrize("line", ["", "a.png", "a.png (1,2) raw", "a (1,2,3) raw"])
def test_a_damaged_list_of_keys_is_refused(tmp_path, line):
    write_lmdb(tmp_path / "a.lmdb", images(1))
    (tmp_path / "a.lmdb/meta_info.txt").write_text(f"0000.png (6,5,3) raw\n{line}\n")
    with pytest.raises(ValueError, match=r"meta_info\.txt, line 2: must be"):
        open_source(tmp_path / "a.lmdb")


def test_without_the_package_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'semanir-arch\[train\]'"):
        write_lmdb(tmp_path / "a.lmdb", images(1))


def test_a_damaged_lmdb_is_not_continued(tmp_path):
    write_lmdb(tmp_path / "a.lmdb", images(1))
    (tmp_path / "a.lmdb/data.mdb").write_bytes(b"damaged" * 5000)
    with pytest.raises(ValueError, match=r"a\.lmdb: damaged, delete it"):
        write_lmdb(tmp_path / "a.lmdb", images(1))


def test_a_full_disk_is_an_os_error_that_names_the_lmdb(tmp_path):
    resource = pytest.importorskip("resource", reason="not on Windows")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(OSError, match=r"a\.lmdb: cannot be written"):
            write_lmdb(tmp_path / "a.lmdb", images(4, (512, 512, 3)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
