"""What is protected when recall is measured, and the unrelated text that copies are planted in."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["Part", "Prose", "is_in", "prose", "rows"]

_BOOKS = Path(__file__).parents[2] / "tests/data/books"
_CARRIER = "christmas-carol.txt"
_CARRIER_WORDS = 200

# Sources are drawn by halves: one to tune on, one that tuning must not see.
Part = Literal["all", "tuning", "held-out"]


@dataclass(frozen=True, slots=True)
class Prose:
    """Protected texts by name, the names to copy from, and unrelated texts as words."""

    protected: dict[str, str]
    copied: list[str]
    carriers: list[list[str]]

    @property
    def vocabulary(self) -> list[str]:
        return [word for words in self.carriers for word in words]


def rows(path: Path) -> list[dict[str, Any]]:
    """Of gzipped JSON lines."""
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def is_in(part: Part, name: str) -> bool:
    """Whether a source of this name belongs to the part."""
    half = hashlib.sha256(name.encode()).digest()[0] % 2
    return part == "all" or half == (part == "held-out")


def prose(data: Path | None, part: Part = "all") -> Prose:
    """Books and speeches of the folder, else those of the tests: two books, a third as carrier."""
    if data is None:
        texts = {path.name: path.read_text() for path in sorted(_BOOKS.glob("*.txt"))}
        carriers = list(_pieces(texts.pop(_CARRIER).split()))
    else:
        books = rows(data / "books-pd" / "dev.jsonl.gz")
        texts = {f"{row['id']} {row['title']}": "\n\n".join(row["paragraphs"]) for row in books}
        speeches = rows(data / "speeches" / "dev.jsonl.gz")
        carriers = [row["text"].split() for row in speeches]
    copied = [name for name in sorted(texts) if is_in(part, name)] or sorted(texts)
    return Prose(texts, copied, [words for words in carriers if len(words) >= _CARRIER_WORDS])


def _pieces(words: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(words), 1000):
        yield words[at : at + 1000]
