"""What commands have in common: their group, their options, and what these name."""

import os
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from dedup.document import Document
from dedup.encoding import Encoding
from dedup.engine import Engine, LocalEngine
from dedup.index import Index
from dedup.key import Key
from dedup.manifest import MANIFEST
from dedup.reading import Reading
from dedup.report import printable

__all__ = [
    "BackgroundOption",
    "CorpusOption",
    "DocumentOption",
    "EncodingOption",
    "FailOn",
    "FieldOption",
    "FormatOption",
    "IdFieldOption",
    "IndexArgument",
    "JobsOption",
    "KeyOption",
    "LicenceOption",
    "NoKeyOption",
    "OwnerOption",
    "RayOption",
    "RevisionOption",
    "SourcesArgument",
    "TextFieldOption",
    "encoding_of",
    "engine_of",
    "fails",
    "format_of",
    "index_app",
    "keys_of",
    "made_or_loaded",
    "opened_or_made",
    "reading_of",
]

_Format = TypeVar("_Format", bound=StrEnum)

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
BackgroundOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--background", metavar="INDEX", help="An index of what is permitted; may be repeated."
    ),
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
SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Files, directories (.gitignore is honoured), git repositories, bare or checked out; "
        "of .jsonl, .json, .csv, .tsv, .parquet and Arrow files each row, of .tar and .zip each "
        "member, of notebooks the cells; all but Parquet and zip also as .gz, .zst, .bz2 or .xz; "
        "URLs as s3://bucket/folder; - for standard input.",
    ),
]
TextFieldOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Field or column that holds the text of a row."),
]
IdFieldOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Field or column that holds the id of a row."),
]
FieldOption = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="LABEL=NAME",
        help="Field or column that holds the corpus, licence, owner, url or expires of a row, as "
        "in licence=meta.license; may be repeated.",
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Encoding of text that is not UTF-8, as in cp1252."),
]
RevisionOption = Annotated[
    str | None,
    typer.Option(
        metavar="REV",
        help="Read this commit, branch or tag of the sources, which are git repositories. "
        "Without it: the working tree, or HEAD of a bare repository.",
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


def format_of(
    output: Path | None, format: _Format | None, named: Mapping[str, _Format], default: _Format
) -> _Format:
    """The format that is asked for, by its option or by the suffix of the output."""
    by_name = named.get(output.suffix.lower()) if output else None
    if format and by_name and format is not by_name:
        raise typer.BadParameter(f"--format {format} does not go with {output}")
    return format or by_name or default


def engine_of(jobs: int | None, ray: str | None) -> Engine:
    """Where the work is done, as the options say."""
    if ray is None:
        return LocalEngine(jobs)
    from dedup.ray_engine import RayEngine  # here, as few have Ray

    return RayEngine(ray, jobs)


def encoding_of(name: str | None, *, is_guessed: bool = False) -> Encoding:
    """What text is taken for that is not UTF-8, as the option says."""
    try:
        return Encoding(name, is_guessed)
    except ValueError as error:
        raise typer.BadParameter(f"--encoding: {error}") from None


def reading_of(
    text_field: str | None,
    id_field: str | None,
    fields: list[str] | None,
    encoding: str | None,
    revision: str | None,
    *,
    labels: Document | None = None,
    skip: Iterable[Path | None] = (),
    is_guessing: bool = True,
) -> Reading:
    """How to read the sources, as the options say; ``skip`` is what lies in them and is none."""
    named = [("text", text_field), ("id", id_field)]
    for given in fields or ():
        said, is_named, field = given.partition("=")
        if not is_named:
            raise typer.BadParameter(f"--field: expected LABEL=NAME, found {given!r}")
        named.append((said, field))
    try:
        return Reading(
            fields=tuple((said, field) for said, field in named if field is not None),
            encoding=encoding_of(encoding, is_guessed=is_guessing),
            labels=labels,
            skip=tuple(os.path.abspath(path) for path in skip if path is not None),  # noqa: PTH100
            revision=revision,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


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


def opened_or_made(index: Path, keys: list[Path] | None, no_key: bool) -> Index:
    """The index, for writing; made if it is missing, and so is a key that is named."""
    if (index / MANIFEST).exists():
        return Index.open(index, key=keys_of(keys, no_key), writable=True)
    if not keys or no_key:
        given = keys_of(keys, no_key)
    else:
        given = [made_or_loaded(keys[0]), *map(Key.load, keys[1:])]
    return Index.create(index, key=given)
