"""Work spread over workers: the same results, in the same order, however many there are.

A worker is made once where it works, by a factory that can be sent there, and then called with one
task after the other. What it needs (an index, mapped) it opens when it is made.

    SerialEngine      this process
    LocalEngine       processes of this machine, each replaced when it dies

Not concurrent.futures: there one dead worker breaks the whole pool, and it does not say which task
it had; and a spawned worker runs the main module of the caller again.
"""

import os
import pickle
import resource
import selectors
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from dedup import engine_worker
from dedup.errors import DedupError

__all__ = ["Engine", "LocalEngine", "Lost", "SerialEngine", "peak_memory", "usable_cores"]

Task = TypeVar("Task")
Result = TypeVar("Result")

# Tasks taken and not yet given out, per worker: so far the quick may run ahead of a slow one.
_AHEAD: Final = 4
# What ends its worker twice is lost; once may be a neighbour's appetite for memory.
_ATTEMPTS: Final = 2
# Workers in a row that end before they can take a task: no task is to blame, and none would do.
_MAX_FAILED_STARTS: Final = 3
_EXIT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Lost(Generic[Task]):
    """What comes in the place of a result if the task ended its worker, twice."""

    task: Task
    reason: str


class Engine(Protocol):
    """Where work is done: this process, several of this machine, a cluster."""

    def run(
        self, make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result | Lost[Task]]:
        """The result of each task, in the order of the tasks.

        Lazy on both sides: tasks are taken a few ahead of the result that is waited for, so an
        endless iterable is fine. `make`, tasks and results are pickled where the work is done
        elsewhere. What a worker raises is raised here.
        """
        ...


class SerialEngine:
    """The Engine that is this process."""

    def run(
        self, make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result | Lost[Task]]:
        """``Engine.run``."""
        work = make()
        yield from map(work, tasks)


class LocalEngine:
    """The Engine that is processes of this machine.

    A worker that dies, whatever of, is replaced and its task tried once more. All of them end when
    the iterator does or is closed, and when this process is gone, however it went.

    Parameters
    ----------
    jobs : int, optional
        How many processes; as many as there are usable cores if not given.

    Notes
    -----
    The processes are started afresh, not forked, so threads here do no harm; what they run is
    imported, so `make` must not be of the ``__main__`` module.
    """

    def __init__(self, jobs: int | None = None) -> None:
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs is a number of processes, at least 1, got {jobs}")
        self.jobs = jobs or usable_cores()

    def run(
        self, make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result | Lost[Task]]:
        """``Engine.run``."""
        crew = _Crew(pickle.dumps(make), self.jobs)
        try:
            yield from crew.results(iter(tasks))
        finally:
            crew.stop()


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory() -> int:
    """The most memory this process had so far, in bytes."""
    # Not ru_maxrss where it can be helped: there it began with that of the process it came from.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


@dataclass(slots=True)
class _Order:
    """A task that was taken: its place among all, and how often it ended its worker."""

    number: int
    task: Any
    failures: int = 0


class _Dead(Exception):
    """A worker is gone; the message says how."""


class _Worker:
    """A process and the one socket to it."""

    def __init__(self, make: bytes) -> None:
        ours, theirs = socket.socketpair()
        try:
            # -I: nothing of the environment changes what is imported, and the folder of the script
            # is not searched. A group of its own: an interrupt from the terminal is for us.
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", engine_worker.__file__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                process_group=0,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.socket = ours
        self.order: _Order | None = None
        self.is_ready = False
        self._make = make

    def greet(self) -> None:
        """Say what it is to run; it answers when it is ready."""
        path = [entry or os.getcwd() for entry in sys.path]  # noqa: PTH109
        self._send(pickle.dumps(path))
        self._send(self._make)

    def begin(self, order: _Order) -> None:
        self.order = order
        self._send(pickle.dumps(order.task))

    def receive(self) -> tuple[str, Any]:
        """What it says next.

        Raises
        ------
        _Dead
            If it will say nothing any more.
        """
        try:
            message = engine_worker.receive(self.socket)
        except OSError:
            message = None
        if message is None:
            raise _Dead(self._cause_of_death())
        kind, value = pickle.loads(message)  # noqa: S301 from a child of ours
        return kind, value

    def stop(self) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def _send(self, message: bytes) -> None:
        try:
            engine_worker.send(self.socket, message)
        except OSError:
            raise _Dead(self._cause_of_death()) from None

    def _cause_of_death(self) -> str:
        try:
            status = self.process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            return "closed its end and did not end itself"
        if status == -signal.SIGKILL:
            return "killed (SIGKILL), as the system does when memory runs out"
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"ended with status {status}"


