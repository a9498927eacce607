"""Engines: results in order, whatever the number of workers and whatever becomes of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dedup.engine import LocalEngine, Lost, SerialEngine, usable_cores
from dedup.errors import DedupError

ROOT = Path(__file__).parent.parent


def squaring() -> Callable[[int], int]:
    return square


def square(number: int) -> int:
    return number * number


def sleeping() -> Callable[[float], float]:
    return sleep


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def dying(folder: str, times: int) -> Callable[[int], int]:
    return partial(die, Path(folder), times)


def die(folder: Path, times: int, number: int) -> int:
    """Number 3 ends its worker, so often."""
    if number == 3:
        deaths = len(list(folder.iterdir()))
        if deaths < times:
            (folder / str(deaths)).touch()
            os.kill(os.getpid(), signal.SIGKILL if deaths else signal.SIGSEGV)
    return number


def raising() -> Callable[[int], int]:
    return refuse


class Odd(Exception):
    """One that cannot be made again from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def refuse(number: int) -> int:
    if number == 7:
        raise ValueError("seven is not to be had")
    if number == 8:
        raise Odd(1, 2)
    return number


def unmakeable() -> Callable[[int], int]:
    raise DedupError("no index here")


def ending() -> Callable[[int], int]:
    os._exit(9)


def pid_of() -> Callable[[int], int]:
    return own_pid


def own_pid(_: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def with_output() -> Callable[[int], bytes]:
    return make_bytes


def make_bytes(size: int) -> bytes:
    print("this goes nowhere")
    sys.stdin.read()  # and this comes from nowhere
    return b"x" * size


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    times = [0.05 if number % 7 == 0 else 0.0 for number in range(40)]
    assert list(LocalEngine(jobs).run(sleeping, times)) == times
    assert list(LocalEngine(jobs).run(squaring, range(100))) == [n * n for n in range(100)]
    assert list(SerialEngine().run(squaring, range(5))) == [0, 1, 4, 9, 16]


def test_no_tasks_start_no_worker() -> None:
    assert list(LocalEngine(2).run(ending, [])) == []


def test_tasks_are_taken_a_few_ahead_only() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = LocalEngine(2).run(squaring, endless())
    assert [next(results) for _ in range(50)] == [n * n for n in range(1, 51)]
    assert taken <= 50 + 8
    results.close()


def test_messages_may_be_large_and_workers_say_nothing_on_standard_output(
    capfd: pytest.CaptureFixture[str],
) -> None:
    sizes = [0, 1, 50_000_000, 3]
    assert [len(got) for got in LocalEngine(2).run(with_output, sizes)] == sizes
    assert list(LocalEngine(1).run(len_of, [b"y" * 30_000_000])) == [30_000_000]
    assert capfd.readouterr().out == ""


def len_of() -> Callable[[bytes], int]:
    return len


def test_a_task_whose_worker_dies_is_tried_once_more(tmp_path: Path) -> None:
    make = partial(dying, str(tmp_path), 1)
    assert list(LocalEngine(2).run(make, range(10))) == list(range(10))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_task_that_ends_two_workers_is_lost_and_the_others_are_not(tmp_path: Path) -> None:
    make = partial(dying, str(tmp_path), 2)
    results = list(LocalEngine(2).run(make, range(10)))
    lost = results.pop(3)
    assert isinstance(lost, Lost)
    assert lost.task == 3
    assert lost.reason == "killed (SIGKILL), as the system does when memory runs out"
    assert results == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_what_a_worker_raises_is_raised_here() -> None:
    results = LocalEngine(2).run(raising, range(20))
    with pytest.raises(ValueError, match="seven is not to be had") as caught:
        list(results)
    assert "in refuse" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="Odd: 1 and 2"):
        list(LocalEngine(1).run(raising, [8]))
    with pytest.raises(DedupError, match="no index here"):
        list(LocalEngine(2).run(unmakeable, [1, 2]))


def test_workers_that_never_start_are_an_error() -> None:
    with pytest.raises(DedupError, match="no worker process starts, the last was ended with"):
        list(LocalEngine(2).run(ending, [1, 2, 3]))


def test_the_number_of_workers_is_checked() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        LocalEngine(0)
    assert LocalEngine().jobs == usable_cores() >= 1


def test_workers_end_when_the_results_are_no_longer_wanted() -> None:
    results = LocalEngine(2).run(pid_of, range(100))
    pids = {next(results) for _ in range(4)}
    results.close()
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_their_parent_in_the_middle_of_a_task(tmp_path: Path, number: int) -> None:
    script = (
        "import test_engine, sys\n"
        "from dedup.engine import LocalEngine\n"
        f"make = test_engine.partial(test_engine.telling, {str(tmp_path)!r})\n"
        "list(LocalEngine(2).run(make, [1, 2, 3]))\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    pids = [int(file.name) for file in tmp_path.iterdir()]
    assert all(map(is_alive, pids))
    parent.send_signal(number)
    assert parent.wait(10) != 0
    wait_until(lambda: not any(map(is_alive, pids)))


def telling(folder: str) -> Callable[[int], None]:
    (Path(folder) / str(os.getpid())).touch()
    return spin


def spin(_: int) -> None:
    while True:
        pass


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
