"""LiteLLM's generic guardrail API: the text so far comes with every call, again and again.

What was read of a call's texts is kept under its ``litellm_call_id``, so only what is new is read;
a worker that has not seen the call reads the text from its beginning, with the same answer. Of the
text an answer returns, the last ``stream_holdback_chars`` characters must not go out yet; at the
end of a stream LiteLLM sends them after all, so they are what may go out if nothing more comes.
"""

import asyncio
import time
from collections import OrderedDict
from typing import Any, Final

from dedup.policy import Verdict
from dedup.serve.annotation import strongest
from dedup.serve.body import Answer, Receive, Scope, Send, headers_of, read_json, until_gone
from dedup.serve.channel import Channel
from dedup.serve.failure import Failure
from dedup.serve.fields import Leaf, is_arguments, leaves, prompt
from dedup.serve.gate import Screening
from dedup.serve.service import Account, Service

__all__ = ["Guardrail"]

_MAX_CALLS: Final = 1024
_FORGET_S: Final = 900.0
# What is held of a text while nothing was found in it is no longer than a token.
_TOKEN_BYTES: Final = 64


class _Call:
    """What is known of one call to a model."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.used = time.monotonic()
        self.prompt: str | None = None
        self.screening: Screening | None = None
        self.channels: dict[int, Channel] = {}


class Guardrail:
    """An ASGI application: judges what LiteLLM asks about."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._calls: OrderedDict[str, _Call] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        service, settings = self._service, self._service.settings
        account = Account(service, "/beta/litellm_basic_guardrail_api")
        answer = Answer(send, settings.send_timeout_s, account.began)
        kept = {"x-dedup-request-id": account.id}
        try:
            headers = headers_of(scope)
            service.authorise(headers)
            raw, body = await read_json(
                headers, receive, settings.max_body_bytes, settings.send_timeout_s
            )
            account.request_bytes = len(raw)
            with service.admitted():
                if not await until_gone(self._answer(body, answer, account, kept), receive):
                    raise Failure(499, "client_left", "the client left")
        except Failure as failure:
            account.failure = failure.code
            if failure.status == 499:
                account.status = 499
            elif not answer.has_begun:
                await answer.fail(failure, kept)
        finally:
            account.sent_bytes = answer.sent_bytes
            account.close()

    async def _answer(
        self, body: dict[str, Any], answer: Answer, account: Account, kept: dict[str, str]
    ) -> None:
        texts = body.get("texts") or []
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise Failure(422, "invalid_field", "expected a list of strings: texts")
        kind = body.get("input_type")
        if kind not in ("request", "response"):
            raise Failure(422, "invalid_field", "expected input_type request or response")
        if not self._service.gate.is_open and self._service.settings.fail_open:
            account.is_unchecked = True
            await answer.json(200, {"action": "NONE"}, kept | {"x-dedup-unchecked": "1"})
            return
        call = self._call(body.get("litellm_call_id"))
        async with call.lock:
            if kind == "request":
                given = prompt({"messages": body.get("structured_messages") or texts})
                call.prompt, call.screening = given, None
                said: dict[str, Any] = {"action": "NONE"}
            else:
                started = time.perf_counter()
                said = await self._judged(call, texts, body.get("tool_calls"), account)
                account.filter_s = time.perf_counter() - started
        await answer.json(200, said, kept)

    def _call(self, id: Any) -> _Call:
        now = time.monotonic()
        while self._calls:
            oldest = next(iter(self._calls.values()))
            if len(self._calls) < _MAX_CALLS and now - oldest.used < _FORGET_S:
                break
            self._calls.popitem(last=False)
        if not isinstance(id, str) or not id:
            return _Call()
        call = self._calls.setdefault(id, _Call())
        call.used = now
        self._calls.move_to_end(id)
        return call

    async def _judged(
        self, call: _Call, texts: list[str], tool_calls: Any, account: Account
    ) -> dict[str, Any]:
        if call.screening is None:
            call.screening = await self._service.gate.screening(call.prompt)
        screening = call.screening
        safe: list[str] = []
        held: list[int] = []
        is_changed = False
        for index, text in enumerate(texts):
            channel = await self._read(call, screening, index, text)
            if channel.is_over:
                await screening.flush(channel)
                return _blocked(account, index, channel)
            out, rest = channel.out, channel.given[_chars(channel) :]
            if channel.held_bytes > _TOKEN_BYTES:
                # As if nothing more came: what goes out does not depend on how it is cut.
                whole = screening.channel()
                await screening.feed(whole, text)
                await screening.flush(whole)
                if whole.is_over:
                    return _blocked(account, index, whole)
                rest = whole.out.removeprefix(out)
            safe.append(out + rest)
            held.append(len(rest))
            is_changed = is_changed or out + rest != text
        calls = list(leaves({"tool_calls": tool_calls})) if tool_calls else []
        if verdict := await self._together(call, texts, calls):
            account.outcomes = [(0, verdict, [text.encode() for text in texts])]
            return _refusal(account, verdict)
        action = "GUARDRAIL_INTERVENED" if is_changed else "NONE"
        return {"action": action, "texts": safe, "stream_holdback_chars": held}

    async def _read(self, call: _Call, screening: Screening, index: int, text: str) -> Channel:
        """The channel of a text, having read all of it."""
        channel = call.channels.get(index)
        if channel is None or not text.startswith(channel.given):
            channel = call.channels[index] = screening.channel()
        if more := text[len(channel.given) :]:
            await screening.feed(channel, more)
        return channel

    async def _together(self, call: _Call, texts: list[str], calls: list[Leaf]) -> Verdict | None:
        """The verdict that blocks texts and what tool calls say, together; None if none does."""
        if len(texts) < 2 and not calls:
            return None
        screening = await self._service.gate.screening(call.prompt)
        screening.begin(is_whole=True)
        channels = [screening.channel() for _ in texts]
        for channel, text in zip(channels, texts, strict=True):
            await screening.feed(channel, text)
        for leaf in calls:
            channel = screening.channel("arguments" if is_arguments(leaf.path) else "text")
            channels.append(channel)
            await screening.feed(channel, leaf.text)
        await screening.settle()
        for channel in channels:
            await screening.flush(channel)
        verdict = strongest([channel.verdict for channel in channels if channel.verdict])
        return verdict if verdict is not None and verdict.action == "block" else None


def _chars(channel: Channel) -> int:
    """How many characters of the text are decided."""
    return len(channel.source[: channel.decided].decode())


def _blocked(account: Account, index: int, channel: Channel) -> dict[str, Any]:
    verdict = channel.verdict
    if verdict is None:
        raise Failure(500, "filter_error", "the filter failed")
    account.outcomes = [(index, verdict, [bytes(channel.source)])]
    return _refusal(account, verdict)


def _refusal(account: Account, verdict: Verdict) -> dict[str, Any]:
    if verdict.error:
        raise Failure(500, "filter_error", "the filter failed")
    return {"action": "BLOCKED", "blocked_reason": verdict.text}
