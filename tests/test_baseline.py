"""What was accepted is known the next time, wherever it has moved; all else is new."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from strategies import match

from dedup.baseline import Baseline, Census
from dedup.excerpt import evidence_of
from dedup.match import Span
from dedup.policy import Policy, Rule, Ruling, Verdict

POLICY = Policy("test", (Rule(name="it", action="block"),))


def judged(text: str, *passages: str, document: str = "emma") -> Verdict:
    """The verdict that blocks each passage, of which one that occurs n times is given n times."""
    matches, seen = [], 0
    for passage in passages:
        seen = text.index(passage, seen)
        matches.append(match(query_span=Span(seen, seen + len(passage)), document=document))
        seen += len(passage)
    return POLICY.judge(text, matches)


def row(name: str, text: str, verdict: Verdict) -> Mapping[str, Any]:
    def dicts(rulings: tuple[Ruling, ...]) -> list[dict[str, Any]]:
        evidence = evidence_of(text, rulings)
        return [
            {"document": ruling.match.document, "rule": ruling.rule, **more}
            for ruling, more in zip(rulings, evidence, strict=True)
        ]

    return {
        "document": name,
        "action": verdict.action,
        "matches": dicts(verdict.rulings),
        "exempted": dicts(verdict.exempted),
        "error": "",
    }


def baseline_of(tmp_path: Path, name: str, text: str, verdict: Verdict) -> Baseline:
    census = Census()
    census.see(row(name, text, verdict))
    (tmp_path / "baseline").write_text("".join(census.lines()))
    return Baseline.load(tmp_path / "baseline")


def test_passage_that_moved_is_known_and_the_rest_decides(tmp_path: Path) -> None:
    text = "one two three"
    baseline = baseline_of(tmp_path, "a.py", text, judged(text, "two"))
    moved = "new\n\none\n two three four"
    verdict = baseline.accept("./a.py", moved, judged(moved, "two", "four"), POLICY)
    assert [ruling.match.query_span for ruling in verdict.rulings] == [Span(20, 24)]
    (known,) = verdict.exempted
    assert (known.rule, known.action, verdict.action) == ("baseline", "allow", "block")
    nothing = baseline.accept("a.py", moved, judged(moved, "two"), POLICY)
    assert (nothing.action, nothing.rule, nothing.text) == ("allow", "baseline", moved)


def test_further_copy_other_document_and_other_source_are_new(tmp_path: Path) -> None:
    text = "two and two"
    baseline = baseline_of(tmp_path, "a.py", text, judged(text, "two"))
    twice = baseline.accept("a.py", text, judged(text, "two", "two"), POLICY)
    assert (len(twice.rulings), len(twice.exempted)) == (1, 1)
    assert baseline.accept("b.py", text, judged(text, "two"), POLICY).action == "block"
    other = judged(text, "two", document="persuasion")
    assert baseline.accept("a.py", text, other, POLICY).action == "block"


def test_census_counts_what_is_new_known_and_gone(tmp_path: Path) -> None:
    text = "one two three"
    baseline = baseline_of(tmp_path, "a.py", text, judged(text, "one", "two"))
    census = Census(baseline)
    census.see(row("b.py", text, judged(text, "one")))
    assert (census.new, census.known, census.gone) == (1, 0, 0)
    verdict = baseline.accept("a.py", text, judged(text, "two", "three"), POLICY)
    census.see(row("a.py", text, verdict))
    assert (census.new, census.known, census.gone) == (2, 1, 1)
    census.see({"document": "c.py", "action": None, "error": "no such file"})
    written = [line.split('"')[3] for line in census.lines()]
    assert written == ["a.py", "a.py", "b.py"]


def test_baseline_accepts_all_that_was_found_and_is_in_order(tmp_path: Path) -> None:
    text = "two and two"
    baseline = baseline_of(tmp_path, "a.py", text, judged(text, "two", "two"))
    first = (tmp_path / "baseline").read_text()
    verdict = baseline.accept("a.py", text, judged(text, "two", "two"), POLICY)
    assert verdict.action == "allow"
    baseline_of(tmp_path, "a.py", text, verdict)
    assert (tmp_path / "baseline").read_text() == first
    assert first.count("\n") == 1 and '"times": 2' in first
    assert pickle.loads(pickle.dumps(baseline)) == baseline


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "5",
        '{"action": "block"}',
        '{"schema_version": 2, "document": "a", "fingerprint": "a", "times": 1}',
        '{"schema_version": 1, "document": 5, "fingerprint": "a", "times": 1}',
    ],
)
def test_file_that_is_no_baseline_is_refused_by_line(tmp_path: Path, line: str) -> None:
    text = "one two"
    baseline_of(tmp_path, "a.py", text, judged(text, "one"))
    path = tmp_path / "baseline"
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(ValueError, match=r"baseline: line 2: not a line of a baseline of version"):
        Baseline.load(path)
