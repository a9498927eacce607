"""What people read about a verdict: all of it, in its place, and nothing a terminal acts on."""

import re

from hypothesis import given
from hypothesis import strategies as st
from strategies import match, texts_with_matches

from dedup.match import Match, Span
from dedup.policy import Policy, Rule
from dedup.report import printable, text_report


def report(query: str, *matches: Match, action: str = "block", **options: object) -> str:
    policy = Policy("test", (Rule(name="ours", action="allow", owner=("me",)), rule(action)))
    return text_report("out.txt", query, policy.judge(query, matches), **options)


def rule(action: str) -> Rule:
    return Rule(name="it", action=action)


def span_of(query: str, passage: str) -> Span:
    start = query.encode().index(passage.encode())
    return Span(start, start + len(passage.encode()))


def excerpt(text: str) -> list[str]:
    return [line for line in text.splitlines() if "│" in line]


def test_passage_stands_in_its_lines_with_their_numbers() -> None:
    query = "one\ntwo\r\nthree four\nfive six\nseven\neight"
    text = report(query, match(query_span=span_of(query, "four\nfive")))
    assert excerpt(text) == [
        "  2 │ two",
        "  3 │ three [[four",
        "  4 │ five]] six",
    ]


def test_passage_of_one_endless_line_comes_with_a_little_of_it() -> None:
    query = "before " * 100_000 + "HERE IT IS" + " after" * 100_000
    lines = excerpt(report(query, match(query_span=span_of(query, "HERE IT IS"))))
    assert len(lines) < 10
    assert any("[[HERE IT IS]]" in line for line in lines)
    assert lines[0].startswith("  1 │ ")


def test_long_passage_shows_its_two_ends() -> None:
    query = "\n".join(f"line {number}" for number in range(1, 1001))
    span = span_of(query, query[query.index("line 100\n") : query.index("line 900\n") + 8])
    lines = excerpt(report(query, match(query_span=span)))
    assert lines[1] == "  100 │ [[line 100"
    assert lines[-1] == "  900 │ line 900]]"
    assert any(re.search(r"⋮ │ [\d,]+ more bytes of the passage$", line) for line in lines)
    assert len(lines) < 250


def test_original_stands_above_the_copy_with_function_and_lines() -> None:
    original = "x = 1\ndef area(w, h):\n    return w * h\n"
    query = "def size(a, b):\n    return a * b\n"
    found = match(
        view="ast",
        kind="renamed",
        query_span=Span(0, len(query) - 1),
        document_span=Span(6, len(original) - 1),
        document="shapes.py",
        function="Box.area",
        lines=(2, 3),
        shared_names=1,
    )
    text = report(query, found, originals={"shapes.py": original})
    assert "in Box.area, lines 2-3" in text
    assert "renamed copy: " in text
    there, here = text.index("the original"), text.index("this text")
    assert there < text.index("2 │ [[def area(w, h):") < here < text.index("1 │ [[def size(a, b):")
    assert "the original" not in report(query, found)


def test_sources_of_one_passage_stand_together_the_best_first() -> None:
    matches = [
        match(query_span=Span(4, 7), document="best"),
        match(query_span=Span(3, 7), document="second"),
        *[match(query_span=Span(5, 6), document=f"more-{number}") for number in range(5)],
        match(query_span=Span(8, 9), document="elsewhere"),
    ]
    text = report("0123456789", *matches)
    assert text.startswith("BLOCK  out.txt  8 matches, by rule it\n")
    said = re.findall(r"^  (best|also \S+|elsewhere|and \d more)", text, re.MULTILINE)
    assert said == [
        "best",
        "also second",
        "also more-0",
        "also more-1",
        "also more-2",
        "and 2 more",
        "elsewhere",
    ]


def test_exempted_match_is_said_to_be_exempt() -> None:
    text = report("0123456789", match(owner="me"))
    assert text.startswith("ALLOW  out.txt  1 match, by rule ours\n")
    assert "  exempt books/emma.txt (books, me) near, 200 words" in text


def test_redacted_text_is_shown_in_its_first_lines() -> None:
    query = "secret\n" + "\n".join(f"line {number}" for number in range(100))
    text = report(query, match(query_span=Span(0, 6)), action="redact")
    assert "\n    [passage withheld: matches books/emma.txt]\n    line 0\n" in text
    assert text.endswith("    line 10\n    … (--format json has all of it)\n")


def test_failed_check_is_said() -> None:
    verdict = Policy.balanced().judge_error("text", OSError("disk\ngone"))
    text = text_report("out.txt", "text", verdict)
    assert text.startswith("BLOCK  out.txt  the check could not be made: OSError: disk\\ngone\n")


def test_colour_takes_the_place_of_marks() -> None:
    query = "one two three"
    text = report(query, match(query_span=span_of(query, "two")), colour=True)
    assert "\x1b[1;31mtwo\x1b[0m" in text
    assert "[[" not in text
    assert re.sub(r"\x1b\[[\d;]*m", "", text).startswith("BLOCK  out.txt  1 match, by rule it\n")


@given(texts_with_matches(), st.sampled_from(["flag", "redact", "block"]))
def test_any_verdict_can_be_shown_safely(drawn: tuple[str, list[Match]], action: str) -> None:
    query, matches = drawn
    text = report(query, *matches, action=action)
    assert printable(text, keep="\n") == text
    assert len(excerpt(text)) >= bool(matches)


@given(st.text())
def test_printable_text_has_no_control_or_format_characters(text: str) -> None:
    shown = printable(text)
    assert all(char.isprintable() or char.isspace() for char in shown)
    assert not set(shown) & set("\x00\x1b\x9b\n\r\x85\u200b\u202e\u2028\ufeff")
    assert printable("déjà vu — 漢字") == "déjà vu — 漢字"
