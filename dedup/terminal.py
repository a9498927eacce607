"""What commands say: results on standard output, progress and what went wrong on standard error."""

import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, TextIO, TypeVar

from dedup.report import printable

__all__ = [
    "OutputClosed",
    "as_json",
    "bytes_progress",
    "counted",
    "output_to",
    "print_error",
    "print_warning",
    "progress",
    "terminable",
    "wants_colour",
    "write",
]

_T = TypeVar("_T")


class OutputClosed(Exception):
    """Not BrokenPipeError, for which typer exits with 1: here that means something was found."""


def print_error(message: object) -> None:
    """One line on standard error."""
    if message:  # none for a command given without arguments, which prints its help
        sys.stderr.write(f"dedup: error: {printable(str(message))}\n")


def print_warning(message: object) -> None:
    """One line on standard error that fails nothing."""
    sys.stderr.write(f"dedup: warning: {printable(str(message))}\n")


def as_json(data: dict[str, Any], indent: int | None) -> str:
    """One object and a newline; characters a terminal may act on are escaped, losing nothing."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    return re.sub(r"[^\n -~]", _escaped, text) + "\n"


def _escaped(found: re.Match[str]) -> str:
    return found[0] if printable(found[0]) == found[0] else json.dumps(found[0])[1:-1]


@contextmanager
def output_to(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that appears whole or not at all."""
    if path is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            raise OutputClosed from None
    elif path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8") as stream:  # a device or a pipe
            yield stream
    else:
        temporary = path.with_name(f".{path.name}.writing")
        try:
            with temporary.open("w", encoding="utf-8") as stream:
                yield stream
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write(text: str) -> None:
    """Results, on standard output."""
    with output_to(None) as stream:
        stream.write(text)


def wants_colour(stream: TextIO) -> bool:
    """Whether who reads the stream is a terminal that colours help."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


_Track = Callable[[Iterable[_T], Callable[[], str]], Iterator[_T]]


@contextmanager
def progress(total: int | None = None) -> Iterator[_Track[Any]]:
    """A function that passes items on and shows how far it is, if someone is looking."""
    if not sys.stderr.isatty() or total == 1:
        yield lambda items, describe: iter(items)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    no_colour = not wants_colour(sys.stderr)
    columns = (
        BarColumn(),
        *([MofNCompleteColumn()] if total else []),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True, color_system=None if no_colour else "auto")
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)

        def track(items: Iterable[_T], describe: Callable[[], str]) -> Iterator[_T]:
            for item in items:
                bar.update(task, description=describe())
                yield item
                bar.advance(task)

        yield track


@contextmanager
def bytes_progress(total: Callable[[], int] | None) -> Iterator[Callable[[int, str], object]]:
    """A function that shows how many bytes were read, and more in words, if someone is looking.

    The total may take long to find out, so it is found out beside: until then there is no time
    left. None: nothing is shown.
    """
    if total is None or not sys.stderr.isatty():
        yield lambda read_bytes, description: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, color_system="auto" if wants_colour(sys.stderr) else None)
    columns = (
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        Thread(target=lambda: bar.update(task, total=total() or None), daemon=True).start()
        yield lambda read_bytes, words: bar.update(task, completed=read_bytes, description=words)


@contextmanager
def terminable() -> Iterator[None]:
    """Let a request to end be as good as an interrupt, so that all is left in order."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def counted(number: int, noun: str) -> str:
    """``2 matches``, ``1 document``."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}" + ("es" if noun.endswith("ch") else "s")
