"""On a real cluster of two nodes work gives what it gives in one process, whatever dies."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dedup.engine import Lost, SerialEngine
from dedup.errors import DedupError
from dedup.ray_engine import RayEngine

pytest.importorskip("ray")

# Lines that Ray prints here would be taken for results; see ``ray_engine``.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head with two CPUs; tests add a second node. Its workers find the tests too."""
    from ray.cluster_utils import Cluster

    here = Path(__file__).parent
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join([str(here.parent), str(here)]))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
        yield cluster
        cluster.shutdown()


@pytest.fixture
def second(cluster: Any) -> Iterator[Any]:
    """A second node, which the test may remove."""
    node = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.worker_nodes:
        cluster.remove_node(node)


@dataclass(frozen=True)
class Square:
    """A worker that squares numbers, says where, and ends itself as told.

    It leaves a line in a file for each task that it finishes.
    """

    log: Path
    dies_once_at: int = -1
    dies_at: int = -1

    def __call__(self) -> Callable[[int], tuple[int, str]]:
        import ray

        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""

        def square(number: int) -> tuple[int, str]:
            if number == self.dies_once_at and not self.log.with_name("died").exists():
                self.log.with_name("died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if number == self.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.02)
            with self.log.open("a") as log:
                log.write(f"{number}\n")
            return number * number, node

        return square


def test_results_come_in_order_from_both_nodes(cluster: Any, second: Any, tmp_path: Path) -> None:
    make = Square(tmp_path / "log")
    results = list(RayEngine(cluster.address).run(make, range(60)))
    serial = list(SerialEngine().run(make, range(60)))
    assert [square for square, _ in results] == [square for square, _ in serial]
    nodes = {node for _, node in results}
    assert len(nodes) == 2 and "" not in nodes


def test_tasks_are_taken_a_few_ahead_of_the_results(cluster: Any, tmp_path: Path) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            yield taken
            taken += 1

    results = RayEngine(cluster.address, workers=2).run(Square(tmp_path / "log"), endless())
    assert [next(results)[0] for _ in range(20)] == [n * n for n in range(20)]  # type: ignore[index]
    assert taken <= 20 + 2 * 4
    results.close()  # type: ignore[attr-defined]


def test_a_node_lost_in_the_middle_loses_nothing(cluster: Any, second: Any, tmp_path: Path) -> None:
    results, nodes = [], set()
    for square, node in RayEngine(cluster.address).run(Square(tmp_path / "log"), range(120)):
        results.append(square)
        nodes.add(node)
        if len(results) == 40:
            assert len(nodes) == 2
            cluster.remove_node(second, allow_graceful=False)
    assert results == [n * n for n in range(120)]
    again = Counter((tmp_path / "log").read_text().split())
    assert set(again) == {str(n) for n in range(120)}
    assert again.total() < 120 + 10  # no more is done twice than was under way


def test_a_task_that_kills_its_worker_is_lost_and_no_other(cluster: Any, tmp_path: Path) -> None:
    make = Square(tmp_path / "log", dies_once_at=5, dies_at=11)
    results = list(RayEngine(cluster.address, workers=2).run(make, range(20)))
    lost = results.pop(11)
    assert isinstance(lost, Lost) and lost.task == 11 and "worker process has died" in lost.reason
    assert [square for square, _ in results] == [n * n for n in range(20) if n != 11]


@dataclass(frozen=True)
class Raises:
    """A worker that cannot be made, or that raises."""

    at: int | None

    def __call__(self) -> Callable[[int], int]:
        if self.at is None:
            raise FileNotFoundError("no index here")

        def work(number: int) -> int:
            if number == self.at:
                raise ValueError("is not well")
            return number

        return work


def test_what_a_worker_raises_is_raised_in_its_place(cluster: Any) -> None:
    results = RayEngine(cluster.address, workers=2).run(Raises(3), range(9))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"^is not well$"):
        next(results)
    with pytest.raises(FileNotFoundError, match=r"^no index here$"):
        next(RayEngine(cluster.address).run(Raises(None), range(9)))


def test_a_cluster_that_is_not_there_is_named() -> None:
    with pytest.raises(DedupError, match=r"^no Ray cluster at '127.0.0.1:1' \(.*; start one with"):
        next(RayEngine("127.0.0.1:1").run(int, [1]))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DedupError, match=r"pip install 'dedup\[ray\]'"):
        next(RayEngine("local").run(int, [1]))
