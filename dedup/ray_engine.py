"""Work spread over a Ray cluster: an Engine whose workers are actors on its machines.

Ray Data wants all its items before it starts, and fails as a whole when one of them keeps killing
its worker; ``ray.util.ActorPool`` replaces no worker. An Engine takes endless tasks and answers
``Lost``, so this one stands on the actors that both stand on. (In a pipeline of Ray Data itself use
``arrow.ArrowScanner``.)

Every machine needs dedup itself, of the same version, and sees the sources and the index under the
same paths.
"""

import logging
import os
import socket
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic

from dedup.engine import Lost, Result, Task
from dedup.errors import DedupError

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

__all__ = ["RayEngine"]

# One a worker is at, and one that is there already when it is done.
_TASKS_PER_WORKER: Final = 2

# Taken ahead of the result that is waited for: a task may take as long as several others.
_AHEAD_PER_WORKER: Final = 4

# A task that was so often alone with a worker that died ended it itself. A machine that is lost
# takes its tasks with it through no fault of theirs, but not without end.
_MAX_DEATHS: Final = 2
_MAX_MOVES: Final = 10

# Workers that die while they are made, beyond one for each that is wanted.
_MAX_FALSE_STARTS: Final = 4

_PATIENCE_S: Final = 30.0
_CONNECT_S: Final = 10.0


class RayEngine:
    """The Engine that is a Ray cluster.

    Parameters
    ----------
    address : str
        ``host:port`` of the cluster's head, ``ray://host:port`` of its client server, ``auto`` for
        the cluster that this machine belongs to, or ``local`` for one on this machine that lasts as
        long as the work. A session of Ray that this process has already is used as it is.
    workers : int, optional
        How many; by default one for each CPU of the cluster. They are spread over its machines.

    Notes
    -----
    A task whose worker or machine is lost is done again by another, and gives one result. Results
    come through Ray's object store and are let go of as they are yielded.
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be positive, got {workers}")
        self._address = address
        self._workers = workers

    def run(
        self, make: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task]
    ) -> Iterator[Result | Lost[Task]]:
        """``Engine.run``.

        Raises
        ------
        DedupError
            If Ray is not installed, there is no cluster at the address, or no worker can be made.
        """
        ray = _ray()
        is_ours = not ray.is_initialized()
        if is_ours:
            self._connect(ray)
        try:
            workers = self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            yield from _Pool[Task, Result](ray, make, workers).run(tasks)
        finally:
            if is_ours:
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if self._address == "local":
            options.update(num_cpus=self._workers, include_dashboard=False)
        try:
            _require_listener(self._address)
            ray.init(self._address, **options)
        except Exception as error:  # an OSError, a ValueError, or of grpc
            raise DedupError(
                f"no Ray cluster at {self._address!r} ({error}); start one with: ray start --head, "
                "or pass local"
            ) from error


def _require_listener(address: str) -> None:
    """Raise at once where Ray would try for a minute and then end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()


def _ray() -> Any:
    """The module, told to keep to itself what it would print on standard output."""
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of its future
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # here, as it takes long and few need it
    except ImportError as error:
        raise DedupError(
            "Ray is not installed; install it with: pip install 'dedup[ray]'"
        ) from error
    return ray


class _Worker(Generic[Task, Result]):
    """What an actor is made of."""

    def start(self, make: Callable[[], Callable[[Task], Result]], folder: str) -> str:
        """Make the worker, in the folder relative paths start from; says which machine it is on."""
        import ray  # here, where it is sure to be

        with suppress(OSError):  # a folder that is not here has no paths that are
            os.chdir(folder)
        self._work = make()
        return str(ray.get_runtime_context().get_node_id())

    def do(self, task: Task) -> Result:
        """The result of one task."""
        return self._work(task)


@dataclass(eq=False)
class _Place(Generic[Task]):
    """A task in the order of all, and what became of it."""

    task: Task
    deaths: int = 0
    moves: int = 0
    is_suspect: bool = False  # was with a worker that died, so it is done alone
    is_done: bool = False
    outcome: Any = None
    error: BaseException | None = None


@dataclass(eq=False)
class _Actor(Generic[Task]):
    """A worker on the cluster and the tasks it was given, in order."""

    handle: "ActorHandle[Any]"
    node: str
    places: "deque[tuple[ObjectRef[Any], _Place[Task]]]" = field(default_factory=deque)

    def takes(self, place: _Place[Task]) -> bool:
        """Whether it may be given this task now."""
        if place.is_suspect or any(other.is_suspect for _, other in self.places):
            return not self.places
        return len(self.places) < _TASKS_PER_WORKER


