"""A DataFrame of Spark against an index; skipped where Spark or Java is missing."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_arrow import COPY, KEY, PROSE, path, told

from dedup import Document
from dedup.integrations.spark import scan_frame, spark_schema

sql = pytest.importorskip("pyspark.sql")
pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")

__all__ = ["path"]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """Two local executors, which find the package where this process does."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYSPARK_PYTHON", sys.executable)
        environment.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
        environment.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = (
            sql.SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", "5")
            .getOrCreate()
        )
        yield session
        session.stop()


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
def test_rows_of_a_frame_are_those_of_a_scan(spark: Any, path: Path) -> None:
    texts = [COPY if n % 3 == 0 else PROSE for n in range(24)]
    rows = [(n, text, "left out") for n, text in enumerate(texts)]
    frame = spark.createDataFrame(rows, "id long, text string, more string").repartition(4)
    found = scan_frame(frame, str(path), key=KEY).collect()
    expected = told(path, [Document(str(n), text) for n, text in enumerate(texts)])
    by_id = {row["document"]: row.asDict(recursive=True) for row in found}
    assert len(found) == 24
    assert by_id == {row["document"]: row for row in expected}
    with pytest.raises(ValueError, match="no column text or content"):
        scan_frame(frame.select("more"), str(path), key=KEY)


def test_the_schema_is_that_of_rows() -> None:
    schema = spark_schema()
    assert schema.startswith("schema_version bigint, document string, action string, ")
    assert "matches array<struct<document: string, " in schema
    assert "query_span: array<bigint>" in schema
