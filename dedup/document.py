"""Document, the item of a protected corpus, and what stands in for one that cannot be read.

Bytes become text here and nowhere else: UTF-8, kept byte for byte, byte order mark included, so
that a span of the text is a span of the file.
"""

import gzip
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from dedup.errors import SourceError

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "READ_ERRORS",
    "Document",
    "SourceNote",
    "SourceProblem",
    "decode",
    "is_binary",
    "name_of",
    "reason_of",
]

# Bytes, text and tokens of a document are in memory together, and offsets should stay far from
# 2**32; the longest book is a thousandth of this.
MAX_DOCUMENT_BYTES: Final = 1 << 30

# What reading a file may raise; EOFError and zlib.error: a gzip stream cut short or damaged.
READ_ERRORS: Final = (OSError, EOFError, zlib.error, SourceError)

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_OTHER_MARKS: Final = (
    (b"\xff\xfe\0\0", "UTF-32LE"),
    (b"\0\0\xfe\xff", "UTF-32BE"),
    (b"\xff\xfe", "UTF-16LE"),
    (b"\xfe\xff", "UTF-16BE"),
)

# Controls that no text has in any encoding that keeps ASCII; tab to carriage return, escape (of
# terminals) and ^Z (the end of old DOS files) do occur.
_NOT_TEXT: Final = re.compile(rb"[\x00-\x06\x0e-\x19\x1c-\x1f]")


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
    """What of a tree was left out though nothing is wrong with it, as kinds and their counts.

    ``str`` gives one line: ``repo: left out 12 binary files, 1 submodule``.
    """

    name: str
    left_out: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many were left out, of all kinds."""
        return sum(self.left_out.values())

    def __str__(self) -> str:
        counts = ", ".join(
            f"{count:,} {kind}" + ("" if count == 1 else "s")
            for kind, count in self.left_out.items()
        )
        return f"{self.name}: left out {counts}"


def decode(name: str, data: bytes) -> str | SourceProblem:
    """The text of a file of that name, or what keeps its bytes from being one."""
    if len(data) > MAX_DOCUMENT_BYTES:
        reason = f"a document of more than {MAX_DOCUMENT_BYTES} bytes; split it into smaller ones"
        return SourceProblem(name, "", reason)
    if encoding := _other_encoding(data):
        way_out = f"convert it with: iconv -f {encoding} -t UTF-8"
        return SourceProblem(name, "byte 0", f"{encoding} text where UTF-8 is expected; {way_out}")
    nul = data.find(0)
    if nul >= 0:
        reason = "a NUL byte: this is binary, not text; extract its text or leave it out"
        return SourceProblem(name, f"byte {nul}", reason)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return SourceProblem(name, f"byte {error.start}", reason_of(error))


def is_binary(data: bytes) -> bool:
    """Whether bytes that ``decode`` refuses are no text in any encoding: an image, an archive.

    What may be text of another encoding is not binary: it would be lost in silence.
    """
    return not _other_encoding(data) and _NOT_TEXT.search(data) is not None


def _other_encoding(data: bytes) -> str | None:
    return next((encoding for mark, encoding in _OTHER_MARKS if data.startswith(mark)), None)


def name_of(path: str) -> str:
    """The path with bytes that are no UTF-8 written out: an id must be valid Unicode."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def reason_of(error: BaseException) -> str:
    """Why something could not be read, and the way out."""
    if isinstance(error, FileNotFoundError):
        return f"{error.strerror}; check the path"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}; make it readable or leave it out"
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return f"damaged gzip ({error}); get it again or leave it out"
    if isinstance(error, UnicodeDecodeError):
        return (
            f"0x{error.object[error.start]:02x} is not UTF-8; convert it, for example with: "
            "iconv -f LATIN1 -t UTF-8, or leave it out"
        )
    return str(error)
