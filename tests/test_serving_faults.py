"""`dedup serve` when something fails: what clients get, and that it is never what is protected."""

import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import upstream as up
from host import (
    ASKED,
    CANARY,
    MAX_LEAK_TOKENS,
    OWNED,
    Host,
    Hosts,
    Seen,
    ask,
    clean,
    family,
    longest_run,
    planted,
    read_sse,
    streamed,
    until,
)
from hypothesis import given, settings
from hypothesis import strategies as st

Json = dict[str, Any]
HI: list[Any] = [{"role": "user", "content": "Say something."}]


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> Host:
    """One whose upstream may be silent for a second."""
    return hosts("--timeout", "1")


@pytest.fixture(scope="module")
def blind(hosts: Hosts) -> Host:
    """One without its index."""
    return hosts(index=hosts.index.parent / "missing")


@pytest.fixture(scope="module")
def trusting(hosts: Hosts) -> Host:
    """One without its index that delivers all the same."""
    return hosts("--fail-open", index=hosts.index.parent / "missing")


def raw(host: Host, model: str, route: str = "chat/completions") -> httpx.Response:
    body: Json = {"model": model, "stream": True, "messages": HI, "prompt": "x", "input": "x"}
    wanted = {"chat/completions": "messages", "completions": "prompt", "responses": "input"}[route]
    for key in {"messages", "prompt", "input"} - {wanted}:
        del body[key]
    with host.http() as http:
        return http.post(f"/v1/{route}", json=body)


def assert_is_error(answer: httpx.Response, *statuses: int) -> Json:
    """An answer is an error as OpenAI's are."""
    assert answer.status_code in statuses, answer.text
    error = answer.json()["error"]
    assert {"message", "type", "param", "code"} <= set(error) and isinstance(error["message"], str)
    return dict(error)


def assert_stream_failed(answer: httpx.Response) -> Seen:
    """A stream that had begun ends with an error, and is not said to be done."""
    assert answer.status_code == 200
    events, done = read_sse(answer.content)
    assert not done and "error" in json.dumps(events[-1]), answer.text[-300:]
    seen = Seen()
    for chunk in events:
        seen.take(chunk)
    assert not seen.finish
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS
    return seen


# ---- before the first byte


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_errors_of_the_upstream_keep_their_status(host: Host, status: int, stream: bool) -> None:
    body = {"error": {"message": f"no: {planted()}", "type": "t", "param": None, "code": "c"}}
    model = host.upstream.script(up.whole(body, status=status, retry_after="7"))
    answer = raw(host, model) if stream else ask(host, model)
    assert_is_error(answer, status, *([502, 503] if status >= 500 else []))
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS
    if status == 429:
        assert answer.headers["retry-after"] == "7"


def test_errors_in_bits_are_read_together(host: Host) -> None:
    bits = [" ".join(planted().split()[at : at + 10]) for at in range(0, 170, 10)]
    for body in ({"error": {"message": "no", "details": bits}}, {"choices": bits}):
        answer = ask(host, host.upstream.script(up.whole(body, status=400)))
        assert answer.status_code in (400, 502)
        told = " ".join(re.findall(r'"([^"]*)"', answer.text))
        assert longest_run(told) <= MAX_LEAK_TOKENS


FAULTS: dict[str, Json] = {
    "reset": up.reply(up.RESET),
    "closed": up.reply(up.CLOSE),
    "garbage": up.reply(b"\x00\xff\xfe garbage " + planted().encode(), kind="application/json"),
    "no JSON": up.whole(planted().encode()),
    "JSON of another kind": up.whole([planted()]),
    "half": up.reply(json.dumps(up.chat({"content": planted()})).encode()[:900], up.CLOSE),
    "HTML": up.reply(f"<p>{planted()}</p>".encode(), kind="text/html"),
    "redirect": up.reply(b"", status=302, location="http://127.0.0.1:9/v1/x"),
    "empty": up.whole(b""),
    "nothing in it": up.whole({"text_elsewhere": planted()}),
}


