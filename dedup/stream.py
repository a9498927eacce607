"""StreamFilter: the verdict over text that arrives in chunks, and what of it may go out meanwhile.

Chunks in, text that is safe to send out, and at the end the Verdict on the whole. What is sent and
what is decided are functions of the text alone, however it is cut:

    clear    nothing resembles anything: every token goes out as soon as the next begins
    held     a token brought evidence (csrc/stream_search.h), or a reading of the last of the text
             that undoes what hides its words did: it and all behind it is held while
             the text since then is searched, at every fourth token, later at longer intervals
             -> clear, if what was found has ended and the policy lets it pass, or redacts it
             -> over, if a rule blocks; nothing more goes out

A passage is held only while a rule that suppresses could still come to fire on it, so what a policy
exempts, or flags at the most, flows on. What was let pass is noted in a ledger, so that rules that
ask what all passages of a document come to can tell; the texts of one answer share one.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dedup.errors import DedupError
from dedup.match import Match, Span, moved
from dedup.policy import Policy, Verdict
from dedup.snapshot import Session

__all__ = ["FAILURES", "MAX_LEAK_TOKENS", "Ledger", "StreamFilter"]

# With the default scheme every run of words shows before it is longer than this, so that nothing
# has to be held back for the promise: two strides of tiles, and a tile, less one.
MAX_LEAK_TOKENS: Final = 20

# A passage that has not grown for so many tokens has ended. Edits in a copy of which a third was
# replaced are rarely so far from the next seed.
_PATIENCE_TOKENS: Final = 16
# Evidence without a match may be the first words of one: the least that is a match is 12 words.
_DOUBT_TOKENS: Final = 8
_STEP_TOKENS: Final = 4
# Of what is held an eighth must be new before it is searched again, so the cost of a token is
# bounded however long a passage is.
_GROWTH: Final = 8
# What goes before a passage may belong to it: parts of an edited copy that no seed showed.
_CONTEXT_BYTES: Final = 2048
# Syntax is looked at so often: where names and layout are changed it alone may tell.
_SYNTAX_STEP_BYTES: Final = 256
_SYNTAX_WINDOW_BYTES: Final = 8192
_SYNTAX_GROWTH: Final = 16

# Whether something hides the words is looked at so often, in so much of the text: 80 words, or the
# code of a dozen; where something does, more of it is searched. Whether others were put between
# them takes more to tell.
_DISGUISE_STEP_BYTES: Final = 128
_DISGUISE_LOOK_BYTES: Final = 512
_DISGUISE_WINDOW_BYTES: Final = 1024
_FILLERS_STEP_BYTES: Final = 512
# A passage that is disguised is read up to the last word that is whole, and some words of it went
# out before it showed: one that ends so near to what is read may still grow.
_DISGUISE_SLACK_BYTES: Final = 128

# What a search that cannot be made ends in; anything else is a mistake of ours.
FAILURES: Final = (DedupError, OSError, MemoryError)


# Texts of one answer lie apart by so much, where their passages are counted together.
_APART_BYTES: Final = 1 << 40


class Ledger:
    """What passed of the texts of one answer: matches of each, for what they come to together."""

    def __init__(self) -> None:
        self._noted: list[list[Match]] = []

    def open(self) -> int:
        """A number for another text."""
        self._noted.append([])
        return len(self._noted) - 1

    def note(self, text: int, matches: Iterable[Match]) -> None:
        """Note what was found in a text."""
        self._noted[text] += matches

    def beside(self, text: int, *, own: bool) -> list[Match]:
        """What was found in the others, with spans beyond those of this text; or in it too."""
        return [
            moved(match, 0 if number == text else (number + 1) * _APART_BYTES)
            for number, matches in enumerate(self._noted)
            if own or number != text
            for match in matches
        ]


class StreamFilter:
    """Filters one generated text while it is being generated; made by ``Filter.stream``.

    Parameters
    ----------
    session : Session, or an error
        What is protected, and what the prompt supplied itself; the stream keeps to its generation.
        Instead of one, why there is none.
    policy : Policy
    max_leak_tokens : int
        Of a passage that the policy suppresses, at most so many tokens go out before it does. 0:
        nothing goes out before the end. Below `MAX_LEAK_TOKENS` every token is delayed by the
        difference.
    ledger : Ledger, optional
        Of the answer that the text is part of; one of its own if it is all there is.

    Notes
    -----
    Not thread-safe. Costs about a microsecond a token while nothing is found. Keeps the text.

    The promise is about words as they stand, all that is needed for it is in `csrc/seeds.h`. Of
    code under other names up to 29 lexemes may be out before it shows, and a copy that is edited
    everywhere shows when the first of its seeds does.
    """

    def __init__(
        self,
        session: Session | Exception,
        policy: Policy,
        *,
        max_leak_tokens: int = MAX_LEAK_TOKENS,
        index_generation: int = 0,
        ledger: Ledger | None = None,
    ) -> None:
        if max_leak_tokens < 0:
            raise ValueError(f"max_leak_tokens is a count, got {max_leak_tokens}; 0 sends nothing")
        self._policy = policy
        self._generation = index_generation
        self._lag = max(0, MAX_LEAK_TOKENS - max_leak_tokens)
        self._is_buffering = max_leak_tokens == 0
        self._data = bytearray()
        self._sent = 0  # bytes of the text that are out, or have been replaced
        self._released: list[str] = []  # since the last call
        self._out: list[str] = []  # by the calls before
        self._verdict: Verdict | None = None  # set once nothing more is to be decided
        self._is_flushed = False
        self._redactions: dict[Span, str] = {}  # of what is not out, with their notices
        self._redacted_to = 0
        self._hold = 0  # token that brought the first evidence; 0 if none is held
        self._held_from = 0  # its byte
        self._doubt_until = 0  # token up to which the newest evidence may become a match
        self._doubt_at = 0  # byte of the token that brought it
        self._decide_at = 0  # token at which what is held is searched again
        self._last_token = 0
        self._is_disguised = False
        self._disguise_at = _DISGUISE_STEP_BYTES  # byte at which it is looked for next
        self._fillers_at = _FILLERS_STEP_BYTES  # and from which fillers are looked for then
        self._ledger = ledger or Ledger()
        self._number = self._ledger.open()
        self._noted_to = 0  # bytes of the text of which the ledger knows
        self._sum_at = 0  # byte before which the whole text is not searched for a sum again
        try:
            if isinstance(session, Exception):
                raise session
            self._session = session
            self._core = self._session.stream()
            self._syntax_at = _SYNTAX_STEP_BYTES if self._session.has_code else 0
        except FAILURES as error:
            self._fail(error)

    # ---- what a host calls

    def feed(self, chunk: str) -> str:
        """Takes more of the text; returns what may be sent now, notices for passages included.

        Raises
        ------
        ValueError
            If the chunk holds a lone surrogate, or the stream was flushed.
        """
        if self._is_flushed:
            raise ValueError("the stream was flushed; make a new one for another text")
        data = chunk.encode()  # a lone surrogate is a ValueError, before anything has changed
        if self.is_over:
            return ""
        self._data += data
        if self._verdict is not None:  # on_error lets all pass
            self._send(len(self._data))
        elif not self._is_buffering:
            try:
                self._core.feed(data)
                self._advance()
            except FAILURES as error:
                self._fail(error)
        return self._taken()

    def flush(self) -> tuple[str, Verdict]:
        """Ends the text: what may be sent of what was held, and the verdict on all of it.

        The verdict is that of ``Filter.check`` on the whole text, or, if the stream ended early, on
        the text up to there. Its ``text`` is all that went out; if it blocks, the notice alone.
        """
        self._is_flushed = True
        try:
            if self._verdict is None and not self._is_buffering:
                self._core.finish()
                self._advance()
            verdict = self._verdict or self._judge(len(self._data))
        except FAILURES as error:
            verdict = self._fail(error)
        if verdict.action != "block":
            self._redactions.update(self._policy.redactions(verdict.rulings))
            self._send(len(self._data))
        released = self._taken()
        if verdict.action != "block":
            verdict = replace(verdict, text="".join(self._out))
        self._verdict = verdict
        return released, verdict

    @property
    def is_over(self) -> bool:
        """Whether the stream was blocked, so that nothing more will go out."""
        return self._verdict is not None and self._verdict.action == "block"

    @property
    def held_bytes(self) -> int:
        """Bytes of the text, in UTF-8, that are neither out nor decided about."""
        return 0 if self.is_over else len(self._data) - self._sent

    def may_search(self, chunk_bytes: int) -> bool:
        """Whether feeding so much more may search the text held: a matter of milliseconds.

        The first evidence of a passage starts a search too, which no one can foretell.
        """
        end = len(self._data) + chunk_bytes
        is_syntax_due = self._syntax_at and end >= self._syntax_at
        is_disguise_due = self._is_disguised and end >= self._disguise_at
        return bool(self._hold or is_syntax_due or is_disguise_due) and self._verdict is None

    # ---- how it decides

    def _advance(self) -> None:
        core = self._core
        while self._verdict is None:
            until = self._last_token + 1 if self._hold else 0
            step = core.next(until, min(self._syntax_at or self._disguise_at, self._disguise_at))
            if step is None:
                break
            is_evidence, start, end, token = step
            self._last_token = token
            if is_evidence:
                self._doubt_until, self._doubt_at = token + _DOUBT_TOKENS, start
                if not self._hold:
                    self._send(self._behind(token, start))
                    self._hold, self._held_from, self._decide_at = token, self._sent, token
            is_due = bool(self._hold) and token >= self._decide_at
            window = 0  # bytes to look back at
            if self._syntax_at and end >= self._syntax_at:
                window = _SYNTAX_WINDOW_BYTES
            if end >= self._disguise_at and self._look_for_disguise(end):
                window, is_due = max(window, _DISGUISE_WINDOW_BYTES), True
            if is_due or window:
                self._decide(token, start, end, window, is_due=is_due)
        if self._verdict is None and not self._hold:
            self._send(self._behind(self._last_token + 1, core.certain))

    def _behind(self, token: int, start: int) -> int:
        """The byte up to which all may go out while this token, which starts there, may not."""
        if self._lag == 0:
            return start
        return self._core.start_of(token - self._lag) if token > self._lag else 0

    def _look_for_disguise(self, end: int) -> bool:
        """Whether something hides the last words before a byte; says when to look again."""
        self._disguise_at = end + _DISGUISE_STEP_BYTES
        window = self._window(end, _DISGUISE_LOOK_BYTES)
        self._is_disguised = self._session.is_disguised(self._data[window:end].decode())
        if end >= self._fillers_at:
            self._fillers_at = end + _FILLERS_STEP_BYTES
            window = self._window(end, _DISGUISE_WINDOW_BYTES)
            self._is_disguised |= self._session.has_fillers(self._data[window:end].decode())
        return self._is_disguised

    def _decide(self, token: int, start: int, end: int, back: int, *, is_due: bool) -> None:
        """Looks at what is held, or the bytes before `end`; at no more than syntax if not due."""
        if not self._hold:  # until it is decided otherwise, no further
            self._send(self._behind(token, start))
        window = self._window(end, back)
        if self._syntax_at and end >= self._syntax_at:
            self._syntax_at = end + max(_SYNTAX_STEP_BYTES, (end - window) // _SYNTAX_GROWTH)
        text = self._data[window:end].decode()
        parsed = self._session.parsed(text)
        if not is_due and parsed[0] is None:
            return  # it has no syntax to look at, and its words are looked at as they come
        matches = [moved(match, window) for match in self._session.search(text, parsed)]
        beside = self._ledger.beside(self._number, own=True)
        verdict = self._policy.judge("", matches, beside=beside, index_generation=self._generation)
        if verdict.action == "block":
            alone = self._policy.judge("", matches, index_generation=self._generation)
            if alone.action == "block" or end >= self._sum_at:
                whole = self._judge(end)  # with all that was let pass before
                if "block" in (whole.action, alone.action):
                    self._verdict = whole if whole.action == "block" else alone
                    return
                self._sum_at = end + end // _GROWTH  # it was counted twice, but not there
        recent = self._core.start_of(max(1, token - _PATIENCE_TOKENS))
        is_growing = any(
            match.query_span.end
            > (end - _DISGUISE_SLACK_BYTES if match.undone else max(recent, self._sent))
            and self._policy.may_suppress(match)
            for match in matches
        )
        is_in_doubt = token < self._doubt_until and not any(
            match.query_span.start <= self._doubt_at < match.query_span.end for match in matches
        )
        if is_growing or is_in_doubt:
            if not self._hold:
                self._hold, self._held_from = token, self._sent
            self._decide_at = token + max(_STEP_TOKENS, (token - self._hold) // _GROWTH)
            return
        self._hold = 0
        self._note(matches, end)
        self._redactions.update(self._policy.redactions(verdict.rulings))
        self._send(self._behind(token + 1, end))

    def _judge(self, end: int) -> Verdict:
        """The verdict on all of the text up to a byte, and on what the others of its answer add."""
        text = self._data[:end].decode()
        matches = self._session.search(text)
        beside = self._ledger.beside(self._number, own=False)
        self._note(matches, end)
        return self._policy.judge(text, matches, beside=beside, index_generation=self._generation)

    def _note(self, matches: Iterable[Match], end: int) -> None:
        new = (match for match in matches if match.query_span.end > self._noted_to)
        self._ledger.note(self._number, new)
        self._noted_to = end

    def _window(self, end: int, back: int) -> int:
        """Where the text begins that a decision looks at, the same for every way of cutting it."""
        start = self._held_from - _CONTEXT_BYTES if self._hold else end
        start = min(start, end - back)
        if start <= 0:
            return 0
        for mark in (b"\n", b" "):
            at = self._data.find(mark, start, min(start + _CONTEXT_BYTES // 4, end))
            if at >= 0:
                return at + 1
        while self._data[start] & 0xC0 == 0x80:
            start += 1
        return start

    def _fail(self, error: BaseException) -> Verdict:
        """What the policy's ``on_error`` says: nothing more goes out, or all does, marked."""
        self._verdict = self._policy.judge_error("", error, index_generation=self._generation)
        if not self.is_over:
            self._send(len(self._data))
        return self._verdict

    def _send(self, to: int) -> None:
        """Lets out what lies before a byte, with notices for what is not to go out."""
        if self._redactions:
            for span, notice in sorted(self._redactions.items()):
                if span.start >= to:
                    break
                del self._redactions[span]
                if span.end <= self._sent:
                    continue
                self._released.append(self._data[self._sent : span.start].decode())
                if span.start > self._redacted_to or not self._redacted_to:
                    self._released.append(notice)
                self._sent = self._redacted_to = span.end
        if to > self._sent:
            self._released.append(self._data[self._sent : to].decode())
            self._sent = to

    def _taken(self) -> str:
        """What was let out since the last call."""
        released = "".join(self._released)
        self._out.append(released)
        self._released.clear()
        return released
