"""A filter composes search and policy, and fails closed."""

from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from strategies import texts

from dedup.errors import FormatError
from dedup.filter import Filter
from dedup.index import Index
from dedup.policy import Policy, Rule, Verdict
from dedup.source import Document

# Moby-Dick, chapter 1 (public domain).
PROTECTED = (
    "Whenever I find myself growing grim about the mouth; whenever it is a damp, drizzly November "
    "in my soul; whenever I find myself involuntarily pausing before coffin warehouses, and "
    "bringing up the rear of every funeral I meet; and especially whenever my hypos get such an "
    "upper hand of me, that it requires a strong moral principle to prevent me from deliberately "
    "stepping into the street, and methodically knocking people’s hats off—then, I account it "
    "high time to get to sea as soon as I can."
)
HARMLESS = (
    "The committee met on Tuesday and agreed to publish its minutes by the end of the month. "
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    path = tmp_path_factory.mktemp("filter") / "protected.idx"
    with Index.create(path, key=None) as writer:
        writer.add([Document("moby", PROTECTED, corpus="books", owner="Melville")])
        writer.commit()
    with Index.open(path, key=None) as opened:
        yield opened


def test_copied_passage_is_blocked_and_not_shown(index: Index) -> None:
    output = HARMLESS + PROTECTED + " " + HARMLESS
    verdict = Filter(index).check(output)
    assert (verdict.action, verdict.rule) == ("block", "text-run")
    assert "hypos" not in verdict.text
    found = verdict.matches[0]
    assert (found.document, found.corpus, found.owner) == ("moby", "books", "Melville")
    passage = output.encode()[slice(*found.query_span)].decode()
    assert passage == PROTECTED.removesuffix(".")
    assert verdict.index_generation == index.generation == 1


def test_harmless_text_passes_untouched(index: Index) -> None:
    verdict = Filter(index).check(HARMLESS)
    assert verdict == Verdict("allow", None, HARMLESS, index.generation)


@pytest.mark.parametrize("output", ["", " ", "word", "\0", "\ufeff", "。", "🐳" * 1000])
def test_text_without_much_in_it_is_allowed(index: Index, output: str) -> None:
    assert Filter(index).check(output) == Verdict("allow", None, output, index.generation)


def test_policy_decides_what_is_done(index: Index) -> None:
    output = HARMLESS + PROTECTED
    redact = Policy("mine", (Rule(name="all", action="redact", min_run=10),), notice="[…]")
    assert Filter(index, redact).check(output).text == HARMLESS + "[…]."
    exempt = Policy("mine", (Rule(name="ours", action="allow", owner=("melville",)),))
    verdict = Filter(index, exempt).check(output)
    assert (verdict.action, verdict.rule, verdict.text) == ("allow", "ours", output)
    assert verdict.exempted


# ---- texts of one answer


def apart(parts: int) -> list[str]:
    """The passage in so many parts, each between harmless words."""
    words = PROTECTED.split()
    size = -(-len(words) // parts)
    return [
        HARMLESS * 3 + " ".join(words[at : at + size]) + ". " + HARMLESS * 3
        for at in range(0, len(words), size)
    ]


def test_parts_of_a_passage_add_up_over_the_texts_of_an_answer(index: Index) -> None:
    outputs = [*apart(5), HARMLESS]
    assert {Filter(index).check(output).action for output in outputs} == {"flag", "allow"}
    verdicts = Filter(index).check_all(outputs)
    assert [verdict.action for verdict in verdicts] == ["block"] * 5 + ["allow"]
    assert {verdict.rule for verdict in verdicts[:5]} == {"text-total"}
    for verdict, output in zip(verdicts, outputs, strict=True):
        for found in verdict.matches:
            words = output.encode()[slice(*found.query_span)].decode().split()
            assert " ".join(words[len(words) // 2 :][:3]) in PROTECTED


@pytest.mark.parametrize("size", [1, 2, 5, 11])
def test_a_passage_runs_on_from_text_to_text(index: Index, size: int) -> None:
    words = PROTECTED.split()
    outputs = [" ".join(words[at : at + size]) for at in range(0, len(words), size)]
    verdicts = Filter(index).check_all([HARMLESS, *outputs, HARMLESS])
    assert [verdict.action for verdict in verdicts] == ["allow", *["block"] * len(outputs), "allow"]


@pytest.mark.parametrize("size", [1, 3, 20])
def test_a_passage_is_found_wherever_it_is_cut(index: Index, size: int) -> None:
    outputs = [PROTECTED[at : at + size] for at in range(0, len(PROTECTED), size)]
    assert "block" in {verdict.action for verdict in Filter(index).check_all(outputs)}


def test_a_text_beside_a_copy_is_not_to_blame_for_a_word_that_fits(index: Index) -> None:
    words = PROTECTED.split()
    copy = " ".join(words[:60])
    verdicts = Filter(index).check_all([copy, f"{words[60]} {words[61]} " + HARMLESS])
    assert [verdict.action for verdict in verdicts] == ["block", "allow"]


def test_what_runs_on_is_redacted_in_each_text(index: Index) -> None:
    redact = Policy("mine", (Rule(name="all", action="redact", min_run=30),), notice="[…]")
    half = len(PROTECTED) // 2
    first, second = HARMLESS + PROTECTED[:half], PROTECTED[half:] + " " + HARMLESS
    verdicts = Filter(index, redact).check_all([first, "", second])
    assert [verdict.text for verdict in verdicts] == [
        HARMLESS + "[…]",
        "",
        "[…]. " + HARMLESS,
    ]


@given(output=texts)
def test_one_text_is_judged_as_by_itself(index: Index, output: str) -> None:
    filter = Filter(index)
    assert filter.check_all([output]) == [filter.check(output)]
    assert filter.check_all([output, HARMLESS])[1] == filter.check(HARMLESS)
    assert filter.check_all([]) == []


def test_texts_that_cannot_be_checked_are_blocked_each() -> None:
    filter = Filter(Damaged())
    assert [verdict.rule for verdict in filter.check_all(["a", "b"])] == ["on_error"] * 2
    with pytest.raises(ValueError, match="output has a lone surrogate"):
        filter.check_all(["a", "\ud800"])


@given(output=texts)
def test_any_valid_text_can_be_checked(index: Index, output: str) -> None:
    assert Filter(index).check(output).text == output


@pytest.mark.parametrize("output", [b"bytes", None, 5, ["text"]])
def test_output_that_is_no_string_is_refused(index: Index, output: object) -> None:
    with pytest.raises(TypeError, match=f"output must be a string, got {type(output).__name__}"):
        Filter(index).check(output)
    if output is not None:
        with pytest.raises(TypeError, match="prompt must be a string"):
            Filter(index).check("text", prompt=output)


def test_lone_surrogate_is_refused_with_its_place(index: Index) -> None:
    with pytest.raises(ValueError, match=r"output has a lone surrogate '\\ud83d' at character 3"):
        Filter(index).check("abc\ud83ddef")
    with pytest.raises(ValueError, match="prompt has a lone surrogate"):
        Filter(index).check("abc", prompt="\udc00")


class Damaged:
    """An index whose file fails under it, which a healthy disk will not do on request."""

    generation = 4

    @property
    def snapshot(self) -> Self:
        return self

    def session(self, prompt: str | None = None, background: Sequence[object] = ()) -> Self:
        return self

    def search(self, text: str) -> list[object]:
        raise FormatError("segment-1.dedup: checksum of block 7 does not match")


def test_failing_index_blocks_and_says_why() -> None:
    verdict = Filter(Damaged()).check("secret")
    assert (verdict.action, verdict.rule, verdict.index_generation) == ("block", "on_error", 4)
    assert "secret" not in verdict.text
    assert verdict.error.startswith("FormatError: segment-1.dedup: checksum")


def test_failing_index_allows_only_if_the_policy_says_so() -> None:
    policy = Policy("open", Policy.balanced().rules, on_error="allow")
    verdict = Filter(Damaged(), policy).check("text")
    assert (verdict.action, verdict.text) == ("allow", "text")
    assert verdict.error


class Moving:
    """An index of which another generation is taken up whenever one looks."""

    def __init__(self) -> None:
        self.generation = 0
        self.searched: list[int] = []

    @property
    def snapshot(self) -> Self:
        now = copy(self)
        self.generation += 1
        return now

    def session(self, prompt: str | None = None, background: Sequence[object] = ()) -> Self:
        return self

    def search(self, text: str) -> list[object]:
        self.searched.append(self.generation)
        return []


def test_verdict_tells_the_generation_that_was_searched() -> None:
    index = Moving()
    verdicts = [Filter(index).check("text") for _ in range(3)]
    assert [verdict.index_generation for verdict in verdicts] == index.searched == [0, 1, 2]


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    path = tmp_path_factory.mktemp("background") / "permitted.idx"
    with Index.create(path, key=None) as writer:
        writer.add([Document("public", PROTECTED + " " + HARMLESS)])
        writer.commit()
    with Index.open(path, key=None) as opened:
        yield opened


def test_what_the_background_has_too_is_exempt_and_named_so(
    index: Index, background: Index
) -> None:
    filter = Filter(index, background=[background])
    verdict = filter.check(PROTECTED)
    assert (verdict.action, verdict.rule) == ("allow", "background")
    assert verdict.exempted[0].match.document == "moby"
    stream = filter.stream()
    released = "".join(stream.feed(word + " ") for word in PROTECTED.split(" "))
    rest, verdict = stream.flush()
    assert (released + rest).strip() == PROTECTED and verdict.rule == "background"


def test_an_edited_copy_of_what_is_permitted_is_exempt_too(index: Index, background: Index) -> None:
    words = PROTECTED.split()
    words[::4] = ["something"] * len(words[::4])
    verdict = Filter(index, background=[background]).check(" ".join(words))
    assert (verdict.action, verdict.rule) == ("allow", "background")


def test_background_of_another_text_exempts_nothing(index: Index, tmp_path: Path) -> None:
    words = PROTECTED.split()
    words[::5] = ["something"] * len(words[::5])  # of which the protected text is a version
    with Index.create(tmp_path / "original", key=None) as original:
        original.add([Document("original", " ".join(words))])
        original.commit()
        assert Filter(index, background=[original]).check(PROTECTED).action == "block"
    unrelated = Filter(index, background=[index]).check(HARMLESS)
    assert unrelated.action == "allow" and unrelated.rule is None


def test_a_screen_reads_the_prompt_once_for_several_outputs(index: Index) -> None:
    screen = Filter(index).screen(f"Summarise this: {PROTECTED}")
    assert screen.check(PROTECTED).rule == "prompt"
    stream = screen.stream()
    assert "".join([stream.feed(PROTECTED), stream.flush()[0]]) == PROTECTED
