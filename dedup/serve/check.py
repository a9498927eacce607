"""``POST /check``: the verdict on one text."""

import time
from typing import Any

from dedup.policy import Verdict
from dedup.serve.body import Answer, Receive, Scope, Send, headers_of, read_json, until_gone
from dedup.serve.failure import Failure
from dedup.serve.service import Account, Service

__all__ = ["Check"]

# What tells where a passage comes from.
_SOURCE = ("document", "corpus", "owner", "licence", "url", "function", "document_span", "lines")


class Check:
    """An ASGI application: judges a text, given with what it was an answer to."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        service, settings = self._service, self._service.settings
        account = Account(service, "/check")
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
        text, prompt = _given(body)
        gate, settings = self._service.gate, self._service.settings
        if not gate.is_open and settings.fail_open:
            account.is_unchecked = True
            await answer.json(200, _unchecked(text), kept | {"x-dedup-unchecked": "1"})
            return
        started = time.perf_counter()
        verdict = await (await gate.screening(prompt)).check(text)
        account.filter_s = time.perf_counter() - started
        account.outcomes = [(0, verdict, [text.encode()])]
        if verdict.error and not settings.fail_open:
            raise Failure(500, "filter_error", "the filter failed")
        if verdict.error:
            kept = kept | {"x-dedup-unchecked": "1"}
        await answer.json(200, _said(verdict, exposes=settings.expose_citations), kept)


def _given(body: dict[str, Any]) -> tuple[str, str | None]:
    unknown = body.keys() - {"text", "prompt"}
    if unknown:
        raise Failure(422, "unknown_field", "expected an object with text and, if any, prompt")
    text, prompt = body.get("text"), body.get("prompt")
    if not isinstance(text, str) or not isinstance(prompt, str | None):
        raise Failure(422, "invalid_field", "expected strings: text and, if any, prompt")
    for value in (text, prompt or ""):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Failure(400, "invalid_json", "a text has half of a surrogate pair") from None
    return text, prompt


def _said(verdict: Verdict, *, exposes: bool) -> dict[str, Any]:
    """The verdict as JSON; sources only if the operator says so."""
    said = verdict.to_dict()
    del said["input"]
    said.pop("error", None)
    if not exposes:
        for match in (*said["matches"], *said["exempted"]):
            for name in _SOURCE:
                del match[name]
    return said


def _unchecked(text: str) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "action": "allow",
        "rule": "on_error",
        "text": text,
        "index_generation": 0,
        "matches": [],
        "exempted": [],
    }