@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize("stream", [True, False])
def test_what_is_no_answer_is_a_bad_gateway(host: Host, fault: str, stream: bool) -> None:
    model = host.upstream.script(FAULTS[fault])
    answer = raw(host, model) if stream else ask(host, model)
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS
    if answer.status_code == 200:
        assert fault == "nothing in it" or stream
        if stream:
            assert_stream_failed(answer)
    else:
        assert_is_error(answer, 502)


def test_a_silent_upstream_is_a_timeout(host: Host) -> None:
    model = host.upstream.script(up.reply(up.STALL))
    assert_is_error(ask(host, model), 504)
    answer = raw(host, host.upstream.script(up.reply(up.STALL)))
    if answer.status_code == 200:
        assert_stream_failed(answer)
    else:
        assert_is_error(answer, 504)
    assert until(lambda: host.upstream.seen(model)[0]["left_at"])


def test_an_upstream_that_is_down_is_a_bad_gateway(hosts: Hosts) -> None:
    host = hosts("--upstream", "http://127.0.0.1:9")
    assert_is_error(ask(host, "m"), 502, 503)
    assert_is_error(raw(host, "m"), 502, 503)


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_of_another_form_than_asked_for_is_filtered(host: Host, stream: bool) -> None:
    """Some servers ignore `stream`, or always do it."""
    other = (
        up.whole(up.chat({"content": planted()})) if stream else up.chat_stream(up.say(planted()))
    )
    model = host.upstream.script(other)
    answer = raw(host, model) if stream else ask(host, model)
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS
    if answer.status_code != 200:
        assert_is_error(answer, 502)


def test_an_encoded_answer_is_not_passed_on_unread(host: Host) -> None:
    data = gzip.compress(json.dumps(up.chat({"content": planted()})).encode())
    model = host.upstream.script(up.whole(data, content_encoding="gzip"))
    answer = ask(host, model)
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS
    assert answer.status_code in (200, 502)


# ---- in the middle of a stream

BEGUN = up.chat_stream(up.say(clean(30)))[:-2]
BROKEN: dict[str, list[Json | bytes]] = {
    "reset": [up.RESET],
    "closed": [up.CLOSE],
    "stalled": [up.STALL],
    "half an event": [
        up.event({"choices": [{"index": 0, "delta": {"content": "x"}}]})[:30],
        up.CLOSE,
    ],
    "garbage": [b"data: \xff\xfe{]\n\n", up.STALL],
    "no JSON": [b"data: " + planted().encode() + b"\n\n", up.DONE],
    "a list": [b"data: " + json.dumps([planted()]).encode() + b"\n\n", up.DONE],
    "an error": [up.event({"error": {"message": planted(), "type": "x", "code": None}}), up.STALL],
    "choices of another kind": [up.event({"choices": {"0": planted()}}), up.DONE],
    "a delta of another kind": [up.event({"choices": [{"index": 0, "delta": planted()}]}), up.DONE],
    "an index of another kind": [
        up.event({"choices": [{"index": "0", "delta": {"content": planted()}}]}),
        up.DONE,
    ],
}


@pytest.mark.parametrize("fault", list(BROKEN))
def test_a_stream_that_breaks_ends_with_an_error(host: Host, fault: str) -> None:
    model = host.upstream.script(up.reply(*BEGUN, *BROKEN[fault]))
    begun = time.monotonic()
    answer = raw(host, model)
    assert time.monotonic() - begun < 4
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS
    if "kind" in fault:  # a text in a place of its own may as well be filtered there
        return
    seen = assert_stream_failed(answer)
    assert clean(30).startswith(seen.texts[0, "content"])
    with pytest.raises(openai.APIError):
        list(
            host.sdk().chat.completions.create(
                model=host.upstream.script(up.reply(*BEGUN, *BROKEN[fault])),
                messages=HI,
                stream=True,
            )
        )


