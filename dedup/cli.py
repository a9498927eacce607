"""The command line: parse, call, print; no behaviour of its own.

Exit status 0: nothing at or above ``--fail-on``; 1: something; 2: usage or failure, told in one
line on standard error; 130: interrupted. Results go to standard output in the order of the inputs,
progress and errors to standard error.
"""

import io
import itertools
import json
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn, TextIO, TypeVar

import typer

from dedup import __version__
from dedup.errors import DedupError, SourceError
from dedup.filter import Filter
from dedup.index import Index, IndexInfo
from dedup.key import Key
from dedup.policy import Policy, Verdict
from dedup.report import printable, shown_documents, text_report
from dedup.source import (
    Document,
    SourceNote,
    SourceProblem,
    find_documents,
    read_sources,
    read_text,
)

__all__ = ["app", "main"]

_T = TypeVar("_T")


class _OutputClosed(Exception):
    """Not BrokenPipeError, for which typer exits with 1: here that means something was found."""


_FAILED: Final = 2
_INTERRUPTED: Final = 130

# Wider lines of prose are harder to read.
_MAX_COLUMNS: Final = 100

# More are a table, and a line is enough to see whether the licences were understood.
_MAX_LICENCES: Final = 5


class Format(StrEnum):
    """How verdicts are written."""

    text = "text"
    json = "json"
    jsonl = "jsonl"


class FailOn(StrEnum):
    """The weakest action that makes the exit status 1, strongest first."""

    never = "never"
    block = "block"
    redact = "redact"
    flag = "flag"


app = typer.Typer(
    help="Stops generative models from reproducing protected text and code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
index_app = typer.Typer(help="Build and inspect an index of protected documents.")
app.add_typer(index_app, name="index", no_args_is_help=True)

IndexArgument = Annotated[Path, typer.Argument(metavar="INDEX", help="The index directory.")]
KeyOption = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="The key of the index, if not your default key."),
]
NoKeyOption = Annotated[bool, typer.Option("--no-key", help="An index without a key.")]


def main() -> NoReturn:
    """Run the command; every failure becomes one line on standard error and a status."""
    try:
        status = app(standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):  # newer typer returns the status of an interrupt
        status = _INTERRUPTED
    except _OutputClosed:
        # Who read our output is gone, and with it who would read a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _FAILED
    except Exception as error:
        _print_error(_explain(error))
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


def _print_error(message: object) -> None:
    if message:  # none for a command given without arguments, which prints its help
        sys.stderr.write(f"dedup: error: {printable(str(message))}\n")


def _print_version(wanted: bool) -> None:
    if wanted:
        _write(f"dedup {__version__}\n")
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


