"""The command line: parse, call, print; no behaviour of its own.

Exit status 0: nothing at or above ``--fail-on``; 1: something; 2: usage or failure, told in one
line on standard error; 130: interrupted. Results go to standard output in the order of the inputs,
progress and errors to standard error.
"""

import os
import shutil
import sys
import warnings
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn, TextIO

import typer

from dedup import __version__
from dedup.cli_add import failed_parses
from dedup.cli_calibrate import calibrate_command
from dedup.cli_index import index_app
from dedup.cli_options import FailOn, KeyOption, NoKeyOption, fails, keys_of
from dedup.cli_scan import scan_command
from dedup.cli_serve import serve
from dedup.errors import DedupError, SourceError
from dedup.filter import Filter
from dedup.index import Index
from dedup.policy import Policy, Verdict
from dedup.report import printable, shown_documents, text_report
from dedup.source import find_documents, read_text
from dedup.terminal import (
    OutputClosed,
    as_json,
    output_to,
    print_error,
    print_warning,
    progress,
    wants_colour,
    write,
)

__all__ = ["app", "main"]

_FAILED: Final = 2
_INTERRUPTED: Final = 130

# Wider lines of prose are harder to read.
_MAX_COLUMNS: Final = 100


class Format(StrEnum):
    """How verdicts are written."""

    text = "text"
    json = "json"
    jsonl = "jsonl"


app = typer.Typer(
    help="Stops generative models from reproducing protected text and code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(index_app, name="index", no_args_is_help=True)
app.command()(serve)
app.command("scan")(scan_command)
app.command("calibrate")(calibrate_command)


def main() -> NoReturn:
    """Run the command; every failure becomes one line on standard error and a status."""
    warnings.showwarning = lambda message, *_, **__: print_warning(message)
    try:
        status = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):  # newer typer returns the status of an interrupt
        status = _INTERRUPTED
    except OutputClosed:
        # Who read our output is gone, and with it who would read a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _FAILED
    except Exception as error:
        print_error(_explain(error))
        status = _FAILED
    if status == _INTERRUPTED:
        sys.stderr.write("dedup: interrupted\n")
    sys.exit(status)


def _explain(error: Exception) -> str:
    # Of typer's usage errors, which moved between modules from one release to the next.
    if hasattr(error, "format_message"):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "dedup"
        message = error.format_message().rstrip(".")
        return message and f"{message}; see: {command} --help"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, DedupError | ValueError | OSError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory; split the input or free some"
    return f"{type(error).__name__}: {error}; this is a mistake in dedup, please report it"


def _print_version(wanted: bool) -> None:
    if wanted:
        write(f"dedup {__version__}\n")
        raise typer.Exit


@app.callback()
def _dedup(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


# ---- dedup index ---------------------------------------------------------------------------------


# ---- dedup check ---------------------------------------------------------------------------------


@app.command()
def check(
    index: Annotated[Path, typer.Option(metavar="INDEX", help="The index directory.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Texts to judge; - for standard input, if none."),
    ] = None,
    policy: Annotated[
        str, typer.Option(metavar="P", help="strict, balanced, lenient, or a TOML file.")
    ] = "balanced",
    prompt: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The request; what it supplied itself is exempt."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="What was given to index add, to show the originals beside; may be repeated.",
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print verdicts.")] = Format.text,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Write verdicts to a file instead."),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="The weakest action that makes the exit status 1.")
    ] = FailOn.block,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Judge generated texts against an index.

    The exit status is 0 if all pass, 1 if one does not, 2 if one could not be judged.
    """
    names = files or ["-"]
    if prompt == "-" and "-" in names:
        raise typer.BadParameter("standard input can be the prompt or a text, not both")
    rules = Policy.load(policy)
    request = None if prompt is None else read_text(prompt)
    status = 0
    with Index.open(index, key=keys_of(key, no_key)) as opened:
        if opened.snapshot.is_empty:
            print_warning(f"{index} holds no document; everything passes")
        filter = Filter(opened, rules)
        with output_to(output) as stream, progress(len(names)) as track:
            tell = _writer(format, stream, _Originals(opened, source or []))
            for name in track(names, lambda: ""):
                try:
                    query = _read_query(name)
                except SourceError as error:
                    print_error(error)
                    status = _FAILED
                    continue
                verdict = filter.check(query, request)
                tell(name, query, verdict)
                if verdict.error:
                    print_error(f"{name}: the check could not be made: {verdict.error}")
                    status = _FAILED
                elif fails(verdict.action, fail_on):
                    status = status or 1
        if failed := failed_parses(opened.parses):
            sys.stderr.write(f"dedup: {failed}: judged by words and lexemes\n")
    return status


def _read_query(name: str) -> str:
    query = read_text(name)
    if not query or query.isspace():
        shown = "standard input" if name == "-" else name
        raise SourceError(f"{shown}: holds no text to check; see whether it was written")
    return query


class _Originals:
    """The texts of protected documents, where the user says they are."""

    def __init__(self, index: Index, sources: list[str]) -> None:
        self._index = index
        self._sources = sources
        self._texts: dict[str, str | None] = {}

    def of(self, verdict: Verdict) -> dict[str, str]:
        """Those that a report on the verdict shows, by id, if they are as they were indexed."""
        if not self._sources:
            return {}
        shown = shown_documents(verdict)
        new = shown - self._texts.keys()
        found = find_documents(self._sources, new) if new else {}
        for id in new:
            text = found.get(id)
            if text is None or not self._index.holds(id, text):
                state = (
                    "is not in the sources" if text is None else "has changed since it was added"
                )
                sys.stderr.write(f"dedup: warning: {printable(id)} {state}; it is not shown\n")
                text = None
            self._texts[id] = text
        return {id: text for id in shown if (text := self._texts[id]) is not None}


def _writer(
    format: Format, stream: TextIO, originals: _Originals
) -> Callable[[str, str, Verdict], None]:
    """What prints a verdict on a query to the stream."""
    columns = min(_MAX_COLUMNS, shutil.get_terminal_size((80, 24)).columns)
    colour = wants_colour(stream)
    is_first = True

    def write(name: str, query: str, verdict: Verdict) -> None:
        nonlocal is_first
        if format is Format.text:
            report = text_report(
                name,
                query,
                verdict,
                originals=originals.of(verdict),
                colour=colour,
                width=columns,
            )
            stream.write(report if is_first else "\n" + report)
        else:
            stream.write(as_json(verdict.to_dict(name), 2 if format is Format.json else None))
        is_first = False
        stream.flush()

    return write
