"""A scripted OpenAI-compatible server: says what it was told to, byte by byte, and what it saw.

    python tests/upstream.py PORT

Bytes and faults are exact, so it is plain asyncio: a script is a list of steps, each some bytes to
send, a pause, or a way to fail. The model's name in a request picks the script. Scripts are posted
to ``/_script/NAME``; ``/_seen/NAME`` tells each request made under that name: its body, when its
client left, and how many bytes of the reply were out by then. Below are also the makers of bodies
in the forms of the three APIs.
"""

import asyncio
import base64
import contextlib
import json
import random
import re
import socket
import struct
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

Json = dict[str, Any]
DONE: Final = b"data: [DONE]\n\n"

# ---- steps and scripts


def send(data: bytes, *, times: int = 1, cut: int = 0) -> Json:
    """Sends bytes; -1 times is without end, ``cut`` so many bytes at once."""
    return {"send": base64.b64encode(data).decode(), "times": times, "cut": cut}


def pause(seconds: float) -> Json:
    return {"pause": seconds}


def talk(parts: Sequence[str], interval_s: float = 0.0) -> Json:
    """Says a chat answer as a model does, a part each so many seconds; when is in ``stamps``."""
    events = [event(_chunk({"content": part})) for part in parts]
    return {"talk": [base64.b64encode(one).decode() for one in events], "interval_s": interval_s}


RESET: Final[Json] = {"do": "reset"}  # TCP RST
CLOSE: Final[Json] = {"do": "close"}  # FIN, whatever was promised of the body
STALL: Final[Json] = {"do": "stall"}  # silence until the client leaves


def reply(
    *steps: Json | bytes, status: int = 200, kind: str = "text/event-stream", **headers: str
) -> Json:
    """A reply with a chunked body; a step that is bytes is sent at once."""
    return {
        "status": status,
        "headers": {"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}},
        "steps": [send(step) if isinstance(step, bytes) else step for step in steps],
    }


def whole(body: Json | bytes, *, status: int = 200, **headers: str) -> Json:
    """A reply with a JSON body whose length is told."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = {"content_length": str(len(data)), **headers}
    return reply(data, status=status, kind="application/json", **length)


# ---- bodies


def event(data: Json, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def words(text: str) -> list[str]:
    """The text in pieces as models make them: a word with the space before it."""
    return re.findall(r"\s*\S+|\s+\Z", text)


def every(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def say(text: str | Iterable[str], channel: str = "content") -> list[Json]:
    """A choice's part in each chunk of a chat stream that says this in a channel."""
    parts = words(text) if isinstance(text, str) else text
    return [{"delta": {channel: part}} for part in parts]


def say_with_logprobs(text: str | Iterable[str]) -> list[Json]:
    parts = words(text) if isinstance(text, str) else text
    return [
        {"delta": {"content": part}, "logprobs": {"content": [logprob(part)], "refusal": None}}
        for part in parts
    ]


def logprob(token: str) -> Json:
    mine = {"token": token, "logprob": -0.25, "bytes": list(token.encode())}
    return {**mine, "top_logprobs": [mine, {"token": " other", "logprob": -2.5, "bytes": None}]}


def call(name: str, fragments: Iterable[str], index: int = 0) -> list[Json]:
    """A tool call whose arguments arrive in fragments of their JSON."""
    head = {"index": index, "id": f"call_{index}", "type": "function"}
    first = {**head, "function": {"name": name, "arguments": ""}}
    return [{"delta": {"tool_calls": [first]}}] + [
        {"delta": {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}}
        for fragment in fragments
    ]


def mixed(parts: Sequence[Sequence[Json]], seed: int | None) -> list[tuple[int, Json]]:
    """(choice, part): the parts of all in some order that keeps that of each; None: in turns."""
    order = [number for number, of in enumerate(parts) for _ in of]
    if seed is None:
        order = [
            i
            for turn in range(max(map(len, parts)))
            for i in range(len(parts))
            if turn < len(parts[i])
        ]
    else:
        random.Random(seed).shuffle(order)
    left = [iter(of) for of in parts]
    return [(number, next(left[number])) for number in order]


_CHAT: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": "scripted",
    "system_fingerprint": "fp_1",
    "x_unknown": {"kept": [1, None, "é"]},
}
USAGE: Final = {"prompt_tokens": 7, "completion_tokens": 11, "total_tokens": 18, "x_more": {"a": 1}}


def _chunk(delta: Json, index: int = 0) -> Json:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
    return {**_CHAT, "choices": [choice]}


def chat_stream(
    *choices: Sequence[Json],
    seed: int | None = None,
    usage: bool = False,
    finish: str = "stop",
) -> list[bytes]:
    """The events of a chat completion that is streamed, with [DONE]."""
    parts = [
        [{"delta": {"role": "assistant", "content": ""}}, *of, {"delta": {}, "finish": finish}]
        for of in choices
    ]
    events = []
    for number, part in mixed(parts, seed):
        choice = {"index": number, "logprobs": None, **part}
        choice["finish_reason"] = choice.pop("finish", None)
        chunk = {**_CHAT, "choices": [choice]}
        events.append(event({**chunk, "usage": None} if usage else chunk))
    if usage:
        events.append(event({**_CHAT, "choices": [], "usage": USAGE}))
    return [*events, DONE]