@index_app.command("add")
def index_add(
    index: IndexArgument,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Files, directories (.gitignore is honoured), git repositories, bare or checked "
            "out, .jsonl or .ndjson files, any file gzipped; - for standard input.",
        ),
    ],
    corpus: Annotated[str, typer.Option(help="Corpus of the documents.")] = "",
    licence: Annotated[
        str,
        typer.Option(
            help="Licence of the documents, instead of what the files, licence files and package "
            "metadata say; a JSON row's own still holds."
        ),
    ] = "",
    owner: Annotated[str, typer.Option(help="Owner of the documents.")] = "",
    url: Annotated[
        str,
        typer.Option(
            metavar="TEMPLATE",
            help="Where a document is, as in https://x/{id}; also {path} inside the source and "
            "{revision} of a repository. For clones of well-known hosts, its page there.",
        ),
    ] = "",
    text_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="Field of a JSON row that holds the text.")
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="Read this commit, branch or tag of the sources, which are git repositories. "
            "Without it: the working tree, or HEAD of a bare repository.",
        ),
    ] = None,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Add documents to an index, which is made if it is missing.

    A document replaces one of the same id. What cannot be read is listed; the rest is added, and
    the exit status is 2. Binary files inside directories and repositories are left out and counted.
    """
    tally = _Tally(is_detecting=not licence)
    items = read_sources(
        sources,
        corpus=corpus,
        licence=licence,
        owner=owner,
        url=url,
        text_field=text_field,
        skip=index,
        revision=revision,
        note=tally.note,
    )
    documents = tally.documents(items)
    first = next(documents, None)
    if first is None:
        _print_error(f"{index}: nothing added, as no document could be read; check the sources")
        return _FAILED
    with _open_for_adding(index, key, no_key) as opened, _progress() as progress:
        before = opened.info().documents
        added = opened.add(progress(itertools.chain([first], documents), tally.describe))
        opened.commit()
        info = opened.info()
        tally.parses = opened.parses
    _write(tally.summary(added, info.documents - before, info))
    return _FAILED if tally.problems else 0


class _Tally:
    """What passed through while documents were added."""

    def __init__(self, *, is_detecting: bool) -> None:
        self.seen = 0
        self.bytes = 0
        self.problems = 0
        self.left_out = 0
        self.parses: dict[str, int] = {}
        self.licences: Counter[str] = Counter()
        self._is_detecting = is_detecting
        self._start = time.monotonic()

    def documents(self, items: Iterable[Document | SourceProblem]) -> Iterator[Document]:
        """The documents; problems are printed as they come."""
        for item in items:
            if isinstance(item, SourceProblem):
                self.problems += 1
                _print_error(item)
                continue
            self.seen += 1
            self.licences[item.licence] += 1
            # ASCII, the usual case, needs no copy to be counted.
            self.bytes += len(item.text if item.text.isascii() else item.text.encode())
            yield item

    def note(self, note: SourceNote) -> None:
        """What was left out of a source, printed as it comes."""
        self.left_out += note.total
        sys.stderr.write(f"dedup: {printable(str(note))}\n")

    def describe(self) -> str:
        return f"{_count(self.seen, 'document')}, {self.bytes / 1e6:,.1f} MB, {self._rate()}"

    def summary(self, added: int, grown: int, info: IndexInfo) -> str:
        changes = [f"{added - grown} replaced"] if added > grown else []
        changes += [f"{self.seen - added} unchanged"] if self.seen > added else []
        changes += [f"{_count(self.left_out, 'file')} left out"] if self.left_out else []
        lines = [
            f"{_count(self.seen, 'document')} read"
            + (f" ({', '.join(changes)})" if changes else "")
            + f", {self.bytes / 1e6:,.1f} MB at {self._rate()}",
            f"{printable(info.path)} holds {_count(info.documents, 'document')}, "
            f"{_count(info.tokens, 'token')} at {info.bytes_per_token:.2f} bytes each, "
            f"generation {info.generation}",
        ]
        if self._is_detecting and any(self.licences):
            lines.insert(1, f"licences: {self._most_licences()}")
        if missing := self.parses.get("no_grammar", 0):
            more = "pip install 'dedup[languages]' has more"
            lines.append(f"no grammar for {_count(missing, 'stretch')} of code; {more}")
        if failed := _failed_parses(self.parses):
            lines.append(f"{failed}: protected by words and lexemes")
        if self.problems:
            lines.append(f"{_count(self.problems, 'problem')}, listed above: not protected")
        return "".join(line + "\n" for line in lines)

    def _most_licences(self) -> str:
        """How many documents are under each licence, the most frequent first."""
        known = Counter({name: count for name, count in self.licences.items() if name})
        shown = [(printable(name), count) for name, count in known.most_common(_MAX_LICENCES)]
        named = sum(count for _, count in shown)
        rest = [("others", known.total() - named), ("none found", self.licences[""])]
        return ", ".join(f"{name} {count:,}" for name, count in [*shown, *rest] if count)

    def _rate(self) -> str:
        return f"{self.bytes / 1e6 / max(1e-9, time.monotonic() - self._start):,.1f} MB/s"


@index_app.command("info")
def index_info(index: IndexArgument, key: KeyOption = None, no_key: NoKeyOption = False) -> int:
    """Print what an index holds."""
    with Index.open(index, key=_key(key, no_key)) as opened:
        info = opened.info()
    schemes = [
        (f"scheme of {view}", ", ".join(f"{name} {value}" for name, value in scheme.items()))
        for view, scheme in info.schemes.items()
    ]
    rows = [
        ("path", printable(info.path)),
        ("format", f"{info.format_version}"),
        ("generation", f"{info.generation}"),
        ("key", info.key_id or "none"),
        *schemes,
        ("segments", f"{info.segments}"),
        ("documents", f"{info.documents:,}"),
        ("tokens", f"{info.tokens:,}"),
        ("bytes", f"{info.bytes:,} ({info.bytes_per_token:.2f} a token)"),
    ]
    for name, corpus in sorted(info.corpora.items()):
        counts = f"{_count(corpus.documents, 'document')}, {_count(corpus.tokens, 'token')}"
        rows.append((f"corpus {printable(name)}" if name else "no corpus", counts))
    width = max(len(label) for label, _ in rows)
    _write("".join(f"{label:<{width}}  {value}\n" for label, value in rows))
    return 0


@index_app.command("verify")
def index_verify(index: IndexArgument, key: KeyOption = None, no_key: NoKeyOption = False) -> int:
    """Read every byte of an index and compare it with its checksum."""
    with Index.open(index, key=_key(key, no_key)) as opened:
        report = opened.verify()
    _write(
        f"{printable(str(index))} is whole: {_count(report.documents, 'document')} in "
        f"{_count(report.segments, 'segment')}, {_count(report.bytes, 'byte')} read\n"
    )
    return 0


@index_app.command("merge")
def index_merge(index: IndexArgument, key: KeyOption = None, no_key: NoKeyOption = False) -> int:
    """Make one segment of all, without what was replaced."""
    with Index.open(index, key=_key(key, no_key), writable=True) as opened:
        before = opened.info()
        opened.merge()
        after = opened.info()
    _write(
        f"{printable(str(index))} has {_count(after.segments, 'segment')} of "
        f"{_count(after.bytes, 'byte')} (before: {before.segments} of {before.bytes:,}), "
        f"generation {after.generation}\n"
    )
    return 0


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
    with Index.open(index, key=_key(key, no_key)) as opened:
        if opened.generation == 0:  # to count the documents would read the whole table
            sys.stderr.write(f"dedup: warning: {index} holds no document; everything passes\n")
        filter = Filter(opened, rules)
        with _output(output) as stream, _progress(len(names)) as progress:
            write = _writer(format, stream, _Originals(opened, source or []))
            for name in progress(names, lambda: ""):
                try:
                    query = _read_query(name)
                except SourceError as error:
                    _print_error(error)
                    status = _FAILED
                    continue
                verdict = filter.check(query, request)
                write(name, query, verdict)
                if verdict.error:
                    _print_error(f"{name}: the check could not be made: {verdict.error}")
                    status = _FAILED
                elif _fails(verdict, fail_on):
                    status = status or 1
        if failed := _failed_parses(opened.parses):
            sys.stderr.write(f"dedup: {failed}: judged by words and lexemes\n")
    return status


def _failed_parses(parses: dict[str, int]) -> str:
    """How many parses of code gave nothing, and why; empty if none did."""
    failed = {name: n for name, n in parses.items() if n and name not in ("parsed", "no_grammar")}
    reasons = ", ".join(f"{n} {name}" for name, n in failed.items())
    return f"{_count(sum(failed.values()), 'parse')} of code failed ({reasons})" if failed else ""


def _read_query(name: str) -> str:
    query = read_text(name)
    if not query or query.isspace():
        shown = "standard input" if name == "-" else name
        raise SourceError(f"{shown}: holds no text to check; see whether it was written")
    return query


def _fails(verdict: Verdict, fail_on: FailOn) -> bool:
    actions = list(FailOn)
    return verdict.action in actions[1 : actions.index(fail_on) + 1]


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
    colour = _wants_colour(stream)
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
            stream.write(_json(verdict.to_dict(name), 2 if format is Format.json else None))
        is_first = False
        stream.flush()

    return write


def _json(data: dict[str, Any], indent: int | None) -> str:
    """One object and a newline; characters a terminal may act on are escaped, losing nothing."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    return re.sub(r"[^\n -~]", _escaped, text) + "\n"


