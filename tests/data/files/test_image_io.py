from __future__ import annotations

import contextlib
import io
import zlib

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest

from semanir_arch.data.files.image_io import (
    decode_image,
    load_image,
    read_image,
    to_float,
    to_integer,
    write_image,
)
from semanir_arch.data.files.image_metadata import Metadata
from tests.each import each
from tests.helpers import make_image, make_visible

tifffile = pytest.importorskip("tifffile", reason="tifffile comes with scikit-image")

ORIENTATION = 274
LOSSLESS = [
    (".png", (9, 7, 1), np.uint8),
    (".png", (9, 7, 2), np.uint8),
    (".png", (9, 7, 3), np.uint8),
    (".png", (9, 7, 4), np.uint8),
    (".png", (9, 7, 1), np.uint16),
    (".png", (9, 7, 3), np.uint16),
    (".png", (9, 7, 4), np.uint16),
    (".tif", (9, 7, 1), np.uint8),
    (".tif", (9, 7, 2), np.uint8),
    (".tif", (9, 7, 3), np.uint16),
    (".tif", (9, 7, 4), np.uint16),
    (".TIFF", (9, 7, 4), np.uint8),
    (".webp", (9, 7, 3), np.uint8),
    (".webp", (9, 7, 4), np.uint8),
    (".bmp", (9, 7, 1), np.uint8),
    (".bmp", (9, 7, 3), np.uint8),
    (".png", (1, 1, 3), np.uint8),
]


@each("suffix, shape, dtype", LOSSLESS)
def test_lossless_formats_keep_every_pixel(tmp_path, suffix, shape, dtype):
    pixels = make_image(shape, dtype)
    path = tmp_path / f"image{suffix}"
    write_image(path, pixels)
    np.testing.assert_array_equal(load_image(path).pixels, pixels)
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "temporary file left behind"


