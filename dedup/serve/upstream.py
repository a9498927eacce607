"""The generation server behind the filter: one pool of connections, and its faults as ours."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dedup.errors import DedupError
from dedup.serve.failure import Failure
from dedup.serve.settings import Settings

try:
    import aiohttp
except ImportError as error:  # pragma: no cover
    raise DedupError('the server needs more: pip install "dedup[server]"') from error

__all__ = ["Reply", "Upstream", "read_key"]

# Of what a client sends, these headers mean something to a generation server.
_FORWARDED: Final = frozenset(
    ("accept", "user-agent", "traceparent", "tracestate", "x-request-id", "idempotency-key")
)
_FORWARDED_PREFIXES: Final = ("openai-", "x-stainless-")
# And of what that answers, these to the client.
_RETURNED: Final = frozenset(("retry-after", "x-request-id", "openai-processing-ms"))
_RETURNED_PREFIXES: Final = ("x-ratelimit-", "openai-")


class Reply:
    """A response of the upstream whose head has come."""

    def __init__(self, response: aiohttp.ClientResponse, settings: Settings) -> None:
        self._response = response
        self._settings = settings
        self.status = response.status
        self.type = response.content_type
        self.headers = {
            name.lower(): value
            for name, value in response.headers.items()
            if name.lower() in _RETURNED or name.lower().startswith(_RETURNED_PREFIXES)
        }

    async def read(self, max_bytes: int) -> bytes:
        """The whole body.

        Raises
        ------
        Failure
            If it is too long, or does not come.
        """
        pieces: list[bytes] = []
        size = 0
        while piece := await self.next(self._settings.timeout_s):
            size += len(piece)
            if size > max_bytes:
                raise Failure(502, "upstream_too_long", "the upstream's answer is too long")
            pieces.append(piece)
        if piece is None:
            raise Failure(504, "upstream_timeout", "the upstream has stopped answering")
        return b"".join(pieces)

    async def next(self, patience_s: float) -> bytes | None:
        """The next bytes of the body, ``b""`` at its end; None if none come for so long.

        Raises
        ------
        Failure
            If the connection breaks.
        """
        try:
            async with asyncio.timeout(patience_s):
                return await self._response.content.readany()
        except TimeoutError:
            return None
        except (aiohttp.ClientError, OSError, ValueError):
            raise Failure(502, "upstream_broken", "the upstream broke off its answer") from None

    def close(self) -> None:
        """Break off: the upstream sees its client gone, and stops generating."""
        self._response.close()


class Upstream:
    """Sends requests to the generation server; made inside a running event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = read_key(settings.upstream_key_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_timeout_s),
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent",),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    @asynccontextmanager
    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[Reply]:
        """The response to a request; left before its end, it is broken off.

        Raises
        ------
        Failure
            If there is none in time, or one that cannot be read.
        """
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._session.request(
                    method,
                    self._settings.upstream_url(path),
                    data=body,
                    headers=self._headers(headers, has_body=body is not None),
                    allow_redirects=False,
                )
        except TimeoutError:
            raise Failure(504, "upstream_timeout", "the upstream does not answer") from None
        except (aiohttp.ClientConnectorError, ssl.SSLError):
            raise Failure(502, "upstream_unreachable", "the upstream cannot be reached") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise Failure(502, "upstream_broken", "the upstream broke off its answer") from None
        try:
            if 300 <= response.status < 400:
                raise Failure(502, "upstream_redirect", "the upstream points elsewhere")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise Failure(502, "upstream_encoding", "the upstream sent an encoded answer")
            yield Reply(response, self._settings)
            if response.content.at_eof():
                response.release()
        finally:
            response.close()

    def _headers(self, given: Mapping[str, str], *, has_body: bool) -> dict[str, str]:
        headers = {
            name: value
            for name, value in given.items()
            if name in _FORWARDED or name.startswith(_FORWARDED_PREFIXES)
        }
        headers["accept-encoding"] = "identity"
        if has_body:
            headers["content-type"] = "application/json"
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        elif "authorization" in given and self._settings.token_file is None:
            headers["authorization"] = given["authorization"]
        return headers


def read_key(path: Path | None) -> str:
    """The upstream's key in a file; empty if there is none.

    Raises
    ------
    DedupError
        If it is no one word.
    """
    if path is None:
        return ""
    key = path.read_text(encoding="utf-8").strip()
    if not key or not key.isascii() or len(key.split()) != 1:
        raise DedupError(f"{path}: expected the upstream's key, one word")
    return key
