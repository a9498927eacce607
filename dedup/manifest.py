"""The manifest: what the last commit of an index holds. Swapping it is the commit.

    {format, format_version, generation, key_id, schemes, segments, checksum}

``schemes`` has the parameters of each view, ``segments`` the name, size and dead documents of each
file. It is written under a temporary name, synced, renamed, and the directory is synced.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from dedup.errors import FormatError

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "Entry",
    "Manifest",
    "read_manifest",
    "sync_directory",
    "write_manifest",
]

FORMAT_VERSION = 2
MANIFEST = "MANIFEST"


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment as the manifest knows it: its file and the documents of it that are gone."""

    name: str
    bytes: int
    documents: int
    tokens: int
    dead: frozenset[int]

    def without(self, documents: Iterable[int]) -> "Entry":
        return Entry(self.name, self.bytes, self.documents, self.tokens, self.dead.union(documents))


@dataclass(frozen=True, slots=True)
class Manifest:
    """A generation of an index: the key and schemes it is made with, and its segments in order."""

    generation: int
    key_id: int
    schemes: dict[str, dict[str, int]]
    segments: tuple[Entry, ...]


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksum(body: dict[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return xxhash.xxh3_64_hexdigest(canonical)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Make this the manifest of the index at ``path``, whole or not at all."""
    body: dict[str, Any] = {
        "format": "dedup index",
        "format_version": FORMAT_VERSION,
        "generation": manifest.generation,
        "key_id": f"{manifest.key_id:016x}",
        "schemes": manifest.schemes,
        "segments": [
            {
                "name": entry.name,
                "bytes": entry.bytes,
                "documents": entry.documents,
                "tokens": entry.tokens,
                "dead": sorted(entry.dead),
            }
            for entry in manifest.segments
        ],
    }
    temporary = path / f".{MANIFEST}.writing"
    with temporary.open("w", encoding="ascii") as file:
        json.dump({**body, "checksum": _checksum(body)}, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path / MANIFEST)
    sync_directory(path)


def read_manifest(path: Path) -> Manifest:
    """What the last commit of the index at ``path`` left.

    Raises
    ------
    FileNotFoundError
        If there is no index.
    FormatError
        If the manifest is damaged or of another version.
    """
    file = path / MANIFEST
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{path}: no index here (it has no {MANIFEST}); make one with: "
            f"dedup index add {path} SOURCE"
        ) from None
    try:
        body = json.loads(text)
        checksum = body.pop("checksum")
        version = body["format_version"]
        if body["format"] != "dedup index":
            raise ValueError("format")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FormatError(
            f"{file}: not a manifest of dedup; restore it from a copy or build the index again"
        ) from None
    if version != FORMAT_VERSION:
        raise FormatError(
            f"{file}: index format version {version}, this dedup reads {FORMAT_VERSION}; "
            "use a matching release or build the index again"
        )
    if checksum != _checksum(body):
        raise FormatError(
            f"{file}: its checksum does not match; restore it from a copy or build the index again"
        )
    return Manifest(
        generation=body["generation"],
        key_id=int(body["key_id"], 16),
        schemes=body["schemes"],
        segments=tuple(_entries(body["segments"])),
    )


def _entries(segments: list[dict[str, Any]]) -> Iterator[Entry]:
    for entry in segments:
        yield Entry(
            entry["name"],
            entry["bytes"],
            entry["documents"],
            entry["tokens"],
            frozenset(entry["dead"]),
        )
