"""The Responses API: one response of items, streamed as typed events that repeat themselves.

``*.delta`` events bring pieces of texts, each of which has a channel; the events that follow
(``*.done``, ``response.completed``) say these texts again, whole, and are given what went out
instead. Any other text in an event is checked by itself. A response that is blocked ends as one
does that OpenAI's own filter stops: what is open is done, as far as it went, and the last event is
``response.incomplete`` with the reason ``content_filter``. Events are numbered anew.
"""

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from dedup.policy import Verdict
from dedup.serve.annotation import Annotator, strongest
from dedup.serve.channel import Channel, TokenQueue
from dedup.serve.failure import Failure
from dedup.serve.fields import Path, is_arguments, labels, leaves
from dedup.serve.gate import Screening
from dedup.serve.items import Items, Key, Text, place_of
from dedup.serve.logprobs import tokens_of
from dedup.serve.row import Labels, Row
from dedup.serve.sse import Event, encode_event
from dedup.serve.wire import dumps, garbage, loads

__all__ = ["ResponsesProtocol"]

_LAST: Final = ("response.completed", "response.incomplete", "response.failed")
# Sound cannot be filtered, only what it says.
_SOUND: Final = "response.audio."
_TRANSCRIPT: Final = "response.audio.transcript."


class _Blocked(Exception):
    """A text of the response was blocked."""


