"""``dedup scan``: parse the options, scan, tell what came of it; see ``cli``."""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, Annotated, BinaryIO, Final

import typer

from dedup.baseline import Baseline, Census
from dedup.cli_options import (
    BackgroundOption,
    EncodingOption,
    FailOn,
    FieldOption,
    IdFieldOption,
    JobsOption,
    KeyOption,
    NoKeyOption,
    RayOption,
    RevisionOption,
    SourcesArgument,
    TextFieldOption,
    engine_of,
    fails,
    format_of,
    keys_of,
    reading_of,
)
from dedup.index import Index
from dedup.originals import Originals
from dedup.partition import partitions
from dedup.policy import Policy
from dedup.reading import Reading
from dedup.report import printable
from dedup.scan import ScanProgress, ScanSummary, scan
from dedup.scanning.outputs import RowWriter, write_parquet
from dedup.terminal import (
    OutputClosed,
    bytes_progress,
    counted,
    output_to,
    print_error,
    print_warning,
    terminable,
)

__all__ = ["scan_command"]

_FAILED: Final = 2
# More are a table.
_MAX_NAMES: Final = 8


class Format(StrEnum):
    """How rows are written."""

    jsonl = "jsonl"
    parquet = "parquet"
    html = "html"
    sarif = "sarif"
    github = "github"


_FORMATS: Final = {".parquet": Format.parquet, ".html": Format.html, ".sarif": Format.sarif}


