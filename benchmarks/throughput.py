"""How fast does text become a 128-slot signature, against datasketch and rensa?

    python benchmarks/throughput.py --text PATH... [--json OUT]

Every row takes the same documents as str and gives a signature for each, on one thread; what a
library needs done in Python first (shingling) is inside its time. Rows take turns, round after
round, and a ratio is the median over the rounds of that of the two times, so that a busy machine
disturbs both sides alike. Time is CPU time of the thread.

Speed can be bought with recall, so the same table says how good the signatures are: the root mean
square error of the estimated Jaccard similarity, over pairs of a document and an edited copy,
beside the error that 128 independent slots would have. ``equal`` says whether a row that has to
give datasketch's slots does, on every document.

Shingles are five words, ``\\w+`` in lower case. The floor is floor.cpp, built by the machine's
compiler for the machine: its words are ASCII, and it checks nothing.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasketch
import numpy as np
import rensa
import xxhash
from numpy.typing import NDArray

from dedup import _core
from dedup.fingerprint import SchemeName, SignatureScheme, TokenHash, signature, signatures
from dedup.source import SourceProblem, read_sources

NUM_PERM = 128
SHINGLE_SIZE = 5
SEED = 1

DATASKETCH = "datasketch affine32, SHA-1 (default)"
DATASKETCH_LEGACY = "datasketch legacy, SHA-1"
RENSA = "rensa R-MinHash, digest matrix"
FLOOR = "C++ floor"


@dataclass(frozen=True)
class Row:
    """One way to make signatures of texts.

    ``make`` is timed; ``to_array`` makes its result comparable, shape (texts, NUM_PERM).
    ``equals`` is the row whose slots these have to be; ``goals`` are rows and how many times as
    fast as them this one has to be.
    """

    label: str
    make: Callable[[Sequence[str]], Any]
    to_array: Callable[[Any], NDArray[Any]] = np.asarray
    equals: str = ""
    goals: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What was measured of a row; ``ratios`` say how many times as fast as other rows it is."""

    label: str
    megabytes_per_s: float
    documents_per_s: float
    ratios: dict[str, float]
    rms_error: float | None
    is_equal: bool | None
    goals: dict[str, float]


def word_shingles(text: str) -> list[str]:
    """Five-word shingles, in the fastest form found that is still plain Python."""
    words = re.findall(r"\w+", text.lower())
    shifted = [words[start:] for start in range(SHINGLE_SIZE)]
    return list(map(" ".join, zip(*shifted, strict=False)))


def ours(name: SchemeName, token_hash: TokenHash | None = None) -> Callable[[Sequence[str]], Any]:
    scheme = SignatureScheme(name, NUM_PERM, SEED, SHINGLE_SIZE, token_hash or "")
    return lambda texts: signatures(texts, scheme).values


def of_datasketch(
    scheme: str, hashfunc: Callable[[bytes], int] | None = None
) -> Callable[[Sequence[str]], Any]:
    def make(texts: Sequence[str]) -> Any:
        shingles = ([shingle.encode() for shingle in word_shingles(text)] for text in texts)
        return list(
            datasketch.MinHash.generator(
                shingles, num_perm=NUM_PERM, seed=SEED, hashfunc=hashfunc, scheme=scheme
            )
        )

    return make


def of_rensa(function: Callable[..., Any]) -> Callable[[Sequence[str]], Any]:
    return lambda texts: function([word_shingles(text) for text in texts], NUM_PERM, SEED)


def of_floor(folder: str) -> Callable[[Sequence[str]], Any]:
    here = Path(__file__).parent
    core = here.parent / "csrc"
    library = str(Path(folder) / "floor.so")
    command = [os.environ.get("CXX", "c++"), "-std=c++20", "-O3", "-march=native", "-fPIC"]
    command += ["-shared", f"-I{core}", str(here / "floor.cpp"), str(core / "hash.cpp")]
    subprocess.run([*command, "-o", library], check=True)
    function = ctypes.CDLL(library).floor_signatures
    function.restype = None
    drawn = np.random.RandomState(SEED)
    a = drawn.randint(0, 2**31, NUM_PERM, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = drawn.randint(0, 2**32, NUM_PERM, dtype=np.uint32)

    def make(texts: Sequence[str]) -> Any:
        encoded = [text.encode() for text in texts]
        pointers = (ctypes.c_char_p * len(encoded))(*encoded)
        sizes = (ctypes.c_uint64 * len(encoded))(*map(len, encoded))
        values = np.empty((len(encoded), NUM_PERM), np.uint32)
        arrays = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, values)]
        function(pointers, sizes, ctypes.c_size_t(len(encoded)), *arrays)
        return values

    return make