class ResponsesProtocol:
    """One response of the Responses API, to what the client is sent."""

    def __init__(self, screening: Screening, annotator: Annotator) -> None:
        self._screening = screening
        self._annotator = annotator
        self._texts: dict[Key, Text] = {}
        self._channels: list[Channel] = []
        self._by_source: dict[str, Channel] = {}
        self._row = Row(screening)
        self._labels = Labels(screening)
        self._response: dict[str, Any] = {}
        self._items = Items()
        self._number: int | None = None
        self._verdict: Verdict | None = None
        self.is_over = False
        self.is_cut = False

    @property
    def may_retry(self) -> bool:
        """Whether all was blocked before any of it went out."""
        is_blocked = self._verdict is not None and self._verdict.action == "block"
        return is_blocked and not self._response  # of a stream it has been said which it is

    @property
    def head(self) -> dict[str, Any]:
        """No other answer goes on with its stream."""
        return {}

    @property
    def outcomes(self) -> list[tuple[int, Verdict, list[bytes]]]:
        """What was judged: the response as a whole."""
        if self._verdict is None:
            return []
        return [(0, self._verdict, [bytes(channel.source) for channel in self._channels])]

    def failure(self, failure: Failure) -> bytes:
        """What tells the client of a stream that it ends here."""
        said = failure.to_dict()["error"]
        return self._encoded(
            {"type": "error", "code": said["code"], "message": said["message"], "param": None}
        )

    # ---- a stream

    async def event(self, event: Event) -> bytes:
        """What may be sent once an event has come."""
        if event.data.strip() == b"[DONE]":
            return await self.end()
        try:
            given = loads(event.data)
        except ValueError:
            raise garbage("an event that is no JSON") from None
        if not isinstance(given, dict) or not isinstance(given.get("type"), str):
            raise garbage("an event without a type")
        kind: str = given["type"]
        if kind == "error" or given.get("error"):
            raise Failure(502, "upstream_error", "the upstream failed while it answered")
        if self._number is None and isinstance(given.get("sequence_number"), int):
            self._number = given["sequence_number"]
        if kind.startswith(_SOUND) and not kind.startswith(_TRANSCRIPT):
            return b""
        out: list[bytes] = []
        try:
            await self._read_labels(given)
            if kind.endswith(".delta"):
                await self._delta(given, kind.removesuffix(".delta"), out)
            else:
                await self._other(given, kind, out)
        except _Blocked:
            await self._cut(out)
        return b"".join(out)

    async def end(self) -> bytes:
        """Nothing more, if the last event has come."""
        if not self.is_over:
            raise Failure(502, "upstream_broken", "the upstream broke off its answer")
        return b""

    async def _delta(self, given: dict[str, Any], prefix: str, out: list[bytes]) -> None:
        place = place_of(given)
        last: Text | None = None
        has_more = False
        for leaf in list(leaves(given)):
            if leaf.path[0] != "delta":
                leaf.put((await self._checked(leaf.text, is_json=False)).out)
                continue
            key = (prefix, given.get("output_index"), place, leaf.path)
            text = last = self._texts.get(key) or self._begin(key)
            if text.channel.verdict is not None:
                raise garbage("more of a text that was done")
            text.delta = given
            said = len(text.channel.spoken)
            released = await self._screening.feed(text.channel, leaf.text)
            await self._row.add(key, text.channel.spoken[said:].decode())
            leaf.put(released)
            has_more = has_more or bool(released)
        if last is not None and isinstance(given.get("logprobs"), list):
            last.tokens.add(tokens_of(given["logprobs"]))
            given["logprobs"] = last.tokens.take()
        if has_more or last is None:
            out.append(self._encoded(given))
        if self._row.is_over or any(text.channel.is_over for text in self._texts.values()):
            raise _Blocked

    def _begin(self, key: Key) -> Text:
        text = self._texts[key] = Text(key, self._channel(is_json="arguments" in key[0]))
        return text

    def _say(self, text: Text, released: str, out: list[bytes]) -> None:
        """A delta event with what may still go out of a text."""
        if not released:
            return
        event = copy.deepcopy(text.delta)
        for leaf in list(leaves(event)):
            if leaf.path[0] == "delta":
                leaf.put("")
        _put(event, text.key[3], released)
        if "logprobs" in event:
            event["logprobs"] = text.tokens.take()
        out.append(self._encoded(event))

    async def _other(self, given: dict[str, Any], kind: str, out: list[bytes]) -> None:
        index = given.get("output_index")
        if kind.endswith(".done") or kind in _LAST:
            place = place_of(given)
            for text in list(self._texts.values()):
                _, of_index, of_place, _ = text.key
                is_meant = (
                    kind in _LAST
                    or (index == of_index and kind == "response.output_item.done")
                    or (index == of_index and place == of_place and kind.endswith("part.done"))
                    or text.key[:3] == (kind.removesuffix(".done"), index, place)
                )
                if is_meant and text.channel.verdict is None:
                    await self._flush(text, out)
                text.is_done = text.is_done or is_meant
        await self._repeat(given)
        self._items.note(given)
        response = given.get("response")
        if isinstance(response, dict):
            self._response = response
        if kind in _LAST:
            self._verdict = await self._judge()
            if self._verdict.action == "block":
                raise _Blocked
            if isinstance(response, dict):
                self._annotator.annotate(response, self._verdict)
            self.is_over = True
        out.append(self._encoded(given))

    async def _flush(self, text: Text, out: list[bytes]) -> None:
        released = await self._screening.flush(text.channel)
        self._say(text, released, out)
        self._by_source.setdefault(text.channel.given, text.channel)
        if text.channel.is_over:
            raise _Blocked

    async def _cut(self, out: list[bytes]) -> None:
        """End a response that was blocked, with all that is open done as far as it went."""
        for text in self._texts.values():
            if text.channel.verdict is None:
                released = await self._screening.flush(text.channel)
                if not text.channel.is_over:
                    self._say(text, released, out)
        for event in self._items.cut(list(self._texts.values())):
            out.append(self._encoded(event))
        self._verdict = await self._judge()
        if self._verdict.error:
            raise Failure(500, "filter_error", "the filter failed")
        response = copy.deepcopy(self._response) | {
            "status": "incomplete",
            "incomplete_details": {"reason": "content_filter"},
            "output": self._items.output,
        }
        self._annotator.annotate(response, self._verdict)
        out.append(self._encoded({"type": "response.incomplete", "response": response}))
        self.is_over = self.is_cut = True

    def _encoded(self, event: dict[str, Any]) -> bytes:
        """The event with its number."""
        if self._number is not None:
            event["sequence_number"] = self._number
            self._number += 1
        return encode_event(dumps(event), event["type"].encode())

    # ---- a response that is no stream

    async def whole(self, body: Any) -> dict[str, Any]:
        """The response as it may be sent."""
        if not isinstance(body, dict) or not isinstance(body.get("output"), list):
            raise garbage("a response without output")
        response: dict[str, Any] = body
        for leaf in leaves(response):
            if leaf.text not in self._by_source:
                channel = self._channel(is_json=is_arguments(leaf.path))
                self._by_source[leaf.text] = channel
                await self._screening.feed(channel, leaf.text)
        await self._screening.settle()
        with suppress(_Blocked):
            await self._read_labels(response)
            await self._repeat(response)
        verdict = self._verdict = await self._judge()
        if verdict.error and verdict.action == "block":
            raise Failure(500, "filter_error", "the filter failed")
        if verdict.action == "block":
            # What was not looked at once it was clear is not looked at any more.
            said = {"type": "output_text", "text": verdict.text, "annotations": []}
            response = {
                name: value for name, value in response.items() if not _has_text(name, value)
            }
            response |= {
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
                "output": [
                    {
                        "type": "message",
                        "id": "msg_withheld",
                        "status": "incomplete",
                        "role": "assistant",
                        "content": [said],
                    }
                ],
            }
        self._annotator.annotate(response, verdict)
        return response

    # ---- texts

    def _channel(self, *, is_json: bool) -> Channel:
        channel = self._screening.channel("arguments" if is_json else "text")
        self._channels.append(channel)
        return channel

    async def _repeat(self, node: dict[str, Any]) -> None:
        """Put what may go out in place of texts that were sent before, and of others."""
        for holder in _with_logprobs(node):
            holder["logprobs"] = await self._tokens(holder)
        for leaf in list(leaves(node)):
            channel = await self._checked(leaf.text, is_json=is_arguments(leaf.path))
            leaf.put(channel.out)

    async def _tokens(self, holder: dict[str, Any]) -> list[Any]:
        text = holder.get("text")
        if not isinstance(text, str):
            return []
        queue = TokenQueue(await self._checked(text, is_json=False))
        queue.add(tokens_of(holder["logprobs"]))
        return queue.take()

    async def _checked(self, text: str, *, is_json: bool) -> Channel:
        """The channel that a whole text went through, now or before."""
        channel = self._by_source.get(text)
        if channel is None:
            channel = self._by_source[text] = self._channel(is_json=is_json)
            await self._screening.feed(channel, text)
            await self._row.add(text, channel.spoken.decode())
        await self._screening.flush(channel)
        if channel.is_over:
            raise _Blocked
        return channel

    async def _judge(self) -> Verdict:
        """The verdict on the response: on each of its texts, and on all of them as they came."""
        verdicts = [channel.verdict for channel in self._channels if channel.verdict]
        verdict = strongest(verdicts) or await self._screening.check("")
        together = (await self._row.judge(), await self._labels.judge())
        return strongest([verdict, *filter(None, together)]) or verdict

    async def _read_labels(self, given: dict[str, Any]) -> None:
        for key, text in labels(given):
            if key != "type" or "." not in text:  # of an event
                await self._labels.add(key, text)
        if self._labels.is_over:
            raise _Blocked


def _put(event: dict[str, Any], path: Path, text: str) -> None:
    """Put a string where a text of the event stands."""
    here: Any = event
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = text


def _has_text(name: str, value: Any) -> bool:
    return any(True for _ in leaves({name: value}))


def _with_logprobs(node: Any) -> Iterator[dict[str, Any]]:
    """The objects that have log-probabilities beside their text."""
    if isinstance(node, dict):
        if isinstance(node.get("logprobs"), list) and node["logprobs"]:
            yield node
        for value in node.values():
            if isinstance(value, dict | list):
                yield from _with_logprobs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _with_logprobs(value)
