"""``dedup`` run as a user runs it, in a folder of its own: fixtures of the tests of commands."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_filter import HARMLESS, PROTECTED

from dedup.index import Index
from dedup.source import Document

DATA = Path(__file__).parent / "data"
TIMETABLE = DATA / "code" / "timetable"

COMMAND = [sys.executable, "-m", "dedup"]
Run = Callable[..., "Ran"]


@dataclass
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``dedup`` in an empty folder with a configuration of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: str | bytes = "") -> Ran:
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run([*COMMAND, *map(str, arguments)], input=data, capture_output=True)
        ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in ran.err
        assert ran.status in (0, 1, 2)
        if ran.status == 2:
            assert ran.err.startswith("dedup: error: ")
        return ran

    return run


@pytest.fixture
def books(tmp_path: Path, run: Run) -> Path:
    """An index of one book, and beside it an output that copies it and one that does not."""
    (tmp_path / "books").mkdir()
    (tmp_path / "books/moby.txt").write_text(PROTECTED)
    (tmp_path / "copy.txt").write_text(f"{HARMLESS}\n\n{PROTECTED}\n{HARMLESS}")
    (tmp_path / "fine.txt").write_text(HARMLESS)
    index = tmp_path / "books.idx"
    with Index.create(index) as writer:
        labels = {"corpus": "books", "licence": "PD", "owner": "Herman Melville"}
        writer.add([Document("books/moby.txt", PROTECTED, **labels, url="https://x/moby")])
        writer.commit()
    return index


@pytest.fixture
def timetable(tmp_path: Path, run: Run) -> Path:
    """An index of a copy of the timetable's source, under a key by which lines do not vary."""
    key = tmp_path / ".config" / "dedup" / "key"
    key.parent.mkdir(parents=True)
    key.touch(mode=0o600)
    key.write_text("00112233445566778899aabbccddeeff\n")
    shutil.copytree(TIMETABLE, tmp_path / "timetable")
    assert run("index", "add", "t.idx", "timetable").status == 0
    return tmp_path / "timetable"
