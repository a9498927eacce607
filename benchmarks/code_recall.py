"""How much copied code is found, by how it was changed; and what is wrongly stopped.

    python benchmarks/code_recall.py stdlib [--functions 200]
    python benchmarks/code_recall.py unrelated --wheels DIR [--functions 3000] [--index DIR]
    python benchmarks/code_recall.py sets [--data ../shared/data]
    python benchmarks/code_recall.py terser --terser DIR
    PYTHONHASHSEED=0 python benchmarks/code_recall.py copydetect

Found: some match names the right document and meets the copy. Renamed: such a match is of that
kind. Flagged, blocked: the policy does so, or more, for such a match. A function that stands in
several files, or that only names and literals tell from another, is right wherever it stands.

Needs python-minifier and black; ``copydetect`` needs copydetect, ``terser`` a folder in which
``npm install terser`` was run, ``unrelated`` downloads its packages with pip.
"""

import argparse
import difflib
import gzip
import json
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quality.functions import (
    Documents,
    Function,
    Place,
    alpha_key,
    functions_in,
    places_of,
    standard_library,
)
from quality.interval import wilson
from quality.probes import TRUE_COPY_TOKENS, functions_of_wheels, shingles_of, split_copies, spread
from quality.python_attacks import Copy, copies, minified_of

from dedup import Document, Index, Match, Policy

# The least length of the acceptance run, in tokens of the tokenize module.
LEAST_TOKENS = 60
BINS = ((0, 60), (60, 100), (100, 200), (200, math.inf))
ACCEPTANCE = "renamed, black"
WINDOW_CHARACTERS = 1500
WINDOWS = 40