def test_a_stream_that_breaks_within_a_passage_lets_no_more_of_it_out(host: Host) -> None:
    events = up.chat_stream(up.say(planted(before=10)))[:35]  # while it is held
    for fault in (up.RESET, up.CLOSE, up.STALL):
        answer = raw(host, host.upstream.script(up.reply(*events, fault)))
        assert longest_run(answer.text) <= MAX_LEAK_TOKENS
        assert_stream_failed(answer)


def test_a_stream_that_ends_without_an_end_lets_nothing_out(host: Host) -> None:
    for text in (planted(), planted(before=10).rsplit(" ", 45)[0]):
        answer = raw(host, host.upstream.script(up.chat_stream(up.say(text))[:-2]))
        assert longest_run(answer.text) <= MAX_LEAK_TOKENS


def test_a_stream_that_only_lacks_its_last_line_is_whole(host: Host) -> None:
    seen = streamed(host, host.upstream.script(up.chat_stream(up.say(clean(30)))[:-1]))
    assert seen.texts == {(0, "content"): clean(30)} and seen.finish == {0: "stop"}
    assert seen.is_done and seen.error is None


def test_a_line_of_50_megabytes_is_not_kept(host: Host) -> None:
    before = host.rss_bytes()
    line = up.send(b'data: {"x": "' + b"y" * 500_000)
    model = host.upstream.script(
        up.reply(*BEGUN, line, up.send(b"y" * 500_000, times=100), b'"}\n\n', up.DONE)
    )
    assert_stream_failed(raw(host, model))
    model = host.upstream.script(
        up.reply(b'{"x": "', up.send(b"y" * 500_000, times=100), b'"}', kind="application/json")
    )
    assert_is_error(ask(host, model), 502)
    assert host.rss_bytes() - before < 150e6


def test_responses_and_completions_break_in_the_same_way(host: Host) -> None:
    events = up.completion_stream(clean(30))[:20]
    assert_stream_failed(
        raw(host, host.upstream.script(up.reply(*events, up.RESET)), "completions")
    )
    events = up.response_stream(up.text_item(clean(30)))[:20]
    answer = raw(host, host.upstream.script(up.reply(*events, up.RESET)), "responses")
    told, _ = read_sse(answer.content)
    assert told[-1]["type"] in ("error", "response.failed"), told[-1]
    with pytest.raises(openai.APIError):
        for _ in host.sdk().responses.create(
            model=host.upstream.script(up.reply(*events, up.RESET)), input="x", stream=True
        ):
            pass
        raise openai.APIError("ended by an event", request=None, body=None)  # type: ignore[arg-type]


# ---- how an event stream may be written


def rewritten(events: list[bytes], how: str) -> bytes:
    body = b"".join(events)
    if how == "CRLF":
        return body.replace(b"\n", b"\r\n")
    if how == "CR":
        return body.replace(b"\n", b"\r")
    if how == "no space":
        return body.replace(b"data: ", b"data:")
    if how == "fields":
        return b"".join(b"id: 7\nevent: message\nretry: 10\n" + one for one in events)
    if how == "comments":
        return b"".join(b": " + planted().encode() + b"\n\n" + one for one in events)
    if how == "BOM":
        return b"\xef\xbb\xbf" + body
    if how == "lines":
        return b"".join(
            one if one == up.DONE else re.sub(rb'"choices":', b'\ndata: "choices":\ndata:', one)
            for one in events
        )
    return body


@pytest.mark.parametrize(
    "how", ["as it is", "CRLF", "CR", "no space", "fields", "comments", "BOM", "lines"]
)
@pytest.mark.parametrize("cut", [0, 1])
def test_an_event_stream_may_be_written_in_many_ways(host: Host, how: str, cut: int) -> None:
    for text, finish in ((clean(30), "stop"), (planted(40, before=9, after=9), "content_filter")):
        body = rewritten(up.chat_stream(up.say(text)), how)
        model = host.upstream.script(up.reply(up.send(body, cut=cut)))
        answer = raw(host, model)
        assert longest_run(answer.text) <= MAX_LEAK_TOKENS
        seen = Seen()
        events, done = read_sse(answer.content)
        for chunk in events:
            seen.take(chunk)
        assert seen.finish == {0: finish} and done
        if finish == "stop":
            assert seen.texts == {(0, "content"): text}


