"""The processes of an end-to-end test: a scripted upstream and `dedup serve` before it."""

import contextlib
import functools
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import openai
import upstream as scripted

from dedup import _core
from dedup.index import Index
from dedup.key import Key
from dedup.source import Document

Json = dict[str, Any]

DATA: Final = Path(__file__).parent / "data"
BOOKS: Final = {p.name: p.read_text() for p in sorted((DATA / "books").glob("*.txt"))}
WAR: Final = BOOKS["war-of-the-worlds.txt"].split()
SPEECH: Final = (DATA / "outputs" / "speech.txt").read_text()
SLOTS: Final = (DATA / "code" / "timetable" / "slots.py").read_text()
RENAMED: Final = (DATA / "outputs" / "answer-with-renamed-code.md").read_text()

# What leaks nowhere: words that are in no other text, one set protected, one for prompts.
_LETTERS: Final = random.Random(20)


def _word() -> str:
    return "".join(_LETTERS.choice("bdfgklmnprstvz") + _LETTERS.choice("aiou") for _ in range(4))


CANARY: Final = [_word() for _ in range(400)]
ASKED: Final = [_word() for _ in range(60)]
OWNED: Final = "canary-document-name"  # what is protected is not named either

MAX_LEAK_TOKENS: Final = 20
_SERVE: Final = [sys.executable, "-m", "dedup", "serve"]


def passage(length: int = 90, at: int = 1000) -> str:
    return " ".join(WAR[at : at + length])


def planted(length: int = 90, at: int = 1000, before: int = 40, after: int = 40) -> str:
    """A speech that holds a passage of a protected book."""
    speech = SPEECH.split()
    start = " ".join(speech[:before])
    return f"{start} {passage(length, at)} " + " ".join(speech[before : before + after])


def clean(length: int = 60, at: int = 0) -> str:
    return " ".join(SPEECH.split()[at : at + length])


def longest_run(released: str, document: str | None = None) -> int:
    """The most words in a row that a text has in common with a protected document, or with any."""
    documents = [document] if document else [*BOOKS.values(), " ".join(CANARY)]
    mine = list(_core.tokenize(released)[0])
    return max(_longest_run(mine, *_places(one)) for one in documents)


@functools.cache
def _places(document: str) -> tuple[list[int], dict[int, list[int]]]:
    words = list(_core.tokenize(document)[0])
    places: dict[int, list[int]] = {}
    for at, word in enumerate(words):
        places.setdefault(word, []).append(at)
    return words, places


def _longest_run(mine: list[int], theirs: list[int], places: dict[int, list[int]]) -> int:
    best = 0
    for at, word in enumerate(mine):
        for place in places.get(word, []):
            # Only what would be longer than the best so far is followed.
            if mine[at : at + best + 1] != theirs[place : place + best + 1]:
                continue
            if at + best >= len(mine) or place + best >= len(theirs):
                continue
            while mine[at + best : at + best + 1] == theirs[place + best : place + best + 1] != []:
                best += 1
    return best


def until(claim: Callable[[], Any], seconds: float = 5.0, *, step: float = 0.02) -> Any:
    """Waits for something to become true, and returns it; its last value if it does not."""
    end = time.monotonic() + seconds
    while not (value := claim()) and time.monotonic() < end:
        time.sleep(step)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    pids = [pid]
    for one in pids:
        with contextlib.suppress(OSError):
            pids += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return pids


def cpu_s_of(pid: int) -> float:
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _rss_bytes(pid: int) -> float:
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        if "VmRSS:" in status:
            return 1024 * int(status.partition("VmRSS:")[2].split()[0])
    return 0.0


def make_index(folder: Path) -> tuple[Path, Path]:
    """The index of the books, the code and the canary, and its key."""
    key = folder / "key"
    made = Key.generate(key)
    with Index.create(folder / "index", key=made) as index:
        index.add(Document(name, text, corpus="books") for name, text in BOOKS.items())
        index.add([Document("timetable/slots.py", SLOTS, corpus="code", licence="GPL-3.0")])
        index.add([Document(OWNED, " ".join(CANARY), corpus=f"{OWNED}-corpus")])
        index.commit()
    return folder / "index", key


class Upstream:
    """The scripted server's process (`upstream.py`), and what it is told."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen([sys.executable, scripted.__file__, str(self.port)])
        self._http = httpx.Client(base_url=self.url)
        self._names = itertools.count()
        assert until(self._is_up, 20), "the upstream did not start"

    def _is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self._http.get("/v1/models").status_code == 200
        return False

    def script(self, *replies: Json | list[bytes]) -> str:
        """The model that answers so; further requests get further replies, then the last."""
        name = f"m{next(self._names)}"
        told = [one if isinstance(one, dict) else scripted.reply(*one) for one in replies]
        self._http.post(f"/_script/{name}", json=told).raise_for_status()
        return name

    def seen(self, model: str) -> list[Json]:
        """The requests made to a model."""
        return list(self._http.get(f"/_seen/{model}").json()["seen"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@dataclass
class Host:
    """A `dedup serve` process."""

    upstream: Upstream
    folder: Path
    arguments: list[str]
    port: int = field(default_factory=free_port)
    token: str = "unused"

    def start(self) -> "Host":
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        self._log = (self.folder / "stderr.log").open("ab")
        self._process = subprocess.Popen(
            [*_SERVE, "--port", str(self.port), "--upstream", self.upstream.url, *self.arguments],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder / "tmp")},
        )
        assert until(self._is_up, 30), f"the server did not start:\n{self.log()}"
        return self

    def _is_up(self) -> bool:
        assert self._process.poll() is None, f"the server ended:\n{self.log()}"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """CPU time of the server's processes, s."""
        return sum(map(cpu_s_of, family(self.pid)))

    def rss_bytes(self) -> float:
        """Memory of the server's processes."""
        return sum(map(_rss_bytes, family(self.pid)))

    def log(self) -> str:
        return (self.folder / "stderr.log").read_text()

    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics").text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples with this name that have these labels."""
        total = 0.0
        for line in self.metrics().splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.partition("{")[0] == name and all(
                f'{key}="{wanted}"' in sample for key, wanted in labels.items()
            ):
                total += float(value)
        return total

    def sdk(self, **options: Any) -> openai.OpenAI:
        options = {"timeout": 30.0, "max_retries": 0, "api_key": self.token, **options}
        return openai.OpenAI(base_url=f"{self.url}/v1", **options)

    def http(self, **options: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)

    def terminate(self) -> None:
        """Tells it to end, as an operator does."""
        self._process.terminate()

    def stop(self) -> int:
        """Ends it; its exit status."""
        if self._process.poll() is None:
            self.terminate()
            try:
                self._process.wait(40)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise AssertionError("the server did not end when told to") from None
            finally:
                self._log.close()
        return self._process.returncode


