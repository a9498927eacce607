"""Batches of Arrow: a column of texts in, the rows of a scan out.

The kernel of engines that have their own readers and schedulers: Ray Data, Spark, Daft. Row n of
the result is of row n of the batch; its columns are those of ``dedup scan -o rows.parquet``, which
``scanning.row`` tells::

    dataset.map_batches(                                     # of Ray Data
        ArrowScanner, fn_constructor_args=["protected.idx"],
        batch_format="pyarrow", compute=ray.data.ActorPoolStrategy(size=8),
    )

For Spark and datatrove see ``integrations``.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from dedup.document import Document
from dedup.key import Key
from dedup.policy import Policy
from dedup.reading import FIELDS
from dedup.scanning.portable import PortableScanner
from dedup.scanning.row import Row, error_row, row_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowScanner"]

_Batch = TypeVar("_Batch", "pa.RecordBatch", "pa.Table")


class ArrowScanner:
    """Judges the texts of one batch after the other.

    Parameters
    ----------
    index, policy, key, background
        As in ``PortableScanner``: it pickles, and opens the index where it works.
    text, id : str, optional
        The columns of the texts and of their ids; those that rows of sources have by default. An id
        of another type is written out; without that column ids are empty.
    keep : sequence of str
        Columns that are handed on, before those of the rows.

    Raises
    ------
    DedupError
        If pyarrow is not installed.
    """

    def __init__(
        self,
        index: str | Path,
        policy: Policy | str = "balanced",
        *,
        key: Key | Iterable[Key] | Literal["default"] | None = "default",
        background: Iterable[str | Path] = (),
        text: str | None = None,
        id: str | None = None,
        keep: Sequence[str] = (),
    ) -> None:
        row_schema()  # for its error, here and not on some machine
        self._portable = PortableScanner(index, policy, key=key, background=background)
        self._text = text
        self._id = id
        self._keep = tuple(keep)

    def columns(self, names: Sequence[str]) -> list[str]:
        """Which of the columns of that name it needs.

        Raises
        ------
        ValueError
            If one that it needs is missing.
        """
        id = self._id_column(names)
        return [_column(names, "text", self._text), *([id] if id else []), *self._keep]

    def __call__(self, batch: _Batch) -> _Batch:
        """The rows of a RecordBatch or Table, as another of its kind.

        Raises
        ------
        ValueError
            If a column is missing or holds no strings.
        """
        names = batch.schema.names
        texts = _strings(batch, _column(names, "text", self._text))
        id = self._id_column(names)
        ids = [""] * len(texts) if id is None else map(_written, batch.column(id).to_pylist())
        kept = {name: batch.column(_column(names, "values", name)) for name in self._keep}
        return _like(batch, list(self._rows(ids, texts)), kept)

    def _id_column(self, names: Sequence[str]) -> str | None:
        if self._id is None and not set(FIELDS["id"]) & set(names):
            return None
        return _column(names, "id", self._id)

    def _rows(self, ids: Iterable[str], texts: list[str | None]) -> Iterator[Row]:
        documents = [Document(id, text or "") for id, text in zip(ids, texts, strict=True)]
        for row, text in zip(self._portable.scanner.rows(documents), texts, strict=True):
            missing = f"{row['document']}: the text is null; leave such rows out or see to them"
            yield row if text is not None else error_row(row["document"], missing)


def _column(names: Sequence[str], what: str, named: str | None) -> str:
    """The name of a column that is there: the one that is named, or the usual one."""
    wanted = (named,) if named is not None else FIELDS[what]
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise ValueError(
            f"no column {' or '.join(wanted)} in the batch, which has {', '.join(names)}; name "
            f"the one that holds the {what}"
        )
    return found


def _strings(batch: "pa.RecordBatch | pa.Table", name: str) -> list[str | None]:
    import pyarrow as pa  # here, as it is optional and slow to load

    column = batch.column(name)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()):
        raise ValueError(f"column {name} holds {column.type}, expected strings; cast it before")
    texts: list[str | None] = column.to_pylist()
    return texts


def _written(id: Any) -> str:
    return "" if id is None else str(id)


def _like(batch: _Batch, rows: list[Row], kept: dict[str, Any]) -> _Batch:
    """The rows with the columns that are kept before them, as the batch is: a table or not."""
    import pyarrow as pa

    told: Any = type(batch).from_pylist(rows, schema=row_schema())
    schema = pa.schema(
        [*(pa.field(name, column.type) for name, column in kept.items()), *told.schema]
    )
    joined: _Batch = type(batch).from_arrays([*kept.values(), *told.columns], schema=schema)
    return joined