EMOJI = "naïve 😀 café 𝄞 ok ".replace(" ", " " + clean(3) + " ")


def test_characters_may_be_split_anywhere(host: Host) -> None:
    for ascii_only in (True, False):
        events = [
            b"data: " + json.dumps(json.loads(one[6:]), ensure_ascii=ascii_only).encode() + b"\n\n"
            if one != up.DONE
            else one
            for one in up.chat_stream(up.say(up.every(EMOJI, 2)))
        ]
        model = host.upstream.script(up.reply(up.send(b"".join(events), cut=1)))
        assert streamed(host, model).texts == {(0, "content"): EMOJI}


def test_half_a_surrogate_pair_breaks_nothing(host: Host) -> None:
    """Some servers cut a pair of \\u escapes in two."""
    for rest in (clean(20), planted()):
        parts = ["smile \ud83d", "\ude00 ", *up.words(rest), " \udc00 end"]
        answer = raw(host, host.upstream.script(up.chat_stream(up.say(parts))))
        assert longest_run(answer.text) <= MAX_LEAK_TOKENS
        events, done = read_sse(answer.content)
        assert done or "error" in events[-1]
        body = up.chat({"content": "".join(parts)})
        assert longest_run(ask(host, host.upstream.script(up.whole(body))).text) <= MAX_LEAK_TOKENS


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 40_000), max_size=30),
    size=st.sampled_from([1, 4, 30]),
    route=st.sampled_from(["chat/completions", "completions"]),
)
def test_any_cut_of_the_same_bytes_gives_the_same_answer(
    host: Host, seed: int, cuts: list[int], size: int, route: str
) -> None:
    texts = [planted(30 + seed % 70, seed, 20, 20), clean(60, seed % 90), planted(60, seed + 200)]
    pieces = [up.every(text, size) for text in texts]
    if route == "completions":
        events = up.completion_stream(*pieces, seed=seed)
    else:
        events = up.chat_stream(*map(up.say, pieces), seed=seed)
    body = b"".join(events)
    places = sorted({min(place, len(body)) for place in cuts})
    parts = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True) if a < b]
    alone = []
    for script in ([body], parts):
        seen = streamed(host, host.upstream.script(script), route, n=3)
        assert seen.is_done and not seen.after_end and seen.error is None
        assert seen.texts[1, next(iter(seen.texts))[1]] == texts[1]
        for text in seen.texts.values():
            assert longest_run(text) <= MAX_LEAK_TOKENS
        alone.append((seen.texts, seen.finish))
    assert alone[0] == alone[1]
    assert alone[0][1] == {0: "content_filter", 1: "stop", 2: "content_filter"}


