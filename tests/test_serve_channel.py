"""Channels: texts and their tokens go out in step, and nothing of a replaced passage does."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.document import Document
from dedup.filter import Filter, Screen
from dedup.index import Index
from dedup.policy import Policy, Rule
from dedup.serve.channel import ArgumentsChannel, Channel, Token, TokenQueue

# Moby-Dick, chapter 1 (public domain).
PROTECTED = (
    "Whenever I find myself growing grim about the mouth; whenever it is a damp, drizzly November "
    "in my soul; whenever I find myself involuntarily pausing before coffin warehouses, and "
    "bringing up the rear of every funeral I meet; and especially whenever my hypos get such an "
    "upper hand of me, that it requires a strong moral principle"
)
TEXT = f"He said — “naïvely” 🐳 — and I quote: {PROTECTED}. That was it, said the old man."
NOTICE = "[gone]"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    path: Path = tmp_path_factory.mktemp("channel") / "index"
    with Index.create(path, key=None) as writer:
        writer.add([Document("moby", PROTECTED)])
        writer.commit()
    return Index.open(path, key=None)


@pytest.fixture(scope="module")
def blocking(index: Index) -> Screen:
    return Filter(index).screen()


@pytest.fixture(scope="module")
def redacting(index: Index) -> Screen:
    rule = Rule(name="short", action="redact", min_run=12)
    return Filter(index, Policy("redact", (rule,), notice=NOTICE)).screen()


def cut(text: str, cuts: set[int]) -> list[str]:
    ends = [0, *sorted(at for at in cuts if at < len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(ends)]


cuts = st.sets(st.integers(0, 400), max_size=80)


@given(cuts)
@settings(max_examples=40)
def test_tokens_go_out_with_their_text_and_stop_with_it(blocking: Screen, at: set[int]) -> None:
    channel = Channel(blocking.stream())
    queue = TokenQueue(channel)
    out = tokens = ""
    for piece in cut(TEXT, at):
        queue.add([Token(piece.encode(), piece)])
        out += channel.feed(piece)
        tokens += "".join(queue.take())
        assert out.startswith(tokens)
    out += channel.flush()
    tokens += "".join(queue.take())
    assert channel.is_over and channel.out == out
    assert out.startswith(tokens) and TEXT.startswith(out)


@given(cuts)
@settings(max_examples=40)
def test_tokens_of_a_replaced_passage_are_dropped(redacting: Screen, at: set[int]) -> None:
    channel = Channel(redacting.stream())
    queue = TokenQueue(channel)
    tokens: list[str] = []
    for piece in cut(TEXT, at):
        queue.add([Token(piece.encode(), piece)])
        channel.feed(piece)
        tokens += queue.take()
    channel.flush()
    tokens += queue.take()
    assert NOTICE in channel.out and "hypos" not in channel.out
    assert not any("hypos" in token for token in tokens)
    [gap] = channel.gaps
    source = TEXT.encode()
    assert channel.out.encode() == source[: gap.start] + NOTICE.encode() + source[gap.end :]


def test_tokens_that_spell_another_text_are_not_sent(blocking: Screen) -> None:
    channel = Channel(blocking.stream())
    queue = TokenQueue(channel)
    queue.add(Token(word.encode(), word) for word in ("good ", "morning ", "secret ", "friend"))
    channel.feed("good morning dear friend")
    channel.flush()
    assert queue.take() == ["good ", "morning "]


def test_a_character_cut_in_two_by_escapes_is_whole_again(blocking: Screen) -> None:
    channel = Channel(blocking.stream())
    out = "".join(map(channel.feed, ("a \ud83d", "\ude00 b \ude00 c ", "\ud83d"))) + channel.flush()
    assert out == "a 😀 b \ufffd c \ufffd"


@given(cuts, st.booleans())
@settings(max_examples=40)
def test_arguments_are_read_decoded_and_stay_json(
    redacting: Screen, at: set[int], is_ascii: bool
) -> None:
    given = {"path": "a.txt", "lines": TEXT.split(" "), "n": 3}
    raw = json.dumps(given, ensure_ascii=is_ascii)
    channel = ArgumentsChannel(redacting.stream())
    out = "".join(channel.feed(piece) for piece in cut(raw, at)) + channel.flush()
    assert out == channel.out and channel.given == raw
    said = json.loads(out)
    assert (said["path"], said["n"], len(said["lines"])) == ("a.txt", 3, len(given["lines"]))
    assert NOTICE in said["lines"] and "hypos" not in out


@pytest.mark.parametrize("form", [json.dumps(TEXT), json.dumps({"a": TEXT}), TEXT])
def test_arguments_that_hold_a_passage_are_blocked(blocking: Screen, form: str) -> None:
    channel = ArgumentsChannel(blocking.stream())
    out = "".join(map(channel.feed, form)) + channel.flush()
    assert channel.is_over and form.startswith(out) and "hypos" not in out