def rows_to_measure(folder: str) -> list[Row]:
    def slots(minhashes: Any) -> NDArray[Any]:
        return np.array([minhash.hashvalues for minhash in minhashes])

    xxh32 = xxhash.xxh32_intdigest
    rows = [
        Row("dedup32", ours("dedup32"), goals={RENSA: 15, DATASKETCH: 60, FLOOR: 0.4}),
        Row(
            "dedup32, one text a call",
            lambda texts: [signature(text) for text in texts],
            lambda made: np.array([one.values for one in made]),
        ),
        Row("dedup affine32, SHA-1", ours("affine32"), equals=DATASKETCH, goals={DATASKETCH: 25}),
        Row(
            "dedup affine32, xxh32",
            ours("affine32", "xxh32"),
            equals="datasketch affine32, xxh32",
        ),
        Row("dedup affine64, SHA-1", ours("affine64"), equals="datasketch affine64, SHA-1"),
        Row(
            "dedup legacy, SHA-1",
            ours("legacy"),
            equals=DATASKETCH_LEGACY,
            goals={DATASKETCH_LEGACY: 15},
        ),
        Row(DATASKETCH, of_datasketch("affine32"), slots),
        Row("datasketch affine32, xxh32", of_datasketch("affine32", xxh32), slots),
        Row("datasketch affine64, SHA-1", of_datasketch("affine64"), slots),
        Row(DATASKETCH_LEGACY, of_datasketch("legacy"), slots),
        Row(
            RENSA,
            of_rensa(rensa.RMinHash.digest_matrix_from_token_sets),
            lambda matrix: np.array(matrix.to_rows()),
        ),
        Row(
            "rensa C-MinHash, 64 bit",
            of_rensa(rensa.CMinHash.digests64_from_token_sets),
            lambda digests: np.array(digests, np.uint64),
        ),
        Row("Python shingling alone", lambda texts: [word_shingles(text) for text in texts]),
    ]
    if _core.avx2():
        rows.append(Row(FLOOR, of_floor(folder)))
    return rows


def documents(paths: Sequence[str], document_characters: int, megabytes: float) -> list[str]:
    """The first ``megabytes`` of the sources, cut into documents of about equal length."""
    pieces: list[str] = []
    left_bytes = megabytes * 1e6
    for document in read_sources(paths):
        if isinstance(document, SourceProblem):
            raise SystemExit(f"cannot read {document}")
        text = document.text
        start = 0
        while start < len(text) and left_bytes > 0:
            end = text.find(" ", start + document_characters)
            piece = text[start : end if end >= 0 else len(text)]
            pieces.append(piece)
            start += len(piece)
            left_bytes -= len(piece.encode())
    if len(pieces) < 2:
        raise SystemExit("the sources hold less than two documents")
    return pieces


