"""What the proxy asks of each of the APIs: take events of a stream, or a whole response."""

from typing import Any, Protocol

from dedup.policy import Verdict
from dedup.serve.annotation import Annotator
from dedup.serve.choice import Api
from dedup.serve.choices import Choices
from dedup.serve.failure import Failure
from dedup.serve.gate import Screening
from dedup.serve.sse import Event, encode_event
from dedup.serve.wire import dumps, garbage, loads

__all__ = ["ChoicesProtocol", "Outcome", "ResponseProtocol"]

_DONE = encode_event(b"[DONE]")

# Of a text that has been judged: which it is, the verdict, the texts as they came.
Outcome = tuple[int, Verdict, list[bytes]]


class ResponseProtocol(Protocol):
    """One response of one API, as it comes from the upstream, to what the client is sent."""

    @property
    def is_over(self) -> bool:
        """Whether all has been sent, so that the upstream may stop."""

    @property
    def is_cut(self) -> bool:
        """Whether it ended before the upstream's answer did."""

    @property
    def may_retry(self) -> bool:
        """Whether all was blocked before any of it went out."""

    @property
    def head(self) -> dict[str, Any]:
        """What stood beside the texts of the stream, if another answer may go on with it."""

    @property
    def outcomes(self) -> list[Outcome]:
        """What was judged so far."""

    async def event(self, event: Event) -> bytes:
        """What may be sent once an event has come."""

    async def end(self) -> bytes:
        """What is still to be sent once the stream has ended; a Failure if it ended too soon."""

    async def whole(self, body: Any) -> dict[str, Any]:
        """A response that is no stream, as it may be sent."""

    def failure(self, failure: Failure) -> bytes:
        """What tells the client of a stream that it ends here."""


class ChoicesProtocol:
    """Chat and legacy completions.

    Parameters
    ----------
    api : {"chat", "completions"}
    request : dict
        What the client asked for.
    screening : Screening
    annotator : Annotator
    prompt_bytes, max_choices : int
    begun : dict, optional
        The head of a stream that this response goes on with, in place of another.
    """

    def __init__(
        self,
        api: Api,
        request: dict[str, Any],
        screening: Screening,
        annotator: Annotator,
        *,
        prompt_bytes: int,
        max_choices: int,
        begun: dict[str, Any] | None = None,
    ) -> None:
        self._choices = Choices(
            api,
            screening,
            annotator,
            expected=expected_choices(api, request),
            max_choices=max_choices,
            begun=begun,
        )
        options = request.get("stream_options")
        self._wants_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._prompt_bytes = prompt_bytes
        self.is_over = False
        self.is_cut = False

    @property
    def may_retry(self) -> bool:
        """Whether all was blocked before any of it went out."""
        return self._choices.is_blocked and self._choices.out_bytes == 0

    @property
    def head(self) -> dict[str, Any]:
        """What stood beside the texts of the stream."""
        return self._choices.head

    @property
    def outcomes(self) -> list[Outcome]:
        """What was judged so far."""
        return self._choices.verdicts

    async def event(self, event: Event) -> bytes:
        """What may be sent once an event has come."""
        if event.data.strip() == b"[DONE]":
            return await self.end(is_said=True)
        try:
            chunk = loads(event.data)
        except ValueError:
            raise garbage("an event that is no JSON") from None
        if not isinstance(chunk, dict):
            raise garbage("an event that is no object")
        if chunk.get("error"):
            raise Failure(502, "upstream_error", "the upstream failed while it answered")
        out = [encode_event(dumps(one)) for one in await self._choices.chunk(chunk)]
        if self._choices.is_over:
            self.is_over = self.is_cut = True
            if self._wants_usage:
                out.append(encode_event(dumps(self._choices.usage(self._prompt_bytes))))
            out.append(_DONE)
        return b"".join(out)

    async def end(self, *, is_said: bool = False) -> bytes:
        """What is still to be sent once the stream has ended, and whether it said so."""
        if self.is_over:
            return b""
        if not is_said and not self._choices.is_complete:
            raise Failure(502, "upstream_broken", "the upstream broke off its answer")
        out = [encode_event(dumps(one)) for one in await self._choices.finish()]
        self.is_over = True
        return b"".join(out) + _DONE

    async def whole(self, body: Any) -> dict[str, Any]:
        """A response that is no stream, as it may be sent."""
        if not isinstance(body, dict):
            raise garbage("a response that is no object")
        return await self._choices.whole(body)

    def failure(self, failure: Failure) -> bytes:
        """What tells the client of a stream that it ends here: an error, and no ``[DONE]``."""
        return encode_event(dumps(failure.to_dict()))


def expected_choices(api: Api, request: dict[str, Any]) -> int:
    """How many choices a request asks for."""
    n = request.get("n")
    count = n if isinstance(n, int) and n > 0 else 1
    prompt = request.get("prompt")
    if api == "completions" and isinstance(prompt, list) and not _is_tokens(prompt):
        count *= max(1, len(prompt))
    return count


def _is_tokens(prompt: list[Any]) -> bool:
    """Whether a list is one prompt, as numbers, not several."""
    return all(isinstance(token, int) for token in prompt)
