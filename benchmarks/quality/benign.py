"""Texts that must pass, F1 to F10 of the research, and what is protected when they are asked.

The two sides have no project in common. Where a genre makes texts alike (scaffolds, lists,
generated code, SQL, style sheets), one owner's are protected and another's asked: see `traps`.
"""

import hashlib
import http
import json
import random
import re
import tokenize
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dedup import Document, _core

from .corpora import prose, rows
from .downloads import INDEXED, Downloads
from .functions import Function, standard_library, tokens_of
from .probes import NO_PROBE, PROBES, functions_of_wheels, shingles_of, split_copies, spread

__all__ = ["SETS", "BenignSet", "Probe", "probes", "protected", "without_roff"]

_WINDOW_WORDS = 200
_WINDOW_CHARACTERS = 1500
_TAG = re.compile(r"<script.*?</script>|<style.*?</style>|<[^>]*>", re.DOTALL)
_ROFF = re.compile(r"^\.\\\".*$|^['.]\s*[A-Za-z]{1,3}\s?|\\f.|\\&|\\\(..", re.MULTILINE)
_SLOT = re.compile(r"\{\{\s*(\w+)[^}]*\}\}|\$\{\s*(\w+)[^}]*\}")


@dataclass(frozen=True, slots=True)
class Probe:
    """A text of a set that is no copy of what is protected, unless a person finds it is."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class BenignSet:
    """A set, and the share that may be blocked in a first release and to be trusted."""

    title: str
    first: float | None
    trusted: float | None


SETS = {
    "F1": BenignSet("functions of unrelated packages, 65 tokens or more", 0.005, 0.001),
    "F1-js": BenignSet("JavaScript of unrelated packages, 1,500 characters", 0.005, 0.001),
    "F2": BenignSet("licence texts", 0.01, 0.001),
    "F3": BenignSet("scaffolds under other names", 0.01, 0.001),
    "F4": BenignSet("lists of facts in other forms", 0.01, 0.001),
    "F5": BenignSet("fortunes: jokes and quotations", None, None),
    "F6": BenignSet("generated code and service descriptions", 0.01, 0.001),
    "F7": BenignSet("SQL of other extensions, 1,500 characters", 0.01, 0.001),
    "F8": BenignSet("style sheets and pages of other sites, 1,500 characters", 0.01, 0.001),
    "F9-man": BenignSet("manual pages, 200 words", 0.001, 0.0001),
    "F9-log": BenignSet("changelogs, 200 words", 0.001, 0.0001),
    "F9-doc": BenignSet("package descriptions and docstrings, 200 words", 0.001, 0.0001),
    "F10": BenignSet("other solutions of the same task", None, 0.02),
}


# ---- pieces


def _windows(texts: dict[str, str], words: int = _WINDOW_WORDS) -> Iterator[Probe]:
    for name, text in texts.items():
        every = text.split()
        for at in range(0, max(1, len(every) - words // 2), words):
            if len(every) - at >= words // 4:
                yield Probe(f"{name}:{at}", " ".join(every[at : at + words]))


def _stretches(texts: dict[str, str]) -> Iterator[Probe]:
    """Of so many characters, cut at line ends where there are any."""
    for name, text in texts.items():
        at = 0
        while at < len(text):
            cut = text.rfind("\n", at + _WINDOW_CHARACTERS // 2, at + _WINDOW_CHARACTERS) + 1
            end = cut or at + _WINDOW_CHARACTERS
            if end - at >= _WINDOW_CHARACTERS // 4:
                yield Probe(f"{name}:{at}", text[at:end])
            at = end


def _without_tags(text: str) -> str:
    return _TAG.sub(" ", text)


def without_roff(text: str) -> str:
    """A manual page's words, without the commands of its layout."""
    return _ROFF.sub("", text)


def _half(texts: dict[str, str], number: int) -> dict[str, str]:
    """By what stands before the first ``--`` or dot of the file's name, which is a project."""
    return {
        name: text
        for name, text in texts.items()
        if zlib.crc32(re.split(r"--|\.", Path(name).name)[0].encode()) % 2 == number
    }


# ---- genres whose texts are alike: one owner's (side 0) and another's (side 1)

_OWNERS = ({"project": "warehouse", "app": "stock"}, {"project": "campfire", "app": "songs"})


def _scaffolds(downloads: Downloads, side: int) -> dict[str, str]:
    made = downloads.wheel("django==5.2.19", r"conf/(app|project)_template/.*-tpl$")
    made |= downloads.wheel("alembic==1.20.1", r"templates/(generic|async|multidb)/.*")
    made |= downloads.wheel("sphinx==9.0.4", r"templates/quickstart/.*")
    made |= downloads.wheel("hatch==1.18.2", r"hatch/template/.*\.py$")
    names = _OWNERS[side]

    def fill(match: re.Match[str]) -> str:
        slot = match[1] or match[2]
        if "app" in slot or "camel" in slot:
            return names["app"]
        return names["project"] if "project" in slot else f"{names['project']}_{slot}"

    return {
        name: re.sub(r"\{%-?.*?-?%\}", "", _SLOT.sub(fill, text))
        for name, text in made.items()
        if len(text.split()) >= 20
    }


