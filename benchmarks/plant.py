"""Five hundred copies planted at known places in a gigabyte of real text and code: what is found?

    python benchmarks/corpora.py CORPORA
    python benchmarks/plant.py make CORPORA WORK --books BOOKS.jsonl.gz
    python benchmarks/plant.py scan WORK --jobs 2
    python benchmarks/plant.py judge WORK [--cases FILE]

``make`` protects the books and this Python's standard library in WORK/index, and writes WORK/mixed:
documents of both corpora, as files, zipped JSON lines, Parquet, a tar and a zip, in some of which
it plants passages of the books (in texts) and functions of the library (in Python files). ``scan``
scans them twice, the second time killed with SIGKILL half-way and resumed, and says whether both
came to the same bytes. ``judge`` compares the rows with what was planted. What else was found is
told by itself: licence notices, rows of numbers, and what holds a long run of the protected text
word by word, which are copies that the packages brought along; the rest is listed in FILE with both
sides, to be judged by a person.

A passage has 60 to 300 words, a function 60 to 300 tokens. Found: a match names the right document
and covers half of the plant. Same seed and packages, same plants.
"""

import argparse
import hashlib
import io
import json
import random
import re
import shutil
import statistics
import tarfile
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from quality.attack import Dice
from quality.functions import Function, alpha_key, functions_in, standard_library
from quality.interval import wilson
from quality.python_attacks import copies
from quality.words import delete, insert, substitute
from watch import Watched, dedup, watch

from dedup import Document
from dedup.source import read_sources

SHORTEST, LONGEST = 60, 300

# Of the words of a passage, how many are replaced, put in, left out.
LIGHT: Final = 0.05
HEAVY: Final = 0.1

# What shares so many words or tokens in a row with the protected document was copied.
TRUE_COPY_TOKENS: Final = 20

FORMS: Final = ("files", "rows.jsonl.zst", "table.parquet", "archive.tar.gz", "archive.zip")
ROWS_PARTS: Final = 4

# Shorter documents have no room, longer ones are tables.
_CARRIER_CHARACTERS: Final = (2_000, 200_000)
_ROW_GROUP: Final = 1000

_WORD: Final = re.compile(r"\S+")
_TOKEN: Final = re.compile(r"\w+")

# So many of these words in one passage are those of a licence.
_NOTICE: Final = re.compile(
    r"(?i)licen[cs]|copyright|permission|warrant|redistribut|liab|disclaim|merchantab|sublicen"
)
_NOTICE_WORDS: Final = 4
_MOST_COMPARED: Final = 20
_ACTIONS: Final = ("allow", "flag", "redact", "block")
_TOP_LEVEL: Final = re.compile(r"(?<=\n\n)(?=(?:def |class |async def |@)\w)")
_PARAGRAPH: Final = re.compile(r"(?<=\n\n)(?=\S)")


@dataclass(frozen=True)
class Plant:
    """A copy in a document of the corpus.

    Attributes
    ----------
    kind : str
        How it was changed.
    document : str
        Where it is; what the scan calls it ends so.
    span : (int, int)
        Its bytes there.
    sources : tuple of str
        The protected documents it may be found in.
    size : int
        Words or tokens of the original.
    form : str
        What kind of file the document is in.
    """

    kind: str
    document: str
    span: tuple[int, int]
    sources: tuple[str, ...]
    size: int
    form: str


@dataclass(frozen=True)
class Copied:
    """A copy before it has a place."""

    kind: str
    text: str
    sources: tuple[str, ...]
    size: int


# ---- what is planted -----------------------------------------------------------------------------


