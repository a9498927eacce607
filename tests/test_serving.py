"""`dedup serve` as a client sees it: the real SDK, a real server process, a scripted upstream."""

import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import openai
import pytest
import upstream as up
from host import (
    MAX_LEAK_TOKENS,
    RENAMED,
    SLOTS,
    Host,
    Hosts,
    ask,
    clean,
    longest_run,
    passage,
    planted,
    read_sse,
    streamed,
    until,
)

Json = dict[str, Any]
HI: list[Any] = [{"role": "user", "content": "Say something."}]
NOTICE = "[cut]"


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> Host:
    return hosts()


@pytest.fixture(scope="module")
def redacting(hosts: Hosts) -> Host:
    return hosts("--policy", str(policy(hosts.index.parent, "redact")))


@pytest.fixture(scope="module")
def flagging(hosts: Hosts) -> Host:
    return hosts("--policy", str(policy(hosts.index.parent, "flag")))


def policy(folder: Path, action: str) -> Path:
    path = folder / f"{action}.toml"
    path.write_text(
        f'notice = "{NOTICE}"\n'
        f'[[rules]]\nname = "mine"\naction = "{action}"\nviews = ["text"]\nmin_tokens = 24\n'
    )
    return path


def assert_blocked(choice: Json, *, code: bool = False) -> None:
    """A choice ends as Azure's do, and tells no more than it may."""
    assert choice["finish_reason"] == "content_filter"
    kind = "protected_material_code" if code else "protected_material_text"
    assert choice["content_filter_results"][kind] == {"filtered": True, "detected": True}
    matches = choice["dedup"]["matches"]
    assert matches and {"action", "rule", "kind"} <= set(matches[0])
    assert not {"document", "uri", "url", "licence", "license", "owner", "corpus"} & set(matches[0])


# ---- what is clean is left alone