def _escaped(found: re.Match[str]) -> str:
    return found[0] if printable(found[0]) == found[0] else json.dumps(found[0])[1:-1]


# ---- streams -------------------------------------------------------------------------------------


def _key(key: Path | None, no_key: bool) -> Key | Literal["default"] | None:
    if key is not None and no_key:
        raise typer.BadParameter("--key and --no-key exclude each other")
    if no_key:
        return None
    return "default" if key is None else Key.load(key)


def _open_for_adding(index: Path, key: Path | None, no_key: bool) -> Index:
    if index.exists() and not (index.is_dir() and not any(index.iterdir())):
        return Index.open(index, key=_key(key, no_key), writable=True)
    if key is not None and not no_key and not key.exists():
        Key.generate(key)
        sys.stderr.write(f"dedup: made the key {key}; keep it, without it the index is of no use\n")
    return Index.create(index, key=_key(key, no_key))


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that appears whole or not at all."""
    if path is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            raise _OutputClosed from None
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


def _write(text: str) -> None:
    with _output(None) as stream:
        stream.write(text)


def _wants_colour(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


_Track = Callable[[Iterable[_T], Callable[[], str]], Iterator[_T]]


@contextmanager
def _progress(total: int | None = None) -> Iterator[_Track[Any]]:
    """A function that passes items on and shows how far it is, if someone is looking."""
    if not sys.stderr.isatty() or total == 1:
        yield lambda items, describe: iter(items)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    no_colour = not _wants_colour(sys.stderr)
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


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "es" if noun.endswith("ch") else "s")
