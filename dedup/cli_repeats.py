"""``dedup repeats``: parse the options, find, write, tell what was found; see ``cli``."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from dedup.cli_options import (
    EncodingOption,
    FieldOption,
    IdFieldOption,
    JobsOption,
    RayOption,
    RevisionOption,
    SourcesArgument,
    TextFieldOption,
    engine_of,
    reading_of,
)
from dedup.repeats.finding import Repeats, find_repeats
from dedup.repeats.rows import passage_line, passage_row, text_of
from dedup.repeats.settings import Settings
from dedup.report import printable
from dedup.terminal import as_json, counted, output_to, print_error, terminable, wants_colour

__all__ = ["repeats_command"]

_FAILED: Final = 2
# Passages named in the summary.
_TOLD: Final = 3
_EXCERPT_CHARACTERS: Final = 80


class Format(StrEnum):
    """How what was found is written."""

    jsonl = "jsonl"
    text = "text"


def repeats_command(
    sources: SourcesArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Write to a file, and keep what is done beside it, in OUT.work, until all is.",
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option(help="A JSON object a line, or a text for people.")
    ] = Format.jsonl,
    threshold: Annotated[
        float,
        typer.Option(
            metavar="X",
            help="The Jaccard similarity, of 5-word shingles, from which two documents are "
            "near-duplicates.",
        ),
    ] = Settings.threshold,
    min_tokens: Annotated[
        int, typer.Option(metavar="N", help="How many words a passage has at least.")
    ] = Settings.min_tokens,
    variants: Annotated[
        bool,
        typer.Option(
            "--variants",
            help="Tell all passages, also those that mostly repeat what more frequent ones say.",
        ),
    ] = False,
    places: Annotated[
        int, typer.Option(metavar="N", help="How many places of a passage are listed.")
    ] = Settings.places,
    max_copies: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many documents of a cluster, and places of a passage, are to stay; the first "
            "ones do. What is too many goes to the --drop-list.",
        ),
    ] = None,
    drop_list: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Gets a JSON object for each document to drop, or to cut spans out of.",
        ),
    ] = None,
    jobs: JobsOption = None,
    ray: RayOption = None,
    tmp: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder to work in, instead of beside OUT; it takes the size of the texts, "
            "and more for what repeats. On a cluster all machines must see it.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run to OUT that was cut short.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Tell problems only: no progress, no summary.")
    ] = False,
    text_field: TextFieldOption = None,
    id_field: IdFieldOption = None,
    field: FieldOption = None,
    encoding: EncodingOption = None,
    revision: RevisionOption = None,
) -> int:
    """Find what comes again within a corpus: near-duplicate documents, and passages.

    What is written is the same whatever the number of jobs. The exit status is 2 if something could
    not be read; the rest is compared.
    """
    if (max_copies is None) != (drop_list is None):
        raise typer.BadParameter("--max-copies and --drop-list go together")
    if resume and output is None and tmp is None:
        raise typer.BadParameter(
            "--resume: give the -o OUT, or the --tmp, of the run to go on with"
        )
    if resume and "-" in sources:
        raise typer.BadParameter("--resume: standard input can't be read again")
    try:
        settings = Settings(threshold, min_tokens, max_copies, variants, places)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    reading = reading_of(
        text_field, id_field, field, encoding, revision, skip=[output, drop_list, tmp]
    )
    engine = engine_of(jobs, ray)
    start = time.monotonic()
    with terminable(), _work_folder(output, tmp) as work:
        with _stages(quiet) as tell:
            found = find_repeats(
                sources,
                work,
                settings,
                reading=reading,
                engine=engine,
                resume=resume,
                tell=tell,
            )
        with output_to(output) as stream:
            stream.writelines(_lines(found.rows(), format))
        if drop_list is not None:
            with output_to(drop_list) as stream:
                stream.writelines(as_json(drop, None) for drop in found.drops())
        for problem in found.corpus.problems:
            print_error(problem)
        if not quiet:
            sys.stderr.write(_summary(found, time.monotonic() - start))
    return _FAILED if found.corpus.problems or not found.corpus.documents else 0


def _lines(rows: Iterable[dict[str, Any]], format: Format) -> Iterator[str]:
    if format is Format.text:
        return (printable(line[:-1]) + "\n" for line in text_of(rows))
    return (as_json(row, None) for row in rows)


@contextmanager
def _work_folder(output: Path | None, tmp: Path | None) -> Iterator[Path]:
    """Where to work: kept if the run is cut short, unless no one could find it again."""
    if tmp is not None:
        work = tmp / "dedup-repeats.work"
    elif output is not None and (output.is_file() or not output.exists()):
        work = output.with_name(f"{output.name}.work")
    else:
        with tempfile.TemporaryDirectory(prefix="dedup-") as folder:
            yield Path(folder) / "work"
        return
    try:
        yield work
    except KeyboardInterrupt:
        sys.stderr.write("dedup: what is done is kept; go on with --resume\n")
        raise
    shutil.rmtree(work)


@contextmanager
def _stages(quiet: bool) -> Iterator[Callable[[str], object]]:
    """A function that shows what is being done, if someone is looking."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage: None
        return
    from rich.console import Console

    console = Console(stderr=True, color_system="auto" if wants_colour(sys.stderr) else None)
    with console.status("") as status:
        yield status.update


def _summary(found: Repeats, seconds: float) -> str:
    corpus, clusters, passages = found.corpus, found.clusters, found.passages
    size = corpus.bytes / 1e6
    members = len(clusters.members)
    share = 100 * passages.repeated_tokens / max(1, found.tokens)
    lines = [
        *corpus.notes,
        f"{counted(corpus.documents, 'document')} compared, {size:,.1f} MB at "
        f"{size / max(1e-9, seconds):,.1f} MB/s",
        f"{counted(len(clusters), 'cluster')} of {counted(members, 'near-duplicate')}, "
        f"{counted(members - len(clusters), 'copy')} beside the first of each",
        f"{counted(len(passages), 'passage')} in which {share:.1f} % of {found.tokens:,} words "
        "stand",
    ]
    for passage in islice(passages, _TOLD):
        row = passage_row(passage, found.texts)
        beginning = row["excerpt"][:_EXCERPT_CHARACTERS]
        lines.append(f"  {passage_line(row)}: {beginning}")
    if corpus.problems:
        lines.append(f"{counted(len(corpus.problems), 'problem')}, listed above: not compared")
    if not corpus.documents:
        lines.append("nothing to compare; check the sources")
    return "".join(f"{printable(line)}\n" for line in lines)
