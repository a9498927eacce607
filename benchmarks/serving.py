"""What `dedup serve` adds to a stream: time to the first token, per token, and CPU.

    python benchmarks/serving.py [--tokens 200] [--interval 0.02] [--streams 1 16 64] [--workers 1]

The same answers, from the same scripted upstream (tests/upstream.py), in turns over three ways:
straight; through a server that cannot open an index and delivers unchecked (`--fail-open`), which
is the price of a proxy; through one that filters. A paced upstream says a token every so many
seconds and notes when; the delay of a token is from then until its last byte of text is here. The
filter lets a token out when the next begins: this is in its delays, and shown apart as the time
since that next token was sent. A fast upstream says all as fast as it can: throughput, and CPU
time of the server's processes. The index is that of tests/data, or the one that is given.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import httpx
import upstream as up
from host import Upstream, cpu_s_of, family, free_port, make_index

ROOT = Path(__file__).parent.parent
SPEECH = (ROOT / "tests" / "data" / "outputs" / "speech.txt").read_text()


@dataclass
class Run:
    """What was measured of some streams at once over one way."""

    delays: list[float] = field(default_factory=list)  # of each token, s
    behind: list[float] = field(default_factory=list)  # since the next token was sent, s
    first: list[float] = field(default_factory=list)  # request to first token, s
    rates: list[float] = field(default_factory=list)  # tokens/s of all streams together
    cpu: list[float] = field(default_factory=list)  # s per 1,000 tokens


@contextmanager
def served(url: str, *options: str) -> Iterator[tuple[str, int]]:
    """A server process: its address and its id."""
    port = free_port()
    command = [sys.executable, "-m", "dedup", "serve", "--port", str(port), "--upstream", url]
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                httpx.get(f"http://127.0.0.1:{port}/health")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(30)


def cpu_s(pid: int | None) -> float:
    """CPU time of a process and its children, s."""
    return sum(map(cpu_s_of, family(pid))) if pid else 0.0


async def stream(url: str, model: str, user: str, ends: list[int]) -> tuple[float, list[float]]:
    """One streamed answer: when it was asked for, and when each token had arrived."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
    messages = [{"role": "user", "content": "Say something."}]
    body = json.dumps({"model": model, "stream": True, "user": user, "messages": messages})
    asked = time.monotonic()
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    arrived: list[float] = []
    have, buffer, is_done = 0, b"", False
    while not is_done and (data := await reader.read(65536)):
        now = time.monotonic()
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    have += len(choice["delta"].get("content") or "")
            is_done |= line.startswith(b"data: [DONE]")
        while len(arrived) < len(ends) and ends[len(arrived)] <= have:
            arrived.append(now)
    writer.close()
    if len(arrived) != len(ends):
        raise RuntimeError(f"{len(arrived)} of {len(ends)} tokens arrived")
    return asked, arrived


async def measure(
    upstream: Upstream,
    way: tuple[str, int | None],
    model: str,
    parts: list[str],
    count: int,
    run: Run,
) -> None:
    url, pid = way
    ends = [sum(map(len, parts[: at + 1])) for at in range(len(parts))]
    seen_before = len(upstream.seen(model))
    cpu, begun = cpu_s(pid), time.monotonic()
    users = [f"u{at}" for at in range(count)]
    got = await asyncio.gather(*(stream(url, model, user, ends) for user in users))
    took, cpu = time.monotonic() - begun, cpu_s(pid) - cpu
    tokens = count * len(parts)
    run.rates.append(tokens / took)
    run.cpu.append(1000 * cpu / tokens)
    by_user = {one["body"]["user"]: one["stamps"] for one in upstream.seen(model)[seen_before:]}
    for user, (asked, arrived) in zip(users, got, strict=True):
        sent = by_user[user]
        run.first.append(arrived[0] - asked)
        run.delays += [b - a for a, b in zip(sent, arrived, strict=True)]
        run.behind += [b - a for a, b in zip(sent[1:], arrived, strict=False)]


def ms(values: list[float], percent: int) -> str:
    return f"{1000 * statistics.quantiles(values, n=100)[percent - 1]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--interval", type=float, default=0.02, help="s between paced tokens")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--key", type=Path)
    options = parser.parse_args()
    parts = (up.words(SPEECH) * (options.tokens // 100 + 1))[: options.tokens]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        index, key = (options.index, options.key) if options.index else make_index(folder)
        upstream = Upstream()
        stack.callback(upstream.stop)
        common = ["--workers", str(options.workers), *(["--key", str(key)] if key else [])]
        missing = str(folder / "missing")
        proxy = served(upstream.url, "--index", missing, "--fail-open", *common)
        filtering = served(upstream.url, "--index", str(index), *common)
        ways: dict[str, tuple[str, int | None]] = {
            "straight": (upstream.url, None),
            "proxy alone": stack.enter_context(proxy),
            "filtered": stack.enter_context(filtering),
        }
        begin, *end = up.chat_stream([])
        paced = upstream.script(up.reply(begin, up.talk(parts, options.interval), *end))
        fast = upstream.script(up.reply(begin, up.talk(parts), *end))
        for way in ways.values():  # what is loaded or connected once is no part of it
            asyncio.run(measure(upstream, way, fast, parts, 4, Run()))
        results: dict[tuple[int, str, str], Run] = {}
        for count in options.streams:
            for model in (paced, fast):
                for _ in range(options.rounds):
                    for name, way in ways.items():
                        run = results.setdefault((count, name, model), Run())
                        asyncio.run(measure(upstream, way, model, parts, count, run))
    report(options, results, ways, paced, fast)


def report(options: Any, results: Any, ways: Any, paced: str, fast: str) -> None:
    print(
        f"{options.tokens} tokens a stream, {options.rounds} rounds, {options.workers} worker(s); "
        f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n\n"
        f"Paced, a token each {1000 * options.interval:.0f} ms: delays in ms\n\n"
        "| streams | way | first token p50 / p99 | token p50 / p99 | after the next p50 / p99 | "
        "CPU ms per 1,000 tokens |\n|---|---|---|---|---|---|"
    )
    for count in options.streams:
        for name in ways:
            run = results[count, name, paced]
            behind = "" if name != "filtered" else f"{ms(run.behind, 50)} / {ms(run.behind, 99)}"
            print(
                f"| {count} | {name} | {ms(run.first, 50)} / {ms(run.first, 99)} | "
                f"{ms(run.delays, 50)} / {ms(run.delays, 99)} | {behind} | "
                f"{1000 * statistics.median(run.cpu):.0f} |"
            )
    print(
        "\nAs fast as it can\n\n| streams | way | tokens/s | against straight | first token "
        "p50 / p99, ms | CPU ms per 1,000 tokens |\n|---|---|---|---|---|---|"
    )
    for count in options.streams:
        base = statistics.median(results[count, "straight", fast].rates)
        for name in ways:
            run = results[count, name, fast]
            rate = statistics.median(run.rates)
            print(
                f"| {count} | {name} | {rate:,.0f} | {rate / base:.2f} x | "
                f"{ms(run.first, 50)} / {ms(run.first, 99)} | "
                f"{1000 * statistics.median(run.cpu):.0f} |"
            )


if __name__ == "__main__":
    main()
