"""A corpus, checked against an index: ``dedup scan`` as a function.

Sources in; a row for each of their documents out, in the order of the sources, the same bytes
whatever the number of workers. What cannot be read or judged is a row of its own and a problem in
the summary: nothing is left out in silence.
"""

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias

from dedup.baseline import Baseline
from dedup.batch import Task, tasks_of, with_text
from dedup.encoding import Encoding
from dedup.engine import Engine, LocalEngine, Lost, peak_memory
from dedup.errors import DedupError
from dedup.index import Index
from dedup.key import Key
from dedup.partition import partitions
from dedup.policy import Policy
from dedup.reading import Reading
from dedup.scanning.checkpoint import Checkpoint, digest_with
from dedup.scanning.outputs import ROWS, Outputs, RowWriter, StreamOutput, writer_of
from dedup.scanning.row import ROW_SCHEMA_VERSION, Row
from dedup.scanning.tally import Tally
from dedup.scanning.work import Brief, Protected, done_without, process_name

__all__ = ["ScanProgress", "ScanSummary", "scan"]

# What is lost when a scan is killed, and what its checkpoints cost, is about a hundredth of that.
_CHECKPOINT_S: Final = 1.0

Keys: TypeAlias = Key | Iterable[Key] | Literal["default"] | None


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How far a scan is.

    Attributes
    ----------
    tally : Tally
        What it has counted, earlier runs that it resumes included.
    tasks, read_bytes : int
        How many parts of the sources are done, and about how much of them that is, packed as they
        are.
    seconds : float
        How long it took, over all runs.
    """

    tally: Tally
    tasks: int
    read_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What became of a scan.

    Attributes
    ----------
    tally : Tally
        What it counted: ``documents``, ``bytes``, ``problems``, ``actions``, ``corpora``...
    seconds : float
        How long it took, over all runs.
    resumed_tasks : int
        How many parts were done already.
    peak_bytes : int
        The most memory of this process and its workers together, at most: pages of the index,
        which they share, count for each.
    """

    tally: Tally
    seconds: float
    resumed_tasks: int
    peak_bytes: int

    @property
    def is_complete(self) -> bool:
        """Whether all could be read and judged."""
        return not self.tally.problems


