"""Whatever the form of a file, its documents come out, one at a time; what is damaged is told."""

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dedup import packing
from dedup.document import Document, SourceNote, SourceProblem
from dedup.encoding import Encoding
from dedup.filter import Filter
from dedup.index import Index
from dedup.partition import partitions
from dedup.reading import Reading
from dedup.source import find_documents, read_sources

pa = pytest.importorskip("pyarrow")
zstandard = pytest.importorskip("zstandard")
pq = pytest.importorskip("pyarrow.parquet")

WORDS = "it is a truth universally acknowledged that a single man in possession of a good fortune"


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


class Found:
    """What reading gave."""

    def __init__(self, *sources: Path, reading: Reading | None = None) -> None:
        items = [item for part in partitions(sources, reading) for item in part.read()]
        self.documents = [item for item in items if isinstance(item, Document)]
        self.problems = [str(item) for item in items if isinstance(item, SourceProblem)]
        self.notes = [str(item) for item in items if isinstance(item, SourceNote)]
        self.texts = {document.id: document.text for document in self.documents}


def fields(**named: str) -> Reading:
    return Reading(fields=tuple(named.items()), labels=Document("", ""))


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstd,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


# ---- packings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", PACKINGS)
def test_packed_files_are_read_as_what_was_packed(tmp_path: Path, ending: str) -> None:
    pack = PACKINGS[ending]
    write(tmp_path / f"d/a.txt{ending}", pack(WORDS.encode()))
    write(tmp_path / f"d/b.jsonl{ending}", pack(b'{"text": "one"}\n{"text": "two"}\n'))
    write(tmp_path / f"d/c.txt{ending.upper()}", pack(b"first, ") + pack(b"second"))
    assert Found(tmp_path / "d").texts == {
        f"d/a.txt{ending}": WORDS,
        f"d/b.jsonl{ending}#1": "one",
        f"d/b.jsonl{ending}#2": "two",
        f"d/c.txt{ending.upper()}": "first, second",
    }