class Hosts:
    """Servers by what they were started with; each is started once."""

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self._folder = folder
        self.upstream = upstream
        self.index, self.key = make_index(folder)
        self._hosts: dict[tuple[str, ...], Host] = {}

    def __call__(self, *arguments: str, index: Path | None = None, token: str = "t") -> Host:
        which = (str(index), token, *arguments)
        if which not in self._hosts:
            given = ["--index", str(index or self.index), "--key", str(self.key), *arguments]
            folder = self._folder / f"host{len(self._hosts)}"
            self._hosts[which] = Host(self.upstream, folder, given, token=token).start()
        return self._hosts[which]

    def stop(self) -> None:
        with contextlib.ExitStack() as stack:  # all of them, whatever one does
            for host in self._hosts.values():
                stack.callback(host.stop)
                host.terminate()


# ---- what a client saw


@dataclass
class Seen:
    """All that a streamed answer told its client."""

    texts: dict[tuple[int, str], str] = field(default_factory=dict)  # by choice and channel
    finish: dict[int, str] = field(default_factory=dict)
    last: dict[int, Json] = field(default_factory=dict)  # the choice with the finish_reason
    usage: Json | None = None
    chunks: list[Json] = field(default_factory=list)
    is_done: bool = False
    error: Json | None = None
    logprobs: dict[int, list[Json]] = field(default_factory=dict)
    after_end: bool = False  # whether a choice went on after its finish_reason

    def take(self, chunk: Json) -> None:
        self.chunks.append(chunk)
        if "error" in chunk:
            self.error = chunk["error"]
        if chunk.get("usage"):
            self.usage = chunk["usage"]
        for choice in chunk.get("choices", []):
            number = choice["index"]
            for channel, text in channels(choice):
                self.after_end |= bool(text) and number in self.finish
                key = number, channel
                self.texts[key] = self.texts.get(key, "") + text
            logprobs = choice.get("logprobs")
            if logprobs and "content" in logprobs:
                self.logprobs.setdefault(number, []).extend(logprobs["content"] or [])
            if choice.get("finish_reason"):
                self.finish[number] = choice["finish_reason"]
                self.last[number] = choice

    @property
    def everything(self) -> str:
        """All text that arrived, whatever its channel."""
        return "\n".join(self.texts.values())


def channels(choice: Json) -> Iterator[tuple[str, str]]:
    """The texts of a choice of a chunk, each with its channel."""
    for name, value in choice.get("delta", {}).items():
        if name == "tool_calls":
            for tool in value or []:
                arguments = tool.get("function", {}).get("arguments")
                if arguments:
                    yield f"tool{tool.get('index', 0)}", arguments
        elif name == "function_call" and value:
            yield "function_call", value.get("arguments") or ""
        elif name != "role" and isinstance(value, str):
            yield name, value
    if choice.get("text"):
        yield "text", choice["text"]


def read_sse(body: bytes) -> tuple[list[Json], bool]:
    """The data of a whole event stream, and whether it ended with [DONE]."""
    found, done = [], False
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line for line in block.split(b"\n") if line.startswith(b"data:")]
        data = b"\n".join(line[5:].removeprefix(b" ") for line in lines)
        if data == b"[DONE]":
            done = True
        elif data:
            assert not done, f"after [DONE]: {data!r}"
            found.append(json.loads(data))
    return found, done


def streamed(host: Host, model: str, route: str = "chat/completions", **body: Any) -> Seen:
    """The answer to a streaming request, as its bytes say."""
    base: Json = {"model": model, "stream": True}
    if route == "chat/completions":
        base["messages"] = [{"role": "user", "content": "Say something."}]
    else:
        base["input" if route == "responses" else "prompt"] = "Say something."
    with host.http() as http:
        answer = http.post(f"/v1/{route}", json={**base, **body})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    seen = Seen()
    events, seen.is_done = read_sse(answer.content)
    for chunk in events:
        seen.take(chunk)
    return seen


def ask(host: Host, model: str, route: str = "chat/completions", **body: Any) -> httpx.Response:
    """The answer to a request that is not streamed."""
    base: Json = {"model": model}
    if route == "chat/completions":
        base["messages"] = [{"role": "user", "content": "Say something."}]
    else:
        base["input" if route == "responses" else "prompt"] = "Say something."
    with host.http() as http:
        return http.post(f"/v1/{route}", json={**base, **body})
