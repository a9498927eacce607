"""Where the texts are in a request, in a response and in a chunk of one.

JSON is taken as it comes: whatever string is in it, known or not, is text, unless it has the name
of one of the fields that only label things and looks like a label too. So fields that are invented
tomorrow are filtered, not forwarded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from dedup.serve.arguments import Decoded

__all__ = [
    "EACH",
    "Leaf",
    "Path",
    "is_arguments",
    "is_known_text",
    "is_label",
    "labels",
    "leaves",
    "place",
    "prompt",
]

# Where in a delta or message a string stands: keys, and numbers of elements of lists.
Path = tuple[str | int, ...]

# Stands for the number of an element that does not say it.
EACH: Final = -1

_LABELS: Final = frozenset(
    [
        "id",
        "object",
        "model",
        "role",
        "type",
        "name",
        "finish_reason",
        "native_finish_reason",
        "stop_reason",
        "status",
        "index",
        "system_fingerprint",
        "service_tier",
        "provider",
        "call_id",
        "item_id",
        "tool_call_id",
        "response_id",
        "created_at",
        "previous_response_id",
        "format",
        "voice",
        "encrypted_content",
        "signature",
        "param",
        "event_id",
        "effort",
        "truncation",
        "tool_choice",
        "generate_summary",
        "phase",
        "mime_type",
        "container_id",
        "file_id",
        "obfuscation",
        "expires_at",
        "request_id",
        "fingerprint",
        "language",
        "detail",
    ]
)
_TEXTS: Final = frozenset(
    [
        "content",
        "text",
        "refusal",
        "reasoning",
        "reasoning_content",
        "arguments",
        "input",
        "transcript",
        "summary",
        "thinking",
        "output",
        "code",
    ]
)
# No text: what filters before this one found, counts, and what is filtered beside its text.
_APART: Final = frozenset(("logprobs", "usage", "content_filter_results", "prompt_filter_results"))
_NUMBERS: Final = frozenset(("token_ids", "output_token_ids", "completion_token_ids"))
_MAX_LABEL: Final = 64
# Opaque to the client: what only the upstream can read.
_OPAQUE: Final = frozenset(("encrypted_content", "signature", "obfuscation"))
_WORD: Final = re.compile(r"[!-~]*")


@dataclass(slots=True)
class Leaf:
    """A string in a JSON value, and how to put another in its place."""

    parent: Any
    key: str | int
    path: Path

    @property
    def text(self) -> str:
        """The string."""
        text: str = self.parent[self.key]
        return text

    def put(self, text: str) -> None:
        """Put another one there."""
        self.parent[self.key] = text


def leaves(node: Any, path: Path = ()) -> Iterator[Leaf]:
    """The strings below a JSON object or list that are or may be text.

    Elements of a list that say their ``index`` are told apart by it, others are not. Numbers of
    tokens are taken out.
    """
    items: Any = list(node.items()) if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        if isinstance(value, str):
            if not is_label(key, value):
                yield Leaf(node, key, (*path, key if isinstance(key, str) else EACH))
        elif isinstance(value, dict | list):
            if key in _APART:
                continue
            if key in _NUMBERS:  # they say the text again, and cannot be told to go with it
                node[key] = None
                continue
            yield from leaves(value, (*path, _step(key, value)))


def _step(key: str | int, value: Any) -> str | int:
    if isinstance(key, str):
        return key
    index = value.get("index") if isinstance(value, dict) else None
    return index if isinstance(index, int) else EACH


def is_label(key: str | int, value: str) -> bool:
    """Whether a string of this name only labels something."""
    if not value:
        return True
    if key in _LABELS:
        is_word = key == "stop_reason" or bool(_WORD.fullmatch(value))  # or what a client asked for
        return key in _OPAQUE or (len(value) <= _MAX_LABEL and is_word)
    return False


def labels(node: Any) -> Iterator[tuple[str, str]]:
    """The strings below a JSON object or list that only label something, each with its key."""
    items: Any = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        if isinstance(value, str):
            if value and isinstance(key, str) and key not in _OPAQUE and is_label(key, value):
                yield key, value
        elif isinstance(value, dict | list) and key not in _APART:
            yield from labels(value)


def is_known_text(path: Path) -> bool:
    """Whether what stands there is known to be text, which deltas continue."""
    return any(step in _TEXTS for step in path)


def is_arguments(path: Path) -> bool:
    """Whether what stands there is JSON in a string."""
    return path[-1] == "arguments"


def place(node: dict[str, Any], path: Path, text: str) -> None:
    """Put a string where a path leads, making what is missing on the way."""
    here: Any = node
    for step, following in pairwise(path):
        here = _below(here, step, [] if isinstance(following, int) else {})
    last = path[-1]
    if isinstance(last, int):
        here.append(text)
    else:
        here[last] = text


def _below(here: Any, step: str | int, new: Any) -> Any:
    if isinstance(step, str):
        return here.setdefault(step, new)
    for element in here:
        if isinstance(element, dict) and element.get("index", EACH) == step:
            return element
    if isinstance(new, dict) and step != EACH:
        new["index"] = step
    here.append(new)
    return new


# What of a request is text that the model was given.
_GIVEN: Final = (
    "messages", "prompt", "suffix", "input", "instructions", "prediction", "tools", "functions",
    "response_format", "text",
)  # fmt: skip
_NO_TEXT: Final = frozenset(("image_url", "input_audio", "file_data", "image", "data", "url"))


def prompt(body: dict[str, Any]) -> str:
    """All that a request gives the model to read, its tools' outputs too."""
    texts: list[str] = []
    for name in _GIVEN:
        if name in body:
            _collect(body[name], name, texts)
    return "\n\n".join(texts)


def _collect(node: Any, name: str, texts: list[str]) -> None:
    if isinstance(node, str):
        if not is_label(name, node):
            text = _readable(node)
            texts.append(_decoded(text) if name == "arguments" else text)
    elif isinstance(node, list):
        for element in node:
            _collect(element, name, texts)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in _NO_TEXT:
                _collect(value, key, texts)


def _readable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _decoded(text: str) -> str:
    decoded = Decoded()
    return (decoded.feed(text.encode()) + decoded.finish()).decode()
