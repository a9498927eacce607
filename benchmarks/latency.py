"""What it costs to check a 200-word output, beside datasketch and rensa, from Python.

    python benchmarks/latency.py BOOKS... --queries SPEECHES

All index the same texts: dedup as it does, the others 200-word windows at stride 120, threshold
0.7, 128 permutations, 5-word shingles made in Python (`\\w+`, lower case). Thread CPU time, the
libraries taking turns query by query, so that noise meets all alike.
"""

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import xxhash
from datasketch import MinHash, MinHashLSH
from rensa import RMinHash, RMinHashLSH

from dedup import (
    Document,
    Filter,
    Index,
    Key,
    views,  # noqa: F401  loaded once, on the first text: not part of the rate
)
from dedup.source import read_sources

WINDOW, STRIDE, PERMUTATIONS, THRESHOLD = 200, 120, 128, 0.7


def shingles(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[i : i + 5]) for i in range(len(words) - 4)]


def xxh32(data: bytes) -> int:
    return xxhash.xxh32_intdigest(data)


def datasketch_signature(text: str, hashfunc: Callable[[bytes], int] | None) -> MinHash:
    options = {"hashfunc": hashfunc} if hashfunc else {}
    signature = MinHash(num_perm=PERMUTATIONS, **options)
    signature.update_batch([shingle.encode() for shingle in shingles(text)])
    return signature


def rensa_signature(text: str) -> RMinHash:
    signature = RMinHash(num_perm=PERMUTATIONS, seed=42)
    signature.update(shingles(text))
    return signature


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("protected", nargs="+", type=Path)
    parser.add_argument("--queries", nargs="+", type=Path, required=True)
    parser.add_argument("--count", type=int, default=400)
    options = parser.parse_args()
    documents = [d for d in read_sources(options.protected) if isinstance(d, Document)]
    texts = [d.text.split() for d in read_sources(options.queries) if isinstance(d, Document)]
    queries = [
        " ".join(words[at : at + WINDOW])
        for words in texts
        for at in range(0, len(words) - WINDOW, WINDOW)
    ][: options.count]
    windows = [
        " ".join(words[at : at + WINDOW])
        for words in (document.text.split() for document in documents)
        for at in range(0, max(1, len(words) - WINDOW), STRIDE)
    ]
    copied = documents[0].text.split()[1000:1060]
    planted = [" ".join([*q.split()[:70], *copied, *q.split()[70:140]]) for q in queries]

    sketch_lsh = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    slow_lsh = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    rensa_lsh = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=16)
    for number, window in enumerate(windows):
        sketch_lsh.insert(number, datasketch_signature(window, xxh32))
        slow_lsh.insert(number, datasketch_signature(window, None))
        rensa_lsh.insert(number, rensa_signature(window))

    with tempfile.TemporaryDirectory() as folder:
        checks, info, built, opened = {}, None, 0.0, 0.0
        for name, key in (("without a key", None), ("keyed", Key(bytes(range(16))))):
            path = Path(folder) / name
            start = time.perf_counter()
            with Index.create(path, key=key) as index:
                index.add(documents)
                index.commit()
            built = time.perf_counter() - start
            start = time.perf_counter()
            index = Index.open(path, key=key)
            opened = time.perf_counter() - start
            info = index.info()
            checks[name] = Filter(index).check
            checks[name](queries[0])
        ways: dict[str, Callable[[str], object]] = {
            "dedup, clean output": checks["keyed"],
            "dedup, output with a 60-word copy": checks["keyed"],
            "dedup without a key, clean output": checks["without a key"],
            "dedup without a key, output with a 60-word copy": checks["without a key"],
            "rensa R-MinHash": lambda q: rensa_lsh.query(rensa_signature(q)),
            "datasketch, xxh32": lambda q: sketch_lsh.query(datasketch_signature(q, xxh32)),
            "datasketch, default": lambda q: slow_lsh.query(datasketch_signature(q, None)),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for clean, copy in zip(queries, planted, strict=True):
            for name, way in ways.items():
                query = copy if "copy" in name else clean
                start = time.thread_time()
                way(query)
                times[name].append(1e6 * (time.thread_time() - start))
        size = sum(len(document.text.encode()) for document in documents) / 1e6
        print(
            f"{info.tokens:,} protected tokens in {len(windows):,} windows; "
            f"{len(queries)} queries of {WINDOW} words\n"
        )
        print("| | p50 us | p99 us | p50 against dedup |\n|---|---|---|---|")
        base = statistics.median(times["dedup, clean output"])
        for name, values in times.items():
            middle = statistics.median(values)
            print(
                f"| {name} | {middle:.1f} | {statistics.quantiles(values, n=100)[98]:.1f} | "
                f"{middle / base:.1f} x |"
            )
        print(
            f"\nindex {info.bytes_per_token:.2f} bytes a token; built at {size / built:.0f} MB/s; "
            f" opened in {1e3 * opened:.1f} ms"
        )


if __name__ == "__main__":
    main()
