"""``dedup calibrate``: what a policy does to texts that are no copies; see ``cli``."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from dedup.baseline import Baseline
from dedup.calibration import Calibration, Share, calibrate, everything, judged
from dedup.cli_options import (
    BackgroundOption,
    JobsOption,
    KeyOption,
    NoKeyOption,
    RayOption,
    engine_of,
    keys_of,
)
from dedup.policy import Policy
from dedup.report import printable
from dedup.scan import scan
from dedup.scanning.row import Row, encoded
from dedup.terminal import as_json, bytes_progress, counted, output_to, print_error, write

__all__ = ["calibrate_command"]

_FAILED: Final = 2
_SCHEMA_VERSION: Final = 1
_STOPPED: Final = ("redact", "block")


class Format(StrEnum):
    """How the answer is written."""

    text = "text"
    json = "json"


def calibrate_command(
    index: Annotated[Path, typer.Option(metavar="INDEX", help="The index directory.")],
    benign: Annotated[
        list[str],
        typer.Option(
            metavar="SOURCE",
            help="Outputs that are no copies: anything that `dedup scan` reads; may be repeated.",
        ),
    ],
    policy: Annotated[
        str, typer.Option(metavar="P", help="strict, balanced, lenient, or a TOML file.")
    ] = "balanced",
    background: BackgroundOption = None,
    rate: Annotated[
        float, typer.Option(metavar="SHARE", help="How many of them may be stopped.")
    ] = 0.001,
    hits: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Gets what is stopped, to be looked at: a page if it ends in .html, else rows.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Copies among them after all, as --write-baseline has them."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Gets the proposed policy, as TOML."),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the answer.")] = Format.text,
    jobs: JobsOption = None,
    ray: RayOption = None,
    key: KeyOption = None,
    no_key: NoKeyOption = False,
) -> int:
    """Measure how many benign texts a policy would stop, and propose thresholds.

    The exit status is 2 if some of them could not be read, else 0.
    """
    rules = Policy.load(policy)
    if not 0 < rate < 1:
        raise typer.BadParameter(f"--rate: a share between 0 and 1, got {rate}")
    with tempfile.TemporaryDirectory(prefix="dedup-") as folder, bytes_progress(None) as show:
        path = Path(folder) / "found.jsonl"
        summary = scan(
            benign,
            index,
            path,
            policy=everything(),
            key=keys_of(key, no_key),
            background=background or (),
            baseline=None if baseline is None else Baseline.load(baseline),
            engine=engine_of(jobs, ray),
            excerpts=hits is not None,
            problem=print_error,
            progress=lambda progress: show(progress.read_bytes, ""),
        )
        answer = calibrate(_rows(path), rules, rate)
        if not answer.documents:
            print_error("no document could be read; check the sources")
            return _FAILED
        if hits is not None:
            _write_hits(_stopped(path, rules), hits, index, policy)
    if output is not None and answer.proposal is not None:
        with output_to(output) as stream:
            stream.write(answer.proposal.to_toml())
    write(
        as_json(_plain(answer, rules), 2) if format is Format.json else _text(answer, rules, index)
    )
    return 0 if summary.is_complete else _FAILED


def _rows(path: Path) -> Iterator[Row]:
    import msgspec  # here, so that other commands start quickly

    with path.open("rb") as lines:
        for line in lines:
            yield msgspec.json.decode(line)


def _stopped(path: Path, policy: Policy) -> Iterator[Row]:
    """The rows of documents that the policy stops, as a scan under it would give them."""
    for row in _rows(path):
        if row["matches"]:
            told = judged(row, policy)
            if told["action"] in _STOPPED:
                yield told


def _write_hits(rows: Iterator[Row], path: Path, index: Path, policy: str) -> None:
    pieces: Iterator[str] = (encoded(row).decode() for row in rows)
    if path.suffix.lower() == ".html":
        from dedup.reports.html import About, html_report  # here, as it needs jinja2

        pieces = html_report(rows, about=About("Benign texts stopped", str(index), policy))
    with output_to(path) as stream:
        stream.writelines(pieces)


# ---- the answer ----------------------------------------------------------------------------------


def _text(answer: Calibration, policy: Policy, index: Path) -> str:
    lines = [
        f"{counted(answer.documents, 'benign document')}, {answer.bytes / 1e6:,.1f} MB, against "
        f"{printable(str(index))}, policy {printable(policy.name)}",
        f"  stopped  {_share(answer.stopped)}",
        f"  flagged  {_share(answer.flagged)}",
        "",
        "  rule                    documents  threshold               no more stopped down to",
    ]
    for stop in answer.stops:
        threshold = f"{stop.measure} {stop.threshold}"
        lines.append(
            f"  {printable(stop.rule):<22} {stop.documents:>10,}  {threshold:<22}  {stop.room}"
        )
    return "".join(line + "\n" for line in [*lines, "", *_proposal(answer, policy)])


def _proposal(answer: Calibration, policy: Policy) -> Iterator[str]:
    proposal = answer.proposal
    if proposal is None:
        yield (
            f"So few documents cannot show a rate of {answer.wanted:.4%}, even if none is stopped: "
            f"give about {answer.needed_documents:,}, or ask for a higher --rate."
        )
        return
    changes = list(_changes(policy, proposal))
    if changes:
        yield f"To stop at most {answer.wanted:.4%}:"
        yield from (f"  {printable(name)}: {key} {old} -> {new}" for name, key, old, new in changes)
    else:
        yield f"The policy stops at most {answer.wanted:.4%} as it is."
    yield f"  on the half it was chosen on   {_share(answer.chosen_on)}"
    yield f"  on the other half              {_share(answer.measured_on)}"


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.count:,} of {share.of:,}: {share.rate:.4%}, 95 % interval {low:.4%}-{high:.4%}"


def _changes(old: Policy, new: Policy) -> Iterator[tuple[str, str, int, int]]:
    """Each threshold that differs: of which rule, its name, before and after."""
    for before, after in zip(old.rules, new.rules, strict=True):
        for key in ("min_run", "min_tokens", "min_distinct"):
            values = getattr(before, key), getattr(after, key)
            if values[0] != values[1]:
                yield before.name, key, *values


def _plain(answer: Calibration, policy: Policy) -> dict[str, Any]:
    def share(value: Share) -> dict[str, Any]:
        return {
            "count": value.count,
            "of": value.of,
            "rate": value.rate,
            "interval": list(value.interval),
        }

    proposal = answer.proposal
    return {
        "schema_version": _SCHEMA_VERSION,
        "documents": answer.documents,
        "bytes": answer.bytes,
        "stopped": share(answer.stopped),
        "flagged": share(answer.flagged),
        "rules": [asdict(stop) for stop in answer.stops],
        "wanted": answer.wanted,
        "needed_documents": answer.needed_documents,
        "proposal": None if proposal is None else proposal.to_toml(),
        "changes": [
            {"rule": name, "threshold": key, "from": old, "to": new}
            for name, key, old, new in (_changes(policy, proposal) if proposal else ())
        ],
        "chosen_on": share(answer.chosen_on),
        "measured_on": share(answer.measured_on),
    }