@settings(max_examples=8)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 40_000), max_size=30),
    size=st.sampled_from([0, 4, 30]),
    is_planted=st.booleans(),
)
def test_any_cut_of_a_response_gives_the_same_events(
    host: Host, seed: int, cuts: list[int], size: int, is_planted: bool
) -> None:
    text = planted(60, seed, 20, 20) if is_planted else clean(60, seed % 90)
    items = [up.reasoning_item(clean(20)), up.text_item(text, number=1)]
    body = b"".join(up.response_stream(*items, size=size))
    places = sorted({min(place, len(body)) for place in cuts})
    parts = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True) if a < b]
    whole, cut = (
        read_sse(raw(host, host.upstream.script(script), "responses").content)[0]
        for script in ([body], parts)
    )
    assert whole == cut
    assert whole[-1]["type"] == f"response.{'incomplete' if is_planted else 'completed'}"
    out = "".join(one["delta"] for one in whole if one["type"] == "response.output_text.delta")
    assert text.startswith(out) and longest_run(json.dumps(whole)) <= MAX_LEAK_TOKENS
    assert is_planted or out == text


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([1, 3, 11, 200]))
def test_any_cut_of_arguments_gives_the_same_answer(host: Host, seed: int, size: int) -> None:
    coded = "".join(
        f"\\u{ord(char):04x}" if (at * seed) % 3 else char if char != " " else "\\n"
        for at, char in enumerate(planted(60, seed, 20, 10).replace('"', ""))
    )
    arguments = f'{{"a": 1, "text": "{coded}", "z": [true]}}'
    answers = []
    for pieces in ([arguments], up.every(arguments, size)):
        model = host.upstream.script(up.chat_stream(up.call("f", pieces)))
        seen = streamed(host, model)
        out = seen.texts.get((0, "tool0"), "")
        assert arguments.startswith(out)
        text = out.replace("\\n", " ")
        text = re.sub(r"\\u(....)", lambda found: chr(int(found[1], 16)), text)
        assert longest_run(text) <= MAX_LEAK_TOKENS
        answers.append((out, seen.finish))
    assert answers[0] == answers[1]
    assert answers[0][1] == {0: "content_filter"}


# ---- without an index


def test_without_its_index_nothing_is_answered(blind: Host) -> None:
    with blind.http() as http:
        assert http.get("/health").status_code == 200
        assert http.get("/ready").status_code == 503
        assert http.post("/check", json={"text": clean()}).status_code == 503
    model = blind.upstream.script(up.whole(up.chat({"content": clean()})))
    for route in ("chat/completions", "completions", "responses"):
        assert_is_error(raw(blind, model, route), 503)
        assert_is_error(ask(blind, model, route), 503)
    assert not blind.upstream.seen(model)


