"""Files, directories, JSON lines and standard input as Documents.

Takes the sources a user names and gives one Document at a time, in an order that depends on names
alone. What cannot be read or decoded comes out in its place as a SourceProblem: nothing is skipped
in silence and one bad file stops no other. Hidden files inside a directory are left out, symbolic
links are followed, and nothing that could block (a named pipe, a socket, a device) is opened.

Text is UTF-8 and is kept byte for byte, byte order mark included, so that a span of the text is a
span of the file. In a row of a JSON-lines file

    id                                  ``id``, ``_id`` or ``doc_id``; else ``file#line``
    text                                ``text_field``, else the first of ``text``, ``content``,
                                        ``body``, ``paragraphs``; a list is joined by blank lines
    corpus, licence (or license),
    owner, url                          override what ``read_sources`` was given
"""

import gzip
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

from dedup.errors import SourceError

__all__ = ["Document", "SourceProblem", "read_sources", "read_text"]

# Bytes, text and tokens of a document are in memory together, and offsets should stay far from
# 2**32; the longest book is a thousandth of this.
_MAX_DOCUMENT_BYTES = 1 << 30

_ID_FIELDS = ("id", "_id", "doc_id")
_TEXT_FIELDS = ("text", "content", "body", "paragraphs")
_LABEL_FIELDS = {
    "corpus": ("corpus",),
    "licence": ("licence", "license"),
    "owner": ("owner",),
    "url": ("url",),
}

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_OTHER_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32LE"),
    (b"\0\0\xfe\xff", "UTF-32BE"),
    (b"\xff\xfe", "UTF-16LE"),
    (b"\xfe\xff", "UTF-16BE"),
)
_UTF8_MARK = b"\xef\xbb\xbf"

