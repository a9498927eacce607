"""Spark: a corpus that is a DataFrame against an index.

Takes a DataFrame with a column of texts, gives one with the rows of a scan, by ``mapInArrow``.
Every executor needs dedup[scan] and sees the index under the same path; set PYSPARK_PYTHON to the
Python that has it.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dedup.arrow import ArrowScanner
from dedup.scanning.row import row_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

__all__ = ["scan_frame", "spark_schema"]


def scan_frame(
    frame: "DataFrame", index: str, policy: str = "balanced", **options: Any
) -> "DataFrame":
    """The rows of a scan, one for each row of the frame; lazy, as all of Spark.

    Parameters
    ----------
    frame : DataFrame
        Only the columns of texts and of ids are read.
    index, policy, options
        As in ``ArrowScanner``: ``key``, ``background``, ``text``, ``id``. Rows are joined by the
        id, so nothing else is kept.
    """
    scanner = ArrowScanner(index, policy, **options)

    def judge(batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        return map(scanner, batches)

    return frame.select(*scanner.columns(frame.columns)).mapInArrow(judge, spark_schema())


def spark_schema() -> str:
    """The columns of rows as Spark writes them."""
    return ", ".join(f"{field.name} {_spark_type(field.type)}" for field in row_schema())


def _spark_type(kind: "pa.DataType") -> str:
    import pyarrow as pa

    if pa.types.is_list(kind):
        return f"array<{_spark_type(kind.value_type)}>"
    if pa.types.is_struct(kind):
        inner = ", ".join(f"{field.name}: {_spark_type(field.type)}" for field in kind)
        return f"struct<{inner}>"
    return {pa.string(): "string", pa.int64(): "bigint", pa.float64(): "double"}[kind]
