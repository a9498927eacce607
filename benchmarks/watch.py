"""A command and all its processes, watched: time, processor, memory."""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PERIOD_S: Final = 0.1

# Adding up what is shared takes the kernel milliseconds a process.
_PSS_EVERY: Final = 5


@dataclass(frozen=True)
class Watched:
    """What a command took.

    Attributes
    ----------
    seconds, processor_s : float
        By the clock; of all processors, its processes' own processes too.
    peak_bytes : int
        The most its processes had in memory together, each page counted once; sampled.
    peaks_bytes : int
        The sum of what each had at most, shared pages counted in each: a bound from above.
    processes : int
        The most there were at once.
    status : int
        As of ``Popen.returncode``.
    output, errors : str
    """

    seconds: float
    processor_s: float
    peak_bytes: int
    peaks_bytes: int
    processes: int
    status: int
    output: str
    errors: str


def watch(command: Sequence[str], *, kill_when: Callable[[], bool] = lambda: False) -> Watched:
    """Run a command to its end, or kill its first process, and no other, with SIGKILL."""
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    highest: dict[int, int] = {}
    peak = processes = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        drained: dict[str, bytes] = {}
        readers = [
            threading.Thread(target=lambda n=name, f=file: drained.update({n: f.read()}))
            for name, file in (("output", process.stdout), ("errors", process.stderr))
        ]
        for reader in readers:
            reader.start()
        number = 0
        while process.poll() is None:
            alive = _family(process.pid)
            processes = max(processes, len(alive))
            for pid in alive:
                highest[pid] = max(highest.get(pid, 0), _field(pid, "status", "VmHWM:"))
            if number % _PSS_EVERY == 0:
                peak = max(peak, sum(_field(pid, "smaps_rollup", "Pss:") for pid in alive))
            number += 1
            if kill_when():
                process.kill()
            time.sleep(_PERIOD_S)
        for reader in readers:
            reader.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Watched(
        seconds=time.monotonic() - started,
        processor_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_bytes=peak,
        peaks_bytes=sum(highest.values()),
        processes=processes,
        status=process.returncode,
        output=drained["output"].decode(),
        errors=drained["errors"].decode(),
    )


def dedup(*arguments: object) -> list[str]:
    """The command line of ``dedup``, as this Python has it."""
    return [sys.executable, "-m", "dedup", *map(str, arguments)]


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found, pending = [], [pid]
    while pending:
        here = pending.pop()
        found.append(here)
        for task in _listed(Path(f"/proc/{here}/task")):
            try:
                pending += map(int, (task / "children").read_text().split())
            except OSError:
                continue  # it has just ended
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]  # noqa: PTH208 may vanish
    except OSError:
        return []


def _field(pid: int, file: str, name: str) -> int:
    """A size of a process in bytes; 0 once it has ended."""
    try:
        text = Path(f"/proc/{pid}/{file}").read_text()
        return int(text.split(name)[1].split()[0]) * 1024
    except (OSError, IndexError):
        return 0
