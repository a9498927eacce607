"""The audit trail: a line for each text, in files that do not grow without end."""

import json
import multiprocessing
from pathlib import Path

from strategies import match

from dedup.policy import Policy
from dedup.serve.audit import Audit

VERDICT = Policy.balanced().judge("secret words", [match()])


def write(path: Path, count: int, max_bytes: int = 1 << 20) -> None:
    audit = Audit(path, max_bytes=max_bytes, files=3)
    for number in range(count):
        audit.write(
            request=f"r{number}", route="/check", choice=0, verdict=VERDICT, texts=[b"secret words"]
        )
    audit.close()


def lines(*paths: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_a_line_tells_the_verdict_and_a_keyed_digest_but_no_text(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 2)
    first, second = lines(path)
    assert (first["action"], first["rule"], first["bytes"]) == ("block", "text-run", [12])
    assert first["matches"][0]["document"] == "books/emma.txt"  # type: ignore[index]
    assert "secret" not in path.read_text()
    audit = Audit(path, max_bytes=1 << 20, files=3)
    assert first["digests"] == second["digests"] == [audit.digest(b"secret words")]
    other = Audit(tmp_path / "other.jsonl", max_bytes=1 << 20, files=3)
    assert other.digest(b"secret words") != audit.digest(b"secret words")
    assert path.stat().st_mode & 0o077 == 0


def test_full_files_are_renamed_and_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 100, max_bytes=4000)
    files = sorted(tmp_path.glob("audit.jsonl*"))
    kept = [file.name for file in files if not file.name.endswith((".key", ".lock"))]
    assert kept == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3"]
    assert all((tmp_path / name).stat().st_size <= 4000 for name in kept)
    assert lines(path)[-1]["request"] == "r99"


def test_processes_share_a_trail_and_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    size = len(json.dumps(lines_of_one(tmp_path), separators=(",", ":"))) + 1
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(path, 100, 120 * size)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    files = [file for file in tmp_path.glob("audit.jsonl*") if file.suffix not in (".key", ".lock")]
    assert len(lines(*files)) == 300 and len(files) == 3


def lines_of_one(folder: Path) -> dict[str, object]:
    write(folder / "one.jsonl", 1)
    return lines(folder / "one.jsonl")[0]
