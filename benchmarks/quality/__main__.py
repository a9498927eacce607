"""python -m benchmarks.quality --out DIR: see the package's text."""

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

from dedup import Document, Filter, Index

from .alarms import Alarms, count_alarms
from .benign import probes, protected
from .cases import cases, run_case
from .code import LEAST_TOKENS, run_python, run_reformatted, sample
from .corpora import Part, Prose, prose, rows
from .downloads import Downloads
from .functions import Documents, Function, functions_in, standard_library
from .leaks import dripped, leak_of
from .matrix import ATTACKS
from .permitted import background
from .report import MAIN_LENGTH, precision, summary, write
from .side_by_side import Pair, code_engines, compared, prose_engines
from .tools import clang_formatted, terser_minified
from .trials import Cell, Trial, run, run_split, trials_of


@dataclass(frozen=True, slots=True)
class Size:
    """How much is tried."""

    trials: int
    lengths: tuple[int, ...]
    functions: int
    leaks: int
    pairs: int
    windows: int
    probes: int
    protected: tuple[int, ...]
    modules: str = ""  # prefix of those of the standard library that are taken


SMALL = Size(10, (MAIN_LENGTH,), 3, 5, 3, 0, 20, (100_000,), "stdlib/json")
MEDIUM = Size(200, (20, 40, 60, 100, 200), 100, 200, 50, 40, 3_000, (10**6, 10**7))
FULL = Size(1000, (20, 40, 60, 100, 200, 500), 400, 1000, 200, 200, 30_000, (10**6, 10**7))

_SECTIONS = ("prose", "code", "alarms", "cases", "rivals")

# Attacks, with strengths, of which leaks are measured most, and on which others are compared.
_LEAKS = (
    ("as it is", (1.0,)),
    ("capitals", (1.0,)),
    ("zero width", (0.3,)),
    ("replaced", (0.1, 0.2, 0.3)),
    ("every n-th replaced", (4.0,)),
    ("a word after n", (5.0,)),
    ("chunks shuffled", (12.0,)),
    ("typing errors", (0.1, 0.3)),
)
_COMPARED = (
    ("as it is", (1.0,)),
    ("capitals", (1.0,)),
    ("wrapped", (40.0,)),
    ("none", (1.0,)),
    ("zero width", (0.3,)),
    ("bullets", (1.0,)),
    ("replaced", (0.1, 0.2, 0.3)),
    ("a word after n", (5.0,)),
    ("every n-th replaced", (4.0,)),
    ("chunks shuffled", (12.0,)),
    ("stretches left out", (0.3,)),
    ("typing errors", (0.1,)),
)
_CODE_COMPARED = (
    "as it is",
    "black",
    "verbatim, a comment on each line",
    "renamed, black",
    "strong minify, black",
    "all names and attributes renamed, black",
    "verbatim, `_ = 0` after every n-th",
    "edits at random, n",
    "verbatim, first half in chat",
    "renamed, unfenced in chat",
)
_CODE_LEAKS = ("as it is", "renamed, black", "strong minify, black", "verbatim, unfenced in chat")


