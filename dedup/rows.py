"""Rows of a JSON-lines file as Documents, one object a line.

    id                                  ``id``, ``_id`` or ``doc_id``; else ``file#line``
    text                                ``text_field``, else the first of ``text``, ``content``,
                                        ``body``, ``paragraphs``; a list is joined by blank lines
    corpus, licence (or license),
    owner, url, expires                 override what the caller gave; a date is YYYY-MM-DD, and a
                                        time is cut to its date

A bad row is a SourceProblem in its place; the rows after it are read.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any, BinaryIO, Final

from dedup import expiry, licence
from dedup.document import MAX_DOCUMENT_BYTES, READ_ERRORS, Document, SourceProblem, reason_of

__all__ = ["is_rows", "read_rows"]

_ID_FIELDS: Final = ("id", "_id", "doc_id")
_TEXT_FIELDS: Final = ("text", "content", "body", "paragraphs")
_LABEL_FIELDS: Final = {
    "corpus": ("corpus",),
    "licence": ("licence", "license"),
    "owner": ("owner",),
    "url": ("url",),
}
_EXPIRY_FIELD: Final = "expires"
_UTF8_MARK: Final = b"\xef\xbb\xbf"


def is_rows(name: str) -> bool:
    """Whether a file of this name holds a document a line."""
    return name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))


def read_rows(
    file: BinaryIO,
    shown: str,
    name: str,
    label: Callable[[str, str], Document],
    text_field: str | None = None,
) -> Iterator[Document | SourceProblem]:
    """The document of each row, or what is wrong with it.

    Parameters
    ----------
    file : binary stream
        Read a line at a time.
    shown, name : str
        The file in messages, and in the ids of rows that have none.
    label : function
        Makes the Document of an id and a text; the row's own labels are put over its own.
    text_field : str, optional
        The field that holds the text, instead of the usual ones.
    """
    number = 0
    while True:
        try:
            line = file.readline(MAX_DOCUMENT_BYTES + 1)
        except READ_ERRORS as error:
            yield SourceProblem(shown, f"after line {number}", reason_of(error))
            return
        if not line:
            return
        number += 1
        if len(line) > MAX_DOCUMENT_BYTES:
            reason = f"a row of more than {MAX_DOCUMENT_BYTES} bytes; split it into smaller ones"
            yield SourceProblem(shown, f"line {number}", f"{reason}; stopped here")
            return
        if number == 1:
            line = line.removeprefix(_UTF8_MARK)
        if line.isspace():
            continue
        try:
            yield _document(line, f"{name}#{number}", label, text_field)
        except ValueError as error:
            yield SourceProblem(shown, f"line {number}", str(error))


def _document(
    line: bytes, default_id: str, label: Callable[[str, str], Document], text_field: str | None
) -> Document:
    import msgspec  # here, so that `import dedup` stays quick

    text_fields = _TEXT_FIELDS if text_field is None else (text_field,)
    try:
        row = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        wanted = {*_ID_FIELDS, *text_fields, _EXPIRY_FIELD}.union(*_LABEL_FIELDS.values())
        values = {key: msgspec.json.decode(row[key]) for key in wanted & row.keys()}
    except UnicodeDecodeError:
        raise ValueError(_bad_byte(line)) from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"not a row of JSON lines, one object a line: {error}") from None

    found = next(((key, values[key]) for key in text_fields if values.get(key) is not None), None)
    if found is None:
        raise ValueError(
            f"no text: expected a field {', '.join(text_fields)}, the row has "
            f"{', '.join(row) or 'no fields'}; name one with --text-field"
        )
    key, text = found
    if isinstance(text, list) and all(isinstance(part, str) for part in text):
        text = "\n\n".join(text)
    if not isinstance(text, str):
        raise ValueError(f"field {key} is neither a string nor a list of strings")

    id = _value(values, _ID_FIELDS)
    own: dict[str, Any] = {field: _value(values, keys) for field, keys in _LABEL_FIELDS.items()}
    own["licence"] = licence.normalise(own["licence"])
    own["expires"] = _date(values.get(_EXPIRY_FIELD))
    document = label(id or default_id, text)
    return replace(document, **{field: value for field, value in own.items() if value})


def _date(value: object) -> date | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"field {_EXPIRY_FIELD} is not a string; expected YYYY-MM-DD")
    try:
        return expiry.parse_date(value)
    except ValueError as error:
        raise ValueError(f"field {_EXPIRY_FIELD}: {error}") from None


def _value(values: dict[str, object], keys: tuple[str, ...]) -> str:
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


def _bad_byte(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the line: {reason_of(error)}"
    return "not UTF-8"