def test_a_clean_stream_arrives_as_it_was(host: Host) -> None:
    parts = up.words(clean())
    model = host.upstream.script(up.chat_stream(up.say(parts), usage=True))
    with host.sdk().chat.completions.create(
        model=model, messages=HI, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    texts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(texts) == clean()
    assert len(parts) - 2 <= len(texts) <= len(parts) + 1  # chunk for chunk
    finish = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert finish[-1] == "stop" and set(finish[:-1]) == {None}
    assert chunks[-1].usage is not None and chunks[-1].usage.total_tokens == 18
    assert [c.choices[0].delta.role for c in chunks if c.choices].count("assistant") == 1
    for chunk in chunks:
        assert (chunk.id, chunk.created, chunk.system_fingerprint) == (
            "chatcmpl-1",
            1700000000,
            "fp_1",
        )
        assert (chunk.model_extra or {})["x_unknown"] == {"kept": [1, None, "é"]}
    assert chunks[-1].usage.model_extra == {"x_more": {"a": 1}}


def test_the_request_arrives_as_it_was(host: Host) -> None:
    model = host.upstream.script(up.chat_stream(up.say("Hello.")))
    body = {"temperature": 0.25, "x_unknown": {"deep": [1.5, "é\n"]}, "user": "u"}
    streamed(host, model, **body)
    request = host.upstream.seen(model)[0]
    assert {key: request["body"][key] for key in body} == body
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["authorization"] == f"Bearer {host.token}"
    assert request["headers"].get("accept-encoding", "identity") == "identity"


@pytest.mark.parametrize("channel", ["content", "reasoning_content", "reasoning", "refusal"])
def test_clean_text_of_every_channel_is_delayed_by_one_chunk_at_most(
    host: Host, channel: str
) -> None:
    parts = up.words(clean(12))
    events = up.chat_stream(up.say(parts, channel))
    paused = [up.reply(*itertools.chain(events[:-2], [up.pause(1.5)], events[-2:]))]
    model = host.upstream.script(*paused)
    out, begun = "", time.monotonic()
    with host.sdk().chat.completions.create(model=model, messages=HI, stream=True) as stream:
        for chunk in stream:
            out += getattr(chunk.choices[0].delta, channel, None) or ""
            if out == "".join(parts[:-1]):
                assert time.monotonic() - begun < 1.2, "waited for the pause to end"
                break
        rest = [getattr(c.choices[0].delta, channel, None) or "" for c in stream]
    assert out + "".join(rest) == "".join(parts)


def test_a_clean_answer_that_is_no_stream_is_the_upstreams_own(host: Host) -> None:
    answer = up.chat(
        {"content": clean(), "x_more": 1}, {"content": None, "reasoning_content": clean(20, 60)}
    )
    model = host.upstream.script(up.whole(answer, x_request_id="r1"))
    got = ask(host, model, n=2)
    assert got.status_code == 200 and got.json() == answer
    assert got.headers.get("x-request-id")


@pytest.mark.parametrize("stream", [True, False])
def test_a_clean_completion_arrives_as_it_was(host: Host, stream: bool) -> None:
    if stream:
        model = host.upstream.script(up.completion_stream(clean(), usage=True, logprobs=True))
        seen = streamed(host, model, "completions", stream_options={"include_usage": True})
        assert seen.texts == {(0, "text"): clean()}
        assert seen.finish == {0: "stop"} and seen.usage and seen.is_done
    else:
        body = up.completion(clean(), clean(20))
        assert ask(host, host.upstream.script(up.whole(body)), "completions").json() == body


def test_a_clean_response_arrives_as_it_was(host: Host) -> None:
    items = [
        up.reasoning_item(clean(20)),
        up.text_item(clean(30, 20), number=1),
        up.call_item(json.dumps({"text": clean(20, 50)}), 2),
    ]
    body = up.response(*items)
    assert ask(host, host.upstream.script(up.whole(body)), "responses").json() == body
    model = host.upstream.script(up.response_stream(*items))
    with host.sdk().responses.stream(model=model, input="x") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == clean(30, 20)
    assert final.model_extra == {"x_unknown": {"kept": 1}}
    assert_events_are_in_order([event.to_dict() for event in events])


def test_a_clean_tool_call_arrives_as_it_was(host: Host) -> None:
    arguments = json.dumps({"text": clean(30), "n": [1, 2.50, None], "ü": '\u00e9\n"\\'})
    model = host.upstream.script(
        up.chat_stream(up.call("write", up.every(arguments, 3)), finish="tool_calls")
    )
    with host.sdk().chat.completions.stream(model=model, messages=HI) as stream:
        list(stream)
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert (call.id, call.function.name) == ("call_0", "write")
    assert call.function.arguments == arguments


def test_other_routes_are_passed_on_or_refused(host: Host) -> None:
    sdk = host.sdk()
    assert [model.id for model in sdk.models.list()] == ["scripted"]
    assert sdk.embeddings.create(model="/v1/embeddings", input="x", encoding_format="float").data[
        0
    ].embedding == [0.5, 0.25]
    with host.http() as http:
        for path in ("/v1/unknown", "/v1/files", "/", "/v1/audio/speech", "/v1/chat"):
            assert http.post(path, json={"model": "m"}).status_code == 404
            assert not host.upstream.seen(path)
        assert http.get("/v1/chat/completions").status_code == 405


# ---- what is protected does not arrive


@pytest.mark.parametrize("size", [1, 5, 60, 10_000])
def test_a_planted_passage_never_arrives(host: Host, size: int) -> None:
    model = host.upstream.script(up.chat_stream(up.say(up.every(planted(), size)), usage=True))
    seen = streamed(host, model, stream_options={"include_usage": True})
    text = seen.texts[0, "content"]
    assert planted().startswith(text) and text.startswith(clean(38))
    assert longest_run(text) <= MAX_LEAK_TOKENS
    assert_blocked(seen.last[0])
    assert seen.last[0]["delta"] == {}
    assert seen.usage and seen.usage["total_tokens"] > 0  # though the upstream was cancelled
    assert seen.is_done and not seen.after_end and seen.error is None


def test_the_sdk_sees_a_blocked_stream_end_well(host: Host) -> None:
    model = host.upstream.script(up.chat_stream(up.say(planted())))
    with host.sdk().chat.completions.stream(model=model, messages=HI) as stream:
        list(stream)
        choice = stream.current_completion_snapshot.choices[0]
        assert choice.finish_reason == "content_filter"
        assert longest_run(choice.message.content or "") <= MAX_LEAK_TOKENS
        with pytest.raises(openai.ContentFilterFinishReasonError):
            stream.get_final_completion()
    with host.sdk().chat.completions.create(model=model, messages=HI, stream=True) as chunks:
        last = list(chunks)[-1].choices[0].to_dict()
    assert_blocked(last)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_other_choices_go_on(host: Host, seed: int | None) -> None:
    model = host.upstream.script(
        up.chat_stream(
            up.say(clean(200)), up.say(planted()), up.say(clean(150, 100)), seed=seed, usage=True
        )
    )
    seen = streamed(host, model, n=3, stream_options={"include_usage": True})
    assert seen.texts[0, "content"] == clean(200)
    assert seen.texts[2, "content"] == clean(150, 100)
    assert longest_run(seen.texts[1, "content"]) <= MAX_LEAK_TOKENS
    assert seen.finish == {0: "stop", 1: "content_filter", 2: "stop"}
    assert seen.usage == up.USAGE and seen.is_done and not seen.after_end


@pytest.mark.parametrize("channel", ["reasoning_content", "reasoning", "refusal", "x_unknown_text"])
def test_no_channel_is_a_way_round(host: Host, channel: str) -> None:
    model = host.upstream.script(up.chat_stream(up.say(planted(), channel)))
    seen = streamed(host, model)
    assert longest_run(seen.everything) <= MAX_LEAK_TOKENS
    assert longest_run(json.dumps(seen.chunks)) <= MAX_LEAK_TOKENS
    assert seen.finish == {0: "content_filter"}


def test_token_ids_go_with_their_text(host: Host) -> None:
    """vLLM's `return_token_ids`: whoever has the ids has the text."""
    parts = [
        {**part, "token_ids": [7000 + at]}
        for at, part in enumerate(up.say(planted(before=10, after=5)))
    ]
    seen = streamed(host, host.upstream.script(up.chat_stream(parts)))
    ids = [
        number
        for chunk in seen.chunks
        for choice in chunk["choices"]
        for number in choice.get("token_ids") or []
    ]
    assert len(ids) <= 10 + MAX_LEAK_TOKENS
    body = up.chat({"content": planted()})
    body["choices"][0]["token_ids"] = list(range(7000, 7100))
    answer = ask(host, host.upstream.script(up.whole(body)))
    assert "7090" not in answer.text


def test_words_apart_are_text_too(host: Host) -> None:
    tokens = planted().split()
    for odd in ({"x_tokens": tokens}, {"x_tokens": {f"k{at}": w for at, w in enumerate(tokens)}}):
        answer = ask(host, host.upstream.script(up.whole(up.chat(odd))))
        assert longest_run(" ".join(leaves(answer.json()))) <= MAX_LEAK_TOKENS
        events = up.chat_stream([{"delta": odd}])
        seen = streamed(host, host.upstream.script(events))
        assert longest_run(" ".join(leaves(seen.chunks))) <= MAX_LEAK_TOKENS
        events = up.chat_stream([{"delta": {"x_tokens": [word]}} for word in tokens])
        seen = streamed(host, host.upstream.script(events))
        assert longest_run(" ".join(leaves(seen.chunks))) <= MAX_LEAK_TOKENS


def test_text_beside_the_choices_is_read_on(host: Host) -> None:
    begin, *end = up.chat_stream([])
    drops = [up.event({"choices": [], "content": word}) for word in up.words(planted())]
    seen = streamed(host, host.upstream.script([begin, *drops, *end]))
    assert longest_run("".join(chunk.get("content", "") for chunk in seen.chunks)) <= 20


def test_channels_are_read_by_themselves(host: Host) -> None:
    """Reasoning and content take turns; each is a text."""
    parts = [
        part
        for pair in zip(up.say(planted(), "reasoning_content"), up.say(clean(170)), strict=False)
        for part in pair
    ]
    seen = streamed(host, host.upstream.script(up.chat_stream(parts)))
    assert longest_run(seen.everything) <= MAX_LEAK_TOKENS
    assert seen.finish == {0: "content_filter"}


def test_words_that_take_turns_in_two_texts_are_stopped_while_they_come(host: Host) -> None:
    words = up.words(planted(before=5, length=200))
    names = ("content", "reasoning_content")
    parts = [{"delta": {names[at % 2]: word}} for at, word in enumerate(words)]
    seen = streamed(host, host.upstream.script(up.chat_stream(parts)))
    assert seen.finish == {0: "content_filter"}
    assert len(seen.everything.split()) < 50  # a rule takes 24 words in a row to block


def escapes(text: str, how: str) -> str:
    """Arguments in JSON that hold a text."""
    if how == "plain":
        return json.dumps({"path": "a.txt", "text": text}, ensure_ascii=False)
    if how == "newlines":
        return json.dumps({"text": text.replace(" ", "\n")})
    if how == "unicode":
        coded = "".join(f"\\u{ord(char):04x}" for char in text)
        return f'{{"text": "{coded}"}}'
    if how == "list":
        return json.dumps({"lines": [" ".join(text.split()[i : i + 8]) for i in range(0, 400, 8)]})
    lines = "\n".join(" ".join(text.split()[at : at + 12]) for at in range(0, 400, 12))
    return json.dumps({"a": json.dumps({"b": lines})})  # JSON in JSON


@pytest.mark.parametrize("how", ["plain", "newlines", "unicode", "list", "nested"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_passage_in_tool_call_arguments_never_arrives(host: Host, how: str, size: int) -> None:
    arguments = escapes(planted(), how)
    parts = up.call("write", up.every(arguments, size))
    seen = streamed(host, host.upstream.script(up.chat_stream(parts, finish="tool_calls")))
    out = seen.texts.get((0, "tool0"), "")
    decoded = re.sub(r"\\u(....)", lambda found: chr(int(found[1], 16)), out)
    decoded = re.sub(r"\\+[nt]", " ", decoded)
    assert longest_run(decoded) <= MAX_LEAK_TOKENS
    assert seen.finish == {0: "content_filter"} and seen.is_done


def test_the_second_tool_call_is_looked_at_too(host: Host) -> None:
    parts = [
        *up.call("a", up.every(escapes(clean(20), "plain"), 5)),
        *up.call("b", up.every(escapes(planted(), "newlines"), 5), index=1),
    ]
    seen = streamed(host, host.upstream.script(up.chat_stream(parts, finish="tool_calls")))
    assert json.loads(seen.texts[0, "tool0"])["text"] == clean(20)
    assert longest_run(seen.texts[0, "tool1"].replace("\\n", " ")) <= MAX_LEAK_TOKENS
    assert seen.finish == {0: "content_filter"}


def test_the_old_function_call_is_looked_at_too(host: Host) -> None:
    arguments = up.every(escapes(planted(), "newlines"), 6)
    parts: list[Json] = [{"delta": {"function_call": {"name": "f", "arguments": ""}}}]
    parts += [{"delta": {"function_call": {"arguments": part}}} for part in arguments]
    seen = streamed(host, host.upstream.script(up.chat_stream(parts, finish="function_call")))
    assert longest_run(seen.everything.replace("\\n", " ")) <= MAX_LEAK_TOKENS
    assert seen.finish == {0: "content_filter"}


def test_logprobs_go_with_their_text(host: Host) -> None:
    for text, finish in ((clean(), "stop"), (planted(), "content_filter")):
        model = host.upstream.script(up.chat_stream(up.say_with_logprobs(text)))
        seen = streamed(host, model, logprobs=True, top_logprobs=2)
        assert seen.finish == {0: finish}
        told = "".join(one["token"] for one in seen.logprobs[0])
        assert longest_run(told) <= MAX_LEAK_TOKENS
        released = seen.texts[0, "content"]
        assert released.startswith(told) or told.startswith(released)
        assert len(told) <= len(released) + 12  # the token that is cut in the middle, at most
        if finish == "stop":
            assert told == clean()
            assert seen.logprobs[0] == [up.logprob(word) for word in up.words(clean())]


def test_logprobs_of_completions_go_with_their_text(host: Host) -> None:
    model = host.upstream.script(up.completion_stream(planted(), logprobs=True))
    seen = streamed(host, model, "completions", logprobs=2)
    assert seen.finish == {0: "content_filter"}
    assert longest_run(json.dumps(seen.chunks)) <= MAX_LEAK_TOKENS
    tokens = [
        token
        for chunk in seen.chunks
        for choice in chunk["choices"]
        if choice.get("logprobs")
        for token in choice["logprobs"]["tokens"]
    ]
    assert longest_run("".join(tokens)) <= MAX_LEAK_TOKENS


def test_renamed_code_is_blocked(host: Host) -> None:
    seen = streamed(host, host.upstream.script(up.chat_stream(up.say(RENAMED))))
    assert seen.finish == {0: "content_filter"}
    assert_blocked(seen.last[0], code=True)
    assert "if window.end - position" not in seen.everything
    arguments = up.every(json.dumps({"code": RENAMED}), 9)
    seen = streamed(host, host.upstream.script(up.chat_stream(up.call("edit", arguments))))
    assert seen.finish == {0: "content_filter"}
    assert "if window.end - position" not in seen.everything


def test_code_as_it_is_is_blocked(host: Host) -> None:
    text = f"Here you are:\n\n```python\n{SLOTS}```\n"
    seen = streamed(host, host.upstream.script(up.chat_stream(up.say(text))))
    assert seen.finish == {0: "content_filter"}
    assert "if day.end - cursor" not in seen.everything


def test_completions_are_filtered(host: Host) -> None:
    model = host.upstream.script(up.completion_stream(clean(), planted(), seed=4, usage=True))
    seen = streamed(host, model, "completions", n=2, stream_options={"include_usage": True})
    assert seen.texts[0, "text"] == clean()
    assert longest_run(seen.texts[1, "text"]) <= MAX_LEAK_TOKENS
    assert seen.finish == {0: "stop", 1: "content_filter"}
    assert_blocked(seen.last[1])
    assert seen.usage == up.USAGE and seen.is_done


@pytest.mark.parametrize("channel", ["content", "refusal", "reasoning_content", "x_unknown_text"])
def test_an_answer_that_is_no_stream_is_filtered(host: Host, channel: str) -> None:
    body = up.chat({"content": clean()}, {channel: planted()})
    answer = ask(host, host.upstream.script(up.whole(body)), n=2)
    assert answer.status_code == 200
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS
    first, second = answer.json()["choices"]
    assert first["message"]["content"] == clean() and first["finish_reason"] == "stop"
    assert_blocked(second)
    assert answer.json()["usage"] == up.USAGE


def test_whole_tool_calls_logprobs_and_completions_are_filtered(host: Host) -> None:
    arguments = escapes(planted(), "unicode")
    tool = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    tokens = {"content": [up.logprob(word) for word in up.words(planted())], "refusal": None}
    bodies = [
        up.chat({"tool_calls": [tool]}, finish="tool_calls"),
        up.chat({"content": planted()}, logprobs=tokens),
        up.chat({"content": [{"type": "text", "text": planted()}]}),
    ]
    for body in bodies:
        answer = ask(host, host.upstream.script(up.whole(body)))
        assert answer.json()["choices"][0]["finish_reason"] == "content_filter"
        assert longest_run(answer.text) <= MAX_LEAK_TOKENS
        assert arguments[60:200] not in answer.text
        assert longest_run(" ".join(leaves(answer.json()))) <= MAX_LEAK_TOKENS
    answer = ask(host, host.upstream.script(up.whole(up.completion(planted()))), "completions")
    assert_blocked(answer.json()["choices"][0])
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS


def leaves(data: Any) -> list[str]:
    """Every string in some JSON."""
    if isinstance(data, dict):
        return [leaf for value in data.values() for leaf in leaves(value)]
    if isinstance(data, list):
        return [leaf for value in data for leaf in leaves(value)]
    return [data] if isinstance(data, str) else []


# ---- split over the texts of one answer


def in_calls(words: list[str], by: str) -> list[Json]:
    """Tool calls of which each has a word: as a value, as all there is, or as the tool's name."""
    return [
        {
            "index": at,
            "id": f"call_{at}",
            "type": "function",
            "function": {
                "name": word if by == "name" else "write",
                "arguments": {"value": json.dumps({"word": word}), "bare": word}.get(by, "{}"),
            },
        }
        for at, word in enumerate(words)
    ]


@pytest.mark.parametrize("by", ["value", "bare", "name"])
def test_a_word_in_each_tool_call_is_a_passage(host: Host, by: str) -> None:
    calls = in_calls([re.sub(r"\W", "", word) for word in passage(60).split()], by)
    answer = ask(host, host.upstream.script(up.whole(up.chat({"tool_calls": calls}))))
    assert_blocked(answer.json()["choices"][0])
    assert not answer.json()["choices"][0]["message"].get("tool_calls")
    parts = [{"delta": {"tool_calls": [call]}} for call in calls]
    seen = streamed(host, host.upstream.script(up.chat_stream(parts, finish="tool_calls")))
    assert seen.finish == {0: "content_filter"}
    few = up.chat({"tool_calls": calls[:10]}, finish="tool_calls")
    assert ask(host, host.upstream.script(up.whole(few))).json() == few


def test_a_passage_runs_on_through_the_fields_of_a_message(host: Host) -> None:
    quarters = [passage(15, 1000 + at) for at in range(0, 60, 15)]
    call = in_calls(["x"], "value")[0]
    call["function"]["arguments"] = json.dumps({"text": quarters[3]})
    message = {
        "reasoning_content": quarters[0],
        "content": quarters[1],
        "refusal": quarters[2],
        "tool_calls": [call],
    }
    answer = ask(host, host.upstream.script(up.whole(up.chat(message))))
    assert_blocked(answer.json()["choices"][0])
    assert longest_run(answer.text) <= 4
    parts = [
        *up.say(quarters[0], "reasoning_content"),
        *up.say(quarters[1]),
        *up.say(quarters[2], "refusal"),
        *up.call("write", up.every(json.dumps({"text": quarters[3]}), 9)),
    ]
    seen = streamed(host, host.upstream.script(up.chat_stream(parts)))
    assert seen.finish == {0: "content_filter"}
    assert quarters[2][-20:] not in seen.everything


def fragments(count: int) -> list[str]:
    """Texts that each hold fourteen words of another place of one book."""
    return [planted(14, 1000 + 300 * at, before=20 + at, after=30) for at in range(count)]


@pytest.mark.parametrize("count", [2, 5])
def test_fragments_add_up_over_the_choices(host: Host, count: int) -> None:
    texts = fragments(count)
    body = up.chat(*({"content": text} for text in texts))
    answer = ask(host, host.upstream.script(up.whole(body)), n=count).json()
    seen = streamed(host, host.upstream.script(up.chat_stream(*map(up.say, texts))), n=count)
    if count == 2:
        assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop"] * 2
        assert seen.texts == {(0, "content"): texts[0], (1, "content"): texts[1]}
    else:
        for choice in answer["choices"]:
            assert_blocked(choice)
        assert "content_filter" in seen.finish.values()
        assert sum(longest_run(text) >= 12 for text in seen.texts.values()) < 4


def test_a_clean_choice_beside_a_split_passage_goes_out(host: Host) -> None:
    half = [passage(12), passage(12, 1012)]
    body = up.chat({"content": half[0]}, {"content": half[1] + " x " + passage(12, 1024)},
                   {"content": clean()})  # fmt: skip
    choices = ask(host, host.upstream.script(up.whole(body)), n=3).json()["choices"]
    assert [one["finish_reason"] for one in choices] == ["content_filter"] * 2 + ["stop"]
    assert choices[2]["message"]["content"] == clean()


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_passage_runs_on_through_the_items_of_a_response(host: Host, is_stream: bool) -> None:
    words = passage(60).split()
    items = [
        up.reasoning_item(" ".join(words[:8])),
        *(up.text_item(" ".join(words[at : at + 8]), number=at) for at in range(8, 60, 8)),
    ]
    if is_stream:
        model = host.upstream.script(up.response_stream(*items))
        seen = streamed(host, model, "responses")
        assert " ".join(words[40:48]) not in seen.everything
        assert "content_filter" in json.dumps(seen.chunks[-1])
    else:
        answer = ask(host, host.upstream.script(up.whole(up.response(*items))), "responses")
        assert answer.json()["incomplete_details"] == {"reason": "content_filter"}
        assert longest_run(answer.text) <= 4


# ---- responses


def assert_events_are_in_order(events: list[Json]) -> None:
    """What the events of a response promise each other."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] in ("response.completed", "response.incomplete")
    texts: dict[tuple[int, int], str] = {}
    opened: set[int] = set()
    for event in events:
        place = event.get("output_index", -1), event.get("content_index", 0)
        kind = event["type"]
        if kind == "response.output_item.added":
            opened.add(place[0])
        elif place[0] >= 0:
            assert place[0] in opened, kind
        if kind.endswith(".delta"):
            texts[place] = texts.get(place, "") + event["delta"]
        elif kind.endswith(("output_text.done", "refusal.done", "arguments.done")):
            whole = event.get("text", event.get("refusal", event.get("arguments")))
            assert whole == texts.get(place, ""), kind


ITEMS = {
    "text": up.text_item(planted()),
    "refusal": up.text_item(planted(), "refusal"),
    "reasoning": up.reasoning_item(planted()),
    "arguments": up.call_item(escapes(planted(), "newlines")),
}


@pytest.mark.parametrize("item", list(ITEMS))
@pytest.mark.parametrize("size", [0, 3])
def test_a_response_that_is_streamed_is_filtered(host: Host, item: str, size: int) -> None:
    model = host.upstream.script(up.response_stream(ITEMS[item], size=size))
    with host.sdk().responses.create(model=model, input="x", stream=True) as stream:
        events = [event.to_dict() for event in stream]
    told = " ".join(leaf.replace("\\n", " ") for leaf in leaves(events))
    assert longest_run(told) <= MAX_LEAK_TOKENS
    deltas = "".join(event["delta"] for event in events if event["type"].endswith(".delta"))
    assert longest_run(deltas.replace("\\n", " ")) <= MAX_LEAK_TOKENS
    assert_events_are_in_order(events)
    last = events[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["status"] == "incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert '"filtered": true' in json.dumps(last) and '"rule"' in json.dumps(last)


@pytest.mark.parametrize("item", list(ITEMS))
def test_a_response_that_is_no_stream_is_filtered(host: Host, item: str) -> None:
    model = host.upstream.script(up.whole(up.response(ITEMS[item])))
    answer = ask(host, model, "responses")
    assert answer.status_code == 200
    told = " ".join(leaf.replace("\\n", " ") for leaf in leaves(answer.json()))
    assert longest_run(told) <= MAX_LEAK_TOKENS
    assert answer.json()["status"] == "incomplete"
    assert answer.json()["incomplete_details"] == {"reason": "content_filter"}


def test_only_the_last_event_tells_the_text(host: Host) -> None:
    """An upstream that repeats in its final events what it never streamed."""
    events = up.response_stream(up.text_item(planted()))
    model = host.upstream.script([one for one in events if b"output_text.delta" not in one])
    with host.http() as http:
        answer = http.post("/v1/responses", json={"model": model, "input": "x", "stream": True})
    assert longest_run(answer.text) <= MAX_LEAK_TOKENS


def test_deltas_that_are_objects_are_read_on(host: Host) -> None:
    """As those of `response.reasoning.delta` were."""
    events = [{"type": "response.created", "response": up.response(status="in_progress")}]
    events += [
        {
            "type": "response.reasoning.delta",
            "item_id": "r",
            "output_index": 0,
            "content_index": 0,
            "delta": {"type": "text", "text": word},
        }
        for word in up.words(planted())
    ]
    events.append({"type": "response.completed", "response": up.response()})
    script = [up.event({**one, "sequence_number": at}) for at, one in enumerate(events)]
    with host.http() as http:
        body = {"model": host.upstream.script(script), "input": "x", "stream": True}
        told, _ = read_sse(http.post("/v1/responses", json=body).content)
    assert longest_run("".join(leaves([one.get("delta") for one in told]))) <= MAX_LEAK_TOKENS


@pytest.mark.parametrize("limit", [0, 5])
def test_less_may_leak_if_the_operator_says_so(hosts: Hosts, limit: int) -> None:
    host = hosts("--max-leak-tokens", str(limit))
    for text, finish in ((clean(), "stop"), (planted(), "content_filter")):
        seen = streamed(host, host.upstream.script(up.chat_stream(up.say(text))))
        assert seen.finish == {0: finish}
        if finish == "stop":
            assert seen.everything == text
        else:
            assert longest_run(seen.everything) <= limit


# ---- policies


def test_redaction_puts_the_notice_in_the_stream(redacting: Host) -> None:
    text = planted(before=30, after=60)
    want = text.replace(passage(), NOTICE)
    for size in (1, 6, 10_000):
        model = redacting.upstream.script(up.chat_stream(up.say(up.every(text, size))))
        seen = streamed(redacting, model)
        got = seen.texts[0, "content"]
        assert NOTICE in got and longest_run(got) <= MAX_LEAK_TOKENS
        assert got.endswith(want[-100:]) and got.startswith(want[:100])
        assert seen.finish == {0: "stop"} and seen.is_done
        results = seen.last[0]["content_filter_results"]["protected_material_text"]
        assert results["detected"] is True
    answer = ask(redacting, redacting.upstream.script(up.whole(up.chat({"content": text}))))
    content = answer.json()["choices"][0]["message"]["content"]
    assert content == want


def test_redacted_responses_are_the_same_in_all_their_events(redacting: Host) -> None:
    model = redacting.upstream.script(up.response_stream(up.text_item(planted())))
    with redacting.sdk().responses.create(model=model, input="x", stream=True) as stream:
        events = [event.to_dict() for event in stream]
    assert_events_are_in_order(events)
    assert events[-1]["type"] == "response.completed"
    text = "".join(event["delta"] for event in events if event["type"].endswith(".delta"))
    assert NOTICE in text and longest_run(text) <= MAX_LEAK_TOKENS
    last: Any = events[-1]
    assert last["response"]["output"][0]["content"][0]["text"] == text


def test_redacted_arguments_are_still_json(redacting: Host) -> None:
    for how in ("newlines", "unicode"):
        arguments = up.every(escapes(planted(), how), 5)
        model = redacting.upstream.script(
            up.chat_stream(up.call("write", arguments), finish="tool_calls")
        )
        seen = streamed(redacting, model)
        got = json.loads(seen.texts[0, "tool0"])
        assert NOTICE in got["text"] and longest_run(got["text"]) <= MAX_LEAK_TOKENS
        assert seen.finish == {0: "tool_calls"}


def test_a_flag_delivers_and_tells(flagging: Host) -> None:
    seen = streamed(flagging, flagging.upstream.script(up.chat_stream(up.say(planted()))))
    assert seen.texts == {(0, "content"): planted()}
    assert seen.finish == {0: "stop"}
    results = seen.last[0]["content_filter_results"]["protected_material_text"]
    assert results == {"filtered": False, "detected": True}
    assert seen.last[0]["dedup"]["matches"][0]["action"] == "flag"
    answer = ask(flagging, flagging.upstream.script(up.whole(up.chat({"content": planted()}))))
    choice = answer.json()["choices"][0]
    assert choice["message"]["content"] == planted() and choice["finish_reason"] == "stop"
    assert choice["content_filter_results"]["protected_material_text"] == results


def test_citations_are_shown_when_asked_for(hosts: Hosts) -> None:
    host = hosts("--expose-citations")
    text = f"```python\n{SLOTS}```\n"
    seen = streamed(host, host.upstream.script(up.chat_stream(up.say(text))))
    told = json.dumps(seen.last[0])
    assert "timetable/slots.py" in told and "GPL-3.0" in told


# ---- what the prompt supplied


@pytest.mark.parametrize("where", ["string", "parts", "tool"])
def test_what_the_prompt_supplied_may_be_repeated(host: Host, where: str) -> None:
    messages: list[Any] = {
        "string": [{"role": "user", "content": f"Repeat: {passage()}"}],
        "parts": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Repeat:"},
                    {"type": "text", "text": passage()},
                ],
            }
        ],
        "tool": [
            *HI,
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": passage()},
        ],
    }[where]
    model = host.upstream.script(up.chat_stream(up.say(planted())))
    seen = streamed(host, model, messages=messages)
    assert seen.texts == {(0, "content"): planted()} and seen.finish == {0: "stop"}
    # What follows it in the book is not exempt.
    model = host.upstream.script(up.chat_stream(up.say(planted(200))))
    seen = streamed(host, model, messages=messages)
    assert seen.finish == {0: "content_filter"}
    assert passage(60, 1120) not in seen.everything


def test_the_prompt_of_other_routes_is_exempt_too(host: Host) -> None:
    model = host.upstream.script(up.completion_stream(planted()))
    assert streamed(host, model, "completions", prompt=passage()).finish == {0: "stop"}
    body = up.response(up.text_item(planted()))
    for given in (
        passage(),
        [{"role": "user", "content": [{"type": "input_text", "text": passage()}]}],
        [{"type": "function_call_output", "call_id": "1", "output": passage()}],
    ):
        answer = ask(host, host.upstream.script(up.whole(body)), "responses", input=given)
        assert answer.json() == body


# ---- retry


def test_another_answer_is_asked_for_before_one_is_blocked(hosts: Hosts) -> None:
    host = hosts("--retry", "2")
    bad, good = up.chat({"content": planted()}), up.chat({"content": clean()})
    model = host.upstream.script(up.whole(bad), up.whole(bad), up.whole(good))
    answer = ask(host, model)
    assert answer.json()["choices"][0]["message"]["content"] == clean()
    assert len(host.upstream.seen(model)) == 3
    model = host.upstream.script(up.whole(bad))
    assert ask(host, model).json()["choices"][0]["finish_reason"] == "content_filter"
    assert len(host.upstream.seen(model)) == 3


def test_a_stream_is_asked_for_again_only_while_nothing_is_out(hosts: Hosts) -> None:
    host = hosts("--retry", "2")
    early = up.chat_stream(up.say(passage()))
    late = up.chat_stream(up.say(planted()))
    good = up.chat_stream(up.say(clean()))
    for first in (early, late):
        model = host.upstream.script(first, good)
        seen = streamed(host, model)
        assert longest_run(seen.everything) <= MAX_LEAK_TOKENS
        assert seen.is_done and not seen.after_end
        if len(host.upstream.seen(model)) == 2:
            assert seen.texts[0, "content"].endswith(clean())
            assert seen.finish == {0: "stop"}
        else:
            assert seen.finish == {0: "content_filter"}


# ---- cancellation


ENDLESS = up.send(up.event({"choices": [{"index": 0, "delta": {"content": " word"}}]}), times=-1)


def left_s(host: Host, model: str, since: float) -> float:
    """How long after a moment the server left the upstream."""
    record = until(lambda: [one for one in host.upstream.seen(model) if one["left_at"]])
    assert record, "the upstream was not cancelled"
    return float(record[0]["left_at"]) - since


@pytest.mark.parametrize("step", [up.STALL, ENDLESS], ids=["silent", "talking"])
def test_the_upstream_is_cancelled_when_the_client_leaves(host: Host, step: Json) -> None:
    model = host.upstream.script(up.reply(*up.chat_stream(up.say(clean()))[:20], step))
    with host.sdk().chat.completions.create(model=model, messages=HI, stream=True) as stream:
        for _ in range(5):
            next(iter(stream))
    assert left_s(host, model, time.monotonic()) < 1


def test_a_request_that_is_no_stream_is_cancelled_too(host: Host) -> None:
    model = host.upstream.script(up.reply(up.STALL))
    with pytest.raises(openai.APITimeoutError):
        host.sdk(timeout=0.5).chat.completions.create(model=model, messages=HI)
    assert left_s(host, model, time.monotonic()) < 1


def test_the_upstream_is_cancelled_when_all_choices_are_blocked(host: Host) -> None:
    events = up.chat_stream(up.say(planted()), up.say(planted(at=4000)))[:-1]
    model = host.upstream.script(up.reply(*events, up.STALL))
    begun = time.monotonic()
    seen = streamed(host, model, n=2)
    assert seen.finish == {0: "content_filter", 1: "content_filter"} and seen.is_done
    assert left_s(host, model, begun) < 2
    model = host.upstream.script(up.reply(*up.response_stream(ITEMS["text"])[:-1], up.STALL))
    begun = time.monotonic()
    with host.sdk().responses.create(model=model, input="x", stream=True) as stream:
        assert [event.type for event in stream][-1] == "response.incomplete"
    assert left_s(host, model, begun) < 2


def test_a_slow_client_slows_the_upstream(host: Host) -> None:
    """Nothing is read from the upstream that nobody takes: memory stays as it is."""
    big = up.event({"choices": [{"index": 0, "delta": {"content": " word"}}], "pad": "x" * 4000})
    model = host.upstream.script(up.reply(up.send(big, times=-1)))
    body = {"model": model, "messages": HI, "stream": True}
    with host.http() as http, http.stream("POST", "/v1/chat/completions", json=body) as answer:
        next(answer.iter_raw())
        time.sleep(0.5)
        before = host.upstream.seen(model)[0]["sent"]
        time.sleep(0.7)
        after = host.upstream.seen(model)[0]["sent"]
    assert after - before < 1_000_000, f"read {after} bytes for a client that took none"
    assert left_s(host, model, time.monotonic()) < 1


def test_a_keep_alive_is_sent_while_text_is_held(hosts: Hosts) -> None:
    """What the upstream sends as comments, or the server by itself, is no data for clients."""
    host = hosts()
    events = up.chat_stream(up.say(clean(10)))
    model = host.upstream.script([b": ping\n\n", *events[:4], b": ping\n\n", *events[4:]])
    seen = streamed(host, model)
    assert seen.texts == {(0, "content"): clean(10)} and seen.is_done