def _facts(downloads: Downloads) -> dict[str, list[str]]:
    found = {"HTTP statuses": [f"{s.value} {s.phrase}" for s in http.HTTPStatus]}
    for name, text in downloads.debian("iso-codes", r"iso-codes/json/iso_[\d-]+\.json$").items():
        for entries in json.loads(text).values():
            found[Path(name).stem] = [entry["name"] for entry in entries][:300]
    zones = downloads.debian("tzdata", r"zoneinfo/zone1970\.tab$")
    for text in zones.values():
        lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
        found["time zones"] = [line[2] for line in lines]
    return found


_FORMS: dict[str, Callable[[list[str]], str]] = {
    "json": lambda facts: json.dumps(facts, indent=2, ensure_ascii=False),
    "prose": lambda facts: "The following are known: " + ", ".join(facts) + ".",
    "bullets": lambda facts: "\n".join(f"- {fact}" for fact in facts),
    "python": lambda facts: "NAMES = [\n" + "".join(f"    {fact!r},\n" for fact in facts) + "]\n",
    "sql": lambda facts: "\n".join(
        "INSERT INTO names VALUES ({}, '{}');".format(n, fact.replace("'", "''"))
        for n, fact in enumerate(facts)
    ),
    "html": lambda facts: "\n".join(f'<option value="{f[:3]}">{f}</option>' for f in facts),
    "java": lambda facts: "\n".join(f'    names.add("{fact}");' for fact in facts),
}


def _lists(downloads: Downloads, side: int) -> dict[str, str]:
    """As JSON on the one side, in every other form on the other."""
    return {
        f"{name}.{form}": write(facts)
        for name, facts in _facts(downloads).items()
        for form, write in _FORMS.items()
        if (form == "json") == (side == 0)
    }


def _generated(downloads: Downloads, side: int) -> dict[str, str]:
    packages = (
        ("googleapis-common-protos==1.76.0", "opentelemetry-proto==1.45.2"),
        (
            "grpcio-channelz==1.85.0",
            "grpcio-health-checking==1.85.1",
            "grpcio-reflection==1.85.1",
            "grpcio-status==1.85.3",
        ),
    )
    made: dict[str, str] = {}
    for spec in packages[side]:
        made |= downloads.wheel(spec, r"_pb2(_grpc)?\.pyi?$")
    services = downloads.wheel("botocore==1.44.8", r"data/[a-c]\w*/.*service-2\.json\.gz$")
    for name, text in services.items():
        service = name.split("/")[3]
        if zlib.crc32(service.encode()) % 2 == side and len(text) < 300_000:
            made[name.removesuffix(".gz")] = text
    return made


def _sql(downloads: Downloads, side: int) -> dict[str, str]:
    return _half(downloads.debian("postgresql-15", r"extension/.*\.sql$"), side)


def _sheets(downloads: Downloads, side: int) -> dict[str, str]:
    if side == 0:
        made = downloads.debian("libjs-bootstrap5", r"bootstrap-html/css/bootstrap\.css$")
        made |= downloads.wheel("sphinx==9.0.4", r"themes/.*\.(css|html)(\.jinja)?$")
        return made | downloads.wheel("django==5.2.19", r"admin/(static/.*\.css|templates/.*)$")
    made = downloads.wheel("swagger-ui-bundle==1.1.0", r"4\.\d+\.\d+/.*\.(css|html)$")
    made |= downloads.wheel("sphinx-rtd-theme==3.1.0", r"(theme\.css|\.html)$")
    made |= downloads.wheel("pydata-sphinx-theme==0.24.0", r"\.(css|html)$")
    return made | downloads.wheel("mkdocs==1.6.1", r"themes/.*(base\.css|\.html)$")


def _scripts(downloads: Downloads, side: int) -> dict[str, str]:
    if side == 0:
        made = downloads.debian("libjs-bootstrap5", r"bootstrap-html/js/bootstrap\.js$")
        return made | downloads.debian("libjs-d3", r"d3/d3\.js$")
    return downloads.debian("libjs-jquery-ui", r"ui/widgets/(?!.*min).*\.js$")


_TRAPS = {
    "F1-js": _scripts,
    "F3": _scaffolds,
    "F4": _lists,
    "F6": _generated,
    "F7": _sql,
    "F8": _sheets,
}


# ---- what is protected


