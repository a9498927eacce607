"""The workers of a parallel add: tasks in, segments in the folder of the index out.

Each reads, parses and fingerprints on its own, against the generation that the writer began with;
the writer adopts what they built, in the order of the tasks, and commits once. What a worker leaves
alone, as it is there already, it names: if an earlier task of the same add replaced it meanwhile,
the writer does that task again itself.
"""

import os
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dedup import _core
from dedup.document import Document, SourceNote, SourceProblem, size_of
from dedup.draft import Draft
from dedup.engine import Lost, peak_memory
from dedup.errors import DedupError
from dedup.key import Key, KeyRing
from dedup.manifest import Entry, Manifest
from dedup.parsers import Parsers
from dedup.snapshot import Snapshot

__all__ = ["Builder", "Built", "Plan", "Readable", "built_without"]


class Readable(Protocol):
    """A task of an add: a Partition, a Batch, or what else gives documents wherever it is."""

    @property
    def source(self) -> str:
        """What it belongs to, for messages."""
        ...

    def read(self) -> Iterable[Document | SourceProblem | SourceNote]:
        """Its documents, problems and notes; the same each time."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes a Builder; pickles, unless it has a storage.

    Attributes
    ----------
    path : Path
        The index, as every worker sees it.
    keys : tuple of Key
        Those it is under. They travel by value: elsewhere there may be no file of them.
    fingerprint : str
        The state that the writer began with.
    memory_bytes : int
        How much a worker holds in memory before it is written as a segment.
    storage : Storage, optional
        Makes the system calls; tests put faults in.
    """

    path: Path
    keys: tuple[Key, ...]
    manifest: Manifest
    memory_bytes: int
    storage: _core.Storage | None = None

    @classmethod
    def of(
        cls, snapshot: Snapshot, memory_bytes: int, storage: _core.Storage | None = None
    ) -> "Plan":
        """The plan for an index that is open here."""
        keys = {secret for secret in snapshot.secrets.values() if secret}
        path = Path(os.path.abspath(snapshot.path))  # noqa: PTH100 keeps the links
        return cls(path, tuple(map(Key, sorted(keys))), snapshot.manifest, memory_bytes, storage)

    def __call__(self) -> "Builder":
        """The worker."""
        return Builder(self)


@dataclass(frozen=True, slots=True)
class Built:
    """What a worker made of one task.

    Attributes
    ----------
    segments : tuple of Entry
        Those it wrote, in order, and what in them was replaced by a later one of the task.
    unchanged : tuple of str
        Ids of the documents that it left alone as they are in the index already.
    documents, bytes : int
        How many were read, and their UTF-8.
    licences : dict
        How many documents are under each.
    problems, notes : tuple
        What could not be read, what was left out.
    parses : dict
        How many parses of code came to what.
    peak_bytes : int
        The most memory the worker had so far.
    """

    segments: tuple[Entry, ...] = ()
    unchanged: tuple[str, ...] = ()
    documents: int = 0
    bytes: int = 0
    licences: dict[str, int] = field(default_factory=dict)
    problems: tuple[SourceProblem, ...] = ()
    notes: tuple[SourceNote, ...] = ()
    parses: dict[str, int] = field(default_factory=dict)
    peak_bytes: int = 0


class Builder:
    """Builds segments of one task after the other; made by a Plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._storage = plan.storage or _core.Storage()
        self._ring = KeyRing(plan.keys)
        self._parsers = Parsers()
        self._snapshot = Snapshot.read(plan.path, self._ring, self._storage, self._parsers)
        if self._snapshot.manifest != plan.manifest:
            raise DedupError(
                f"{plan.path}: a worker sees another state of the index than its writer; it has to "
                "be in one folder that all machines share"
            )
        self._temporary = f"segment-{secrets.token_hex(8)}"

    def __call__(self, task: Readable) -> Built:
        """What became of one task."""
        draft = Draft(self._snapshot, self._ring, self._storage, self._parsers, self._temporary)
        before = Counter(self._parsers.counts)
        documents = size = 0
        licences: Counter[str] = Counter()
        unchanged: list[str] = []
        problems: list[SourceProblem] = []
        notes: list[SourceNote] = []
        for item in task.read():
            if isinstance(item, SourceProblem):
                problems.append(item)
                continue
            if isinstance(item, SourceNote):
                notes.append(item)
                continue
            documents += 1
            size += size_of(item.text)
            licences[item.licence] += 1
            if not draft.add(item) and draft.stands(item.id):
                unchanged.append(item.id)
            if draft.memory_bytes > self._plan.memory_bytes:
                draft.flush()
        draft.flush()
        return Built(
            tuple(part.as_of_now() for part in draft.added),
            tuple(unchanged),
            documents,
            size,
            dict(licences),
            tuple(problems),
            tuple(notes),
            dict(Counter(self._parsers.counts) - before),
            peak_memory(),
        )


def built_without(lost: Lost[Readable]) -> Built:
    """What stands for a task that no worker lived through."""
    reason = f"two workers ended over it ({lost.reason}); it is not protected"
    return Built(problems=(SourceProblem(lost.task.source, "", reason),))
