"""The routes that generate: a request goes to the upstream, its answer comes back filtered.

An answer's status is sent with its first bytes, so that a fault before them has a status of its
own; one after them ends the stream with an error event. A client that leaves, or of which all
choices are blocked, breaks off the upstream's answer.
"""

import asyncio
import re
import time
from contextlib import suppress
from typing import Any, Final

from dedup.serve.body import Answer, Receive, Scope, Send, headers_of, read_json, until_gone
from dedup.serve.choice import Api
from dedup.serve.failure import Failure
from dedup.serve.fields import prompt
from dedup.serve.gate import Screening
from dedup.serve.log import log
from dedup.serve.protocol import ChoicesProtocol, ResponseProtocol
from dedup.serve.responses import ResponsesProtocol
from dedup.serve.service import Account, Service
from dedup.serve.sse import EventTooLong, SseParser
from dedup.serve.upstream import Reply
from dedup.serve.wire import dumps, garbage, loads

__all__ = ["Generate"]

_COMMENT: Final = b": keep-alive\n\n"
_END_S: Final = 0.1  # from the last event of a stream to its end
_UNCHECKED: Final = {"x-dedup-unchecked": "1"}
_MAX_ERROR_BYTES: Final = 1 << 16
_MODEL: Final = re.compile(r"[\w.:/@-]{1,128}")
_HINT: Final = (
    "Answer in your own words: an earlier draft repeated protected material word for word."
)


class Generate:
    """An ASGI application: one of the routes that generate."""

    def __init__(self, service: Service, api: Api | str, path: str) -> None:
        self._service = service
        self._api = api
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        service, settings = self._service, self._service.settings
        account = Account(service, self._path)
        answer = Answer(send, settings.send_timeout_s, account.began)
        try:
            headers = headers_of(scope)
            service.authorise(headers)
            raw, body = await read_json(
                headers, receive, settings.max_body_bytes, settings.send_timeout_s
            )
            account.request_bytes = len(raw)
            exchange = _Exchange(
                service, self._api, self._path, headers, raw, body, account, answer
            )
            with service.admitted():
                if not await until_gone(exchange.run(), receive):
                    raise Failure(499, "client_left", "the client left")
        except Failure as failure:
            await self._fail(answer, account, failure)
        except Exception as error:  # a mistake of ours; its words may quote the text
            log("error", "mistake", id=account.id, error=type(error).__name__, where=_where(error))
            await self._fail(answer, account, Failure(500, "internal_error", "the proxy failed"))
        finally:
            account.sent_bytes = answer.sent_bytes
            account.close()

    async def _fail(self, answer: Answer, account: Account, failure: Failure) -> None:
        account.failure = failure.code
        if failure.status == 499:  # there is no one to tell
            account.status = account.status or 499
            self._service.metrics.cancelled.labels("client").inc()
            if answer.has_begun:
                return
        if not answer.has_begun:
            with suppress(Failure):
                await answer.fail(failure, {"x-dedup-request-id": account.id})