_READ_ERRORS = (OSError, EOFError, zlib.error)  # the last two: a gzip stream cut short or damaged


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
    """

    id: str
    text: str
    corpus: str = ""
    licence: str = ""
    owner: str = ""
    url: str = ""


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


def read_sources(
    sources: Iterable[str | os.PathLike[str]],
    *,
    corpus: str = "",
    licence: str = "",
    owner: str = "",
    url: str = "",
    text_field: str | None = None,
    skip: str | os.PathLike[str] | None = None,
) -> Iterator[Document | SourceProblem]:
    """Every document of the sources, and in its place every problem met.

    Parameters
    ----------
    sources : iterable of paths
        Files (``.jsonl`` and ``.ndjson`` hold a document a line, all others are one document;
        either may be gzipped, with a further ``.gz``), directories, and ``-`` for standard input.
        The id of a file is its path from the parent of the source: ``books/emma.txt`` for
        ``/data/books``.
    corpus, licence, owner, url : str
        Given to every document. ``{id}`` in ``url`` becomes the document's id, percent-encoded.
    text_field : str, optional
        The field of a row that holds the text, instead of the usual ones.
    skip : path, optional
        A directory that is no source though it may lie inside one: the index being written.

    Raises
    ------
    ValueError
        If ``url`` has a field other than ``{id}``. Nothing else: what fails is a SourceProblem.

    Notes
    -----
    Lazy: one document is in memory at a time.
    """
    unknown = set(re.findall(r"\{.*?\}", url)) - {"{id}"}
    if unknown:
        raise ValueError(
            f"unknown field {min(unknown)} in url template {url!r}; only {{id}} is known"
        )
    labels = Document("", "", corpus=corpus, licence=licence, owner=owner, url=url)
    return _read_all(sources, labels, text_field, skip)


def read_text(source: str | os.PathLike[str]) -> str:
    """The text of one file, or of standard input for ``-``.

    Raises
    ------
    SourceError
        If it cannot be read or is not UTF-8; the message has the file, the byte and the way out.
    """
    path = Path(source)
    name = "standard input" if str(source) == "-" else _printable(str(source))
    try:
        text = _decode(name, _read_stdin() if str(source) == "-" else _read_regular(path))
    except _READ_ERRORS as error:
        text = SourceProblem(name, "", _reason(error))
    if isinstance(text, SourceProblem):
        raise SourceError(str(text))
    return text


def _read_all(
    sources: Iterable[str | os.PathLike[str]],
    labels: Document,
    text_field: str | None,
    skip: str | os.PathLike[str] | None,
) -> Iterator[Document | SourceProblem]:
    roots: dict[str, str] = {}
    for given in sources:
        source = os.fspath(given)
        place = "-" if source == "-" else os.path.abspath(source)  # noqa: PTH100 keeps the links
        name = "stdin" if source == "-" else _printable(os.path.basename(place) or place)  # noqa: PTH119
        if roots.setdefault(name, place) != place:
            reason = (
                f"its documents would replace those of {_printable(roots[name])}, which has the "
                "same name; give the folder above both"
            )
            yield SourceProblem(_printable(source), "", reason)
            continue
        # A source without any text is a mistake; an empty file among others (every Python package
        # has one) is not.
        is_empty = True
        blank: list[Document] = []
        for item in _read_source(source, name, labels, text_field, skip):
            if isinstance(item, Document) and (not item.text or item.text.isspace()):
                blank.append(item)
                continue
            is_empty = False
            yield item
        if is_empty:
            reason = "holds no text, so there is nothing of it to protect; check the path"
            yield SourceProblem(_printable(source), "", reason)
        else:
            yield from blank


def _read_source(
    source: str,
    name: str,
    labels: Document,
    text_field: str | None,
    skip: str | os.PathLike[str] | None,
) -> Iterator[Document | SourceProblem]:
    """The file, or every file below the directory: depth first, names in code point order."""
    if source == "-":
        yield _whole("standard input", name, _read_stdin(), labels)
        return
    # A stack, not recursion: paths can be nested deeper than Python's calls.
    pending: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [
        (Path(source), name, frozenset())
    ]
    while pending:
        path, name, above = pending.pop()
        shown = _printable(str(path))
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                here = (status.st_dev, status.st_ino)
                if here in above:
                    reason = "a loop of symbolic links: it leads back to a folder above it"
                    yield SourceProblem(shown, "", reason)
                elif not _is_same(skip, status):
                    inside = sorted(entry for entry in os.listdir(path) if entry[0] != ".")  # noqa: PTH208
                    pending += (
                        (path / entry, f"{name}/{_printable(entry)}", above | {here})
                        for entry in reversed(inside)
                    )
            elif _is_rows(path):
                with _open(path) as file:
                    yield from _rows(file, shown, name, labels, text_field)
            else:
                yield _whole(shown, name, _read_regular(path), labels)
        except _READ_ERRORS as error:
            yield SourceProblem(shown, "", _reason(error))


def _is_same(path: str | os.PathLike[str] | None, status: os.stat_result) -> bool:
    try:
        return path is not None and os.path.samestat(os.stat(path), status)  # noqa: PTH116
    except OSError:
        return False


def _is_rows(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((".jsonl", ".ndjson"))


def _open(path: Path) -> BinaryIO:
    """A regular file for reading, unpacked if it ends in ``.gz``; refuses what could block."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_IFDIR: "a directory",
            stat.S_IFIFO: "a named pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(mode), "no regular file")
        raise OSError(f"is {kind}, not a regular file; pass its text on standard input, as -")
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _read_regular(path: Path) -> bytes:
    with _open(path) as file:
        return file.read(_MAX_DOCUMENT_BYTES + 1)


def _read_stdin() -> bytes:
    return sys.stdin.buffer.read(_MAX_DOCUMENT_BYTES + 1)


def _whole(shown: str, id: str, data: bytes, labels: Document) -> Document | SourceProblem:
    text = _decode(shown, data)
    return text if isinstance(text, SourceProblem) else _labelled(labels, id, text)


