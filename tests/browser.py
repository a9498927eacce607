"""A real browser without a window, for tests of pages: Chromium, if the machine has it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
DRIVER = shutil.which("chromedriver") or ""

WHY_NOT = "" if CHROMIUM and DRIVER else "chromium and chromedriver are not installed"


@contextmanager
def browser(*, has_scripts: bool = True) -> Iterator[Any]:
    """A driver of a browser that knows nothing of anyone; logs what pages say and ask for."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with TemporaryDirectory() as folder:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--window-size=1280,1000",
            f"--user-data-dir={folder}",
        ):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        if not has_scripts:
            off = {"profile.managed_default_content_settings.javascript": 2}
            options.add_experimental_option("prefs", off)
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            yield driver
        finally:
            driver.quit()


def requests(driver: Any) -> list[str]:
    """The addresses that pages asked for since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def complaints(driver: Any) -> list[str]:
    """What the browser's console says since the last call."""
    return [entry["message"] for entry in driver.get_log("browser")]


def open_page(driver: Any, path: Path) -> None:
    """Open a file, with nothing of earlier pages in the logs."""
    driver.get("about:blank")
    requests(driver)
    complaints(driver)
    driver.get(path.as_uri())