def main() -> None:
    options = _options()
    size = SMALL if options.small else FULL if options.full else MEDIUM
    start = time.perf_counter()
    cells: list[Cell] = []
    report: dict[str, Any] = {
        "schema_version": 1,
        "command": "python -m benchmarks.quality " + " ".join(sys.argv[1:]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "versions": _versions(),
        "part": options.part,
        "left_out": [],
        "sources": {},
        "leaks": [],
        "drips": [],
        "background": {},
        "alarms": [],
        "precision": [],
        "hits": [],
        "cases": [],
        "rivals": [],
    }
    for section in options.only or _SECTIONS:
        note(f"{section}, {time.perf_counter() - start:.0f} s")
        cells += _RUNS[section](options, size, report)
        report["summary"] = summary(cells)
        report["cells"] = [cell.to_dict() for cell in cells]
        report["seconds"] = round(time.perf_counter() - start)
        write(options.out, report, cells)  # each time, as a section may take an hour
    for row in report["summary"]:
        wanted = "" if row["first"] is None else f"wanted {row['first']:.1%}"
        figures = f"{row['mean']:7.1%} {row['least']:7.1%}"
        print(f"{row['row']:>4} {row['title']:36} {figures}  {row['weakest']:40} {wanted}")
    note(f"{options.out / 'quality.html'}, {report['seconds']} s")


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description="What is caught, and what wrongly stopped."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--small", action="store_true", help="in less than a minute")
    size.add_argument("--full", action="store_true", help="as much as figures need to be published")
    parser.add_argument(
        "--data", type=Path, help="folder of books-pd, speeches, irplag ...; else the tests' books"
    )
    parser.add_argument("--cache", type=Path, help="folder of packages; without it no benign sets")
    parser.add_argument("--fetch", action="store_true", help="download what the folder lacks")
    parser.add_argument("--terser", type=Path, help="folder in which npm install terser was run")
    parser.add_argument("--part", choices=get_args(Part), default="all", help="half of the sources")
    parser.add_argument("--only", nargs="+", choices=_SECTIONS, help="some sections")
    return parser.parse_args()


def _versions() -> dict[str, str]:
    found = {}
    for name in ("dedup", "datasketch", "copydetect", "black", "python-minifier", "clang-format"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {**found, "commit": head.stdout.strip()}


@contextmanager
def _indexed(documents: Iterable[Document]) -> Iterator[Index]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Index.create(Path(folder) / "index", key=None) as index,
    ):
        index.add(documents)
        index.commit()
        yield index


def _documents(texts: dict[str, str]) -> Iterator[Document]:
    return (Document(id=name, text=text) for name, text in texts.items())


# ---- sections: each takes the options, adds to the report, and gives its cells


def _prose(options: argparse.Namespace, size: Size, report: dict[str, Any]) -> list[Cell]:
    texts = prose(options.data, options.part)
    cells = []
    with _indexed(_documents(texts.protected)) as index:
        report["prose"] = {"documents": len(texts.protected), "tokens": index.info().tokens}
        for attack in ATTACKS:
            for strength in attack.strengths:
                lengths = size.lengths if strength == attack.medium else (MAIN_LENGTH,)
                for length in lengths:
                    cells.append(run(index, texts, attack, strength, length, size.trials)[0])
        cells += run_split(index, texts, size.trials)
        filter = Filter(index)
        others = [(a.name, (a.medium,)) for a in ATTACKS if a.name not in dict(_LEAKS)]
        for wanted, n in ((_LEAKS, size.leaks), (others, max(1, size.leaks // 10))):
            for name, attack_row, strength, trials in _chosen(texts, wanted, 100, n):
                leak = leak_of(filter, attack_row, name, strength, "text", trials)
                report["leaks"].append(leak.to_dict())
        for _, _, _, trials in _chosen(texts, (("replaced", (0.1,)),), 100, size.leaks):
            for cell, same in dripped(filter, trials):
                cells.append(cell)
                report["drips"].append({"characters": cell.strength, "same": same.to_dict()})
    return cells


def _chosen(
    texts: Prose, wanted: Sequence[tuple[str, tuple[float, ...]]], length: int, n: int
) -> Iterator[tuple[str, str, float, list[Trial]]]:
    """Name, row, strength and trials of the attacks so named."""
    attacks = {attack.name: attack for attack in ATTACKS}
    for name, strengths in wanted:
        for strength in strengths:
            trials = trials_of(texts, attacks[name], strength, length, n)
            yield name, attacks[name].row, strength, trials


def _library(size: Size) -> tuple[Documents, list[Function]]:
    documents = {n: t for n, t in standard_library().items() if n.startswith(size.modules)}
    return documents, functions_in(documents)


def _code(options: argparse.Namespace, size: Size, report: dict[str, Any]) -> list[Cell]:
    documents, functions = _library(size)
    chosen = sample(functions, size.functions, options.part, seed=1)
    with _indexed(_documents(documents)) as index:
        report["code"] = {"documents": len(documents), "tokens": index.info().tokens}
        cells, tried = run_python(index, documents, functions, chosen)
        filter = Filter(index)
        for name in _CODE_LEAKS:
            trials = [trial for attack, trial in tried if attack == name]
            leak = leak_of(filter, "", name, 1, "code", trials)
            report["leaks"].append(leak.to_dict())
    if options.cache is None or not size.windows:
        report["left_out"].append("terser and clang-format: no --cache, or --small")
        return cells
    downloads = Downloads(options.cache)
    scripts = downloads.debian("libjs-jquery-ui", r"ui/widgets/(?!.*min).*\.js$")
    headers = downloads.debian("libeigen3-dev", r"Eigen/src/(QR|LU|Cholesky|SVD)/.*\.h$")
    reformatted = [*terser_minified(scripts, options.terser), *clang_formatted(headers)]
    with _indexed(_documents(scripts | headers)) as index:
        return cells + run_reformatted(index, reformatted, max(5, size.windows // 10))


def _alarms(options: argparse.Namespace, size: Size, report: dict[str, Any]) -> list[Cell]:
    if options.cache is None:
        report["left_out"].append("benign sets: no --cache")
        return []
    downloads = Downloads(options.cache)
    if options.fetch:
        downloads.fetch()
    report["sources"] = downloads.digests()
    with background(downloads) as permitted:
        report["background"] = {
            "documents": permitted.info().documents,
            "tokens": permitted.info().tokens,
        }
        for tokens in size.protected:
            documents = protected(downloads, options.data, tokens)
            sets = probes(downloads, options.data, documents, size.probes)
            with _indexed(documents) as index:
                texts = {document.id: document.text for document in documents}
                for excused, counted in enumerate(count_alarms(index, permitted, texts, sets)):
                    report["alarms"].append(
                        {
                            "tokens": index.info().tokens,
                            "background": bool(excused),
                            "sets": [one.to_dict() for one in counted],
                        }
                    )
                    _keep_hits(report["hits"], counted, bool(excused))
    report["precision"] = precision(one for a in report["alarms"][-2:-1] for one in a["sets"])
    return []


def _keep_hits(hits: list[dict[str, Any]], counted: Iterable[Alarms], is_excused: bool) -> None:
    """Those not yet there; each says whether the background left it."""
    known = {hit["key"]: hit for hit in hits}
    for hit in (hit for one in counted for hit in one.hits):
        if hit.key in known:
            known[hit.key]["left"] |= is_excused
        else:
            hits.append(hit.to_dict() | {"left": is_excused})


def _cases(options: argparse.Namespace, size: Size, report: dict[str, Any]) -> list[Cell]:
    if options.data is None:
        report["left_out"].append("copies that others made: no --data")
        return []
    for case in cases(options.data):
        note(case.title)
        with _indexed([]) as index:
            report["cases"] += [cell.to_dict() for cell in run_case(index, case)]
    return []


def _rivals(options: argparse.Namespace, size: Size, report: dict[str, Any]) -> list[Cell]:
    texts = prose(options.data, options.part)
    pairs = [
        Pair(f"{name}, {strength:g}", trial)
        for name, _, strength, trials in _chosen(texts, _COMPARED, MAIN_LENGTH, size.pairs)
        for trial in trials
    ]
    unrelated = _unrelated(options, texts)
    with _indexed(_documents(texts.protected)) as index:
        found = compared(index, prose_engines(texts.protected), pairs, unrelated)
    title = f"Side by side: prose, {MAIN_LENGTH} words copied, {len(unrelated)} unrelated texts"
    report["rivals"].append({"title": title, "rows": found})

    every, functions = _library(size)
    chosen = sample(functions, size.pairs, options.part, seed=2)
    documents = {name: every[name] for name in sorted({f.document for f in chosen})}
    with _indexed(_documents(documents)) as index:
        _, tried = run_python(index, documents, functions, chosen)
        code_pairs = [Pair(name, trial) for name, trial in tried if name in _CODE_COMPARED]
        strangers = _strangers(options, functions, documents)
        found = compared(index, code_engines(documents), code_pairs, strangers)
    title = f"Side by side: Python, {len(chosen)} functions, {len(strangers)} unrelated ones"
    report["rivals"].append({"title": title, "rows": found})
    return []


def _unrelated(options: argparse.Namespace, texts: Prose) -> list[str]:
    """Pieces of 200 words of the carriers, and of the Bible where the folder has one."""
    pieces = [
        " ".join(words[at : at + 200])
        for words in texts.carriers
        for at in range(0, len(words) - 200, 200)
    ]
    if options.data is not None:
        verses = rows(options.data / "bible-verses" / "dev_ot_kjv_asv.jsonl.gz")
        words = " ".join(row["KJV"] for row in verses).split()
        pieces += [" ".join(words[at : at + 200]) for at in range(0, len(words) - 200, 1000)]
    return pieces


def _strangers(
    options: argparse.Namespace, functions: Sequence[Function], documents: Documents
) -> list[str]:
    """Functions of other packages, or where there are none of other modules."""
    if options.data is not None:
        return [row["code"] for row in rows(options.data / "py-unrelated" / "dev.jsonl.gz")]
    others = [f.text for f in functions if f.document not in documents]
    others = [text for text in others if len(text) > 5 * LEAST_TOKENS]
    return random.Random(1).sample(others, min(300, len(others)))


_RUNS = {
    "prose": _prose,
    "code": _code,
    "alarms": _alarms,
    "cases": _cases,
    "rivals": _rivals,
}


if __name__ == "__main__":
    main()
