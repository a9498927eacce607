"""The command line: parse, call, print; no behaviour of its own.

Exit status 0: nothing at or above ``--fail-on``; 1: something; 2: usage or failure, told in one
line on standard error; 130: interrupted. Results go to standard output in the order of the inputs,
progress and errors to standard error.
"""

import os
import sys
import warnings
from typing import Annotated, Final, NoReturn

import typer

from dedup import __version__
from dedup.cli_background import index_background
from dedup.cli_calibrate import calibrate_command
from dedup.cli_check import check
from dedup.cli_index import index_app
from dedup.cli_repeats import repeats_command
from dedup.cli_scan import scan_command
from dedup.cli_serve import serve
from dedup.errors import DedupError
from dedup.terminal import OutputClosed, print_error, print_warning, write

__all__ = ["app", "main"]

_FAILED: Final = 2
_INTERRUPTED: Final = 130

app = typer.Typer(
    help="Stops generative models from reproducing protected text and code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(index_app, name="index", no_args_is_help=True)
index_app.command("background")(index_background)
app.command()(check)
app.command()(serve)
app.command("scan")(scan_command)
app.command("repeats")(repeats_command)
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