def _decode(name: str, data: bytes) -> str | SourceProblem:
    if len(data) > _MAX_DOCUMENT_BYTES:
        return SourceProblem(name, "", _too_long("document"))
    for mark, encoding in _OTHER_MARKS:
        if data.startswith(mark):
            way_out = f"convert it with: iconv -f {encoding} -t UTF-8"
            return SourceProblem(
                name, "byte 0", f"{encoding} text where UTF-8 is expected; {way_out}"
            )
    nul = data.find(0)
    if nul >= 0:
        reason = "a NUL byte: this is binary, not text; extract its text or leave it out"
        return SourceProblem(name, f"byte {nul}", reason)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return SourceProblem(name, f"byte {error.start}", _not_utf8(data[error.start]))


def _rows(
    file: BinaryIO, shown: str, name: str, labels: Document, text_field: str | None
) -> Iterator[Document | SourceProblem]:
    number = 0
    while True:
        try:
            line = file.readline(_MAX_DOCUMENT_BYTES + 1)
        except _READ_ERRORS as error:
            yield SourceProblem(shown, f"after line {number}", _reason(error))
            return
        if not line:
            return
        number += 1
        if len(line) > _MAX_DOCUMENT_BYTES:
            yield SourceProblem(shown, f"line {number}", _too_long("row") + "; stopped here")
            return
        if number == 1:
            line = line.removeprefix(_UTF8_MARK)
        if not line.isspace():
            yield _row(line, shown, number, f"{name}#{number}", labels, text_field)


def _row(
    line: bytes,
    shown: str,
    number: int,
    default_id: str,
    labels: Document,
    text_field: str | None,
) -> Document | SourceProblem:
    import msgspec  # here, so that `import dedup` stays quick

    place = f"line {number}"
    text_fields = _TEXT_FIELDS if text_field is None else (text_field,)
    try:
        row = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        wanted = {*_ID_FIELDS, *text_fields}.union(*_LABEL_FIELDS.values())
        values = {key: msgspec.json.decode(row[key]) for key in wanted & row.keys()}
    except UnicodeDecodeError:
        return SourceProblem(shown, place, _bad_byte(line))
    except (msgspec.MsgspecError, RecursionError) as error:
        return SourceProblem(shown, place, f"not a row of JSON lines, one object a line: {error}")

    found = next(((key, values[key]) for key in text_fields if values.get(key) is not None), None)
    if found is None:
        has = ", ".join(row) or "no fields"
        looked = ", ".join(text_fields)
        reason = (
            f"no text: expected a field {looked}, the row has {has}; name one with --text-field"
        )
        return SourceProblem(shown, place, reason)
    key, text = found
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        text = "\n\n".join(text)
    if not isinstance(text, str):
        return SourceProblem(shown, place, f"field {key} is neither a string nor a list of strings")

    try:
        id = _label(values, _ID_FIELDS)
        given = {field: _label(values, keys) for field, keys in _LABEL_FIELDS.items()}
    except ValueError as error:
        return SourceProblem(shown, place, str(error))
    document = _labelled(labels, id or default_id, text)
    return replace(document, **{field: value for field, value in given.items() if value})


def _label(values: dict[str, object], keys: tuple[str, ...]) -> str:
    """The first of the fields that has a value, as text; empty if none has."""
    for key in keys:
        value = values.get(key)
        if value is None or value == "":
            continue
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str | int | float) for part in parts):
            raise ValueError(f"field {key} is neither a string nor a list of strings")
        return ", ".join(map(str, parts))
    return ""


def _labelled(labels: Document, id: str, text: str) -> Document:
    url = labels.url.replace("{id}", quote(id, safe="/"))
    return replace(labels, id=id, text=text, url=url)


def _printable(name: str) -> str:
    """The name with bytes that are no UTF-8 written out: an id must be valid Unicode."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{error.strerror}; check the path"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}; make it readable or leave it out"
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return f"damaged gzip ({error}); get it again or leave it out"
    return str(error)


def _not_utf8(byte: int) -> str:
    return (
        f"0x{byte:02x} is not UTF-8; convert it, for example with: iconv -f LATIN1 -t UTF-8, "
        "or leave it out"
    )


def _bad_byte(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the line: {_not_utf8(line[error.start])}"
    return "not UTF-8"


def _too_long(what: str) -> str:
    return f"a {what} of more than {_MAX_DOCUMENT_BYTES} bytes; split it into smaller ones"
