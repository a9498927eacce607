"""The manifest: what the last commit of an index holds. Swapping it is the commit.

    {format, format_version, features, generation, key_id, schemes, segments, checksum}

``features`` names what a reader must know beyond the format version; ``key_id`` is the key of new
segments, ``schemes`` has the parameters of each view, ``segments`` the name, size, key and dead
documents (a bit each, in base64) of each file.

The commit protocol, each step made only when the one before is done:

1. segments are written under a temporary name, synced, renamed; nothing names them yet. Workers
   that build some for the writer (see ``builder``) do the same, under temporary names of their own
2. the folder is synced, so that their names last
3. the manifest is written under a temporary name and synced
4. it is renamed over the old one: from here on a process that opens the index sees the commit
5. the folder is synced: from here on the commit outlives a power cut, and is acknowledged
6. what no manifest names is removed; readers that have it mapped keep it until they let go

What a crash leaves, and what is seen then:

    before 4   temporary files and segments without a name in the manifest: the old generation
    4 to 5     if only the process died, the new generation; after a power cut the old or the new,
               whole in either case, since all that the new one names was synced before
    after 5    the new generation, and perhaps files of the old one

The next writer goes on from there, and the first commit of its own removes what was left over. A
creation that was cut short leaves a folder without MANIFEST: no index to a reader, an empty folder
to ``Index.create``. Of a commit whose step 5 fails no one can say which generation a power cut
would leave: it is in doubt, nothing is removed, and the writer stops. The next to open the index
for writing syncs the folder before it believes what it reads.

A reader takes no lock. It reads the manifest, then opens what it names; if a file has gone in
between, a writer has merged, and there is a newer manifest to read.
"""

import base64
import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import xxhash

from dedup import _core
from dedup.errors import CommitInDoubt, FormatError
from dedup.match import View
from dedup.tombstones import Tombstones, count, united

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "Entry",
    "Manifest",
    "fields_of",
    "is_segment_name",
    "is_temporary",
    "read_manifest",
    "remove_strays",
    "write_manifest",
]

FORMAT_VERSION: Final = 4
# Those that are read: segments of 3 do not know their words.
_READABLE: Final = range(3, FORMAT_VERSION + 1)
MANIFEST: Final = "MANIFEST"

# What a reader of this release understands beyond the format version.
_FEATURES: Final[frozenset[str]] = frozenset()

_SCHEME_FIELDS: Final = (
    "tile_size",
    "tile_stride",
    "gapped_shape",
    "gapped_stride",
    "window_size",
    "window_stride",
    "shingle_size",
    "bands",
    "rows",
    "least_distinct",
)

# Tombstones of some 10^9 documents; more is no manifest.
_MAX_BYTES: Final = 1 << 28

