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

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from dedup import expiry, licence
from dedup.document import MAX_DOCUMENT_BYTES, READ_ERRORS, Document, SourceProblem, reason_of
from dedup.reading import FIELDS, Reading

__all__ = ["Label", "RowReader", "read_lines"]

# Makes the Document of an id and a text; labels of a row are put over its own.
Label = Callable[[str, str], Document]

_UTF8_MARK: Final = b"\xef\xbb\xbf"

# What stands between the elements of an array, and where one may end. A string is passed over
# whole; one that has no end yet is not matched.
_SPACE: Final = b" \t\r\n"
_BRACKET: Final = re.compile(rb'[\[\]{}]|"(?:[^"\\]|\\.)*+"|(?P<open>")|,', re.DOTALL)
_PIECE_BYTES: Final = 1 << 18


class RowReader:
    """Makes Documents of rows.

    Parameters
    ----------
    reading : Reading
        The fields that are looked at.
    shown, name : str
        The file in messages, and in the ids of rows that have none.
    label : function
        Makes the Document of an id and a text.
    """

    def __init__(self, reading: Reading, shown: str, name: str, label: Label) -> None:
        self.shown = shown
        self.name = name
        self._label = label
        self._is_labelled = reading.labels is not None
        wanted = FIELDS if self._is_labelled else ("id", "text")
        self._fields = {said: reading.fields_of(said) for said in wanted}
        self._first = {field.partition(".")[0] for of in self._fields.values() for field in of}
        self._first.update(field for of in self._fields.values() for field in of)

    def of_json(self, row: bytes, number: int) -> Document:
        """The document of a row of JSON.

        Raises
        ------
        ValueError
            If it is no object, has no text, or a field of it is not what it should be.
        """
        import msgspec  # here, so that `import dedup` stays quick

        try:
            raw = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
            values = {key: msgspec.json.decode(raw[key]) for key in self._first & raw.keys()}
        except UnicodeDecodeError:
            raise ValueError(_bad_byte(row)) from None
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(f"not a row of JSON lines, one object a line: {error}") from None
        return self.of_values(values, number, raw)

    def of_values(
        self, values: Mapping[str, object], number: int, names: Mapping[str, object] | None = None
    ) -> Document:
        """The document of a row by its values; ``names`` has all its fields, for messages.

        Raises
        ------
        ValueError
            As ``of_json``.
        """
        key, text = self._found(values, "text")
        if text is None:
            raise ValueError(
                f"no text: expected a field {', '.join(self._fields['text'])}, the row has "
                f"{', '.join(values if names is None else names) or 'no fields'}; name one with "
                "--text-field"
            )
        if isinstance(text, list) and all(isinstance(part, str) for part in text):
            text = "\n\n".join(text)
        if not isinstance(text, str):
            raise ValueError(f"field {key} is neither a string nor a list of strings")
        id = self._text(values, "id") or f"{self.name}#{number}"
        document = self._label(id, text)
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
        return SourceProblem(self.shown, f"line {number}", str(error))

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


def read_lines(
    stream: io.BufferedReader, reader: RowReader, before: int = 0
) -> Iterator[Document | SourceProblem]:
    """The document of each line of a stream of UTF-8, or what is wrong with it.

    ``before`` is how many lines of the file come before the stream.
    """
    number = before
    while True:
        try:
            line = stream.readline(MAX_DOCUMENT_BYTES + 1)
        except READ_ERRORS as error:
            yield SourceProblem(reader.shown, f"after line {number}", reason_of(error))
            return
        if not line:
            return
        number += 1
        if len(line) > MAX_DOCUMENT_BYTES:
            reason = f"a row of more than {MAX_DOCUMENT_BYTES} bytes; split it into smaller ones"
            yield SourceProblem(reader.shown, f"line {number}", f"{reason}; stopped here")
            return
        if number == 1:
            line = line.removeprefix(_UTF8_MARK)
        if line.isspace():
            continue
        try:
            yield reader.of_json(line, number)
        except ValueError as error:
            yield reader.problem(number, error)


def _bad_byte(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the line: 0x{line[error.start]:02x} is not UTF-8"
    return "not UTF-8"
