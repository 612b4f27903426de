"""Camera raw files, developed or as the mosaic that their sensor saw, through rawpy and LibRaw.

rawpy is a package of the extra `formats`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from semanir_arch.data.files.directories import check_directories
from semanir_arch.data.files.parts import boxes
from semanir_arch.data.files.tiff_directories import holds_all_strips
from semanir_arch.utils.errors import InputError

__all__ = ["Mosaic", "RawFile", "open_raw"]

_EXIF_START = b"Exif\0\0"
_TIFF_ORDERS = (b"II*\0", b"MM\0*")
_FUJI, _FUJI_PLACES = b"FUJIFILMCCD-RAW", slice(100, 108)

# how the picture becomes upright, as dcraw counts it: what is mirrored first, and then transposed
_COLUMNS_MIRRORED, _ROWS_MIRRORED, _TRANSPOSED = 1, 2, 4

_SRGB_POWER, _SRGB_SLOPE = 2.4, 12.92
_WHITE = 65_535

_XYZ_FROM_SRGB = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
"""IEC 61966-2-1, for D65."""

# what LibRaw takes for a matrix that was found in the file
_LEAST_MATRIX = 0.125
# LibRaw's adjust_maximum_thr: sensors may be full a little below what is stated
_FULL_SENSOR = 0.75


@dataclass(frozen=True)
class Mosaic:
    """Values of a sensor with a Bayer filter, as a demosaicking network takes them.

    Args:
        pixels: (H, W, 1), uint16: white balanced, with the curve of sRGB, as the camera was held.
        bayer: Colors of the first two rows and columns: `rggb`, `bggr`, `grbg` or `gbrg`.
        matrix: (3, 3), from the camera's colors to linear sRGB.
        flip: Turn that makes it upright, in dcraw's numbering.
    """

    pixels: NDArray[np.uint16]
    bayer: str
    matrix: NDArray[np.float32]
    flip: int

    def finish(self, pixels: NDArray[Any]) -> NDArray[np.uint16]:
        """Turn a demosaicked picture upright, and its colors into sRGB.

        Args:
            pixels: (H, W, 3), uint16, in the colors and with the curve of `pixels`.
        """
        result = np.empty(pixels.shape, np.uint16)
        for top in range(0, len(pixels), 256):
            # a part at a time: floats take four times the memory
            linear = _from_srgb_curve(np.float32(1 / _WHITE) * pixels[top : top + 256])
            result[top : top + 256] = _to_srgb_levels(linear @ self.matrix.T)
        if self.flip & _ROWS_MIRRORED:
            result = result[::-1]
        if self.flip & _COLUMNS_MIRRORED:
            result = result[:, ::-1]
        return np.ascontiguousarray(result.swapaxes(0, 1) if self.flip & _TRANSPOSED else result)


class RawFile:
    """An opened file.

    Args:
        raw: A `rawpy.RawPy`.
        data: Contents of the file.
    """

    format = "RAW"

    def __init__(self, raw: Any, data: bytes) -> None:
        self._raw, self._data = raw, data
        sizes = raw.sizes
        self.width, self.height = int(sizes.width), int(sizes.height)
        if sizes.flip & _TRANSPOSED:
            self.width, self.height = self.height, self.width
        self.stored_pixels = int(sizes.raw_width) * int(sizes.raw_height)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture in pixels."""
        return self.width, self.height

    def getbands(self) -> tuple[str, ...]:
        """Names of the channels, as Pillow's images tell them."""
        return ("L",) if self._raw.num_colors == 1 else ("R", "G", "B")

    def develop(self) -> NDArray[np.uint16]:
        """Upright pixels (H, W, 1 or 3) in sRGB, with the camera's white balance.

        The picture is as bright as it was exposed: nothing is cut off to brighten it.

        Raises:
            ValueError: It is cut short, damaged, or of a kind that LibRaw does not develop.
        """
        import rawpy

        with _readable():
            pixels = self._raw.postprocess(
                use_camera_wb=True,
                output_bps=16,
                no_auto_bright=True,
                output_color=rawpy.ColorSpace.sRGB,
                gamma=(_SRGB_POWER, _SRGB_SLOPE),
            )
        return np.asarray(pixels).reshape(*pixels.shape[:2], -1)

    def mosaic(self) -> Mosaic:
        """Values of the sensor.

        Raises:
            ValueError: It is cut short or damaged, or the sensor has no Bayer filter.
        """
        import rawpy

        raw = self._raw
        with _readable():
            pattern, colors = raw.raw_pattern, raw.color_desc
            is_bayer = raw.raw_type == rawpy.RawType.Flat and np.shape(pattern) == (2, 2)
            if not is_bayer or colors not in (b"RGBG", b"RGB\0"):
                raise InputError(
                    "its sensor has no Bayer filter, so there is no mosaic for this network; "
                    "other tasks develop the file"
                )
            # margins may have an odd width
            places = raw.raw_colors_visible[:2, :2]
            values = raw.raw_image_visible.astype(np.float32)
            black, white = raw.black_level_per_channel, float(raw.white_level)
            gains, matrix = _gains(raw), _matrix(raw)
        full = float(values.max())
        white = full if _FULL_SENSOR * white < full < white else white
        for row in range(2):
            for column in range(2):
                color = places[row, column]
                part = values[row::2, column::2]
                part -= black[color]
                part *= gains[color] / max(white - black[color], 1)
        letters = "".join("rgbg"[color] for color in places.ravel())
        return Mosaic(_to_srgb_levels(values)[..., None], letters, matrix, raw.sizes.flip)

    def exif(self) -> PIL.Image.Exif | None:
        """EXIF data of the file; None if they are not in TIFF directories.

        Raises:
            Exception: Of any type, where they are damaged or too long.
        """
        if not self._data.startswith(_TIFF_ORDERS):
            return None
        check_directories(memoryview(self._data))
        exif = PIL.Image.Exif()
        exif.load(_EXIF_START + self._data)
        return exif


