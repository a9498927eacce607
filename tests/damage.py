"""A damaged index says so, or answers as if it were whole; it never answers otherwise.

``python tests/damage.py`` builds an index of some 64 kB: words and code under a key, in several
segments, with documents that are gone and one that expires. It flips every bit of every file, cuts
every file at every length, appends to each, exchanges them, and takes each away. Every time the
index is opened and asked: a typed error, or the very same answers. Then it flips some bits of a
segment that is too large to be verified when it is opened.
"""

import itertools
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any, Final

from workload import KEY, Remove, do, scratch, words

from dedup.document import Document
from dedup.errors import DedupError
from dedup.index import Index
from dedup.key import Key

CODE: Final = Path(__file__).parent / "data" / "syntax" / "heap.py"
# Longer than any open of so small an index takes, even on a busy machine under a sanitizer.
_HANGS_S: Final = 60


class Damage:
    """An index, what it answers while it is whole, and ways to damage its files.

    Attributes
    ----------
    outcomes : Counter
        How often an index was ``refused``, by what error, and how often the answers were the same.
    """

    def __init__(self, path: Path, build: Callable[[Path], list[str]]) -> None:
        self.path = path
        self.queries = build(path)
        self.whole = self._answers()
        self.outcomes: Counter[str] = Counter()
        assert all(self.whole[1][:-1])

    def files(self) -> list[Path]:
        return sorted(file for file in self.path.iterdir() if file.name != "LOCK")

    def _answers(self) -> tuple[Any, ...]:
        with Index.open(self.path, key=KEY) as index:
            return (index.generation, index.search_batch(self.queries), list(index.documents()))

    def ask(self, *others: Any) -> None:
        """Open the index as it is now; it answers as the whole one, or as one of `others`."""
        try:
            answers = self._answers()
        except (DedupError, OSError) as error:
            self.outcomes[type(error).__name__] += 1
            return
        assert answers in (self.whole, *others), "other answers than those of the whole index"
        self.outcomes["same answers"] += 1

    def flip(self, file: Path, bits: Iterable[int]) -> None:
        """Flip each of these bits of a file alone."""
        with file.open("r+b", buffering=0) as opened:
            for bit in bits:
                (byte,) = os.pread(opened.fileno(), 1, bit // 8)
                os.pwrite(opened.fileno(), bytes([byte ^ 1 << bit % 8]), bit // 8)
                try:
                    self.ask()
                except BaseException as error:
                    error.add_note(f"bit {bit % 8} of byte {bit // 8} of {file.name}")
                    raise
                os.pwrite(opened.fileno(), bytes([byte]), bit // 8)

    def cut(self, file: Path, sizes: Iterable[int]) -> None:
        """Cut a file at each of these lengths, which descend."""
        whole = file.read_bytes()
        try:
            for size in sizes:
                os.truncate(file, size)
                self.ask()
        except BaseException as error:
            error.add_note(f"{file.name} cut at {size}")
            raise
        file.write_bytes(whole)

    def extend(self, file: Path) -> None:
        """Append to a file what may be found at the end of one."""
        whole = file.read_bytes()
        for junk in (b"\0", b"\n", b"}", bytes(512), bytes(4096), whole[-64:], whole):
            file.write_bytes(whole + junk)
            self.ask()
        file.write_bytes(whole)

    def replace(self, file: Path, strange: Iterable[bytes]) -> None:
        """Put other bytes in the place of a file."""
        whole = file.read_bytes()
        for data in strange:
            if data != whole:
                file.write_bytes(data)
                try:
                    self.ask()
                except BaseException as error:
                    error.add_note(f"{file.name} replaced by {data[:200]!r}")
                    raise
        file.write_bytes(whole)

    def take_away(self, file: Path) -> None:
        """Leave nothing in the place of a file, or what is no file."""
        kept = file.with_name("kept")
        file.rename(kept)
        self.ask()
        for make, remove in (
            (file.mkdir, file.rmdir),
            (lambda: os.mkfifo(file), file.unlink),
            (lambda: file.symlink_to(file), file.unlink),
            (lambda: file.symlink_to("/dev/zero"), file.unlink),
        ):
            make()
            self.ask()
            remove()
        kept.rename(file)

    def exchange(self, one: Path, other: Path) -> None:
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
        self.ask()
        one.write_bytes(first)
        other.write_bytes(second)


def build(path: Path, key: Key = KEY, seed: int = 1) -> list[str]:
    """An index of several segments; passages of which all but the last are in it."""
    rng = random.Random(seed)
    documents = [
        Document(
            f"{i}.txt", words(rng, 600), f"corpus {i % 3}", "PD", f"owner {i % 5}", "https://x/"
        )
        for i in range(12)
    ]
    code = CODE.read_text()
    with Index.create(path, key=key) as index:
        index.add(documents[:5])
        index.add([Document("heap.py", code, "code", "MIT", "someone", "https://x/heap.py")])
        index.commit()
        index.add(documents[5:9])
        index.add([Document("expires", words(rng, 100), expires=date(2199, 12, 31))])
        index.commit()
        do(index, Remove("document", ("3.txt",)))
        index.add([Document("6.txt", documents[0].text[:1000], "corpus 0")])
        index.commit()
        index.add(documents[9:])
        index.commit()
        assert index.info().segments == 4
    passages = [" ".join(documents[i].text.split()[50:90]) for i in (0, 1, 4, 5, 8, 9, 11, 3)]
    return [code[:600], *passages]


def within(seconds: int, run: Callable[[], None]) -> None:
    """Let something run, but not forever."""

    def hangs(number: int, frame: object) -> None:
        raise AssertionError(f"hangs for {seconds} s")

    before = signal.signal(signal.SIGALRM, hangs)
    # More than once: calls that a signal interrupts are made again.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.01)
    try:
        run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def strange_files(folder: Path) -> Iterator[bytes]:
    """Files of an index that was made of the same documents under another key, and of another."""
    for name, key, seed in (("key", Key(b"another key here"), 1), ("documents", KEY, 2)):
        build(folder / name, key, seed)
        for file in (folder / name).iterdir():
            yield file.read_bytes()


def misplace(damage: Damage, folder: Path) -> None:
    """Exchange files, take them away, append to them, put files of other indexes there."""
    strange = [*strange_files(folder), b"", b"\0" * 4096, b"{}", b"[]", b"null"]
    for file in damage.files():
        damage.extend(file)
        damage.replace(file, strange)
        within(_HANGS_S, lambda file=file: damage.take_away(file))
    for one, other in itertools.combinations(damage.files(), 2):
        damage.exchange(one, other)


def damaged(seed: int, flips: int, cuts: int) -> Counter[str]:
    """So many flips and cuts, spread over all files, and all that can be misplaced."""
    rng = random.Random(seed)
    with scratch() as folder:
        damage = Damage(Path(folder) / "index", build)
        files = damage.files()
        bits = 8 * sum(file.stat().st_size for file in files)
        step = max(1, bits // flips)
        for file in files:
            most = 8 * file.stat().st_size
            places = (at + rng.randrange(step) for at in range(0, most, step))
            damage.flip(file, (min(place, most - 1) for place in places))
            damage.cut(file, range(most // 8 - 1, -1, -max(1, bits // 8 // cuts)))
        misplace(damage, Path(folder))
        damage.ask()
        assert damage.outcomes["same answers"]
        return damage.outcomes


def large(flips: int, seed: int) -> Counter[str]:
    """So many flips in a segment too large to be verified when it is opened."""
    rng = random.Random(seed)
    with scratch() as folder:
        damage = Damage(Path(folder) / "index", build_large)
        (file,) = damage.path.glob("*.dedup")
        size = file.stat().st_size
        assert size > 8 << 20
        # What is read at every open, and as many bits of the rest.
        ends = [*range(8 * 1024), *range(8 * (size - 1024), 8 * size)]
        damage.flip(file, rng.sample(ends, min(flips // 2, len(ends))))
        damage.flip(file, (rng.randrange(8 * size) for _ in range(flips // 2)))
        assert damage.outcomes["same answers"]
        return damage.outcomes


def build_large(path: Path) -> list[str]:
    """An index of one large segment; passages of its documents, and one that is in none."""
    rng = random.Random(3)
    vocabulary = words(rng, 50_000).split()
    texts = [" ".join(rng.choices(vocabulary, k=300_000)) for _ in range(16)]
    with Index.create(path, key=KEY) as index:
        index.add(Document(f"{number}.txt", text) for number, text in enumerate(texts))
        index.commit()
    starts = [rng.randrange(1_000_000) for _ in texts]
    passages = [t[at : at + 400] for t, at in zip(texts, starts, strict=True)]
    return [*passages, words(rng, 50)]


def share(number: int, of: int) -> Counter[str]:
    """Every `of`-th bit flipped and length cut, from `number` on."""
    with scratch() as folder:
        damage = Damage(Path(folder) / "index", build)
        for file in damage.files():
            size = file.stat().st_size
            damage.flip(file, range(number, 8 * size, of))
            damage.cut(file, range(size - 1 - number, -1, -of))
        if number == 0:
            misplace(damage, Path(folder))
        damage.ask()
        return damage.outcomes


if __name__ == "__main__":
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    began = time.monotonic()
    # A process that a signal ends breaks the pool, which says so.
    with ProcessPoolExecutor(processes) as pool:
        shares = pool.map(share, range(processes), [processes] * processes)
        outcomes = sum(shares, start=large(4000, seed=1))
    took_s = time.monotonic() - began
    told = ", ".join(f"{count} {what}" for what, count in outcomes.most_common())
    print(
        f"{outcomes.total()} damaged indexes opened: {told}; 0 other answers, 0 signals; "
        f"{took_s:.0f} s, {outcomes.total() / took_s:.0f} a second"
    )
