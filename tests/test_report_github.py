"""Workflow commands that say one thing each, whatever names hold, and not too many of them."""

import re
from typing import Any

from strategies import match

from dedup.match import Span
from dedup.policy import Policy, Rule
from dedup.reports.github import github_report
from dedup.scanning.row import Row, error_row, row_of

TEXT = "one two\nthree four\nfive"


def row(name: str, action: str = "block", **changes: Any) -> Row:
    verdict = Policy("test", (Rule(name="it", action=action),)).judge(TEXT, [match(**changes)])
    return row_of(name, TEXT, len(TEXT), verdict)


def lines(*rows: Row) -> list[str]:
    return "".join(github_report(rows)).splitlines()


def test_annotation_has_file_lines_title_and_one_line_of_message() -> None:
    assert lines(row("a.txt", query_span=Span(4, 13), function="f")) == [
        "::error file=a.txt,line=1,endLine=2,title=Protected text%3A block::near copy of f of "
        "books/emma.txt (corpus books, owner Jane Austen, licence PD): 200 words, 150 in a row, "
        "identity 0.90; block by rule it"
    ]


def test_columns_are_told_within_one_line_only() -> None:
    (line,) = lines(row("a.txt", query_span=Span(4, 7)))
    assert ",line=1,endLine=1,col=5,endColumn=8,title=" in line


def test_levels_follow_actions_and_errors_come_first() -> None:
    told = lines(row("a", "flag"), row("b", "redact"), row("c"))
    assert [line.split(" ")[0] for line in told] == ["::error", "::warning", "::notice"]


def test_no_name_ends_its_property_or_begins_a_command() -> None:
    name = "a,line=1:b%0A\r\n::error::x\x1b[31m\u202e"
    (line,) = lines(row(name, document="d\n::set-output name=a::b%25"))
    properties = re.fullmatch(r"::error file=([^,:]*),line=1,endLine=1,.*", line)
    assert properties
    assert properties[1] == r"a%2Cline=1%3Ab%250A\r\n%3A%3Aerror%3A%3Ax\x1b[31m\u202e"
    assert r"of d\n::set-output name=a::b%2525 (" in line


def test_what_could_not_be_checked_is_an_error() -> None:
    assert lines(error_row("a.txt", "a.txt: no such file")) == [
        "::error file=a.txt,title=Not checked::a.txt: no such file"
    ]


def test_ten_of_a_level_are_written_and_all_counted() -> None:
    rows = [row(str(number), "flag") for number in range(30)] + [row("x") for _ in range(2)]
    told = lines(*rows)
    assert [line.split(" ")[0] for line in told[:-1]] == ["::error"] * 2 + ["::notice"] * 10
    assert told[-1].startswith("dedup: 32 findings, of which 12 are annotated; --format sarif")
    assert lines() == []