def damaged(hosts: Hosts, how: str) -> Path:
    path = hosts.index.parent / how
    shutil.copytree(hosts.index, path)
    segment = max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    if how == "no manifest":
        (path / "MANIFEST").unlink()
    elif how == "cut segment":
        segment.write_bytes(segment.read_bytes()[:-100])
    elif how == "flipped manifest":
        data = bytearray((path / "MANIFEST").read_bytes())
        data[len(data) // 2] ^= 1
        (path / "MANIFEST").write_bytes(data)
    else:
        shutil.rmtree(path)
        path.mkdir()
    return path


@pytest.mark.parametrize("how", ["no manifest", "cut segment", "flipped manifest", "empty folder"])
def test_with_a_damaged_index_nothing_is_answered(hosts: Hosts, how: str) -> None:
    host = hosts(index=damaged(hosts, how))
    with host.http() as http:
        assert http.get("/ready").status_code == 503
    model = host.upstream.script(up.whole(up.chat({"content": clean()})))
    assert_is_error(ask(host, model), 503)
    host.stop()


def test_an_index_that_is_cut_under_a_running_server_answers_nothing(hosts: Hosts) -> None:
    path = hosts.index.parent / "cut while running"
    shutil.copytree(hosts.index, path)
    host = hosts(index=path)
    model = host.upstream.script(up.chat_stream(up.say(planted())))
    assert streamed(host, model).finish == {0: "content_filter"}
    files = [file for file in path.rglob("*") if file.is_file()]
    os.truncate(max(files, key=lambda file: file.stat().st_size), 4096)

    def is_refused() -> bool:
        try:
            answer = raw(host, model)
        except httpx.TransportError:  # the worker that had it mapped is gone
            return False
        assert longest_run(answer.text) <= MAX_LEAK_TOKENS
        return answer.status_code == 503

    assert until(is_refused, 20)
    host.stop()


def test_ready_with_its_index(host: Host) -> None:
    with host.http() as http:
        assert http.get("/ready").status_code == 200
        assert http.get("/health").status_code == 200


def test_fail_open_delivers_marks_and_counts(trusting: Host) -> None:
    assert re.search("fail.open", trusting.log(), re.IGNORECASE), "no warning at start"
    counted = unchecked(trusting)
    answer = ask(trusting, trusting.upstream.script(up.whole(up.chat({"content": clean()}))))
    assert answer.status_code == 200 and answer.json() == up.chat({"content": clean()})
    assert answer.headers["x-dedup-unchecked"] == "1"
    answer = raw(trusting, trusting.upstream.script(up.chat_stream(up.say(clean()))))
    assert answer.headers["x-dedup-unchecked"] == "1"
    assert read_sse(answer.content)[1]
    assert unchecked(trusting) >= counted + 2


def unchecked(host: Host) -> float:
    names = {line.partition("{")[0].partition(" ")[0] for line in host.metrics().splitlines()}
    return sum(host.metric(name) for name in names if name.endswith("unchecked_total"))


def test_what_was_checked_is_not_marked(host: Host) -> None:
    answer = ask(host, host.upstream.script(up.whole(up.chat({"content": clean()}))))
    assert "x-dedup-unchecked" not in answer.headers


# ---- who asks, and what


def test_a_bearer_token_is_asked_for(hosts: Hosts) -> None:
    tokens, upstream_key = hosts.index.parent / "tokens", hosts.index.parent / "upstream_key"
    tokens.write_text("secret-one\nsecret-two\n")
    upstream_key.write_text("sk-upstream\n")
    tokens.chmod(0o600)
    upstream_key.chmod(0o600)
    host = hosts(
        "--token-file", str(tokens), "--upstream-key-file", str(upstream_key), token="secret-two"
    )
    model = host.upstream.script(up.whole(up.chat({"content": clean()})))
    assert ask(host, model).status_code == 200
    assert host.upstream.seen(model)[0]["headers"]["authorization"] == "Bearer sk-upstream"
    for header in ("Bearer secret-tw", "Bearer", "Basic secret-two", "secret-two", ""):
        for path in ("/v1/chat/completions", "/check", "/beta/litellm_basic_guardrail_api"):
            answer = httpx.post(
                host.url + path, json={"model": model}, headers={"authorization": header}
            )
            assert answer.status_code == 401, (path, header)
        answer = httpx.get(f"{host.url}/v1/models", headers={"authorization": header})
        assert answer.status_code == 401
    assert len(host.upstream.seen(model)) == 1
    assert httpx.get(f"{host.url}/health").status_code == 200
    with pytest.raises(openai.AuthenticationError):
        host.sdk(api_key="wrong").chat.completions.create(model=model, messages=HI)
    assert "secret-two" not in host.log() and "sk-upstream" not in host.log()


def test_bodies_have_a_limit_and_a_form(hosts: Hosts) -> None:
    host = hosts("--max-body", "4000")
    path = "/v1/chat/completions"
    body = json.dumps({"model": "limits", "messages": HI, "pad": "x" * 5000}).encode()
    small = json.dumps({"model": "limits", "messages": HI}).encode()
    json_type = {"content-type": "application/json"}
    with host.http() as http:
        assert_is_error(http.post(path, content=body, headers=json_type), 413)

        def pieces() -> Iterator[bytes]:
            yield from (body[at : at + 500] for at in range(0, len(body), 500))

        assert_is_error(http.post(path, content=pieces(), headers=json_type), 413)
        for headers in (
            {**json_type, "content-encoding": "gzip"},
            {"content-type": "text/plain"},
            {"content-type": "multipart/form-data; boundary=x"},
        ):
            assert_is_error(http.post(path, content=small, headers=headers), 415)
        for broken in (b"", b"{", b"[]", b'"x"', b"\xff", b'{"messages": ' + b"[" * 1500):
            assert_is_error(http.post(path, content=broken, headers=json_type), 400)
        stream = json.dumps({"model": "limits", "messages": HI, "stream": "yes"}).encode()
        answer = http.post(path, content=stream, headers=json_type)
        assert answer.status_code in (400, 404)
    seen = host.upstream.seen("limits")
    assert all(request["body"].get("stream") == "yes" for request in seen)


def test_too_many_streams_are_told_to_come_again(hosts: Hosts) -> None:
    host = hosts("--max-streams", "2")
    model = host.upstream.script(up.reply(*up.chat_stream(up.say(clean()))[:20], up.STALL))
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stream = stack.enter_context(
                host.sdk().chat.completions.create(model=model, messages=HI, stream=True)
            )
            next(iter(stream))
        answer = ask(host, model)
        assert_is_error(answer, 429, 503)
        assert int(answer.headers["retry-after"]) >= 1
        with host.http() as http:
            assert http.get("/health").status_code == 200
    good = host.upstream.script(up.whole(up.chat({"content": clean()})))
    assert until(lambda: ask(host, good).status_code == 200)


def test_half_sent_bodies_take_no_slots(hosts: Hosts) -> None:
    host = hosts("--max-streams", "2")
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            rude = stack.enter_context(socket.create_connection(("127.0.0.1", host.port)))
            rude.sendall(f"{head}Content-Length: 500\r\n\r\n{{".encode())
        time.sleep(0.3)
        answer = ask(host, host.upstream.script(up.whole(up.chat({"content": clean()}))))
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
        b"Content-Length: -5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=["both lengths", "two lengths", "less than none", "no chunk", "encoded", "long"],
)
def test_requests_that_may_be_read_in_two_ways_are_refused(host: Host, rest: bytes) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", host.port), 5) as rude:
        rude.sendall(head + rest)
        answer = rude.recv(4000)
    assert answer.startswith(b"HTTP/1.1 4") and answer.count(b"HTTP/1.1") == 1


