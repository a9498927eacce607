"""Tables by columns, ``.parquet`` and Arrow (``.arrow``, ``.feather``, ``.ipc``), as rows.

A batch of rows is in memory at a time, and of the columns those that say something.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from dedup.document import READ_ERRORS, SourceProblem
from dedup.errors import SourceError
from dedup.item import CUT_BYTES, Item, Read, Stretch
from dedup.rows import RowReader

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NO_COLUMN", "cut_arrow", "cut_parquet", "read_arrow", "read_parquet"]

# The place of the problem of a table that has no column for the text.
NO_COLUMN: Final = "schema"

_BATCH_BYTES: Final = 8 << 20
_BATCH_ROWS: Final = 4096

_ARROW_MAGIC: Final = b"ARROW1"


def read_parquet(stream: BinaryIO, item: Item, stretch: Stretch | None = None) -> Read:
    """The document of each row of a Parquet file, or of some of its row groups."""
    yield from _read(_parquet_batches, "Parquet", stream, item, stretch)


def read_arrow(stream: BinaryIO, item: Item, stretch: Stretch | None = None) -> Read:
    """The document of each row of an Arrow file or stream, or of some of the batches of a file."""
    yield from _read(_arrow_batches, "Arrow", stream, item, stretch)


def cut_parquet(stream: BinaryIO, item: Item) -> Iterator[tuple[Stretch, int]]:
    """Stretches of row groups; none if the file is damaged, which its reader will tell."""
    del item
    try:
        metadata = _parquet(stream).metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        sizes = [_packed_bytes(group) for group in groups]
        rows = [group.num_rows for group in groups]
    except _errors():
        return
    yield from _joined(sizes, rows)


def cut_arrow(stream: BinaryIO, item: Item) -> Iterator[tuple[Stretch, int]]:
    """Stretches of the batches of an Arrow file; none of a stream, or if it is damaged."""
    del item
    pa = _arrow()
    if not _is_arrow_file(stream):
        return
    try:
        reader = pa.ipc.open_file(pa.PythonFile(stream, mode="r"))
        rows, sizes = [], []
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            rows.append(batch.num_rows)
            sizes.append(batch.nbytes)
    except _errors():
        return
    yield from _joined(sizes, rows)


def _joined(sizes: list[int], rows: list[int]) -> Iterator[tuple[Stretch, int]]:
    """Neighbours put together until they are long enough."""
    start = size = before = count = 0
    for number, own in enumerate(sizes):
        size += own
        count += rows[number]
        if size >= CUT_BYTES or number == len(sizes) - 1:
            yield Stretch(start, number + 1, before), size
            start, size, before, count = number + 1, 0, before + count, 0


def _read(batches: Any, form: str, stream: BinaryIO, item: Item, stretch: Stretch | None) -> Read:
    reader = RowReader(item, "row")
    number = stretch.before if stretch else 0
    try:
        for batch in batches(stream, reader, stretch):
            names = batch.schema.names
            columns = [_values(column) for column in batch.columns]
            for row in zip(*columns, strict=True):
                number += 1
                try:
                    yield reader.of_values(dict(zip(names, row, strict=True)), number)
                except ValueError as error:
                    yield reader.problem(number, error)
    except _NoColumn as error:
        yield SourceProblem(item.shown, NO_COLUMN, str(error))
    except READ_ERRORS as error:
        if isinstance(error, SourceError) or error.errno:
            yield reader.ended(number, error)
        else:
            yield reader.ended(number, _damaged(form, error))
    except _errors() as error:
        yield reader.ended(number, _damaged(form, error))


class _NoColumn(ValueError):
    """No column holds the text."""


def _damaged(form: str, error: Exception) -> SourceError:
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    return SourceError(f"damaged {form} ({said}); get it again or leave it out")


def _errors() -> tuple[type[Exception], ...]:
    """What pyarrow raises on damage."""
    pa = _arrow()
    return (
        *(pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError),
        *(OverflowError, MemoryError, NotImplementedError, AttributeError),
    )


def _arrow() -> Any:
    try:
        import pyarrow  # here, so that `import dedup` stays quick
        import pyarrow.parquet
    except ImportError:
        raise SourceError("is read by pyarrow: pip install 'dedup[scan]'") from None
    return pyarrow


def _wanted(names: list[str], reader: RowReader) -> list[str]:
    try:
        return reader.looked_at(names)
    except ValueError as error:
        raise _NoColumn(str(error)) from None


def _values(column: "pa.Array") -> list[object]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return list(column.cast(_arrow().binary()).to_pylist())


# ---- Parquet -------------------------------------------------------------------------------------


def _parquet(stream: BinaryIO) -> Any:
    # A buffer: pages are read one after the other, not a whole row group at once.
    return _arrow().parquet.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)


def _packed_bytes(group: Any) -> int:
    return sum(group.column(number).total_compressed_size for number in range(group.num_columns))


def _parquet_batches(
    stream: BinaryIO, reader: RowReader, stretch: Stretch | None
) -> "Iterator[pa.RecordBatch]":
    file = _parquet(stream)
    names = _wanted(file.schema_arrow.names, reader)
    numbers = range(file.num_row_groups) if stretch is None else range(stretch.start, stretch.stop)
    for number in numbers:
        group = file.metadata.row_group(number)
        average = max(1, group.total_byte_size // max(1, group.num_rows))
        rows = max(1, min(_BATCH_ROWS, _BATCH_BYTES // average))
        yield from file.iter_batches(rows, row_groups=[number], columns=names, use_threads=False)


# ---- Arrow ---------------------------------------------------------------------------------------


def _is_arrow_file(stream: BinaryIO) -> bool:
    stream.seek(0)
    magic = stream.read(len(_ARROW_MAGIC))
    stream.seek(0)
    return magic == _ARROW_MAGIC


def _arrow_batches(
    stream: BinaryIO, reader: RowReader, stretch: Stretch | None
) -> "Iterator[pa.RecordBatch]":
    pa = _arrow()
    source = pa.PythonFile(stream, mode="r")
    if not _is_arrow_file(stream):
        with pa.ipc.open_stream(source) as opened:
            names = _wanted(opened.schema.names, reader)
            for batch in opened:
                yield from _sliced(batch.select(names))
        return
    with pa.ipc.open_file(source) as opened:
        names = _wanted(opened.schema.names, reader)
        numbers = range(opened.num_record_batches)
        for number in numbers if stretch is None else range(stretch.start, stretch.stop):
            yield from _sliced(opened.get_batch(number).select(names))


def _sliced(batch: "pa.RecordBatch") -> "Iterator[pa.RecordBatch]":
    """A batch in parts whose values are Python's for a moment."""
    average = max(1, batch.nbytes // max(1, batch.num_rows))
    rows = max(1, min(_BATCH_ROWS, _BATCH_BYTES // average))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
