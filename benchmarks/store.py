"""What a large index costs: to build, open, search, merge and change, in time and in memory.

    python benchmarks/store.py [--tokens 100000000] [--memory 512] [--corpus TEXTS...] [--work DIR]

Documents of some 2,000 words are drawn by a word-level Markov chain of order 2 over the corpus
(tests/data/books by default), in which a part of the rarer words is replaced by made-up ones with
Zipf's frequencies, so that documents share words and turns of phrase and not passages. They are
written to a file first and read from it, so that building is timed alone.

Every measurement is made in a process of its own. Memory is that of the kernel's accounts
(VmHWM, /proc/self/smaps_rollup), beside that of a process that has only imported dedup.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from dedup import Document, Index, Key

ROOT = Path(__file__).resolve().parent.parent
KEY = Key(bytes.fromhex("3f9c51e07ad2864bb81e6d05c7f42a93"))
SEGMENTS = 8
DOCUMENT_WORDS = 2000
QUERY_WORDS, COPIED_WORDS = 200, 60
CHAINS = 1024
MADE_UP = 400_000
COMMON = 150  # so many of the commonest words are never replaced
REPLACED = 0.8
MIB = 1 << 20

# ---- texts ---------------------------------------------------------------------------------------


def words_of(corpus: Sequence[Path]) -> list[str]:
    files = [
        file
        for path in corpus
        for file in (sorted(path.rglob("*.txt")) if path.is_dir() else [path])
    ]
    return " ".join(file.read_text("utf-8") for file in files).split()


def texts(corpus: Sequence[Path], seed: int, size: int) -> Iterator[str]:
    """Documents of `size` words without end, `CHAINS` at a time."""
    rng = np.random.default_rng(seed)
    vocabulary, text = np.unique(words_of(corpus), return_inverse=True)
    text = np.append(text, text[:2])  # a ring, so that every pair is followed by something
    pairs = text[:-1].astype(np.int64) * len(vocabulary) + text[1:]
    order = np.argsort(pairs, kind="stable")
    _, own, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    frequency = np.bincount(text)
    is_rare = frequency < np.sort(frequency)[::-1][: COMMON + 1][-1]
    # Made-up words: the beginning of one and the end of another, all different.
    stems = np.array([word.strip(".,;:!?\"'()-_") for word in vocabulary])
    made_up = [
        f"{stems[a][:4]}{stems[b][-4:]}{'' if n < MADE_UP // 4 else n % 97}"
        for n, (a, b) in enumerate(np.random.default_rng(0).integers(0, len(stems), (MADE_UP, 2)))
    ]
    words = [*vocabulary.tolist(), *made_up]
    at = rng.integers(0, len(pairs) - 1, CHAINS)
    while True:
        out = np.empty((size, CHAINS), np.int64)
        for step in range(size):
            pair = own[at]
            chosen = starts[pair] + (rng.random(CHAINS) * counts[pair]).astype(np.int64)
            at = (order[chosen] + 1) % (len(pairs) - 1)
            out[step] = text[at + 1]
        replaced = is_rare[out] & (rng.random(out.shape) < REPLACED)
        ranks = np.exp(rng.random(int(replaced.sum())) * np.log(MADE_UP)).astype(np.int64) - 1
        out[replaced] = len(vocabulary) + ranks
        for document in out.T:
            yield " ".join(itemgetter(*document.tolist())(words))


def write_texts(path: Path, corpus: Sequence[Path], tokens: int) -> tuple[int, float]:
    """Documents parted by NUL; how many bytes, and in how many seconds."""
    size, documents, started = 0, 0, time.perf_counter()
    with path.open("wb") as file:
        for text in texts(corpus, 1, DOCUMENT_WORDS):
            size += file.write(text.encode() + b"\0") - 1
            documents += 1
            if documents * DOCUMENT_WORDS >= tokens:
                break
    return size, time.perf_counter() - started


def read_texts(path: Path) -> Iterator[str]:
    rest = b""
    with path.open("rb", buffering=0) as file:
        while part := file.read(MIB):
            *whole, rest = (rest + part).split(b"\0")
            for text in whole:
                yield text.decode()


# ---- steps, each in a process of its own ---------------------------------------------------------


def memory() -> dict[str, float]:
    """Of this process, in MiB."""
    fields = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        fields[name] = int(value.split()[0]) / 1024
    return {
        "rss": fields["Rss"],
        "pss": fields["Pss"],
        "private": fields["Private_Clean"] + fields["Private_Dirty"],
        "anonymous": fields["Anonymous"],
    }


def peak() -> float:
    """The most this process had in memory, in MiB.

    Not ru_maxrss, which a process takes over from the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def step_nothing() -> dict[str, Any]:
    return {**memory(), "peak": peak()}


