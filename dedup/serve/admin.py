"""What an operator asks of a running server: to reload, and how it is.

It listens apart from the clients: on a Unix socket that only its owner may use, or on a port of the
loopback, where the token of the clients is asked for, if they need one.
"""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from dedup.errors import DedupError
from dedup.serve.settings import Settings
from dedup.serve.tokens import Tokens
from dedup.serve.workers import Supervisor, bind

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
except ImportError as error:  # pragma: no cover
    raise DedupError('the server needs more: pip install "dedup[server]"') from error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["AdminServer", "admin_server"]


class AdminServer(uvicorn.Server):
    """Serves one socket, and leaves signals to its host."""

    def __init__(self, app: Starlette, bound: socket.socket) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        self._bound = bound

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until ``should_exit``."""
        await self._serve([self._bound])


def admin_server(supervisor: Supervisor, settings: Settings, where: str) -> AdminServer:
    """The server of a supervisor's admin routes, at a path or a port."""
    tokens = Tokens(None if not where.isdecimal() else settings.token_file)

    def route(
        path: str, method: str, ask: "Callable[[], Awaitable[list[dict[str, object]]]]"
    ) -> Route:
        async def answer(request: Request) -> Response:
            if not tokens.allow(request.headers):
                return JSONResponse({"error": {"code": "invalid_api_key"}}, 401)
            workers = await ask()
            is_ok = all(worker.get("ok", True) for worker in workers)
            return JSONResponse({"ok": is_ok, "workers": workers}, 200 if is_ok else 500)

        return Route(path, answer, methods=[method])

    app = Starlette(
        routes=[
            route("/reload", "POST", supervisor.reload),
            route("/stats", "GET", supervisor.stats),
        ]
    )
    if where.isdecimal():
        return AdminServer(app, bind("127.0.0.1", int(where)))
    return AdminServer(app, _bind_path(Path(where)))


def _bind_path(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if path.is_socket():
        try:
            bound.connect(str(path))
        except OSError:
            path.unlink()  # of a server that is gone
        else:
            raise DedupError(f"{path}: another server listens there")
    mask = os.umask(0o177)
    try:
        bound.bind(str(path))
    finally:
        os.umask(mask)
    bound.listen()
    return bound