@pytest.mark.parametrize(("suffix", "dtype"), [(".png", np.uint8), (".tif", np.uint16)])
def test_other_readers_see_the_same_colours(tmp_path, suffix, dtype):
    pixels = make_image((9, 7, 3), dtype)
    write_image(tmp_path / f"image{suffix}", pixels)
    seen = cv2.imread(str(tmp_path / f"image{suffix}"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(seen[..., ::-1], pixels)


def test_files_of_other_writers_are_read(tmp_path):
    pixels = make_image((9, 7, 4), np.uint16)
    tifffile.imwrite(tmp_path / "rgba.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(load_image(tmp_path / "rgba.tif").pixels, pixels)


def test_jpeg_is_decoded_as_opencv_does(tmp_path):
    smooth = cv2.GaussianBlur(make_image((40, 30, 3)), (0, 0), 3)
    write_image(tmp_path / "image.jpg", smooth, quality=90)
    seen = cv2.imread(str(tmp_path / "image.jpg"))
    np.testing.assert_array_equal(load_image(tmp_path / "image.jpg").pixels, seen[..., ::-1])


def test_gray_with_alpha_and_16_bits_becomes_rgb_with_alpha(tmp_path):
    pixels = make_visible((5, 4, 2), np.uint16)
    write_image(tmp_path / "image.png", pixels)
    image = load_image(tmp_path / "image.png")
    np.testing.assert_array_equal(image.color, np.repeat(pixels[..., :1], 3, axis=2))
    np.testing.assert_array_equal(image.alpha, pixels[..., 1:])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_colour_profile_survives(tmp_path, suffix):
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / f"image{suffix}"
    write_image(path, make_image((8, 8, 3)), metadata=Metadata(icc_profile=profile))
    assert load_image(path).icc_profile == profile


def test_colour_profile_survives_in_16_bits(tmp_path):
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    pixels = make_image((8, 8, 3), np.uint16)
    write_image(tmp_path / "image.png", pixels, metadata=Metadata(icc_profile=profile))
    image = load_image(tmp_path / "image.png")
    assert image.icc_profile == profile
    np.testing.assert_array_equal(image.pixels, pixels)


OLD_PILLOW = pytest.mark.skipif(
    int(PIL.__version__.split(".")[0]) < 13, reason="Pillow before 13 misreads YCbCr in TIFF"
)


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", pytest.param("YCbCr", marks=OLD_PILLOW)])
def test_rare_pixel_types_are_converted(tmp_path, mode):
    picture = PIL.Image.fromarray(make_image((8, 8, 3))).convert(mode)
    picture.save(tmp_path / "image.tif")
    expected = np.asarray(picture.convert("L" if mode == "1" else "RGB"))
    pixels = load_image(tmp_path / "image.tif").pixels
    np.testing.assert_array_equal(pixels.reshape(expected.shape), expected)


def test_palette_with_transparent_colour_has_alpha(tmp_path):
    picture = PIL.Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "image.png", transparency=1)
    pixels = load_image(tmp_path / "image.png").pixels
    np.testing.assert_array_equal(pixels, [[[255, 0, 0, 255], [0, 255, 0, 0]]])


@each("orientation", range(1, 9))
@each("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_camera_orientation_is_applied(tmp_path, file_format, orientation):
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"image.{file_format.lower()}"
    PIL.Image.fromarray(make_image((5, 7, 3))).save(path, file_format, exif=exif)
    with PIL.Image.open(path) as picture:
        picture.load()
        expected = np.asarray(PIL.ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(load_image(path).pixels, expected)


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_camera_orientation_is_applied_to_16_bits(tmp_path, orientation):
    pixels = make_image((5, 7, 3), np.uint16)
    tag = (ORIENTATION, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "image.tif", pixels, photometric="rgb", extratags=[tag])
    turned = {1: pixels, 3: pixels[::-1, ::-1], 6: np.rot90(pixels, -1)}
    turned[7] = pixels[::-1, ::-1].swapaxes(0, 1)
    np.testing.assert_array_equal(load_image(tmp_path / "image.tif").pixels, turned[orientation])


def test_16_bit_tiff_where_white_is_zero_is_no_negative(tmp_path):
    levels = np.array([[0, 1, 65535]], np.uint16)
    tifffile.imwrite(tmp_path / "scan.tif", levels, photometric="miniswhite")
    np.testing.assert_array_equal(
        load_image(tmp_path / "scan.tif").pixels[..., 0], [[65535, 65534, 0]]
    )


def test_16_bit_tiff_with_separate_planes_is_refused(tmp_path):
    planes = make_image((3, 8, 6), np.uint16)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb", planarconfig="separate")
    with pytest.raises(ValueError, match=r"planes\.tif: .* separate planes are not supported"):
        load_image(tmp_path / "planes.tif")


@pytest.mark.parametrize("kind", ["unspecified", "assocalpha", "unassalpha"])
def test_a_fourth_channel_of_16_bit_tiff_means_what_it_means_in_8_bits(tmp_path, kind):
    pixels = make_image((9, 7, 4))
    pixels[:2, :, 3] = [[0], [255]]
    if kind == "assocalpha":
        pixels[4:, :, :3] = pixels[4:, :, :3] * (pixels[4:, :, 3:] / 255)
    for name, stored in (("8.tif", pixels), ("16.tif", pixels * np.uint16(257))):
        tifffile.imwrite(tmp_path / name, stored, photometric="rgb", extrasamples=[kind])
    shallow, deep = (load_image(tmp_path / name).pixels for name in ("8.tif", "16.tif"))
    assert (shallow.dtype, deep.dtype) == (np.uint8, np.uint16)
    # Pillow cuts off what is not a whole level
    np.testing.assert_allclose(deep / 257, shallow, rtol=0, atol=1 if kind == "assocalpha" else 0)


def test_colours_multiplied_by_alpha_come_back_in_16_bits(tmp_path):
    pixels = make_image((9, 7, 4), np.uint16)
    pixels[..., 3] |= 0x8000
    multiplied = pixels.copy()
    multiplied[..., :3] = np.rint(pixels[..., :3] * (pixels[..., 3:] / 65535))
    tifffile.imwrite(tmp_path / "a.tif", multiplied, photometric="rgb", extrasamples=["assocalpha"])
    read = load_image(tmp_path / "a.tif").pixels
    np.testing.assert_array_equal(read[..., 3], pixels[..., 3])
    np.testing.assert_allclose(read.astype(int), pixels.astype(int), rtol=0, atol=1)


def test_the_transparent_level_of_16_bit_gray_becomes_alpha(tmp_path):
    levels = np.array([[0, 7, 65535]], np.uint16)
    write_image(tmp_path / "gray.png", levels)
    data, after_header = (tmp_path / "gray.png").read_bytes(), 33
    body = b"tRNS" + (7).to_bytes(2, "big")
    chunk = (2).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    read = decode_image(data[:after_header] + chunk + data[after_header:], "gray.png").pixels
    np.testing.assert_array_equal(read, [[[0, 65535], [7, 0], [65535, 65535]]])


def test_floats_follow_the_depth_of_the_file(tmp_path):
    for dtype, white in ((np.uint8, 255), (np.uint16, 65535)):
        write_image(tmp_path / "image.png", np.array([[0, white // 5, white]], dtype))
        read = read_image(tmp_path / "image.png")
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read[..., 0], np.float32([[0, 0.2, 1]]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_survives_the_way_through_float(dtype):
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    np.testing.assert_array_equal(to_integer(to_float(levels), dtype), levels)


def test_integers_are_clipped_and_rounded():
    np.testing.assert_array_equal(
        to_integer(np.float32([-1, 0.0019, 0.0020, 2])), np.uint8([0, 0, 1, 255])
    )
    with pytest.raises(ValueError, match="nan"):
        to_integer(np.float32([np.nan]))


def test_gray_is_repeated_and_colour_becomes_luma(tmp_path):
    gray, color = make_image((6, 5, 1)), make_visible((6, 5, 4))
    write_image(tmp_path / "gray.png", gray)
    write_image(tmp_path / "color.png", color)
    np.testing.assert_array_equal(
        read_image(tmp_path / "gray.png", 3), to_float(np.repeat(gray, 3, axis=2))
    )
    np.testing.assert_array_equal(read_image(tmp_path / "color.png", 3), to_float(color[..., :3]))
    luma = color[..., :3].astype(np.float64) @ [0.299, 0.587, 0.114]
    levels = read_image(tmp_path / "color.png", 1)[..., 0] * 255
    assert np.abs(levels - luma).max() <= 0.501
    assert read_image(tmp_path / "color.png").shape == (6, 5, 4)
    with pytest.raises(ValueError, match="channels must be 1, 3 or None, received 2"):
        read_image(tmp_path / "gray.png", 2)


def test_hidden_colours_do_not_get_into_data_sets_where_alpha_is_dropped(tmp_path):
    hidden = np.random.default_rng(0).integers(0, 256, (40, 40, 4), dtype=np.uint8)
    disc = np.hypot(*(np.mgrid[:40, :40] - 19.5)) < 12
    hidden[disc] = 200
    hidden[..., 3] = np.where(disc, 255, 0)
    write_image(tmp_path / "a.png", hidden)
    np.testing.assert_allclose(read_image(tmp_path / "a.png", 3) * 255, 200, atol=1)
    np.testing.assert_allclose(read_image(tmp_path / "a.png", 1) * 255, 200, atol=1)
    np.testing.assert_allclose(load_image(tmp_path / "a.png").color.astype(int), 200, atol=1)
    np.testing.assert_array_equal(load_image(tmp_path / "a.png").pixels, hidden)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_truncated_files_are_refused_and_named(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write_image(path, make_image((32, 32, 3)))
    data = path.read_bytes()
    for share in (0.02, 0.5, 0.9, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ValueError, match=f"image{suffix}: (cannot be read|not an image)"):
            load_image(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_truncated_16_bit_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write_image(path, make_image((32, 32, 3), np.uint16))
    data = path.read_bytes()
    for share in (0.5, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ValueError, match=f"image{suffix}"):
            load_image(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_damaged_files_give_an_image_or_one_kind_of_error(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    write_image(path, make_image((24, 24, 3)))
    generator = np.random.default_rng(0)
    for _ in range(100):
        data = bytearray(path.read_bytes())
        data[generator.integers(len(data))] ^= generator.integers(1, 256)
        # any other exception fails the test
        with contextlib.suppress(ValueError):
            decode_image(bytes(data), "image")


def test_empty_foreign_and_missing_files_are_named(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image")
    tifffile.imwrite(tmp_path / "float.tif", np.zeros((4, 4), np.float32))
    for name, reason in (
        ("empty.png", "the file is empty"),
        ("text.png", "it has an unsupported format"),
        (
            "float.tif",
            "32-bit floating-point numbers; allowed: unsigned whole numbers",
        ),
    ):
        with pytest.raises(ValueError, match=f"{name}: .*{reason}"):
            load_image(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"missing\.png: no such file"):
        load_image(tmp_path / "missing.png")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load_image(tmp_path)


def test_huge_header_is_refused_without_using_memory():
    buffer = io.BytesIO()
    PIL.Image.new("L", (1, 1)).save(buffer, "BMP")
    data = bytearray(buffer.getvalue())
    data[18:26] = (60000).to_bytes(4, "little") * 2
    with pytest.raises(ValueError, match=r"huge: .*limit"):
        decode_image(bytes(data), "huge")


@pytest.mark.parametrize(
    ("name", "pixels", "error", "message"),
    [
        ("a.png", np.zeros((4, 4, 3)), TypeError, "uint8 or uint16, received float64"),
        ("a.gif", np.zeros((4, 4, 3), np.uint8), ValueError, "unknown image suffix '.gif'"),
        ("a.jpg", np.zeros((4, 4, 3), np.uint16), ValueError, "JPEG cannot hold 16 bits"),
        ("a.jpg", np.zeros((4, 4, 4), np.uint8), ValueError, "JPEG cannot hold alpha"),
        ("a.png", np.zeros((4, 4, 5), np.uint8), ValueError, r"received \(4, 4, 5\)"),
        ("a.png", np.zeros((0, 4, 3), np.uint8), ValueError, r"received \(0, 4, 3\)"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_nothing_written(
    tmp_path, name, pixels, error, message
):
    with pytest.raises(error, match=message):
        write_image(tmp_path / name, pixels)
    assert not any(tmp_path.iterdir())


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    write_image(path, make_image((4, 4, 3)))
    before = path.read_bytes()

    def full_disk(descriptor):
        raise OSError(28, "no space left")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_image(path, make_image((4, 4, 3), seed=1))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["image.png"]
