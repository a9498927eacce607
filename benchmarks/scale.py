"""How do rate, memory and index grow with the corpus, from ten megabytes to a gigabyte?

    python benchmarks/corpora.py CORPORA
    python benchmarks/scale.py grow CORPORA WORK [--json OUT] [--svg OUT]
    python benchmarks/scale.py plan OUT INDEX
    python benchmarks/scale.py tree WORK FOLDER... [--jobs 2]

``grow`` takes beginnings of the corpora, as JSON lines (``prose`` is the part of the texts that is
for users, up to 100 MB), and for each size and number of processes runs, each in a process of its
own:

    add         dedup index add, under a key, all of it
    scan        dedup scan of all of it, against a small index: this Python's standard library
    ask         dedup scan of ten megabytes of packages that are in no corpus, against the index of
                all of it: what a query costs as the index grows
    repeats     dedup repeats of all of it

``plan`` takes what ``grow`` wrote, and any index of text without a key, and says what 10^9 to 10^12
words of text would take, were the slopes to stay what they are.

``tree`` protects folders of sources: rate, size, memory, and what could not be parsed.

A rate per core is that of the processor time. Peak memory is of all processes together, each page
counted once. The exponent says how time, memory or size grow from the size before: 1 is with the
corpus, 0 not at all.
"""

import argparse
import json
import math
import os
import platform
import re
import shutil
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from plot import Line, chart
from thief import FINGERPRINTS, SEEDS, SPANS, Segment
from watch import Watched, dedup, watch

Kind = Literal["prose", "text", "code", "mixed"]
Command = Literal["add", "scan", "ask", "repeats"]

_MB: Final = 10**6
_ASKED_MB: Final = 10

# Packages that are asked about and not protected: manuals of a kind repeat one another, and a query
# that is made of copies takes as long as it has copies.
_ASKED: Final = ("perl-doc", "vim-doc", "zsh-doc", "ruby3.1", "networkx", "sqlalchemy")
# Manuals for users rather than for programmers, most of whose pages hold code.
_PROSE: Final = ("libreoffice-help-", "gimp-help-", "debian-handbook", "installation-guide-amd64")
_MOST_PROSE_MB: Final = 100
_PROSE_ROWS: Final = tuple(f'{{"id": "{package}'.encode() for package in _PROSE)
_ASKED_ROWS: Final = tuple(f'{{"id": "{package}/'.encode() for package in _ASKED)

_TOKENS: Final = re.compile(r"([\d,]+) tokens at ([\d.]+) bytes")


@dataclass(frozen=True)
class Cell:
    """One command on one corpus."""

    kind: Kind
    megabytes: int
    command: Command
    jobs: int
    read_bytes: int
    seconds: float
    processor_s: float
    peak_bytes: int
    peaks_bytes: int
    made_bytes: int
    tokens: int
    start_s: float

    @property
    def rate(self) -> float:
        """In MB/s by the clock."""
        return self.read_bytes / _MB / self.seconds

    @property
    def core_rate(self) -> float:
        """In MB/s of processor time, without what it takes to start."""
        return self.read_bytes / _MB / (self.processor_s - self.start_s)


# ---- corpora -------------------------------------------------------------------------------------


def rows(corpora: Path, kind: Kind, size: int, *, is_asked: bool = False) -> Iterator[bytes]:
    """Rows of a corpus up to `size` bytes, of both in turn for ``mixed``."""
    names = {"prose": ["text"], "mixed": ["text", "code"]}.get(kind, [kind])
    files = [(corpora / f"{name}.jsonl").open("rb") for name in names]
    try:
        taken = [0] * len(files)
        while sum(taken) < size:
            turn = taken.index(min(taken))
            row = files[turn].readline()
            if not row:
                raise SystemExit(f"{files[turn].name} is too short; see corpora.py --megabytes")
            is_wanted = row.startswith(_ASKED_ROWS) == is_asked
            if is_wanted and (kind != "prose" or is_asked or row.startswith(_PROSE_ROWS)):
                taken[turn] += len(row)
                yield row
    finally:
        for file in files:
            file.close()


