"""A scan killed at any time and resumed writes what it would have written without.

``python tests/scan_kills.py 1000`` ends 1,000 scans at random times: the process itself (SIGKILL,
SIGINT, SIGTERM), one of its workers, or both; then resumes, until all is done, and compares every
output, byte for byte, with those of a scan that was left alone. Each part of the sources is a
checkpoint, so that most of them fall between two.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dedup import Document, Index
from dedup.engine import LocalEngine
from dedup.scan import scan

DATA: Final = Path(__file__).parent / "data"
OUTPUTS: Final = {"rows.jsonl": "", "drop.txt": "drop_list", "clean.jsonl.gz": "cleaned"}
_SOURCES: Final = 30
_SIGNALS: Final = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)


def prepare(folder: Path) -> None:
    """An index, and sources some of which copy from it, and some cannot be read."""
    book = (DATA / "books/war-of-the-worlds.txt").read_text()
    with Index.create(folder / "index", key=None) as index:
        index.add([Document("book", book, corpus="books", licence="PD")])
        index.commit()
    (folder / "sources").mkdir()
    random.seed(1)
    others = (DATA / "outputs/speech.txt").read_text()
    for number in range(_SOURCES):
        path = folder / "sources" / f"{number:03}.txt"
        at = random.randrange(len(book) - 2000)
        text = others + book[at : at + random.randrange(2000)]
        path.write_bytes(b"\xff\x00" if number % 10 == 7 else text.encode())


def play(folder: Path, output: Path, *, jobs: int, resume: bool) -> None:
    """One scan; the outputs are in a folder of their own."""
    scan(
        sorted(map(str, (folder / "sources").iterdir())),
        folder / "index",
        output / "rows.jsonl",
        key=None,
        engine=LocalEngine(jobs),
        resume=resume,
        checkpoint_s=0.0,
        **{option: output / name for name, option in OUTPUTS.items() if option},
    )


def kills(count: int, seed: int) -> Counter[str]:
    """End so many scans and see that nothing comes of it; what they were ended by."""
    chance = random.Random(seed)
    ended: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        expected = folder / "expected"
        expected.mkdir()
        begin = time.monotonic()
        with _player(folder, expected) as player:
            assert player.wait() == 0
        whole_s = time.monotonic() - begin
        trial = 0
        while ended.total() < count:
            trial += 1
            output = folder / str(trial)
            output.mkdir()
            while True:
                with _player(folder, output) as player:
                    what = _end(player, chance, chance.uniform(0.2, 1.3) * whole_s)
                if what != "nothing":
                    ended[what] += 1
                # It may have been ended when all was done.
                if not (output / "rows.jsonl.checkpoint").exists() and _is_there(output):
                    break
                assert what != "nothing", player.returncode
            for file in OUTPUTS:
                assert (output / file).read_bytes() == (expected / file).read_bytes(), (seed, trial)
            assert sorted(path.name for path in output.iterdir()) == sorted(OUTPUTS)
    return ended


def _is_there(output: Path) -> bool:
    return all((output / name).exists() for name in OUTPUTS)


@contextmanager
def _player(folder: Path, output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, __file__, "play", str(folder), str(output)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as player:
        yield player


def _end(player: "subprocess.Popen[bytes]", chance: random.Random, after_s: float) -> str:
    with suppress(subprocess.TimeoutExpired):
        player.wait(after_s)
        return "nothing"
    if chance.random() < 0.3:
        for worker in chance.sample(_workers(player.pid), 1) if _workers(player.pid) else ():
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        if chance.random() < 0.7:
            player.wait()
            return "worker"
    number = chance.choice(_SIGNALS)
    player.send_signal(number)
    player.wait()
    return number.name


def _workers(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def main() -> None:
    if sys.argv[1] == "play":
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        folder, output = map(Path, sys.argv[2:])
        play(folder, output, jobs=2, resume=True)
        return
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(dict(kills(int(sys.argv[1]), seed)), "0 wrong")


if __name__ == "__main__":
    main()
