"""``dedup index add``: sources into an index, and what became of them; see ``cli``."""

import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated, Final

import typer

from dedup.batch import Task, tasks_of, with_text
from dedup.builder import Built
from dedup.cli_options import (
    EncodingOption,
    FieldOption,
    IdFieldOption,
    IndexArgument,
    JobsOption,
    KeyOption,
    NoKeyOption,
    RayOption,
    RevisionOption,
    SourcesArgument,
    TextFieldOption,
    engine_of,
    index_app,
    opened_or_made,
    reading_of,
)
from dedup.engine import peak_memory
from dedup.expiry import parse_date
from dedup.index import IndexInfo
from dedup.partition import partitions
from dedup.report import printable
from dedup.source import Document, SourceNote, SourceProblem, summed
from dedup.terminal import counted, print_error, progress, write

__all__ = ["failed_parses", "index_add"]

_FAILED: Final = 2

# More are a table, and a line is enough to see whether the licences were understood.
_MAX_LICENCES: Final = 5


@index_app.command("add")
def index_add(
    index: IndexArgument,
    sources: SourcesArgument,
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
    text_field: TextFieldOption = None,
    id_field: IdFieldOption = None,
    field: FieldOption = None,
    encoding: EncodingOption = None,
    revision: RevisionOption = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="The first day, YYYY-MM-DD in UTC, on which the documents are not protected any "
            "more; a JSON row's own field still holds.",
        ),
    ] = None,
    memory: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="How much a worker holds in memory before it is written, as in 2G; at its peak it "
            "takes about twice as much.",
        ),
    ] = "512M",
    jobs: JobsOption = None,
    ray: RayOption = None,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Add documents to an index, which is made if it is missing.

    A document replaces one of the same id. What cannot be read is listed; the rest is added, and
    the exit status is 2. Binary files inside directories and repositories are left out and counted.
    The index is the same whatever the number of jobs. On a cluster all machines see the sources and
    the index under the same paths.
    """
    memory_bytes = _bytes(memory)
    tally = _Tally(is_detecting=not licence)
    reading = reading_of(
        *(text_field, id_field, field, encoding, revision),
        labels=Document("", "", corpus, licence, owner, url, _date(expires)),
        skip=[index],
        is_guessing=False,
    )
    tasks = with_text(tasks_of(partitions(sources, reading)))
    first: list[Task] = []
    for task in tasks:
        first.append(task)
        if any(isinstance(item, Document) for item in task.read()):
            break
    else:
        for _ in tally.documents(first):
            pass
        tally.tell_notes()
        print_error(f"{index}: nothing added, as no document could be read; check the sources")
        return _FAILED
    with opened_or_made(index, key, no_key) as opened, progress() as track:
        before = opened.info().documents
        more = list(itertools.islice(tasks, 1))
        tasks = itertools.chain(first, more, tasks)
        if ray is None and (jobs == 1 or not more):
            added = opened.add(track(tally.documents(tasks), tally.describe), memory_bytes)
            tally.parses.update(opened.parses)
        else:
            tracked = track(tasks, tally.describe)
            added = opened.add_tasks(tracked, engine_of(jobs, ray), memory_bytes, tally.built)
        opened.commit()
        info = opened.info()
    tally.tell_notes()
    write(tally.summary(added, info.documents - before, info))
    return _FAILED if tally.problems else 0


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else parse_date(text)
    except ValueError as error:
        raise typer.BadParameter(f"--expires: {error}") from None


def _bytes(text: str) -> int:
    """``2G``, ``512M``: a number of bytes, of kibi-, mebi- or gibibytes."""
    found = re.fullmatch(r"(\d+)([KMG]?)(?:i?B)?", text, re.IGNORECASE | re.ASCII)
    size = int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2].upper()] if found else 0
    if not size:
        raise typer.BadParameter(f"--memory: {text!r} is no size; expected one as 512M or 2G")
    return size


class _Tally:
    """What passed through while documents were added."""

    def __init__(self, *, is_detecting: bool) -> None:
        self.seen = 0
        self.bytes = 0
        self.problems = 0
        self.parses: Counter[str] = Counter()
        self._notes: list[SourceNote] = []
        self._left_out = 0
        self._licences: Counter[str] = Counter()
        self._worker_bytes = 0
        self._is_detecting = is_detecting
        self._start = time.monotonic()

    def documents(self, tasks: Iterable[Task]) -> Iterator[Document]:
        """The documents of the tasks; problems are printed as they come."""
        for item in itertools.chain.from_iterable(task.read() for task in tasks):
            if isinstance(item, SourceProblem):
                self._problem(item)
            elif isinstance(item, SourceNote):
                self._notes.append(item)
            else:
                self.seen += 1
                self._licences[item.licence] += 1
                # ASCII, the usual case, needs no copy to be counted.
                self.bytes += len(item.text if item.text.isascii() else item.text.encode())
                yield item

    def built(self, built: Built) -> None:
        """What a worker made of a task, instead of its documents."""
        for problem in built.problems:
            self._problem(problem)
        self._notes += built.notes
        self.seen += built.documents
        self.bytes += built.bytes
        self._licences.update(built.licences)
        self.parses.update(built.parses)
        self._worker_bytes = max(self._worker_bytes, built.peak_bytes)

    def tell_notes(self) -> None:
        """Print what was left out of each source."""
        for note in summed(self._notes):
            self._left_out += note.total
            sys.stderr.write(f"dedup: {printable(str(note))}\n")

    def _problem(self, problem: SourceProblem) -> None:
        self.problems += 1
        print_error(problem)

    def describe(self) -> str:
        return f"{counted(self.seen, 'document')}, {self.bytes / 1e6:,.1f} MB, {self._rate()}"

    def summary(self, added: int, grown: int, info: IndexInfo) -> str:
        changes = [f"{added - grown} replaced"] if added > grown else []
        changes += [f"{self.seen - added} unchanged"] if self.seen > added else []
        changes += [f"{counted(self._left_out, 'file')} left out"] if self._left_out else []
        lines = [
            f"{counted(self.seen, 'document')} read"
            + (f" ({', '.join(changes)})" if changes else "")
            + f", {self.bytes / 1e6:,.1f} MB at {self._rate()}, "
            + f"peak memory {peak_memory() / 1e6:,.0f} MB"
            + (f" and {self._worker_bytes / 1e6:,.0f} MB a worker" if self._worker_bytes else ""),
            f"{printable(info.path)} holds {counted(info.documents, 'document')}, "
            f"{counted(info.tokens, 'token')} at {info.bytes_per_token:.2f} bytes each, "
            f"generation {info.generation}",
        ]
        if self._is_detecting and any(self._licences):
            lines.insert(1, f"licences: {self._most_licences()}")
        if missing := self.parses.get("no_grammar", 0):
            more = "pip install 'dedup[languages]' has more"
            lines.append(f"no grammar for {counted(missing, 'stretch')} of code; {more}")
        if failed := failed_parses(self.parses):
            lines.append(f"{failed}: protected by words and lexemes")
        if self.problems:
            lines.append(f"{counted(self.problems, 'problem')}, listed above: not protected")
        return "".join(line + "\n" for line in lines)

    def _most_licences(self) -> str:
        """How many documents are under each licence, the most frequent first."""
        known = Counter({name: count for name, count in self._licences.items() if name})
        shown = [(printable(name), count) for name, count in known.most_common(_MAX_LICENCES)]
        named = sum(count for _, count in shown)
        rest = [("others", known.total() - named), ("none found", self._licences[""])]
        return ", ".join(f"{name} {count:,}" for name, count in [*shown, *rest] if count)

    def _rate(self) -> str:
        return f"{self.bytes / 1e6 / max(1e-9, time.monotonic() - self._start):,.1f} MB/s"


def failed_parses(parses: dict[str, int]) -> str:
    """How many parses of code gave nothing, and why; empty if none did."""
    failed = {name: n for name, n in parses.items() if n and name not in ("parsed", "no_grammar")}
    reasons = ", ".join(f"{n} {name}" for name, n in failed.items())
    return f"{counted(sum(failed.values()), 'parse')} of code failed ({reasons})" if failed else ""