def scan(
    sources: Iterable[str | os.PathLike[str]],
    index: str | Path,
    output: str | Path | IO[bytes],
    *,
    policy: Policy | None = None,
    key: Keys = "default",
    background: Sequence[str | Path] = (),
    baseline: Baseline | None = None,
    reading: Reading | None = None,
    shard: tuple[int, int] = (1, 1),
    engine: Engine | None = None,
    resume: bool = False,
    matches_only: bool = False,
    excerpts: bool = False,
    drop_list: str | Path | None = None,
    cleaned: str | Path | None = None,
    write: RowWriter | None = None,
    watch: Callable[[Row], object] | None = None,
    problem: Callable[[str], object] | None = None,
    progress: Callable[[ScanProgress], object] | None = None,
    checkpoint_s: float = _CHECKPOINT_S,
) -> ScanSummary:
    """Check every document of the sources against an index, and write a row about each.

    Parameters
    ----------
    sources : iterable of paths
        As in ``dedup index add``.
    index : path
        What is protected. It must not change meanwhile.
    output : path or binary stream
        Where rows go (see ``scanning.row``): JSON lines, packed if the name ends in ``.gz`` or
        ``.zst``, or ``.parquet``. A file appears when all is done; to a stream rows go as they
        come, and there is nothing to resume.
    policy : Policy, optional
        ``Policy.balanced()`` if not given. Its ``on_error`` does not count: what cannot be judged
        has no action.
    key : Key, iterable of Key, "default" or None
        As in ``Index.open``, of all indexes.
    background : sequence of paths
        Indexes of what is permitted.
    baseline : Baseline, optional
        What was found and accepted before.
    reading : Reading, optional
        How the sources are read; if not given, what is not UTF-8 is guessed at. The index and the
        outputs are never read, though they lie inside a source.
    shard : (i, n)
        Do the i-th of n about equal parts, from 1: the parts are disjoint and together all.
    engine : Engine, optional
        Where the work is done; ``LocalEngine()`` if not given.
    resume : bool
        Go on with a scan to the same output that was cut short. The outputs are the same, byte for
        byte, as if it had not been.
    matches_only : bool
        Leave out rows of documents in which nothing was found.
    excerpts : bool
        Rows hold the passages that were found. Without it they hold nothing of any text.
    drop_list : path, optional
        Gets the ids of documents that the policy redacts or blocks, one a line; one that would not
        stand for itself on a line, or begins with ``"``, is a JSON string.
    cleaned : path, optional
        Gets the documents, as JSON lines (``id``, ``text`` and labels), with the policy's notice in
        the place of each passage that it redacts or blocks; with ``notice = ""`` they are cut out.
        What could not be judged, and a document of which nothing is left, is not in it.
    write : function, optional
        Makes the output of the rows, instead of what its name says.
    watch : function, optional
        Called with each row at the end, before the outputs appear.
    problem : function, optional
        Called with each problem, in one line, as it is met.
    progress : function, optional
        Called whenever a part is done.
    checkpoint_s : float
        How often progress is made durable.

    Raises
    ------
    DedupError
        If there is nothing to resume or something else was begun, if the index or the sources
        changed, if the disk is full. What was done stays, and can be resumed.
    ValueError
        If ``shard`` is no part.
    OSError, WrongKey, FormatError
        If the index cannot be opened.
    """
    number, of = shard
    if not 1 <= number <= of:
        raise ValueError(f"shard is a part of all, from 1/1 to n/n, got {number}/{of}")
    sources = [os.fspath(source) for source in sources]
    keys = key if key is None or isinstance(key, str | Key) else list(key)
    rules = Policy.balanced() if policy is None else policy
    brief = Brief(
        index=_protected(index, keys),
        policy=rules,
        background=tuple(_protected(path, keys) for path in background),
        baseline=baseline,
        matches_only=matches_only,
        excerpts=excerpts,
        drops=drop_list is not None,
        cleans=cleaned is not None,
    )
    engine = LocalEngine() if engine is None else engine
    run = _Run(engine, brief, problem or _ignore, progress or _ignore, checkpoint_s)
    how = reading or Reading(encoding=Encoding(is_guessed=True))

    def tasks(*outputs: Path) -> Iterator[Task]:
        skipped = map(os.path.abspath, (index, *background, *outputs))
        listed = partitions(sources, replace(how, skip=(*how.skip, *skipped)))
        mine = tasks_of(one for one in listed if one.number % of == number - 1)
        return with_text(mine) if of == 1 else mine

    if not isinstance(output, str | Path):
        if drop_list is not None or cleaned is not None or resume or write or watch:
            raise ValueError("rows that go to a stream are all there is; give a path for more")
        return run.to_stream(tasks(), StreamOutput(output))

    named = {ROWS: output, "drops": drop_list, "cleaned": cleaned}
    paths = {name: Path(path) for name, path in named.items() if path is not None}
    if len({path.absolute() for path in paths.values()}) < len(paths):
        raise ValueError("the outputs need names of their own")
    makers = {name: writer_of(path) for name, path in paths.items()}
    write = write or makers[ROWS]
    asked = {
        "the sources": sources,
        "how they are read": _digest(how),
        "the index": brief.index.fingerprint,
        "the policy": _digest(rules),
        "the background": [one.fingerprint for one in brief.background],
        "the baseline": _digest(baseline),
        "--shard": f"{number}/{of}",
        "--matches-only": matches_only,
        "the excerpts of the format": excerpts,
        "--drop-list": str(drop_list or ""),
        "--cleaned": str(cleaned or ""),
        "dedup": _release(),
    }
    with Outputs(paths) as outputs:
        start = _start(outputs, asked, resume)
        summary = run.to_files(tasks(*outputs.files), outputs, start)
        if watch is not None:
            for row in outputs.rows():
                watch(row)
        outputs.finish(write)
    return summary


