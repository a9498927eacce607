"""Tables with a head and a delimiter between columns, ``.csv`` and ``.tsv``, as rows."""

import csv
from collections.abc import Iterator
from typing import Final

from dedup.document import READ_ERRORS
from dedup.errors import SourceError
from dedup.item import Item, Read
from dedup.packing import Stream
from dedup.rows import RowReader

__all__ = ["read_delimited"]

# A quote without an end takes what follows into its cell; memory is four times this.
_MAX_CELL_BYTES: Final = 1 << 26

_DELIMITERS: Final = ",;\t|"


def read_delimited(stream: Stream, item: Item) -> Read:
    """The document of each row of a table in UTF-8, or what is wrong with it.

    The delimiter is the one by which the head has a column for the text. The number of a row is
    that of the line it begins in.
    """
    reader = RowReader(item)
    # The limit is one for the whole process, and small by default.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL_BYTES))
    lines = _lines(stream)
    number = 0
    try:
        head = next(lines, "").removeprefix("\ufeff")
        delimiter, names = _columns(head, reader)
        rows = csv.reader(lines, delimiter=delimiter)
        while True:
            number = rows.line_num + 2
            try:
                row = next(rows, None)
                if row is None:
                    return
                if row:
                    values = {name: _value(cell) for name, cell in zip(names, row, strict=False)}
                    yield reader.of_values(values, number)
            except csv.Error as error:
                if "limit" in str(error):
                    raise SourceError(f"{error}, as of a quote without an end") from None
                yield reader.problem(number, error)
            except ValueError as error:
                yield reader.problem(number, error)
    except ValueError as error:
        yield reader.problem(1, error)
    except READ_ERRORS as error:
        yield reader.ended(max(0, number - 1), error)


def _lines(stream: Stream) -> Iterator[str]:
    """The lines; bytes that are no UTF-8 are kept, to be told of in the row where they are."""
    while line := stream.readline(_MAX_CELL_BYTES + 1):
        if len(line) > _MAX_CELL_BYTES:
            raise SourceError(f"a line of more than {_MAX_CELL_BYTES} bytes; stopped here")
        yield line.decode("utf-8", "surrogateescape")


def _columns(head: str, reader: RowReader) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns.

    Raises
    ------
    ValueError
        If no column holds the text.
    """
    splits = [
        (delimiter, next(csv.reader([head], delimiter=delimiter), [])) for delimiter in _DELIMITERS
    ]
    most = max(splits, key=lambda split: len(split[1]))
    for delimiter, names in splits:
        try:
            reader.looked_at(names)
        except ValueError:
            continue
        return delimiter, names
    reader.looked_at(most[1])
    return most


def _value(cell: str) -> str | bytes:
    """The cell; as bytes if it is no UTF-8."""
    if cell.isascii():
        return cell
    data = cell.encode("utf-8", "surrogateescape")
    try:
        data.decode()
    except UnicodeDecodeError:
        return data
    return cell
