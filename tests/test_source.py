"""Documents come out in a stable order, and nothing that fails is passed over in silence."""

import gzip
import io
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.errors import SourceError
from dedup.source import (
    Document,
    SourceNote,
    SourceProblem,
    find_documents,
    read_sources,
    read_text,
)

Read = Callable[..., tuple[list[Document], list[SourceProblem]]]


@pytest.fixture
def read() -> Read:
    def read(*sources: object, **options: object) -> tuple[list[Document], list[SourceProblem]]:
        items = list(read_sources([str(source) for source in sources], **options))
        documents = [item for item in items if isinstance(item, Document)]
        return documents, [item for item in items if isinstance(item, SourceProblem)]

    return read


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def rows(*objects: object) -> str:
    return "".join(json.dumps(item) + "\n" for item in objects)


# ---- files ---------------------------------------------------------------------------------------


def test_file_is_a_document_named_by_its_file(tmp_path: Path, read: Read) -> None:
    path = write(tmp_path / "emma.txt", "Emma Woodhouse, handsome")
    assert read(path) == ([Document("emma.txt", "Emma Woodhouse, handsome")], [])


def test_text_is_kept_byte_for_byte(tmp_path: Path, read: Read) -> None:
    data = "\ufeffone\r\ntwo\tthree\x0b\r".encode()
    (document,), _ = read(write(tmp_path / "a.txt", data))
    assert document.text.encode() == data


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_survives_being_a_file(text: str) -> None:
    text += "."  # a file of spaces is no source
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder, "a.txt"), Path(folder, "b.txt.gz")
        plain.write_bytes(text.encode())
        packed.write_bytes(gzip.compress(text.encode(), compresslevel=1))
        assert read_text(plain) == read_text(packed) == text
        assert [item.text for item in read_sources([plain, packed])] == [text, text]


def test_file_of_one_long_line_is_read(tmp_path: Path, read: Read) -> None:
    path = write(tmp_path / "line.txt", b"word " * 4_000_000)
    (document,), problems = read(path)
    assert len(document.text) == 20_000_000
    assert not problems


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        (b"caf\xe9", "byte 3", "0xe9 is not UTF-8; it looks like cp1252: if so, pass --encoding"),
        (b"\x89PNG\r\n\x1a\n\0\0", "byte 8", "a NUL byte: this is binary"),
        ("two".encode("utf-16") + b"\0", "byte 8", "is not utf-16: truncated data"),
        ("two\0".encode("utf-32"), "", "a NUL in its utf-32 text: this is binary"),
        (b"a\xed\xa0\x80", "byte 1", "0xed is not UTF-8"),  # an encoded surrogate
        (b"", "", "holds no text, so there is nothing of it to protect"),
        (b" \n\t\n", "", "holds no text, so there is nothing of it to protect"),
    ],
)
def test_undecodable_file_is_a_problem_with_place_and_way_out(
    tmp_path: Path, read: Read, data: bytes, place: str, reason: str
) -> None:
    documents, (problem,) = read(write(tmp_path / "bad.txt", data))
    assert not documents
    assert problem.name.endswith("bad.txt")
    assert problem.place == place
    assert problem.reason.startswith(reason)
    assert place in str(problem)


def test_damaged_gzip_is_a_problem(tmp_path: Path, read: Read) -> None:
    packed = gzip.compress(b"word " * 10_000)
    write(tmp_path / "d/cut.txt.gz", packed[:40])
    write(tmp_path / "d/flipped.txt.gz", packed[:20] + b"\xff" + packed[21:])
    write(tmp_path / "d/plain.txt.gz", b"not packed")
    documents, problems = read(tmp_path / "d")
    assert not documents
    assert [Path(problem.name).name for problem in problems] == [
        "cut.txt.gz",
        "flipped.txt.gz",
        "plain.txt.gz",
    ]
    assert all(problem.reason.startswith("damaged gzip (") for problem in problems)


def test_missing_source_is_a_problem(tmp_path: Path, read: Read) -> None:
    missing = tmp_path / "no.txt"
    documents, problems = read(missing, write(tmp_path / "yes.txt", "yes"))
    assert [document.id for document in documents] == ["yes.txt"]
    assert str(problems[0]) == f"{missing}: No such file or directory; check the path"


def test_standard_input_is_a_document(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("übung".encode())))
    assert read("-") == ([Document("stdin", "übung")], [])


