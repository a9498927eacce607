"""Requests and answers over ASGI: bodies with a limit, answers that begin as late as can be."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from dedup.serve.failure import Failure
from dedup.serve.wire import dumps, loads

__all__ = ["Answer", "Receive", "Scope", "Send", "headers_of", "read_json", "until_gone"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a request, by names in lower case."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def read_json(
    headers: Mapping[str, str], receive: Receive, max_bytes: int, patience_s: float
) -> tuple[bytes, dict[str, Any]]:
    """The body of a request, which has to be a JSON object.

    Raises
    ------
    Failure
        If it is too long, of another type, encoded, or no object.
    """
    if "transfer-encoding" in headers and "content-length" in headers:
        # Who stands before us may have read another end of it than we would.
        raise Failure(
            400, "invalid_length", "the request tells two lengths", {"Connection": "close"}
        )
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Failure(415, "unsupported_media_type", "expected content-type application/json")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Failure(415, "unsupported_encoding", "expected a body without content-encoding")
    too_long = Failure(413, "request_too_large", f"the request is longer than {max_bytes} bytes")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise too_long
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(patience_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Failure(499, "client_left", "the client left")
                piece = message.get("body", b"")
                size += len(piece)
                if size > max_bytes:
                    raise too_long
                pieces.append(piece)
                if not message.get("more_body"):
                    break
    except TimeoutError:
        raise Failure(408, "request_timeout", "the request does not come to its end") from None
    raw = b"".join(pieces)
    try:
        body = loads(raw)
    except ValueError:
        raise Failure(400, "invalid_json", "the request is no JSON") from None
    if not isinstance(body, dict):
        raise Failure(400, "invalid_json", "the request is no JSON object")
    return raw, body


async def until_gone(work: Awaitable[None], receive: Receive) -> bool:
    """Do some work for a client, until it is done or the client has left; whether it was done."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(gone())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
    try:
        await working
    except asyncio.CancelledError:
        if not working.cancelled():
            raise
        return False
    return True


class Answer:
    """The answer to one request.

    Attributes
    ----------
    has_begun : bool
        Whether its status is sent, so that it can no longer be another.
    """

    def __init__(
        self, send: Send, patience_s: float, began: Callable[[int], None] | None = None
    ) -> None:
        self._send = send
        self._patience_s = patience_s
        self._began = began
        self.has_begun = False
        self.sent_bytes = 0

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status and the headers."""
        self.has_begun = True
        if self._began:
            self._began(status)
        pairs = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        await self._patiently({"type": "http.response.start", "status": status, "headers": pairs})

    async def write(self, data: bytes, *, is_last: bool = False) -> None:
        """Send more of the body; waits until the client has room for it."""
        self.sent_bytes += len(data)
        await self._patiently(
            {"type": "http.response.body", "body": data, "more_body": not is_last}
        )

    async def json(self, status: int, value: Any, headers: Mapping[str, str]) -> None:
        """Send all of it: a JSON value."""
        data = dumps(value)
        length = {"content-type": "application/json", "content-length": str(len(data))}
        await self.begin(status, {**length, **headers})
        await self.write(data, is_last=True)

    async def fail(self, failure: Failure, headers: Mapping[str, str]) -> None:
        """Send all of it: what went wrong."""
        await self.json(failure.status, failure.to_dict(), {**headers, **failure.headers})

    async def _patiently(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._send(message)
        except TimeoutError:
            raise Failure(499, "client_stalled", "the client does not read its answer") from None
        except OSError:
            raise Failure(499, "client_left", "the client left") from None
