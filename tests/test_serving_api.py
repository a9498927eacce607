"""What `dedup serve` answers itself: /check, LiteLLM's guardrail API, metrics, the admin."""

import itertools
import json
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import upstream as up
from host import (
    ASKED,
    BOOKS,
    MAX_LEAK_TOKENS,
    OWNED,
    Host,
    Hosts,
    ask,
    clean,
    longest_run,
    passage,
    planted,
    streamed,
    until,
)

from dedup.filter import Filter
from dedup.index import Index
from dedup.key import Key
from dedup.source import Document

Json = dict[str, Any]
GUARDRAIL = "/beta/litellm_basic_guardrail_api"


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> Host:
    return hosts()


@pytest.fixture(scope="module")
def plain(hosts: Hosts) -> Filter:
    """What a caller of the library would use."""
    return Filter(Index.open(hosts.index, key=Key.load(hosts.key)))


# ---- /check

WRONG = [{"text": "x", "prompt": 5}, {"text": "x", "texts": []}, {"texts": ["x", 5]}]


def check(host: Host, **body: Any) -> httpx.Response:
    with host.http() as http:
        return http.post("/check", json=body)


def test_check_gives_the_verdict_of_the_library(host: Host, plain: Filter) -> None:
    for text, prompt in (
        (clean(), None),
        (planted(), None),
        (planted(), passage()),
        (planted(18), None),
        ("", None),
    ):
        answer = check(host, text=text, **({"prompt": prompt} if prompt else {}))
        assert answer.status_code == 200
        got, want = answer.json(), plain.check(text, prompt).to_dict()
        for key in ("action", "rule", "text", "index_generation"):
            assert got[key] == want[key], key
        assert len(got["matches"]) == len(want["matches"])
        assert "war-of-the-worlds" not in answer.text


def test_answers_are_not_held_back_by_the_network(host: Host) -> None:
    """A socket that waits for acknowledgements adds 40 ms to every one."""
    took = []
    with host.http() as http:
        for _ in range(30):
            begun = time.monotonic()
            http.post("/check", json={"text": clean(20)}).raise_for_status()
            took.append(time.monotonic() - begun)
    assert min(took[10:]) < 0.03


def test_check_names_sources_when_told_to(hosts: Hosts, plain: Filter) -> None:
    got = check(hosts("--expose-citations"), text=planted()).json()
    assert got["matches"] == plain.check(planted()).to_dict()["matches"]


def test_check_judges_the_texts_of_an_answer_together(host: Host, plain: Filter) -> None:
    words = passage(60).split()
    texts = [" ".join(words[at : at + 6]) for at in range(0, 60, 6)]
    got = check(host, texts=[clean(20), *texts]).json()
    want = [verdict.to_dict() for verdict in plain.check_all([clean(20), *texts])]
    assert got["action"] == "block"
    assert [one["action"] for one in got["verdicts"]] == ["allow", *["block"] * 10]
    assert [one["text"] for one in got["verdicts"]] == [one["text"] for one in want]
    assert all(check(host, text=text).json()["action"] == "allow" for text in texts)
    assert check(host, texts=[]).json() == {
        "schema_version": 1,
        "action": "allow",
        "verdicts": [],
    }