@pytest.mark.parametrize("ending", PACKINGS)
def test_damaged_packing_is_a_problem_after_what_could_be_read(tmp_path: Path, ending: str) -> None:
    draw = random.Random(ending)
    lines = "".join(json.dumps({"text": str(draw.random())}) + "\n" for _ in range(20_000))
    packed = PACKINGS[ending](lines.encode())
    write(tmp_path / f"d/cut.jsonl{ending}", packed[: len(packed) * 2 // 3])
    write(tmp_path / f"d/none.txt{ending}", b"not packed at all, but named so")
    found = Found(tmp_path / "d")
    if ending != ".bz2":  # a block of it may be all there is
        assert len(found.documents) > 1000
    cut, none = found.problems
    name = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}[ending]
    assert f": damaged {name} (" in cut
    assert f"none.txt{ending}: damaged {name} (" in none
    assert none.endswith("; get it again or leave it out")


@pytest.mark.parametrize("ending", PACKINGS)
def test_bomb_is_refused(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_FREE_BYTES", 1 << 20)
    bomb = PACKINGS[ending](b"word " * 1_200_000)
    write(tmp_path / f"d/bomb.txt{ending}", bomb)
    write(tmp_path / "d/inner.tar", tar({f"bomb.txt{ending}": bomb, "after.txt": b"after"}))
    write(tmp_path / "d/z.txt", "the rest")
    found = Found(tmp_path / "d")
    assert "d/z.txt" in found.texts
    assert len(found.problems) >= 2
    assert "unpacks to more than 200 times its size, as a bomb does" in found.problems[0]
    assert f"inner.tar/bomb.txt{ending}: unpacks to more than" in found.problems[1]


def test_packing_of_a_packing_is_one_file_to_the_allowance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_FREE_BYTES", 1 << 20)
    # Each layer is within the ratio, both together are far from it.
    inner = gzip.compress(random.Random(1).randbytes(200) * 60_000, 1)
    write(tmp_path / "a.tar.gz", gzip.compress(tar({f"{n}.txt.gz": inner for n in range(99)})))
    (problem, *_) = Found(tmp_path / "a.tar.gz").problems
    assert "as a bomb does" in problem


# ---- encodings -----------------------------------------------------------------------------------


def test_encoding_is_that_of_a_mark_of_the_user_or_a_guess(tmp_path: Path) -> None:
    russian = "Привет мир, это простой текст для проверки кодировки, написанный по-русски"
    folder = tmp_path / "d"
    write(folder / "marked.txt", WORDS.encode("utf-16"))
    write(folder / "named.txt", russian.encode("cp1251"))
    assert Found(folder).problems == [
        f"{folder}/named.txt: byte 0: 0xcf is not UTF-8; it looks like cp1251: if so, pass "
        "--encoding cp1251, or convert it, for example with: iconv -f LATIN1 -t UTF-8, or leave "
        "it out"
    ]
    for encoding in (Encoding(is_guessed=True), Encoding("windows-1251")):
        found = Found(folder, reading=Reading(encoding=encoding))
        assert found.texts == {"d/marked.txt": WORDS, "d/named.txt": russian}
        assert found.notes == [f"{folder}: read 1 as cp1251, 1 as utf-16"]
    with pytest.raises(ValueError, match="unknown encoding 'cp9999'; expected one such as cp1252"):
        Encoding("cp9999")


def test_rows_of_another_encoding_are_read(tmp_path: Path) -> None:
    row = '{"text": "Straße"}\n'
    write(tmp_path / "d/a.jsonl", row.encode("utf-16"))
    write(tmp_path / "d/b.csv", "id,text\n1,Straße\n".encode("utf-16"))
    assert set(Found(tmp_path / "d").texts.values()) == {"Straße"}
    latin = write(tmp_path / "l.jsonl", row.encode("latin-1"))
    assert Found(latin, reading=Reading(encoding=Encoding("latin-1"))).texts == {
        "l.jsonl#1": "Straße"
    }
    assert "byte 14 of the line: 0xdf is not UTF-8" in Found(latin).problems[0]


# ---- JSON ----------------------------------------------------------------------------------------


def test_json_array_is_a_document_an_element(tmp_path: Path) -> None:
    objects = [
        {"id": "a", "text": 'brackets ]}, and \\" quotes", \\'},
        {"text": "b", "deep": [[{"x": ["]"]}]], "license": "MIT"},
        {"text": "c"},
    ]
    for indent in (None, 2):
        path = write(tmp_path / "a.json", json.dumps(objects, indent=indent))
        documents = list(read_sources([path]))
        assert documents == [
            Document("a", 'brackets ]}, and \\" quotes", \\'),
            Document("a.json#2", "b", licence="MIT"),
            Document("a.json#3", "c"),
        ]


def test_json_array_is_read_however_it_falls_into_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.rows._PIECE_BYTES", 1)
    texts = ['a"]', "b\\", '\\"{', "", "é" * 50, "[", "}"]
    path = write(tmp_path / "a.json", json.dumps([{"text": text} for text in texts], indent=1))
    assert list(Found(path).texts.values()) == texts


@pytest.mark.parametrize(
    ("data", "texts", "problem"),
    [
        ('[{"text": "a"}, {"n": 1}, {"text": "b"}]', ["a", "b"], "row 2: no text: expected"),
        ('[{"text": "a"}, 5, {"text": "b"}]', ["a", "b"], "row 2: no row: Expected `object`"),
        ('[{"text": "a"}, {"text": "b"', ["a"], "after row 1: it ends in the middle"),
        ('[{"text": "a"}, {"text": "\\ud800"}]', ["a"], "row 2: no row: "),
        ('[{"text": "a"},,{"text": "b"}]', ["a", "b"], "row 2: no row: "),
    ],
)
def test_bad_element_is_a_problem_and_the_next_is_read(
    tmp_path: Path, data: str, texts: list[str], problem: str
) -> None:
    found = Found(write(tmp_path / "a.json", data))
    assert list(found.texts.values()) == texts
    assert f"a.json: {problem}" in found.problems[0]


def test_json_of_another_make_is_one_document(tmp_path: Path) -> None:
    texts = {
        "array.json": '[{"n": 1}, {"n": 2}]',
        "deep.json": "[" * 100_000,
        "numbers.json": "[1, 2]",
        "package.json": '{"name": "x", "version": "1"}',
        "broken.json": '{"text": ',
    }
    for name, data in texts.items():
        write(tmp_path / "d" / name, data)
    write(tmp_path / "d/one.json", '{\n "id": "the one",\n "text": "of an object"\n}\n')
    write(tmp_path / "d/single.json", '{"text": "a line"}\n')
    write(tmp_path / "d/lines.json", '{"text": "a"}\n{"text": "b"}\n')
    found = Found(tmp_path / "d")
    assert not found.problems
    assert found.texts == {
        **{f"d/{name}": data for name, data in texts.items()},
        "the one": "of an object",
        "d/single.json": "a line",
        "d/lines.json#1": "a",
        "d/lines.json#2": "b",
    }


def test_fields_can_be_named_also_inside_others(tmp_path: Path) -> None:
    row = {
        "doc": {"body": "words", "key": 7},
        "meta": {"license": ["MIT"], "by": "me"},
        "a.b": "dotted",
    }
    path = write(tmp_path / "a.jsonl", json.dumps(row))
    inside = {"text": "doc.body", "id": "doc.key", "licence": "meta.license", "owner": "meta.by"}
    assert Found(path, reading=fields(**inside)).documents == [
        Document("7", "words", licence="MIT", owner="me")
    ]
    assert Found(path, reading=fields(text="a.b")).documents[0].text == "dotted"
    with pytest.raises(ValueError, match="a row has no 'words'; expected one of id, text, corpus"):
        fields(words="x")


# ---- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t")])
def test_table_is_a_document_a_row_of_the_line_it_begins_in(
    tmp_path: Path, name: str, delimiter: str
) -> None:
    rows = ["id,text,license", '1,"two\nlines, ""quoted""",MIT', "", ",short", ',"more",,']
    table = "\ufeff" + "\r\n".join(row.replace(",", delimiter) for row in rows)
    assert list(read_sources([write(tmp_path / name, table)])) == [
        Document("1", f'two\nlines{delimiter} "quoted"', licence="MIT"),
        Document(f"{name}#5", "short"),
        Document(f"{name}#6", "more"),
    ]


def test_table_without_text_is_a_problem_if_named_and_else_a_document(tmp_path: Path) -> None:
    path = write(tmp_path / "d/a.csv", "x,y\n1,2\n")
    assert Found(tmp_path / "d").texts == {"d/a.csv": "x,y\n1,2\n"}
    (problem,) = Found(path).problems
    assert (
        "line 1: no text: expected a field text, content, body, paragraphs, the row has" in problem
    )


def test_bad_row_of_a_table_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.csv", b"id,text\n1,caf\xe9\n2,na\xc3\xafve\n3,\0\n4,a\rb\n5,ok\n")
    found = Found(path)
    assert list(found.texts.values()) == ["naïve", "\0", "ok"]
    assert "line 2: byte 3 of field text: 0xe9 is not UTF-8" in found.problems[0]
    assert "line 5: new-line character seen in unquoted field" in found.problems[1]
    guessed = Found(path, reading=Reading(encoding=Encoding(is_guessed=True)))
    assert guessed.texts["1"] == "café"
    monkeypatch.setattr("dedup.delimited._MAX_CELL_BYTES", 50)
    monkeypatch.setattr("csv.field_size_limit", lambda *_: 50)
    long = Found(write(tmp_path / "b.csv", "id,text\n1,ok\n2," + "word " * 99 + "\n3,no\n"))
    assert list(long.texts) == ["1"]
    assert "after line 2: a line of more than 50 bytes; stopped here" in long.problems[0]


def table(count: int) -> "pa.Table":
    return pa.table(
        {
            "n": list(range(count)),
            "text": [f"row {number} " + "word " * (number % 40) for number in range(count)],
            "meta": [{"license": "MIT"}] * count,
        }
    )


def write_arrow(path: Path, rows: "pa.Table", *, is_file: bool, batch: int = 100) -> Path:
    new = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with new(str(path), rows.schema) as writer:
        writer.write_table(rows, max_chunksize=batch)
    return path


def columnar(tmp_path: Path) -> Iterator[Path]:
    rows = table(1000)
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=100)
    yield tmp_path / "a.parquet"
    yield write_arrow(tmp_path / "a.arrow", rows, is_file=True)
    yield write_arrow(tmp_path / "b.arrow", rows, is_file=False)


def test_columns_give_a_document_a_row(tmp_path: Path) -> None:
    expected = table(1000).column("text").to_pylist()
    for path in columnar(tmp_path):
        found = Found(path)
        assert found.documents == [
            Document(f"{path.name}#{number}", text) for number, text in enumerate(expected, 1)
        ]
        labelled = Found(path, reading=fields(id="n", licence="meta.license")).documents
        assert labelled[7] == Document("7", expected[7], licence="MIT")
        (problem,) = Found(path, reading=fields(text="words")).problems
        assert "no text: expected a field words, the row has n, text, meta; name one" in problem


def test_columns_inside_archives_and_packings_are_read(tmp_path: Path) -> None:
    for path in list(columnar(tmp_path)):
        data = path.read_bytes()
        write(tmp_path / f"in/{path.name}.gz", gzip.compress(data))
        write(tmp_path / f"in/{path.name}.tar", tar({f"x/{path.name}": data}))
        write(tmp_path / f"in/{path.name}.zip", zipped({f"x/{path.name}": data}))
    found = Found(tmp_path / "in")
    assert not found.problems
    assert len(found.documents) == 9000
    assert found.texts["in/a.arrow.zip/x/a.arrow#8"].startswith("row 7 ")


def test_columns_without_text_inside_a_tree_are_counted(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "a.parquet")
    write(tmp_path / "b.txt", "words")
    found = Found(tmp_path)
    assert not found.problems
    assert found.notes == [f"{tmp_path}: left out 1 table without text"]


def test_columns_may_be_of_bytes_or_null(tmp_path: Path) -> None:
    rows = pa.table({"text": pa.array([b"good", None, b"caf\xe9", b"end"], pa.binary())})
    pq.write_table(rows, tmp_path / "a.parquet")
    found = Found(tmp_path / "a.parquet")
    assert found.texts == {"a.parquet#1": "good", "a.parquet#4": "end"}
    assert "row 2: no text" in found.problems[0]
    assert "row 3: byte 3 of field text: 0xe9 is not UTF-8" in found.problems[1]
    bad = pa.StringArray.from_buffers(2, *rows["text"].slice(2).combine_chunks().buffers()[1:])
    write_arrow(tmp_path / "a.arrow", pa.table({"text": bad}), is_file=True)
    assert "row 1: byte 3 of field text" in Found(tmp_path / "a.arrow").problems[0]


def test_damaged_columns_are_problems(tmp_path: Path) -> None:
    draw = random.Random(5)
    for path in list(columnar(tmp_path)):
        data = path.read_bytes()
        for trial in range(40):
            at = draw.randrange(len(data))
            bad = data[:at] if trial % 2 else data[:at] + draw.randbytes(8) + data[at + 8 :]
            found = Found(write(tmp_path / f"bad/{path.name}", bad))
            for problem in found.problems:
                assert "damaged" in problem or "no text" in problem or "row " in problem
            assert found.problems or len(found.documents) == 1000 or path.name == "b.arrow"


# ---- notebooks -----------------------------------------------------------------------------------

CODE = """\
def insert(heap, item):
    heap.append(item)
    place = len(heap) - 1
    while place > 0:
        parent = (place - 1) // 2
        if heap[parent] <= item:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = item
    return place

def smallest(heap, count):
    taken = []
    for _ in range(count):
        taken.append(heap[0])
        last = heap.pop()
        if heap:
            sift(heap, last)
    return taken
"""


def test_notebook_is_what_was_written_in_its_cells(tmp_path: Path) -> None:
    def cell(kind: str, source: str) -> dict[str, object]:
        return {"cell_type": kind, "source": source.splitlines(True), "outputs": ["noise" * 99]}

    cells = [cell("markdown", "# Heaps\n\nOf *Williams*."), cell("code", CODE), cell("raw", "")]
    notebook = {"cells": cells, "metadata": {"language_info": {"name": "python"}}}
    path = write(tmp_path / "n.ipynb", json.dumps(notebook))
    (document,) = Found(path).documents
    assert document == Document("n.ipynb", f"# Heaps\n\nOf *Williams*.\n\n```python\n{CODE}```")
    with Index.create(tmp_path / "i.idx", key=None) as index:
        index.add([Document("heap.py", CODE)])
        index.commit()
    with Index.open(tmp_path / "i.idx", key=None) as index:
        verdict = Filter(index).check(document.text)
    assert "code" in {match.view for match in verdict.matches}
    write(tmp_path / "d/bad.ipynb", "{ no notebook")
    assert Found(tmp_path / "d").texts == {"d/bad.ipynb": "{ no notebook"}


# ---- archives ------------------------------------------------------------------------------------


def tar(members: dict[str, bytes], mode: str = "w", format: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=format) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


MEMBERS = {
    "pkg/a.py": b"x = 1\n",
    "pkg/" + "long/" * 60 + "b.txt": b"deep",
    "pkg/\u00fc.txt": b"umlaut",
    "pkg/rows.jsonl": b'{"text": "one"}\n{"id": "own", "text": "two"}\n',
    "pkg/image.png": b"\x89PNG\r\n\0\0",
    "pkg/more.txt.gz": gzip.compress(b"packed"),
    "pkg/inner.zip": zipped({"in.txt": b"inner"}),
    "pkg/inner.tgz": tar({"in.txt": b"inmost"}, "w:gz"),
    "pkg/empty.txt": b"",
}
INSIDE = {
    "pkg/a.py": "x = 1\n",
    "pkg/" + "long/" * 60 + "b.txt": "deep",
    "pkg/\u00fc.txt": "umlaut",
    "pkg/rows.jsonl#1": "one",
    "pkg/more.txt.gz": "packed",
    "pkg/inner.zip/in.txt": "inner",
    "pkg/inner.tgz/in.txt": "inmost",
    "pkg/empty.txt": "",
}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tar", tar(MEMBERS)),
        ("gnu.tar", tar(MEMBERS, format=tarfile.GNU_FORMAT)),
        ("a.tar.gz", tar(MEMBERS, "w:gz")),
        ("a.tgz", tar(MEMBERS, "w:gz")),
        ("a.tar.zst", zstd(tar(MEMBERS))),
        ("a.tar.xz", tar(MEMBERS, "w:xz")),
        ("a.tbz2", tar(MEMBERS, "w:bz2")),
        ("a.zip", zipped(MEMBERS)),
        ("a.whl", zipped(MEMBERS, zipfile.ZIP_STORED)),
        ("lzma.zip", zipped(MEMBERS, zipfile.ZIP_LZMA)),
    ],
)
def test_archive_gives_what_its_members_hold(tmp_path: Path, name: str, data: bytes) -> None:
    path = write(tmp_path / name, data)
    found = Found(path)
    assert not found.problems
    assert found.texts == {"own": "two"} | {f"{name}/{id}": text for id, text in INSIDE.items()}
    assert found.notes == [f"{path}: left out 1 binary file"]
    assert find_documents([path], [f"{name}/pkg/a.py", f"{name}/pkg/inner.zip/in.txt", "own"]) == {
        f"{name}/pkg/a.py": "x = 1\n",
        f"{name}/pkg/inner.zip/in.txt": "inner",
        "own": "two",
    }


