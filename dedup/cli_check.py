"""``dedup check``: generated texts judged, and told in every format there is; see ``cli``."""

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from dedup.baseline import Baseline, Census
from dedup.cli_add import failed_parses
from dedup.cli_options import (
    BackgroundOption,
    EncodingOption,
    FailOn,
    KeyOption,
    NoKeyOption,
    encoding_of,
    fails,
    format_of,
    keys_of,
)
from dedup.encoding import Encoding
from dedup.errors import SourceError
from dedup.explanation import Explanation, explain, explanation_text
from dedup.filter import Filter
from dedup.index import Index
from dedup.originals import Originals
from dedup.policy import Policy, Verdict
from dedup.report import printable, shown_documents, text_report
from dedup.scanning.row import error_row, row_of
from dedup.source import read_text
from dedup.terminal import (
    as_json,
    counted,
    output_to,
    print_error,
    print_warning,
    progress,
    wants_colour,
)

__all__ = ["check"]

_FAILED: Final = 2

# Wider lines of prose are harder to read.
_MAX_COLUMNS: Final = 100


class Format(StrEnum):
    """How verdicts are written."""

    text = "text"
    json = "json"
    jsonl = "jsonl"
    html = "html"
    sarif = "sarif"
    github = "github"


_FORMATS: Final = {".html": Format.html, ".sarif": Format.sarif}