def test_a_worker_that_is_killed_is_replaced(hosts: Hosts) -> None:
    host = hosts("--workers", "2")
    model = host.upstream.script(up.whole(up.chat({"content": clean()})))
    for pid in family(host.pid)[1:]:
        if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)

    def is_well() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return ask(host, model).status_code == 200
        return False

    assert until(is_well, 20)


def test_slow_and_half_requests_stop_no_others(host: Host) -> None:
    with contextlib.ExitStack() as stack:
        for part in (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n",
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
            b"application/json\r\nContent-Length: 500\r\n\r\n{",
        ):
            for _ in range(10):
                rude = stack.enter_context(socket.create_connection(("127.0.0.1", host.port)))
                rude.sendall(part)
        answer = ask(host, host.upstream.script(up.whole(up.chat({"content": clean()}))))
        assert answer.status_code == 200


# ---- what is told to logs and metrics


def test_the_canary_sings_nowhere(hosts: Hosts) -> None:
    """Neither protected text nor a prompt is written anywhere, whatever happens."""
    audit = hosts.index.parent / "audit" / "audit.jsonl"
    audit.parent.mkdir()
    host = hosts("--timeout", "1", "--audit", str(audit), "--retry", "1", "--max-body", "100000")
    text = f"{clean(10)} " + " ".join(CANARY[:80]) + f" {clean(10, 20)}"
    asked = [{"role": "user", "content": " ".join(ASKED)}]
    arguments = json.dumps({"text": text})
    scripts: list[list[bytes] | Json] = [
        up.chat_stream(up.say(text)),
        up.chat_stream(up.say(text), up.say(clean()), seed=1),
        up.chat_stream(up.say(text, "reasoning_content")),
        up.chat_stream(up.say_with_logprobs(text)),
        up.chat_stream(up.call(CANARY[5], up.every(arguments, 7))),
        up.completion_stream(text),
        up.response_stream(up.text_item(text)),
        up.whole(up.chat({"content": text})),
        up.whole(up.completion(text)),
        up.whole(up.response(up.text_item(text))),
        up.whole({"error": {"message": text, "type": CANARY[1], "code": CANARY[2]}}, status=500),
        up.whole({"error": {"message": " ".join(ASKED)}}, status=400),
        up.whole(text.encode()),
        up.whole([text]),
        up.whole({"choices": text}),
        up.whole({"choices": [{"index": CANARY[3], "message": CANARY[4]}]}),
        up.reply(f"data: {text}\n\n".encode(), up.DONE),
        up.reply(f"event: {CANARY[7]}\nid: {CANARY[8]}\ndata: {{\n\n".encode()),
        up.reply(up.event({"choices": [{"index": 0, "delta": text}]}), up.DONE),
        up.reply(up.event({"choices": [{"index": text, "delta": {"content": text}}]}), up.DONE),
        up.reply(up.event({"type": CANARY[9], "delta": text, "sequence_number": 0}), up.DONE),
        up.reply(*up.chat_stream(up.say(text))[:40], up.RESET),
        up.reply(*up.chat_stream(up.say(text))[:40], up.event({"error": {"message": text}})),
        up.reply(*up.chat_stream(up.say(text))[:40], up.STALL),
        up.reply(text.encode(), kind=CANARY[10]),
        up.reply(b"", status=302, location=f"http://127.0.0.1:9/{CANARY[11]}"),
        up.whole(gzip.compress(text.encode())[:-9], content_encoding="gzip"),
    ]
    requests = [
        ("chat/completions", {"messages": asked, "user": ASKED[0]}),
        ("completions", {"prompt": " ".join(ASKED)}),
        ("responses", {"input": " ".join(ASKED), "instructions": ASKED[1]}),
    ]

    def post(job: tuple[str, str, Json, bool]) -> str:
        model, route, body, stream = job
        with host.http() as http:
            return http.post(f"/v1/{route}", json={"model": model, "stream": stream, **body}).text

    jobs = [
        (host.upstream.script(script), route, body, stream)
        for script in scripts
        for route, body in requests
        for stream in (True, False)
    ]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(post, jobs))
    for (_, route, _, stream), answer in zip(jobs, answers, strict=True):
        assert longest_run(answer) <= MAX_LEAK_TOKENS, (route, stream)
        assert OWNED not in answer

    with host.http() as http:
        for path in ("/v1/chat/completions", "/check", "/beta/litellm_basic_guardrail_api"):
            for broken in (
                text.encode(),
                json.dumps({"text": 5, "model": [text]}).encode(),
                json.dumps({"model": text, "messages": text, "texts": text}).encode(),
                json.dumps({"text": text, "texts": [text], "model": "m"}).encode(),
            ):
                http.post(path, content=broken, headers={"content-type": "application/json"})
            http.post(path, content=text.encode(), headers={"content-type": ASKED[2]})
        http.get(f"/{ASKED[3]}/{CANARY[12]}", headers={"user-agent": ASKED[4]})
        http.post("/check", json={"text": text, "prompt": " ".join(ASKED)})
        http.request(ASKED[5].upper(), f"/v1/chat/completions?{ASKED[6]}={CANARY[13]}")
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", host.port)) as rude:
        rude.sendall(f"{ASKED[7]} {CANARY[14]} {CANARY[15]}\r\n\r\n".encode())
        rude.recv(1000)
    metrics = host.metrics()
    assert host.stop() in (0, -15)

    written = [host.folder / "stderr.log", *audit.parent.iterdir()]
    written += [path for path in (host.folder / "tmp").rglob("*") if path.is_file()]
    secret = re.compile("|".join([*CANARY, *ASKED]), re.IGNORECASE)
    assert OWNED not in host.log() and OWNED not in metrics  # only the audit trail names it
    assert audit.exists() and audit.read_text().count("\n") > 20
    for path in written:
        found = secret.search(path.read_text(errors="replace"))
        assert not found, f"{path.name}: {path.read_text()[max(0, found.start() - 200) :][:400]}"
    assert not secret.search(metrics)
    for line in host.log().splitlines():
        json.loads(line)  # every line is JSON
    for line in audit.read_text().splitlines():
        json.loads(line)
