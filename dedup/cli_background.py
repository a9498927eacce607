"""``dedup index background``: an index of what is permitted to all; see ``cli``."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from dedup.cli_options import (
    IndexArgument,
    JobsOption,
    KeyOption,
    NoKeyOption,
    engine_of,
    opened_or_made,
)
from dedup.document import Document, SourceProblem
from dedup.source import read_sources
from dedup.terminal import counted, print_error, progress, write

__all__ = ["index_background"]

_FAILED: Final = 2
_PERMITTED: Final = "permitted"


def index_background(
    index: IndexArgument,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE...", help="More that is permitted, as a whole."),
    ] = None,
    common: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Of these only passages that many owners have; an owner is a child of the source, "
            "as a package in a folder of packages. May be repeated.",
        ),
    ] = None,
    owners: Annotated[
        int, typer.Option(min=2, metavar="N", help="How many owners make a passage common.")
    ] = 5,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="Leave out licences, lists, scaffolds, generated or stubs."
        ),
    ] = None,
    jobs: JobsOption = None,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Add what is permitted to all to an index, which is made if it is missing.

    Licence texts, lists of facts, templates of new projects, generated code and the interface of
    Python's standard library, as far as they are installed (pip install 'dedup[background]'), and
    what you name. Check against a protected index with --background INDEX, and nothing of it is
    held against an output.
    """
    from dedup.background import KINDS, common_passages, shipped  # here, as others start quicker

    if unknown := set(without or ()) - set(KINDS):
        raise typer.BadParameter(f"--without: {min(unknown)!r} is none of {', '.join(KINDS)}")
    tally = _Tally()

    def documents() -> Iterator[Document]:
        for kind in KINDS:
            if kind not in (without or ()):
                yield from shipped(kind)
        for item in read_sources(sources or [], corpus=_PERMITTED, skip=index):
            if isinstance(item, SourceProblem):
                tally.tell(str(item))
            else:
                yield item
        if common:
            engine = engine_of(jobs, None)
            yield from common_passages(common, owners, engine=engine, problem=tally.tell)

    with opened_or_made(index, key, no_key) as opened, progress() as track:
        opened.add(track(map(tally.count, documents()), tally.describe))
        opened.commit()
        missing = [kind for kind in KINDS if kind not in (without or ()) and not tally.has(kind)]
        write(tally.summary(opened.info().documents, missing))
    return _FAILED if tally.problems else 0


class _Tally:
    """What was added, by corpus, and what could not be read."""

    def __init__(self) -> None:
        self.problems = 0
        self._counts: Counter[str] = Counter()

    def tell(self, problem: str) -> None:
        self.problems += 1
        print_error(problem)

    def count(self, document: Document) -> Document:
        self._counts[document.corpus] += 1
        return document

    def describe(self) -> str:
        return counted(self._counts.total(), "document")

    def has(self, corpus: str) -> bool:
        return self._counts[corpus] > 0

    def summary(self, documents: int, missing: list[str]) -> str:
        lines = [f"{corpus} {count:,}" for corpus, count in self._counts.items()]
        text = f"{', '.join(lines) or 'nothing'} added; holds {counted(documents, 'document')}\n"
        if missing:
            text += f"no {' or '.join(missing)} found; pip install 'dedup[background]' has more\n"
        return text