class _Pool(Generic[Task, Result]):
    """The workers of one run."""

    def __init__(
        self, ray: Any, make: Callable[[], Callable[[Task], Result]], workers: int
    ) -> None:
        self._ray = ray
        self._make = ray.put(make)
        self._wanted = workers
        self._actors: list[_Actor[Task]] = []
        # Those not made yet, by what says that they are.
        self._starting: dict[ObjectRef[Any], ActorHandle[Any]] = {}
        self._false_starts = 0
        # Taken and not given to a worker, in order.
        self._waiting: deque[_Place[Task]] = deque()

    def run(self, tasks: Iterable[Task]) -> Iterator[Result | Lost[Task]]:
        """The results, in order."""
        left = iter(tasks)
        order: deque[_Place[Task]] = deque()
        try:
            while True:
                for task in islice(left, self._wanted * _AHEAD_PER_WORKER - len(order)):
                    order.append(_Place(task))
                    self._waiting.append(order[-1])
                if not order:
                    return
                while not order[0].is_done:
                    self._go_on()
                place = order.popleft()
                if place.error is not None:
                    raise place.error
                yield place.outcome
        finally:
            for handle in [*(actor.handle for actor in self._actors), *self._starting.values()]:
                self._ray.kill(handle)

    def _go_on(self) -> None:
        """Give tasks out and wait until something happens."""
        self._start_missing()
        self._give_out()
        refs = [*self._starting, *(actor.places[0][0] for actor in self._actors if actor.places)]
        done, _ = self._ray.wait(refs, timeout=None if self._actors else _PATIENCE_S)
        if not done:
            warnings.warn(
                "no worker has started on the Ray cluster yet; it may have no free CPU",
                RuntimeWarning,
                stacklevel=2,
            )
        for ref in done:
            if ref in self._starting:
                self._take_up(ref)
            else:
                self._take_result(ref)

    def _start_missing(self) -> None:
        """Ask for workers, also in the place of those that died, as far as there is work."""
        under_way = sum(len(actor.places) for actor in self._actors)
        wanted = min(self._wanted, len(self._waiting) + under_way)
        actor = self._ray.remote(_Worker).options(num_cpus=1, scheduling_strategy="SPREAD")
        for _ in range(wanted - len(self._actors) - len(self._starting)):
            handle = actor.remote()
            self._starting[handle.start.remote(self._make, str(Path.cwd()))] = handle

    def _give_out(self) -> None:
        """Each next task to the worker that has the fewest."""
        while self._waiting:
            place = self._waiting[0]
            free = [actor for actor in self._actors if actor.takes(place)]
            if not free:
                return
            actor = min(free, key=lambda actor: len(actor.places))
            actor.places.append((actor.handle.do.remote(place.task), self._waiting.popleft()))

    def _take_up(self, ref: "ObjectRef[Any]") -> None:
        """Use a worker that was asked for from now on."""
        handle = self._starting.pop(ref)
        try:
            self._actors.append(_Actor(handle, self._ray.get(ref)))
        except self._ray.exceptions.RayTaskError as error:
            cause = _cause_of(error)
            if isinstance(cause, self._ray.exceptions.RaySystemError):
                raise DedupError(
                    "a machine of the Ray cluster cannot load the work "
                    f"({str(cause).splitlines()[0]}); install the same dedup[ray] on all of them"
                ) from None
            raise cause from None
        except self._ray.exceptions.RayError as error:
            self._false_starts += 1
            if self._false_starts > self._wanted + _MAX_FALSE_STARTS:
                raise DedupError(
                    f"workers on the Ray cluster die as they start: {_reason_of(error)}"
                ) from None

    def _take_result(self, ref: "ObjectRef[Any]") -> None:
        exceptions = self._ray.exceptions
        actor = next(a for a in self._actors if a.places and a.places[0][0] == ref)
        place = actor.places[0][1]
        try:
            place.outcome = self._ray.get(ref)
        except exceptions.RayTaskError as error:
            place.error = _cause_of(error)
        except exceptions.ObjectLostError as error:  # made, but it went with its machine
            actor.places.popleft()
            self._again(place, _reason_of(error))
            return
        except exceptions.RayError as error:
            self._bury(actor, error)
            return
        place.is_done = True
        actor.places.popleft()

    def _bury(self, actor: _Actor[Task], error: Exception) -> None:
        """Give up a worker that died or cannot be reached, and take back its tasks."""
        self._actors.remove(actor)
        self._ray.kill(actor.handle)
        # Whoever reports the end of a worker process is a machine that goes on.
        unreachable = self._ray.exceptions.ActorUnavailableError
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        if actor.node in alive and not isinstance(error, unreachable):
            for _, place in actor.places:
                place.is_suspect = True
                place.deaths += len(actor.places) == 1
        for _, place in reversed(actor.places):
            self._again(place, _reason_of(error))

    def _again(self, place: _Place[Task], reason: str) -> None:
        """Do a task once more, before all others, if it is not too often."""
        place.moves += 1
        if place.deaths < _MAX_DEATHS and place.moves < _MAX_MOVES:
            self._waiting.appendleft(place)
        else:
            place.outcome = Lost(place.task, reason)
            place.is_done = True


def _cause_of(error: Any) -> BaseException:
    """What was raised where the work is done."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, BaseException) else error


def _reason_of(error: Exception) -> str:
    """The end of what Ray says of a worker's death, without the advice on causes."""
    text = " ".join(str(error).split()).partition(" Some common causes")[0]
    return text.rpartition(" The actor is dead because ")[2]
