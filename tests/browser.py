"""Headless Chromium for tests of pages: it fails on console errors and on requests elsewhere.

The fixture `browser` is a window of one Chromium that serves the whole session. It reaches this
computer only, and skips where Chromium, its driver or selenium is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LOCAL = ("file:", "data:", "blob:", "about:", "chrome:", "devtools:")
"""Beginnings of addresses that need no network."""


class Browser:
    """One window; elements are found and used through `driver`, as selenium documents it.

    Args:
        driver: Selenium's driver of Chromium.
        downloads: Folder for what the page lets the user download.

    Attributes:
        servers: Beginnings of the addresses the page may use, such as `http://127.0.0.1:8000/`.
        expected: Parts of console messages that are no failure, such as `413` after a refused file.
    """

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver = driver
        self.servers: list[str] = []
        self.expected: list[str] = []
        self._requests: list[str] = []
        self._errors: list[str] = []
        self.command(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads.resolve())
        )

    def command(self, name: str, **arguments: Any) -> Any:
        """Call a method of Chromium's DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def open(
        self, address: Path | str, *, width: int = 1280, height: int = 900, dark: bool = False
    ) -> None:
        """Open a file or an address; a width of 390 pixels is a phone."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.driver.get(address.resolve().as_uri() if isinstance(address, Path) else address)

    def run(self, code: str, *arguments: Any) -> Any:
        """Value of JavaScript in the page: an expression, `arguments[0]` the first argument."""
        return self.driver.execute_script(f"return {code}", *arguments)

    def wait(self, code: str, *arguments: Any, seconds: float = 120) -> Any:
        """Value of JavaScript in the page as soon as it is true there; fails after `seconds`."""
        end = time.monotonic() + seconds
        while not (value := self.run(code, *arguments)):
            assert time.monotonic() < end, f"after {seconds} s still not true: {code}"
            time.sleep(0.02)
        return value

    def requests(self) -> list[str]:
        """Addresses that were asked for since the test began, in order."""
        self._read_logs()
        return self._requests

    def problems(self) -> list[str]:
        """What must fail the test: console errors and requests that leave this computer."""
        self._read_logs()
        allowed = (*LOCAL, *self.servers)
        strangers = [url for url in self._requests if not url.startswith(allowed)]
        errors = [text for text in self._errors if not any(part in text for part in self.expected)]
        return [*errors, *(f"request to {url}" for url in strangers)]

    def _read_logs(self) -> None:
        # reading empties the logs
        for entry in self.driver.get_log("browser"):
            if entry["level"] == "SEVERE":
                self._errors.append(entry["message"])
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._requests.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                self._requests.append(message["params"]["url"])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Selenium's driver of one headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = [shutil.which("chromium") or shutil.which("google-chrome")]
    programs.append(shutil.which("chromedriver"))
    if None in programs:
        pytest.skip("Chromium or its driver is missing (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in (
        "--headless=new",
        "--hide-scrollbars",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ):
        options.add_argument(argument)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Chromium refuses to sandbox root's pages, as in a container
        options.add_argument("--no-sandbox")
    driver = webdriver.Chrome(options, webdriver.ChromeService(programs[1]))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Any, tmp_path: Path) -> Iterator[Browser]:
    """A fresh window; the test fails if the page had an error or asked a stranger."""
    first = chromium.current_window_handle
    chromium.switch_to.new_window("window")
    for log in ("browser", "performance"):
        chromium.get_log(log)
    window = Browser(chromium, tmp_path)
    yield window
    problems = window.problems()
    for handle in set(chromium.window_handles) - {first}:
        chromium.switch_to.window(handle)
        chromium.close()
    chromium.switch_to.window(first)
    assert not problems, "\n".join(problems)
