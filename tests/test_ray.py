"""On a real cluster of two nodes work gives what it gives in one process, whatever dies."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from workload import words

import dedup
from dedup.arrow import ArrowScanner
from dedup.batch import tasks_of
from dedup.builder import Built
from dedup.document import Document
from dedup.engine import Lost, SerialEngine
from dedup.errors import DedupError
from dedup.index import Index
from dedup.key import Key
from dedup.partition import partitions
from dedup.ray_engine import RayEngine
from dedup.reading import Reading

pytest.importorskip("ray")

CODE = (Path(__file__).parent / "data" / "syntax" / "heap.py").read_text()

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


# ---- what dedup does on a cluster

KEY = Key(b"0123456789abcdef")


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of prose and code, as a path relative to where we are."""
    rng = random.Random(7)
    for n in range(120):
        folder = tmp_path / "corpus" / f"part {n % 9}"
        folder.mkdir(parents=True, exist_ok=True)
        if n % 3 == 0:
            (folder / f"{n}.py").write_text(CODE.replace("heap", f"heap{n}"))
        (folder / f"{n}.txt").write_text(words(rng, 400))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dedup.partition._GROUP_FILES", 8)
    return Path("corpus")


def test_an_add_that_loses_a_node_leaves_the_bytes_of_one_process(
    cluster: Any, second: Any, corpus: Path
) -> None:
    reading = Reading(labels=Document("", ""))
    tasks = list(tasks_of(partitions([corpus], reading)))
    assert len(tasks) > 15
    with Index.create("once", key=KEY) as index:
        index.add(item for task in tasks for item in task.read() if isinstance(item, Document))
        index.commit()
    told: list[Built] = []

    def tell(built: Built) -> None:
        told.append(built)
        if len(told) == 5:
            cluster.remove_node(second, allow_graceful=False)

    with Index.create("spread", key=KEY) as index:
        added = index.add_tasks(tasks, RayEngine(cluster.address), tell=tell)
        index.commit()
    assert added == 160 == sum(built.documents for built in told)
    for file in Path("once").iterdir():
        assert (Path("spread") / file.name).read_bytes() == file.read_bytes()
    assert len(list(Path("spread").iterdir())) == 3


def test_a_scan_on_two_nodes_gives_the_bytes_of_one_process(
    cluster: Any, second: Any, corpus: Path
) -> None:
    with Index.create("protected", key=KEY) as index:
        index.add([Document("p", (corpus / "part 1" / "1.txt").read_text())])
        index.commit()
    engines = {"once": SerialEngine(), "spread": RayEngine(cluster.address)}
    for name, engine in engines.items():
        summary = dedup.scan(["corpus"], "protected", f"{name}.jsonl", key=KEY, engine=engine)
        assert summary.tally.documents == 160 and summary.tally.matches == 1
    assert Path("once.jsonl").read_bytes() == Path("spread.jsonl").read_bytes()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its own settings
def test_ray_data_maps_batches_over_the_arrow_kernel(
    cluster: Any, second: Any, tmp_path: Path
) -> None:
    import pyarrow as pa
    import ray

    text = words(random.Random(1), 60)
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("p", text)])
        index.commit()
    texts = [text if n % 5 == 0 else words(random.Random(n), 60) for n in range(2, 102)]
    table = pa.table({"id": [str(n) for n in range(2, 102)], "text": texts})
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = (
            ray.data.from_arrow(table)
            .repartition(8)
            .map_batches(
                ArrowScanner,
                fn_constructor_args=[str(tmp_path / "i")],
                fn_constructor_kwargs={"key": KEY},
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=2),
            )
            .take_all()
        )
    finally:
        ray.shutdown()
    found = {row["document"] for row in rows if row["action"] == "block"}
    assert found == {str(n) for n in range(2, 102) if n % 5 == 0}
    assert len(rows) == 100


def test_the_command_line_starts_its_own_cluster_and_is_quiet(corpus: Path) -> None:
    command = [sys.executable, "-m", "dedup"]
    environment = {**os.environ, "PYTHONPATH": str(Path(dedup.__file__).parent.parent)}
    add = [*command, "index", "add", "i", str(corpus), "--no-key", "--ray", "local", "--jobs", "2"]
    done = subprocess.run(add, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("160 documents read, ")
    scan = [*command, "scan", str(corpus), "--index", "i", "--no-key", "--ray", "local"]
    done = subprocess.run(
        [*scan, "--jobs", "2", "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (1, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 160 and {row["action"] for row in rows} <= {"block", "flag"}
    for name, how in (("once", ["--jobs", "1"]), ("spread", ["--jobs", "2", "--ray", "local"])):
        repeats = [*command, "repeats", str(corpus), "-o", f"{name}.jsonl", *how]
        assert subprocess.run(repeats, env=environment, timeout=120).returncode == 0
    assert Path("once.jsonl").read_bytes() == Path("spread.jsonl").read_bytes()


def test_a_cluster_that_is_not_there_is_named() -> None:
    with pytest.raises(DedupError, match=r"^no Ray cluster at '127.0.0.1:1' \(.*; start one with"):
        next(RayEngine("127.0.0.1:1").run(int, [1]))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DedupError, match=r"pip install 'dedup\[ray\]'"):
        next(RayEngine("local").run(int, [1]))
