"""How fast one core searches texts of which little or nothing is protected, as a scan does.

    python benchmarks/scanning.py BOOKS... --queries SPEECHES... [--tokens 10000000 100000000]
                                  [--code FOLDER --code-queries FOLDER]

BOOKS are indexed under a key and without one, and so are texts of each further number of words that
are drawn from them as benchmarks/store.py does. The queries are searched by the core, without a
parser, whole and in pieces of 200 words: a first pass, which makes a part of the filters of the
index besides, then, with all of them there, the best of several. CPU time; two threads by the
clock, so on an idle machine. Files of one folder of code are searched in the books, as words alone,
and in the other folder, as words and lexemes.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from store import texts as drawn_texts

from dedup import Document, Index, Key, _core
from dedup.source import read_sources

KEY = Key(bytes(range(16)))
PASSES = 7
MOST_PASSES = 60  # until the filters of a large index are made
PIECE_WORDS = 200


def documents(paths: Iterable[Path]) -> list[Document]:
    return [item for item in read_sources(paths) if isinstance(item, Document)]


def searcher(index: Index, key: Key | None) -> _core.Searcher:
    segments = index.snapshot.segments
    secret = None if key is None else index.snapshot.secrets[segments[0].key_id]
    return _core.Searcher(segments, [b""] * len(segments), secret)


def rate(texts: list[str], work: Callable[[list[str]], object], passes: int = PASSES) -> float:
    """MB/s of the fastest pass."""
    times = []
    for _ in range(passes):
        start = time.process_time()
        work(texts)
        times.append(time.process_time() - start)
    return sum(len(text.encode()) for text in texts) / min(times) / 1e6


def two_threads(texts: list[str], core: _core.Searcher) -> float:
    """How much sooner two threads are done than one."""
    spent = {1: float("inf"), 2: float("inf")}
    for _ in range(PASSES):
        for threads in spent:
            start = time.perf_counter()
            core.search_batch(texts, [], threads)
            spent[threads] = min(spent[threads], time.perf_counter() - start)
    return spent[1] / spent[2]


def row(name: str, index: Index, key: Key | None, queries: list[str]) -> str:
    core = searcher(index, key)

    def search(texts: list[str]) -> None:
        for text in texts:
            core.search(text)

    first = rate(queries, search, 1)
    for _ in range(MOST_PASSES):
        if all(segment.is_filtered[0] for segment in index.snapshot.segments):
            break
        search(queries)
    words = [text.split() for text in queries]
    pieces = [
        " ".join(one[at : at + PIECE_WORDS])
        for one in words
        for at in range(0, len(one), PIECE_WORDS)
    ]
    tokens = sum(len(_core.tokenize(text)[0]) for text in queries)
    whole, short = rate(queries, search), rate(pieces, search)
    size = sum(len(text.encode()) for text in queries)
    return (
        f"| {name} | {index.info().tokens:,} | {first:.0f} | {whole:.0f} | "
        f"{1e3 * size / tokens / whole:.0f} | {short:.0f} | {two_threads(queries, core):.2f} x |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("protected", nargs="+", type=Path)
    parser.add_argument("--queries", nargs="+", type=Path, required=True)
    parser.add_argument("--tokens", nargs="*", type=int, default=[])
    parser.add_argument("--code", type=Path, help="a folder of code to protect")
    parser.add_argument("--code-queries", type=Path, help="and one to search")
    options = parser.parse_args()
    books = documents(options.protected)
    queries = [document.text for document in documents(options.queries)]
    tokenizing = rate(queries, lambda texts: [_core.tokenize(text) for text in texts])
    print(f"{len(queries)} texts, {sum(map(len, queries)) / 1e6:.1f} MB; words alone, without a")
    print(f"search: {tokenizing:.0f} MB/s\n")
    print(
        "| index | words | first pass, MB/s | then, MB/s | ns a word | 200 words each, MB/s |",
        end="",
    )
    print(" two threads |\n|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as work:
        corpus = Path(work) / "corpus.txt"
        corpus.write_text("\n".join(document.text for document in books))
        for count in [0, *options.tokens]:
            for name, key in (("keyed", KEY), ("without a key", None)):
                path = Path(work) / f"{count} {name}"
                with Index.create(path, key=key) as index:
                    if count:
                        drawn = drawn_texts([corpus], 1, 2000)
                        index.add(Document(str(n), next(drawn)) for n in range(-(-count // 2000)))
                    else:
                        index.add(books)
                    index.commit()
                    index.merge()
                    print(row(name, index, key, queries), flush=True)
        if options.code is None or options.code_queries is None:
            return
        code = documents([options.code])
        files = [document.text for document in documents([options.code_queries])]
        with Index.create(Path(work) / "code", key=KEY) as index:
            index.add(code)
            index.commit()
            index.merge()
            core = searcher(index, KEY)
            both = rate(files, lambda texts: [core.search(text) for text in texts])
        with Index.open(Path(work) / "0 keyed", key=KEY) as index:
            core = searcher(index, KEY)
            words = rate(files, lambda texts: [core.search(text) for text in texts])
        lexing = rate(files, lambda texts: [_core.lex(text) for text in texts])
        print(f"\n{len(files)} files of code, {sum(map(len, files)) / 1e6:.1f} MB: ", end="")
        print(f"lexed at {lexing:.0f} MB/s, searched as words at {words:.0f}, as words and lexemes")
        print(f"at {both:.0f}; lexemes alone, by the difference, {1 / (1 / both - 1 / words):.0f}")


if __name__ == "__main__":
    main()