def write(
    corpora: Path, kind: Kind, megabytes: int, folder: Path, *, is_asked: bool = False
) -> Path:
    """A corpus as JSON lines."""
    target = folder / f"{'asked' if is_asked else kind}-{megabytes}.jsonl"
    with target.open("wb") as file:
        file.writelines(rows(corpora, kind, megabytes * _MB, is_asked=is_asked))
    return target


def text_bytes(corpus: Path) -> int:
    """Bytes of its documents, without what JSON adds."""
    with corpus.open("rb") as file:
        return sum(len(json.loads(row)["text"].encode()) for row in file)


# ---- cells ---------------------------------------------------------------------------------------


class Bench:
    """Runs cells in a folder of its own."""

    def __init__(self, corpora: Path, folder: Path) -> None:
        self._corpora, self._folder = corpora, folder
        self._key = folder / "key"
        self._small = folder / "stdlib.idx"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._little = folder / "little.txt"
        self._little.write_text("A short text.\n" * 10)
        _must(self._added(self._small, [_standard_library(folder)], 1))

    def cells(
        self, kind: Kind, megabytes: int, commands: Sequence[Command], jobs: Sequence[int]
    ) -> Iterator[Cell]:
        corpus = write(self._corpora, kind, megabytes, self._folder)
        size = text_bytes(corpus)
        index, out = self._folder / "corpus.idx", self._folder / "out.jsonl"
        asked = write(self._corpora, kind, _ASKED_MB, self._folder, is_asked=True)
        common = {"kind": kind, "megabytes": megabytes}
        for number in jobs:
            for command in commands:
                tokens, made, start = 0, 0, 0.0
                if command == "add" or (command == "ask" and not index.exists()):
                    shutil.rmtree(index, ignore_errors=True)
                    done = _must(self._added(index, [corpus], number))
                    tokens = int(_TOKENS.findall(done.output)[-1][0].replace(",", ""))
                    made = sum(file.stat().st_size for file in index.iterdir())
                if command in ("scan", "ask"):
                    read, of = (corpus, self._small) if command == "scan" else (asked, index)
                    start = self._scanned(self._little, of, out, number).processor_s
                    done = self._scanned(read, of, out, number)
                elif command == "repeats":
                    _remove(out)
                    done = _must(watch(dedup("repeats", corpus, "-o", out, "--jobs", number)))
                yield Cell(
                    command=command,
                    jobs=number,
                    read_bytes=text_bytes(asked) if command == "ask" else size,
                    seconds=done.seconds,
                    processor_s=done.processor_s,
                    peak_bytes=done.peak_bytes,
                    peaks_bytes=done.peaks_bytes,
                    made_bytes=made,
                    tokens=tokens,
                    start_s=start,
                    **common,
                )
        shutil.rmtree(index, ignore_errors=True)
        for file in (corpus, asked, out):
            _remove(file)

    def _added(self, index: Path, sources: Sequence[Path], jobs: int) -> Watched:
        return watch(dedup("index", "add", index, *sources, "--key", self._key, "--jobs", jobs))

    def _scanned(self, corpus: Path, index: Path, out: Path, jobs: int) -> Watched:
        _remove(out)
        options = ("--index", index, "--key", self._key, "--jobs", jobs, "--fail-on", "never")
        return _must(watch(dedup("scan", corpus, *options, "--quiet", "-o", out)))


def _standard_library(folder: Path) -> Path:
    """This Python's modules, without what is installed beside them."""
    target = folder / "stdlib"
    shutil.copytree(
        sysconfig.get_path("stdlib"),
        target,
        ignore=shutil.ignore_patterns("site-packages", "test", "tests", "idle_test", "*.pyc"),
    )
    return target


def _remove(out: Path) -> None:
    """A file and what a command left beside it."""
    for file in out.parent.glob(f"{out.name}*"):
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()


def _must(watched: Watched) -> Watched:
    if watched.status != 0:
        raise SystemExit(f"exit status {watched.status}\n{watched.errors[-4000:]}")
    return watched