def _start(outputs: Outputs, asked: dict[str, Any], resume: bool) -> Checkpoint:
    """Where to begin: at the beginning, or where an earlier run ended."""
    path = outputs.paths[ROWS]
    last = Checkpoint.read(outputs.checkpoint_path)
    if last is not None and not resume:
        raise DedupError(
            f"{path}: a scan to it was cut short after {last.tally.documents:,} documents; go on "
            f"with --resume, or remove {outputs.checkpoint_path} to start again"
        )
    if last is not None:
        last.check(asked)
    elif resume and path.exists():
        raise DedupError(
            f"{path}: finished, so there is nothing to resume; leave out --resume to scan again"
        )
    start = last or Checkpoint(asked)
    outputs.begin(start)
    if last is None:
        outputs.save(start)
    return start


class _Run:
    """The work of one call of ``scan``."""

    def __init__(
        self,
        engine: Engine,
        brief: Brief,
        problem: Callable[[str], object],
        progress: Callable[[ScanProgress], object],
        checkpoint_s: float,
    ) -> None:
        self._engine = engine
        self._brief = brief
        self._problem = problem
        self._progress = progress
        self._checkpoint_s = checkpoint_s
        self._began = time.monotonic()
        self._peaks: dict[str, int] = {}

    def to_stream(self, tasks: Iterator[Task], output: StreamOutput) -> ScanSummary:
        start = Checkpoint({})
        with closing(self._work(tasks, output, start, 0)) as states:
            last = deque(states, maxlen=1)
        return self._summary(last[0] if last else start, 0)

    def to_files(self, tasks: Iterator[Task], outputs: Outputs, start: Checkpoint) -> ScanSummary:
        if start.is_finished:
            return self._summary(start, start.tasks)
        digest, read_bytes = "", 0
        for task in islice(tasks, start.tasks):
            digest = digest_with(digest, task)
            read_bytes += task.bytes
        if digest != start.digest:
            raise DedupError(
                "cannot resume: the sources changed since they were scanned; remove "
                f"{outputs.checkpoint_path} to start again"
            )
        state = saved = start
        try:
            saved_at = time.monotonic()
            with closing(self._work(tasks, outputs, start, read_bytes)) as states:
                for state in states:
                    if time.monotonic() - saved_at >= self._checkpoint_s:
                        outputs.save(state)
                        saved, saved_at = state, time.monotonic()
            state = replace(state, is_finished=True)
            outputs.save(state)
        except BaseException:
            if state is not saved:
                with suppress(DedupError):
                    outputs.save(state)
            raise
        return self._summary(state, start.tasks)

    def _work(
        self,
        tasks: Iterator[Task],
        output: Outputs | StreamOutput,
        state: Checkpoint,
        read_bytes: int,
    ) -> Generator[Checkpoint, None, None]:
        """Do the tasks; how far it is after each of them."""
        before_s = state.seconds
        taken: deque[tuple[str, int]] = deque()

        def noted() -> Iterator[Task]:
            digest = state.digest
            for task in tasks:
                digest = digest_with(digest, task)
                taken.append((digest, task.bytes))
                yield task

        results = self._engine.run(self._brief, noted())
        for done in results:
            if isinstance(done, Lost):
                done = done_without(done)
            output.add(done)
            digest, size = taken.popleft()
            seconds = before_s + time.monotonic() - self._began
            # One assignment: an interrupt finds what was done before the task, or with it.
            state = replace(
                state,
                tasks=state.tasks + 1,
                digest=digest,
                lengths=dict(output.lengths),
                tally=state.tally.plus(done.tally),
                seconds=seconds,
            )
            yield state
            self._peaks[done.process] = max(done.peak_bytes, self._peaks.get(done.process, 0))
            for line in done.problems:
                self._problem(line)
            read_bytes += size
            self._progress(ScanProgress(state.tally, state.tasks, read_bytes, seconds))

    def _summary(self, state: Checkpoint, resumed_tasks: int) -> ScanSummary:
        self._peaks[process_name()] = peak_memory()
        return ScanSummary(
            tally=state.tally,
            seconds=state.seconds,
            resumed_tasks=resumed_tasks,
            peak_bytes=sum(self._peaks.values()),
        )


def _protected(path: str | Path, keys: Keys) -> Protected:
    with Index.open(path, key=keys) as index:
        return Protected.of(index)


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def _release() -> str:
    from dedup import __version__  # here, as the package is being imported when this file is

    return f"{__version__}, rows of schema {ROW_SCHEMA_VERSION}"


def _ignore(_: object) -> None:
    pass