def test_names_in_archives_lead_nowhere_and_are_told_apart(tmp_path: Path) -> None:
    names = ["/etc/passwd", "../../up.txt", "a/./b.txt", "a//b.txt", "..", "c\\d.txt"]
    file, zip = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive, zipfile.ZipFile(zip, "w") as other:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(str(number).encode()))
            other.writestr(name, str(number))
    for name, data in (("a.tar", file.getvalue()), ("a.zip", zip.getvalue())):
        found = Found(write(tmp_path / name, data))
        inside = ("etc/passwd", "up.txt", "a/b.txt", "a/b.txt#2", "unnamed", "c\\d.txt")
        assert found.texts == {f"{name}/{id}": str(n) for n, id in enumerate(inside)}


def test_links_devices_and_holes_in_a_tar_are_left_out(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        kinds = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
        for type in (*kinds, tarfile.GNUTYPE_SPARSE):
            info = tarfile.TarInfo(f"odd{type.decode()}")
            info.type, info.linkname = type, "a.txt"
            archive.addfile(info)
        info = tarfile.TarInfo("a.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"after"))
    path = write(tmp_path / "a.tar", file.getvalue())
    found = Found(path)
    assert found.texts == {"a.tar/a.txt": "after"}
    assert found.notes == [
        f"{path}: left out 1 device, 1 link, 1 sparse file, 1 symbolic link",
    ]


def test_text_and_labels_of_one_sample_are_one_document(tmp_path: Path) -> None:
    members = {
        "000.jpg": b"\xff\xd8\0",
        "000.json": b'{"id": "first", "license": "MIT", "caption": "x"}',
        "000.txt": b"a caption",
        "001.txt": b"another",
        "001.json": b'{"owner": "me"}',
        "002.json": b'{"text": "alone"}',
        "003.txt": b"no labels",
        "004.json": b"[1]",
        "004.txt": b"not an object",
    }
    path = write(tmp_path / "shard.tar", tar(members))
    assert list(read_sources([path])) == [
        Document("first", "a caption", licence="MIT"),
        Document("shard.tar/001.txt", "another", owner="me"),
        Document("shard.tar/002.json", "alone"),
        Document("shard.tar/003.txt", "no labels"),
        Document("shard.tar/004.json", "[1]"),
        Document("shard.tar/004.txt", "not an object"),
    ]


def test_damaged_archive_is_a_problem_after_what_could_be_read(tmp_path: Path) -> None:
    members = {
        f"{number}.txt": random.Random(number).randbytes(3000).hex().encode()
        for number in range(50)
    }
    whole = tar(members)
    found = Found(write(tmp_path / "cut.tar", whole[: 24 * 6656 + 999]))
    assert len(found.documents) == 24
    assert found.problems[0].endswith(
        "cut.tar/24.txt: damaged tar (it ends in this member); get it again or leave it out"
    )
    flipped = whole[: 512 * 130] + b"\xff" * 512 + whole[512 * 131 :]
    assert Found(write(tmp_path / "bad.tar", flipped)).documents
    packed = zipped(members)
    (problem,) = Found(write(tmp_path / "cut.zip", packed[: len(packed) // 2])).problems
    assert "cut.zip: damaged zip (File is not a zip file)" in problem
    broken = bytearray(packed)
    broken[2000:2004] = b"\0\1\2\3"
    found = Found(write(tmp_path / "bad.zip", bytes(broken)))
    assert len(found.documents) == 49
    assert "bad.zip/0.txt: damaged zip (" in found.problems[0]
    (problem,) = Found(write(tmp_path / "no.tar", "words")).problems
    assert "damaged tar (it ends in a header)" in problem


def test_what_is_no_archive_inside_a_tree_is_what_it_is(tmp_path: Path) -> None:
    write(tmp_path / "d/a.tar", "words about tar")
    write(tmp_path / "d/b.zip", b"\x01\0binary")
    write(tmp_path / "d/c.parquet", "words about floors")
    found = Found(tmp_path / "d")
    assert found.texts == {"d/a.tar": "words about tar", "d/c.parquet": "words about floors"}
    assert found.notes == [f"{tmp_path / 'd'}: left out 1 binary file"]


def test_archives_are_read_only_so_deep(tmp_path: Path) -> None:
    data = zipped({"a.txt": b"inmost"})
    for level in range(6):
        data = zipped({f"{level}.zip": data, f"{level}.txt": b"beside"})
    found = Found(write(tmp_path / "a.zip", data))
    assert len(found.documents) == 4
    assert "an archive in archives, 4 deep; unpack the outer ones first" in found.problems[0]


def test_zip_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_FREE_BYTES", 1 << 20)
    path = write(tmp_path / "a.zip", zipped({f"{n}.txt": b"word " * 999_999 for n in range(20)}))
    found = Found(path)
    assert len(found.problems) == 1
    assert "a.zip/0.txt: unpacks to more than 200 times its size" in found.problems[0]
    # Every entry of the directory is made to name the same, overlapping bytes.
    packed = bytearray(zipped({f"{n}.txt": random.Random(1).randbytes(9000) for n in range(99)}))
    end = packed.rfind(b"PK\1\2", 0, packed.find(b"PK\1\2") + 5)
    first = packed[42 + end : 46 + end]
    at = end
    while at >= 0:
        packed[at + 42 : at + 46] = first
        packed[at + 20 : at + 24] = (1 << 20).to_bytes(4, "little")
        at = packed.find(b"PK\1\2", at + 4)
    (problem,) = Found(write(tmp_path / "over.zip", bytes(packed))).problems
    assert "its members lie over each other, as those of a bomb do" in problem
    monkeypatch.setattr("dedup.archive._MAX_MEMBERS", 10)
    (problem,) = Found(path).problems
    assert "a zip of more than 10 members; split it" in problem


def test_encrypted_member_is_a_problem_and_the_rest_is_read(tmp_path: Path) -> None:
    packed = bytearray(zipped({"a.txt": b"secret", "b.txt": b"open"}))
    packed[6] |= 1
    packed[packed.find(b"PK\1\2") + 8] |= 1
    found = Found(write(tmp_path / "a.zip", bytes(packed)))
    assert found.texts == {"a.zip/b.txt": "open"}
    assert found.problems == [f"{tmp_path}/a.zip/a.txt: is encrypted; unpack it with its password"]


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_archive_of_another_making_never_stops_the_reader(tmp_path: Path, name: str) -> None:
    draw = random.Random(name)
    whole = tar(MEMBERS) if name == "a.tar" else zipped(MEMBERS)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 6)):
            at = draw.randrange(len(data))
            data[at : at + draw.randrange(1, 9)] = draw.randbytes(draw.randrange(1, 9))
        Found(write(tmp_path / name, bytes(data[: draw.randrange(1, len(data))])))


# ---- cutting -------------------------------------------------------------------------------------


def test_what_can_be_cut_gives_the_same_documents_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = columnar(tmp_path)
    members = {
        f"{number}.txt": random.Random(number).randbytes(99).hex().encode() for number in range(99)
    }
    zip = write(tmp_path / "a.zip", zipped(members))
    for path in (a, b, zip):
        whole = Found(path).documents
        with monkeypatch.context() as patch:
            patch.setattr("dedup.partition._GROUP_BYTES", 500)
            for module in ("archive", "columns"):
                patch.setattr(f"dedup.{module}.CUT_BYTES", 2000)
            assert len(list(partitions([path]))) > 4
            assert Found(path).documents == whole
