"""Rows of JSON lines, JSON arrays and tables as Documents.

    id                                  ``id``, ``_id`` or ``doc_id``; else ``file#line``, or the
                                        number of the row where there are no lines
    text                                the first of ``text``, ``content``, ``body``,
                                        ``paragraphs``; a list is joined by blank lines
    corpus, licence (or license),
    owner, url, expires                 override what the caller gave; a date is YYYY-MM-DD, and a
                                        time is cut to its date

Other fields can be named, see ``Reading.fields``. A bad row is a SourceProblem in its place; the
rows after it are read.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from dedup import expiry, licence
from dedup.document import MAX_DOCUMENT_BYTES, READ_ERRORS, Document, SourceProblem, reason_of
from dedup.encoding import NotText, is_utf8
from dedup.errors import SourceError
from dedup.item import CUT_BYTES, Item, Read, Stretch
from dedup.packing import Stream
from dedup.reading import FIELDS

__all__ = ["RowReader", "cut_lines", "read_array", "read_lines"]

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_PIECE_BYTES: Final = 1 << 18

# Where an element of an array may end. A string is passed over whole; an open one has no end yet.
_MARK: Final = re.compile(
    rb'[\[{]|(?P<closed>[\]}])|(?P<comma>,)|"[^"\\]*+(?:\\.[^"\\]*+)*+"|(?P<open>")', re.DOTALL
)


class _NoText(ValueError):
    """A row has no field for the text."""


class RowReader:
    """Makes Documents of the rows of an item.

    ``unit`` is what the numbers of rows count: lines, or rows.
    """

    def __init__(self, item: Item, unit: str = "line") -> None:
        self.shown = item.shown
        self._unit = unit
        self._item = item
        self._is_labelled = item.reading.labels is not None
        wanted = FIELDS if self._is_labelled else ("id", "text")
        self._fields = {said: item.reading.fields_of(said) for said in wanted}
        # Of a nested field the outermost is enough to find it.
        self._looked_at = {
            name for of in self._fields.values() for field in of for name in _outer(field)
        }
        self._names = sorted(self._looked_at)
        self._decoder: Any = None

    def looked_at(self, names: Collection[str]) -> list[str]:
        """Which of these fields say anything.

        Raises
        ------
        ValueError
            If none of them holds the text.
        """
        if not any(name in names for field in self._fields["text"] for name in _outer(field)):
            raise ValueError(self._no_text(names))
        return [name for name in names if name in self._looked_at]

    def of_json(self, row: bytes, number: int | None) -> Document:
        """The document of a row of JSON; without a number it is the item itself.

        Raises
        ------
        ValueError
            If it is no object, has no text, or a field of it is not what it should be.
        """
        import msgspec  # here, so that `import dedup` stays quick

        if self._decoder is None:
            self._decoder = self._made()
        try:
            said = msgspec.structs.astuple(self._decoder.decode(row))
            values = {
                name: value
                for name, value in zip(self._names, said, strict=True)
                if value is not None
            }
            return self.of_values(values, number)
        except UnicodeDecodeError:
            raise ValueError(_bad_byte(row)) from None
        except (msgspec.MsgspecError, RecursionError) as error:
            kind = (
                "not a row of JSON lines, one object a line" if self._unit == "line" else "no row"
            )
            raise ValueError(f"{kind}: {error}") from None
        except _NoText:
            raise _NoText(self._no_text(msgspec.json.decode(row, type=dict[str, Any]))) from None

    def _made(self) -> Any:
        """What decodes the fields that are looked at, and passes over the others."""
        import msgspec

        fields = [(f"field{n}", Any, None) for n in range(len(self._names))]
        renamed = {f"field{n}": name for n, name in enumerate(self._names)}
        return msgspec.json.Decoder(msgspec.defstruct("Row", fields, rename=renamed, gc=False))

    def of_values(self, values: Mapping[str, object], number: int | None) -> Document:
        """The document of a row by its values.

        Raises
        ------
        ValueError
            As ``of_json``.
        """
        field, text = self._found(values, "text")
        if text is None:
            raise _NoText(self._no_text(values))
        if isinstance(text, list) and all(isinstance(part, str) for part in text):
            text = "\n\n".join(text)
        if isinstance(text, bytes):
            text = self._decoded(field, text)
        if not isinstance(text, str):
            raise ValueError(f"field {field} is neither a string nor a list of strings")
        id = self._text(values, "id") or (
            self._item.id if number is None else f"{self._item.id}#{number}"
        )
        document = self._item.label(id, text)
        if not self._is_labelled:
            return document
        own: dict[str, Any] = {
            said: self._text(values, said) for said in ("corpus", "licence", "owner", "url")
        }
        own["licence"] = licence.normalise(own["licence"])
        own["expires"] = self._date(values)
        return replace(document, **{said: value for said, value in own.items() if value})

    def problem(self, number: int, error: Exception) -> SourceProblem:
        """What is wrong with a row."""
        return SourceProblem(self.shown, f"{self._unit} {number}", str(error))

    def ended(self, number: int, error: Exception) -> SourceProblem:
        """What kept the rows after one from being read."""
        return SourceProblem(self.shown, f"after {self._unit} {number}", reason_of(error))

    def _no_text(self, names: Collection[str]) -> str:
        return (
            f"no text: expected a field {', '.join(self._fields['text'])}, the row has "
            f"{', '.join(names) or 'no fields'}; name one with --text-field"
        )

    def _decoded(self, field: str, value: bytes) -> str:
        try:
            text, encoding = self._item.reading.encoding.decode(value)
        except NotText as error:
            place = f"{error.place} of " if error.place else ""
            raise ValueError(f"{place}field {field}: {error}") from None
        if encoding:
            self._item.tally.decoded[encoding] += 1
        return text

    def _found(self, values: Mapping[str, object], said: str) -> tuple[str, object]:
        for field in self._fields[said]:
            value = values.get(field)
            if value is None and "." in field:
                value = _inner(values, field)
            if value is not None and (said == "text" or value != ""):
                return field, value
        return "", None

    def _text(self, values: Mapping[str, object], said: str) -> str:
        """The first of the fields that has a value, as text; empty if none has."""
        field, value = self._found(values, said)
        if value is None:
            return ""
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str | int | float) for part in parts):
            raise ValueError(f"field {field} is neither a string nor a list of strings")
        return ", ".join(map(str, parts))

    def _date(self, values: Mapping[str, object]) -> date | None:
        field, value = self._found(values, "expires")
        if value is None:
            return None
        if isinstance(value, date):
            return value.date() if isinstance(value, datetime) else value
        if not isinstance(value, str):
            raise ValueError(f"field {field} is not a string; expected YYYY-MM-DD")
        try:
            return expiry.parse_date(value)
        except ValueError as error:
            raise ValueError(f"field {field}: {error}") from None


def _inner(values: Mapping[str, object], field: str) -> object:
    value: object = values
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _outer(field: str) -> tuple[str, ...]:
    """The fields of a row that are looked at for a field: itself, or what it lies in."""
    return (field, field.partition(".")[0])


def read_lines(stream: Stream, reader: RowReader, before: int = 0) -> Read:
    """The document of each line of a stream of UTF-8, or what is wrong with it.

    ``before`` is how many lines of the file come before the stream.
    """
    number = before
    while True:
        try:
            line = stream.readline(MAX_DOCUMENT_BYTES + 1)
        except READ_ERRORS as error:
            yield reader.ended(number, error)
            return
        if not line:
            return
        number += 1
        if len(line) > MAX_DOCUMENT_BYTES:
            yield _too_long(reader, number)
            return
        if number == 1:
            line = line.removeprefix(_UTF8_MARK)
        if line.isspace():
            continue
        try:
            yield reader.of_json(line, number)
        except ValueError as error:
            yield reader.problem(number, error)


def cut_lines(stream: Stream, item: Item) -> Iterator[tuple[Stretch, int]]:
    """Stretches of whole lines; none if the rows are no UTF-8, or the file is no file of rows."""
    if not is_utf8(stream, item.reading.encoding):
        return
    if not item.is_named:
        first = next(read_lines(stream, RowReader(item)), None)
        if isinstance(first, SourceProblem):
            return
        stream.seek(0)
    start = before = position = lines = 0
    while data := stream.read(_PIECE_BYTES):
        position += len(data)
        lines += data.count(b"\n")
        last = data.rfind(b"\n")
        if last >= 0 and position - start >= CUT_BYTES:
            stop = position - len(data) + last + 1
            yield Stretch(start, stop, before), stop - start
            start, before = stop, lines
    if position > start:
        yield Stretch(start, position, before), position - start


def read_array(stream: Stream, reader: RowReader) -> Read:
    """The document of each element of a JSON array, or what is wrong with it.

    The stream is past the bracket that opens the array. One element is in memory at a time.
    """
    data, start, at, depth, number = b"", 0, 0, 0, 0
    while True:
        try:
            # As much as is held, so that a long element is not looked through over and over.
            more = stream.read(max(_PIECE_BYTES, len(data) - start))
        except READ_ERRORS as error:
            yield reader.ended(number, error)
            return
        data, at, start = data[start:] + more, at - start, 0
        for mark in _MARK.finditer(data, at):
            at = mark.end()
            if mark["open"]:
                at = mark.start()
                break
            depth += (mark[0] in b"[{") - (mark["closed"] is not None)
            if depth > 0 or (depth == 0 and not mark["comma"]):
                continue
            element = data[start : mark.start()]
            start = mark.end()
            if depth == 0 or not element.isspace():
                number += 1
                try:
                    yield reader.of_json(element, number)
                except ValueError as error:
                    yield reader.problem(number, error)
            if depth < 0:
                return
        if not more:
            yield reader.ended(number, SourceError("it ends in the middle; get it again"))
            return
        if len(data) - start > MAX_DOCUMENT_BYTES:
            yield _too_long(reader, number + 1)
            return


def _too_long(reader: RowReader, number: int) -> SourceProblem:
    reason = f"a row of more than {MAX_DOCUMENT_BYTES} bytes; split it into smaller ones"
    return reader.problem(number, SourceError(f"{reason}; stopped here"))


def _bad_byte(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the line: 0x{line[error.start]:02x} is not UTF-8"
    return "not UTF-8"
