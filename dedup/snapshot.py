"""One generation of an index, to search and to read: it never changes, whatever is committed.

Takes a manifest and maps the segments it names; gives Matches and IndexedDocuments. Whoever works
with one sees one generation from beginning to end, so threads take ``index.snapshot`` once for all
that belongs together. Segments under several keys are searched apart and the matches joined.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import xxhash

from dedup import _core, expiry
from dedup.contents import (
    IndexedDocument,
    IndexInfo,
    VerifyReport,
    corpora_of,
    indexed_document,
    numbers_of,
)
from dedup.errors import FormatError
from dedup.key import KeyRing
from dedup.manifest import FORMAT_VERSION, Entry, Manifest, read_manifest
from dedup.match import Match, View, joined, match_of, with_background
from dedup.parsers import Parsers
from dedup.selection import Selection
from dedup.tombstones import Tombstones, count, is_dead, tombstones, united

if TYPE_CHECKING:
    from dedup.parsers import Parsed

__all__ = ["Session", "Snapshot", "Traced"]

# A reader that finds a segment gone reads the manifest again. A writer would have to commit and
# merge as often while one reader opens a few files.
_MAX_RETRIES: Final = 100

_WAY_OUT: Final = "restore it from a copy or build the index again"


class _Missing(Exception):
    """There is no file of this name."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What a search of the segments of one key came across."""

    trace: _core.Trace
    segments: list[_core.Segment]

    def id_of(self, found: _core.Place | _core.Passage) -> str:
        """The document of a place or a passage."""
        return self.segments[found.segment].document(found.document)[0]


class _Searcher:
    """Searches the segments of one key."""

    def __init__(
        self, segments: list[_core.Segment], dead: list[Tombstones], key: bytes | None
    ) -> None:
        self.core = _core.Searcher(segments, dead, key)
        self.segments = segments

    def matches(self, found: list[_core.Found]) -> list[Match]:
        return [match_of(one, self.segments[one.segment]) for one in found]


class Session:
    """Queries to one generation, as of one day, that answer to one prompt; made by ``Snapshot``."""

    def __init__(
        self,
        searchers: list[_Searcher],
        parsers: Parsers,
        prompt: str | None = None,
        background: "Sequence[Session]" = (),
    ) -> None:
        self._searchers = searchers
        self._parsers = parsers
        self._background = background
        self._supplies = [
            None if prompt is None else searcher.core.supply(prompt) for searcher in searchers
        ]

    @property
    def has_code(self) -> bool:
        """Whether the index holds any, so that a query is worth parsing."""
        return any(searcher.core.has_code for searcher in self._searchers)

    def parsed(self, text: str) -> "Parsed":
        """The syntax nodes of a query, None if it has no code, and its units."""
        return self._parsers.of_query(text) if self.has_code else (None, [])

    def is_disguised(self, text: str) -> bool:
        """Whether something hides words of a query, so that ``search`` reads it in other ways.

        Whether others were put between them ``has_fillers`` tells.
        """
        return any(searcher.core.is_disguised(text) for searcher in self._searchers)

    def has_fillers(self, text: str) -> bool:
        """Whether ``search`` leaves out words of a query that were put between others."""
        return any(searcher.core.has_fillers(text) for searcher in self._searchers)

    def search(self, text: str, parsed: "Parsed | None" = None) -> list[Match]:
        """Every passage of `text` that is found in the index; `parsed` is what it was parsed to."""
        ast, units = self.parsed(text) if parsed is None else parsed
        matches = joined(
            [
                searcher.matches(searcher.core.search(text, supply, ast, units))
                for searcher, supply in zip(self._searchers, self._supplies, strict=True)
            ]
        )
        return self._marked(text, matches)

    def search_batch(
        self, texts: Sequence[str], threads: int = 1, parsed: "Sequence[Parsed] | None" = None
    ) -> list[list[Match]]:
        """The same of many texts, on so many threads; the prompt is left out of account."""
        if parsed is None:
            parsed = [self.parsed(text) for text in texts] if self.has_code else []
        answers = [
            [s.matches(found) for found in s.core.search_batch(texts, parsed, threads)]
            for s in self._searchers
        ]
        if not answers:
            return [[] for _ in texts]
        return [
            self._marked(text, joined(list(parts)))
            for text, parts in zip(texts, zip(*answers, strict=True), strict=True)
        ]

    def parsed_document(self, text: str, name: str) -> "tuple[Parsed, str]":
        """``parsed`` of a whole document that has a name, without a limit of time; what failed."""
        return self._parsers.of_scanned(text, name) if self.has_code else ((None, []), "")

    def _marked(self, text: str, matches: list[Match]) -> list[Match]:
        """The matches, marked where the background has them too."""
        if not matches or not self._background:
            return matches
        permitted = [match for other in self._background for match in other.search(text)]
        return with_background(matches, permitted)

    def traces(self, text: str, parsed: "Parsed") -> list[Traced]:
        """What a search comes across on its way, of each key: for ``explanation``."""
        ast, units = parsed
        return [
            Traced(searcher.core.explain(text, supply, ast, units), searcher.segments)
            for searcher, supply in zip(self._searchers, self._supplies, strict=True)
        ]

    def stream(self) -> _core.StreamSearch:
        """What reads a query that arrives in pieces."""
        return _core.StreamSearch([searcher.core for searcher in self._searchers])


