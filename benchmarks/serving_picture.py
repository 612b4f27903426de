"""Make docs/serving.jpg anew: the page of `semanir-restore --serve` with a grainy photo of a cat.

    python benchmarks/serving_picture.py [--output docs/serving.jpg] [--width 1280]

Needs Chromium, chromium-driver, selenium and scikit-image. Takes about a minute on one core.
"""

from __future__ import annotations

import argparse
import base64
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

_SIGMA = 25
_PATIENCE = 600.0


def main(argv: Sequence[str] | None = None) -> None:
    """Restore a photo in the page, and write what the window shows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/serving.jpg"))
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("photos", nargs="*", type=Path, help="in place of the cat")
    parser.add_argument("--try-all", action="store_true", help="also try every task")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        photos = arguments.photos or [_make_photo(Path(folder))]
        with _served() as address, _browser(arguments.width, dark=arguments.dark) as driver:
            driver.get(address)
            _wait(driver, "document.body.dataset.ready")
            files = "\n".join(str(photo.resolve()) for photo in photos)
            driver.find_element("id", "file").send_keys(files)
            _wait(driver, "!document.getElementById('start').disabled && page.shown?.look")
            if arguments.try_all:
                driver.execute_script("document.getElementById('try').click()")
                _wait(driver, "!document.getElementById('tries').hidden && !page.running")
            driver.execute_script("document.getElementById('start').click()")
            _wait(driver, "!page.running && !document.getElementById('result').hidden")
            size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
            clip = {"x": 0, "y": 0, "scale": 1, "width": size["width"], "height": size["height"]}
            _shoot(driver, clip, arguments.output)
    sys.stdout.write(f"wrote {arguments.output}\n")


def _make_photo(folder: Path) -> Path:
    from skimage import data

    cat = data.chelsea()
    noise = np.random.default_rng(0).normal(0, _SIGMA, cat.shape)
    path = folder / "cat.png"
    PIL.Image.fromarray((cat + noise).round().clip(0, 255).astype(np.uint8)).save(path)
    return path


@contextmanager
def _served() -> Iterator[str]:
    """The address of a server with the shipped networks."""
    command = [sys.executable, "-m", "semanir_arch.commands.restore", "--serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None, "opened as a pipe"
        yield server.stdout.readline().split()[0]
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _browser(width: int, *, dark: bool) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--hide-scrollbars", "--no-sandbox"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    try:
        yield driver
    finally:
        driver.quit()


def _wait(driver: Any, code: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not driver.execute_script(f"return {code}"):
        if time.monotonic() > end:
            raise TimeoutError(f"after {_PATIENCE:g} s still not true: {code}")
        time.sleep(0.2)


def _shoot(driver: Any, clip: dict[str, Any], path: Path) -> None:
    arguments = {"format": "png", "clip": clip, "captureBeyondViewport": True}
    shot = base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", arguments)["data"])
    PIL.Image.open(io.BytesIO(shot)).convert("RGB").save(path, quality=85)


if __name__ == "__main__":
    main()