# ---- what it says --------------------------------------------------------------------------------


def grow(options: argparse.Namespace) -> None:
    print(f"on {machine()}, Python {platform.python_version()}\n")
    bench, cells = Bench(options.corpora, options.work), list[Cell]()
    print(
        "| corpus | MB | command | processes | MB/s | MB/s per core | peak memory, MB | "
        "index, MB | bytes a token | exponent of time, memory, index |\n" + "|---" * 10 + "|"
    )
    for kind in options.kinds:
        for megabytes in options.sizes:
            if kind == "prose" and megabytes > _MOST_PROSE_MB:
                continue
            for cell in bench.cells(kind, megabytes, options.commands, options.jobs):
                print(row(cell, _before(cell, cells)), flush=True)
                cells.append(cell)
    if options.json:
        options.json.write_text(json.dumps([asdict(cell) for cell in cells], indent=1) + "\n")
    if options.svg:
        options.svg.write_text(drawing(cells))


def _before(cell: Cell, cells: Sequence[Cell]) -> Cell | None:
    same = [c for c in cells if (c.kind, c.command, c.jobs) == (cell.kind, cell.command, cell.jobs)]
    return same[-1] if same else None


def row(cell: Cell, before: Cell | None) -> str:
    index = (
        f"{cell.made_bytes / _MB:.1f} | {cell.made_bytes / cell.tokens:.2f}" if cell.tokens else "|"
    )
    exponents = ""
    if before is not None:
        grown = math.log(cell.megabytes / before.megabytes)
        pairs = [
            (before.seconds, cell.seconds),
            (before.peak_bytes, cell.peak_bytes),
            (before.made_bytes, cell.made_bytes),
        ]
        exponents = ", ".join(f"{math.log(b / a) / grown:.2f}" for a, b in pairs if a and b)
    return (
        f"| {cell.kind} | {cell.megabytes} | {cell.command} | {cell.jobs} | {cell.rate:.1f} | "
        f"{cell.core_rate:.1f} | {cell.peak_bytes / _MB:.0f} | {index} | {exponents} |"
    )


def drawing(cells: Sequence[Cell]) -> str:
    """Rate per core and peak memory over the size of the corpus, one process."""
    lines: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if cell.jobs == 1:
            lines.setdefault((cell.command, cell.kind), []).append(cell)
    names = {key: f"{key[0]}, {key[1]}" for key in lines}
    rates = [
        Line(names[key], [(c.megabytes, c.core_rate) for c in group])
        for key, group in lines.items()
    ]
    peaks = [
        Line(names[key], [(c.megabytes, c.peak_bytes / _MB) for c in group])
        for key, group in lines.items()
    ]
    return chart([("MB/s per core", rates), ("peak memory, MB", peaks)], "corpus, MB")


# ---- the plan ------------------------------------------------------------------------------------

# Of one view of a segment; more are in several segments, each of which a query asks.
_SEGMENT_TOKENS: Final = 2**32 - 16
_MACHINE_BYTES: Final = 256e9
_QUERY_TOKENS: Final = 200


