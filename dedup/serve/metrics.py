"""What is counted, for Prometheus. With several workers, what any one tells is of all.

The workers share counts through files in the folder that ``PROMETHEUS_MULTIPROC_DIR`` names, which
has to be set before this module is imported.
"""

import os

from dedup.errors import DedupError

try:
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        CollectorRegistry,
        Counter,
        Gauge,
        Histogram,
        generate_latest,
        multiprocess,
    )
except ImportError as error:  # pragma: no cover
    raise DedupError('the server needs more: pip install "dedup[server]"') from error

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_FILTER_SECONDS = (1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 0.25, 1, 10)


class Metrics:
    """The counters of one process."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "dedup_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.verdicts = Counter(
            "dedup_verdicts", "Texts judged.", ["route", "action"], registry=registry
        )
        self.failures = Counter(
            "dedup_failures", "Requests that failed, by what failed.", ["code"], registry=registry
        )
        self.unchecked = Counter(
            "dedup_unchecked", "Texts delivered that could not be checked.", registry=registry
        )
        self.retries = Counter(
            "dedup_retries", "Answers asked for again as one was blocked.", registry=registry
        )
        self.cancelled = Counter(
            "dedup_cancelled", "Answers broken off.", ["by"], registry=registry
        )
        self.reloads = Counter(
            "dedup_reloads", "Reloads of index and policy.", ["result"], registry=registry
        )
        self.audit_failures = Counter(
            "dedup_audit_failures", "Lines the audit trail lacks.", registry=registry
        )
        self.in_flight = Gauge(
            "dedup_in_flight",
            "Requests being answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.generation = Gauge(
            "dedup_index_generation",
            "Generation of the index in use; of several workers the oldest.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.first_byte = Histogram(
            "dedup_first_byte_seconds",
            "From a request to the first byte of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.duration = Histogram(
            "dedup_request_seconds", "From a request to the last byte of its answer.",
            ["route"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.filtering = Histogram(
            "dedup_filter_seconds",
            "Of the time an answer took, what the filter took.",
            ["route"],
            buckets=_FILTER_SECONDS,
            registry=registry,
        )

    def render(self) -> bytes:
        """All counts, in Prometheus' text format."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
