"""The items of a response of the Responses API: which are open, and how they end when it is cut."""

import copy
from collections.abc import Iterator
from typing import Any, Final

from dedup.serve.channel import Channel, TokenQueue
from dedup.serve.fields import Path

__all__ = ["Items", "Key", "Text", "place_of"]

# What the text is called in the event that says it whole.
_NAMES: Final = {
    "refusal": "refusal",
    "function_call_arguments": "arguments",
    "mcp_call_arguments": "arguments",
    "custom_tool_call_input": "input",
    "code_interpreter_call_code": "code",
}

# The kind of its events, the item, the part, and where in the event it stands.
Key = tuple[str, Any, Any, Path]


class Text:
    """A text of the response: its channel, and where it stands."""

    def __init__(self, key: Key, channel: Channel) -> None:
        self.key = key
        self.channel = channel
        self.tokens = TokenQueue(channel)
        self.delta: dict[str, Any] = {}  # the last event that brought some of it
        self.is_done = False  # whether it was said whole

    @property
    def name(self) -> str:
        """What it is called in the event that says it whole."""
        return _NAMES.get(self.key[0].removeprefix("response."), "text")


class Items:
    """Notes which items and parts have begun and are not done."""

    def __init__(self) -> None:
        self._items: dict[Any, dict[str, Any]] = {}
        self._open: set[Any] = set()
        self._open_parts: dict[tuple[Any, Any], dict[str, Any]] = {}

    def note(self, event: dict[str, Any]) -> None:
        """Note what an event, as it is sent, begins or ends."""
        kind, index, place = event["type"], event.get("output_index"), place_of(event)
        if kind == "response.output_item.added":
            self._items[index] = event.get("item") or {}
            self._open.add(index)
        elif kind == "response.output_item.done":
            self._items[index] = event.get("item") or {}
            self._open.discard(index)
        elif kind.endswith("part.added"):
            self._open_parts[index, place] = event
        elif kind.endswith("part.done"):
            self._open_parts.pop((index, place), None)

    @property
    def output(self) -> list[dict[str, Any]]:
        """The items, as far as they went."""
        return [self._items[index] for index in sorted(self._items, key=_number)]

    def cut(self, texts: list[Text]) -> Iterator[dict[str, Any]]:
        """The events that end what is open, with what went out of its texts."""
        for text in texts:
            if not text.is_done:
                yield _done(text)
        for (index, place), event in self._open_parts.items():
            part = event.get("part") or {}
            for text in texts:
                if text.key[1:3] == (index, place) and text.name in ("text", "refusal"):
                    part = part | {text.name: text.channel.out}
            yield event | {"type": event["type"].removesuffix("added") + "done", "part": part}
        for index in sorted(self._open, key=_number):
            own = [text for text in texts if text.key[1] == index]
            item = self._items[index] = _cut(self._items[index], own)
            yield {"type": "response.output_item.done", "output_index": index, "item": item}


def place_of(event: dict[str, Any]) -> Any:
    """Which part of its item an event is about."""
    return event.get("content_index", event.get("summary_index"))


def _done(text: Text) -> dict[str, Any]:
    place = {
        name: value
        for name, value in text.delta.items()
        if name in ("item_id", "output_index", "content_index", "summary_index")
    }
    lists: dict[str, Any] = {"logprobs": []} if "logprobs" in text.delta else {}
    return {"type": f"{text.key[0]}.done", **place, text.name: text.channel.out, **lists}


def _cut(item: dict[str, Any], texts: list[Text]) -> dict[str, Any]:
    """An item as far as it went."""
    item = copy.deepcopy(item)
    if "status" in item:
        item["status"] = "incomplete"
    for text in texts:
        prefix, _, place, _ = text.key
        if not isinstance(place, int):
            item[text.name] = text.channel.out
            continue
        parts = item.setdefault("summary" if "summary" in prefix else "content", [])
        if place == len(parts):
            kind = prefix.removeprefix("response.").replace("reasoning_summary", "summary")
            parts.append({"type": kind} | ({"annotations": []} if kind == "output_text" else {}))
        if place < len(parts):
            parts[place][text.name] = text.channel.out
    return item


def _number(index: Any) -> int:
    return index if isinstance(index, int) else -1
