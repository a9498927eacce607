"""A writer that is killed loses nothing acknowledged; ``python tests/crash.py`` kills thousands."""

import os
import signal
import time
from pathlib import Path

from crash import in_child, kills, kills_at_every_call
from workload import KEY

from dedup.document import Document
from dedup.index import Index

CODE = (Path(__file__).parent / "data" / "syntax" / "heap.py").read_text()


def test_a_writer_killed_at_any_time_leaves_the_old_state_or_the_new() -> None:
    assert kills(40, seed=2).total() == 40


def test_a_writer_killed_at_every_call_leaves_the_old_state_or_the_new() -> None:
    assert kills_at_every_call(seed=2, last=2) > 20


def test_a_writer_killed_while_it_parses_leaves_no_lock_and_no_process(tmp_path: Path) -> None:
    helpers: list[int] = []

    def run(pipe: int) -> None:
        index = Index.create(tmp_path / "index", key=KEY)
        index.add([Document("heap.py", CODE)])
        os.write(pipe, b"parsed")
        time.sleep(60)

    def kill(child: int, pipe: int) -> None:
        assert os.read(pipe, 6) == b"parsed"
        helpers.extend(children(child))
        os.kill(child, signal.SIGKILL)

    in_child(run, kill)
    with Index.open(tmp_path / "index", key=KEY, writable=True) as index:
        assert list(index.documents()) == []
        index.add([Document("heap.py", CODE)])
        index.commit()
    assert helpers
    until = time.monotonic() + 20
    while any(map(is_running, helpers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_running, helpers))


def children(process: int) -> list[int]:
    """What a process started, as /proc tells."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # one that nobody waits for any more has ended all the same
