"""What code costs: to lex, to parse, to index, and to check an output that holds some.

    python benchmarks/code_speed.py SOURCE... [--queries N]

SOURCE is what ``dedup index add`` reads; the standard library will do. Queries are its own
functions with the names of variables changed, alone and between two paragraphs of prose. The parse
of tree-sitter, in this process, is timed beside for scale. Wall time, one thread, best of three.
"""

import argparse
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import tree_sitter

from dedup import Document, Filter, Index, _core
from dedup.source import read_sources
from dedup.syntax import LANGUAGES, Syntax
from dedup.units import language_of_name

PROSE = "Here is what you asked for; it walks over the values once and keeps the best of them. " * 4


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def parsers(languages: set[str]) -> dict[str, tree_sitter.Parser]:
    made = {}
    for language in languages & LANGUAGES.keys():
        grammar = LANGUAGES[language]
        function = getattr(import_module(grammar.module), grammar.function)
        made[language] = tree_sitter.Parser(tree_sitter.Language(function()))
    return made


def renamed(code: str, rng: random.Random) -> str:
    words = sorted(set(re.findall(r"(?<![.\w])([a-z_]{3,})(?=\s*[=,)\]])", code)))
    names = {word: f"{rng.choice('abcdefgh')}{number}" for number, word in enumerate(words)}
    return re.sub(r"\b\w+\b", lambda found: names.get(found[0], found[0]), code)


def percentiles(work: Callable[[str], object], queries: list[str]) -> str:
    times = []
    for query in queries:
        start = time.perf_counter()
        work(query)
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return f"{statistics.median(times):.2f} | {times[int(len(times) * 0.99)]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=400)
    options = parser.parse_args()
    documents = [
        document
        for document in read_sources(options.sources)
        if isinstance(document, Document) and language_of_name(document.id) in LANGUAGES
    ]
    texts = [(document.text.encode(), language_of_name(document.id)) for document in documents]
    size = sum(len(text) for text, _ in texts) / 1e6
    trees = parsers({language for _, language in texts})

    lexing = best(lambda: [_core.lex(text, language) for text, language in texts])
    parsing = best(lambda: [trees[language].parse(text) for text, language in texts])
    with Syntax.offline() as syntax:
        walking = best(lambda: [syntax.parse(text, language) for text, language in texts])
    print(f"{len(documents):,} files, {size:.1f} MB\n\n| | MB/s | of the parse |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        with Index.create(Path(folder) / "i", key=None) as index:
            start = time.perf_counter()
            index.add(documents)
            index.commit()
            adding = time.perf_counter() - start
            info = index.info()
        for name, seconds in (
            ("lexemes (`_core.lex`)", lexing),
            ("tree-sitter's parse alone", parsing),
            ("syntax nodes (`Syntax.parse`: parse, walk, two processes)", walking),
            ("`Index.add`: words, lexemes, nodes", adding),
        ):
            print(f"| {name} | {size / seconds:.1f} | {parsing / seconds:.0%} |")
        print(
            f"\nindex: {info.bytes / 1e6 / size:.2f} bytes a byte of source "
            f"({info.bytes_per_token:.1f} a word)\n"
        )
        rng = random.Random(1)
        functions = [
            found[0].strip()
            for text, _ in rng.sample(texts, min(len(texts), 200))
            for found in re.finditer(
                r"(?:^|\n) *def [^\n]+\n(?:(?: {4,}[^\n]*)?\n){8,40}", text.decode()
            )
        ]
        picked = rng.sample(functions, min(len(functions), options.queries))
        alone = [renamed(function, rng) for function in picked]
        inside = [f"{PROSE}\n\n{function}\n\n{PROSE}" for function in alone]
        with Index.open(Path(folder) / "i") as index:
            check = Filter(index).check
            core = index._search().search
            for query in alone[:20]:
                check(query)
            print("| output | p50 ms | p99 ms |\n|---|---|---|")
            print(f"| prose | {percentiles(check, [PROSE * 3] * len(alone))} |")
            print(f"| a renamed function | {percentiles(check, alone)} |")
            print(f"| the same, without its syntax | {percentiles(core, alone)} |")
            print(f"| the same, in prose | {percentiles(check, inside)} |")


if __name__ == "__main__":
    main()