def test_labels_go_to_every_document(tmp_path: Path, read: Read) -> None:
    path = write(tmp_path / "moby dick.txt", "Call me Ishmael")
    (document,), _ = read(path, corpus="c", licence="l", owner="o", url="https://x/{id}?v=1")
    assert (document.corpus, document.licence, document.owner) == ("c", "l", "o")
    assert document.url == "https://x/moby%20dick.txt?v=1"


def test_unknown_field_in_url_template_is_refused() -> None:
    known = r"only \{id\}, \{path\}, \{revision\} are known"
    with pytest.raises(ValueError, match=rf"unknown field \{{name\}} in url template .* {known}"):
        read_sources([], url="https://x/{name}")


# ---- directories ---------------------------------------------------------------------------------


def test_directory_is_read_in_the_order_of_names(tmp_path: Path, read: Read) -> None:
    for name in ("b.txt", "a/z.txt", "a/b/c.txt", "B.txt", "é.txt", "a.txt"):
        write(tmp_path / "books" / name, name)
    documents, problems = read(tmp_path / "books")
    assert not problems
    assert [document.id for document in documents] == [
        "books/B.txt",
        "books/a/b/c.txt",
        "books/a/z.txt",
        "books/a.txt",
        "books/b.txt",
        "books/é.txt",
    ]


def test_ids_do_not_depend_on_how_the_source_is_written(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "books/a.txt", "a")
    monkeypatch.chdir(tmp_path / "books")
    ways = [tmp_path / "books", ".", "../books", "../books/", "./"]
    assert {read(way)[0][0].id for way in ways} == {"books/a.txt"}


def test_hidden_files_in_a_directory_are_left_out(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "d/.git/config", "no")
    write(tmp_path / "d/.env", "no")
    write(tmp_path / "d/a.txt", "yes")
    assert [document.id for document in read(tmp_path / "d")[0]] == ["d/a.txt"]
    assert [document.text for document in read(tmp_path / "d/.env")[0]] == ["no"]


def test_empty_file_among_others_is_no_problem(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "p/__init__.py", "")
    write(tmp_path / "p/code.py", "x = 1")
    documents, problems = read(tmp_path / "p")
    assert [document.id for document in documents] == ["p/__init__.py", "p/code.py"]
    assert not problems


def test_directory_without_documents_is_a_problem(tmp_path: Path, read: Read) -> None:
    (tmp_path / "empty").mkdir()
    documents, (problem,) = read(tmp_path / "empty")
    assert not documents
    assert "holds no text" in str(problem)


def test_bad_file_in_a_directory_stops_no_other(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "d/a.txt", "a")
    write(tmp_path / "d/b.txt", b"caf\xe9")
    write(tmp_path / "d/c.txt", "c")
    documents, problems = read(tmp_path / "d")
    assert [document.id for document in documents] == ["d/a.txt", "d/c.txt"]
    assert [problem.name for problem in problems] == [str(tmp_path / "d/b.txt")]


