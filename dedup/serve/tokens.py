"""Who may ask: bearer tokens in a file, one a line."""

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from dedup.errors import DedupError

__all__ = ["Tokens"]


class Tokens:
    """The tokens that are accepted; everyone is if there is no file."""

    def __init__(self, path: Path | None) -> None:
        self._digests: list[bytes] | None = None
        if path is not None:
            lines = path.read_text(encoding="utf-8").splitlines()
            tokens = [line.strip() for line in lines if line.strip() and line[0] != "#"]
            if not tokens:
                raise DedupError(f"{path}: holds no token; write one a line")
            self._digests = [_digest(token) for token in tokens]

    def allow(self, headers: Mapping[str, str]) -> bool:
        """Whether a request says one of them, as a bearer or in ``x-api-key``.

        Takes the same time for every token.
        """
        if self._digests is None:
            return True
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            token = headers.get("x-api-key", "")
        said = _digest(token.strip())
        return sum(hmac.compare_digest(said, digest) for digest in self._digests) > 0


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
