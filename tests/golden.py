"""Small indexes of each format version that was ever released, kept and opened for ever.

``python tests/golden.py`` makes those of the present version in ``tests/data/``, if they are not
there: one under the key in ``index.key`` (a key for tests, known to everybody), one without a key.
"""

import sys
from datetime import date
from pathlib import Path
from typing import Final

from dedup.document import Document
from dedup.index import Index
from dedup.key import Key
from dedup.manifest import FORMAT_VERSION

DATA: Final = Path(__file__).parent / "data"
# Not by Key.load: a file in a repository is not its owner's alone.
KEY: Final = Key(bytes.fromhex((DATA / "index.key").read_text()))
CODE: Final = (DATA / "syntax" / "heap.py").read_text()


def opening_of(book: str) -> str:
    """The first 80 words of a book."""
    return " ".join((DATA / "books" / f"{book}.txt").read_text().split()[:80])


def documents() -> tuple[list[Document], list[Document]]:
    """What the two segments of a golden index were made of."""
    mary, wells, charles = ("Mary Shelley", "H. G. Wells", "Charles Dickens")
    first = [
        Document(
            "frankenstein.txt", opening_of("frankenstein"), "books", "PD", mary, "https://x/1"
        ),
        Document("removed.txt", opening_of("war-of-the-worlds"), "books", "PD", wells),
        Document("heap.py", CODE, "code", "Apache-2.0", "somebody", "https://x/heap.py"),
        Document("naïve 文書.txt", "  Ünï-code \u200b wörds: " + " ".join(map(str, range(40)))),
    ]
    second = [
        Document("christmas-carol.txt", opening_of("christmas-carol"), "books", "PD", charles),
        Document("lasts.txt", "a b c d e " * 12, "terms", expires=date(9000, 1, 1)),
        Document("over.txt", "one two three four five six " * 9, "terms", expires=date(2020, 1, 1)),
    ]
    return first, second


def make(path: Path, key: Key | None) -> None:
    """Two segments, a document of one of them gone."""
    with Index.create(path, key=key) as index:
        for part in documents():
            index.add(part)
            index.commit()
        index.remove(document="removed.txt")
        index.commit()
        (path / "LOCK").unlink()


def golden(version: int) -> list[tuple[Path, Key | None]]:
    return [(DATA / f"index-v{version}", KEY), (DATA / f"index-v{version}-no-key", None)]


if __name__ == "__main__":
    for path, key in golden(FORMAT_VERSION):
        if path.exists():
            sys.exit(f"{path} is there already; what was released is never made again")
        make(path, key)
        print(path)
