"""What filtering a stream costs a token, and how much of a copy gets out before it is stopped.

    python benchmarks/streaming.py BOOKS... --queries SPEECHES [--code FOLDER]

The protected texts are indexed under a key. Clean text is fed by the word, by sixteen words and at
once, from Python, and checked whole beside it; then passages are planted in it, as they are and
with words replaced, and fed by the word. CPU time of one thread; the ways take turns.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from dedup import Document, Filter, Index, Key, _core
from dedup.source import read_sources

PART_TOKENS = 10_000
PARTS = 6


def feed(filter: Filter, pieces: list[str]) -> float:
    """Seconds of CPU for the pieces, the final verdict left out."""
    stream = filter.stream()
    start = time.thread_time()
    for piece in pieces:
        stream.feed(piece)
    return time.thread_time() - start


def pieces_of(words: list[str], size: int) -> list[str]:
    parts = [words[at : at + size] for at in range(0, len(words), size)]
    return [" ".join(part) + " " for part in parts]


def costs(filter: Filter, words: list[str]) -> Iterator[tuple[str, float]]:
    """Microseconds a token of each way of feeding."""
    ways = {"a word a call": 1, "16 words a call": 16, "all in one call": len(words)}
    times: dict[str, list[float]] = {name: [] for name in [*ways, "check of the whole"]}
    for _ in range(5):
        for name, size in ways.items():
            times[name].append(feed(filter, pieces_of(words, size)))
        text = " ".join(words)
        start = time.thread_time()
        filter.check(text)
        times["check of the whole"].append(time.thread_time() - start)
    for name, taken in times.items():
        yield name, 1e6 * statistics.median(taken) / len(words)


def released_words(filter: Filter, before: list[str], passage: list[str]) -> tuple[int, int]:
    """Words of a passage that got out, and the most words in a row of it, if it was blocked."""
    stream = filter.stream()
    out = "".join(stream.feed(word + " ") for word in [*before, *passage, *before])
    rest, verdict = stream.flush()
    if verdict.action != "block":
        return -1, -1
    released = len(_core.tokenize(out + rest)[0]) - len(_core.tokenize(" ".join(before))[0])
    released = min(max(0, released), len(passage))
    replaced = [i for i, word in enumerate(passage[:released]) if word == "replaced"]
    return released, max(b - a - 1 for a, b in pairwise([-1, *replaced, released]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("protected", nargs="+", type=Path)
    parser.add_argument("--queries", nargs="+", type=Path, required=True)
    parser.add_argument("--code", type=Path, help="a folder of source code, indexed beside")
    parser.add_argument("--trials", type=int, default=1000)
    options = parser.parse_args()
    books = [d for d in read_sources(options.protected) if isinstance(d, Document)]
    speeches = [d for d in read_sources(options.queries) if isinstance(d, Document)]
    words = [word for speech in speeches for word in speech.text.split()]
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        indexes = {"words": books}
        if options.code:
            code = read_sources([options.code])
            indexes["words and code"] = books + [d for d in code if isinstance(d, Document)]
        print("| index | tokens | fed | us a token |\n|---|---|---|---|")
        for name, documents in indexes.items():
            with Index.create(Path(folder) / name, key=Key(rng.randbytes(16))) as index:
                index.add(documents)
                index.commit()
                filter = Filter(index)
                tokens = f"{index.info().tokens:,}"
                for way, cost in costs(filter, words[:PART_TOKENS]):
                    print(f"| {name} | {tokens} | {way} | {cost:.2f} |")
                parts = [words[i * PART_TOKENS :][:PART_TOKENS] for i in range(PARTS)]
                stream, by_part = filter.stream(), []
                for part in parts:
                    start = time.thread_time()
                    for word in part:
                        stream.feed(word + " ")
                    by_part.append(1e6 * (time.thread_time() - start) / len(part))
                grown = ", ".join(f"{cost:.2f}" for cost in by_part)
                print(
                    f"| {name} | {tokens} | a word a call, each {PART_TOKENS:,} words | {grown} |"
                )
                if name != "words":
                    continue
                leaks = {rate: leaked(filter, books, words, rate, options.trials) for rate in RATES}
    print("\n| words replaced | blocked | out before the block, p50 / p99 / most | longest run |")
    print("|---|---|---|---|")
    for rate, found in leaks.items():
        out = sorted(words for words, _ in found)
        print(
            f"| {rate:.0%} | {len(found)} of {options.trials} | {out[len(out) // 2]} / "
            f"{out[int(len(out) * 0.99)]} / {out[-1]} | {max(run for _, run in found)} |"
        )


RATES = (0.0, 0.1, 0.2, 0.3)


def leaked(
    filter: Filter, books: list[Document], words: list[str], rate: float, trials: int
) -> list[tuple[int, int]]:
    """What got out of passages of 60 to 200 words of which so many were replaced."""
    rng = random.Random(2)
    found = []
    for _ in range(trials):
        book = rng.choice(books).text.split()
        length = rng.randrange(60, 200)
        at = rng.randrange(len(book) - length)
        passage = [w if rng.random() >= rate else "replaced" for w in book[at : at + length]]
        start = rng.randrange(len(words) - 40)
        found.append(released_words(filter, words[start : start + 40], passage))
    return [pair for pair in found if pair[0] >= 0]


if __name__ == "__main__":
    main()