class _Exchange:
    """One request that was admitted, and its answer."""

    def __init__(
        self,
        service: Service,
        api: Api | str,
        path: str,
        headers: dict[str, str],
        raw: bytes,
        body: dict[str, Any],
        account: Account,
        answer: Answer,
    ) -> None:
        self._service = service
        self._settings = service.settings
        self._api = api
        self._path = path
        self._headers = headers
        self._raw = raw
        self._body = body
        self._account = account
        self._answer = answer
        self._protocol: ResponseProtocol | None = None
        self._begun: dict[str, Any] | None = None  # of a stream that another answer goes on with
        self._kept = {"x-dedup-request-id": account.id}

    async def run(self) -> None:
        """Do it all."""
        _refuse_what_cannot_be_filtered(self._body, self._settings.max_choices)
        self._account.is_stream = self._body.get("stream") is True
        try:
            async with asyncio.timeout(self._settings.max_request_s):
                if not self._service.gate.is_open and self._settings.fail_open:
                    await self._pass_unchecked()
                else:
                    await self._filtered()
        except TimeoutError:
            await self._break_off(Failure(504, "request_timeout", "the answer took too long"))
        except Failure as failure:
            await self._break_off(failure)
        finally:
            if self._protocol is not None:
                self._account.outcomes = self._protocol.outcomes

    async def _break_off(self, failure: Failure) -> None:
        """Tell the client of a stream that has begun; else it is told by a status."""
        if not self._answer.has_begun or failure.status == 499 or self._protocol is None:
            raise failure
        if self._account.is_stream:
            await self._answer.write(self._protocol.failure(failure), is_last=True)
        raise failure

    async def _filtered(self) -> None:
        text = prompt(self._body)
        screening = await self._service.gate.screening(text)
        raw = self._raw
        for attempt in range(self._settings.retries + 1):
            is_last = attempt == self._settings.retries
            async with self._service.upstream.send("POST", self._path, self._headers, raw) as reply:
                if await self._reply(reply, screening, len(text), is_last=is_last):
                    return
            if self._protocol is not None:
                self._account.withdrawn += self._protocol.outcomes
                self._protocol = None
            self._account.retries += 1
            self._service.metrics.retries.inc()
            raw = dumps(_hinted(self._api, self._body))

    async def _reply(
        self, reply: Reply, screening: Screening, prompt_bytes: int, *, is_last: bool
    ) -> bool:
        """Send an answer, filtered; whether it was, and not to be asked for again."""
        if reply.status != 200:
            await self._refused(reply, screening)
            return True
        is_stream = reply.type == "text/event-stream"
        if not is_stream and reply.type != "application/json":
            raise garbage("an answer that is neither JSON nor a stream of events")
        self._account.is_stream = is_stream
        screening.begin(is_whole=not is_stream)
        if screening.is_failed and self._settings.fail_open:
            self._kept |= _UNCHECKED
        self._protocol = self._new_protocol(screening, prompt_bytes)
        model = self._body.get("model")  # which the upstream knows, so it is a name
        if isinstance(model, str) and _MODEL.fullmatch(model):
            self._account.model = model
        if is_stream:
            return await self._stream(reply, self._protocol, is_last=is_last)
        try:
            body = loads(await reply.read(self._settings.max_response_bytes))
        except ValueError:
            raise garbage("an answer that is no JSON") from None
        started = time.perf_counter()
        said = await self._protocol.whole(body)
        self._account.filter_s += time.perf_counter() - started
        if self._protocol.may_retry and not is_last:
            return False
        if any(verdict.error for _, verdict, _ in self._protocol.outcomes):
            self._kept |= _UNCHECKED
        await self._answer.json(200, said, self._kept | reply.headers)
        return True

    def _new_protocol(self, screening: Screening, prompt_bytes: int) -> ResponseProtocol:
        annotator = self._service.annotator
        if self._api == "responses":
            return ResponsesProtocol(screening, annotator)
        return ChoicesProtocol(
            "chat" if self._api == "chat" else "completions",
            self._body,
            screening,
            annotator,
            prompt_bytes=prompt_bytes,
            max_choices=self._settings.max_choices,
            begun=self._begun,
        )

    async def _stream(self, reply: Reply, protocol: ResponseProtocol, *, is_last: bool) -> bool:
        """Send the events of a stream as they come."""
        settings = self._settings
        parser = SseParser(settings.max_event_bytes)
        heard = told = time.monotonic()
        received = 0
        headers = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
            **self._kept,
            **reply.headers,
        }

        async def tell(data: bytes) -> None:
            nonlocal told
            if not self._answer.has_begun:
                await self._answer.begin(200, headers)
            await self._answer.write(data)
            told = time.monotonic()

        while not protocol.is_over:
            now = time.monotonic()
            patience = min(settings.keep_alive_s - (now - told), settings.timeout_s - (now - heard))
            data = await reply.next(max(0.0, patience))
            now = time.monotonic()
            if data is None and now - heard >= settings.timeout_s:
                raise Failure(504, "upstream_timeout", "the upstream has stopped answering")
            out: list[bytes] = []
            if data is not None:
                heard = now
                received += len(data)
                if received > settings.max_stream_bytes:
                    raise Failure(502, "upstream_too_long", "the upstream's answer is too long")
                started = time.perf_counter()
                try:
                    await self._events(parser, protocol, data, out)
                except Failure:
                    if out:  # what came before it stands
                        await tell(b"".join(out))
                    raise
                self._account.filter_s += time.perf_counter() - started
                if protocol.is_over and protocol.may_retry and not is_last:
                    self._begun = protocol.head if self._answer.has_begun else None
                    return False
            if out:
                await tell(b"".join(out))
            elif now - told >= settings.keep_alive_s:
                await tell(_COMMENT)
            if data == b"":
                break
        await self._answer.write(b"", is_last=True)
        if protocol.is_cut:
            self._service.metrics.cancelled.labels("block").inc()
        elif data:
            await reply.next(_END_S)  # so that the connection can serve another
        return True

    async def _events(
        self, parser: SseParser, protocol: ResponseProtocol, data: bytes, out: list[bytes]
    ) -> None:
        """What some bytes of the stream, or its end, let out."""
        try:
            for event in parser.feed(data) if data else parser.finish():
                if said := await protocol.event(event):
                    out.append(said)
                if protocol.is_over:
                    return
            if not data:
                out.append(await protocol.end())
        except EventTooLong:
            raise Failure(502, "upstream_too_long", "the upstream sent too long an event") from None

    async def _refused(self, reply: Reply, screening: Screening) -> None:
        """Send on what the upstream says of its own refusal, filtered too."""
        try:
            body = loads(await reply.read(_MAX_ERROR_BYTES))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            status = reply.status if 400 <= reply.status < 600 else 502
            raise Failure(status, "upstream_error", "the upstream refused", reply.headers)
        said = _error_of(body)
        read = " ".join(str(value) for value in said.values())
        if (verdict := await screening.check(read)).action in ("redact", "block"):
            said = {"message": verdict.text, "type": None, "param": None, "code": None}
        self._account.failure = "upstream_refused"
        await self._answer.json(reply.status, {"error": said}, self._kept | reply.headers)

    async def _pass_unchecked(self) -> None:
        """Send the upstream's answer as it is, marked."""
        self._account.is_unchecked = True
        async with self._service.upstream.send(
            "POST", self._path, self._headers, self._raw
        ) as reply:
            headers = {"content-type": reply.type, **_UNCHECKED}
            await self._answer.begin(reply.status, headers | self._kept | reply.headers)
            while piece := await reply.next(self._settings.timeout_s):
                await self._answer.write(piece)
            if piece is None:
                raise Failure(504, "upstream_timeout", "the upstream has stopped answering")
            await self._answer.write(b"", is_last=True)