def protected(downloads: Downloads, data: Path | None, tokens: int) -> list[Document]:
    """Documents of about so many words: the traps, then half prose and half code."""
    documents = [
        Document(id=f"{key}/{name}", text=text, owner=f"owner of {key}")
        for key, make in _TRAPS.items()
        for name, text in make(downloads, 0).items()
    ]
    documents += [
        Document(id=row["id"], text=row["code"], owner=row["case"])
        for row in _tasks(data, "original")
    ]
    documents += _up_to(tokens // 2, _prose(downloads, data))
    return documents + list(_up_to(tokens // 2, _code(downloads)))


def _tasks(data: Path | None, role: str) -> list[dict[str, str]]:
    """Student's programs of IR-Plag, which the folder has."""
    if data is None:
        return []
    return [row for row in rows(data / "irplag" / "dev.jsonl.gz") if row["role"] == role]


def _up_to(tokens: int, documents: Iterable[Document]) -> list[Document]:
    chosen, sum_tokens = [], 0
    for document in documents:
        chosen.append(document)
        sum_tokens += len(_core.tokenize(document.text)[0])
        if sum_tokens >= tokens:
            break
    return chosen


def _prose(downloads: Downloads, data: Path | None) -> Iterator[Document]:
    for name, text in prose(data).protected.items():
        yield Document(id=f"books/{name}", text=text, owner="books")
    pages = downloads.debian("linux-doc-6.1", r"html/(?!.*(genindex|search|maintainers)).*\.html$")
    for name, text in _shuffled(pages):
        yield Document(id=name, text=_without_tags(text), owner="linux-doc")
    for package in ("dict-gcide", "dict-wn"):
        for name, text in downloads.debian(package, r"\.dict\.dz$").items():
            for at in range(0, len(text), 100_000):
                yield Document(id=f"{name}:{at}", text=text[at : at + 100_000], owner=package)


def _code(downloads: Downloads) -> Iterator[Document]:
    for name, text in _shuffled(standard_library()):
        yield Document(id=name, text=text, owner="stdlib")
    for spec in INDEXED:
        owner = spec.partition("==")[0]
        licences = downloads.wheel(spec, r"dist-info/.*(LICENSE|COPYING|NOTICE)[^/]*$")
        for name, text in licences.items():
            yield Document(id=name, text=text, owner=owner)
    for spec in INDEXED:
        owner = spec.partition("==")[0]
        modules = downloads.wheel(spec, r"\.py$")
        for name, text in _shuffled(modules):
            if not NO_PROBE.search(name):
                yield Document(id=name, text=text, owner=owner)


def _shuffled(texts: dict[str, str]) -> list[tuple[str, str]]:
    items = sorted(texts.items())
    random.Random(1).shuffle(items)
    return items


# ---- what is asked


def probes(
    downloads: Downloads, data: Path | None, documents: list[Document], most: int
) -> dict[str, list[Probe]]:
    """At most so many of each set, spread over it; sets whose sources are missing are empty."""
    made: dict[str, list[Probe]] = {
        "F1": _functions(downloads, documents, most),
        "F2": [
            Probe(name, json.loads(text)["licenseText"])
            for name, text in downloads.npm("spdx-license-list", r"licenses/.*\.json$").items()
        ],
        "F5": [
            Probe(f"{name}:{number}", text)
            for name, texts in downloads.debian("fortunes", r"fortunes/[\w-]+$").items()
            for number, text in enumerate(texts.split("\n%\n"))
            if len(text.split()) >= 25
        ],
    }
    for key, make in _TRAPS.items():
        if key == "F4" or key == "F3":
            made[key] = [Probe(name, text) for name, text in make(downloads, 1).items()]
        else:
            made[key] = list(_stretches(make(downloads, 1)))
    manuals = downloads.debian("manpages", r"man\d/.*\.gz$")
    manuals |= downloads.debian("manpages-dev", r"man\d/.*\.gz$")
    made["F9-man"] = list(_windows({name: without_roff(t) for name, t in manuals.items()}))
    logs: dict[str, str] = {}
    for package in ("libjs-bootstrap", "manpages", "postgresql-15", "tzdata", "linux-doc-6.1"):
        logs |= downloads.debian(package, r"/changelog(\.Debian)?\.gz$")
    made["F9-log"] = list(_windows(logs))
    descriptions: dict[str, str] = {}
    for spec in PROBES:
        descriptions |= downloads.wheel(spec, r"dist-info/METADATA$")
        for name, text in downloads.wheel(spec, r"\.py$").items():
            said = re.findall(r'"""(.*?)"""', text, re.DOTALL)
            if not NO_PROBE.search(name) and said:
                descriptions[name] = "\n".join(said)
    made["F9-doc"] = list(_windows(descriptions))
    made["F10"] = [Probe(row["id"], row["code"]) for row in _tasks(data, "non-plagiarized")]
    return {key: _spread(made.get(key, []), most) for key in SETS}


def _spread(probes: list[Probe], most: int) -> list[Probe]:
    if len(probes) <= most:
        return probes
    return [probes[at * len(probes) // most] for at in range(most)]


def _functions(downloads: Downloads, documents: list[Document], most: int) -> list[Probe]:
    """Functions that have no stretch of their tokens in common with protected Python."""
    protected = [_python_tokens(d.text) for d in documents if d.id.endswith(".py")]
    unrelated, _ = split_copies(_candidates(downloads.folder), shingles_of(protected))
    chosen = spread(unrelated, most, random.Random(1))
    return [Probe(f"{f.document}:{f.qualname}", f.text) for f in chosen]


@lru_cache
def _candidates(folder: Path) -> list[Function]:
    return functions_of_wheels(folder)


def _python_tokens(text: str) -> tuple[str, ...]:
    try:
        return tuple(token for _, token in tokens_of(text)[0])
    except (SyntaxError, tokenize.TokenError):  # a template, or another Python
        return ()