_LEXEME = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|\w+|[^\w\s]")


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- what is asked and what came back


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one query led to, counting matches with the right documents only."""

    found: bool = False
    renamed: bool = False
    function: bool = False
    action: str = "allow"
    rule: str = ""
    matches: tuple[Match, ...] = ()

    @property
    def flagged(self) -> bool:
        return self.action != "allow"

    @property
    def blocked(self) -> bool:
        return self.action == "block"

    def best(self, score: str) -> float:
        return max((getattr(match, score) for match in self.matches), default=0.0)


def ask(
    index: Index,
    policy: Policy,
    text: str,
    right: Callable[[Match], bool] = lambda match: True,
    places: Sequence[Place] = (),
) -> Outcome:
    matches = tuple(match for match in index.search(text) if right(match))
    if not matches:
        return Outcome()
    verdict = policy.judge(text, list(matches))
    return Outcome(
        found=True,
        renamed=any(match.kind == "renamed" for match in matches),
        function=any(_is_at(match, place) for match in matches for place in places),
        action=verdict.action,
        rule=verdict.rule or "",
        matches=matches,
    )


def _is_at(match: Match, place: Place) -> bool:
    """By the name the match gives, or where it gives none by most of its span."""
    if match.document != place.document:
        return False
    name = getattr(match, "function", "")
    if name:
        return name.replace(".<locals>", "") == place.qualname
    start, end = match.document_span
    inside = min(end, place.span[1]) - max(start, place.span[0])
    return 2 * inside > end - start


# ---- tables


@dataclass
class Report:
    """Markdown to standard output as it comes, all of it to JSON and cases to a file at the end."""

    json_path: Path | None
    list_path: Path | None
    tables: list[dict[str, Any]] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        print(f"`python benchmarks/{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}`\n")

    def say(self, text: str) -> None:
        print(text + "\n", flush=True)

    def table(self, title: str, rows: list[dict[str, Any]]) -> None:
        """Keys of the first row head the columns."""
        self.tables.append({"title": title, "rows": rows})
        print(title + "\n")
        if rows:
            print("| " + " | ".join(rows[0]) + " |")
            print("|---" * len(rows[0]) + "|")
        for row in rows:
            print("| " + " | ".join(str(value) for value in row.values()) + " |")
        print(flush=True)

    def case(self, title: str, query: str, outcome: Outcome, documents: Documents) -> None:
        """A query and what it matched, for a person to judge."""
        lines = [f"## {title}", "", f"{outcome.action} {outcome.rule}", "```", query, "```"]
        for match in outcome.matches:
            start, end = match.document_span
            text = documents.get(match.document, "").encode()[start:end].decode(errors="replace")
            lines += [
                f"{match.document} {getattr(match, 'function', '')} {match.view} {match.kind}: "
                f"tokens {match.tokens}, run {match.run}, identity {match.identity:.2f}, "
                f"containment {match.containment:.2f}, jaccard {match.jaccard:.2f}, "
                f"sources {match.sources}",
                "```",
                text,
                "```",
            ]
        self.cases.append("\n".join(lines))

    def close(self) -> None:
        if self.json_path:
            data = {"command": sys.argv[1:], "tables": self.tables}
            self.json_path.write_text(json.dumps(data, indent=1) + "\n")
        if self.list_path:
            self.list_path.write_text("\n\n".join(self.cases) + "\n")
            note(f"{len(self.cases)} cases to judge by hand in {self.list_path}")


def percent(hits: int, trials: int) -> str:
    return f"{100 * hits / trials:.1f}" if trials else "-"


def rate(hits: int, trials: int) -> str:
    """Hits of trials with the 95 % interval."""
    if not trials:
        return "-"
    low, high = wilson(hits, trials)
    return f"{hits} of {trials} ({100 * low:.2f}-{100 * high:.2f} %)"


def counts(outcomes: list[Outcome], names: Sequence[str]) -> dict[str, str]:
    return {
        name: percent(sum(getattr(outcome, name) for outcome in outcomes), len(outcomes))
        for name in names
    }


def rules(outcomes: Iterable[Outcome]) -> str:
    ruled = Counter(outcome.rule for outcome in outcomes if outcome.rule)
    return ", ".join(f"{rule} {hits}" for rule, hits in ruled.most_common()) or "-"


# ---- the index


@contextmanager
def indexed(documents: Documents) -> Iterator[Index]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Index.create(Path(folder) / "index", key=None) as index,
    ):
        start = time.perf_counter()
        index.add(Document(id=name, text=text) for name, text in documents.items())
        index.commit()
        note(f"indexed {len(documents)} documents in {time.perf_counter() - start:.1f} s")
        yield index


def size(index: Index, policy: Policy) -> str:
    info = index.info()
    return f"{info.documents:,} documents, {info.tokens:,} tokens, policy {policy.name}"


# ---- stdlib: the acceptance run and the attacks


def stdlib(options: argparse.Namespace, policy: Policy, report: Report) -> None:
    documents = standard_library()
    functions = [f for f in functions_in(documents) if len(f.tokens) >= LEAST_TOKENS]
    note(f"{len(functions)} functions of {LEAST_TOKENS} tokens or more")
    chosen = random.Random(options.seed).sample(functions, min(options.functions, len(functions)))
    places = places_of(functions)
    outcomes: dict[str, dict[int, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    failed, idle, alone = Counter(), Counter(), 0
    with indexed(documents) as index:
        report.say(f"{size(index, policy)}; {len(chosen)} functions, seed {options.seed}")
        for number, function in enumerate(_by_document(chosen)):
            if number % 20 == 0:
                note(f"function {number}")
            renamed, strong = minified_of(function, documents[function.document])
            alone += renamed is None
            rng = random.Random(f"{options.seed} {function.document} {function.qualname}")
            right = places[function.tokens] + places[alpha_key(function.tokens)]
            for attack, made in copies(function, renamed, strong, rng):
                if not made.text:
                    (failed if made.text is None else idle)[attack] += 1
                    outcomes[attack]  # keeps the order of the rows
                    continue
                outcome = ask(index, policy, made.text, _meets(made, right), right)
                outcomes[attack][_bin(made.tokens)].append(outcome)
                if attack == ACCEPTANCE and not (outcome.renamed and outcome.function):
                    every = ask(index, policy, made.text)
                    title = f"missed: {function.document} {function.qualname}, {attack}"
                    report.case(title, made.text, every, documents)
    _acceptance(report, outcomes[ACCEPTANCE], chosen, places, alone)
    _attack_tables(report, outcomes, failed, idle)


def _by_document(functions: list[Function]) -> list[Function]:
    return sorted(functions, key=lambda function: (function.document, function.number))


def _meets(made: Copy, right: Sequence[Place]) -> Callable[[Match], bool]:
    names = {place.document for place in right}
    return lambda match: (
        match.document in names
        and match.query_span.start < made.end
        and match.query_span.end > made.begin
    )


def _bin(tokens: int) -> int:
    return next(number for number, (_, end) in enumerate(BINS) if tokens < end)


def _acceptance(
    report: Report,
    by_bin: dict[int, list[Outcome]],
    chosen: list[Function],
    places: dict[tuple, tuple[Place, ...]],
    alone: int,
) -> None:
    outcomes = [outcome for bin in by_bin.values() for outcome in bin]
    n = len(outcomes)
    met = sum(outcome.renamed and outcome.function for outcome in outcomes)
    again = [
        f"{function.document} {function.qualname}"
        for function in chosen
        if len({place.document for place in places[alpha_key(function.tokens)]}) > 1
    ]
    report.table(
        f"Acceptance: {ACCEPTANCE} (renamed with the whole module, {alone} by themselves)",
        [
            {"": "as `renamed`, right file and function", "of": rate(met, n)},
            {
                "": "found in the right file, any kind",
                "of": rate(sum(outcome.found for outcome in outcomes), n),
            },
            {"": "blocked", "of": rate(sum(outcome.blocked for outcome in outcomes), n)},
            {"": "by rule", "of": rules(outcomes)},
            {
                "": f"stand in more files than one (all count): {', '.join(again[:10]) or '-'}",
                "of": len(again),
            },
        ],
    )


def _attack_tables(
    report: Report,
    outcomes: dict[str, dict[int, list[Outcome]]],
    failed: Counter[str],
    idle: Counter[str],
) -> None:
    rows, binned = [], []
    for attack, by_bin in outcomes.items():
        every = [outcome for bin in by_bin.values() for outcome in bin]
        names = ("found", "renamed", "function", "flagged", "blocked")
        rows.append(
            {
                "attack": attack,
                "n": len(every),
                **counts(every, names),
                "by rule": rules(every),
                "failed": failed[attack],
                "nothing to do": idle[attack],
            }
        )
        cells = {}
        for number, (low, high) in enumerate(BINS):
            here = by_bin.get(number, [])
            name = f"{low}-{high} tokens" if high < math.inf else f"{low}+ tokens"
            figures = " / ".join(counts(here, ("found", "function", "blocked")).values())
            cells[name] = f"{figures} of {len(here)}" if here else "-"
        binned.append({"attack": attack, **cells})
    report.table("By attack, % of n:", rows)
    report.table(
        "By tokens of the original in the copy, % found / right function / blocked:", binned
    )


# ---- unrelated: false alarms


def unrelated(options: argparse.Namespace, policy: Policy, report: Report) -> None:
    documents = standard_library()
    library = functions_in(documents)
    shingles = shingles_of([function.tokens for function in library])
    probes, copied = split_copies(functions_of_wheels(options.wheels), shingles)
    chosen = spread(probes, options.functions, random.Random(options.seed))
    note(f"{len(probes)} probes, {len(copied)} hold a copy of the standard library")
    for function in copied:
        report.cases.append(f"## true copy: {function.document} {function.qualname}")
    with indexed(documents) as index:
        title = f"{size(index, policy)}; {len(chosen)} unrelated functions of {len(probes)}"
        outcomes = _false_alarms(index, policy, chosen, documents, report, title)
        true = [ask(index, policy, function.text) for function in copied]
        report.table(
            f"functions that share {TRUE_COPY_TOKENS} tokens in a row with the standard library:",
            [{"n": len(true), **counts(true, ("found", "flagged", "blocked")), "by": rules(true)}],
        )
        _lengths(report, chosen, outcomes)
    for path in options.index:
        with Index.open(path) as index:
            title = f"{path}: {size(index, policy)}; {len(chosen)} unrelated functions"
            _false_alarms(index, policy, chosen, {}, report, title)


def _false_alarms(
    index: Index,
    policy: Policy,
    probes: list[Function],
    documents: Documents,
    report: Report,
    title: str,
) -> list[Outcome]:
    """A row for each rule that fired on any match of a probe."""
    fired: Counter[tuple[str, str]] = Counter()
    outcomes = []
    for number, probe in enumerate(probes):
        if number % 500 == 0:
            note(f"probe {number}")
        outcome = ask(index, policy, probe.text)
        outcomes.append(outcome)
        verdict = policy.judge(probe.text, list(outcome.matches))
        fired.update({(ruling.action, ruling.rule) for ruling in verdict.rulings})
        if outcome.flagged:
            name = f"{outcome.action}: {probe.document} {probe.qualname}"
            report.case(name, probe.text, outcome, documents)
    rows = [
        {"action": action, "rule": rule, "functions": rate(fired[action, rule], len(probes))}
        for action, rule in sorted(fired)
    ]
    for action in ("flag", "redact", "block"):
        hits = sum(outcome.action == action for outcome in outcomes)
        rows.append({"action": action, "rule": "verdict", "functions": rate(hits, len(probes))})
    hits = sum(outcome.found for outcome in outcomes)
    rows.append({"action": "-", "rule": "any match", "functions": rate(hits, len(probes))})
    report.table(title, rows)
    return outcomes


def _lengths(report: Report, probes: list[Function], outcomes: list[Outcome]) -> None:
    by_bin: dict[int, list[Outcome]] = defaultdict(list)
    for probe, outcome in zip(probes, outcomes, strict=True):
        by_bin[_bin(len(probe.tokens))].append(outcome)
    rows = []
    for number, here in sorted(by_bin.items()):
        rows.append(
            {
                "tokens from": BINS[number][0],
                "any match": rate(sum(o.found for o in here), len(here)),
                "flagged or more": rate(sum(o.flagged for o in here), len(here)),
                "blocked": rate(sum(o.blocked for o in here), len(here)),
            }
        )
    report.table("By length of the unrelated function:", rows)


# ---- sets: collections made by others


def sets(options: argparse.Namespace, policy: Policy, report: Report) -> None:
    for run in (
        _irplag,
        _evolution,
        _plag_variants,
        _gptclone,
        _js_minified,
        _py_unrelated,
    ):
        try:
            note(run.__name__)
            run(options.data, policy, report)
        except FileNotFoundError as error:
            report.say(f"skipped, as {error.filename} is missing")


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def _group_row(outcomes: list[Outcome]) -> dict[str, Any]:
    row = {
        "n": len(outcomes),
        **counts(outcomes, ("found", "renamed", "flagged", "blocked")),
        "by rule": rules(outcomes),
    }
    for score in ("identity", "containment"):
        values = [outcome.best(score) for outcome in outcomes]
        row[f"best {score}: median, highest"] = (
            f"{statistics.median(values):.2f}, {max(values):.2f}" if values else "-"
        )
    return row


def _only(*names: str) -> Callable[[Match], bool]:
    return lambda match: match.document in names


def _irplag(data: Path, policy: Policy, report: Report) -> None:
    rows = _rows(data / "irplag" / "dev.jsonl.gz")
    originals = {f"{r['case']}/original.java": r["code"] for r in rows if r["role"] == "original"}
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    with indexed(originals) as index:
        for row in rows:
            if row["role"] != "original":
                right = _only(f"{row['case']}/original.java")
                outcome = ask(index, policy, row["code"], right)
                groups[row["case"], row["level"] or "independent"].append(outcome)
        title = f"irplag (Java): {size(index, policy)}. Full separation is not possible: some "
        title += "independent solutions equal the original once names are made alike."
    report.table(
        title,
        [
            {"case": case, "level": level, **_group_row(groups[case, level])}
            for case, level in sorted(groups)
        ],
    )


def _evolution(data: Path, policy: Policy, report: Report) -> None:
    rows = _rows(data / "py-evolution" / "dev.jsonl.gz")
    documents = {f"old/{n}/{row['path']}": _dedented(row["old"]) for n, row in enumerate(rows)}
    groups: dict[str, list[Outcome]] = defaultdict(list)
    with indexed(documents) as index:
        for number, row in enumerate(rows):
            right = _only(f"old/{number}/{row['path']}")
            outcome = ask(index, policy, _dedented(row["new"]), right)
            groups[_ratio_bin(row["token_ratio"])].append(outcome)
        title = f"py-evolution, new releases against old: {size(index, policy)}"
    report.table(title, _ratio_rows(groups))


def _plag_variants(data: Path, policy: Policy, report: Report) -> None:
    rows = _rows(data / "plag-variants-java" / "dev.jsonl.gz")
    base = {
        f"{row['base']}/{path}": text
        for row in rows
        if row["kind"] == "base"
        for path, text in row["files"].items()
    }
    by_length: dict[int, list[Outcome]] = defaultdict(list)
    shares: list[tuple[float, float, float]] = []
    with indexed(base) as index:
        for row in rows:
            if row["kind"] != "variant":
                continue
            outcomes = []
            for text in row["files"].values():
                outcomes.append(ask(index, policy, text))
                by_length[_length_bin(text)].append(outcomes[-1])
            shares.append(
                tuple(
                    sum(getattr(outcome, name) for outcome in outcomes) / len(outcomes)
                    for name in ("found", "flagged", "blocked")
                )
            )
        title = f"plag-variants-java, files of variants against the base: {size(index, policy)}"
    report.table(
        title,
        [
            {"lexemes": _LENGTHS[length][1], **_group_row(outcomes)}
            for length, outcomes in sorted(by_length.items())
        ],
    )
    programs = len(shares)
    report.table(
        f"plag-variants-java, {programs} programs:",
        [
            {
                "": name,
                "any file": percent(sum(share[place] > 0 for share in shares), programs),
                "half of the files": percent(
                    sum(share[place] >= 0.5 for share in shares), programs
                ),
            }
            for place, name in enumerate(("found", "flagged", "blocked"))
        ],
    )


_LENGTHS = ((100, "under 100"), (200, "100-200"), (400, "200-400"), (math.inf, "400+"))


def _length_bin(text: str) -> int:
    lexemes = len(_lexemes(text))
    return next(number for number, (end, _) in enumerate(_LENGTHS) if lexemes < end)


def _gptclone(data: Path, policy: Policy, report: Report) -> None:
    for language, ending in (("java", "java"), ("python", "py")):
        rows = _rows(data / "gptclone-llm" / f"{language}.dev.jsonl.gz")
        names: dict[str, str] = {}
        for row in rows:
            names.setdefault(row["reference"], f"reference/{len(names)}.{ending}")
        groups: dict[str, list[Outcome]] = defaultdict(list)
        with indexed({name: text for text, name in names.items()}) as index:
            for row in rows:
                ratio = difflib.SequenceMatcher(
                    None, _lexemes(row["reference"]), _lexemes(row["generation"]), autojunk=False
                ).ratio()
                right = _only(names[row["reference"]])
                groups[_ratio_bin(ratio)].append(ask(index, policy, row["generation"], right))
            title = f"gptclone-llm {language}, generations against their references: "
            title += size(index, policy)
        report.table(title, _ratio_rows(groups))


def _js_minified(data: Path, policy: Policy, report: Report) -> None:
    rows = _rows(data / "js-minified" / "dev.jsonl.gz")
    documents = _js_documents(rows)
    table = []
    with indexed(documents) as index:
        title = f"js-minified, build against source: {size(index, policy)}"
        for number, row in enumerate(rows):
            right = _js_right(documents, row["pkg"])
            name, text = _js_name(number, row), row["minified"]
            whole = ask(index, policy, text, right)
            windows = _windows(index, policy, name, text, right)
            table.append({"file": name, "whole file": whole.action, **_group_row(windows)})
    title += f"; {WINDOWS} windows of {WINDOW_CHARACTERS} characters"
    report.table(title, table)


def _js_name(number: int, row: dict[str, Any]) -> str:
    return f"{row['pkg']}/{number}/{row['file']}"


def _js_documents(rows: list[dict[str, Any]]) -> Documents:
    return {_js_name(number, row): row["source"] for number, row in enumerate(rows)}


def _js_right(documents: Documents, package: str) -> Callable[[Match], bool]:
    """Any file of the package: several are parts or other versions of each other."""
    return _only(*(name for name in documents if name.startswith(package + "/")))


def _windows(
    index: Index, policy: Policy, name: str, text: str, right: Callable[[Match], bool]
) -> list[Outcome]:
    """What random windows of the text lead to."""
    rng = random.Random(name)
    starts = [rng.randrange(max(1, len(text) - WINDOW_CHARACTERS)) for _ in range(WINDOWS)]
    return [ask(index, policy, text[at : at + WINDOW_CHARACTERS], right) for at in starts]


def _py_unrelated(data: Path, policy: Policy, report: Report) -> None:
    probes = _unrelated_functions(data)
    documents = standard_library()
    for number, row in enumerate(_rows(data / "py-evolution" / "dev.jsonl.gz")):
        documents[f"old/{number}/{row['path']}"] = _dedented(row["old"])
    with indexed(documents) as index:
        title = "py-unrelated (rich) against py-evolution and standard library: "
        title += f"{size(index, policy)}; {len(probes)} functions"
        _false_alarms(index, policy, probes, documents, report, title)


def _unrelated_functions(data: Path) -> list[Function]:
    return [
        Function(row["path"], row["qualname"], _dedented(row["code"]), (0, 0), 0, ())
        for row in _rows(data / "py-unrelated" / "dev.jsonl.gz")
    ]


def _dedented(text: str) -> str:
    """As far as its first line is indented; strings of several lines keep what is less."""
    indent = text[: len(text) - len(text.lstrip(" \t"))]
    return "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def _lexemes(text: str) -> list[str]:
    return _LEXEME.findall(text)


_RATIO_BINS = ((0.9, "0.9-1"), (0.7, "0.7-0.9"), (0.5, "0.5-0.7"), (0.3, "0.3-0.5"), (0, "0-0.3"))


def _ratio_bin(ratio: float) -> str:
    if ratio == 1:
        return "1"
    return next(name for least, name in _RATIO_BINS if ratio >= least)


def _ratio_rows(groups: dict[str, list[Outcome]]) -> list[dict[str, Any]]:
    order = ["1", *(name for _, name in _RATIO_BINS)]
    return [{"token ratio": name, **_group_row(groups[name])} for name in order if groups.get(name)]


# ---- terser: JavaScript minified here

# Reads [[name, source, functions]]; writes {name: {files: {style: text}, functions: [...]}}, the
# functions as [style, text].
_TERSER = r"""
const {createRequire} = require("module"), path = require("path"), fs = require("fs");
const load = createRequire(path.resolve(process.argv[1]) + "/");
const {minify} = load("terser"), acorn = load("acorn");
const styles = {
  "mangle": {compress: false, mangle: true},
  "mangle, compress": {compress: {passes: 2}, mangle: true},
  "mangle, compress, beautify": {compress: {passes: 2}, mangle: true, format: {beautify: true}},
};
function parse(source) {
  const parse = (sourceType) => acorn.parse(source, {ecmaVersion: "latest", sourceType});
  try { return parse("script"); } catch (error) { return parse("module"); }
}
function functions(source) {
  const found = [];
  (function visit(node) {
    if (!node || typeof node.type !== "string") return;
    const is = node.type === "FunctionDeclaration" || node.type === "FunctionExpression";
    const text = is ? source.slice(node.start, node.end) : "";
    if (is && text.length >= 400 && text.length <= 6000) found.push(text);
    for (const value of Object.values(node))
      for (const child of Array.isArray(value) ? value : [value]) visit(child);
  })(parse(source));
  return found;
}
(async () => {
  const out = {};
  for (const [name, source, count] of JSON.parse(fs.readFileSync(0, "utf8"))) {
    const files = {}, made = [];
    for (const [style, options] of Object.entries(styles))
      files[style] = (await minify(source, options)).code;
    const all = functions(source), step = Math.max(1, all.length / count);
    for (let at = 0; at < all.length; at += step) {
      const text = all[Math.floor(at)];
      for (const [style, options] of Object.entries(styles)) {
        try {
          made.push([style, (await minify("x = " + text, options)).code]);
        } catch (error) { made.push([style, null]); }
      }
    }
    out[name] = {files, functions: made};
  }
  process.stdout.write(JSON.stringify(out));
})();
"""


def terser(options: argparse.Namespace, policy: Policy, report: Report) -> None:
    rows = _rows(options.data / "js-minified" / "dev.jsonl.gz")
    documents = _js_documents(rows)
    wanted = [[name, text, options.functions // len(rows)] for name, text in documents.items()]
    made = json.loads(
        subprocess.run(
            ["node", "-e", _TERSER, str(options.terser)],
            input=json.dumps(wanted),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    )
    whole: dict[str, list[Outcome]] = defaultdict(list)
    windows: dict[str, list[Outcome]] = defaultdict(list)
    functions: dict[tuple[str, int], list[Outcome]] = defaultdict(list)
    failed = 0
    with indexed(documents) as index:
        for name, pieces in made.items():
            note(name)
            right = _js_right(documents, name.split("/")[0])
            for style, text in pieces["files"].items():
                whole[style].append(ask(index, policy, text, right))
                windows[style] += _windows(index, policy, name, text, right)
            for style, text in pieces["functions"]:
                if text is None:
                    failed += 1
                else:
                    length = _length_bin(text)
                    functions[style, length].append(ask(index, policy, text, right))
        title = f"terser: {size(index, policy)}"
    report.table(
        f"{title}; single functions by lexemes after it ({failed} failed):",
        [
            {"terser": style, "lexemes": _LENGTHS[length][1], **_group_row(outcomes)}
            for (style, length), outcomes in sorted(functions.items())
        ],
    )
    report.table(
        f"{title}; {WINDOWS} windows of {WINDOW_CHARACTERS} characters of each file:",
        [
            {
                "terser": style,
                "whole files found": percent(sum(o.found for o in whole[style]), len(made)),
                **_group_row(outcomes),
            }
            for style, outcomes in windows.items()
        ],
    )


# ---- copydetect: side by side

# k and window in characters of its own normalised text.
_COPYDETECT_GRID = ((25, 6), (25, 1), (40, 1), (15, 1), (15, 6), (20, 1))
_COPYDETECT_DEFAULT = (25, 6)
_COPYDETECT_SCORE = 0.33
_SIDE_BY_SIDE = (
    "black",
    ACCEPTANCE,
    "strong minify, black",
    "all names and attributes renamed, black",
    "renamed, `_ = 0` after 5 statements",
    "renamed, `_ = 0` after 2 statements",
    "renamed, assignments reordered",
    "renamed, first half in chat",
    "renamed, unfenced in chat",
)


def copydetect(options: argparse.Namespace, policy: Policy, report: Report) -> None:
    from rivals import copydetect_rival as rival

    every = standard_library()
    functions = [f for f in functions_in(every) if len(f.tokens) >= LEAST_TOKENS]
    chosen = random.Random(options.seed).sample(functions, options.functions)
    documents = {name: every[name] for name in sorted({f.document for f in chosen})}
    negatives = [function.text for function in _unrelated_functions(options.data)]
    queries: list[tuple[str, Copy, tuple[Place, ...]]] = []
    places = places_of(functions)
    for function in _by_document(chosen):
        renamed, strong = minified_of(function, every[function.document])
        rng = random.Random(f"{options.seed} {function.document} {function.qualname}")
        right = places[function.tokens] + places[alpha_key(function.tokens)]
        for attack, made in copies(function, renamed, strong, rng):
            if attack in _SIDE_BY_SIDE and made.text:
                queries.append((attack, made, right))
    texts = [made.text or "" for _, made, _ in queries]
    attacks = Counter(attack for attack, _, _ in queries)
    rows = []

    with indexed(documents) as index:
        ask(index, policy, texts[0])  # what starts with the first query
        start = time.perf_counter()
        positive = [
            ask(index, policy, text, _meets(made, right), right)
            for text, (_, made, right) in zip(texts, queries, strict=True)
        ]
        dedup_s = (time.perf_counter() - start) / len(texts)
        negative = [ask(index, policy, text) for text in negatives]
        title = size(index, policy)
    alarms = {
        level: sum(getattr(outcome, level) for outcome in negative)
        for level in ("found", "flagged", "blocked")
    }
    for level, false in alarms.items():
        hits = Counter(
            attack
            for (attack, _, _), outcome in zip(queries, positive, strict=True)
            if getattr(outcome, level)
        )
        name = f"dedup, {level}"
        rows.append(_side_row(name, "-", false, len(negatives), hits, attacks, dedup_s))

    note("lexing for copydetect")
    lexed = {name: rival.lexed(name, text) for name, text in documents.items()}
    start = time.perf_counter()
    lexed_queries = [rival.lexed("query.py", text) for text in texts]
    lexing_s = (time.perf_counter() - start) / len(texts)
    lexed_negatives = [rival.lexed("query.py", text) for text in negatives]
    tried: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for k, window in _COPYDETECT_GRID:
        built = rival.build(lexed, k, window, is_lexed=True)
        note(rival.label(built))
        start = time.perf_counter()
        best = [rival.query(built, "query.py", text, is_lexed=True) for text in lexed_queries]
        mean_s = (time.perf_counter() - start) / len(texts) + lexing_s
        wrong = sorted(
            (rival.query(built, "query.py", t, is_lexed=True)[1] for t in lexed_negatives),
            reverse=True,
        )
        limits = {f"best at the alarms of {level}": wrong[n] for level, n in alarms.items()}
        if (k, window) == _COPYDETECT_DEFAULT:
            limits["its default"] = _COPYDETECT_SCORE
        for name, limit in limits.items():
            hits = Counter(
                attack
                for (attack, _, right), (document, score) in zip(queries, best, strict=True)
                if score > limit and document in {place.document for place in right}
            )
            false = sum(score > limit for score in wrong)
            label = f"{rival.label(built)}, {name}"
            row = _side_row(label, f"{limit:.2f}", false, len(negatives), hits, attacks, mean_s)
            row["times as long"] = f"{mean_s / dedup_s:.1f}"
            tried[name].append((hits.total(), row))
    rows += [max(settings, key=lambda setting: setting[0])[1] for settings in tried.values()]
    rows = [{**row, "times as long": row.get("times as long", "1")} for row in rows]
    report.table(
        f"{title}; {len(chosen)} functions, {len(negatives)} unrelated (py-unrelated); % of copies "
        f"with the right document. Of copydetect the best of k/window "
        f"{', '.join(f'{k}/{window}' for k, window in _COPYDETECT_GRID)}, chosen and its score "
        "set on these very queries.",
        rows,
    )


def _side_row(
    name: str,
    limit: str,
    false: int,
    negatives: int,
    hits: Counter[str],
    attacks: Counter[str],
    mean_s: float,
) -> dict[str, Any]:
    return {
        "": name,
        "score over": limit,
        "false alarms": rate(false, negatives),
        **{attack: percent(hits[attack], attacks[attack]) for attack in _SIDE_BY_SIDE},
        "ms a query": f"{1000 * mean_s:.2f}",
    }


# ---- command line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = {
        "stdlib": (stdlib, 200),
        "unrelated": (unrelated, 3000),
        "sets": (sets, 0),
        "terser": (terser, 200),
        "copydetect": (copydetect, 100),
    }
    for name, (run, functions) in runs.items():
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--policy", default="balanced")
        command.add_argument("--json", type=Path, help="all figures")
        command.add_argument("--list", type=Path, help="cases to judge by hand")
        if functions:
            command.add_argument("--functions", type=int, default=functions)
        if name in ("sets", "terser", "copydetect"):
            command.add_argument("--data", type=Path, default=Path("../shared/data"))
        if name == "unrelated":
            command.add_argument("--wheels", type=Path, required=True, help="cache of packages")
            command.add_argument("--index", type=Path, nargs="*", default=[], help="more indexes")
        if name == "terser":
            command.add_argument("--terser", type=Path, required=True, help="npm folder")
    options = parser.parse_args()
    report = Report(options.json, options.list)
    options.run(options, Policy.load(options.policy), report)
    report.close()


if __name__ == "__main__":
    main()