def step_build(folder: str, source: str, documents: int, memory_bytes: int) -> dict[str, Any]:
    """Eight commits; the time is that of add and commit."""
    queue = read_texts(Path(source))
    spent, number, processor = 0.0, 0, time.process_time()
    with Index.create(folder, key=KEY) as index:
        for part in range(SEGMENTS):
            end = documents * (part + 1) // SEGMENTS
            while number < end:
                batch = [
                    Document(f"document-{n:08}", next(queue), corpus=f"corpus-{n % 7}")
                    for n in range(number, min(number + 1000, end))
                ]
                number += len(batch)
                started = time.perf_counter()
                index.add(batch, memory_bytes=memory_bytes)
                spent += time.perf_counter() - started
            started = time.perf_counter()
            index.commit()
            spent += time.perf_counter() - started
        processor = time.process_time() - processor  # of reading the texts as well
        info = index.info()
    return {
        "seconds": spent,
        "processor": processor,
        "peak": peak(),
        "tokens": info.tokens,
        "segments": info.segments,
        "bytes_per_token": info.bytes_per_token,
    }


def step_merge(folder: str) -> dict[str, Any]:
    with Index.open(folder, key=KEY, writable=True) as index:
        started, processor = time.perf_counter(), time.process_time()
        index.merge()
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
        info = index.info()
    return {
        "seconds": seconds,
        "processor": processor,
        "peak": peak(),
        "segments": info.segments,
        "bytes": info.bytes,
    }


def step_open(folder: str, query: str) -> dict[str, Any]:
    """The first open and the first search of a process, and a second search."""
    times = [(time.perf_counter(), time.process_time())]
    index = Index.open(folder, key=KEY)
    times.append((time.perf_counter(), time.process_time()))
    for _ in range(2):
        index.search(query)
        times.append((time.perf_counter(), time.process_time()))
    opened, first, second = np.diff(times, axis=0).tolist()
    return {"open": opened, "first": first, "second": second}


def step_verify(folder: str) -> dict[str, Any]:
    index = Index.open(folder, key=KEY)
    started = time.perf_counter()
    index.verify()
    return {"seconds": time.perf_counter() - started}


def step_read(folder: str, queries: str) -> dict[str, Any]:
    """A thousand searches; then waits to be told that the other readers are done as well."""
    index = Index.open(folder, key=KEY)
    asked = Path(queries).read_text().split("\0")
    started, found = time.process_time(), 0
    for query in asked:
        found += bool(index.search(query))
    seconds = time.process_time() - started
    print("done", flush=True)
    sys.stdin.readline()
    return {**memory(), "seconds": seconds, "found": found, "searches": len(asked)}


def step_change(folder: str, queries: str, commits: int) -> dict[str, Any]:
    """Small commits, each taken up by a reader."""
    texts = Path(queries).read_text().split("\0")
    times: dict[str, list[float]] = {"add": [], "remove": [], "reload": []}

    def timed(name: str, call: Callable[[], object]) -> None:
        started = time.perf_counter()
        call()
        times[name].append(time.perf_counter() - started)

    with Index.open(folder, key=KEY, writable=True) as index:
        reader = Index.open(folder, key=KEY)
        for number in range(commits):
            new = Document(f"new-{number}", texts[number % len(texts)] + f" {number}")

            def add(document: Document = new) -> None:
                index.add([document])
                index.commit()

            timed("add", add)
            timed("reload", reader.reload)
        for number in range(commits):

            def remove(id: str = f"document-{7 * number:08}") -> None:
                if index.remove(document=id) != 1:
                    raise AssertionError(id)
                index.commit()

            timed("remove", remove)
            timed("reload", reader.reload)
    return {**times, "peak": peak()}


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "nothing": step_nothing,
    "build": step_build,
    "merge": step_merge,
    "open": step_open,
    "verify": step_verify,
    "read": step_read,
    "change": step_change,
}