def scan_command(
    sources: SourcesArgument,
    index: Annotated[Path, typer.Option(metavar="INDEX", help="The index directory.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Where rows go: .jsonl, packed as .jsonl.gz or .jsonl.zst, .parquet, .html, "
            ".sarif. Standard output if not given, and then nothing can be resumed.",
        ),
    ] = None,
    policy: Annotated[
        str, typer.Option(metavar="P", help="strict, balanced, lenient, or a TOML file.")
    ] = "balanced",
    background: BackgroundOption = None,
    format: Annotated[
        Format | None, typer.Option(help="What to write, if the name of OUT does not say it.")
    ] = None,
    matches_only: Annotated[
        bool, typer.Option("--matches-only", help="No rows of documents in which nothing is found.")
    ] = False,
    drop_list: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Gets the ids of documents that the policy redacts or blocks, one a line; one "
            "that would not stand for itself on a line is a JSON string.",
        ),
    ] = None,
    cleaned: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Gets the corpus as JSON lines, with the policy's notice in the place of what it "
            'redacts or blocks; notice = "" cuts it out.',
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="What was given to index add, to show the originals in an HTML report.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What was found and accepted before; it counts no more."),
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gets all that is found, to accept it.")
    ] = None,
    text_field: TextFieldOption = None,
    id_field: IdFieldOption = None,
    field: FieldOption = None,
    encoding: EncodingOption = None,
    revision: RevisionOption = None,
    jobs: JobsOption = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Do the I-th of N parts of the work, from 1.")
    ] = "1/1",
    ray: RayOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a scan to OUT that was cut short.")
    ] = False,
    fail_on: Annotated[
        FailOn, typer.Option(help="The weakest action that makes the exit status 1.")
    ] = FailOn.block,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Tell problems only: no progress, no summary.")
    ] = False,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Check a corpus against an index: a row for each document, in the order of the sources.

    What is written is the same whatever the number of jobs, and whether or not it was cut short and
    resumed. The exit status is 0 if all pass, 1 if one does not, 2 if one could not be read or
    judged, which its row tells.
    """
    form = format_of(output, format, _FORMATS, Format.jsonl)
    if output is None and (resume or form is Format.parquet):
        raise typer.BadParameter("give -o OUT: standard output can't be resumed, nor be Parquet")
    part = _shard(shard)
    keys = keys_of(key, no_key)
    engine = engine_of(jobs, ray)
    reading = reading_of(text_field, id_field, field, encoding, revision)
    rules = Policy.load(policy)
    accepted = None if baseline is None else Baseline.load(baseline)
    census = Census(accepted) if baseline or write_baseline else None
    is_more = form is not Format.jsonl or census or drop_list or cleaned
    with Index.open(index, key=keys) as opened:
        if opened.snapshot.is_empty:
            print_warning(f"{index} holds no document; everything passes")
        total = partial(_bytes_of, sources, reading, part)
        with (
            _resumable(output),
            bytes_progress(None if quiet else total) as show,
            _target(output, is_stream=not is_more) as target,
        ):
            summary = scan(
                sources,
                index,
                target,
                policy=rules,
                key=keys,
                background=background or (),
                baseline=accepted,
                reading=reading,
                shard=part,
                engine=engine,
                resume=resume,
                matches_only=matches_only,
                excerpts=form is Format.html,
                drop_list=drop_list,
                cleaned=cleaned,
                write=_writer(form, sources, opened, source or [], policy),
                watch=None if census is None else census.see,
                problem=print_error,
                progress=lambda progress: show(progress.read_bytes, _rate(progress)),
            )
    if not quiet:
        sys.stderr.write(_told(summary, census))
    if not summary.tally.documents and summary.is_complete and part == (1, 1):
        print_error("nothing was scanned, as there is no document; check the sources")
        return _FAILED
    if not summary.is_complete:
        if write_baseline is not None:
            print_error(f"{write_baseline}: not written, as not all documents could be judged")
        return _FAILED
    if census is not None and write_baseline is not None:
        with output_to(write_baseline) as file:
            file.writelines(census.lines())
        return 0
    return int(any(fails(action, fail_on) for action in summary.tally.actions))


def _shard(text: str) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise typer.BadParameter(f"--shard: {text!r} is no part; expected one as 1/8, ..., 8/8")
    return int(number), int(of)


def _bytes_of(sources: list[str], reading: Reading, shard: tuple[int, int]) -> int:
    """How much there is to read, as far as is known before."""
    number, of = shard
    return sum(one.bytes for one in partitions(sources, reading) if one.number % of == number - 1)


@contextmanager
def _resumable(output: Path | None) -> Iterator[None]:
    """Let a request to end be as good as an interrupt, and say what comes then."""
    try:
        with terminable():
            yield
    except KeyboardInterrupt:
        if output is not None:
            sys.stderr.write("dedup: what is done is kept; go on with --resume\n")
        raise


@contextmanager
def _target(output: Path | None, *, is_stream: bool) -> Iterator[Path | IO[bytes]]:
    """Where a scan writes: OUT, or standard output, by way of a file if it is to be made whole."""
    if output is not None and (output.is_file() or not output.exists()):
        yield output
        return
    with ExitStack() as stack:
        stream = sys.stdout.buffer if output is None else stack.enter_context(output.open("wb"))
        try:
            if is_stream:
                yield stream
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dedup-"))
                whole = Path(folder) / "rows"
                yield whole
                with whole.open("rb") as file:
                    shutil.copyfileobj(file, stream)
            stream.flush()
        except BrokenPipeError:
            raise OutputClosed from None


def _writer(
    form: Format, scanned: list[str], index: Index, sources: list[str], policy: str
) -> RowWriter | None:
    """What makes a report of rows; None if the name of the output says it."""
    if form is Format.html:
        from dedup.reports.html import About, html_report  # here, as it needs jinja2

        originals = Originals(index, sources, print_warning)
        about = About("", str(index.path), policy)
        return lambda rows, file: _write(html_report(rows, about=about, originals=originals), file)
    if form is Format.sarif:
        from dedup.reports.finding import located
        from dedup.reports.sarif import sarif_report

        return lambda rows, file: _write(sarif_report(located(rows, scanned)), file)
    if form is Format.github:
        from dedup.reports.finding import located
        from dedup.reports.github import github_report

        return lambda rows, file: _write(github_report(located(rows, scanned)), file)
    return write_parquet if form is Format.parquet else None


def _write(pieces: Iterator[str], file: BinaryIO) -> None:
    file.writelines(piece.encode() for piece in pieces)


def _rate(progress: ScanProgress) -> str:
    tally = progress.tally
    return (
        f"{counted(tally.documents, 'document')}, {counted(tally.matches, 'match')}, "
        f"{tally.bytes / 1e6 / max(1e-9, progress.seconds):,.1f} MB/s"
    )


def _told(summary: ScanSummary, census: Census | None) -> str:
    """What became of a scan, for people."""
    tally = summary.tally
    seconds = max(1e-9, summary.seconds)
    rates = f"{tally.bytes / 1e6 / seconds:,.1f} MB/s, {tally.documents / seconds:,.0f} documents/s"
    lines = [str(note) for note in tally.notes]
    lines.append(
        f"{counted(tally.documents, 'document')} scanned, {tally.bytes / 1e6:,.1f} MB in "
        f"{_duration(seconds)} ({rates}), peak memory {summary.peak_bytes / 1e6:,.0f} MB"
    )
    actions = [action for action in ("block", "redact", "flag", "allow") if tally.actions[action]]
    if actions:
        told = ", ".join(f"{action} {tally.actions[action]:,}" for action in actions)
        lines.append(f"{told}; {counted(tally.matches, 'match')}")
    for kind, counts in (("corpus", tally.corpora), ("licence", tally.licences)):
        if set(counts) - {""}:
            lines.append(f"documents with matches by {kind}: {_most(counts)}")
    if census is not None:
        lines.append(f"{census.new:,} new, {census.known:,} known, {census.gone:,} gone")
    if tally.noted:
        lines.append(
            f"{counted(tally.noted, 'document')} with code that did not parse, judged by words and "
            "lexemes; see note"
        )
    if tally.problems:
        lines.append(f"{counted(tally.problems, 'problem')}: not judged; see the rows with error")
    return "".join(f"dedup: {printable(line)}\n" for line in lines)


def _most(counts: Counter[str]) -> str:
    shown = counts.most_common(_MAX_NAMES)
    told = [f"{name or 'unknown'} {count:,}" for name, count in shown]
    return ", ".join(told) + (
        f", and {len(counts) - len(shown):,} more" * (len(counts) > len(shown))
    )


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