@dataclass(frozen=True, slots=True)
class _Days:
    """What is gone on the days [first, until), for ever if ``until`` is 0; what finds the rest."""

    first: int
    until: int
    dead: list[Tombstones]
    searchers: list[_Searcher]

    def hold(self, day: int) -> bool:
        return self.first <= day and (day < self.until or not self.until)


class Snapshot:
    """A generation of an index, immutable; threads may share one.

    Made by ``Index``, which has the newest one it knows as ``Index.snapshot``.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        secrets: Mapping[int, bytes | None],
        storage: _core.Storage,
        parsers: Parsers,
        known: Iterable[_core.Segment] = (),
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.secrets = secrets
        # Files are named by their content: one that is open already is the one to be opened.
        have = {segment.path: segment for segment in known}
        self.segments = [
            have.get(str(path / entry.name)) or _open(path, entry, secrets, storage)
            for entry in manifest.segments
        ]
        self._parsers = parsers
        self._days: _Days | None = None

    @classmethod
    def read(
        cls,
        path: Path,
        ring: KeyRing,
        storage: _core.Storage,
        parsers: Parsers,
        known: "Snapshot | None" = None,
    ) -> "Snapshot":
        """The generation that was committed last; `known` itself if that is the one.

        Raises
        ------
        FileNotFoundError
            If there is no index.
        FormatError
            If the manifest or a segment is damaged or missing.
        WrongKey
            If it is under a key that is not on the ring.
        """
        manifest = read_manifest(path, storage)
        for _ in range(_MAX_RETRIES):
            if known is not None and manifest == known.manifest:
                return known
            try:
                secrets = ring.secrets(manifest.key_ids, str(path))
                open = known.segments if known else ()
                return cls(path, manifest, secrets, storage, parsers, open)
            except _Missing as missing:
                newer = read_manifest(path, storage)
                if newer == manifest:
                    raise FormatError(
                        f"{missing}: the manifest names this segment but it is missing; {_WAY_OUT}"
                    ) from None
                manifest = newer
        raise FormatError(f"{path}: segments vanish as fast as they are opened; stop its writer")

    # ---- what it is

    @property
    def generation(self) -> int:
        """How many commits led here."""
        return self.manifest.generation

    @property
    def schemes(self) -> list[_core.Scheme]:
        """The parameters of the fingerprints of each view."""
        return [_core.Scheme(**self.manifest.schemes[view]) for view in get_args(View)]

    @property
    def dead(self) -> list[Tombstones]:
        """Of each segment what is gone today."""
        return self._now().dead

    @property
    def is_empty(self) -> bool:
        """Whether it protects nothing today."""
        entries = self.manifest.segments
        return all(e.documents == count(dead) for e, dead in zip(entries, self.dead, strict=True))

    def _now(self) -> _Days:
        """As of today: a process that runs past midnight lets go of what expires then."""
        day = expiry.day_of(expiry.today())
        now = self._days
        if now is None or not now.hold(day):
            dead = [
                united(entry.dead, tombstones(segment.expired(day)))
                for entry, segment in zip(self.manifest.segments, self.segments, strict=True)
            ]
            groups: dict[int, list[int]] = defaultdict(list)
            for number, entry in enumerate(self.manifest.segments):
                groups[entry.key_id].append(number)
            searchers = [
                _Searcher(
                    [self.segments[number] for number in numbers],
                    [dead[number] for number in numbers],
                    self.secrets[key_id],
                )
                for key_id, numbers in groups.items()
            ]
            self._days = now = _Days(day, self._next_expiry(day), dead, searchers)
        return now

    def _next_expiry(self, day: int) -> int:
        nexts = [segment.next_expiry(day) for segment in self.segments]
        return min((day for day in nexts if day), default=0)

    # ---- searching

    def session(self, prompt: str | None = None, background: Sequence[Session] = ()) -> Session:
        """Queries that answer to one prompt, which is read once.

        Passages that are found in the background too are marked as such.
        """
        return Session(self._now().searchers, self._parsers, prompt, background)

    def search(self, text: str, prompt: str | None = None) -> list[Match]:
        """``Index.search`` in this generation."""
        return self.session(prompt).search(text)

    def search_batch(self, texts: list[str], threads: int = 1) -> list[list[Match]]:
        """``Index.search_batch`` in this generation."""
        return self.session().search_batch(texts, threads)

    # ---- documents

    def documents(self, selection: Selection | None = None) -> Iterator[IndexedDocument]:
        """The living documents, or those of them that are meant, in the order of the index."""
        wanted = selection or Selection()
        dead = self.dead
        for number, segment in enumerate(self.segments):
            for index in numbers_of(segment, wanted):
                if not is_dead(dead[number], index):
                    document = indexed_document(segment, index)
                    if wanted.fits(document):
                        yield document

    @property
    def fingerprint(self) -> str:
        """Tells this state of the index from every other; what expired is part of it."""
        state = xxhash.xxh3_128(repr(self.manifest).encode())
        for dead in self.dead:
            state.update(len(dead).to_bytes(8, "little") + dead)
        return state.hexdigest()

    def holds(self, id: str, text: str) -> bool:
        """Whether the document of this id is protected, with this very text."""
        return any(
            document.content_hash == _core.content_hash(text, self.secrets[document.key_id])
            for document in self.documents(Selection.of(document=id))
        )

    def info(self) -> IndexInfo:
        """What is in it today."""
        dead = self.dead
        corpora = corpora_of(zip(self.segments, dead, strict=True))
        keys = {_hex(self.manifest.key_id): 0}
        for entry, gone in zip(self.manifest.segments, dead, strict=True):
            key = _hex(entry.key_id)
            keys[key] = keys.get(key, 0) + entry.documents - count(gone)
        documents = sum(corpus.documents for corpus in corpora.values())
        tokens = sum(corpus.tokens for corpus in corpora.values())
        size = sum(entry.bytes for entry in self.manifest.segments)
        return IndexInfo(
            path=str(self.path),
            format_version=FORMAT_VERSION,
            generation=self.generation,
            key_id=_hex(self.manifest.key_id),
            keys=keys,
            schemes={view: dict(scheme) for view, scheme in self.manifest.schemes.items()},
            segments=len(self.segments),
            documents=documents,
            expired=sum(entry.living for entry in self.manifest.segments) - documents,
            next_expiry=expiry.date_of(self._next_expiry(expiry.day_of(expiry.today()))),
            tokens=tokens,
            bytes=size,
            bytes_per_token=size / tokens if tokens else 0.0,
            corpora=corpora,
        )

    def verify(self) -> VerifyReport:
        """``Index.verify`` of this generation."""
        for segment in self.segments:
            segment.verify()
        return VerifyReport(
            segments=len(self.segments),
            documents=sum(entry.living for entry in self.manifest.segments),
            bytes=sum(entry.bytes for entry in self.manifest.segments),
        )


def _open(
    path: Path, entry: Entry, secrets: Mapping[int, bytes | None], storage: _core.Storage
) -> _core.Segment:
    file = path / entry.name
    try:
        segment = _core.Segment(str(file), secrets[entry.key_id], storage)
        summary = segment.summary  # its name is that of its content, whatever the file is called
        if (summary.name, summary.bytes, summary.documents) == (
            entry.name,
            entry.bytes,
            entry.documents,
        ):
            return segment
    except FileNotFoundError:
        raise _Missing(file) from None
    except FormatError:
        raise
    except ValueError:  # it is under another key
        pass
    raise FormatError(f"{file}: not the segment the manifest names; {_WAY_OUT}")


def _hex(key_id: int) -> str:
    return f"{key_id:016x}" if key_id else ""