@dataclass(frozen=True, slots=True)
class _Checked:
    """A text, the verdict on it, none if it could not be read, and then why."""

    name: str
    text: str
    verdict: Verdict | None
    error: str = ""
    explanation: Explanation | None = None

    def row(self, *, excerpts: bool = False) -> dict[str, Any]:
        """As a scan would write it."""
        if self.verdict is None:
            return error_row(self.name, self.error)
        size = len(self.text.encode())
        return row_of(self.name, self.text, size, self.verdict, excerpts=excerpts)


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
    encoding: EncodingOption = None,
    background: BackgroundOption = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="What was given to index add, to show the originals beside; may be repeated.",
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            help="How to print verdicts: html is one page, sarif and github are for code hosts. "
            "If not given, by the name of OUT, else text."
        ),
    ] = None,
    explained: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Tell why: seeds and places found, passages weighed, and what each rule misses.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Write verdicts to a file instead."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What was found and accepted before; it is not held against a text.",
        ),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Accept all that is found, known or new: the exit status is 0."
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="The weakest action that makes the exit status 1.")
    ] = FailOn.block,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print only what does not pass; empty texts pass."),
    ] = False,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Judge generated texts against an index.

    The exit status is 0 if all pass, 1 if one does not, 2 if one could not be judged.
    """
    names = files or ["-"]
    if prompt == "-" and "-" in names:
        raise typer.BadParameter("standard input can be the prompt or a text, not both")
    form = format_of(output, format, _FORMATS, Format.text)
    if explained and form not in (Format.text, Format.json, Format.jsonl):
        raise typer.BadParameter("--explain goes with --format text, json or jsonl")
    rules = Policy.load(policy)
    given = encoding_of(encoding)
    request = None if prompt is None else read_text(prompt, given)
    known = None if baseline is None else Baseline.load(baseline)
    keys = keys_of(key, no_key)
    with ExitStack() as stack:
        opened = stack.enter_context(Index.open(index, key=keys))
        permitted = [stack.enter_context(Index.open(one, key=keys)) for one in background or ()]
        if opened.snapshot.is_empty:
            print_warning(f"{index} holds no document; everything passes")
        filter = Filter(opened, rules, background=permitted)
        run = _Run(filter, request, given, known, fail_on, quiet, explained)
        originals = Originals(opened, source or [], print_warning)
        about = (str(index), rules.name)
        with output_to(output) as stream, progress(len(names)) as track:
            checked = run.judged(track(names, lambda: ""))
            shown = (one for one in checked if not quiet or _is_worth_saying(one))
            if form is Format.text:
                columns = min(_MAX_COLUMNS, shutil.get_terminal_size((80, 24)).columns)
                pieces = _texts(shown, originals, wants_colour(stream), columns)
            elif form in (Format.json, Format.jsonl):
                pieces = _objects(shown, 2 if form is Format.json else None)
            else:
                pieces = _report(form, checked, originals, about)
            for piece in pieces:
                stream.write(piece)
                stream.flush()
        if failed := failed_parses(opened.parses):
            sys.stderr.write(f"dedup: {failed}: judged by words and lexemes\n")
    if known is not None:
        census = run.census
        sys.stderr.write(
            f"dedup: {counted(census.known, 'match')} known from {printable(str(baseline))}, "
            f"{census.gone:,} of it gone\n"
        )
    if write_baseline is not None:
        run.accept_all(write_baseline)
    return run.status


class _Run:
    """Texts judged one by one, and what that makes of the exit status."""

    def __init__(
        self,
        filter: Filter,
        prompt: str | None,
        encoding: Encoding,
        baseline: Baseline | None,
        fail_on: FailOn,
        is_quiet: bool,
        is_explaining: bool,
    ) -> None:
        self.status = 0
        self.census = Census(baseline)
        self._filter = filter
        self._prompt = prompt
        self._encoding = encoding
        self._baseline = baseline
        self._fail_on = fail_on
        self._is_quiet = is_quiet
        self._is_explaining = is_explaining

    def judged(self, names: Iterable[str]) -> Iterator[_Checked]:
        """Each text with its verdict; what cannot be judged is told as it comes."""
        for name in names:
            try:
                text = read_text(name, self._encoding)
                if not text or text.isspace():
                    if self._is_quiet:
                        continue
                    shown = "standard input" if name == "-" else name
                    raise SourceError(
                        f"{shown}: holds no text to check; see whether it was written"
                    )
            except SourceError as error:
                print_error(error)
                self.status = _FAILED
                yield _Checked(name, "", None, str(error))
                continue
            verdict = self._filter.check(text, self._prompt)
            if self._baseline is not None:
                verdict = self._baseline.accept(name, text, verdict, self._filter.policy)
            explanation = None
            if self._is_explaining and not verdict.error:
                explanation = self._explained(text)
            checked = _Checked(name, text, verdict, explanation=explanation)
            self.census.see(checked.row())
            if verdict.error:
                print_error(f"{name}: the check could not be made: {verdict.error}")
                self.status = _FAILED
            elif fails(verdict.action, self._fail_on):
                self.status = self.status or 1
            yield checked

    def _explained(self, text: str) -> Explanation:
        index, policy = self._filter.index, self._filter.policy
        background = [other.snapshot.session() for other in self._filter.background]
        return explain(text, index.snapshot.session(self._prompt, background), policy)

    def accept_all(self, path: Path) -> None:
        """Write what was found as the baseline of later runs."""
        if self.status == _FAILED:
            print_error(f"{path}: not written, as not all texts could be judged")
            return
        with output_to(path) as stream:
            stream.writelines(self.census.lines())
        self.status = 0


def _is_worth_saying(checked: _Checked) -> bool:
    return checked.verdict is None or checked.verdict.action != "allow"


def _texts(
    checked: Iterable[_Checked], originals: Originals, is_colour: bool, width: int
) -> Iterator[str]:
    is_first = True
    for one in checked:
        if one.verdict is not None:
            report = text_report(
                one.name,
                one.text,
                one.verdict,
                originals=originals.texts(shown_documents(one.verdict)),
                colour=is_colour,
                width=width,
            )
            yield report if is_first else f"\n{report}"
            if one.explanation is not None:
                yield "\n"
                yield from explanation_text(one.explanation, one.text)
            is_first = False


def _objects(checked: Iterable[_Checked], indent: int | None) -> Iterator[str]:
    for one in checked:
        if one.verdict is not None:
            told = one.verdict.to_dict(one.name)
            if one.explanation is not None:
                told["explanation"] = one.explanation.to_dict()
            yield as_json(told, indent)


def _report(
    format: Format, checked: Iterable[_Checked], originals: Originals, about: tuple[str, str]
) -> Iterator[str]:
    """The formats that are about all texts together."""
    # Here, as what they import takes longer than to check a file.
    if format is Format.html:
        from dedup.reports.html import About, html_report

        index, policy = about
        rows = (one.row(excerpts=True) for one in checked)
        return html_report(rows, about=About(index=index, policy=policy), originals=originals)
    if format is Format.sarif:
        from dedup.reports.sarif import sarif_report

        return sarif_report(one.row() for one in checked)
    from dedup.reports.github import github_report

    return github_report(one.row() for one in checked)