def start(name: str, **arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--step", name, json.dumps(arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate("go on\n")
    if process.returncode != 0:
        raise SystemExit(f"{process.args}: exit status {process.returncode}")
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


def run(name: str, **arguments: Any) -> dict[str, Any]:
    """A step's answer, and ``own``: the most memory of its own, without mapped files, in MiB.

    The kernel keeps no such peak, so it is looked at every few milliseconds.
    """
    process, most = start(name, **arguments), 0.0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            most = max(most, int(status.read_text().split("RssAnon:")[1].split()[0]) / 1024)
        except (OSError, IndexError):
            break  # it has just ended
        time.sleep(0.005)
    return {**result(process), "own": most}


# ---- figures -------------------------------------------------------------------------------------


def forget(folder: Path) -> None:
    """Drop the folder's files from the page cache."""
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def size_of(folder: Path) -> float:
    """In MiB."""
    return sum(file.stat().st_size for file in folder.iterdir()) / MIB


def ms(values: Sequence[float]) -> str:
    """Median and 99th of a hundred, in milliseconds."""
    high = float(np.percentile(values, 99))
    return f"{1e3 * statistics.median(values):.2f} / {1e3 * high:.2f}"


def both(values: Sequence[Sequence[float]]) -> str:
    """Of pairs of time passed and processor time."""
    return f"{ms([one[0] for one in values])}; processor {ms([one[1] for one in values])}"


def machine() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{os.cpu_count()} x {line.split(':')[1].strip()}"
    return platform.machine()


def report(options: argparse.Namespace, work: Path) -> Iterator[tuple[str, str]]:
    """Rows of the table, as they are measured."""
    source, queries = work / "texts", work / "queries"
    documents = -(-options.tokens // DOCUMENT_WORDS)
    size, seconds = write_texts(source, options.corpus, options.tokens)
    yield (
        "texts",
        f"{size / 1e6:.0f} MB, {documents:,} documents; drawn at {size / seconds / 1e6:.0f} MB/s",
    )

    bare = run("nothing")
    parts = work / "parts"
    built = run(
        "build",
        folder=str(parts),
        source=str(source),
        documents=documents,
        memory_bytes=options.memory * MIB,
    )
    yield "words", f"{built['tokens']:,}"
    rate = size / built["seconds"] / 1e6
    yield (
        "build",
        f"{rate:.1f} MB/s, {built['seconds']:.1f} s; processor {built['processor']:.1f} s",
    )
    yield "index", f"{size_of(parts):.0f} MiB, {built['bytes_per_token']:.2f} bytes a word"
    yield (
        "build, peak memory",
        f"{built['peak']:.0f} MiB, without mapped files {built['own']:.0f}; import dedup takes "
        f"{bare['peak']:.0f} and {bare['anonymous']:.0f}; bound {options.memory}",
    )
    clean = texts(options.corpus, 2, QUERY_WORDS)
    copied = read_texts(source)
    asked = []
    for number in range(1000):
        query = next(clean)
        if number % 4 == 0:
            passage = " ".join(next(copied).split()[500 : 500 + COPIED_WORDS])
            query = f"{query[: len(query) // 2]} {passage} {query[len(query) // 2 :]}"
        asked.append(query)
    queries.write_text("\0".join(asked))
    source.unlink()

    merged = work / "merged"
    shutil.copytree(parts, merged)
    forget(merged)
    again = run("merge", folder=str(merged))
    rate = again["bytes"] / again["seconds"] / MIB
    yield (
        f"merge {built['segments']} segments to {again['segments']}",
        f"{again['seconds']:.1f} s, processor {again['processor']:.1f} s, {rate:.0f} MiB/s, peak "
        f"memory {again['peak']:.0f} MiB, without mapped files {again['own']:.0f}",
    )

    for folder, segments in ((merged, again["segments"]), (parts, built["segments"])):
        name = f"{segments} segment{'s' if segments > 1 else ''}"
        forget(folder)
        cold = run("open", folder=str(folder), query=asked[1])
        run("verify", folder=str(folder))  # all of it is in memory now, if memory holds it
        warm = [run("open", folder=str(folder), query=asked[1]) for _ in range(options.opens)]
        yield (
            f"{name}: open, ms, p50 / p99 of {options.opens} processes",
            both([one["open"] for one in warm]),
        )
        yield f"{name}: open, nothing cached, ms", f"{1e3 * cold['open'][0]:.2f}"
        yield (
            f"{name}: first search, second search, ms, p50 / p99",
            f"{both([one['first'] for one in warm])}, {both([one['second'] for one in warm])}",
        )
        yield f"{name}: first search, nothing cached, ms", f"{1e3 * cold['first'][0]:.1f}"
        yield f"{name}: verify", f"{run('verify', folder=str(folder))['seconds']:.2f} s"
        for readers in (1, 4):
            started = [
                start("read", folder=str(folder), queries=str(queries)) for _ in range(readers)
            ]
            for process in started:
                if process.stdout is None or process.stdout.readline() != "done\n":
                    raise SystemExit("a reader failed")
            # All have searched; each measures itself before any of them ends.
            answers = results_together(started)
            mean = {key: statistics.mean(one[key] for one in answers) for key in answers[0]}
            over = {key: mean[key] - bare[key] for key in memory()}
            yield (
                f"{name}: memory of a reader after {len(asked):,} searches, {readers} at once",
                f"Pss {over['pss']:.1f} MiB, Rss {over['rss']:.1f}, private {over['private']:.1f}, "
                f"of which anonymous {over['anonymous']:.1f}; mapping {size_of(folder):.0f} MiB",
            )
            yield (
                f"{name}: a search, ms of processor, {readers} at once",
                f"{1e3 * mean['seconds'] / mean['searches']:.3f}; "
                f"{mean['found']:.0f} of {mean['searches']:.0f} found something",
            )
    for folder, segments in ((merged, again["segments"]), (parts, built["segments"])):
        name = f"{segments} segment{'s' if segments > 1 else ''}"
        changed = run("change", folder=str(folder), queries=str(queries), commits=options.commits)
        yield f"{name}: commit of one document more, ms, p50 / p99", ms(changed["add"])
        yield f"{name}: commit of one document less, ms, p50 / p99", ms(changed["remove"])
        yield f"{name}: reload, ms, p50 / p99", ms(changed["reload"])


def results_together(processes: Sequence[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    for process in processes:
        if process.stdin is not None:
            process.stdin.write("go on\n")
            process.stdin.flush()
    lines = [process.stdout.readline() if process.stdout else "" for process in processes]
    for process in processes:
        process.communicate()
    return [json.loads(line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokens", type=int, default=10**8, help="words, in round numbers")
    parser.add_argument("--memory", type=int, default=512, help="MiB, the bound given to add")
    parser.add_argument("--corpus", type=Path, nargs="+", default=[ROOT / "tests/data/books"])
    parser.add_argument("--work", type=Path, help="where the temporary folder is made")
    parser.add_argument("--opens", type=int, default=50)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tokens < 10**6:
        parser.error("--tokens: at least 1000000, so that there are documents to copy from")
    if options.step:
        name, arguments = options.step
        print(json.dumps(STEPS[name](**json.loads(arguments))), flush=True)
        if name == "read":
            sys.stdin.readline()  # the others are measured while this one is still there
        return
    print(f"`python benchmarks/store.py --tokens {options.tokens} --memory {options.memory}`")
    print(f"on {machine()}, Python {platform.python_version()}\n\n| | |\n|---|---|", flush=True)
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        for name, value in report(options, Path(work)):
            print(f"| {name} | {value} |", flush=True)


if __name__ == "__main__":
    main()