class _Crew:
    """The workers of one run, and what they have in hand."""

    def __init__(self, make: bytes, jobs: int) -> None:
        self._make = make
        self._jobs = jobs
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self._failed_starts = 0
        self._waiting: deque[_Order] = deque()
        self._done: dict[int, Any] = {}

    def results(self, tasks: Iterator[Any]) -> Iterator[Any]:
        taken = given = 0
        is_over = False
        while True:
            while given in self._done:
                yield self._done.pop(given)
                given += 1
            # One for each worker lies ready, so that none waits while a task is read.
            wanted = len(self._waiting) < self._jobs and taken - given < _AHEAD * self._jobs
            if not is_over and wanted:
                try:
                    self._waiting.append(_Order(taken, next(tasks)))
                    taken += 1
                except StopIteration:
                    is_over = True
                self._hand_out()
                self._listen(0.0)
            elif is_over and given == taken:
                return
            else:
                self._hand_out()
                # Handing out may have found the last worker dead and its task lost.
                self._listen(None if self._workers and given not in self._done else 0.0)

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._workers.clear()
        self._selector.close()

    def _hand_out(self) -> None:
        """Give what waits to workers that have nothing to do; start some if there are too few."""
        idle = deque(worker for worker in self._workers if worker.is_ready and not worker.order)
        while self._waiting and idle:
            worker, order = idle.popleft(), self._waiting.popleft()
            try:
                worker.begin(order)
            except _Dead as dead:
                self._bury(worker, str(dead))
        while len(self._workers) < self._jobs and len(self._waiting) > self._starting:
            worker = _Worker(self._make)
            self._workers.append(worker)
            self._selector.register(worker.socket, selectors.EVENT_READ, worker)
            try:
                worker.greet()
            except _Dead as dead:
                self._bury(worker, str(dead))

    @property
    def _starting(self) -> int:
        return sum(not worker.is_ready for worker in self._workers)

    def _listen(self, patience_s: float | None) -> None:
        for key, _ in self._selector.select(patience_s):
            worker: _Worker = key.data
            try:
                kind, value = worker.receive()
            except _Dead as dead:
                self._bury(worker, str(dead))
                continue
            if kind == engine_worker.RAISED:
                raise value
            if kind == engine_worker.READY:
                worker.is_ready = True
                self._failed_starts = 0
            elif worker.order is not None:
                self._done[worker.order.number] = value
                worker.order = None

    def _bury(self, worker: _Worker, reason: str) -> None:
        """See to what a dead worker leaves: its task is tried again, or lost."""
        self._selector.unregister(worker.socket)
        self._workers.remove(worker)
        worker.stop()
        order = worker.order
        if order is None:
            self._failed_starts += not worker.is_ready
            if self._failed_starts == _MAX_FAILED_STARTS:
                raise DedupError(
                    f"no worker process starts, the last was {reason}; see whether memory and "
                    "processes are to be had, or run fewer jobs"
                )
            return
        order.failures += 1
        if order.failures < _ATTEMPTS:
            self._waiting.appendleft(order)
        else:
            self._done[order.number] = Lost(order.task, reason)
