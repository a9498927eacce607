"""The one writer of an index: takes Documents and exported files, makes generations.

What is added or taken away waits here, in memory and in segments that no manifest names, until a
commit swaps the manifest; the protocol is told in ``manifest``. Commits leave few segments: the
newest are merged as they pile up, each document O(log n) times over n commits.
"""

import contextlib
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from dedup import _core, expiry
from dedup.builder import Built, Plan, Readable, built_without
from dedup.contents import indexed_document, numbers_of
from dedup.document import Document
from dedup.draft import Draft
from dedup.engine import Engine, Lost
from dedup.errors import CommitInDoubt, DedupError
from dedup.exchange import open_exported, require_schemes
from dedup.key import Key, KeyRing
from dedup.manifest import Manifest, remove_strays, write_manifest
from dedup.merging import Part, all_runs, due
from dedup.parsers import Parsers
from dedup.selection import Selection
from dedup.snapshot import Snapshot
from dedup.tombstones import is_dead, tombstones

__all__ = ["SEGMENT_MEMORY_BYTES", "Writer"]

# What is held in memory before a segment is written: some 35 million words.
SEGMENT_MEMORY_BYTES: Final = 512 * 1024 * 1024

# Segments of a parallel add, some 8 MB of text each, before they are made one: few enough to look
# every id up in all of them.
_MAX_UNMERGED: Final = 64


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
            for part in self._draft.added:
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
            added += self._draft.add(document)
            if self._draft.memory_bytes > memory_bytes:
                self._draft.flush()
        return added

    def add_tasks(
        self,
        tasks: Iterable[Readable],
        engine: Engine,
        memory_bytes: int,
        tell: Callable[[Built], object],
    ) -> int:
        """``Index.add_tasks``."""
        self._require_going()
        if memory_bytes <= 0:
            raise ValueError(f"memory_bytes must be positive, got {memory_bytes}")
        self._draft.flush()
        first = start = len(self._draft.parts)
        added = 0
        dropped: set[str] = set()
        plan = Plan.of(self.snapshot, memory_bytes)
        with contextlib.closing(_built(engine, plan, tasks)) as results:
            for task, built in results:
                is_gone = any(entry.name in dropped for entry in built.segments)
                if is_gone or not all(map(self._draft.stands, built.unchanged)):
                    documents = (item for item in task.read() if isinstance(item, Document))
                    added += self.add(documents, memory_bytes)
                    self._draft.flush()
                else:
                    added += self._draft.adopt(built.segments)
                if len(self._draft.parts) - start >= _MAX_UNMERGED:
                    dropped |= self._join(start)
                    start = len(self._draft.parts)
                tell(built)
        self._join(first)
        return added

    def remove(self, selection: Selection) -> int:
        """``Index.remove``."""
        self._require_going()
        self._draft.flush()
        removed, day = 0, _today()
        for part in self._draft.parts:
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
        require_schemes(file, segment.schemes, self.snapshot.schemes)
        rows = range(segment.summary.documents)
        left_out = set(segment.expired(_today()))
        left_out.update(n for n in rows if self._draft.has(segment.document(n)))
        if len(left_out) == len(rows):
            return 0
        part = self._draft.merged([(segment, tombstones(left_out))], segment.key_id)
        for number in range(part.entry.documents):
            id = part.segment.document(number)[0]
            part.gone.update(part.segment.find_id(id)[:-1])
            self._draft.supersede(id)
        self._draft.parts.append(part)
        return part.entry.documents - len(part.gone)

    def commit(self) -> None:
        """``Index.commit``."""
        self._require_going()
        self._draft.flush()
        added = len(self._draft.parts) - len(self.snapshot.manifest.segments)
        if not self._swap(self._draft.parts):
            return
        try:
            self._merge_runs(due(self._draft.parts, _today(), added))
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
        self._draft.flush()
        self._swap(self._draft.parts, self._ring.add(key))

    def merge(self) -> None:
        """``Index.merge``."""
        self._require_going()
        self._draft.flush()
        self._swap(self._draft.parts)
        self._merge_runs(all_runs(self._draft.parts, _today()))

    def _take_up(self, snapshot: Snapshot) -> None:
        """Start from a generation, with nothing added to it."""
        self.snapshot = snapshot
        self._draft = Draft(snapshot, self._ring, self._storage, self._parsers)

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

    def _join(self, start: int) -> set[str]:
        """Make the parts from `start` on, which no commit names, one where one file holds them.

        Returns
        -------
        set of str
            The files that were removed.
        """
        parts, dropped = self._draft.parts, set[str]()
        for run in all_runs(parts[start:], _today()):
            if len(run) > 1:
                parts[:] = self._replaced([run])
                dropped.update(part.entry.name for part in run)
        dropped -= {entry.name for entry in self.snapshot.manifest.segments}
        dropped -= {part.entry.name for part in parts}
        for name in dropped:
            with contextlib.suppress(OSError):  # the next commit removes it
                self._storage.remove(str(self._path / name))
        return dropped

    def _merge_runs(self, runs: list[list[Part]]) -> None:
        """Make each run of segments one, without the documents that are gone; commit that."""
        if runs:
            self._swap(self._replaced(runs))

    def _replaced(self, runs: list[list[Part]]) -> list[Part]:
        """The parts, with one in the place of the first of each run."""
        day = _today()
        merged: dict[int, Part | None] = {}
        for run in runs:
            living = [(p.segment, p.dead_on(day)) for p in run if p.living_on(day)]
            merged.update((id(part), None) for part in run)
            if living:
                merged[id(run[0])] = self._draft.merged(living, run[0].entry.key_id)
        parts = [merged.get(id(part), part) for part in self._draft.parts]
        return [part for part in parts if part]


def _built(
    engine: Engine, plan: Plan, tasks: Iterable[Readable]
) -> Generator[tuple[Readable, Built]]:
    """Each task and what a worker made of it, in order; closing it ends the workers."""
    under_way: deque[Readable] = deque()

    def taken() -> Iterator[Readable]:
        for task in tasks:
            under_way.append(task)
            yield task

    for result in engine.run(plan, taken()):
        built = built_without(result) if isinstance(result, Lost) else result
        yield under_way.popleft(), built


def _today() -> int:
    return expiry.day_of(expiry.today())