def chat(*messages: Json, finish: str = "stop", logprobs: Json | None = None) -> Json:
    """A chat completion that is not streamed; a message per choice."""
    return {
        **_CHAT,
        "object": "chat.completion",
        "choices": [
            {
                "index": number,
                "message": {"role": "assistant", "content": None, "refusal": None, **message},
                "logprobs": logprobs,
                "finish_reason": finish,
            }
            for number, message in enumerate(messages)
        ],
        "usage": USAGE,
    }


_TEXT: Final = {**_CHAT, "id": "cmpl-1", "object": "text_completion"}


def completion_stream(
    *choices: str | Sequence[str],
    seed: int | None = None,
    usage: bool = False,
    logprobs: bool = False,
) -> list[bytes]:
    """The events of a completion that is streamed, with [DONE]."""
    pieces = [words(of) if isinstance(of, str) else list(of) for of in choices]
    events, offsets = [], [0] * len(pieces)
    parts = [[{"text": p} for p in of] + [{"text": "", "finish_reason": "stop"}] for of in pieces]
    for number, part in mixed(parts, seed):
        choice: Json = {"index": number, "logprobs": None, "finish_reason": None, **part}
        if logprobs and part["text"]:
            choice["logprobs"] = {
                "tokens": [part["text"]],
                "token_logprobs": [-0.5],
                "top_logprobs": [{part["text"]: -0.5, " other": -3.0}],
                "text_offset": [offsets[number]],
            }
        offsets[number] += len(part["text"])
        events.append(event({**_TEXT, "choices": [choice]}))
    if usage:
        events.append(event({**_TEXT, "choices": [], "usage": USAGE}))
    return [*events, DONE]


def completion(*texts: str) -> Json:
    return {
        **_TEXT,
        "choices": [
            {"index": number, "text": text, "logprobs": None, "finish_reason": "stop"}
            for number, text in enumerate(texts)
        ],
        "usage": USAGE,
    }


def text_item(text: str, kind: str = "output_text", number: int = 0) -> Json:
    """An output item of a response: a message of one part."""
    key = "refusal" if kind == "refusal" else "text"
    part: Json = {"type": kind, key: text}
    if kind == "output_text":
        part |= {"annotations": [], "logprobs": []}
    return {
        "id": f"msg_{number}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def call_item(arguments: str, number: int = 0) -> Json:
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "status": "completed",
        "call_id": f"call_{number}",
        "name": "write",
        "arguments": arguments,
    }


def reasoning_item(text: str, number: int = 0) -> Json:
    return {
        "id": f"rs_{number}",
        "type": "reasoning",
        "status": "completed",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": text}],
    }


def response(*items: Json, status: str = "completed") -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "scripted",
        "output": list(items),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 11,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 18,
        }
        if status == "completed"
        else None,
        "x_unknown": {"kept": 1},
    }


def response_stream(*items: Json, size: int = 0) -> list[bytes]:
    """The events of a response that is streamed; texts in words, or pieces of a size."""
    begun = response(status="in_progress")
    out: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for number, item in enumerate(items):
        here: Json = {"item_id": item["id"], "output_index": number}
        empty = {**item, "status": "in_progress"}
        for key in ("arguments", "content"):
            if key in item:
                empty[key] = "" if key == "arguments" else []
        out.append({"type": "response.output_item.added", "output_index": number, "item": empty})
        if item["type"] == "function_call":
            name = "response.function_call_arguments"
            for piece in _pieces(item["arguments"], size or 7):
                out.append({"type": f"{name}.delta", **here, "delta": piece})
            out.append(
                {
                    "type": f"{name}.done",
                    **here,
                    "name": item["name"],
                    "arguments": item["arguments"],
                }
            )
        for place, part in enumerate(item.get("content", [])):
            there = {**here, "content_index": place}
            key = "refusal" if part["type"] == "refusal" else "text"
            name = f"response.{part['type']}"
            more: Json = {"logprobs": []} if part["type"] == "output_text" else {}
            out.append({"type": "response.content_part.added", **there, "part": {**part, key: ""}})
            for piece in _pieces(part[key], size):
                out.append({"type": f"{name}.delta", **there, "delta": piece, **more})
            out.append({"type": f"{name}.done", **there, key: part[key], **more})
            out.append({"type": "response.content_part.done", **there, "part": part})
        out.append({"type": "response.output_item.done", "output_index": number, "item": item})
    out.append({"type": "response.completed", "response": response(*items)})
    return [event({**one, "sequence_number": at}, one["type"]) for at, one in enumerate(out)]


def _pieces(text: str, size: int) -> list[str]:
    return every(text, size) if size else words(text)


# ---- the server


