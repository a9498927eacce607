"""The routes of the server, and what they refuse: whatever is not listed here is not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from dedup import __version__
from dedup.errors import DedupError
from dedup.serve.body import Answer, Receive, Scope, Send, headers_of, read_json
from dedup.serve.check import Check
from dedup.serve.failure import Failure
from dedup.serve.litellm import Guardrail
from dedup.serve.openapi import openapi
from dedup.serve.proxy import Generate
from dedup.serve.service import Account, Service
from dedup.serve.settings import Settings

try:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
except ImportError as error:  # pragma: no cover
    raise DedupError('the server needs more: pip install "dedup[server]"') from error

__all__ = ["build_app"]

_GENERATING: Final = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
}


def build_app(settings: Settings) -> Starlette:
    """The ASGI application of one worker; ``app.state.service`` is what it is made of.

    Raises
    ------
    DedupError, OSError
        If a file that the settings name cannot be used; an index that cannot be opened is no
        failure here, but all that asks for it is refused.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await service.open()
        try:
            yield
        finally:
            await service.close()

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    async def ready(request: Request) -> Response:
        is_open = service.gate.is_open
        status = {
            "status": "ready" if is_open else "not_ready",
            "generation": service.gate.generation,
        }
        return JSONResponse(status, 200 if is_open or settings.fail_open else 503)

    async def metrics(request: Request) -> Response:
        return Response(service.metrics.render(), media_type=service.metrics.media_type)

    async def description(request: Request) -> Response:
        return JSONResponse(openapi())

    generating = [
        Route(path, Generate(service, api, path), methods=["POST"])
        for path, api in _GENERATING.items()
    ]
    app = Starlette(
        routes=[
            *generating,
            Route("/v1/models", _Pass(service, "/v1/models", "GET"), methods=["GET"]),
            Route("/v1/models/{name:path}", _Pass(service, "/v1/models", "GET"), methods=["GET"]),
            Route("/v1/embeddings", _Pass(service, "/v1/embeddings", "POST"), methods=["POST"]),
            Route("/check", Check(service), methods=["POST"]),
            Route("/beta/litellm_basic_guardrail_api", Guardrail(service), methods=["POST"]),
            Route("/openapi.json", description),
            Route("/health", health),
            Route("/ready", ready),
            Route("/metrics", metrics),
        ],
        lifespan=lifespan,
        exception_handlers={404: _refuse, 405: _refuse, Exception: _refuse},
    )
    app.state.service = service
    app.router.redirect_slashes = False
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    said = {404: "there is no such route", 405: "this route takes another method"}
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "internal_error")
    failure = Failure(status, code, said.get(status, "the proxy failed"))
    return JSONResponse(failure.to_dict(), status)


class _Pass:
    """A route whose answers hold no generated text, and pass as they are."""

    def __init__(self, service: Service, path: str, method: str) -> None:
        self._service = service
        self._path = path
        self._method = method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service, settings = self._service, self._service.settings
        account = Account(service, self._path)
        answer = Answer(send, settings.send_timeout_s, account.began)
        kept = {"x-dedup-request-id": account.id}
        try:
            headers = headers_of(scope)
            service.authorise(headers)
            path, raw = self._path, None
            if name := scope["path_params"].get("name"):
                path = f"{path}/{_quoted(name)}"
            if self._method == "POST":
                raw, _ = await read_json(
                    headers, receive, settings.max_body_bytes, settings.send_timeout_s
                )
            async with service.upstream.send(self._method, path, headers, raw) as reply:
                body = await reply.read(settings.max_response_bytes)
                kind = {"content-type": reply.type, "content-length": str(len(body))}
                await answer.begin(reply.status, kind | kept | reply.headers)
                await answer.write(body, is_last=True)
        except Failure as failure:
            account.failure = failure.code
            if not answer.has_begun:
                await answer.fail(failure, kept)
        finally:
            account.sent_bytes = answer.sent_bytes
            account.close()


def _quoted(name: str) -> str:
    """A model's name in a path; ``..`` would lead elsewhere."""
    from urllib.parse import quote

    if any(part in ("", ".", "..") for part in name.split("/")):
        raise Failure(404, "not_found", "there is no such model")
    return quote(name, safe="/:@")
