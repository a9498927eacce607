"""``dedup scan``, run as a user runs it."""

import json
import os
import pty
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from command import COMMAND, Run
from test_filter import HARMLESS, PROTECTED

from dedup.document import Document
from dedup.index import Index


@pytest.fixture
def corpus(tmp_path: Path, books: Path) -> Path:
    """A folder of 40 documents, of which three hold what the index protects."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(40):
        text = HARMLESS + (PROTECTED if number % 13 == 5 else "")
        (folder / f"{number:02}.txt").write_text(f"{number} {text}")
    return folder


def test_scan_writes_rows_and_a_summary_and_fails_on_what_is_found(
    run: Run, corpus: Path, tmp_path: Path
) -> None:
    ran = run("scan", corpus, "--index", "books.idx", "-o", "rows.jsonl", "--jobs", 2)
    assert ran.status == 1
    assert ran.out == ""
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["document"] for row in rows] == [f"corpus/{n:02}.txt" for n in range(40)]
    assert "40 documents scanned" in ran.err
    assert "block 3, allow 37; 3 matches" in ran.err
    assert "documents with matches by corpus: books 3" in ran.err
    assert "documents with matches by licence: PD 3" in ran.err
    assert "peak memory" in ran.err
    assert run("scan", corpus, "--index", "books.idx", "-o", "x", "--fail-on", "never").status == 0


def test_scan_without_an_output_writes_rows_to_standard_output(run: Run, corpus: Path) -> None:
    ran = run("scan", corpus, "--index", "books.idx", "--matches-only", "--quiet")
    assert ran.err == ""
    assert [json.loads(line)["document"][-6:] for line in ran.out.splitlines()] == [
        "05.txt",
        "18.txt",
        "31.txt",
    ]
    assert run("scan", corpus, "--index", "books.idx", "-o", "/dev/stdout", "--quiet").out


def test_scan_reads_standard_input(run: Run, books: Path) -> None:
    rows = "".join(json.dumps({"id": id, "text": PROTECTED}) + "\n" for id in "ab")
    ran = run("scan", "-", "--index", "books.idx", "--quiet", stdin=rows)
    assert ran.status == 1
    assert ran.out.startswith('{"schema_version":1,"document":"stdin"')


def test_what_cannot_be_read_is_listed_and_the_status_is_2(
    run: Run, corpus: Path, tmp_path: Path
) -> None:
    (corpus / "05.txt").write_bytes(bytes(range(256)) * 10)
    (corpus / "06.jsonl").write_text('{"text": "well"}\n{"text": 5}\n')
    os.mkfifo(corpus / "07.fifo")
    ran = run("scan", corpus, "missing", "--index", "books.idx", "-o", "rows.jsonl")
    assert ran.status == 2
    for told in ("06.jsonl: line 2", "07.fifo", "missing: No such file"):
        assert f"{told}" in ran.err
    assert "3 problems: not judged" in ran.err
    assert "left out 1 binary file" in ran.err
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["action"] for row in rows].count(None) == 3


def test_sources_without_a_document_are_a_mistake(run: Run, books: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = run("scan", "empty", "--index", "books.idx")
    assert ran.status == 2
    (tmp_path / "blank").mkdir()
    (tmp_path / "blank/x.txt").write_text(" \n")
    assert run("scan", "blank", "--index", "books.idx").status == 2


def test_scan_never_reads_what_it_writes(run: Run, tmp_path: Path, books: Path) -> None:
    options = ("--index", "books.idx", "--drop-list", "drop", "--cleaned", "c.jsonl", "--quiet")
    assert run("scan", ".", *options, "-o", "rows.jsonl").status == 1
    before = (tmp_path / "rows.jsonl").read_bytes()
    assert b"rows.jsonl" not in before
    assert b".dedup" not in before
    assert run("scan", ".", *options, "-o", "rows.jsonl").status == 1
    assert (tmp_path / "rows.jsonl").read_bytes() == before
    assert (tmp_path / "drop").read_text().split()


def test_usage_is_checked_before_any_work(run: Run, corpus: Path) -> None:
    scan = ("scan", corpus, "--index", "books.idx")
    assert "is no part; expected one as 1/8" in run(*scan, "--shard", "3/2").err
    assert "give -o OUT" in run(*scan, "--resume").err
    assert "give -o OUT" in run(*scan, "--format", "parquet").err
    assert "does not go with" in run(*scan, "--format", "html", "-o", "x.parquet").err
    assert "need names of their own" in run(*scan, "-o", "x", "--drop-list", "x").err
    assert "no such policy" in run(*scan, "--policy", "stern").err


@pytest.mark.parametrize("form", ["html", "sarif", "github"])
def test_reports_are_made_of_the_rows(run: Run, corpus: Path, tmp_path: Path, form: str) -> None:
    if form == "html":
        pytest.importorskip("jinja2")
    scan = ("scan", corpus, "--index", "books.idx", "--quiet", "--format", form)
    ran = run(*scan)
    assert ran.status == 1
    assert "05.txt" in ran.out
    assert run(*scan, "-o", f"report.{form}", "--jobs", 1).status == 1
    assert (tmp_path / f"report.{form}").read_text() == ran.out


def test_a_baseline_leaves_what_is_new(run: Run, corpus: Path) -> None:
    scan = ("scan", corpus, "--index", "books.idx", "-o", "rows.jsonl")
    assert run(*scan, "--write-baseline", "known").status == 0
    ran = run(*scan, "--baseline", "known")
    assert ran.status == 0
    assert "0 new, 3 known, 0 gone" in ran.err
    (corpus / "00.txt").write_text(PROTECTED)
    ran = run(*scan, "--baseline", "known")
    assert ran.status == 1
    assert "1 new, 3 known, 0 gone" in ran.err


def test_drop_list_and_cleaned_without_rows_to_keep(run: Run, corpus: Path, tmp_path: Path) -> None:
    ran = run(
        *("scan", corpus, "--index", "books.idx", "--quiet"),
        *("--drop-list", "drop.txt", "--cleaned", "clean.jsonl.gz"),
    )
    assert ran.status == 1
    assert len(ran.out.splitlines()) == 40
    dropped = (tmp_path / "drop.txt").read_text().splitlines()
    assert dropped == [f"corpus/{n:02}.txt" for n in (5, 18, 31)]
    again = run("scan", "clean.jsonl.gz", "--index", "books.idx", "--quiet")
    assert again.status == 0
    assert len(again.out.splitlines()) == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_at_once_and_leaves_what_can_be_resumed(
    run: Run, books: Path, tmp_path: Path, number: int
) -> None:
    line = json.dumps({"text": HARMLESS * 20 + PROTECTED}) + "\n"
    for name in range(60):
        (tmp_path / f"{name:02}.jsonl").write_text(line * 60)
    sources = sorted(map(str, tmp_path.glob("*.jsonl")))
    scan = ["scan", *sources, "--index", "books.idx", "-o", "rows", "--jobs", "2"]
    process = subprocess.Popen([*COMMAND, *scan], stderr=subprocess.PIPE, text=True)
    wait_for(tmp_path / "rows.partial")
    workers = children(process.pid)
    process.send_signal(number)
    begin = time.monotonic()
    _, told = process.communicate()
    assert time.monotonic() - begin < 5
    assert process.returncode == 130
    assert told.endswith("dedup: what is done is kept; go on with --resume\ndedup: interrupted\n")
    assert workers
    assert not any(is_alive(pid) for pid in workers)
    assert "go on with --resume, or remove" in run(*scan).err
    assert run(*scan, "--resume").status == 1
    run("scan", *sources, "--index", "books.idx", "-o", "whole", "--jobs", 1)
    assert (tmp_path / "rows").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_terminal_shows_how_far_it_is(run: Run, corpus: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "scan", str(corpus), "--index", "books.idx", "-o", "rows"],
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the terminal ends with the process
        while part := os.read(ours, 1 << 16):
            shown += part
    os.close(ours)
    assert process.wait() == 1
    assert b"40 documents, 3 matches" in shown
    assert b"MB/s" in shown
    assert b"40 documents scanned" in shown


def test_an_empty_index_is_warned_of(run: Run, corpus: Path, tmp_path: Path) -> None:
    with Index.create(tmp_path / "none", key=None) as index:
        index.commit()
    ran = run("scan", corpus, "--index", "none", "-o", "rows")
    assert ran.status == 0
    assert "none holds no document; everything passes" in ran.err


def test_permitted_passages_pass(run: Run, corpus: Path, tmp_path: Path) -> None:
    with Index.create(tmp_path / "free") as index:
        index.add([Document("moby", PROTECTED)])
        index.commit()
    scan = ("scan", corpus, "--index", "books.idx", "--background", "free", "-o", "rows")
    assert run(*scan).status == 0


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < end
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