def test_check_refuses_what_it_does_not_understand(host: Host) -> None:
    with host.http() as http:
        for body in ({}, {"text": 5}, {"text": None}, [], "x", *WRONG):
            answer = http.post("/check", json=body)
            assert answer.status_code in (400, 422), body
            assert answer.json()["error"]["message"]
        assert http.get("/check").status_code == 405
        assert (
            http.post(
                "/check", content=b"{", headers={"content-type": "application/json"}
            ).status_code
            == 400
        )
        surrogate = b'{"text": "\\ud800 ' + clean(20).encode() + b'"}'
        answer = http.post(
            "/check", content=surrogate, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (200, 400, 422)


def test_check_keeps_to_its_description(host: Host) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error  # noqa: F401  what it must at least be

    schema = schemathesis.openapi.from_url(f"{host.url}/openapi.json")
    operations = [one.ok() for one in schema.get_all_operations()]
    assert "/check" in {operation.path for operation in operations}
    for operation in operations:

        @settings(
            max_examples=20,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def conforms(case: Any) -> None:
            case.call_and_validate(headers={"authorization": f"Bearer {host.token}"})

        conforms()


# ---- LiteLLM


def guardrail(texts: list[str], call_id: str | None, **more: Any) -> Json:
    """A request as LiteLLM 1.109 sends it."""
    return {
        "input_type": "response",
        "litellm_call_id": call_id,
        "litellm_trace_id": "trace-1",
        "structured_messages": None,
        "images": None,
        "tools": None,
        "texts": texts,
        "request_data": {"user_api_key_hash": "88dc28d0", "user_api_key_user_id": "u"},
        "request_headers": {"host": "0.0.0.0:4000", "x-other": "[present]"},
        "litellm_version": "1.109.1",
        "additional_provider_specific_params": {},
        "tool_calls": None,
        "model": "gpt-x",
        **more,
    }


@dataclass
class LiteLLM:
    """How LiteLLM streams behind a guardrail, in its mode `incremental_diff`, by its contract.

    All the text so far goes to the guardrail; of what comes back, all but the characters that it
    asks to hold is sent on, and at the end all. What has been sent can't be changed.
    """

    host: Host
    call_id: str | None
    out: dict[int, str] = field(default_factory=dict)
    is_blocked: bool = False

    def stream(self, choices: list[list[str]], seed: int | None = 1) -> "LiteLLM":
        so_far = ["" for _ in choices]
        parts = [[{"text": part} for part in of] for of in choices]
        with self.host.http() as http:
            for number, part in up.mixed(parts, seed):
                so_far[number] += part["text"]
                if not self.round(http, so_far, is_final=False):
                    return self
            self.round(http, so_far, is_final=True)
        return self

    def round(self, http: httpx.Client, so_far: list[str], *, is_final: bool) -> bool:
        begun = [number for number, text in enumerate(so_far) if text]
        texts = [so_far[number] for number in begun]
        answer = http.post(GUARDRAIL, json=guardrail(texts, self.call_id))
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["action"] in ("NONE", "BLOCKED", "GUARDRAIL_INTERVENED")
        if told["action"] == "BLOCKED":
            assert isinstance(told["blocked_reason"], str)
            self.is_blocked = True
            return False
        back = told.get("texts") or texts
        assert len(back) == len(texts)
        held = told.get("stream_holdback_chars") or []
        for at, (number, text) in enumerate(zip(begun, back, strict=True)):
            already = self.out.get(number, "")
            assert text.startswith(already), "rewrites what was sent"
            holdback = 0 if is_final or at >= len(held) else max(0, held[at])
            self.out[number] = text[: max(len(already), len(text) - holdback)]
        return True


@pytest.mark.parametrize("call_id", ["call-{}", None])
def test_litellm_streams_without_a_leak(host: Host, call_id: str | None) -> None:
    names = (call_id and call_id.format(time.monotonic_ns() + at) for at in range(9))
    quiet = LiteLLM(host, next(names)).stream([up.words(clean(40))])
    assert quiet.out == {0: clean(40)} and not quiet.is_blocked
    text = planted(60, before=12, after=12)
    for choices in ([up.words(text)], [up.every(text, 9)], [up.words(text), up.words(clean(50))]):
        loud = LiteLLM(host, next(names)).stream(choices)
        assert loud.is_blocked
        for out in loud.out.values():
            assert longest_run(out) <= MAX_LEAK_TOKENS
    short = planted(18, before=12, after=20)  # a match that may pass
    passed = LiteLLM(host, next(names)).stream([up.words(short)])
    assert passed.out == {0: short} and not passed.is_blocked


def test_litellm_gets_redacted_text(hosts: Hosts) -> None:
    from test_serving import NOTICE, policy

    host = hosts("--policy", str(policy(hosts.index.parent, "redact")))
    for after in (40, 3, 0):  # it may end within a passage
        text = planted(60, before=12, after=after)
        got = LiteLLM(host, f"call-{time.monotonic_ns()}").stream([up.words(text)]).out[0]
        assert NOTICE in got and longest_run(got) <= MAX_LEAK_TOKENS
        assert got.startswith(clean(12)) and got.endswith(clean(after, 12))


def test_litellm_is_asked_once_for_what_is_no_stream(host: Host) -> None:
    with host.http() as http:

        def told(*texts: str, **more: Any) -> Json:
            answer = http.post(GUARDRAIL, json=guardrail(list(texts), "whole-1", **more))
            assert answer.status_code == 200
            assert longest_run(answer.text) <= MAX_LEAK_TOKENS or not texts
            return dict(answer.json())

        assert told(clean())["action"] == "NONE"
        answer = told(clean(), planted())
        assert answer["action"] == "BLOCKED" and OWNED not in json.dumps(answer)
        arguments = json.dumps({"text": planted()})
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
        assert told(tool_calls=[call])["action"] == "BLOCKED"
        words = passage(60).split()
        texts = [" ".join(words[at : at + 6]) for at in range(0, 60, 6)]
        assert told(texts[0])["action"] == "NONE"
        assert told(clean(), *texts)["action"] == "BLOCKED"
        calls = [
            {
                "id": "1",
                "type": "function",
                "function": {"name": "f", "arguments": f'{{"w":"{w}"}}'},
            }
            for w in words
        ]
        assert told(tool_calls=calls[:9])["action"] == "NONE"
        assert told(tool_calls=calls)["action"] == "BLOCKED"
        # Of a request nothing is withheld: it is the client's own.
        request = http.post(GUARDRAIL, json=guardrail([planted()], "r", input_type="request"))
        assert request.json()["action"] == "NONE"


def test_litellm_costs_by_what_is_new(host: Host) -> None:
    """All the text so far comes with every chunk; only what is new of it is searched."""
    parts = up.words(" ".join([clean(500)] * 2))[:600]
    litellm = LiteLLM(host, f"call-{time.monotonic_ns()}")
    before = host.cpu_s()
    litellm.stream([parts])
    assert litellm.out[0] == "".join(parts)
    assert host.cpu_s() - before < 6


# ---- metrics


def test_metrics_count_verdicts(host: Host) -> None:
    before = host.metrics()
    streamed(host, host.upstream.script(up.chat_stream(up.say(planted()))))
    ask(host, host.upstream.script(up.whole(up.chat({"content": clean()}))))
    with host.http() as http:
        answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text != before
    assert 'block"' in answer.text and 'allow"' in answer.text
    for book in BOOKS:
        assert book not in answer.text


# ---- the admin's socket


def admin(socket: Path) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(socket))
    return httpx.Client(transport=transport, base_url="http://admin", timeout=30)


def test_the_admins_routes_are_on_the_admins_socket_only(hosts: Hosts, tmp_path: Path) -> None:
    host, socket = with_admin(hosts, tmp_path)
    with admin(socket) as http:
        assert http.get("/stats").status_code == 200
        assert http.post("/reload").status_code == 200
        assert http.post("/v1/chat/completions", json={}).status_code == 404
    with host.http() as http:
        for path in ("/stats", "/reload", "/admin/stats", "/admin/reload"):
            assert http.get(path).status_code == http.post(path).status_code == 404
    assert socket.stat().st_mode & 0o007 == 0
    host.stop()


def with_admin(hosts: Hosts, folder: Path, *options: str) -> tuple[Host, Path]:
    """A server of its own over an index of its own, and its admin's socket."""
    key = Key.load(hosts.key)
    with Index.create(folder / "index", key=key) as index:
        index.add(Document(name, text) for name, text in BOOKS.items())
        index.commit()
    socket = folder / "admin.sock"
    return hosts("--admin", str(socket), *options, index=folder / "index"), socket


def test_a_reload_takes_what_was_added_and_refuses_what_is_damaged(
    hosts: Hosts, tmp_path: Path
) -> None:
    host, socket = with_admin(hosts, tmp_path)
    new = clean(60, 300)
    model = host.upstream.script(up.whole(up.chat({"content": new})))
    assert ask(host, model).json()["choices"][0]["finish_reason"] == "stop"
    with Index.open(tmp_path / "index", key=Key.load(hosts.key), writable=True) as index:
        index.add([Document("speech", new)])
        index.commit()
    manifest = tmp_path / "index" / "MANIFEST"
    good = manifest.read_bytes()
    with admin(socket) as http:
        manifest.write_bytes(good[:-20])
        assert http.post("/reload").status_code >= 400
        assert ask(host, model).json()["choices"][0]["finish_reason"] == "stop"
        manifest.write_bytes(good)
        assert http.post("/reload").status_code == 200
    assert until(lambda: ask(host, model).json()["choices"][0]["finish_reason"] == "content_filter")
    host.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_reloads_under_load_fail_no_request(hosts: Hosts, tmp_path: Path, workers: int) -> None:
    failed = reload_under_load(hosts, tmp_path, count=40, workers=workers)
    assert failed["failures"] == []


def reload_under_load(hosts: Hosts, folder: Path, *, count: int, workers: int = 1) -> Json:
    """Changes and reloads an index while clients stream; what they met."""
    host, socket = with_admin(hosts, folder, "--workers", str(workers))
    parts = up.words(clean(40))
    begin, *end = up.chat_stream([])
    quiet = host.upstream.script(up.reply(begin, up.talk(parts, 0.002), *end))
    loud = host.upstream.script(up.chat_stream(up.say(planted())))
    failures: list[str] = []
    requests = 0
    is_over = threading.Event()

    def client(seed: int) -> None:
        nonlocal requests
        rng, sdk = random.Random(seed), host.sdk()
        while not is_over.is_set():
            is_quiet = rng.random() < 0.7
            text, finish = "", None
            try:
                for chunk in sdk.chat.completions.create(
                    model=quiet if is_quiet else loud,
                    messages=[{"role": "user", "content": "x"}],
                    stream=True,
                ):
                    for choice in chunk.choices:
                        text += choice.delta.content or ""
                        finish = choice.finish_reason or finish
            except (openai.OpenAIError, httpx.HTTPError) as error:
                failures.append(repr(error))
            requests += 1
            if is_quiet and (text, finish) != ("".join(parts), "stop"):
                failures.append(f"quiet: {finish}, {len(text)} characters")
            if not is_quiet and (finish != "content_filter" or longest_run(text) > 20):
                failures.append(f"loud: {finish}")

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(4)]
    for one in clients:
        one.start()
    key, notes = Key.load(hosts.key), random.Random(1)
    try:
        with admin(socket) as http:
            for number in itertools.count():
                if number >= count and requests >= 50:
                    break
                if number % 4 == 0:
                    with Index.open(folder / "index", key=key, writable=True) as index:
                        index.add([Document(f"note {number}", " ".join(notes.sample(ASKED, 30)))])
                        index.commit()
                        if number % 16 == 0:
                            index.merge()
                answer = http.post("/reload")
                if answer.status_code != 200:
                    failures.append(f"reload {number}: {answer.status_code} {answer.text}")
    finally:
        is_over.set()
    for one in clients:
        one.join(30)
    host.stop()
    return {"requests": requests, "failures": failures}