def edited_pairs(texts: Sequence[str]) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Documents, copies of them with 0 to 20 % of the words replaced, and their true Jaccard."""
    drawn = random.Random(SEED)
    originals = drawn.sample(list(texts), min(400, len(texts)))
    copies = []
    for text in originals:
        share = drawn.uniform(0.0, 0.2)
        copies.append(
            " ".join(
                f"edit{drawn.randrange(10**6)}" if drawn.random() < share else word
                for word in text.split(" ")
            )
        )
    true = []
    for left, right in zip(originals, copies, strict=True):
        one, other = set(word_shingles(left)), set(word_shingles(right))
        true.append(len(one & other) / max(1, len(one | other)))
    return originals, copies, np.array(true)


def rms_error(row: Row, pairs: tuple[list[str], list[str], NDArray[np.float64]]) -> float | None:
    originals, copies, true = pairs
    left, right = row.to_array(row.make(originals)), row.to_array(row.make(copies))
    estimate = np.mean(left == right, axis=1)
    return float(np.sqrt(np.mean((estimate - true) ** 2)))


def measure(rows: list[Row], texts: list[str], rounds: int) -> list[Result]:
    seconds: dict[str, list[float]] = {row.label: [] for row in rows}
    for _ in range(rounds):
        for row in rows:
            # A str keeps its UTF-8 once asked for; new ones each time, so that nobody profits.
            fresh = [text.encode().decode() for text in texts]
            gc.collect()
            started = time.thread_time()
            made = row.make(fresh)
            seconds[row.label].append(time.thread_time() - started)
            del made
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    pairs = edited_pairs(texts)
    slots = {row.label: row.to_array(row.make(texts)) for row in rows if "Python" not in row.label}
    results = []
    for row in rows:
        median = statistics.median(seconds[row.label])
        references = {DATASKETCH, RENSA, FLOOR, *row.goals} & seconds.keys()
        results.append(
            Result(
                label=row.label,
                megabytes_per_s=megabytes / median,
                documents_per_s=len(texts) / median,
                ratios={
                    other: statistics.median(
                        theirs / own
                        for theirs, own in zip(seconds[other], seconds[row.label], strict=True)
                    )
                    for other in sorted(references)
                },
                rms_error=rms_error(row, pairs) if row.label in slots else None,
                is_equal=np.array_equal(slots[row.label], slots[row.equals])
                if row.equals
                else None,
                goals=row.goals,
            )
        )
    return results


def as_markdown(results: list[Result], expected_error: float) -> str:
    lines = [
        "| row | MB/s | documents/s | x datasketch default | x rensa R-MinHash "
        f"| RMS error (128 slots: {expected_error:.4f}) | equal |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        cells = [
            result.label,
            f"{result.megabytes_per_s:.1f}",
            f"{result.documents_per_s:,.0f}",
            f"{result.ratios[DATASKETCH]:.1f}",
            f"{result.ratios[RENSA]:.1f}",
            "-" if result.rms_error is None else f"{result.rms_error:.4f}",
            "-" if result.is_equal is None else "yes" if result.is_equal else "NO",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| goal | wanted | measured | |", "|---|---|---|---|"]
    for result in results:
        for other, wanted in result.goals.items():
            if other in result.ratios:
                measured = result.ratios[other]
                verdict = "met" if measured >= wanted else "MISSED"
                lines.append(
                    f"| {result.label} / {other} | {wanted:g} x | {measured:.2f} x | {verdict} |"
                )
    return "\n".join(lines)


def machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    bodies = [name for name, has in (("AVX2", _core.avx2()), ("SHA-NI", _core.sha_ni())) if has]
    return f"{model} ({', '.join(bodies) or 'portable bodies'}), Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--text", nargs="+", required=True, metavar="PATH")
    parser.add_argument("--megabytes", type=float, default=2.0, help="how much of it (default 2)")
    parser.add_argument("--document-characters", type=int, default=3400, metavar="N")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here as well")
    arguments = parser.parse_args()

    texts = documents(arguments.text, arguments.document_characters, arguments.megabytes)
    with tempfile.TemporaryDirectory() as folder:
        results = measure(rows_to_measure(folder), texts, arguments.rounds)
    true = edited_pairs(texts)[2]
    expected = float(np.sqrt(np.mean(true * (1 - true) / NUM_PERM)))
    facts = {
        "machine": machine(),
        "versions": {name: version(name) for name in ("dedup", "datasketch", "rensa", "numpy")},
        "command": " ".join(["python", *sys.argv]),
        "bytes": sum(len(text.encode()) for text in texts),
        "documents": len(texts),
        "ascii_documents": sum(text.isascii() for text in texts),
        "expected_error": expected,
    }
    print(", ".join(f"{key}: {value}" for key, value in facts.items()), end="\n\n")
    print(as_markdown(results, expected))
    if arguments.json:
        results_as_dicts = [asdict(result) for result in results]
        arguments.json.write_text(json.dumps({**facts, "results": results_as_dicts}, indent=2))
    failed = [result.label for result in results if result.is_equal is False]
    if failed:
        raise SystemExit(f"not equal to datasketch: {', '.join(failed)}")


if __name__ == "__main__":
    main()
