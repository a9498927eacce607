"""What a policy does to benign texts is measured, and its thresholds are raised on evidence."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import match

from dedup import Document, Index, Policy, Rule
from dedup.calibration import Calibration, Share, calibrate, everything, judged
from dedup.match import Match, Span
from dedup.policy import Verdict
from dedup.scanning.row import row_of

DATA = Path(__file__).parent / "data"
BLOCKING = Policy(
    "test",
    (
        Rule(name="long", action="block", min_run=24),
        Rule(name="alike", action="redact", min_tokens=40, min_identity=0.5),
        Rule(name="short", action="flag", min_tokens=12),
    ),
)


def row(document: str, matches: Sequence[Match] = ()) -> dict[str, Any]:
    """A row of a scan under ``everything``."""
    verdict: Verdict = everything().judge("word " * 40, matches)
    return row_of(document, "word " * 40, 200, verdict)


def rows(documents: int, found: Sequence[Sequence[Match]]) -> list[dict[str, Any]]:
    clean = [row(f"clean-{number}") for number in range(documents - len(found))]
    return clean + [row(f"found-{number}", matches) for number, matches in enumerate(found)]


def stopped(policy: Policy, found: Sequence[Sequence[Match]]) -> int:
    actions = [policy.judge("word " * 40, matches).action for matches in found]
    return sum(action in ("redact", "block") for action in actions)


# ---- rates ---------------------------------------------------------------------------------------


def test_interval_is_wilsons() -> None:
    # Of Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", 2001.
    low, high = Share(0, 100).interval
    assert (low, round(high, 4)) == (0.0, 0.0370)
    low, high = Share(10, 100).interval
    assert (round(low, 4), round(high, 4)) == (0.0552, 0.1744)


@given(st.integers(1, 10_000), st.data())
def test_interval_holds_the_rate(of: int, data: st.DataObject) -> None:
    share = Share(data.draw(st.integers(0, of)), of)
    low, high = share.interval
    assert 0 <= low <= share.rate <= high <= 1


def test_nothing_says_nothing() -> None:
    assert Share(0, 0).interval == (0.0, 1.0)


# ---- thresholds ----------------------------------------------------------------------------------


def test_counts_what_the_policy_would_do() -> None:
    found = [[match(run=30)], [match(run=10, tokens=50)], [match(run=10, tokens=20)]]
    answer = calibrate(rows(1000, found), BLOCKING, 0.1)
    assert (answer.documents, answer.bytes) == (1000, 200_000)
    assert (answer.stopped.count, answer.flagged.count) == (2, 1)
    assert [(stop.rule, stop.documents) for stop in answer.stops] == [("long", 1), ("alike", 1)]


def test_problems_are_no_benign_documents() -> None:
    broken = row("broken") | {"action": None, "error": "broken: not UTF-8"}
    assert calibrate([broken, row("whole")], BLOCKING, 0.1).documents == 1


def test_a_policy_that_stops_little_enough_stays() -> None:
    answer = calibrate(rows(200, [[match(run=10, tokens=20)]]), BLOCKING, 0.1)
    assert answer.proposal == BLOCKING


def test_thresholds_are_raised_past_what_is_stopped() -> None:
    found = [[match(run=run, tokens=run)] for run in range(24, 44)]
    answer = calibrate(rows(500, found), BLOCKING, 0.02)
    assert answer.proposal is not None
    assert answer.chosen_on.interval[1] <= 0.02
    assert answer.proposal.rules[0].min_run > 24
    assert answer.chosen_on.count + answer.measured_on.count == stopped(answer.proposal, found)


def test_a_total_is_raised_past_what_it_stops() -> None:
    total = Policy("totals", (Rule(name="sum", action="block", min_total_distinct=20),))
    found = [
        [match(distinct=10, query_span=Span(at, at + 9), document_span=Span(at, at + 9))
         for at in range(0, 10 * count, 10)]
        for count in range(1, 21)
    ]  # fmt: skip
    answer = calibrate(rows(500, found), total, 0.02)
    [stop] = answer.stops
    assert (stop.measure, stop.documents, stop.room) == ("min_total_distinct", 19, 11)
    assert answer.proposal is not None and answer.proposal.rules[0].min_total_distinct > 20
    assert answer.chosen_on.count + answer.measured_on.count == stopped(answer.proposal, found)
    under = [judged(one, total)["action"] for one in rows(20, found)]
    assert under == ["allow", *["block"] * 19]


def test_few_documents_show_no_low_rate() -> None:
    answer = calibrate(rows(50, []), BLOCKING, 0.001)
    assert answer.proposal is None
    assert calibrate(rows(answer.needed_documents * 11 // 10, []), BLOCKING, 0.001).proposal


@pytest.mark.parametrize("wanted", [0.0, 1.0, -0.1, 5.0])
def test_the_wanted_rate_is_a_share(wanted: float) -> None:
    with pytest.raises(ValueError, match="a share between 0 and 1"):
        calibrate([], BLOCKING, wanted)


found_matches = st.lists(
    st.lists(
        st.builds(
            match,
            run=st.integers(1, 60),
            tokens=st.integers(12, 90),
            identity=st.floats(0.3, 1.0),
        ),
        min_size=1,
        max_size=3,
    ),
    max_size=30,
)


@settings(deadline=None)
@given(found_matches, st.sampled_from([0.05, 0.1, 0.3]))
def test_a_proposal_keeps_its_word_and_lowers_nothing(
    found: list[list[Match]], wanted: float
) -> None:
    answer = calibrate(rows(300, found), BLOCKING, wanted)
    assert answer.proposal is not None
    assert answer.chosen_on.interval[1] <= wanted
    for before, after in zip(BLOCKING.rules, answer.proposal.rules, strict=True):
        assert after.min_run >= before.min_run
        assert after.min_tokens >= before.min_tokens
        assert replace(after, min_run=before.min_run, min_tokens=before.min_tokens) == before


@settings(deadline=None)
@given(found_matches)
def test_a_threshold_may_be_lowered_as_far_as_is_said_and_no_further(
    found: list[list[Match]],
) -> None:
    answer: Calibration = calibrate(rows(100, found), BLOCKING, 0.3)
    for number, stop in enumerate(answer.stops):

        def at(threshold: int, number: int = number, measure: str = stop.measure) -> int:
            rules = list(BLOCKING.rules)
            rules[number] = replace(rules[number], **{measure: threshold})
            return stopped(replace(BLOCKING, rules=tuple(rules)), found)

        if stop.room < stop.threshold:
            assert at(stop.room) == at(stop.threshold)
        if 1 < stop.room <= stop.threshold:
            assert at(stop.room - 1) > at(stop.threshold)


def test_a_row_is_judged_as_a_scan_would_judge_it() -> None:
    matches = [match(run=30), match(run=10, tokens=50), match(run=10, tokens=20), match(tokens=5)]
    under_policy = row_of("a", "x" * 200, 200, BLOCKING.judge("x" * 200, matches))
    under_everything = row_of("a", "x" * 200, 200, everything().judge("x" * 200, matches))
    assert judged(under_everything, BLOCKING) == under_policy


# ---- dedup calibrate -----------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with Index.create(tmp_path / "i", key=None) as index:
        book = DATA / "books/war-of-the-worlds.txt"
        index.add([Document("war", book.read_text(), corpus="books")])
        index.commit()
    return tmp_path / "i"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dedup", "calibrate", *map(str, arguments), "--no-key"],
        capture_output=True,
        text=True,
    )


def test_tells_what_is_stopped_and_proposes_a_policy(index: Path, tmp_path: Path) -> None:
    benign = tmp_path / "benign.jsonl"
    book = (DATA / "books/war-of-the-worlds.txt").read_text().split()
    texts = [" ".join(f"w{number}x{word}" for word in range(50)) for number in range(400)]
    texts += [" ".join(book[at : at + 26]) for at in range(1000, 5000, 200)]
    benign.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    done = run(
        *("--index", index, "--benign", benign, "--rate", "0.03", "--format", "json"),
        *("--hits", tmp_path / "hits.jsonl", "-o", tmp_path / "house.toml"),
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["stopped"]["count"] == 20
    assert {"rule": "text-run", "threshold": "min_run", "from": 24, "to": 27} in answer["changes"]
    hits = [json.loads(line) for line in (tmp_path / "hits.jsonl").read_text().splitlines()]
    assert [hit["action"] for hit in hits] == ["block"] * 20
    assert " ".join(book[1000:1026]) in hits[0]["matches"][0]["excerpt"]["passage"]
    house = Policy.load(tmp_path / "house.toml")
    assert house.to_toml() == answer["proposal"]
    assert house.rules[0].min_run == 27


def test_what_cannot_be_read_makes_the_answer_incomplete(index: Path, tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("Nothing of the kind is in here.")
    (tmp_path / "bad.jsonl").write_text("{")
    files = ("--benign", tmp_path / "good.txt", "--benign", tmp_path / "bad.jsonl")
    done = run("--index", index, *files)
    assert done.returncode == 2
    assert "1 benign document" in done.stdout
    assert "cannot show a rate of 0.1000%" in done.stdout
    assert "bad.jsonl: line 1" in done.stderr


def test_needs_some_document(index: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{")
    done = run("--index", index, "--benign", tmp_path / "bad.jsonl")
    assert done.returncode == 2
    assert "no document could be read" in done.stderr
