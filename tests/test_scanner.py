"""The kernel of a scan: documents in, rows out, whatever the batch."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from dedup import Document, Filter, Index, Policy
from dedup.document import SourceProblem
from dedup.scanning.row import encoded, problem_row, row_schema
from dedup.scanning.scanner import Scanner, batches

DATA = Path(__file__).parent / "data"
CODE = (DATA / "code/timetable/slots.py").read_text()
BOOK = (DATA / "books/war-of-the-worlds.txt").read_text()
RENAMED = (DATA / "outputs/answer-with-renamed-code.md").read_text()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("scanner") / "i", key=None) as index:
        index.add(
            [
                Document("book", BOOK, corpus="books", licence="PD"),
                Document("slots.py", CODE, corpus="code", licence="GPL-3.0-or-later"),
            ]
        )
        index.commit()
        yield index


def some_documents() -> list[Document]:
    prose = (DATA / "outputs/speech.txt").read_text()
    copy = (DATA / "outputs/speech-with-copy.txt").read_text()
    names = ["one", "two", "answer.md", "four", "five.py", "six", "empty"]
    texts = [prose, copy, RENAMED, BOOK[1000:1400], CODE, "naïve – text\u2028", ""]
    return [Document(name, text) for name, text in zip(names, texts, strict=True)]


def test_a_row_says_what_a_check_says(index: Index) -> None:
    filter = Filter(index)
    for document, row in zip(some_documents(), Scanner(index).rows(some_documents()), strict=True):
        told = filter.check(document.text).to_dict()
        assert row["document"] == document.id
        assert row["bytes"] == len(document.text.encode())
        assert (row["error"], row["note"]) == ("", "")
        for key in ("schema_version", "action", "rule", "index_generation"):
            assert row[key] == told[key], (document.id, key)
        for ruling in (*row["matches"], *row["exempted"]):
            assert ruling.pop("place")["start_line"] >= 1
            assert len(ruling.pop("fingerprint")) == 32
        assert row["matches"] == told["matches"]
        assert row["exempted"] == told["exempted"]


def test_rows_do_not_hang_on_the_batch(index: Index) -> None:
    scanner = Scanner(index)
    documents = some_documents() * 3
    random.Random(1).shuffle(documents)
    together = list(scanner.rows(documents))
    assert together == [row for document in documents for row in scanner.rows([document])]
    assert {row["action"] for row in together} == {"allow", "block"}


def test_batches_keep_the_order_and_are_of_bounded_size() -> None:
    documents = [Document(str(number), "x" * (number % 7) * 100_000) for number in range(2000)]
    got = list(batches(documents))
    assert [document for batch in got for document in batch] == documents
    assert max(map(len, got)) <= 512
    assert max(sum(len(one.text) for one in batch) for batch in got) < (1 << 20) + 600_000
    assert list(batches([])) == []


def test_the_name_of_a_document_tells_its_language(index: Index) -> None:
    # A stub of Kotlin's look, which nothing but its name says is Python's.
    assert next(Scanner(index).rows([Document("five.py", CODE)]))["action"] == "block"
    assert index.parses["parsed"]


def test_the_background_is_exempt(index: Index, tmp_path: Path) -> None:
    with Index.create(tmp_path / "free", key=None) as free:
        free.add([Document("book", BOOK)])
        free.commit()
        scanner = Scanner(index, background=[free])
        row = next(scanner.rows([Document("four", BOOK[1000:1400])]))
    assert (row["action"], row["rule"], row["matches"]) == ("allow", "background", [])
    assert row["exempted"]


def test_what_cannot_be_judged_has_an_error_and_no_action(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = Scanner(index, Policy.strict())
    session = scanner._session

    def search_some(texts: list[str], parsed: object) -> object:
        if BOOK[1000:1400] in texts:
            raise MemoryError("no room")
        return search(texts)

    search = session.search_batch
    monkeypatch.setattr(session, "search_batch", search_some)
    rows = {row["document"]: row for row in scanner.rows(some_documents())}
    assert rows["four"]["action"] is None
    assert rows["four"]["error"] == "four: the check could not be made: MemoryError: no room"
    assert rows["two"]["action"] == "block"
    assert [row["error"] for row in rows.values()].count("") == len(rows) - 1


def test_encoded_rows_are_lines_that_a_terminal_may_show() -> None:
    row = problem_row(SourceProblem("a\u2028b\x1b[1m\u202e\x7fé", "line 3", "is odd"))
    line = encoded(row)
    assert json.loads(line) == row
    assert line.decode().rstrip("\n").isprintable()
    assert "é" in line.decode()
    assert len(line.splitlines()) == 1


def test_the_schema_of_columns_is_that_of_rows(index: Index) -> None:
    pa = pytest.importorskip("pyarrow")
    rows = list(Scanner(index).rows(some_documents()))
    rows.append(problem_row(SourceProblem("gone", "", "No such file")))
    table = pa.Table.from_pylist(rows, schema=row_schema())
    assert table.to_pylist() == rows
    match = table.schema.field("matches").type.value_type
    assert [match.field(at).name for at in range(match.num_fields)] == list(rows[1]["matches"][0])


def test_a_document_that_is_no_text_spoils_no_other(index: Index) -> None:
    rows = list(Scanner(index).rows([Document("x", "\ud800"), Document("four", BOOK[1000:1400])]))
    assert [row["action"] for row in rows] == [None, "block"]
    assert "surrogate" in rows[0]["error"]