@contextmanager
def open_raw(data: bytes) -> Iterator[RawFile]:
    """Open a file; its header is read, its pixels are not.

    Raises:
        ValueError: It is cut short, damaged, or unknown to LibRaw.
    """
    import rawpy

    _check_whole(data)
    with _readable():
        raw = rawpy.imread(io.BytesIO(data))
    with raw:
        yield RawFile(raw, data)


@contextmanager
def _readable() -> Iterator[None]:
    """Give LibRaw's errors a meaning."""
    import rawpy

    try:
        yield
    except (rawpy.LibRawIOError, rawpy.LibRawDataError) as error:
        raise InputError("this camera raw file is cut short or damaged") from error
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        said = error.args[0] if error.args else type(error).__name__
        text = said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)
        raise InputError(
            f"LibRaw {'.'.join(map(str, rawpy.libraw_version))} cannot read this camera raw file: "
            f"{text}"
        ) from error


def _check_whole(data: bytes) -> None:
    """Refuse files that end before their sensor values: LibRaw may fill up the rest."""
    whole = holds_all_strips(data)
    if data.startswith(_FUJI):
        place, length = np.frombuffer(data[_FUJI_PLACES].ljust(8, b"\xff"), ">u4").tolist()
        whole = place + length <= len(data)
    elif data[4:8] == b"ftyp":
        whole = max((stop for _, _, stop in boxes(data)), default=0) == len(data)
    if not whole:
        raise InputError("this camera raw file is cut short")


def _gains(raw: Any) -> list[float]:
    """Factors of the white balance for red, green, blue and the second green; the least is 1."""
    given = [float(gain) for gain in raw.camera_whitebalance]
    if min(given[:3]) <= 0:
        given = [float(gain) for gain in raw.daylight_whitebalance]
    if min(given[:3]) <= 0:
        given = [1.0, 1.0, 1.0, 1.0]
    if given[3] <= 0:
        given[3] = given[1]
    return [gain / min(given) for gain in given]


def _matrix(raw: Any) -> NDArray[np.float32]:
    """Matrix from the camera's colors, white balanced, to linear sRGB, as dcraw computes it."""
    found = np.asarray(raw.color_matrix, np.float64)[:, :3]
    if found[0, 0] > _LEAST_MATRIX:
        return found.astype(np.float32)
    from_xyz = np.asarray(raw.rgb_xyz_matrix, np.float64)[:3]
    from_srgb = from_xyz @ _XYZ_FROM_SRGB
    sums = from_srgb.sum(axis=1, keepdims=True)
    if not np.all(np.isfinite(from_srgb)) or np.any(sums <= 0):
        # LibRaw does not know the camera's colors either
        return np.eye(3, dtype=np.float32)
    return np.linalg.pinv(from_srgb / sums).astype(np.float32)


def _to_srgb_levels(linear: NDArray[np.float32]) -> NDArray[np.uint16]:
    linear = np.clip(linear, 0, 1)
    curve = 1.055 * linear ** (1 / _SRGB_POWER) - 0.055
    encoded = np.where(linear <= 0.0031308, linear * _SRGB_SLOPE, curve)
    return np.rint(encoded * _WHITE).astype(np.uint16)


def _from_srgb_curve(encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    curve = ((encoded + 0.055) / 1.055) ** _SRGB_POWER
    return np.where(encoded <= 0.04045, encoded / _SRGB_SLOPE, curve)
