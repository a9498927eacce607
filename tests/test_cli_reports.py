"""``dedup check`` as a user runs it for its reports: formats, baselines, quiet."""

import json
from pathlib import Path

import pytest
from command import DATA, Run
from test_filter import HARMLESS, PROTECTED

ANSWER = DATA / "outputs" / "answer-with-renamed-code.md"


def test_page_shows_both_sides_of_a_renamed_function(
    run: Run,
    timetable: Path,
    tmp_path: Path,
) -> None:
    ran = run("check", ANSWER, "--index", "t.idx", "--source", timetable, "-o", "report.html")
    assert (ran.status, ran.out, ran.err) == (1, "", "")
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert '<mark class="renamed">free_slots</mark>' in page
    assert '<mark class="renamed">find_gaps</mark>' in page
    assert "<code><bdi>busy</bdi></code> → <code><bdi>meetings</bdi></code>" in page
    assert "t.idx</bdi>, generation 1" in page
    alone = run("check", ANSWER, "--index", "t.idx", "--format", "html").out
    assert "give <code>--source</code>" in alone and "find_gaps" in alone
    assert "free_slots(busy" not in alone


@pytest.mark.parametrize("format", ["html", "sarif", "github"])
def test_report_counts_what_could_not_be_read(
    run: Run,
    books: Path,
    format: str,
) -> None:
    ran = run("check", "copy.txt", "gone.txt", "--index", books, "--format", format)
    assert ran.status == 2
    assert ran.err.startswith("dedup: error: gone.txt: No such file or directory")
    assert "copy.txt" in ran.out and "gone.txt" in ran.out


def test_name_of_the_output_says_the_format_and_must_not_contradict_it(
    run: Run, books: Path, tmp_path: Path
) -> None:
    assert run("check", "copy.txt", "--index", books, "-o", "a.sarif").status == 1
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    wrong = run("check", "copy.txt", "--index", books, "-o", "a.html", "--format", "json")
    assert "--format json does not go with a.html" in wrong.err


def test_sarif_names_rule_file_and_lines(run: Run, books: Path) -> None:
    ran = run("check", "./copy.txt", "fine.txt", "--index", books, "--format", "sarif")
    assert (ran.status, ran.err) == (1, "")
    (result,) = json.loads(ran.out)["runs"][0]["results"]
    location = result["locations"][0]["physicalLocation"]
    assert result["ruleId"] == "protected-text"
    assert location["artifactLocation"]["uri"] == "copy.txt"
    assert location["region"]["startLine"] == 3
    assert "hypos" not in ran.out


def test_annotation_stands_on_the_lines_of_the_copy(run: Run, books: Path) -> None:
    ran = run("check", "copy.txt", "fine.txt", "--index", books, "--format", "github")
    assert (ran.status, ran.err) == (1, "")
    assert ran.out.startswith("::error file=copy.txt,line=3,endLine=3,col=1,endColumn=")
    assert ran.out.count("\n") == 1


def test_what_was_accepted_is_known_until_something_new_comes(
    run: Run,
    books: Path,
    tmp_path: Path,
) -> None:
    check = ("check", "copy.txt", "fine.txt", "--index", books)
    assert run(*check, "--write-baseline", "known.jsonl").status == 0
    again = run(*check, "--baseline", "known.jsonl")
    assert again.status == 0
    assert again.err == "dedup: 1 match known from known.jsonl, 0 of it gone\n"
    assert "exempt books/moby.txt" in again.out
    copy = tmp_path / "copy.txt"
    copy.write_text(f"{HARMLESS}\n\n\n{copy.read_text()}")
    assert run(*check, "--baseline", "known.jsonl").status == 0
    copy.write_text(f"{copy.read_text()}\n{HARMLESS}\n{PROTECTED}")
    twice = run(*check, "--baseline", "known.jsonl", "--format", "json")
    assert twice.status == 1
    found = json.loads(twice.out[: twice.out.index("\n}\n") + 2])
    assert (len(found["matches"]), len(found["exempted"])) == (1, 1)
    assert found["exempted"][0]["rule"] == "baseline"
    copy.write_text(HARMLESS)
    gone = run(*check, "--baseline", "known.jsonl")
    assert (gone.status, gone.err) == (0, "dedup: 0 matches known from known.jsonl, 1 of it gone\n")


def test_baseline_is_not_written_of_half_a_check(run: Run, books: Path) -> None:
    ran = run("check", "copy.txt", "gone.txt", "--index", books, "--write-baseline", "known")
    assert ran.status == 2
    assert "known: not written, as not all texts could be judged" in ran.err
    assert not Path("known").exists()
    missing = run("check", "copy.txt", "--index", books, "--baseline", "known")
    assert missing.err == "dedup: error: known: No such file or directory\n"


def test_baseline_keeps_what_was_accepted_in_files_that_are_not_checked(
    run: Run,
    books: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "other.txt").write_text(PROTECTED)
    check = ("check", "--index", books, "--write-baseline", "known", "--quiet")
    assert run(*check, "other.txt").status == 0
    assert run(*check, "copy.txt", "--baseline", "known").status == 0
    both = run("check", "other.txt", "copy.txt", "--index", books, "--baseline", "known", "-q")
    assert (both.status, both.out) == (0, "")


def test_quiet_tells_only_what_does_not_pass(
    run: Run,
    books: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "empty.txt").touch()
    ran = run("check", "fine.txt", "empty.txt", "--index", books, "--quiet")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    ran = run("check", "fine.txt", "copy.txt", "--index", books, "-q")
    assert ran.status == 1 and ran.out.startswith("BLOCK  copy.txt")
    assert run("check", "empty.txt", "--index", books).status == 2


def test_scan_makes_the_same_reports(
    run: Run, books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/copy.txt").write_text(f"{HARMLESS}\n\n{PROTECTED}")
    scan = ("scan", "outputs", "--index", books, "--quiet", "--jobs", "1")
    page = run(*scan, "-o", "report.html", "--source", "books")
    assert (page.status, page.out, page.err) == (1, "", "")
    html = (tmp_path / "report.html").read_text()
    assert "The original" in html and "outputs/copy.txt" in html
    result = json.loads(run(*scan, "--format", "sarif").out)["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 3
    monkeypatch.chdir(tmp_path / "outputs")
    annotated = run("scan", ".", "--index", books, "--quiet", "--format", "github")
    assert annotated.out.startswith("::error file=copy.txt,line=3,")
    monkeypatch.chdir(tmp_path)
    run(*scan, "--write-baseline", "known")
    assert run(*scan, "--baseline", "known").status == 0
