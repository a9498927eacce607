"""The worker of a scan: a task in, what it adds to each output out.

Made where it works from a Brief, which is sent there; the index is opened there, once, and has to
be the one that the scan began with.
"""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, cast

from dedup.baseline import Baseline
from dedup.batch import Batch, Task
from dedup.document import Document, SourceNote, SourceProblem
from dedup.engine import Lost, peak_memory
from dedup.errors import DedupError
from dedup.index import Index
from dedup.key import Key
from dedup.policy import Policy
from dedup.scanning.row import Row, encoded, error_row, problem_row
from dedup.scanning.scanner import Judged, Scanner, batches
from dedup.scanning.tally import Tally

__all__ = ["Brief", "Done", "Protected", "Worker", "done_without", "process_name"]

_DROPPED: Final = ("redact", "block")
_LABELS: Final = ("corpus", "licence", "owner", "url")


@dataclass(frozen=True, slots=True)
class Protected:
    """An index in one state, as it can be opened somewhere else.

    Keys travel by value: where the work is done there may be no file of them.
    """

    path: str
    keys: tuple[Key, ...]
    fingerprint: str

    @classmethod
    def of(cls, index: Index) -> "Protected":
        """An index that is open here."""
        snapshot = index.snapshot
        secrets = {secret for secret in snapshot.secrets.values() if secret}
        path = os.path.abspath(index.path)  # noqa: PTH100 keeps the links
        return cls(path, tuple(map(Key, sorted(secrets))), snapshot.fingerprint)

    def open(self) -> Index:
        """It, for reading.

        Raises
        ------
        DedupError
            If it is in another state now.
        """
        index = Index.open(self.path, key=self.keys)
        if index.snapshot.fingerprint != self.fingerprint:
            index.close()
            raise DedupError(
                f"{self.path}: the index changed while it was scanned with; start again, and scan "
                "with a copy if it has to change meanwhile"
            )
        return index


@dataclass(frozen=True, slots=True)
class Brief:
    """What makes the worker of a scan; pickles.

    Attributes
    ----------
    index, background : Protected
        What is protected, what is permitted.
    policy : Policy
    baseline : Baseline, optional
        What was accepted before.
    matches_only : bool
        Rows only of documents with matches that count, and of what could not be judged.
    excerpts : bool
        Matches have the passage.
    drops, cleans : bool
        Ids to drop, cleaned documents are wanted too.
    """

    index: Protected
    policy: Policy
    background: tuple[Protected, ...] = ()
    baseline: Baseline | None = None
    matches_only: bool = False
    excerpts: bool = False
    drops: bool = False
    cleans: bool = False

    def __call__(self) -> "Worker":
        """The worker."""
        return Worker(self)


@dataclass(frozen=True, slots=True)
class Done:
    """What one task adds to each output, to the tally, and to the list of problems.

    ``peak_bytes`` is the most memory that ``process`` had so far.
    """

    rows: bytes = b""
    drops: bytes = b""
    cleaned: bytes = b""
    tally: Tally = field(default_factory=Tally)
    problems: tuple[str, ...] = ()
    process: str = ""
    peak_bytes: int = 0


class Worker:
    """Judges the documents of one task after the other; made by a Brief."""

    def __init__(self, brief: Brief) -> None:
        self._brief = brief
        self._opened = ExitStack()
        index = self._opened.enter_context(brief.index.open())
        background = [self._opened.enter_context(one.open()) for one in brief.background]
        self._scanner = Scanner(index, brief.policy, background=background, baseline=brief.baseline)

    def __call__(self, task: Task) -> Done:
        """What became of one task."""
        brief = self._brief
        tally = Tally()
        rows: list[bytes] = []
        drops: list[bytes] = []
        cleaned: list[bytes] = []
        problems: list[str] = []
        for judged, row in self._judged(task, tally):
            tally.see(row)
            if row["action"] is None:
                problems.append(row["error"])
            if row["matches"] or row["exempted"] or row["error"] or not brief.matches_only:
                rows.append(encoded(row))
            if judged is None:
                continue
            if brief.drops and row["action"] in _DROPPED:
                drops.append(_id_line(row["document"]))
            if brief.cleans and row["action"] is not None:
                cleaned.append(_cleaned(judged, brief.policy))
        return Done(
            b"".join(rows),
            b"".join(drops),
            b"".join(cleaned),
            tally,
            tuple(problems),
            process_name(),
            peak_memory(),
        )

    def _judged(self, task: Task, tally: Tally) -> Iterator[tuple[Judged | None, Row]]:
        """Each document with its row, and the rows of what could not be read, in their order."""
        for are_texts, items in groupby(_read(task, tally), lambda item: type(item) is Document):
            if are_texts:
                for batch in batches(cast(Iterator[Document], items)):
                    for judged in self._scanner.judge(batch):
                        yield judged, judged.row(excerpts=self._brief.excerpts)
            else:
                for problem in cast(Iterator[SourceProblem], items):
                    yield None, problem_row(problem)


def done_without(lost: Lost[Task]) -> Done:
    """What is said of a task that no worker lived through."""
    task = lost.task
    reason = f"two workers ended over it ({lost.reason}); it is not judged"
    if isinstance(task, Batch):
        names = [item.id for item in task.items if isinstance(item, Document)]
    else:
        names = [task.source]
    tally = Tally()
    rows = [error_row(name, f"{name}: {reason}") for name in names]
    for row in rows:
        tally.see(row)
    problems = tuple(row["error"] for row in rows)
    return Done(b"".join(map(encoded, rows)), tally=tally, problems=problems)


def process_name() -> str:
    """This process among all of a cluster."""
    return f"{platform.node()} {os.getpid()}"


def _read(task: Task, tally: Tally) -> Iterator[Document | SourceProblem]:
    """Documents and problems of a task; notes are counted."""
    try:
        for item in task.read():
            if isinstance(item, SourceNote):
                tally.note(item)
            else:
                yield item
    except Exception as error:
        # A mistake of ours, or no memory for one document: the rest of the scan is still of use.
        reason = f"{type(error).__name__}: {error}; what follows in this part is not judged"
        yield SourceProblem(task.source, "", reason)


def _id_line(id: str) -> bytes:
    """An id by itself; as a JSON string if it would not be one line that stands for itself."""
    is_plain = id.isprintable() and id == id.strip() and not id.startswith('"')
    return (id if is_plain else json.dumps(id)).encode() + b"\n"


def _cleaned(judged: Judged, policy: Policy) -> bytes:
    """The document as a row of JSON lines, without what is protected; none if nothing is left."""
    import msgspec  # here, so that `import dedup` stays quick

    document = judged.document
    text = policy.without(document.text, judged.verdict.rulings)
    if document.text and not text.strip():
        return b""
    labels = {name: value for name in _LABELS if (value := getattr(document, name))}
    return msgspec.json.encode({"id": document.id, "text": text, **labels}) + b"\n"