def test_binary_files_in_a_directory_are_left_out_and_counted(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "d"
    write(folder / "a.txt", "a")
    write(folder / "image.png", b"\x89PNG\r\n\x1a\n\0\0" + bytes(200_000))
    write(folder / "late.bin", b"\x01text" * 20_000 + b"\0")
    write(folder / "small.gif", b"GIF89a\x01\xff")
    write(folder / "packed.tar.gz", gzip.compress(b"\0no archive" * 999))
    write(
        folder / "big.dat", b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"
    )
    write(folder / "utf16.txt", "two".encode("utf-16"))
    notes: list[SourceNote] = []
    documents, problems = read(folder, note=notes.append)
    assert [document.text for document in documents] == ["a", "two"]
    assert not problems
    assert [str(note) for note in notes] == [
        f"{folder}: left out 1 Git LFS pointer, 4 binary files; read 1 as utf-16"
    ]
    assert notes[0].total == 5
    assert read(folder / "image.png")[1][0].place == "byte 8"  # it was named, so it is missed


def test_gitignore_of_a_directory_is_honoured(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "d"
    write(folder / ".gitignore", "\ufeff# no\n*.log\r\n/build/\n!keep.log\n/top.txt\n//\n!\n\\\n")
    write(folder / "a/.gitignore", "!special.log\nlocal.txt\n")
    for name in ("x.log", "keep.log", "build/o.txt", "top.txt", "local.txt"):
        write(folder / name, name)
        write(folder / "a" / name, name)
    write(folder / "a/special.log", "special")
    ids = [document.id for document in read(folder)[0]]
    assert ids == [
        *("d/a/build/o.txt", "d/a/keep.log", "d/a/special.log", "d/a/top.txt"),
        *("d/keep.log", "d/local.txt"),
    ]
    assert [document.id for document in read(folder / "x.log")[0]] == ["x.log"]
    notes: list[SourceNote] = []
    read(folder, note=notes.append)
    assert [str(note) for note in notes] == [
        f"{folder}: left out 4 ignored files, 1 ignored folder"
    ]
    write(folder / ".gitignore", "*\n")
    documents, (problem,) = read(folder)
    assert not documents
    assert problem.reason.startswith("holds no text, as its .gitignore leaves everything out; name")


def test_gitignore_cannot_stop_a_reader(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "d"
    write(folder / ".gitignore", "*a" * 300 + "b\n" + "**/a*/" * 300 + "b\n*.log\n")
    write(folder / ("a" * 250), "a")
    write(folder / "x.log", "x")
    assert [document.text for document in read(folder)[0]] == ["a"]
    (folder / ".gitignore").unlink()
    os.mkfifo(folder / ".gitignore")
    assert len(read(folder)[0]) == 2


def test_file_that_vanishes_is_a_problem_and_the_rest_is_read(tmp_path: Path, read: Read) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        write(tmp_path / "d" / name, name)
    items = read_sources([tmp_path / "d"])
    assert isinstance(next(items), Document)
    (tmp_path / "d/b.txt").unlink()
    problem, document = items
    assert "No such file or directory" in str(problem)
    assert isinstance(document, Document) and document.id == "d/c.txt"


def test_documents_get_the_licence_that_the_tree_states(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "d"
    write(folder / "pyproject.toml", '[project]\nlicense = "MIT"\n')
    write(folder / "own.c", "/* SPDX-License-Identifier: GPL-2.0+ */\nint x;\n")
    write(folder / "sub/plain.c", "int y;\n")
    write(folder / "rows.jsonl", rows({"text": "a"}, {"text": "b", "license": "apache 2.0"}))
    found = {document.id: document.licence for document in read(folder)[0]}
    assert found == {
        "d/pyproject.toml": "MIT",
        "d/own.c": "GPL-2.0-or-later",
        "d/sub/plain.c": "MIT",
        "d/rows.jsonl#1": "MIT",
        "d/rows.jsonl#2": "Apache-2.0",
    }
    given = {document.licence for document in read(folder, licence="mine")[0]}
    assert given == {"mine", "Apache-2.0"}
    assert read(folder / "own.c")[0][0].licence == "GPL-2.0-or-later"


def test_path_is_inside_the_source_and_unknown_revision_gives_no_url(
    tmp_path: Path, read: Read
) -> None:
    write(tmp_path / "d/a b/{id}.txt", "a")
    (document,), _ = read(tmp_path / "d", url="https://x/{path}?{id}")
    assert document.url == "https://x/a%20b/%7Bid%7D.txt?d/a%20b/%7Bid%7D.txt"
    assert read(tmp_path / "d", url="https://x/{revision}/{path}")[0][0].url == ""


def test_rows_of_another_make_inside_a_tree_are_one_document(tmp_path: Path, read: Read) -> None:
    path = write(tmp_path / "d/a.jsonl", '{"n": 1}\n{"n": 2}\n')
    documents, problems = read(tmp_path / "d")
    assert [document.id for document in documents] == ["d/a.jsonl"]
    assert not problems
    assert len(read(path)[1]) == 2  # named itself, it is a file of rows


def test_what_could_block_is_a_problem_and_is_not_opened(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "d"
    write(folder / "z.txt", "z")
    os.mkfifo(folder / "pipe")
    (folder / "null").symlink_to("/dev/null")
    monkeypatch.chdir(folder)  # the address of a socket is limited to about 100 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        documents, problems = read(folder)
    assert [document.id for document in documents] == ["d/z.txt"]
    said = {Path(problem.name).name: problem.reason for problem in problems}
    assert said.keys() == {"pipe", "socket", "null"}
    assert said["pipe"].startswith("is a named pipe, not a regular file; pass its text on")
    assert said["socket"].startswith("is a socket")
    assert said["null"].startswith("is a device")
    with pytest.raises(SourceError, match="pipe: is a named pipe"):
        read_text(folder / "pipe")


def test_links_are_followed_and_loops_reported(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "elsewhere/a.txt", "a")
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "far").symlink_to(tmp_path / "elsewhere")
    (folder / "file.txt").symlink_to(tmp_path / "elsewhere/a.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    (folder / "gone").symlink_to("nowhere")
    documents, problems = read(folder)
    assert [document.id for document in documents] == ["d/far/a.txt", "d/file.txt"]
    assert [Path(problem.name).name for problem in problems] == ["gone", "loop", "self"]
    assert "leads back to a folder above it" in problems[1].reason


def test_deep_directories_are_read(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "d"
    try:
        path.mkdir()
        for _ in range(1500):  # deeper than Python's calls can be
            path = path / "e"
            path.mkdir()
        (path / "a").write_text("deep")
        (document,), problems = read(tmp_path / "d")
        assert document.text == "deep"
        assert not problems
    finally:  # what clears temporary folders does recurse
        (path / "a").unlink(missing_ok=True)
        while path != tmp_path:
            path.rmdir()
            path = path.parent


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything, so permissions are tested as another user."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_unreadable_directory_and_file_are_problems(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "d/open.txt", "open")
    write(tmp_path / "d/shut.txt", "shut").chmod(0)
    write(tmp_path / "d/locked/in.txt", "in").parent.chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above are not everyone's
    with as_nobody():
        documents, problems = read("d")
    (tmp_path / "d/locked").chmod(0o755)
    assert [document.id for document in documents] == ["d/open.txt"]
    assert [str(problem) for problem in problems] == [
        "d/locked: Permission denied; make it readable or leave it out",
        "d/shut.txt: Permission denied; make it readable or leave it out",
    ]


def test_name_that_is_no_utf8_gives_a_valid_id(tmp_path: Path, read: Read) -> None:
    (tmp_path / "d").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/d/caf\xe9.txt")).write_text("coffee")
    (document,), _ = read(tmp_path / "d")
    assert document.id == r"d/caf\xe9.txt"


def test_index_inside_a_source_is_no_source(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "d/own.idx/MANIFEST", "{}")
    write(tmp_path / "d/a.txt", "a")
    documents, problems = read(tmp_path / "d", skip=tmp_path / "d/own.idx")
    assert [document.id for document in documents] == ["d/a.txt"]
    assert not problems


def test_sources_of_one_name_are_a_problem_as_their_ids_would_meet(
    tmp_path: Path, read: Read
) -> None:
    first, second = write(tmp_path / "1/x.txt", "one"), write(tmp_path / "2/x.txt", "two")
    documents, (problem,) = read(first, second)
    assert [document.text for document in documents] == ["one"]
    assert f"would replace those of {first}" in problem.reason


# ---- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "A.JSONL", "a.jsonl.gz", "a.ndjson.gz"])
def test_row_is_a_document(tmp_path: Path, read: Read, name: str) -> None:
    data = rows({"id": "one", "text": "1"}, {"text": "2"}).encode()
    path = write(tmp_path / name, gzip.compress(data) if name.endswith(".gz") else data)
    assert read(path) == ([Document("one", "1"), Document(f"{name}#2", "2")], [])


def test_row_gives_id_text_and_labels_under_their_usual_names(tmp_path: Path, read: Read) -> None:
    path = write(
        tmp_path / "a.jsonl",
        rows(
            {"_id": 7, "content": "a", "license": "MIT"},
            {"doc_id": "d", "paragraphs": ["a", "b"], "licence": "PD", "license": "no"},
            {"id": None, "text": None, "body": "c", "owner": "me", "url": "u", "corpus": "own"},
            {"id": "l", "text": "d", "license": ["MIT", "ISC"], "owner": None, "extra": {"a": [1]}},
        ),
    )
    documents, problems = read(path, corpus="c", licence="L", owner="o", url="https://x/{id}")
    assert not problems
    assert documents == [
        Document("7", "a", "c", "MIT", "o", "https://x/7"),
        Document("d", "a\n\nb", "c", "PD", "o", "https://x/d"),
        Document("a.jsonl#3", "c", "own", "L", "me", "u"),
        Document("l", "d", "c", "MIT, ISC", "o", "https://x/l"),
    ]


def test_row_may_say_when_it_expires(tmp_path: Path, read: Read) -> None:
    path = write(
        tmp_path / "a.jsonl",
        rows(
            {"text": "a", "expires": "2030-07-01"},
            {"text": "b", "expires": "2031-01-31T23:59:59+02:00"},
            {"text": "c", "expires": None},
            {"text": "d", "expires": ""},
        ),
    )
    given = date(2040, 1, 1)
    documents, problems = read(path, expires=given)
    assert not problems
    assert [d.expires for d in documents] == [date(2030, 7, 1), date(2031, 1, 31), given, given]
    assert [d.expires for d in read(path)[0]][2:] == [None, None]


def test_text_field_can_be_named(tmp_path: Path, read: Read) -> None:
    path = write(tmp_path / "a.jsonl", rows({"text": "no", "code": "yes"}))
    assert read(path, fields=[("text", "code")])[0][0].text == "yes"


def test_byte_order_mark_blank_lines_and_missing_last_newline_are_fine(
    tmp_path: Path, read: Read
) -> None:
    path = write(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"text":"1"}\r\n\n  \n{"text":"2"}')
    documents, problems = read(path)
    assert [document.id for document in documents] == ["a.jsonl#1", "a.jsonl#4"]
    assert not problems


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not a row of JSON lines, one object a line: Input data was truncated"),
        (b'["text"]', "not a row of JSON lines"),
        (b"\0\0", "not a row of JSON lines"),
        (b'{"text": "\\ud800"}', "not a row of JSON lines"),
        (b'{"text": ' + b"[" * 100_000, "not a row of JSON lines"),
        (b'{"text": "caf\xe9"}', "byte 13 of the line: 0xe9 is not UTF-8"),
        (b'{"id": "a", "KJV": "b"}', "no text: expected a field text, content, body, paragraphs,"),
        (b'{"text": 5}', "field text is neither a string nor a list of strings"),
        (b'{"text": ["a", 5]}', "field text is neither a string nor a list of strings"),
        (b'{"text": "a", "owner": {"name": "me"}}', "field owner is neither a string nor a list"),
        (b'{"text": "a", "expires": "1.7.2030"}', "field expires: '1.7.2030' is no date; expected"),
        (b'{"text": "a", "expires": 1909090800}', "field expires is not a string; expected YYYY-"),
    ],
)
def test_bad_row_is_a_problem_and_the_next_row_is_read(
    tmp_path: Path, read: Read, line: bytes, reason: str
) -> None:
    path = write(tmp_path / "a.jsonl", b'{"text": "1"}\n' + line + b'\n{"text": "3"}\n')
    documents, (problem,) = read(path)
    assert [document.text for document in documents] == ["1", "3"]
    assert (problem.name, problem.place) == (str(path), "line 2")
    assert problem.reason.startswith(reason)


def test_rows_before_a_damaged_place_are_kept(tmp_path: Path, read: Read) -> None:
    data = rows(*({"text": f"row {number} {os.urandom(9)!r}"} for number in range(9999)))
    packed = gzip.compress(data.encode())
    documents, (problem,) = read(write(tmp_path / "a.jsonl.gz", packed[: len(packed) // 2]))
    assert len(documents) > 1000
    assert problem.place == f"after line {len(documents)}"


# ---- one text ------------------------------------------------------------------------------------


def test_read_text_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"caf\xe9")
    with pytest.raises(SourceError, match=r"a\.txt: byte 3: 0xe9 is not UTF-8; it looks"):
        read_text(path)
    with pytest.raises(SourceError, match="No such file or directory"):
        read_text(tmp_path / "none")
    with pytest.raises(SourceError, match="is a directory"):
        read_text(tmp_path)


# ---- finding documents again ---------------------------------------------------------------------


def test_documents_are_found_again_by_id_where_they_were(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books/emma.txt").write_text("Emma Woodhouse")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "a", "text": "one"}\n{"text": "two"}\n')
    sources = [tmp_path / "books", rows]
    assert find_documents(sources, ["books/emma.txt", "a", "rows.jsonl#2", "gone"]) == {
        "books/emma.txt": "Emma Woodhouse",
        "a": "one",
        "rows.jsonl#2": "two",
    }


def test_id_that_climbs_out_of_its_source_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "secret.txt").write_text("not a document")
    assert find_documents([tmp_path / "books"], ["books/../secret.txt"]) == {}