def _error_of(body: dict[str, Any]) -> dict[str, Any]:
    """What OpenAI's errors tell, of the upstream's; some servers leave out the frame."""
    error = body.get("error", body)
    if not isinstance(error, dict):
        error = {"message": error}
    told = {name: error.get(name) for name in ("message", "type", "param", "code")}
    if told["message"] is None:
        told["message"] = error.get("detail")
    return {
        name: value if isinstance(value, str | int | None) else "the upstream refused"
        for name, value in told.items()
    }


def _refuse_what_cannot_be_filtered(body: dict[str, Any], max_choices: int) -> None:
    modalities = body.get("modalities")
    if isinstance(modalities, list) and any(kind != "text" for kind in modalities):
        raise Failure(400, "unsupported_modality", "only text can be filtered")
    for name in ("n", "best_of"):
        count = body.get(name)
        if isinstance(count, int) and count > max_choices:
            raise Failure(400, "too_many_choices", f"{name} may be up to {max_choices}")
    if body.get("background") is True:
        raise Failure(400, "unsupported_background", "answers in the background are not filtered")


def _hinted(api: str, body: dict[str, Any]) -> dict[str, Any]:
    """The request once more, with a word on what not to do."""
    if api == "chat" and isinstance(body.get("messages"), list):
        return body | {"messages": [*body["messages"], {"role": "system", "content": _HINT}]}
    if api == "responses":
        given = body.get("instructions")
        return body | {"instructions": f"{given}\n\n{_HINT}" if isinstance(given, str) else _HINT}
    return body


def _where(error: BaseException) -> str:
    """File and line of a mistake."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