_WRITING: Final = f".{MANIFEST}.writing"
_SEGMENT_WRITING: Final = re.compile(r"\.segment(-[0-9a-f]+)?\.writing")
_WAY_OUT: Final = "restore it from a copy or build the index again"


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment as the manifest knows it: its file, its key, and the documents that are gone."""

    name: str
    bytes: int
    documents: int
    key_id: int
    dead: Tombstones = b""

    @property
    def living(self) -> int:
        """How many of its documents are not gone."""
        return self.documents - count(self.dead)

    def without(self, documents: Tombstones) -> "Entry":
        """The entry when these are gone too."""
        return replace(self, dead=united(self.dead, documents))


@dataclass(frozen=True, slots=True)
class Manifest:
    """A generation of an index: the schemes it is made with, and its segments in order.

    ``key_id`` is the key of segments to come.
    """

    generation: int
    key_id: int
    schemes: dict[str, dict[str, int]]
    segments: tuple[Entry, ...]

    @property
    def key_ids(self) -> list[int]:
        """The ids of all keys it takes to read and to write this; 0 is no key."""
        return list(dict.fromkeys([self.key_id, *(entry.key_id for entry in self.segments)]))


def fields_of(schemes: Sequence[_core.Scheme]) -> dict[str, dict[str, int]]:
    """The parameters of the scheme of each view, by name."""
    return {
        view: {name: getattr(scheme, name) for name in _SCHEME_FIELDS}
        for view, scheme in zip(get_args(View), schemes, strict=True)
    }


def is_segment_name(name: str) -> bool:
    """Whether a file of the index folder that is called so is a segment."""
    return name.startswith("segment-") and name.endswith(".dedup") and "/" not in name


def is_temporary(name: str) -> bool:
    """Whether a file of the index folder that is called so was never completed."""
    return name == _WRITING or _SEGMENT_WRITING.fullmatch(name) is not None


def write_manifest(path: Path, manifest: Manifest, storage: _core.Storage) -> None:
    """Make this the manifest of the index at ``path``: steps 3 to 5 of the commit.

    Raises
    ------
    CommitInDoubt
        If it was renamed and the folder could not be synced.
    OSError
        If it could not be written; the old one stands.
    """
    body: dict[str, Any] = {
        "format": "dedup index",
        "format_version": FORMAT_VERSION,
        "features": [],
        "generation": manifest.generation,
        "key_id": f"{manifest.key_id:016x}",
        "schemes": manifest.schemes,
        "segments": [
            {
                "name": entry.name,
                "bytes": entry.bytes,
                "documents": entry.documents,
                "key_id": f"{entry.key_id:016x}",
                "dead": base64.b64encode(entry.dead).decode(),
            }
            for entry in manifest.segments
        ],
    }
    text = json.dumps({**body, "checksum": _checksum(body)}, indent=1) + "\n"
    temporary = str(path / _WRITING)
    storage.write(temporary, text.encode("ascii"))
    try:
        storage.rename(temporary, str(path / MANIFEST))
    except OSError:
        with contextlib.suppress(OSError):  # a later commit removes it; the first error is told
            storage.remove(temporary)
        raise
    try:
        storage.sync_folder(str(path))
    except OSError as error:
        raise CommitInDoubt(
            f"{path}: generation {manifest.generation} may not outlive a power cut, as the folder "
            f"could not be synced ({error.strerror or error}); see to the disk, then open the "
            "index again: it shows which generation there is, and adding again completes it"
        ) from error


def read_manifest(path: Path, storage: _core.Storage) -> Manifest:
    """What the last commit of the index at ``path`` left.

    Raises
    ------
    FileNotFoundError
        If there is no index.
    FormatError
        If the manifest is damaged, of another version or needs features unknown here.
    """
    file = path / MANIFEST
    try:
        text = storage.read(str(file), _MAX_BYTES)
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
        raise FormatError(f"{file}: not a manifest of dedup; {_WAY_OUT}") from None
    if version not in _READABLE:
        raise FormatError(
            f"{file}: index format version {version}, this dedup reads {_READABLE.start} to "
            f"{FORMAT_VERSION}; use a matching release or build the index again"
        )
    if checksum != _checksum(body):
        raise FormatError(f"{file}: its checksum does not match; {_WAY_OUT}")
    try:
        if unknown := set(body["features"]) - _FEATURES:
            raise FormatError(
                f"{file}: needs {', '.join(sorted(unknown))}, which this dedup does not know; "
                "use a newer release or build the index again"
            )
        return _manifest_of(body)
    except FormatError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FormatError(f"{file}: a field of it is wrong or missing; {_WAY_OUT}") from None


def remove_strays(path: Path, manifest: Manifest, storage: _core.Storage) -> None:
    """Remove what no manifest names: step 6 of the commit.

    It is made already, so what can't be removed is left to the next one.
    """
    named = {entry.name for entry in manifest.segments}
    with contextlib.suppress(OSError):
        for name in storage.list(str(path)):
            if is_temporary(name) or (is_segment_name(name) and name not in named):
                storage.remove(str(path / name))


def _checksum(body: dict[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return xxhash.xxh3_64_hexdigest(canonical)


def _manifest_of(body: dict[str, Any]) -> Manifest:
    schemes = {view: _core.Scheme(**body["schemes"][view]) for view in get_args(View)}
    segments = tuple(_entry_of(entry) for entry in body["segments"])
    if len({entry.name for entry in segments}) < len(segments):
        raise ValueError("a segment is named twice")
    return Manifest(
        generation=int(body["generation"]),
        key_id=int(body["key_id"], 16),
        schemes=fields_of(list(schemes.values())),
        segments=segments,
    )


def _entry_of(body: dict[str, Any]) -> Entry:
    entry = Entry(
        body["name"],
        int(body["bytes"]),
        int(body["documents"]),
        int(body["key_id"], 16),
        base64.b64decode(body["dead"], validate=True).rstrip(b"\0"),
    )
    last = len(entry.dead) * 8 - 8 + entry.dead[-1].bit_length() if entry.dead else 0
    if not is_segment_name(entry.name) or last > entry.documents or entry.documents < 0:
        raise ValueError(entry.name)
    return entry
