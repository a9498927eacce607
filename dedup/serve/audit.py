"""The audit trail: a JSON line for each text judged, with a keyed digest of it and its verdict.

Who holds the key, which is made beside the trail at first use, can show that a certain output was
judged, and how; the trail itself tells no text. Several processes append to one file: a line is one
write, and whoever finds the file too long renames it under a lock.
"""

import fcntl
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, Final

from dedup.key import Key
from dedup.policy import Verdict

__all__ = ["Audit"]

_MAX_MATCHES: Final = 16


class Audit:
    """Appends to the trail; OSError if it cannot.

    Parameters
    ----------
    path : Path
        The file; older ones are ``path.1`` and so on, the key is ``path.key``.
    max_bytes : int
        A file that is longer is renamed.
    files : int
        How many old files are kept.
    """

    def __init__(self, path: Path, *, max_bytes: int, files: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._files = files
        key = path.with_name(path.name + ".key")
        try:
            self._key = Key.load(key).secret
        except FileNotFoundError:
            try:
                self._key = Key.generate(key).secret
            except FileExistsError:  # another worker was quicker
                self._key = Key.load(key).secret
        self._file = self._open()

    def write(
        self, *, request: str, route: str, choice: int, verdict: Verdict, texts: list[bytes]
    ) -> None:
        """Append what was judged and how."""
        line = {
            "time": time.time(),
            "request": request,
            "route": route,
            "choice": choice,
            "action": verdict.action,
            "rule": verdict.rule,
            "error": bool(verdict.error),
            "generation": verdict.index_generation,
            "digests": [self.digest(text) for text in texts],
            "bytes": [len(text) for text in texts],
            "matches": [_match(ruling) for ruling in verdict.rulings[:_MAX_MATCHES]],
            "exempted": [_match(ruling) for ruling in verdict.exempted[:_MAX_MATCHES]],
        }
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        self._rotate(len(data))
        written = os.write(self._file, data)
        if written != len(data):
            raise OSError(f"{self._path}: wrote {written} of {len(data)} bytes")

    def digest(self, text: bytes) -> str:
        """The keyed digest of a text, as it stands in the trail."""
        return hashlib.blake2b(
            text, digest_size=16, key=self._key, person=b"dedup-audit"
        ).hexdigest()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _rotate(self, more: int) -> None:
        """Go on in a new file if this one is full, or was renamed by another process."""
        mine = os.fstat(self._file)
        if mine.st_size + more <= self._max_bytes and _is_same(self._path, mine):
            return
        lock = os.open(self._name(".lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_same(self._path, mine):
                for number in range(self._files - 1, 0, -1):
                    older = self._name(f".{number}")
                    if older.exists():
                        older.replace(self._name(f".{number + 1}"))
                self._path.replace(self._name(".1"))
            fresh = self._open()
        finally:
            os.close(lock)
        os.close(self._file)
        self._file = fresh

    def _name(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)


def _is_same(path: Path, status: os.stat_result) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (status.st_dev, status.st_ino)


def _match(ruling: Any) -> dict[str, Any]:
    match = ruling.match
    return {
        "document": match.document,
        "corpus": match.corpus,
        "licence": match.licence,
        "rule": ruling.rule,
        "action": ruling.action,
        "kind": match.kind,
        "view": match.view,
        "span": list(match.query_span),
        "document_span": list(match.document_span),
        "tokens": match.tokens,
        "run": match.run,
    }
