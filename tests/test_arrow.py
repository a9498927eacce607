"""A batch of Arrow in gives the rows of a scan out, wherever it is judged."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from dedup import Document, Index, Key, Policy
from dedup.arrow import ArrowScanner
from dedup.errors import DedupError
from dedup.scanning.row import row_schema
from dedup.scanning.scanner import Scanner

pa = pytest.importorskip("pyarrow")

DATA = Path(__file__).parent / "data"
BOOK = (DATA / "books/war-of-the-worlds.txt").read_text()
COPY = (DATA / "outputs/speech-with-copy.txt").read_text()
PROSE = (DATA / "outputs/speech.txt").read_text()
KEY = Key(b"0123456789abcdef")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("arrow") / "i"
    with Index.create(path, key=KEY) as index:
        index.add([Document("book", BOOK, corpus="books", licence="PD")])
        index.commit()
    return path


def told(path: Path, documents: list[Document]) -> list[dict[str, Any]]:
    with Index.open(path, key=KEY) as index:
        return list(Scanner(index).rows(documents))


def test_rows_of_a_batch_are_those_of_a_scan(path: Path) -> None:
    texts = [PROSE, COPY, BOOK[500:3000], "", "naïve – text"]
    batch = pa.record_batch({"id": list("abcde"), "text": texts})
    rows = ArrowScanner(path, key=KEY)(batch)
    assert isinstance(rows, pa.RecordBatch) and rows.schema == row_schema()
    documents = [Document(*row) for row in zip("abcde", texts, strict=True)]
    assert rows.to_pylist() == told(path, documents)
    assert rows.column("action").to_pylist() == ["allow", "block", "block", "allow", "allow"]


def test_a_table_gives_a_table_with_the_columns_that_are_kept(path: Path) -> None:
    table = pa.table(
        {"n": [7, 8], "code": pa.array([PROSE, COPY], pa.large_string()), "x": ["u", "v"]}
    )
    scanner = ArrowScanner(path, Policy.strict(), key=KEY, text="code", id="n", keep=["x"])
    assert scanner.columns(table.column_names) == ["code", "n", "x"]
    rows = scanner(table)
    assert isinstance(rows, pa.Table) and rows.column_names == ["x", *row_schema().names]
    assert rows.column("x").to_pylist() == ["u", "v"]
    assert rows.column("document").to_pylist() == ["7", "8"]
    assert rows.column("action").to_pylist()[1] == "block"


def test_without_ids_rows_stay_in_their_order(path: Path) -> None:
    rows = ArrowScanner(path, key=KEY)(pa.record_batch({"content": [COPY, PROSE]}))
    assert rows.column("document").to_pylist() == ["", ""]
    assert rows.column("action").to_pylist() == ["block", "allow"]


def test_an_empty_batch_gives_an_empty_batch(path: Path) -> None:
    batch = pa.record_batch({"text": pa.array([], pa.string())})
    assert ArrowScanner(path, key=KEY)(batch).num_rows == 0


def test_a_null_text_is_an_error_in_its_row_and_dictionaries_are_read(path: Path) -> None:
    texts = pa.array([COPY, None, COPY]).dictionary_encode()
    rows = ArrowScanner(path, key=KEY)(pa.record_batch({"id": ["a", "b", None], "text": texts}))
    assert rows.column("action").to_pylist() == ["block", None, "block"]
    assert rows.column("error").to_pylist()[1].startswith("b: the text is null; leave such rows")
    assert rows.column("document").to_pylist() == ["a", "b", ""]


def test_wrong_columns_are_told(path: Path) -> None:
    batch = pa.record_batch({"n": [1], "raw": [b"x"]})
    with pytest.raises(
        ValueError, match=r"no column text or content .* which has n, raw; name the"
    ):
        ArrowScanner(path, key=KEY)(batch)
    with pytest.raises(ValueError, match=r"no column key in the batch, .* that holds the id"):
        ArrowScanner(path, key=KEY, id="key").columns(["text"])
    with pytest.raises(ValueError, match="column raw holds binary, expected strings; cast it"):
        ArrowScanner(path, key=KEY, text="raw")(batch)


def test_it_pickles_with_its_key_and_refuses_another_state(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = pa.record_batch({"id": ["a"], "text": [COPY]})
    scanner = ArrowScanner(path, key=KEY)
    expected = scanner(batch)
    sent = pickle.dumps(scanner)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # there is no key here
    assert pickle.loads(sent)(batch) == expected
    with Index.open(path, key=KEY, writable=True) as index:
        index.add([Document("other", PROSE)])
        index.commit()
        with pytest.raises(DedupError, match="changed"):
            pickle.loads(sent)(batch)
        assert scanner(batch) == expected
        index.remove(document="other")
        index.commit()
