"""How well and how fast repeats within a corpus are found, beside text-dedup and datatrove.

    python benchmarks/repeats.py accuracy TEXTS [--text-dedup PYTHON] [--datatrove PYTHON]
    python benchmarks/repeats.py speed TEXTS [--megabytes 100] [--processes 1] [the same]
    python benchmarks/repeats.py passages TEXTS [--megabytes 20]

TEXTS is JSON lines with ``id`` and ``text``, as ``benchmarks/corpora.py`` makes them. The rivals
run with a Python of their own, as their dependencies clash with ours:

    python3 -m venv td && td/bin/pip install --no-deps text-dedup==0.4.0
    td/bin/pip install 'datasets<4' click click-option-group ftfy regex scipy bitarray
    td/bin/pip install 'numpy<2' psutil rich xxhash zstandard fire pybloom-live
    python3 -m venv dt && dt/bin/pip install 'datatrove[processing]==0.10.1' spacy orjson

accuracy: real documents of 100 to 3,000 words, of each some copies edited at a rate of 0 to 20 %
(words replaced, left out, put in; sentences moved), so that all similarities occur. The truth is
exact: the Jaccard similarity of every pair, of 5-grams of words as Python's ``\\w+`` has them, and
documents joined where it reaches the threshold. Counted are pairs of documents in one cluster.

passages: the truth is the suffix array of the words (pydivsufsort): a word repeats if it stands in
50 words that occur twice, at places that do not overlap.
"""

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup import _core