def test_a_server_that_is_told_to_end_lets_streams_end(hosts: Hosts) -> None:
    host = hosts("--max-streams", "77")  # one of its own
    begin, *end = up.chat_stream([])
    parts = up.words(clean(30))
    model = host.upstream.script(up.reply(begin, up.talk(parts, 0.05), *end))
    out: list[Any] = []
    client = threading.Thread(target=lambda: out.append(streamed(host, model)))
    client.start()
    assert until(lambda: host.upstream.seen(model))
    assert host.stop() in (0, -15)
    client.join(10)
    assert out and out[0].texts == {(0, "content"): "".join(parts)} and out[0].is_done


if __name__ == "__main__":
    # python tests/test_serving_api.py 1000 2: so many reloads of so many workers under load.
    import sys
    import tempfile

    from host import Upstream

    with tempfile.TemporaryDirectory() as made:
        all_hosts = Hosts(Path(made), Upstream())
        (Path(made) / "own").mkdir()
        try:
            reloads, workers = map(int, sys.argv[1:])
            folder = Path(made) / "own"
            met = reload_under_load(all_hosts, folder, count=reloads, workers=workers)
        finally:
            all_hosts.stop()
            all_hosts.upstream.stop()
    print(f"{reloads} reloads, {met['requests']} requests, {len(met['failures'])} failures")
    print(*met["failures"][:10], sep="\n")
    sys.exit(bool(met["failures"]))
