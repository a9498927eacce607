"""The parts of a worker process, and the account that is kept of each request."""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dedup.policy import Verdict
from dedup.serve.annotation import Annotator, strongest
from dedup.serve.audit import Audit
from dedup.serve.failure import Failure
from dedup.serve.gate import Gate
from dedup.serve.log import log
from dedup.serve.metrics import Metrics
from dedup.serve.protocol import Outcome
from dedup.serve.settings import Settings
from dedup.serve.tokens import Tokens
from dedup.serve.upstream import Upstream

__all__ = ["Account", "Service"]


class Service:
    """All that the routes share; ``open`` and ``close`` inside a running event loop."""

    upstream: Upstream

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tokens = Tokens(settings.token_file)
        self.metrics = Metrics()
        self.annotator = Annotator(expose_citations=settings.expose_citations)
        self.audit = (
            Audit(settings.audit, max_bytes=settings.audit_bytes, files=settings.audit_files)
            if settings.audit
            else None
        )
        self.in_flight = 0
        self.started = time.time()

    async def open(self) -> None:
        """Open the index and the way to the upstream; a damaged index leaves the gate shut."""
        self.gate = Gate(self.settings)
        self.upstream = Upstream(self.settings)
        await self.reload()

    async def close(self) -> None:
        """Close what was opened."""
        await self.upstream.close()
        self.gate.close()
        if self.audit:
            self.audit.close()

    async def reload(self) -> dict[str, Any]:
        """``Gate.reload``, told and counted."""
        result = await self.gate.reload()
        self.metrics.reloads.labels("done" if result["ok"] else "failed").inc()
        self.metrics.generation.set(self.gate.generation or 0)
        log("info" if result["ok"] else "error", "reload", **result)
        return result

    def stats(self) -> dict[str, Any]:
        """How it is."""
        return {
            "ok": self.gate.is_open,
            "generation": self.gate.generation,
            "in_flight": self.in_flight,
            "uptime_s": round(time.time() - self.started, 1),
            **({"problem": self.gate.problem} if self.gate.problem else {}),
        }

    def authorise(self, headers: Mapping[str, str]) -> None:
        """Refuse a request that may not be made, with a Failure."""
        if not self.tokens.allow(headers):
            raise Failure(
                401, "invalid_api_key", "a valid token is needed", {"WWW-Authenticate": "Bearer"}
            )

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """While a request is answered that has come whole; a Failure if there are too many."""
        if self.in_flight >= self.settings.max_streams:
            raise Failure(503, "overloaded", "too many requests at once", {"Retry-After": "1"})
        self.in_flight += 1
        self.metrics.in_flight.inc()
        try:
            yield
        finally:
            self.in_flight -= 1
            self.metrics.in_flight.dec()


class Account:
    """What is told of one request afterwards: to the log, the metrics and the audit trail."""

    def __init__(self, service: Service, route: str) -> None:
        self._service = service
        self.id = uuid.uuid4().hex
        self.route = route
        self.status = 0
        self.failure = ""
        self.model = ""
        self.is_stream = False
        self.is_unchecked = False
        self.request_bytes = 0
        self.sent_bytes = 0
        self.filter_s = 0.0
        self.retries = 0
        self.outcomes: list[Outcome] = []
        self.withdrawn: list[Outcome] = []  # of answers in whose place another was asked for
        self._started = time.perf_counter()
        self._first_byte: float | None = None

    def began(self, status: int) -> None:
        """The response has begun."""
        self.status = status
        self._first_byte = time.perf_counter() - self._started

    def close(self) -> None:
        """Tell all of it."""
        metrics = self._service.metrics
        duration = time.perf_counter() - self._started
        metrics.requests.labels(self.route, self.status).inc()
        metrics.duration.labels(self.route).observe(duration)
        if self._first_byte is not None:
            metrics.first_byte.labels(self.route).observe(self._first_byte)
        metrics.filtering.labels(self.route).observe(self.filter_s)
        if self.failure:
            metrics.failures.labels(self.failure).inc()
        if self.is_unchecked:
            metrics.unchecked.inc()
        verdicts: list[Verdict] = []
        for choice, verdict, texts in self.withdrawn:
            self._write_audit(choice, verdict, texts)
        for choice, verdict, texts in self.outcomes:
            verdicts.append(verdict)
            metrics.verdicts.labels(self.route, verdict.action).inc()
            if verdict.error and verdict.action == "allow":
                metrics.unchecked.inc()
            self._write_audit(choice, verdict, texts)
        whole = strongest(verdicts)
        log(
            "error" if self.status >= 500 or self.failure else "info",
            "request",
            id=self.id,
            route=self.route,
            status=self.status,
            **({"failure": self.failure} if self.failure else {}),
            model=self.model,
            stream=self.is_stream,
            verdict=whole.action if whole else None,
            rule=whole.rule if whole else None,
            choices=len(verdicts),
            generation=whole.index_generation if whole else None,
            **({"unchecked": True} if self.is_unchecked or (whole and whole.error) else {}),
            **({"documents": _documents(whole)} if whole and self._exposes else {}),
            retries=self.retries,
            bytes_in=self.request_bytes,
            bytes_out=self.sent_bytes,
            first_byte_s=_rounded(self._first_byte),
            duration_s=_rounded(duration),
            filter_s=_rounded(self.filter_s),
        )

    @property
    def _exposes(self) -> bool:
        return self._service.settings.expose_citations

    def _write_audit(self, choice: int, verdict: Verdict, texts: list[bytes]) -> None:
        audit = self._service.audit
        if audit is None:
            return
        try:
            audit.write(
                request=self.id, route=self.route, choice=choice, verdict=verdict, texts=texts
            )
        except OSError as error:
            self._service.metrics.audit_failures.inc()
            log("error", "audit", error=type(error).__name__, errno=error.errno)


def _documents(verdict: Verdict) -> list[str]:
    return sorted({match.document for match in verdict.matches})[:16]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
