"""What ``dedup serve`` is told: where things are, and every limit."""

from pathlib import Path
from typing import Final

import msgspec

__all__ = ["Settings"]

_MIB: Final = 1 << 20


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker process needs to know; plain data, so that it can be handed to one.

    Attributes
    ----------
    index : Path
        What is protected.
    upstream : str
        Base URL of the generation server, with or without ``/v1``.
    policy : str
        ``strict``, ``balanced``, ``lenient``, or a TOML file.
    keys : tuple of Path, or None
        Key files of the index; None for an index without a key, empty for the default key.
    background : tuple of Path
        Indexes of what is permitted; under the same keys.
    max_leak_tokens : int
        Of a passage that is suppressed, at most so many tokens reach the client.
    fail_open : bool
        What cannot be checked is delivered, counted and marked, not withheld.
    retries : int
        How often another answer is asked for before one is blocked.
    expose_citations : bool
        Whether clients are told documents, addresses and licences of matches.
    token_file : Path, optional
        Bearer tokens that are accepted, one a line; without it everyone is.
    upstream_key_file : Path, optional
        The bearer token for the upstream; without it the client's is passed on.
    audit : Path, optional
        Where the audit trail is written.
    timeout_s : float
        How long the upstream may be silent.
    connect_timeout_s, send_timeout_s, check_timeout_s : float
        How long it may take to connect, a client to read, one check to end.
    max_request_s : float
        How long one request may take in all.
    keep_alive_s : float
        After so long without anything to send a comment keeps the connection of a stream open.
    max_body_bytes, max_response_bytes, max_event_bytes : int
        Of a request, of a response that is no stream, of one event of a stream.
    max_stream_bytes : int
        Of the events of a stream together; a response of a million tokens is shorter.
    max_streams : int
        Requests for generation in flight, of each worker.
    max_choices : int
        Of one request.
    threads : int
        For checks of long texts, of each worker.
    audit_bytes, audit_files : int
        When the audit trail is rotated, and how many old files are kept.
    drain_s : float
        How long requests in flight have to end at shutdown.
    """

    index: Path
    upstream: str
    policy: str = "balanced"
    keys: tuple[Path, ...] | None = ()
    background: tuple[Path, ...] = ()
    max_leak_tokens: int = 20
    fail_open: bool = False
    retries: int = 0
    expose_citations: bool = False
    token_file: Path | None = None
    upstream_key_file: Path | None = None
    audit: Path | None = None
    timeout_s: float = 600.0  # a long answer that is no stream may take minutes to begin
    connect_timeout_s: float = 10.0
    send_timeout_s: float = 60.0
    check_timeout_s: float = 10.0
    max_request_s: float = 3600.0
    keep_alive_s: float = 15.0
    max_body_bytes: int = 8 * _MIB
    max_response_bytes: int = 32 * _MIB
    max_event_bytes: int = 8 * _MIB  # the last events of a response repeat all of it
    max_stream_bytes: int = 512 * _MIB
    max_streams: int = 256
    max_choices: int = 128  # as OpenAI's
    threads: int = 4
    audit_bytes: int = 64 * _MIB
    audit_files: int = 8
    drain_s: float = 30.0

    def __post_init__(self) -> None:
        if not self.upstream.startswith(("http://", "https://")):
            raise ValueError(f"--upstream is an http or https URL, got {self.upstream!r}")
        for name in ("max_leak_tokens", "retries"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is a count, got {getattr(self, name)}")
        for name in ("timeout_s", "max_body_bytes", "max_streams", "keep_alive_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    def upstream_url(self, path: str) -> str:
        """The address of one of its routes, given as ``/v1/...``."""
        base = self.upstream.rstrip("/").removesuffix("/v1")
        return base + path
