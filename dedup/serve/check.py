"""``POST /check``: the verdict on one text, or on the texts of one answer."""

import time
from typing import Any

from dedup.policy import STRENGTH, Verdict
from dedup.serve.body import Answer, Receive, Scope, Send, headers_of, read_json, until_gone
from dedup.serve.failure import Failure
from dedup.serve.service import Account, Service

__all__ = ["Check"]

# What tells where a passage comes from.
_SOURCE = ("document", "corpus", "owner", "licence", "url", "function", "document_span", "lines")


class Check:
    """An ASGI application: judges what is given, with what it was an answer to."""

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
        texts, prompt = _given(body)
        gate, settings = self._service.gate, self._service.settings
        if not gate.is_open and settings.fail_open:
            account.is_unchecked = True
            said = [_unchecked(text) for text in texts]
            await answer.json(200, _all(body, said), kept | {"x-dedup-unchecked": "1"})
            return
        started = time.perf_counter()
        verdicts = await (await gate.screening(prompt)).check_all(texts)
        account.filter_s = time.perf_counter() - started
        account.outcomes = [
            (at, verdict, [text.encode()])
            for at, (text, verdict) in enumerate(zip(texts, verdicts, strict=True))
        ]
        is_failed = any(verdict.error for verdict in verdicts)
        if is_failed and not settings.fail_open:
            raise Failure(500, "filter_error", "the filter failed")
        if is_failed:
            kept = kept | {"x-dedup-unchecked": "1"}
        said = [_said(verdict, exposes=settings.expose_citations) for verdict in verdicts]
        await answer.json(200, _all(body, said), kept)


def _given(body: dict[str, Any]) -> tuple[list[str], str | None]:
    unknown = body.keys() - {"text", "texts", "prompt"}
    if unknown or ("text" in body and "texts" in body):
        raise Failure(
            422, "unknown_field", "expected an object with text or texts and, if any, prompt"
        )
    texts, prompt = body.get("texts", [body.get("text")]), body.get("prompt")
    is_list = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
    if not is_list or not isinstance(prompt, str | None):
        raise Failure(
            422, "invalid_field", "expected strings: text, or a list of texts, and, if any, prompt"
        )
    for value in (*texts, prompt or ""):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Failure(400, "invalid_json", "a text has half of a surrogate pair") from None
    return texts, prompt


def _all(body: dict[str, Any], said: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer to a request: the verdict on its text, or those on its texts."""
    if "texts" not in body:
        return said[0]
    strongest = max((one["action"] for one in said), key=STRENGTH.__getitem__, default="allow")
    return {"schema_version": 1, "action": strongest, "verdicts": said}


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
