"""A background index by ``dedup index background``, of other owners' texts than those probed.

All that the command takes by itself, with the frameworks at hand whose scaffolds it knows, and as a
user would name them: other services' descriptions, other packages' scripts of PostgreSQL, and of
other packages' manual pages what several have. None is protected, none is asked.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dedup import Index

from .benign import without_roff
from .downloads import EXTENSIONS, MANUALS, Downloads

__all__ = ["background"]

_FRAMEWORKS = ("alembic==1.20.1", "django==5.2.19", "hatch==1.18.2", "sphinx==9.0.4")
# Every fourth service behind those that are protected or asked, but for the largest.
_SERVICES = r"data/[d-z][\w-]*/.*service-2\.json\.gz$"
_EACH, _MOST_CHARACTERS = 4, 300_000
# Of packages of manual pages, so many have what is a formula.
_OWNERS = 2


@contextmanager
def background(downloads: Downloads) -> Iterator[Index]:
    """The index, made anew; it lacks what the folder lacks."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        named, common = folder / "named", folder / "common"
        for spec in _FRAMEWORKS:
            downloads.unpack(spec, folder / "packages")
        _write(named, _named(downloads))
        _write(common, _manuals(downloads))
        command = [sys.executable, "-m", "dedup", "index", "background", str(folder / "index")]
        command += [str(named), "--common", str(common), "--owners", str(_OWNERS), "--no-key"]
        path = os.pathsep.join([str(folder / "packages"), *filter(None, sys.path)])
        environment = os.environ | {"PYTHONPATH": path}
        subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
        with Index.open(folder / "index", key=None) as index:
            yield index


def _named(downloads: Downloads) -> Iterator[tuple[str, str]]:
    services = downloads.wheel("botocore==1.44.8", _SERVICES)
    for path in sorted(services)[::_EACH]:
        if len(services[path]) < _MOST_CHARACTERS:
            yield f"services/{path.split('/')[3]}.json", services[path]
    for package in EXTENSIONS:
        for path, text in downloads.debian(package, r"extension/.*\.sql$").items():
            yield f"extensions/{package}/{Path(path).name}", text


def _manuals(downloads: Downloads) -> Iterator[tuple[str, str]]:
    for package in MANUALS:
        for path, text in downloads.debian(package, r"/man/man\d/.*\.gz$").items():
            yield f"{package}/{Path(path).stem}.txt", without_roff(text)


def _write(folder: Path, texts: Iterator[tuple[str, str]]) -> None:
    folder.mkdir()
    for name, text in texts:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
