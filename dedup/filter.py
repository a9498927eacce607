"""The stages composed: a generated text in, a Verdict out."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from dedup.errors import DedupError
from dedup.index import Index
from dedup.match import Match, Span, moved
from dedup.policy import Policy, Verdict
from dedup.snapshot import Session
from dedup.stream import FAILURES, MAX_LEAK_TOKENS, Ledger, StreamFilter

__all__ = ["Filter", "Screen"]

# What texts are joined by to be read in a row: they may part words, or break one in two.
_BETWEEN: Final = ("\n", "")

# So many different words more than in one text say that a passage runs on into the next: after a
# passage that ends with its text the first words of another fit by chance.
_LEAST_MORE: Final = 4


class Filter:
    """Checks generated texts against an index under a policy.

    Parameters
    ----------
    index : Index
        What is protected. It stays the caller's to close.
    policy : Policy, optional
        What counts, and what is done about it; ``Policy.balanced()`` if not given.
    background : sequence of Index
        What is permitted: licences, scaffolds, the public domain. Of a passage that part is exempt
        which is found here too, as much like it; the rest is judged as if it stood alone.

    Notes
    -----
    Holds no state between checks, so one filter may serve many threads.
    """

    def __init__(
        self, index: Index, policy: Policy | None = None, *, background: Sequence[Index] = ()
    ) -> None:
        self.index = index
        self.policy = Policy.balanced() if policy is None else policy
        self.background = tuple(background)

    def check(self, output: str, prompt: str | None = None) -> Verdict:
        """The verdict on one output; what the prompt itself supplied is not held against it.

        If the index fails to answer, the policy's ``on_error`` decides and ``Verdict.error`` says
        why.

        Raises
        ------
        TypeError
            If the output or the prompt is no string.
        ValueError
            If either holds a lone surrogate, which no UTF-8 can say.
        """
        return self.screen(prompt).check(output)

    def check_all(self, outputs: Sequence[str], prompt: str | None = None) -> list[Verdict]:
        """The verdicts on the texts of one answer, each as ``check`` of it, and more.

        What one document is copied in adds up over all of them, and a passage that runs on from one
        into the next is found. The texts are in the order in which they are read.

        Raises
        ------
        TypeError, ValueError
            As ``check`` does.
        """
        return self.screen(prompt).check_all(outputs)

    def stream(
        self, prompt: str | None = None, *, max_leak_tokens: int = MAX_LEAK_TOKENS
    ) -> StreamFilter:
        """A filter of one output that arrives in chunks: ``feed`` each, ``flush`` at the end.

        Of a passage that the policy suppresses at most `max_leak_tokens` go out before it does; 0
        sends nothing before the end.
        """
        return self.screen(prompt).stream(max_leak_tokens=max_leak_tokens)

    def screen(self, prompt: str | None = None) -> "Screen":
        """The filter for several outputs to one prompt, which is read once."""
        if prompt is not None:
            _check_text("prompt", prompt)
        return Screen(self, prompt)


class Screen:
    """A filter of the outputs to one prompt, all by one generation; made by ``Filter.screen``.

    Threads may share one.
    """

    def __init__(self, filter: Filter, prompt: str | None) -> None:
        snapshot = filter.index.snapshot
        self._policy = filter.policy
        self._generation = snapshot.generation
        self._session: Session | None = None
        self._error: Exception = DedupError()
        try:
            background = [index.snapshot.session() for index in filter.background]
            self._session = snapshot.session(prompt, background)
        except FAILURES as error:
            self._error = error

    @property
    def is_failed(self) -> bool:
        """Whether the index failed already, so that ``on_error`` decides on all outputs."""
        return self._session is None

    @property
    def has_code(self) -> bool:
        """Whether the index holds any, so that outputs are parsed."""
        return self._session is not None and self._session.has_code

    def check(self, output: str) -> Verdict:
        """``Filter.check`` of one output."""
        _check_text("output", output)
        error = self._error
        if self._session is not None:
            try:
                matches = self._session.search(output)
                return self._policy.judge(output, matches, index_generation=self._generation)
            except FAILURES as caught:
                error = caught
        return self._policy.judge_error(output, error, index_generation=self._generation)

    def check_all(self, outputs: Sequence[str]) -> list[Verdict]:
        """``Filter.check_all`` of the texts of one answer."""
        for output in outputs:
            _check_text("output", output)
        error = self._error
        if self._session is not None:
            try:
                return self._judged(self._session, outputs)
            except FAILURES as caught:
                error = caught
        return [
            self._policy.judge_error(output, error, index_generation=self._generation)
            for output in outputs
        ]

    def _judged(self, session: Session, outputs: Sequence[str]) -> list[Verdict]:
        """The verdicts on texts, each searched by itself and all in a row."""
        starts = [0]
        matches: list[Match] = []
        for output in outputs:
            matches += (moved(match, starts[-1]) for match in session.search(output))
            starts.append(starts[-1] + len(output.encode()))
        if sum(map(bool, outputs)) > 1:
            for between in _BETWEEN:
                found = session.search(between.join(outputs))
                matches += _more(_running_on(found, starts, len(between)), matches)
            matches.sort(key=lambda match: match.query_span.start)
        whole = self._policy.judge("".join(outputs), matches, index_generation=self._generation)
        return [
            self._policy.share(output, whole, start)
            for output, start in zip(outputs, starts, strict=False)
        ]

    def stream(
        self, *, max_leak_tokens: int = MAX_LEAK_TOKENS, ledger: Ledger | None = None
    ) -> StreamFilter:
        """``Filter.stream`` of one output; the texts of one answer have one `ledger`."""
        return StreamFilter(
            self._error if self._session is None else self._session,
            self._policy,
            max_leak_tokens=max_leak_tokens,
            index_generation=self._generation,
            ledger=ledger,
        )


def _running_on(matches: Iterable[Match], starts: Sequence[int], between: int) -> Iterator[Match]:
    """Matches in a row of texts, so far apart, that are in several; as if nothing were between."""
    begins = [start + number * between for number, start in enumerate(starts)]
    for match in matches:
        start, end = match.query_span
        first, last = bisect_right(begins, start) - 1, bisect_right(begins, end - 1) - 1
        if first != last:
            span = Span(start - first * between, end - last * between)
            yield replace(match, query_span=span)


def _more(found: Iterable[Match], known: Iterable[Match]) -> list[Match]:
    """Those of which no part that is known says nearly as much."""
    parts: dict[tuple[str, str], list[Match]] = {}
    for part in known:
        parts.setdefault((part.document, part.view), []).append(part)
    return [
        match
        for match in found
        if not any(
            part.distinct + _LEAST_MORE > match.distinct
            and part.query_span.start < match.query_span.end
            and match.query_span.start < part.query_span.end
            for part in parts.get((match.document, match.view), ())
        )
    ]


def _check_text(name: str, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, got {type(text).__name__}; decode bytes first")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has a lone surrogate {text[error.start]!r} at character {error.start}; "
            'replace it first: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
        ) from error
