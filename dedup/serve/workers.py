"""Worker processes: one socket, one mapped index, and a parent that keeps them going.

The parent binds the socket and starts the workers, each of which serves it. It starts another for
one that ends, hands on what the operator asks (``admin``), and on SIGTERM or SIGINT lets all of
them end what they are at. It holds no index and sees no text.
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
import resource
import signal
import socket
import sys
import tempfile
from multiprocessing.process import BaseProcess
from typing import Any, Final

from dedup.errors import DedupError
from dedup.serve.log import log, quiet_libraries
from dedup.serve.settings import Settings

try:
    import uvicorn
except ImportError as error:  # pragma: no cover
    raise DedupError('the server needs more: pip install "dedup[server]"') from error

__all__ = ["Supervisor", "bind", "serve_app"]

_BACKLOG: Final = 2048
_ANSWER_S: Final = 60.0  # a large index may take so long to open
_RESTART_S: Final = 1.0  # between restarts of one worker, so that a fault at start does not spin
_CHECK_S: Final = 0.5


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, or asyncio does not turn Nagle's delay off: 40 ms a token.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    bound.listen(_BACKLOG)
    bound.set_inheritable(True)
    return bound


class _Worker:
    """One worker process, seen by the parent."""

    def __init__(self, process: BaseProcess, control: socket.socket) -> None:
        self.process = process
        self._control = control
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._lock = asyncio.Lock()

    async def ask(self, command: str) -> dict[str, Any]:
        """What it answers to a command."""
        try:
            async with asyncio.timeout(_ANSWER_S), self._lock:
                if self._reader is None or self._writer is None:
                    self._reader, self._writer = await asyncio.open_connection(sock=self._control)
                self._writer.write(command.encode() + b"\n")
                await self._writer.drain()
                line = await self._reader.readline()
            answer: dict[str, Any] = json.loads(line)
            return {"pid": self.process.pid, **answer}
        except (OSError, ValueError, TimeoutError) as error:
            return {"pid": self.process.pid, "ok": False, "problem": type(error).__name__}

    def close(self) -> None:
        """Let go of the way to it."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._control.close()


class Supervisor:
    """Starts workers and keeps so many of them."""

    def __init__(self, settings: Settings, bound: socket.socket, count: int) -> None:
        self._settings = settings
        self._bound = bound
        self._count = count
        self._workers: list[_Worker] = []
        self._is_ending = False
        self._context = multiprocessing.get_context("spawn")

    async def run(self, admin: "uvicorn.Server | None" = None) -> None:
        """Serve until told to end."""
        loop = asyncio.get_running_loop()
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        loop.add_signal_handler(
            signal.SIGHUP, lambda: tasks.append(asyncio.ensure_future(self.reload()))
        )
        with tempfile.TemporaryDirectory(prefix="dedup-") as shared:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
            tasks: list[asyncio.Future[Any]] = []
            for _ in range(self._count):
                self._workers.append(self._start())
            if admin is not None:
                tasks.append(asyncio.ensure_future(admin.serve()))
            try:
                while not ending.is_set():
                    await self._tend()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(ending.wait(), _CHECK_S)
            finally:
                self._is_ending = True
                if admin is not None:
                    admin.should_exit = True
                await self._end()

    async def reload(self) -> list[dict[str, Any]]:
        """Let all workers take up the newest index and policy; their answers."""
        return list(await asyncio.gather(*(worker.ask("reload") for worker in self._workers)))

    async def stats(self) -> list[dict[str, Any]]:
        """What each worker tells of itself."""
        return list(await asyncio.gather(*(worker.ask("stats") for worker in self._workers)))

    def _start(self) -> _Worker:
        ours, theirs = socket.socketpair()
        process = self._context.Process(
            target=_work, args=(self._settings, self._bound, theirs), name="dedup-worker"
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    async def _tend(self) -> None:
        """Start another worker for each that has ended."""
        for at, worker in enumerate(self._workers):
            if not worker.process.is_alive():
                log("error", "worker_ended", pid=worker.process.pid, status=worker.process.exitcode)
                worker.close()
                _forget(worker.process.pid)
                await asyncio.sleep(_RESTART_S)
                self._workers[at] = self._start()

    async def _end(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        patience = self._settings.drain_s + 5
        for worker in self._workers:
            await asyncio.to_thread(worker.process.join, patience)
            if worker.process.is_alive():
                worker.process.kill()
                await asyncio.to_thread(worker.process.join)
            worker.close()


def _forget(pid: int | None) -> None:
    """Gauges of a worker that has ended count no more."""
    from prometheus_client import multiprocess

    if pid is not None:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _work(settings: Settings, bound: socket.socket, control: socket.socket) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        asyncio.run(serve_app(settings, bound, control))
    except (DedupError, OSError, ValueError) as error:
        log("error", "worker_failed", error=type(error).__name__)
        sys.exit(1)


async def serve_app(
    settings: Settings, bound: socket.socket, control: socket.socket | None = None
) -> None:
    """Serve a socket in this process until told to end, and answer what its parent asks."""
    from dedup.serve.app import build_app

    quiet_libraries()
    # Memory that held texts must not end up in a file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    app = build_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=int(settings.drain_s),
            ws="none",
            h11_max_incomplete_event_size=32 << 10,
        )
    )
    answering = asyncio.ensure_future(_answer(app.state.service, control)) if control else None
    await server.serve(sockets=[bound])
    if answering:
        answering.cancel()


async def _answer(service: Any, control: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=control)
    while line := await reader.readline():
        if line.strip() == b"reload":
            answer = await service.reload()
        else:
            answer = service.stats()
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    os.kill(os.getpid(), signal.SIGTERM)  # the parent is gone
