"""Exact matching of so many lexemes in a row, white space aside: 65 as code assistants do."""

import re
from dataclasses import dataclass

import xxhash

__all__ = ["Built", "build", "label", "query"]

_LEXEME = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Built:
    """Documents by the hash of each run of `length` lexemes; the first that has it."""

    runs: dict[int, str]
    length: int


def build(documents: dict[str, str], length: int = 65) -> Built:
    runs: dict[int, str] = {}
    for name, text in documents.items():
        for run in _runs(text, length):
            runs.setdefault(run, name)
    return Built(runs, length)


def query(built: Built, text: str) -> tuple[str, float]:
    """A document that has such a run of the query, and 1; else 0."""
    found = next((built.runs[r] for r in _runs(text, built.length) if r in built.runs), None)
    return ("", 0.0) if found is None else (found, 1.0)


def label(built: Built) -> str:
    return f"exact {built.length} lexemes"


def _runs(text: str, length: int) -> list[int]:
    lexemes = _LEXEME.findall(text)
    return [
        xxhash.xxh3_64_intdigest("\0".join(lexemes[at : at + length]))
        for at in range(len(lexemes) - length + 1)
    ]
