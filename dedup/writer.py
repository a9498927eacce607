"""The one writer of an index: takes Documents and exported files, makes generations.

What is added or taken away waits here, in memory and in segments that no manifest names, until a
commit swaps the manifest; the protocol is told in ``manifest``. Commits leave few segments: the
newest are merged as they pile up, each document O(log n) times over n commits.
"""

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from dedup import _core, expiry
from dedup.contents import indexed_document, numbers_of
from dedup.document import Document
from dedup.errors import CommitInDoubt, DedupError
from dedup.exchange import open_exported, require_schemes
from dedup.key import Key, KeyRing
from dedup.manifest import Entry, Manifest, remove_strays, write_manifest
from dedup.merging import Part, all_runs, due
from dedup.parsers import Parsers
from dedup.selection import Selection
from dedup.snapshot import Snapshot
from dedup.tombstones import Tombstones, is_dead, tombstones

__all__ = ["SEGMENT_MEMORY_BYTES", "Writer"]

# What is held in memory before a segment is written: some 100 million tokens.
SEGMENT_MEMORY_BYTES: Final = 512 * 1024 * 1024


class Writer:
    """Changes the index of a snapshot; ``snapshot`` is the newest generation it committed."""

    def __init__(
        self,
        snapshot: Snapshot,
        ring: KeyRing,
        lock: _core.StorageLock,
        storage: _core.Storage,
        parsers: Parsers,
    ) -> None:
        self.snapshot = snapshot
        self._path = snapshot.path
        self._schemes = snapshot.schemes
        self._ring = ring
        self._lock = lock
        self._storage = storage
        self._parsers = parsers
        self._stopped = ""  # why nothing more is written
        self._take_up(snapshot)

    def close(self) -> None:
        """Give up the lock and whatever was not committed."""
        try:
            committed = {entry.name for entry in self.snapshot.manifest.segments}
            for part in self._parts:
                # A commit in doubt may have named it.
                if part.entry.name not in committed and not self._stopped:
                    with contextlib.suppress(OSError):  # the next commit removes it
                        self._storage.remove(part.segment.path)
            self._take_up(self.snapshot)
        finally:
            self._lock.release()

    # ---- changes, effective at the commit

    def add(self, documents: Iterable[Document], memory_bytes: int) -> int:
        """``Index.add``."""
        self._require_going()
        if memory_bytes <= 0:
            raise ValueError(f"memory_bytes must be positive, got {memory_bytes}")
        added = 0
        for document in documents:
            added += self._add(document)
            if self._segment.memory_bytes > memory_bytes:
                self._flush()
        return added

    def remove(self, selection: Selection) -> int:
        """``Index.remove``."""
        self._require_going()
        self._flush()
        removed, day = 0, _today()
        for part in self._parts:
            dead = part.dead_on(day)
            for number in numbers_of(part.segment, selection):
                if not is_dead(dead, number) and selection.fits(
                    indexed_document(part.segment, number)
                ):
                    part.gone.add(number)
                    removed += 1
        return removed

    def take(self, file: Path) -> int:
        """``Index.import_``."""
        self._require_going()
        segment = open_exported(file, self._ring, self._storage)
        require_schemes(file, segment.schemes, self._schemes)
        rows = range(segment.summary.documents)
        left_out = set(segment.expired(_today()))
        left_out.update(n for n in rows if self._has(segment.document(n)))
        if len(left_out) == len(rows):
            return 0
        part = self._merged([(segment, tombstones(left_out))], segment.key_id)
        for number in range(part.entry.documents):
            id = part.segment.document(number)[0]
            part.gone.update(part.segment.find_id(id)[:-1])
            self._supersede(id)
        self._parts.append(part)
        return part.entry.documents - len(part.gone)

    def commit(self) -> None:
        """``Index.commit``."""
        self._require_going()
        self._flush()
        added = len(self._parts) - len(self.snapshot.manifest.segments)
        if not self._swap(self._parts):
            return
        try:
            self._merge_runs(due(self._parts, _today(), added))
        except (OSError, DedupError) as error:
            warnings.warn(
                f"{self._path}: generation {self.snapshot.generation} is committed, but its "
                f"segments could not be merged ({error}); a later commit tries again",
                RuntimeWarning,
                stacklevel=3,
            )

    def rotate(self, key: Key | None) -> None:
        """``Index.rotate``."""
        self._require_going()
        self._flush()
        self._swap(self._parts, self._ring.add(key))

    def merge(self) -> None:
        """``Index.merge``."""
        self._require_going()
        self._flush()
        self._swap(self._parts)
        self._merge_runs(all_runs(self._parts, _today()))

    # ---- documents

    def _add(self, document: Document) -> int:
        if not document.id:
            raise ValueError("a document needs an id that is not empty")
        labels = (document.id, document.corpus, document.licence, document.owner, document.url)
        day = expiry.day_of(document.expires)
        try:
            content = self._segment.content_hash(document.text)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"document {document.id!r}: lone surrogate at character {error.start}; "
                "decode the text before adding it"
            ) from None
        if self._has((*labels, content, day)):
            return 0
        views = self._parsers.of_document(document.text, document.id)
        if views is None:
            self._segment.add(document.text, *labels, day)
        else:
            code = (views.language, views.code, views.ast, views.units)
            self._segment.add(document.text, *labels, day, *code)
        self._supersede(document.id)
        self._ids[document.id] = self._segment.documents - 1
        return 1

    def _find(self, id: str) -> Iterator[tuple[Part, int]]:
        """Where the document of this id is, but for the one in memory."""
        for part in self._parts:
            for number in part.segment.find_id(id):
                if part.has(number):
                    yield part, number

    def _has(self, row: tuple[object, ...]) -> bool:
        """Whether this very document is there already, under the same key.

        The hash of its content is a keyed one: under another key it is another.
        """
        wanted = (*row[:5], *row[-2:])
        rows = (part.segment.document(number) for part, number in self._find(str(row[0])))
        return any((*known[:5], *known[-2:]) == wanted for known in rows)

    def _supersede(self, id: str) -> None:
        """Take the document of this id away, as another comes in its place."""
        for part, number in self._find(id):
            part.gone.add(number)
        if id in self._ids:
            self._ids_gone.add(self._ids.pop(id))

    # ---- segments

    def _take_up(self, snapshot: Snapshot) -> None:
        """Start from a generation, with nothing added to it."""
        self.snapshot = snapshot
        self._parts = [
            Part(entry, segment)
            for entry, segment in zip(snapshot.manifest.segments, snapshot.segments, strict=True)
        ]
        self._key_id = snapshot.manifest.key_id
        self._start_segment()

    def _start_segment(self) -> None:
        secret = self._secret(self._key_id)
        self._segment = _core.SegmentWriter(self._schemes, secret, self._storage)
        self._ids: dict[str, int] = {}
        self._ids_gone: set[int] = set()

    def _flush(self) -> None:
        """Write what is in memory as a segment."""
        if self._segment.documents:
            summary = self._segment.write(str(self._path))
            part = self._part(summary, self._key_id)
            part.gone = self._ids_gone
            self._parts.append(part)
            self._start_segment()

    def _part(self, summary: _core.SegmentSummary, key_id: int) -> Part:
        entry = Entry(summary.name, summary.bytes, summary.documents, key_id)
        path = str(self._path / entry.name)
        return Part(entry, _core.Segment(path, self._secret(key_id), self._storage))

    def _secret(self, key_id: int) -> bytes | None:
        return self._ring.secrets([key_id], str(self._path))[key_id]

    # ---- commits

    def _swap(self, parts: list[Part], key_id: int | None = None) -> bool:
        """Commit these parts, if that changes anything."""
        old = self.snapshot.manifest
        entries = [part.as_of_now() for part in parts]
        manifest = replace(
            old,
            key_id=old.key_id if key_id is None else key_id,
            segments=tuple(entry for entry in entries if entry.living),
        )
        if manifest == old:
            if len(parts) > len(old.segments):
                remove_strays(self._path, old, self._storage)
            self._take_up(self.snapshot)
            return False
        manifest = replace(manifest, generation=old.generation + 1)
        # Opened before they are committed: from there on nothing can fail any more.
        snapshot = Snapshot(
            self._path,
            manifest,
            self._ring.secrets(manifest.key_ids, str(self._path)),
            self._storage,
            self._parsers,
            [part.segment for part in parts],
        )
        self._make_durable(manifest)
        self._take_up(snapshot)
        remove_strays(self._path, manifest, self._storage)
        return True

    def _make_durable(self, manifest: Manifest) -> None:
        generation = manifest.generation
        self._stopped = f"generation {generation} may or may not have been committed"
        try:
            self._storage.sync_folder(str(self._path))
        except OSError as error:
            self._stopped = f"generation {generation} was not committed, and what it wrote is lost"
            raise CommitInDoubt(
                f"{self._path}: generation {generation - 1} stays, as the folder could not be "
                f"synced ({error.strerror or error}); see to the disk, open the index again, and "
                "add again what was not committed"
            ) from error
        try:
            write_manifest(self._path, manifest, self._storage)
        except CommitInDoubt:
            raise
        except OSError:
            self._stopped = ""
            raise
        self._stopped = ""

    def _require_going(self) -> None:
        if self._stopped:
            raise CommitInDoubt(f"{self._path}: {self._stopped}; open the index again to go on")

    # ---- merging

    def _merge_runs(self, runs: list[list[Part]]) -> None:
        """Make each run of segments one, without the documents that are gone; commit that."""
        if not runs:
            return
        day = _today()
        merged: dict[int, Part | None] = {}
        for run in runs:
            living = [(p.segment, p.dead_on(day)) for p in run if p.living_on(day)]
            merged.update((id(part), None) for part in run)
            if living:
                merged[id(run[0])] = self._merged(living, run[0].entry.key_id)
        parts = [merged.get(id(part), part) for part in self._parts]
        self._swap([part for part in parts if part])

    def _merged(self, living: list[tuple[_core.Segment, Tombstones]], key_id: int) -> Part:
        segments, dead = [segment for segment, _ in living], [dead for _, dead in living]
        secret, folder = self._secret(key_id), str(self._path)
        summary = _core.merge_segments(segments, dead, secret, folder, "", self._storage)
        return self._part(summary, key_id)


def _today() -> int:
    return expiry.day_of(expiry.today())