class Connection(asyncio.Protocol):
    """HTTP/1.1, one request at a time, kept alive; only what the tests need."""

    scripts: ClassVar[dict[str, list[Json]]] = {}
    seen: ClassVar[dict[str, list[Json]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = bytearray()
        self.is_writable = asyncio.Event()
        self.is_writable.set()
        self.is_lost = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.record: Json | None = None

    def pause_writing(self) -> None:
        self.is_writable.clear()

    def resume_writing(self) -> None:
        self.is_writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost.set()
        self.is_writable.set()
        if self.record is not None and self.record["ended_at"] is None:
            self.record["left_at"] = time.monotonic()
        if self.task:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.task is None or self.task.done():
            self.begin()

    def begin(self) -> None:
        head, found, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if headers.get("transfer-encoding") == "chunked":
            body, rest_of = _dechunked(rest)
            if body is None:
                return
            rest = rest_of
        elif len(rest) < length:
            return
        else:
            body, rest = rest[:length], rest[length:]
        self.buffer = bytearray(rest)
        self.task = asyncio.ensure_future(self.answer(method, path, headers, body))
        self.task.add_done_callback(self.next)

    def next(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            sys.stderr.write(f"upstream: {task.exception()!r}\n")
            self.transport.close()
        elif self.buffer and not self.is_lost.is_set():
            self.begin()

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        name = path.rsplit("/", 1)[-1]
        if path.startswith("/_script/"):
            self.scripts[name] = json.loads(body)
            self.seen[name] = []
            await self.play(whole({}))
        elif path.startswith("/_seen/"):
            await self.play(whole({"seen": self.seen.get(name, [])}))
        else:
            data: Json = {}
            with contextlib.suppress(ValueError):
                data = json.loads(body) if body else {}
            model = str(data.get("model", path))
            requests = self.seen.setdefault(model, [])
            self.record = {
                "method": method,
                "path": path,
                "headers": headers,
                "body": data,
                "at": time.monotonic(),
                "left_at": None,
                "ended_at": None,
                "sent": 0,
            }
            requests.append(self.record)
            replies = self.scripts.get(model) or [self.usual(path)]
            await self.play(replies[min(len(requests), len(replies)) - 1])
            self.record["ended_at"] = time.monotonic()
            self.record = None

    @staticmethod
    def usual(path: str) -> Json:
        if path == "/v1/models":
            return whole({"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        if path == "/v1/embeddings":
            vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}
            return whole({"object": "list", "data": [vector], "model": "e", "usage": USAGE})
        return whole({"error": {"message": "no such script", "code": None}}, status=404)

    async def play(self, reply: Json) -> None:
        headers = reply["headers"]
        chunked = "content-length" not in headers
        head = {**headers, **({"transfer-encoding": "chunked"} if chunked else {})}
        lines = "".join(f"{key}: {value}\r\n" for key, value in head.items())
        self.transport.write(f"HTTP/1.1 {reply['status']} Scripted\r\n{lines}\r\n".encode())
        for step in reply["steps"]:
            if "pause" in step:
                await asyncio.sleep(step["pause"])
            elif "talk" in step:
                await self.say(step)
            elif "send" in step:
                await self.put(step, chunked=chunked)
            elif step["do"] == "stall":
                await self.is_lost.wait()
            else:
                if step["do"] == "reset":
                    await asyncio.sleep(0.02)  # what was sent before is to arrive
                    raw = self.transport.get_extra_info("socket")
                    linger = struct.pack("ii", 1, 0)
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.transport.abort()
                self.transport.close()
                return
        if chunked:
            self.transport.write(b"0\r\n\r\n")

    async def say(self, step: Json) -> None:
        stamps: list[float] = []
        if self.record is not None:
            self.record["stamps"] = stamps
        parts = [base64.b64decode(one) for one in step["talk"]]
        due = time.monotonic()
        for part in parts:
            if step["interval_s"]:
                due += step["interval_s"]
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self.is_writable.wait()
            stamps.append(time.monotonic())
            self.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
            if not step["interval_s"]:
                await asyncio.sleep(0)

    async def put(self, step: Json, *, chunked: bool) -> None:
        data = base64.b64decode(step["send"])
        size = step["cut"] or len(data) or 1
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        times = step["times"]
        while times and not self.transport.is_closing():
            times -= 1
            for part in parts:
                await self.is_writable.wait()
                framed = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
                self.transport.write(framed)
                if self.record is not None:
                    self.record["sent"] += len(part)
                if step["cut"]:
                    await asyncio.sleep(0)
            if step["times"] != 1:
                await asyncio.sleep(0)
        if self.transport.is_closing():  # its client left, which is noted when it is told of
            await self.is_lost.wait()


def _dechunked(data: bytes) -> tuple[bytes | None, bytes]:
    body = b""
    while True:
        size, found, rest = data.partition(b"\r\n")
        if not found:
            return None, b""
        count = int(size.split(b";")[0], 16)
        if len(rest) < count + 2:
            return None, b""
        body, data = body + rest[:count], rest[count + 2 :]
        if count == 0:
            return body, data


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=512)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1])))
