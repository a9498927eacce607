"""Document, the item of a protected corpus, and what stands in for one that cannot be read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from dedup.errors import SourceError

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "READ_ERRORS",
    "Document",
    "SourceNote",
    "SourceProblem",
    "name_of",
    "reason_of",
    "size_of",
]

# Bytes, text and tokens of a document are in memory together, and offsets should stay far from
# 2**32; the longest book is a thousandth of this.
MAX_DOCUMENT_BYTES: Final = 1 << 30

# What reading a file may raise; ``packing`` and ``archive`` turn what is damaged into SourceError.
READ_ERRORS: Final = (OSError, SourceError)


@dataclass(frozen=True, slots=True)
class Document:
    """One item of a protected corpus.

    Attributes
    ----------
    id : str
        Unique in an index; a document added under an id already there replaces it.
    text : str
        The whole text. Not stored: the index keeps seeds and keyed 8-bit token fingerprints.
    corpus, licence, owner, url : str
        Carried into every match; empty if unknown.
    expires : date, optional
        The first day, in UTC, on which it is not protected any more.
    """

    id: str
    text: str
    corpus: str = ""
    licence: str = ""
    owner: str = ""
    url: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """What could not be read, where in it, and why; ``str`` gives the three as one line.

    ``name`` is a path as the caller could open it, not the id of a document.
    """

    name: str
    place: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.name, self.place, self.reason) if part)


@dataclass(frozen=True, slots=True)
class SourceNote:
    """What is to be known of a source though nothing is wrong with it.

    ``str`` gives one line: ``repo: left out 12 binary files, 1 submodule; read 3 as cp1252``.

    Attributes
    ----------
    name : str
        The source as the caller could open it.
    left_out : mapping
        How many files were left out, by kind.
    decoded : mapping
        How many were decoded, by encoding: spans are of the UTF-8 of the decoded text.
    """

    name: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    decoded: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many were left out, of all kinds."""
        return sum(self.left_out.values())

    def __str__(self) -> str:
        counts = ", ".join(
            f"{count:,} {kind}" + ("" if count == 1 else "s")
            for kind, count in self.left_out.items()
        )
        encodings = ", ".join(f"{count:,} as {name}" for name, count in self.decoded.items())
        parts = (counts and f"left out {counts}", encodings and f"read {encodings}")
        return f"{self.name}: {'; '.join(part for part in parts if part)}"


def size_of(text: str) -> int:
    """Its bytes of UTF-8; ASCII, the usual case, needs no copy to be counted."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def name_of(path: str) -> str:
    """The path with bytes that are no UTF-8 written out: an id must be valid Unicode."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def reason_of(error: BaseException) -> str:
    """Why something could not be read, and the way out."""
    if isinstance(error, FileNotFoundError):
        return f"{error.strerror}; check the path"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}; make it readable or leave it out"
    return str(error)
