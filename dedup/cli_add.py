"""``dedup index add``: sources into an index, and what became of them; see ``cli``."""

import itertools
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from dedup.cli_options import (
    EncodingOption,
    FieldOption,
    IdFieldOption,
    IndexArgument,
    KeyOption,
    NoKeyOption,
    RevisionOption,
    SourcesArgument,
    TextFieldOption,
    index_app,
    keys_of,
    made_or_loaded,
    reading_of,
)
from dedup.expiry import parse_date
from dedup.index import Index, IndexInfo
from dedup.key import Key
from dedup.manifest import MANIFEST
from dedup.partition import partitions
from dedup.report import printable
from dedup.source import Document, SourceNote, SourceProblem, read_all
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
            help="How much is held in memory before it is written, as in 2G; at its peak the "
            "command takes about twice as much.",
        ),
    ] = "512M",
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Add documents to an index, which is made if it is missing.

    A document replaces one of the same id. What cannot be read is listed; the rest is added, and
    the exit status is 2. Binary files inside directories and repositories are left out and counted.
    """
    memory_bytes = _bytes(memory)
    tally = _Tally(is_detecting=not licence)
    reading = reading_of(
        *(text_field, id_field, field, encoding, revision),
        labels=Document("", "", corpus, licence, owner, url, _date(expires)),
        skip=[index],
        is_guessing=False,
    )
    items = read_all(partitions(sources, reading), note=tally.note)
    documents = tally.documents(items)
    first = next(documents, None)
    if first is None:
        print_error(f"{index}: nothing added, as no document could be read; check the sources")
        return _FAILED
    with _open_for_adding(index, key, no_key) as opened, progress() as track:
        before = opened.info().documents
        tracked = track(itertools.chain([first], documents), tally.describe)
        added = opened.add(tracked, memory_bytes)
        opened.commit()
        info = opened.info()
        tally.parses = opened.parses
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


def _peak_memory() -> int:
    """The most this process had in memory so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _open_for_adding(index: Path, keys: list[Path] | None, no_key: bool) -> Index:
    if (index / MANIFEST).exists():
        return Index.open(index, key=keys_of(keys, no_key), writable=True)
    if not keys or no_key:
        given = keys_of(keys, no_key)
    else:
        given = [made_or_loaded(keys[0]), *map(Key.load, keys[1:])]
    return Index.create(index, key=given)


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
                print_error(item)
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
        return f"{counted(self.seen, 'document')}, {self.bytes / 1e6:,.1f} MB, {self._rate()}"

    def summary(self, added: int, grown: int, info: IndexInfo) -> str:
        changes = [f"{added - grown} replaced"] if added > grown else []
        changes += [f"{self.seen - added} unchanged"] if self.seen > added else []
        changes += [f"{counted(self.left_out, 'file')} left out"] if self.left_out else []
        lines = [
            f"{counted(self.seen, 'document')} read"
            + (f" ({', '.join(changes)})" if changes else "")
            + f", {self.bytes / 1e6:,.1f} MB at {self._rate()}, "
            + f"peak memory {_peak_memory() / 1e6:,.0f} MB",
            f"{printable(info.path)} holds {counted(info.documents, 'document')}, "
            f"{counted(info.tokens, 'token')} at {info.bytes_per_token:.2f} bytes each, "
            f"generation {info.generation}",
        ]
        if self._is_detecting and any(self.licences):
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
        known = Counter({name: count for name, count in self.licences.items() if name})
        shown = [(printable(name), count) for name, count in known.most_common(_MAX_LICENCES)]
        named = sum(count for _, count in shown)
        rest = [("others", known.total() - named), ("none found", self.licences[""])]
        return ", ".join(f"{name} {count:,}" for name, count in [*shown, *rest] if count)

    def _rate(self) -> str:
        return f"{self.bytes / 1e6 / max(1e-9, time.monotonic() - self._start):,.1f} MB/s"


def failed_parses(parses: dict[str, int]) -> str:
    """How many parses of code gave nothing, and why; empty if none did."""
    failed = {name: n for name, n in parses.items() if n and name not in ("parsed", "no_grammar")}
    reasons = ", ".join(f"{n} {name}" for name, n in failed.items())
    return f"{counted(sum(failed.values()), 'parse')} of code failed ({reasons})" if failed else ""