ROOT = Path(__file__).resolve().parent.parent
THRESHOLDS = (0.5, 0.7, 0.8, 0.9)
RATES = (0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
MIN_TOKENS = 50
MAX_CHARACTERS = 900_000  # datatrove's tokenizer refuses longer texts

Tool = Callable[[Path, float, int], list[list[str]]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question", choices=["accuracy", "speed", "passages"])
    parser.add_argument("texts", type=Path)
    parser.add_argument("--documents", type=int, default=1500, help="originals for accuracy")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--own-words", action="store_true", help="the truth of dedup's words")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--text-dedup", metavar="PYTHON", help="the Python that has text-dedup")
    parser.add_argument("--datatrove", metavar="PYTHON", help="the Python that has datatrove")
    arguments = parser.parse_args()
    rivals = {
        name: python
        for name, python in (
            ("text_dedup", arguments.text_dedup),
            ("datatrove", arguments.datatrove),
        )
        if python
    }
    with tempfile.TemporaryDirectory() as folder:
        if arguments.question == "accuracy":
            own = arguments.own_words
            accuracy(arguments.texts, arguments.documents, rivals, Path(folder), own)
        elif arguments.question == "speed":
            speed(arguments.texts, arguments.megabytes, arguments.processes, rivals, Path(folder))
        else:
            passages(arguments.texts, arguments.megabytes, Path(folder))


# ---- texts ---------------------------------------------------------------------------------------


def documents(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield row["id"], row["text"]


def beginning(path: Path, megabytes: float) -> list[tuple[str, str]]:
    chosen, size = [], 0
    for id, text in documents(path):
        if len(text) > MAX_CHARACTERS:
            continue
        chosen.append((id, text))
        size += len(text.encode())
        if size >= megabytes * 1e6:
            break
    return chosen


def write(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    lines = (json.dumps({"id": id, "text": text}) + "\n" for id, text in rows)
    path.write_text("".join(lines), encoding="utf-8")


def edited(text: str, rate: float, rng: random.Random, vocabulary: Sequence[str]) -> str:
    """The text with some words replaced, left out or put in, and now and then a sentence moved."""
    sentences = re.split(r"(?<=[.!?\n])(?=\s)", text)
    if len(sentences) > 3 and rng.random() < rate * 5:
        sentences.insert(
            rng.randrange(len(sentences)), sentences.pop(rng.randrange(len(sentences)))
        )
    pieces = re.split(r"(\w+)", "".join(sentences))
    for at in range(1, len(pieces), 2):
        if rng.random() < rate:
            word = rng.choice(vocabulary)
            pieces[at] = rng.choice([word, "", f"{pieces[at]} {word}"])
    return "".join(pieces)


def family_corpus(path: Path, count: int) -> list[tuple[str, str]]:
    """Real documents and edited copies of them, in random order."""
    rng = random.Random(1)
    originals = []
    for id, text in documents(path):
        if 100 <= len(text.split()) <= 3000:
            originals.append((id, text))
        if len(originals) == count:
            break
    vocabulary = re.findall(r"\w+", " ".join(text for _, text in originals))
    rows = []
    for id, text in originals:
        rows.append((id, text))
        for copy in range(rng.choice([0, 1, 2, 3, 5])):
            rows.append((f"{id}#{copy}", edited(text, rng.choice(RATES), rng, vocabulary)))
    rng.shuffle(rows)
    return rows


# ---- tools ---------------------------------------------------------------------------------------


def ours(texts: Path, threshold: float, processes: int) -> list[list[str]]:
    out = texts.with_suffix(".repeats")
    command = [sys.executable, "-m", "dedup", "repeats", str(texts), "-o", str(out), "--quiet"]
    options = ["--threshold", str(threshold), "--jobs", str(processes)]
    subprocess.run([*command, *options], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    rows = map(json.loads, out.read_text().splitlines())
    return [
        [member["document"] for member in row["members"]]
        for row in rows
        if row["kind"] == "cluster"
    ]


def rival(name: str, python: str) -> Tool:
    def run(texts: Path, threshold: float, processes: int) -> list[list[str]]:
        out = texts.with_suffix(f".{name}")
        script = ROOT / "benchmarks" / "rivals" / f"{name}_rival.py"
        command = [python, str(script), str(texts), str(out), str(threshold), str(processes)]
        subprocess.run(command, check=True, capture_output=True)
        found: list[list[str]] = json.loads(out.read_text())
        return found

    return run


def measured(tool: Tool, *arguments: object) -> tuple[list[list[str]], float, float, float]:
    """What the tool gave; its seconds by the clock and of processor; its largest process, MB.

    In a process of its own, as the memory of children is told as that of the largest so far.
    """
    read, write = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        found = tool(*arguments)  # type: ignore[arg-type]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = [found, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3]
        with os.fdopen(write, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    clusters, processor, memory = json.loads(data)
    return clusters, time.monotonic() - start, processor, memory


# ---- accuracy ------------------------------------------------------------------------------------


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def similarities(
    texts: Sequence[str], words_of: Callable[[str], list[str]]
) -> dict[tuple[int, int], float]:
    """The exact Jaccard similarity of every pair that shares a 5-gram of words."""
    from scipy.sparse import csr_matrix

    numbers: dict[tuple[str, ...], int] = {}
    rows, columns = [], []
    sizes = np.zeros(len(texts))
    for row, text in enumerate(texts):
        words = words_of(text)
        grams = {tuple(words[at : at + 5]) for at in range(max(1, len(words) - 4))}
        sizes[row] = len(grams)
        rows += [row] * len(grams)
        columns += [numbers.setdefault(gram, len(numbers)) for gram in grams]
    sets = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), (len(texts), len(numbers)))
    found = {}
    for start in range(0, len(texts), 500):
        common = (sets[start : start + 500] @ sets.T).tocoo()
        one, two = common.row + start, common.col
        jaccards = common.data / (sizes[one] + sizes[two] - common.data)
        is_near = (one < two) & (jaccards >= min(THRESHOLDS))
        found.update(
            ((int(a), int(b)), float(j))
            for a, b, j in zip(one[is_near], two[is_near], jaccards[is_near], strict=True)
        )
    return found


def joined(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    parents = list(range(count))

    def find(number: int) -> int:
        while parents[number] != number:
            parents[number] = number = parents[parents[number]]
        return number

    for one, two in pairs:
        parents[find(one)] = find(two)
    clusters: dict[int, list[int]] = {}
    for number in range(count):
        clusters.setdefault(find(number), []).append(number)
    return list(clusters.values())


def pairs_in(clusters: Sequence[Sequence[int]]) -> set[tuple[int, int]]:
    return set(chain.from_iterable(combinations(sorted(cluster), 2) for cluster in clusters))


def accuracy(
    path: Path, count: int, rivals: dict[str, str], folder: Path, has_own_words: bool
) -> None:
    rows = family_corpus(path, count)
    texts = folder / "texts.jsonl"
    write(texts, rows)
    number_of = {id: number for number, (id, _) in enumerate(rows)}
    words = _core.normalised_tokens if has_own_words else words_of
    exact = similarities([text for _, text in rows], words)
    size = texts.stat().st_size / 1e6
    print(f"{len(rows):,} documents, {size:.1f} MB, of {count:,} originals\n")
    print("| threshold | true pairs | tool | pairs | precision | recall | F1 | below .05 under |")
    print("|---|---|---|---|---|---|---|---|")
    tools = {"dedup": ours, **{name: rival(name, python) for name, python in rivals.items()}}
    for threshold in THRESHOLDS:
        near = [pair for pair, jaccard in exact.items() if jaccard >= threshold]
        truth = pairs_in(joined(len(rows), near))
        for name, tool in tools.items():
            found = pairs_in(
                [[number_of[id] for id in cluster] for cluster in tool(texts, threshold, 2)]
            )
            right = len(found & truth)
            precision, recall = right / max(1, len(found)), right / max(1, len(truth))
            f1 = 2 * precision * recall / max(1e-9, precision + recall)
            far = sum(exact.get(pair, 0) < threshold - 0.05 for pair in found - truth)
            print(
                f"| {threshold} | {len(truth):,} | {name} | {len(found):,} | {precision:.4f} "
                f"| {recall:.4f} | {f1:.4f} | {far:,} |",
                flush=True,
            )


# ---- speed ---------------------------------------------------------------------------------------


def speed(
    path: Path, megabytes: float, processes: int, rivals: dict[str, str], folder: Path
) -> None:
    rows = beginning(path, megabytes)
    texts = folder / "texts.jsonl"
    write(texts, rows)
    size = sum(len(text.encode()) for _, text in rows) / 1e6
    print(f"{len(rows):,} documents, {size:.1f} MB of text, {processes} processes, load ", end="")
    print(f"{os.getloadavg()[0]:.1f}\n")
    print("| tool | s | MB/s | processor s | MB/s of processor | largest process, MB | clusters |")
    print("|---|---|---|---|---|---|---|")
    tools = {"dedup": ours, **{name: rival(name, python) for name, python in rivals.items()}}
    for name, tool in tools.items():
        clusters, seconds, processor, memory = measured(tool, texts, 0.8, processes)
        print(
            f"| {name} | {seconds:.1f} | {size / seconds:.2f} | {processor:.1f} "
            f"| {size / processor:.2f} | {memory:,.0f} | {len(clusters):,} |",
            flush=True,
        )


# ---- passages ------------------------------------------------------------------------------------


def repeated_words(texts: Sequence[str]) -> tuple[int, int]:
    """How many words there are, and how many stand in MIN_TOKENS words that occur twice."""
    from pydivsufsort import divsufsort, kasai

    words: dict[int, int] = {}
    numbers: list[int] = []
    ends: list[int] = []
    for text in texts:
        numbers += [words.setdefault(h, len(words)) for h in _core.tokenize(text)[0].tolist()]
        ends.append(len(numbers))
        numbers.append(-len(ends))  # of each end another, so that no run goes past it
    array = np.array(numbers, np.int64)
    array[array < 0] += len(words) + len(ends)
    suffixes = divsufsort(array)
    common = kasai(array, suffixes)
    # Suffixes in a row that have MIN_TOKENS words in common begin with one window.
    is_same = common[: len(suffixes) - 1] >= MIN_TOKENS
    group = np.concatenate([[0], np.cumsum(~is_same)])
    order = np.lexsort((suffixes, group))
    starts, group = suffixes[order].astype(np.int64), group[order]
    change = np.zeros(len(array) + MIN_TOKENS, np.int64)
    for places in np.split(starts, np.flatnonzero(np.diff(group)) + 1):
        taken = apart(places) if len(places) > 1 else places
        if len(taken) > 1:
            change[taken] += 1
            change[taken + MIN_TOKENS] -= 1
    return len(array) - len(ends), int(np.count_nonzero(np.cumsum(change)))


def apart(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places but for those that overlap one before that was taken."""
    if (np.diff(places) >= MIN_TOKENS).all():
        return places
    taken = [int(places[0])]
    for place in places.tolist():
        if place >= taken[-1] + MIN_TOKENS:
            taken.append(place)
    return np.array(taken)


def passages(path: Path, megabytes: float, folder: Path) -> None:
    from dedup.repeats.finding import find_repeats

    rows = beginning(path, megabytes)
    texts = folder / "texts.jsonl"
    write(texts, rows)
    size = sum(len(text.encode()) for _, text in rows) / 1e6
    start = time.process_time()
    found = find_repeats([texts], folder / "work")
    ours_s = time.process_time() - start
    start = time.process_time()
    total, repeated = repeated_words([text for _, text in rows])
    array_s = time.process_time() - start
    print(f"{len(rows):,} documents, {size:.1f} MB, {total:,} words\n")
    print("| | words in what repeats | passages | processor s |")
    print("|---|---|---|---|")
    print(f"| suffix array | {repeated:,} | | {array_s:.1f} |")
    print(
        f"| dedup repeats | {found.passages.repeated_tokens:,} | {len(found.passages):,} "
        f"| {ours_s:.1f} |"
    )


if __name__ == "__main__":
    main()
