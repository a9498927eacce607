"""The command line, run as a user runs it: its output, its messages, its exit status."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from command import COMMAND, DATA, Run
from test_filter import HARMLESS, PROTECTED

from dedup.index import Index

# ---- code ----------------------------------------------------------------------------------------

ANSWER = DATA / "outputs" / "answer-with-renamed-code.md"


def test_renamed_function_is_blocked_and_shown_beside_its_original(
    run: Run, timetable: Path
) -> None:
    ran = run("check", ANSWER, "--index", "t.idx", "--source", timetable)
    assert ran.status == 1 and ran.err == ""
    assert "in free_slots, lines 30-45" in ran.out
    assert "licence GPL-3.0-or-later" in ran.out
    assert "renamed copy: " in ran.out
    assert "[[def free_slots(busy, day, shortest=15):" in ran.out
    assert "[[def find_gaps(meetings, window, minimum=15):" in ran.out


def test_json_names_function_and_lines(run: Run, timetable: Path) -> None:
    found = json.loads(run("check", ANSWER, "--index", "t.idx", "--format", "json").out)
    best = found["matches"][0]
    assert (best["function"], best["lines"], best["language"], best["kind"]) == (
        "free_slots",
        [30, 45],
        "python",
        "renamed",
    )


def test_original_that_changed_or_is_gone_is_not_shown(run: Run, timetable: Path) -> None:
    source = timetable / "slots.py"
    source.write_text(source.read_text() + "\n# changed\n")
    ran = run("check", ANSWER, "--index", "t.idx", "--source", timetable)
    assert ran.status == 1 and "the original" not in ran.out
    assert ran.err == (
        "dedup: warning: timetable/slots.py has changed since it was added; it is not shown\n"
    )
    source.unlink()
    ran = run("check", ANSWER, "--index", "t.idx", "--source", timetable)
    assert ran.err.endswith("timetable/slots.py is not in the sources; it is not shown\n")


def test_code_that_could_not_be_parsed_is_judged_and_told(run: Run, timetable: Path) -> None:
    bomb = "```java\n" + "a<" * 10_000 + "\n```\n"
    ran = run("check", "--index", "t.idx", stdin=bomb + ANSWER.read_text())
    assert ran.status == 1 and ran.out.startswith("BLOCK  -")
    told = r"dedup: \d parses? of code failed \(.*\d \w+\): judged by words and lexemes\n"
    assert re.fullmatch(told, ran.err)


def test_code_that_no_grammar_takes_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "script.pl").write_text("my $x = shift; print $x->{name} . 'a' for 1..3;\n" * 9)
    ran = run("index", "add", "p.idx", "script.pl")
    assert ran.status == 0
    assert "no grammar for 1 stretch of code; pip install 'dedup[languages]' has more" in ran.out


# ---- index ---------------------------------------------------------------------------------------


def test_folder_is_protected_then_a_copy_is_blocked_and_the_rest_allowed(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books/moby.txt").write_text(PROTECTED)
    added = run("index", "add", "b.idx", "books", "--corpus", "sea", "--url", "https://x/{id}")
    assert added.status == 0
    assert added.out.startswith("1 document read, ")
    assert "b.idx holds 1 document, " in added.out
    assert added.err == ""
    copied = run("check", "--index", "b.idx", "--format", "json", stdin=HARMLESS + PROTECTED)
    assert copied.status == 1
    (found,) = json.loads(copied.out)["matches"]
    assert (found["document"], found["corpus"]) == ("books/moby.txt", "sea")
    assert found["url"] == "https://x/books/moby.txt"
    assert run("check", "--index", "b.idx", stdin=HARMLESS).status == 0


def test_what_cannot_be_read_is_listed_and_the_rest_is_protected(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "a.txt").write_text(PROTECTED)
    (folder / "c.txt").write_bytes(b"caf\xe9")
    (folder / "d.jsonl").write_text('{"id": "row", "text": "some text"}\nnot json\n')
    os.mkfifo(folder / "e")
    added = run("index", "add", "b.idx", "books")
    assert added.status == 2
    assert [line.split(": ")[2:4] for line in added.err.splitlines()] == [
        ["books/c.txt", "byte 3"],
        ["books/d.jsonl", "line 2"],
        ["books/e", "is a named pipe, not a regular file; pass its text on standard input, as -"],
    ]
    assert "2 documents read" in added.out
    assert "3 problems, listed above: not protected" in added.out
    assert run("check", "--index", "b.idx", stdin=PROTECTED).status == 1


def test_binary_files_of_a_folder_are_counted_and_are_no_failure(run: Run, tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books/a.txt").write_text(PROTECTED)
    (tmp_path / "books/b.bin").write_bytes(b"\x7fELF\0")
    added = run("index", "add", "b.idx", "books")
    assert (added.status, added.err) == (0, "dedup: books: left out 1 binary file\n")
    assert added.out.startswith("1 document read (1 file left out), ")
    named = run("index", "add", "b.idx", "books/b.bin")
    assert named.status == 2
    assert "books/b.bin: byte 4: a NUL byte: this is binary, not text" in named.err


def test_licences_found_are_summed_up_and_a_given_one_stands(run: Run, tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    for number, tag in enumerate(["MIT", "mit", "Apache-2.0", ""]):
        text = f"// SPDX-License-Identifier: {tag}\n{PROTECTED}"
        (tmp_path / f"books/{number}.js").write_text(text)
    added = run("index", "add", "b.idx", "books")
    assert "licences: MIT 2, Apache-2.0 1, none found 1" in added.out.splitlines()
    given = run("index", "add", "c.idx", "books", "--licence", "mine")
    assert "licences" not in given.out
    check = run("check", "--index", "c.idx", "--format", "json", stdin=PROTECTED)
    assert json.loads(check.out)["matches"][0]["licence"] == "mine"


def test_repository_is_read_at_a_revision(run: Run, tmp_path: Path) -> None:
    repository = tmp_path / "books"
    who = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "init.defaultBranch=main")
    git = partial(subprocess.run, check=True, cwd=tmp_path, capture_output=True)
    git(["git", *who, "init", "books"])
    (repository / "moby.txt").write_text(PROTECTED)
    git(["git", *who, "-C", "books", "add", "."])
    git(["git", *who, "-C", "books", "commit", "-m", "one"])
    git(["git", *who, "-C", "books", "tag", "v1"])
    (repository / "moby.txt").write_text(HARMLESS)
    url = ("--url", "https://x/{revision}/{path}")
    assert run("index", "add", "b.idx", "books", "--revision", "v1", *url).status == 0
    (found,) = json.loads(
        run("check", "--index", "b.idx", "--format", "json", stdin=PROTECTED).out
    )["matches"]
    assert found["document"] == "books/moby.txt"
    assert re.fullmatch(r"https://x/[0-9a-f]{40}/moby\.txt", found["url"])
    wrong = run("index", "add", "b.idx", "books", "--revision", "v2")
    assert wrong.status == 2
    assert "books: no commit is called 'v2'; see: git -C " in wrong.err


def test_no_index_is_made_of_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    added = run("index", "add", "b.idx", "empty", "missing.txt")
    assert added.status == 2
    assert "empty: holds no text" in added.err
    assert "missing.txt: No such file or directory; check the path" in added.err
    assert "b.idx: nothing added, as no document could be read" in added.err
    assert not (tmp_path / "b.idx").exists()


def test_adding_again_says_what_was_replaced(run: Run, books: Path, tmp_path: Path) -> None:
    (tmp_path / "books/moby.txt").write_text(PROTECTED + " The end.")
    added = run("index", "add", books, "books")
    assert added.out.startswith("1 document read (1 replaced), ")
    assert "holds 1 document, " in added.out
    assert "generation 2" in added.out


def test_standard_input_can_be_protected(run: Run) -> None:
    assert run("index", "add", "b.idx", "-", stdin=PROTECTED).status == 0
    assert run("check", "--index", "b.idx", stdin=PROTECTED).status == 1


def test_index_beside_its_sources_is_not_added_to_itself(run: Run, books: Path) -> None:
    added = run("index", "add", books, ".")
    assert (added.status, added.err) == (0, "")
    assert "3 documents read" in added.out


def test_info_verify_and_merge_print_counts(run: Run, books: Path) -> None:
    info = run("index", "info", books)
    assert info.status == 0
    lines = dict(re.split(" {2,}", line, maxsplit=1) for line in info.out.splitlines())
    assert lines["documents"] == "1"
    assert lines["corpus books"].startswith("1 document, ")
    assert re.fullmatch("[0-9a-f]{16}", lines["key"])
    verified = run("index", "verify", books)
    assert verified.status == 0
    assert "books.idx is whole: 1 document in 1 segment, " in verified.out
    run("index", "add", books, "fine.txt")
    merged = run("index", "merge", books)
    assert merged.status == 0
    assert "books.idx has 1 segment of " in merged.out


def test_adding_tells_its_peak_memory_and_takes_a_bound(run: Run, books: Path) -> None:
    added = run("index", "add", books, "fine.txt", "--memory", "1M")
    assert re.search(r", peak memory \d+ MB$", added.out.splitlines()[0])
    for size in ("", "0", "-1", "2T", "much"):
        refused = run("index", "add", books, "fine.txt", "--memory", size)
        assert "--memory: " in refused.err and "expected one as 512M or 2G" in refused.err


def test_documents_expire_as_told_and_rows_as_they_say(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"id": "over", "text": PROTECTED, "expires": "2001-01-01"})
        + "\n"
        + json.dumps({"id": "lent", "text": HARMLESS * 3})
    )
    assert run("index", "add", "b.idx", "a.jsonl", "--expires", "2999-12-31").status == 0
    info = run("index", "info", "b.idx").out
    assert re.search(r"(?m)^expired +1 document, gone with the next merge$", info)
    assert re.search(r"(?m)^next expiry +2999-12-31$", info)
    assert re.search(r"(?m)^documents +1$", info)
    assert run("check", "--index", "b.idx", stdin=PROTECTED).status == 0
    assert run("index", "list", "b.idx").out.split("\t")[-1] == "2999-12-31\n"
    run("index", "merge", "b.idx")
    assert "expired" not in run("index", "info", "b.idx").out
    wrong = run("index", "add", "b.idx", "a.jsonl", "--expires", "soon")
    assert "--expires: 'soon' is no date; expected YYYY-MM-DD" in wrong.err


def test_list_has_a_line_for_each_document_that_is_meant(run: Run, books: Path) -> None:
    run("index", "add", books, "fine.txt", "--owner", "me\tand\x1b[0m you")
    lines = run("index", "list", books).out.splitlines()
    assert [line.split("\t") for line in lines] == [
        ["books/moby.txt", "books", "PD", "Herman Melville", "87", ""],
        ["fine.txt", "", "", r"me\tand\x1b[0m you", "17", ""],
    ]
    found = run("index", "list", books, "--owner", "HERMAN*", "--format", "jsonl").out
    row = json.loads(found)
    assert (row["document"], row["corpus"], row["url"]) == (
        "books/moby.txt",
        "books",
        "https://x/moby",
    )
    assert run("index", "list", books, "--document", "no").out == ""


def test_removed_documents_are_listed_and_pass(run: Run, books: Path) -> None:
    run("index", "add", books, "fine.txt")
    tried = run("index", "remove", books, "--corpus", "BOOK?", "--dry-run")
    assert tried.out.splitlines() == [
        "- books/moby.txt",
        f"1 document would be removed from {books}, generation 2",
    ]
    assert run("check", "copy.txt", "--index", books).status == 1
    done = run("index", "remove", books, "--corpus", "BOOK?")
    assert done.out.splitlines()[-1] == f"1 document removed from {books}, generation 3"
    assert run("check", "copy.txt", "--index", books, "--fail-on", "block").status == 0
    again = run("index", "remove", books, "--corpus", "BOOK?")
    assert (again.status, again.err) == (0, "")
    assert again.out == f"no document fits; none removed from {books}, generation 3\n"


def test_rotation_makes_the_new_key_and_tells_what_is_under_the_old(
    run: Run, books: Path, tmp_path: Path
) -> None:
    old = tmp_path / ".config/dedup/key"
    rotated = run("index", "rotate", books, "--to", "new.key")
    assert rotated.err.startswith("dedup: made the key new.key; keep it")
    assert re.fullmatch(
        rf"{books} is under key [0-9a-f]{{16}}; 1 document under the old key until added again\n",
        rotated.out,
    )
    keys = ("--key", old, "--key", "new.key")
    assert run("check", "copy.txt", "--index", books, *keys).status == 1
    assert "made with key " in run("check", "copy.txt", "--index", books).err
    info = run("index", "info", books, *keys).out
    assert len(re.findall(r"(?m)^  under [0-9a-f]{16} +[01] documents?$", info)) == 2
    labels = ("--corpus", "books", "--licence", "PD")
    assert "(1 replaced)" in run("index", "add", books, "books", *labels, *keys).out
    assert run("check", "copy.txt", "--index", books, "--key", "new.key").status == 1


def test_exported_corpus_is_imported_elsewhere_with_its_key(
    run: Run, books: Path, tmp_path: Path
) -> None:
    exported = run("index", "export", books, "books.prints", "--corpus", "books")
    assert exported.out == "books.prints has the fingerprints of 1 document\n"
    key = (tmp_path / ".config/dedup/key").rename(tmp_path / "their.key")
    refused = run("index", "import", "our.idx", "books.prints")
    assert "books.prints: " in refused.err and "pass the key it was made with" in refused.err
    assert not (tmp_path / "our.idx").exists()
    taken = run("index", "import", "our.idx", "books.prints", "--key", key)
    needs = "every command needs its 2 keys (--key for each)"
    assert taken.out == f"1 document taken in; our.idx holds 1 document, generation 1; {needs}\n"
    again = run("index", "import", "our.idx", "books.prints", "--key", key)
    assert again.out.startswith("all is here already; our.idx holds 1 document, generation 1; ")
    keys = ("--key", key, "--key", tmp_path / ".config/dedup/key")
    assert run("check", "copy.txt", "--index", "our.idx", *keys).status == 1
    assert run("index", "diff", books, "our.idx", *keys).status == 0
    nothing = run("index", "export", books, "no.prints", "--corpus", "sky", "--key", key)
    assert nothing.status == 2 and "no document fits, so there is nothing to export" in nothing.err


def test_diff_says_what_another_index_protects(run: Run, books: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/new.txt").write_text(HARMLESS)
    (tmp_path / "books/gone.txt").write_text("to be gone")
    assert run("index", "add", books, "books/gone.txt").status == 0
    assert run("index", "add", "b.idx", "books/moby.txt", "more").status == 0
    run("index", "add", "b.idx", "books", "--corpus", "books")
    run("index", "remove", "b.idx", "--document", "books/gone.txt", "--document", "moby.txt")
    found = run("index", "diff", books, "b.idx")
    assert (found.status, found.err) == (1, "")
    assert found.out.splitlines() == [
        "+ more/new.txt",
        "- gone.txt",
        "~ books/moby.txt: licence, owner, url",
    ]
    rows = run("index", "diff", books, "b.idx", "--format", "jsonl").out.splitlines()
    assert json.loads(rows[2]) == {
        "change": "changed",
        "document": "books/moby.txt",
        "fields": ["licence", "owner", "url"],
    }
    same = run("index", "diff", books, books)
    assert (same.status, same.out) == (0, "")
    plain = run("index", "add", "c.idx", "books/moby.txt", "--no-key").status
    assert plain == 0
    (tmp_path / "d").mkdir()
    run("index", "add", "d/c.idx", "books/moby.txt")
    unsure = run("index", "diff", "c.idx", "d/c.idx")
    assert (unsure.status, unsure.out) == (0, "")
    assert unsure.err == (
        "dedup: warning: 1 text could be compared by size only, as the keys differ\n"
    )
    assert run("index", "diff", books, "no.idx").status == 2


def test_warning_of_a_commit_is_one_line(run: Run, books: Path, tmp_path: Path) -> None:
    code = (
        "import errno, sys, dedup.index as i; from dedup._core import Storage; merging = []\n"
        "def hook(call, path, data):\n"
        "    if call == 'rename' and path.endswith('MANIFEST.writing'): merging.append(1)\n"
        "    if merging and call == 'write' and 'segment' in path: return errno.ENOSPC\n"
        "open = i.Index.open.__func__\n"
        "i.Index.open = classmethod(lambda c, p, **k: open(c, p, storage=Storage(hook), **k))\n"
        f"sys.argv = ['dedup', 'index', 'remove', {str(books)!r}, '--document', 'books/moby.txt']\n"
        "from dedup.cli import main; main()"
    )
    run("index", "add", books, "fine.txt", "--owner", "x")
    run("index", "merge", books)
    for number in range(2):  # three documents, of which two go
        (tmp_path / f"{number}.txt").write_text(HARMLESS)
    run("index", "add", books, "0.txt")
    run("index", "merge", books)
    run("index", "remove", books, "--document", "0.txt")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert re.match(r"dedup: warning: .*: generation \d is committed, but its seg", done.stderr)


def test_index_that_another_process_writes_to_is_told_at_once(run: Run, books: Path) -> None:
    child = subprocess.Popen(
        [*COMMAND, "index", "add", str(books), "fine.txt", "-"], stdin=subprocess.PIPE
    )
    while not re.search(r"FLOCK .*WRITE " + str(child.pid), Path("/proc/locks").read_text()):
        assert child.poll() is None
    refused = run("index", "merge", books)
    assert refused.err == (
        f"dedup: error: {books}: process {child.pid} is writing to this index; wait for it, or "
        "stop it\n"
    )
    child.kill()
    child.wait()
    assert run("index", "merge", books).status == 0


# ---- check ---------------------------------------------------------------------------------------


def test_text_shows_the_passage_in_its_place_beside_its_source(run: Run, books: Path) -> None:
    ran = run("check", "copy.txt", "fine.txt", "--index", books)
    assert ran.status == 1
    assert ran.err == ""
    first, rest = ran.out.split("\n", 1)
    assert first == "BLOCK  copy.txt  1 match, by rule text-run"
    for line in (
        "  books/moby.txt",
        "  corpus books, owner Herman Melville, licence PD",
        "  https://x/moby",
        "  block by rule text-run",
        "    [withheld: this text reproduces protected material]",
        "ALLOW  fine.txt  no rule covers anything in it",
    ):
        assert line in rest.splitlines()
    assert re.search(r"^  verbatim: \d+ words, \d+ in a row, identity 1.00, ", rest, re.MULTILINE)
    assert re.search(r"^  3 │ \[\[Whenever I find myself growing grim", rest, re.MULTILINE)
    assert re.search(r"to sea as soon as I can\]\]\.$", rest, re.MULTILINE)
    assert all(len(line) <= 80 for line in ran.out.splitlines())


def test_json_is_an_object_for_each_input_in_order(run: Run, books: Path) -> None:
    names = ["fine.txt", "copy.txt", "fine.txt"]
    lines = run("check", *names, "--index", books, "--format", "jsonl").out.splitlines()
    objects = [json.loads(line) for line in lines]
    assert [item["input"] for item in objects] == names
    assert [item["action"] for item in objects] == ["allow", "block", "allow"]
    assert {item["schema_version"] for item in objects} == {1}
    pretty = run("check", *names, "--index", books, "--format", "json").out
    decoder, at = json.JSONDecoder(), 0
    for item in objects:
        found, at = decoder.raw_decode(pretty, at)
        assert found == item
        at += 1
    assert at == len(pretty)


def test_spans_are_bytes_of_the_file(run: Run, books: Path, tmp_path: Path) -> None:
    data = f"\ufeffÜber alles: {PROTECTED}\r\n".encode()
    (tmp_path / "marked.txt").write_bytes(data)
    (found,) = json.loads(run("check", "marked.txt", "--index", books, "--format", "json").out)[
        "matches"
    ]
    assert data[slice(*found["query_span"])].decode() == PROTECTED.removesuffix(".")


@pytest.mark.parametrize(
    ("policy", "fail_on", "status"),
    [
        ("block", "block", 1),
        ("block", "flag", 1),
        ("block", "never", 0),
        ("redact", "block", 0),
        ("redact", "redact", 1),
        ("flag", "redact", 0),
        ("flag", "flag", 1),
    ],
)
def test_exit_status_follows_fail_on(
    run: Run, books: Path, tmp_path: Path, policy: str, fail_on: str, status: int
) -> None:
    (tmp_path / "p.toml").write_text(f'[[rules]]\nname = "it"\naction = "{policy}"\nmin_run = 12')
    options = ("--index", books, "--policy", "p.toml", "--fail-on", fail_on)
    assert run("check", "copy.txt", *options).status == status
    assert run("check", "fine.txt", *options).status == 0


def test_redacted_text_is_shown(run: Run, books: Path, tmp_path: Path) -> None:
    rule = '[[rules]]\nname = "it"\naction = "redact"\nmin_run = 12'
    (tmp_path / "p.toml").write_text('notice = "<{document}>"\n' + rule)
    options = ("--index", books, "--policy", "p.toml")
    ran = run("check", "copy.txt", *options, "--format", "json")
    assert json.loads(ran.out)["text"] == f"{HARMLESS}\n\n<books/moby.txt>.\n{HARMLESS}"
    assert "    <books/moby.txt>." in run("check", "copy.txt", *options).out.splitlines()


def test_output_file_gets_what_would_have_been_printed(
    run: Run, books: Path, tmp_path: Path
) -> None:
    printed = run("check", "copy.txt", "--index", books)
    written = run("check", "copy.txt", "--index", books, "-o", "report.txt")
    assert (written.status, written.out) == (printed.status, "")
    assert (tmp_path / "report.txt").read_text() == printed.out
    failed = run("check", "copy.txt", "--index", "no.idx", "-o", "report.txt")
    assert failed.status == 2
    assert (tmp_path / "report.txt").read_text() == printed.out
    assert run("check", "copy.txt", "--index", books, "-o", "no/report.txt").status == 2


def test_unreadable_input_leaves_the_others_judged(run: Run, books: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"caf\xe9")
    ran = run("check", "bad.txt", "copy.txt", "--index", books, "--format", "jsonl")
    assert ran.status == 2
    assert "bad.txt: byte 3: 0xe9 is not UTF-8; it looks like cp1252" in ran.err
    assert [json.loads(line)["input"] for line in ran.out.splitlines()] == ["copy.txt"]
    named = run("check", "bad.txt", "--index", books, "--encoding", "cp1252")
    assert (named.status, named.err) == (0, "")
    unknown = run("check", "bad.txt", "--index", books, "--encoding", "cp9999")
    assert (unknown.status, "unknown encoding 'cp9999'" in unknown.err) == (2, True)


# ---- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "fine.txt", "--index", "no.idx"], "no.idx: no index here"),
        (["check", "fine.txt", "--index", "fine.txt"], "fine.txt: no index here"),
        (["check", "no.txt", "--index", "books.idx"], "no.txt: No such file or directory; check"),
        (["check", "books", "--index", "books.idx"], "books: is a directory"),
        (["check", "--index", "books.idx"], "standard input: holds no text to check"),
        (["check", "bad.bin", "--index", "books.idx"], "bad.bin: byte 1: a NUL byte: this is bin"),
        (["check", "fine.txt"], "Missing option '--index'; see: "),
        (["check", "fine.txt", "--index", "books.idx", "--polcy", "x"], "No such option: --polcy"),
        (
            ["check", "fine.txt", "--index", "books.idx", "--policy", "soft"],
            "soft: no such policy; give a TOML file or one of: strict, balanced, lenient",
        ),
        (
            ["check", "fine.txt", "--index", "books.idx", "--policy", "wrong.toml"],
            "wrong.toml: rules[0].min_rum: unknown key; allowed: name, action, ",
        ),
        (
            ["check", "fine.txt", "--index", "books.idx", "--format", "yaml"],
            "Invalid value for '--format': ",
        ),
        (
            ["check", "fine.txt", "--index", "books.idx", "--prompt", "no.txt"],
            "no.txt: No such file or directory",
        ),
        (
            ["check", "-", "--index", "books.idx", "--prompt", "-"],
            "standard input can be the prompt or a text, not both",
        ),
        (
            ["check", "fine.txt", "--index", "books.idx", "--key", "k", "--no-key"],
            "--key and --no-key exclude each other",
        ),
        (
            ["check", "fine.txt", "--index", "books.idx", "--key", "no.key"],
            "no.key: No such file or directory",
        ),
        (["check", "fine.txt", "--index", "books.idx", "--no-key"], "keyed; pass the key"),
        (["index", "add", "books.idx", "books", "--url", "{x}"], "unknown field {x} in url templ"),
        (["index", "add", "books", "fine.txt"], "books: not empty (has 'moby.txt') and no index"),
        (["index", "info", "no.idx"], "no.idx: no index here"),
        (["index", "verify", "no.idx"], "no.idx: no index here"),
        (["index", "merge", "no.idx"], "no.idx: no index here"),
        (["index", "remove", "no.idx", "--owner", "x"], "no.idx: no index here"),
        (["index", "remove", "books.idx"], "nothing says what to remove; give --document, --corp"),
        (["index", "rotate", "books.idx"], "Missing option '--to'"),
        (["index", "list", "books.idx", "--format", "xml"], "Invalid value for '--format': "),
        (
            ["index", "export", "books.idx", "books"],
            ".books.writing: cannot rename: Is a directory",
        ),
        (["index", "export", "books.idx", "no/file"], "No such file or directory"),
        (["index", "import", "books.idx", "no.prints"], "no.prints: cannot open: No such file or"),
        (["index", "import", "books.idx", "copy.txt"], "copy.txt: "),
        (["bogus"], "No such command 'bogus'"),
    ],
)
def test_mistake_is_one_line_with_what_where_and_the_way_out(
    run: Run, books: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "wrong.toml").write_text('[[rules]]\nname = "a"\naction = "block"\nmin_rum = 5')
    (tmp_path / "bad.bin").write_bytes(b"\1\0")
    ran = run(*arguments)
    assert ran.status == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_wrong_key_is_refused(run: Run, books: Path, tmp_path: Path) -> None:
    made = run("index", "add", "other.idx", "books", "--key", "other.key")
    assert made.status == 0
    assert made.err == (
        "dedup: made the key other.key; keep it, without it the index is of no use\n"
    )
    assert (tmp_path / "other.key").stat().st_mode & 0o777 == 0o600
    assert run("check", "copy.txt", "--index", "other.idx", "--key", "other.key").status == 1
    ran = run("check", "copy.txt", "--index", books, "--key", "other.key")
    assert ran.status == 2
    assert "books.idx: made with key " in ran.err


def test_index_without_key_needs_none(run: Run, books: Path, tmp_path: Path) -> None:
    assert run("index", "add", "open.idx", "books", "--no-key").status == 0
    assert run("check", "copy.txt", "--index", "open.idx").status == 1
    assert re.search(r"(?m)^key +none$", run("index", "info", "open.idx").out)


def test_index_of_another_version_is_refused(run: Run, books: Path) -> None:
    manifest = books / "MANIFEST"
    manifest.write_text(
        re.sub(r'"format_version": \d+', '"format_version": 99', manifest.read_text())
    )
    ran = run("check", "copy.txt", "--index", books)
    assert ran.status == 2
    assert f"{manifest}: index format version 99, this dedup reads 3 to 4; " in ran.err


def test_flipped_byte_is_found_and_named(run: Run, books: Path) -> None:
    for file in sorted(books.iterdir()):
        data = file.read_bytes()
        for at in sorted({0, len(data) // 3, len(data) // 2, len(data) - 2} if data else {}):
            flipped = bytearray(data)
            flipped[at] ^= 1
            file.write_bytes(flipped)
            ran = run("index", "verify", books)
            assert ran.status == 2, (file.name, at)
            assert file.name in ran.err
        file.write_bytes(data)
    assert run("index", "verify", books).status == 0


def test_index_that_holds_nothing_is_warned_about(run: Run, tmp_path: Path) -> None:
    Index.create(tmp_path / "e.idx").close()
    ran = run("check", "--index", "e.idx", stdin=HARMLESS)
    assert ran.status == 0
    assert ran.err == "dedup: warning: e.idx holds no document; everything passes\n"


# ---- terminals -----------------------------------------------------------------------------------

# No letters or digits, which would be words between the words of a passage.
HOSTILE = "\x1b[\x9b\u202e\u200b\x07"


def test_control_characters_reach_no_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(f"a{HOSTILE}\n{PROTECTED.replace(' ', f' {HOSTILE} ')}")
    rows = {"id": f"id{HOSTILE}\n", "text": PROTECTED, "owner": HOSTILE, "url": HOSTILE}
    (tmp_path / "a.jsonl").write_text(json.dumps(rows) + "\n")
    added = run("index", "add", "a.idx", "a.jsonl", f"no{HOSTILE}.txt", "--corpus", HOSTILE)
    outputs = [added.out + added.err, run("index", "info", "a.idx").out]
    for format in ("text", "json", "jsonl"):
        policy = ("--policy", "strict", "--format", format)
        ran = run("check", "in.txt", f"no{HOSTILE}", "--index", "a.idx", *policy)
        outputs += [ran.out, ran.err]
        if format == "jsonl":
            (found,) = json.loads(ran.out)["matches"][:1]
            assert (found["document"], found["owner"]) == (rows["id"], HOSTILE)
    for output in outputs:
        assert not set(HOSTILE.replace("[", "")) & set(output)


def in_terminal(*arguments: object) -> tuple[str, str]:
    """What a command writes to a terminal as its output, and to another as its errors."""
    said = []
    pairs = [pty.openpty(), pty.openpty()]
    child = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=pairs[0][1],
        stderr=pairs[1][1],
    )
    for _, theirs in pairs:
        os.close(theirs)
    streams: dict[int, bytes] = {ours: b"" for ours, _ in pairs}
    is_open = set(streams)
    while is_open:
        for ready in select.select(list(is_open), [], [])[0]:
            try:
                piece = os.read(ready, 65536)
            except OSError:  # a terminal says so that its other end is closed
                piece = b""
            streams[ready] += piece
            if not piece:
                is_open.discard(ready)
                os.close(ready)
    child.wait()
    said = [stream.decode() for stream in streams.values()]
    return said[0], said[1]


def test_terminal_gets_colour_and_progress(
    run: Run, books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    out, err = in_terminal("check", "copy.txt", "fine.txt", "--index", books)
    assert "\x1b[1;31mBLOCK\x1b[0m" in out
    assert "[[" not in out
    assert "2/2" in err
    monkeypatch.setenv("NO_COLOR", "1")
    out, err = in_terminal("check", "copy.txt", "fine.txt", "--index", books)
    assert "\x1b" not in out
    assert "[[Whenever" in out
    assert "\x1b[3" not in err


def test_interrupted_command_ends_with_130_and_changes_nothing(run: Run, books: Path) -> None:
    child = subprocess.Popen(
        [*COMMAND, "index", "add", str(books), "fine.txt", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin
    child.stdin.write(b"word " * 100_000)  # more than a pipe holds: it is being read
    child.stdin.flush()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate()
    assert (child.returncode, out, err) == (130, b"", b"dedup: interrupted\n")
    assert re.search(r"(?m)^generation +1$", run("index", "info", books).out)


def test_reader_that_leaves_early_causes_no_noise(run: Run, books: Path) -> None:
    child = subprocess.Popen(
        [*COMMAND, "check", *["copy.txt"] * 200, "--index", str(books), "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout and child.stderr
    child.stdout.read(10)
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 2


def test_version_is_printed_without_loading_the_command_line() -> None:
    code = (
        "import sys; sys.argv = ['dedup', '--version']; from dedup.__main__ import main; main(); "
        "print(sorted({'typer', 'rich', 'msgspec', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"dedup \d+\.\d+\.\d+\n\[\]\n", done.stdout)


def commands(*prefix: str) -> Iterator[tuple[str, ...]]:
    done = subprocess.run([*COMMAND, *prefix, "--help"], capture_output=True, text=True, check=True)
    _, _, listed = done.stdout.partition("Commands")
    for line in listed.splitlines():
        if name := re.match(r"│ (\w+)", line):
            yield (*prefix, name[1])
            yield from commands(*prefix, name[1])


def test_every_command_has_help() -> None:
    found = list(commands())
    assert ("check",) in found
    assert ("index", "add") in found
    for command in found:
        done = subprocess.run([*COMMAND, *command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0
        assert f"Usage: dedup {' '.join(command)}" in done.stdout.replace("python -m ", "")