def passages(books: Sequence[Document], number: int, rng: random.Random) -> Iterator[Copied]:
    vocabulary = [w for book in books for w in book.text.split() if w.isalpha()]
    dice = Dice(str(rng.random()), vocabulary)
    edits: list[tuple[str, Callable[[list[str]], list[str]]]] = [
        (
            f"{rate:.0%} of the words {name}",
            lambda words, e=edit, r=rate: e(words, r, dice),
        )
        for rate, edit, name in (
            (LIGHT, substitute, "replaced"),
            (HEAVY, substitute, "replaced"),
            (HEAVY, insert, "put in"),
            (HEAVY, delete, "left out"),
        )
    ]
    words_of = {book.id: list(_WORD.finditer(book.text)) for book in books}
    for turn in range(number):
        book = rng.choice(books)
        words = words_of[book.id]
        size = rng.randint(SHORTEST, LONGEST)
        first = rng.randrange(len(words) - size)
        start, end = words[first].start(), words[first + size - 1].end()
        if turn % 2 == 0:
            kind, text = "verbatim", book.text[start:end]
        else:
            kind, edit = edits[turn // 2 % len(edits)]
            text = " ".join(edit([word.group() for word in words[first : first + size]]))
        yield Copied(f"passage, {kind}", text, (book.id,), size)


_CODE_KINDS: Final = {
    "as it is": "verbatim",
    "verbatim, varied dead code after 2": "dead code after every second statement",
    "renamed alone, black": "all locals renamed, reformatted",
    "all names and attributes renamed, black": "all names and attributes renamed, reformatted",
}


def functions(library: dict[str, str], number: int, rng: random.Random) -> Iterator[Copied]:
    found = functions_in(library)
    places: dict[tuple, set[str]] = defaultdict(set)
    for function in found:
        places[alpha_key(function.tokens)].add(function.document)
    fitting = [f for f in found if SHORTEST <= len(f.tokens) <= LONGEST]
    rng.shuffle(fitting)
    attacks, made = list(_CODE_KINDS), 0
    for function in fitting:
        if made == number:
            return
        attack = attacks[made % len(attacks)]
        if text := _changed(function, attack, rng):
            sources = tuple(sorted(places[alpha_key(function.tokens)]))
            yield Copied(f"function, {_CODE_KINDS[attack]}", text, sources, len(function.tokens))
            made += 1


def _changed(function: Function, attack: str, rng: random.Random) -> str | None:
    """The function as an attack of `quality` leaves it; None where it leaves nothing."""
    every = copies(function, None, "", rng)
    return next((copy.text for name, copy in every if name == attack), None)


# ---- where it is planted -------------------------------------------------------------------------


@dataclass(frozen=True)
class Carrier:
    """A document of the corpora."""

    id: str
    text: str
    is_code: bool

    @property
    def form(self) -> str:
        return FORMS[self._draw(len(FORMS))]

    @property
    def part(self) -> int:
        return self._draw(len(FORMS) * ROWS_PARTS) // len(FORMS)

    def place(self) -> int | None:
        """Where a copy can stand as if it belonged there."""
        if not _CARRIER_CHARACTERS[0] <= len(self.text) <= _CARRIER_CHARACTERS[1]:
            return None
        if self.is_code and not self.id.endswith(".py"):
            return None
        pattern = _TOP_LEVEL if self.is_code else _PARAGRAPH
        places = [found.start() for found in pattern.finditer(self.text)]
        return places[self._draw(len(places))] if places else None

    def _draw(self, number: int) -> int:
        return int.from_bytes(hashlib.blake2b(self.id.encode(), digest_size=8).digest()) % number


def carriers(corpora: Path, megabytes: int) -> Iterator[Carrier]:
    """Documents of both corpora by turns, as much of each."""
    taken = {"text": 0, "code": 0}
    files = {kind: (corpora / f"{kind}.jsonl").open("rb") for kind in taken}
    try:
        while sum(taken.values()) < megabytes * 10**6:
            kind = min(taken, key=lambda kind: taken[kind])
            line = files[kind].readline()
            if not line:
                raise SystemExit(f"{kind}.jsonl has less than {megabytes / 2:.0f} MB")
            row = json.loads(line)
            taken[kind] += len(row["text"].encode())
            yield Carrier(row["id"], row["text"], kind == "code")
    finally:
        for file in files.values():
            file.close()


def planted(carrier: Carrier, copied: Copied) -> tuple[str, Plant]:
    """The document with the copy in it."""
    place = carrier.place()
    if place is None:
        raise ValueError(f"{carrier.id} has no place for a copy")
    body = copied.text.rstrip("\n")
    before, after = carrier.text[:place], carrier.text[place:]
    gap = "\n\n\n" if carrier.is_code else "\n\n"
    start = len(before.encode())
    span = (start, start + len(body.encode()))
    plant = Plant(copied.kind, carrier.id, span, copied.sources, copied.size, carrier.form)
    return before + body + gap + after, plant


# ---- forms ---------------------------------------------------------------------------------------


class Forms:
    """Documents written in all forms."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows = [
            zstandard.open(folder / f"rows-{part}.jsonl.zst", "wb") for part in range(ROWS_PARTS)
        ]
        self._schema = pa.schema([("id", pa.string()), ("text", pa.string())])
        self._table = pq.ParquetWriter(folder / "table.parquet", self._schema)
        self._batch: list[dict[str, str]] = []
        self._tar = tarfile.open(folder / "archive.tar.gz", "w:gz", compresslevel=3)  # noqa: SIM115
        self._zip = zipfile.ZipFile(
            folder / "archive.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=3
        )

    def write(self, carrier: Carrier, text: str) -> None:
        form, data = carrier.form, text.encode()
        if form == "files":
            path = self._folder / form / carrier.id
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif form == "rows.jsonl.zst":
            row = json.dumps({"id": carrier.id, "text": text}).encode()
            self._rows[carrier.part].write(row + b"\n")
        elif form == "table.parquet":
            self._batch.append({"id": carrier.id, "text": text})
            if len(self._batch) == _ROW_GROUP:
                self._flush()
        elif form == "archive.tar.gz":
            member = tarfile.TarInfo(carrier.id)
            member.size = len(data)
            self._tar.addfile(member, io.BytesIO(data))
        else:
            self._zip.writestr(carrier.id, data)

    def _flush(self) -> None:
        self._table.write_table(pa.Table.from_pylist(self._batch, self._schema))
        self._batch = []

    def close(self) -> None:
        self._flush()
        for file in (*self._rows, self._table, self._tar, self._zip):
            file.close()


# ---- steps ---------------------------------------------------------------------------------------


def make(options: argparse.Namespace) -> None:
    work: Path = options.work
    shutil.rmtree(work, ignore_errors=True)
    protected = work / "protected"
    books, library = [], standard_library()
    for number, item in enumerate(read_sources([options.books])):
        if not isinstance(item, Document):
            raise SystemExit(str(item))
        books.append(Document(f"books/{number:02}.txt", item.text))
    for id, text in [*((book.id, book.text) for book in books), *library.items()]:
        (protected / id).parent.mkdir(parents=True, exist_ok=True)
        (protected / id).write_bytes(text.encode())
    rng = random.Random(options.seed)
    copied = {
        False: list(passages(books, options.plants // 2, rng)),
        True: list(functions(library, options.plants - options.plants // 2, rng)),
    }
    fitting: dict[bool, list[str]] = {False: [], True: []}
    for carrier in carriers(options.corpora, options.megabytes):
        if carrier.place() is not None:
            fitting[carrier.is_code].append(carrier.id)
    chosen = {
        id: one
        for is_code, ids in fitting.items()
        for id, one in zip(rng.sample(ids, len(copied[is_code])), copied[is_code], strict=True)
    }
    mixed = work / "mixed"
    mixed.mkdir()
    sizes: Counter[str] = Counter()
    with (work / "plants.jsonl").open("w") as truth, (work / "carriers.jsonl").open("w") as changed:
        forms = Forms(mixed)
        for carrier in carriers(options.corpora, options.megabytes):
            text = carrier.text
            if carrier.id in chosen:
                text, plant = planted(carrier, chosen[carrier.id])
                truth.write(json.dumps(asdict(plant)) + "\n")
                changed.write(json.dumps({"id": carrier.id, "text": text}) + "\n")
            forms.write(carrier, text)
            sizes[carrier.form] += len(text.encode())
            sizes["documents"] += 1
        forms.close()
    settings = {"corpora": str(options.corpora.resolve()), "megabytes": options.megabytes}
    (work / "settings.json").write_text(json.dumps({**settings, "sizes": sizes}))
    print(
        f"{sizes.pop('documents'):,} documents, {sizes.total() / 1e6:.0f} MB, {len(chosen)} plants"
    )
    for form in FORMS:
        print(f"  {form}: {sizes[form] / 1e6:.0f} MB of documents")
    for corpus in ("books", "stdlib"):
        add = ("index", "add", work / "index", protected / corpus, "--corpus", corpus)
        print(_must(watch(dedup(*add, "--no-key"))).output)


def scan(options: argparse.Namespace) -> None:
    work: Path = options.work
    sources = sorted((work / "mixed").iterdir())
    given = ("--index", work / "index", "--no-key", "--jobs", options.jobs, "--fail-on", "never")
    whole, cut = work / "rows.jsonl", work / "resumed.jsonl"
    for file in work.glob("r*.jsonl*"):
        file.unlink()
    print("uninterrupted:", flush=True)
    first = _told(_must(watch(dedup("scan", *sources, *given, "-o", whole))))
    print("killed with SIGKILL half-way:", flush=True)
    end = time.monotonic() + first["seconds"] / 2
    again = dedup("scan", *sources, *given, "-o", cut)
    killed = _told(watch(again, kill_when=lambda: time.monotonic() > end))
    print("resumed:", flush=True)
    resumed = _told(_must(watch([*again, "--resume"])))
    is_same = whole.read_bytes() == cut.read_bytes()
    print("the same bytes" if is_same else "NOT THE SAME BYTES")
    runs = {"uninterrupted": first, "killed": killed, "resumed": resumed, "is_same": is_same}
    (work / "scan.json").write_text(json.dumps(runs, indent=1))


def _told(watched: Watched) -> dict[str, Any]:
    print(watched.errors.rstrip()[-2000:])
    print(
        f"  {watched.seconds:.1f} s, processor {watched.processor_s:.1f} s, {watched.processes} "
        f"processes, peak memory {watched.peak_bytes / 1e6:.0f} MB, each by itself "
        f"{watched.peaks_bytes / 1e6:.0f} MB, exit status {watched.status}",
        flush=True,
    )
    fields = asdict(watched)
    return {name: fields[name] for name in fields if name not in ("output", "errors")}


def _must(watched: Watched) -> Watched:
    if watched.status != 0:
        raise SystemExit(f"exit status {watched.status}\n{watched.errors[-4000:]}")
    return watched


# ---- judging -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passage:
    """A stretch of a document that no plant explains, with the match that shares most of it."""

    document: str
    action: str
    match: dict[str, Any]
    shared: int
    query: str
    original: str

    @property
    def kind(self) -> str:
        tokens = _TOKEN.findall(self.query)
        if 2 * sum(token[0].isdigit() for token in tokens) > len(tokens):
            return "rows of numbers"
        if len(_NOTICE.findall(self.query)) >= _NOTICE_WORDS:
            return "licence notices"
        return "copies" if self.shared >= TRUE_COPY_TOKENS else "others"


def judge(options: argparse.Namespace) -> None:
    work: Path = options.work
    plants = {}
    for line in (work / "plants.jsonl").read_text().splitlines():
        plant = Plant(**json.loads(line))
        plants[plant.document] = plant
    rows = {}
    counts: Counter[str] = Counter()
    names = _names(work)
    with (work / "rows.jsonl").open() as file:
        for line in file:
            row = json.loads(line)
            counts[str(row["action"])] += 1
            if row["matches"]:
                rows[_name(row["document"], names)] = row
    print(", ".join(f"{action} {count:,}" for action, count in sorted(counts.items())), "\n")
    _print_recall(plants, rows)
    _print_precision(plants, rows, work, options.cases)


def _names(work: Path) -> set[str]:
    settings = json.loads((work / "settings.json").read_text())
    return {c.id for c in carriers(Path(settings["corpora"]), settings["megabytes"])}


def _name(document: str, names: set[str]) -> str:
    """The name of a document in the corpora: the scan's, without that of its source."""
    name = document
    while name and name not in names:
        name = name.partition("/")[2]
    if not name:
        raise SystemExit(f"{document}: not a document of the corpora")
    return name


def _print_recall(plants: dict[str, Plant], rows: dict[str, dict[str, Any]]) -> None:
    by_kind: dict[str, list[Plant]] = defaultdict(list)
    by_form: dict[str, list[Plant]] = defaultdict(list)
    for plant in sorted(plants.values(), key=lambda plant: plant.kind):
        by_kind[plant.kind].append(plant)
        by_form[plant.form].append(plant)
    by_kind["all"] = list(plants.values())
    right = {
        plant.document: [
            match
            for match in rows.get(plant.document, {"matches": []})["matches"]
            if match["document"] in plant.sources and _common(match, plant) > 0
        ]
        for plant in plants.values()
    }
    print(
        "| planted | plants | found | blocked | covered, median / least | "
        "ends off by, bytes: median / 95th of 100 / most |\n|---|---|---|---|---|---|"
    )
    for kind, group in by_kind.items():
        found = [p for p in group if _is_found(p, right[p.document])]
        blocked = [p for p in found if any(m["action"] == "block" for m in right[p.document])]
        covered = sorted(_covered(p, right[p.document]) for p in found)
        off = sorted(error for p in found for error in _ends(p, right[p.document]))
        low, high = wilson(len(found), len(group))
        tail = (
            f"{statistics.median(covered):.0%} / {covered[0]:.0%} | {statistics.median(off):.0f} / "
            f"{off[int(0.95 * len(off))]} / {off[-1]}"
            if found
            else "|"
        )
        print(
            f"| {kind} | {len(group)} | {len(found)} ({len(found) / len(group):.1%}; "
            f"{low:.1%}-{high:.1%}) | {len(blocked)} | {tail} |"
        )
    for form, group in sorted(by_form.items()):
        found = [p for p in group if _is_found(p, right[p.document])]
        print(f"{form}: {len(found)} of {len(group)} found")
    for plant in plants.values():
        if not _is_found(plant, right[plant.document]):
            print(f"missed: {plant.kind}, {plant.size}, of {plant.sources} in {plant.document}")
    print()


def _common(match: dict[str, Any], plant: Plant) -> int:
    start, end = match["query_span"]
    return max(0, min(end, plant.span[1]) - max(start, plant.span[0]))


def _is_found(plant: Plant, right: Sequence[dict[str, Any]]) -> bool:
    return _covered(plant, right) >= 0.5


def _covered(plant: Plant, right: Sequence[dict[str, Any]]) -> float:
    covered, at = 0, plant.span[0]
    for start, end in sorted(match["query_span"] for match in right):
        low, high = max(at, start), min(end, plant.span[1])
        covered += max(0, high - low)
        at = max(at, high)
    return covered / (plant.span[1] - plant.span[0])


def _ends(plant: Plant, right: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """How far the ends of the matches, taken together, are from those of the plant."""
    start = min(match["query_span"][0] for match in right)
    end = max(match["query_span"][1] for match in right)
    return abs(start - plant.span[0]), abs(end - plant.span[1])


def _print_precision(
    plants: dict[str, Plant], rows: dict[str, dict[str, Any]], work: Path, cases: Path | None
) -> None:
    apart: dict[str, list[list[dict[str, Any]]]] = {}
    on_plants = 0
    for name, row in rows.items():
        for group in _together(row["matches"]):
            if name in plants and any(_common(match, plants[name]) for match in group):
                on_plants += 1
            else:
                apart.setdefault(name, []).append(group)
    judged = list(_judged(apart, work))
    print(f"{on_plants} passages lie on plants, {len(judged)} elsewhere:")
    for kind in ("copies", "licence notices", "rows of numbers", "others"):
        here = [one for one in judged if one.kind == kind]
        actions = Counter(one.action for one in here)
        documents = len({one.document for one in here})
        print(f"\n{kind}: {len(here)} in {documents} documents, {dict(actions)}")
        pairs: dict[tuple[str, str], list[Passage]] = defaultdict(list)
        for one in here:
            pairs[one.match["document"], one.document.partition("/")[0]].append(one)
        for (source, package), group in sorted(pairs.items(), key=lambda item: -len(item[1]))[:25]:
            longest = max(one.shared for one in group)
            print(f"  {len(group):5}  {source} in {package}, up to {longest} in a row")
    if cases is not None:
        cases.write_text("\n".join(_case(one) for one in judged if one.kind == "others"))


def _together(matches: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Matches of one stretch of the document."""
    groups: list[list[dict[str, Any]]] = []
    reached = -1
    for match in sorted(matches, key=lambda match: match["query_span"]):
        if match["query_span"][0] >= reached:
            groups.append([])
        groups[-1].append(match)
        reached = max(reached, match["query_span"][1])
    return groups


def _judged(apart: dict[str, list[list[dict[str, Any]]]], work: Path) -> Iterator[Passage]:
    settings = json.loads((work / "settings.json").read_text())
    texts = {}
    for line in (work / "carriers.jsonl").open():
        row = json.loads(line)
        texts[row["id"]] = row["text"]
    for carrier in carriers(Path(settings["corpora"]), settings["megabytes"]):
        for group in apart.get(carrier.id, ()):
            text = texts.get(carrier.id, carrier.text).encode()
            sides = []
            for match in group[:_MOST_COMPARED]:
                original = (work / "protected" / match["document"]).read_bytes()
                query, source = (
                    side[span[0] : span[1]].decode(errors="replace")
                    for side, span in (
                        (text, match["query_span"]),
                        (original, match["document_span"]),
                    )
                )
                sides.append((_shared(query, source), query, source, match))
            shared, query, source, match = max(sides, key=lambda side: side[0])
            action = max((match["action"] for match in group), key=_ACTIONS.index)
            yield Passage(carrier.id, action, match, shared, query, source)


def _shared(query: str, source: str) -> int:
    """The longest run of words or other tokens that two texts have in common."""
    one, other = (_TOKEN.findall(text.casefold()) for text in (query, source))
    return SequenceMatcher(None, one, other, autojunk=False).find_longest_match().size


def _case(one: Passage) -> str:
    told = {k: v for k, v in one.match.items() if k not in ("query_span", "document_span")}
    lines = ("=" * 80, one.document, str(told), "-" * 40, one.query, "-" * 40, one.original, "")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("make")
    step.add_argument("corpora", type=Path)
    step.add_argument("work", type=Path)
    step.add_argument("--books", type=Path, required=True, help="as `dedup index add` reads them")
    step.add_argument("--megabytes", type=int, default=1000)
    step.add_argument("--plants", type=int, default=500)
    step.add_argument("--seed", type=int, default=1)
    step.set_defaults(run=make)
    step = steps.add_parser("scan")
    step.add_argument("work", type=Path)
    step.add_argument("--jobs", type=int, default=2)
    step.set_defaults(run=scan)
    step = steps.add_parser("judge")
    step.add_argument("work", type=Path)
    step.add_argument("--cases", type=Path, help="where to list what is no evident copy")
    step.set_defaults(run=judge)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
