"""Work spread over workers: the same results, in the same order, however many there are.

A worker is made once where it works, by a factory that can be sent there, and then called with one
task after the other. What it needs (an index, mapped) it opens when it is made.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

__all__ = ["Engine", "Lost", "SerialEngine"]

Task = TypeVar("Task")
Result = TypeVar("Result")


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
