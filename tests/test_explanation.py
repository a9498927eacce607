"""Whoever asks why a text was matched, or was not, is told what decided it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Run
from hypothesis import given
from hypothesis import strategies as st
from strategies import match

from dedup import Document, Index, Policy, Rule
from dedup.explanation import Explanation, explain, explanation_text

DATA = Path(__file__).parent / "data"
BOOK = (DATA / "books/war-of-the-worlds.txt").read_text()
CODE = (DATA / "code/timetable/slots.py").read_text()
SPEECH = (DATA / "outputs/speech.txt").read_text()
WORDS = BOOK.split()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("explained") / "i", key=None) as index:
        index.add([Document("war", BOOK, corpus="books"), Document("slots.py", CODE)])
        index.commit()
        yield index


def explained(index: Index, text: str, prompt: str | None = None) -> Explanation:
    return explain(text, index.snapshot.session(prompt), Policy.balanced())


def told(explanation: Explanation, text: str) -> str:
    return "".join(explanation_text(explanation, text))


def test_nothing_in_common_is_said_so(index: Index) -> None:
    text = "Zebras quietly polish eleven crimson kettles beneath a humming violet lighthouse."
    explanation = explained(index, text)
    assert (explanation.places, explanation.passages, explanation.matches) == ((), (), ())
    assert "nothing was looked at more closely" in told(explanation, text)
    assert "no match, so no rule is asked" in told(explanation, text)


def test_a_short_passage_misses_what_a_match_has_to_be(index: Index) -> None:
    phrase = " ".join(WORDS[2000:2011])
    text = f"Nobody here remembers it.\n{phrase}\nThat is all there was to say."
    explanation = explained(index, text)
    assert not explanation.matches
    [passage] = [one for one in explanation.passages if one.view == "text"]
    assert (passage.document, passage.outcome, passage.matched) == ("war", "too short", 11)
    assert passage.score < passage.needed
    start, end = passage.span
    assert text.encode()[start:end].decode() == phrase.strip(".,;")
    line = "passage in line 2, war: 11 of 11 words agree: too little for a match; 22, 24 needed"
    assert line in told(explanation, text)


def test_a_match_is_told_with_each_rule_down_to_the_one_that_fires(index: Index) -> None:
    text = " ".join(WORDS[2000:2015])
    explanation = explained(index, text)
    [judged] = explanation.matches
    assert [answer.rule for answer in judged.rules][-1] == "text-short"
    assert judged.rules[0].misses == ("run 15, min_run 24",)
    assert judged.rules[-1].misses == ()
    assert "text-run           no: run 15, min_run 24" in told(explanation, text)
    assert "text-short         flag" in told(explanation, text)


def test_a_match_below_every_rule_does_not_count(index: Index) -> None:
    text = " ".join(WORDS[2000:2015])
    lenient = Policy("none", (Rule(name="page", action="block", min_run=250),))
    explanation = explain(text, index.snapshot.session(), lenient)
    assert "no rule fires: it does not count" in told(explanation, text)


def test_what_the_prompt_supplied_is_exempt(index: Index) -> None:
    text = " ".join(WORDS[2000:2060])
    [judged] = explained(index, text, prompt=text).matches
    assert (judged.exempt, judged.rules) == ("prompt", ())


def test_code_is_told_in_each_of_its_views(index: Index) -> None:
    explanation = explained(index, CODE)
    assert [seeds.view for seeds in explanation.seeds] == ["text", "code", "ast"]
    assert {judged.match.view for judged in explanation.matches} == {"text", "code", "ast"}


@pytest.mark.parametrize("name", ["speech.txt", "speech-with-copy.txt"])
def test_what_is_explained_is_what_is_found(index: Index, name: str) -> None:
    text = (DATA / "outputs" / name).read_text()
    explanation = explained(index, text)
    assert [judged.match for judged in explanation.matches] == index.search(text)
    matched = [one.span for one in explanation.passages if one.outcome == "matched"]
    assert {judged.match.query_span for judged in explanation.matches} <= set(matched)
    assert explanation.left_out == 0


def test_removed_documents_are_named_as_such(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=None) as index:
        index.add([Document("war", BOOK), Document("slots.py", CODE)])
        index.commit()
        index.remove(document="war")
        index.commit()
        explanation = explained(index, " ".join(WORDS[2000:2060]))
        assert {place.fate for place in explanation.places} <= {"removed", "unlike"}
        assert ("war", "removed") in {(place.document, place.fate) for place in explanation.places}


def test_of_long_lists_people_see_the_beginning(tmp_path: Path) -> None:
    starts = range(0, 12_000, 300)
    with Index.create(tmp_path / "i", key=None) as index:
        pieces = [" ".join(WORDS[start : start + 300]) for start in starts]
        index.add([Document(f"piece-{number}", piece) for number, piece in enumerate(pieces)])
        index.commit()
        text = "\n".join(" ".join(WORDS[start : start + 11]) + f" xyzzy{start}" for start in starts)
        explanation = explained(index, text)
    lines = told(explanation, text).splitlines()
    assert len(explanation.passages) > 12
    assert any("more; --format json has them" in line for line in lines)
    assert len(lines) < 60


def test_it_is_plain_json(index: Index) -> None:
    plain = explained(index, " ".join(WORDS[2000:2060])).to_dict()
    assert json.loads(json.dumps(plain))["schema_version"] == 1
    assert "supplied" not in plain["matches"][0]["match"]


rules = st.builds(
    Rule,
    name=st.just("one"),
    action=st.just("flag"),
    min_run=st.integers(0, 3),
    min_tokens=st.integers(0, 3),
    min_distinct=st.integers(0, 3),
    min_total_distinct=st.integers(0, 3),
    min_identity=st.sampled_from([0.0, 0.5]),
    min_containment=st.sampled_from([0.0, 0.5]),
    kinds=st.sampled_from([(), ("near",), ("verbatim", "renamed")]),
    views=st.sampled_from([(), ("text",), ("code", "ast")]),
    corpus=st.sampled_from([(), ("books",), ("x*",)]),
    language=st.sampled_from([(), ("",), ("python",)]),
)
matches = st.builds(
    match,
    run=st.integers(0, 3),
    tokens=st.integers(0, 3),
    distinct=st.integers(0, 3),
    identity=st.sampled_from([0.4, 0.5]),
    containment=st.sampled_from([0.4, 0.5]),
    kind=st.sampled_from(["near", "verbatim", "renamed"]),
    view=st.sampled_from(["text", "code", "ast"]),
    corpus=st.sampled_from(["books", "xyz", ""]),
    language=st.sampled_from(["", "python"]),
)


@given(rules, matches)
def test_a_rule_fires_if_nothing_is_missed(rule: Rule, one: object) -> None:
    assert rule.fires_on(one) == (rule.misses(one) == [])


# ---- dedup check --explain -----------------------------------------------------------------------


def test_check_explains_in_text_and_json(run: Run, tmp_path: Path) -> None:
    run("index", "add", tmp_path / "i", DATA / "books", "--no-key")
    copy = DATA / "outputs/speech-with-copy.txt"
    check = ("check", copy, "--index", tmp_path / "i", "--no-key", "--explain")
    assert "text-run           no: run 15, min_run 24" in run(*check).out
    [told] = [json.loads(line) for line in run(*check, "--format", "jsonl").out.splitlines()]
    assert told["explanation"]["matches"][0]["rules"][-1]["misses"] == []
    refused = run(*check, "--format", "html")
    assert refused.status == 2
    assert "--explain goes with --format text, json or jsonl" in refused.err


def test_check_exempts_what_the_background_has(run: Run, tmp_path: Path) -> None:
    for name in ("i", "permitted"):
        run("index", "add", tmp_path / name, DATA / "books", "--no-key")
    (tmp_path / "copy.txt").write_text(" ".join(WORDS[2000:2060]))
    check = ("check", tmp_path / "copy.txt", "--index", tmp_path / "i", "--no-key", "--explain")
    assert run(*check).status == 1
    permitted = run(*check, "--background", tmp_path / "permitted")
    assert permitted.status == 0
    assert "exempt: background" in permitted.out


def test_it_says_what_passages_come_to_together(index: Index) -> None:
    apart = "the committee met again and agreed that its minutes shall be printed next month so "
    text = " ".join(apart * 4 + " ".join(WORDS[at : at + 12]) for at in (200, 900))
    told = [rule for match in explained(index, text).matches for rule in match.rules]
    missed = [said.misses for said in told if said.rule == "text-total"]
    assert len(missed) == 2
    assert all(misses[0].endswith("min_total_distinct 40") for misses in missed)