def plan(options: argparse.Namespace) -> None:
    cells = [Cell(**fields) for fields in json.loads(options.grown.read_text())]
    text = [cell for cell in cells if cell.kind == options.kind and cell.jobs == 1]
    added = {cell.megabytes: cell for cell in text if cell.command == "add"}
    asked = {cell.megabytes: cell for cell in text if cell.command == "ask"}
    most = added[max(added)]
    token_bytes = most.read_bytes / most.tokens
    points = [(added[size].tokens, _us_a_token(asked[size], token_bytes)) for size in sorted(asked)]
    shares = _shares(options.index)
    index_bytes = most.made_bytes / most.tokens
    hot = index_bytes * shares["seeds"]
    print(f"measured, on {machine()}:\n")
    print(f"- a word is {token_bytes:.2f} bytes of text and {index_bytes:.2f} of index, of which")
    print("  " + ", ".join(f"{name} {index_bytes * share:.2f}" for name, share in shares.items()))
    print(f"- built at {most.core_rate:.1f} MB/s per core")
    print("- asking, us of processor a word, by words in the index: ")
    print("  " + ", ".join(f"{us:.2f} at {tokens:.1e}" for tokens, us in points))
    slope, base = np.polyfit(*zip(*points[-3:], strict=True), 1)
    print(
        f"- a line through the last: {base:.2f} us and {slope * 1e9:.2f} us for each 10^9 words\n"
    )
    print(
        "| words | text, TB | index, TB | in memory, TB | segments | machines | "
        "core hours to build | query of 200 words: ms of processor | ms on each machine |\n"
        + "|---" * 9
        + "|"
    )
    for exponent in range(9, 13):
        words = 10.0**exponent
        segments = math.ceil(words / _SEGMENT_TOKENS)
        machines = math.ceil(words * hot / (0.8 * _MACHINE_BYTES))
        us = segments * base + slope * words
        spent = us * _QUERY_TOKENS / 1e3
        hours = words * token_bytes / _MB / most.core_rate / 3600
        print(
            f"| 10^{exponent} | {words * token_bytes / 1e12:.3g} | "
            f"{words * index_bytes / 1e12:.3g} | {words * hot / 1e12:.3g} | {segments} | "
            f"{machines} | {hours:,.0f} | {spent:.2f} | {spent / machines:.2f} |"
        )


def _us_a_token(cell: Cell, token_bytes: float) -> float:
    return 1e6 * (cell.processor_s - cell.start_s) / (cell.read_bytes / token_bytes)


def _shares(index: Path) -> dict[str, float]:
    """Of the bytes of an index without a key, which part is what."""
    names = {SEEDS: "seeds", FINGERPRINTS: "fingerprints", SPANS: "places of the words"}
    sizes: Counter[str] = Counter()
    for file in index.glob("*.dedup"):
        data = np.fromfile(file, np.uint8)
        for (kind, _), (_, size) in Segment(data).layout.sections.items():
            sizes[names.get(kind, "all else")] += size
        sizes["all else"] += len(data) - sum(
            size for _, size in Segment(data).layout.sections.values()
        )
    return {name: size / sizes.total() for name, size in sizes.most_common()}


def tree(options: argparse.Namespace) -> None:
    options.work.mkdir(parents=True, exist_ok=True)
    index = options.work / "tree.idx"
    shutil.rmtree(index, ignore_errors=True)
    sources = [folder.resolve() for folder in options.folders]
    watched = watch(
        dedup(
            "index", "add", index, *sources, "--key", options.work / "key", "--jobs", options.jobs
        )
    )
    size = sum(file.stat().st_size for file in index.iterdir())
    print(watched.errors + watched.output)
    print(
        f"{watched.seconds:.0f} s, processor {watched.processor_s:.0f} s, {watched.processes} "
        f"processes, peak memory {watched.peak_bytes / _MB:.0f} MB, index {size / _MB:.0f} MB, "
        f"exit status {watched.status}; {machine()}"
    )


def machine() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{os.cpu_count()} x {line.split(':')[1].strip()}"
    return platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("grow")
    step.add_argument("corpora", type=Path)
    step.add_argument("work", type=Path)
    step.add_argument("--sizes", type=int, nargs="+", default=[10, 30, 100, 300, 1000])
    step.add_argument("--kinds", nargs="+", default=["prose", "text", "code", "mixed"])
    step.add_argument("--commands", nargs="+", default=["add", "scan", "ask", "repeats"])
    step.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    step.add_argument("--json", type=Path)
    step.add_argument("--svg", type=Path)
    step.set_defaults(run=grow)
    step = steps.add_parser("plan")
    step.add_argument("grown", type=Path, help="what `grow --json` wrote")
    step.add_argument("index", type=Path)
    step.add_argument("--kind", default="prose")
    step.set_defaults(run=plan)
    step = steps.add_parser("tree")
    step.add_argument("work", type=Path)
    step.add_argument("folders", type=Path, nargs="+")
    step.add_argument("--jobs", type=int, default=2)
    step.set_defaults(run=tree)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
