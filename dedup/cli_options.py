"""What the commands on an index have in common: their group, their options, the keys these name."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from dedup.engine import Engine, LocalEngine
from dedup.key import Key
from dedup.report import printable

__all__ = [
    "CorpusOption",
    "DocumentOption",
    "FailOn",
    "FormatOption",
    "IndexArgument",
    "JobsOption",
    "KeyOption",
    "LicenceOption",
    "NoKeyOption",
    "OwnerOption",
    "RayOption",
    "engine_of",
    "fails",
    "index_app",
    "keys_of",
    "made_or_loaded",
]

index_app = typer.Typer(help="Build, inspect and change an index of protected documents.")

IndexArgument = Annotated[Path, typer.Argument(metavar="INDEX", help="The index directory.")]
KeyOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="The key of the index, if not your default key; repeat it for an index of several.",
    ),
]
NoKeyOption = Annotated[bool, typer.Option("--no-key", help="An index without a key.")]
DocumentOption = Annotated[
    list[str] | None,
    typer.Option("--document", metavar="ID", help="Documents of this id; may be repeated."),
]
CorpusOption = Annotated[
    list[str] | None,
    typer.Option(
        "--corpus",
        metavar="PATTERN",
        help="Documents of these corpora, as in 'book*'; letter case does not matter; may be "
        "repeated. Of different options a document has to fit all.",
    ),
]
OwnerOption = Annotated[
    list[str] | None,
    typer.Option("--owner", metavar="PATTERN", help="Documents of these owners."),
]
LicenceOption = Annotated[
    list[str] | None,
    typer.Option("--licence", metavar="PATTERN", help="Documents under these licences."),
]
JobsOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Worker processes; by default one for each core."),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Spread the work over a Ray cluster: its host:port, auto, or local for this machine.",
    ),
]
FormatOption = Annotated[
    Literal["text", "jsonl"], typer.Option("--format", help="How to print: a line each.")
]


class FailOn(StrEnum):
    """The weakest action that makes the exit status 1, strongest first."""

    never = "never"
    block = "block"
    redact = "redact"
    flag = "flag"


def fails(action: str, fail_on: FailOn) -> bool:
    """Whether the action makes the exit status 1."""
    actions = list(FailOn)
    return action in actions[1 : actions.index(fail_on) + 1]


def engine_of(jobs: int | None, ray: str | None) -> Engine:
    """Where the work is done, as the options say."""
    if ray is None:
        return LocalEngine(jobs)
    from dedup.ray_engine import RayEngine  # here, as few have Ray

    return RayEngine(ray, jobs)


def keys_of(keys: list[Path] | None, no_key: bool) -> list[Key] | Literal["default"] | None:
    """The keys to open an index with, as the options say."""
    if keys and no_key:
        raise typer.BadParameter("--key and --no-key exclude each other")
    if no_key:
        return None
    return [Key.load(path) for path in keys] if keys else "default"


def made_or_loaded(path: Path) -> Key:
    """The key of a file, which is made if it is missing."""
    if path.exists():
        return Key.load(path)
    key = Key.generate(path)
    sys.stderr.write(
        f"dedup: made the key {printable(str(path))}; keep it, without it the index is of no use\n"
    )
    return key
