"""Whatever is a string is text, but for what only labels."""

from typing import Any

from dedup.serve.fields import leaves, place, prompt


def texts(node: Any) -> list[str]:
    return [leaf.text for leaf in leaves(node)]


def test_unknown_strings_are_text_and_labels_are_not() -> None:
    delta = {
        "role": "assistant",
        "content": "a",
        "tool_calls": [
            {
                "index": 1,
                "id": "call_1",
                "type": "function",
                "function": {"name": "f", "arguments": "b"},
            }
        ],
        "invented_tomorrow": [{"deep": {"er": "c"}}, "d"],
        "logprobs": {"content": [{"token": "e"}]},
        "n": 5,
    }
    assert texts(delta) == ["a", "b", "c", "d"]


def test_a_label_that_reads_like_a_text_is_one() -> None:
    assert texts({"name": "the quick brown fox", "id": "x" * 65, "type": "function"}) == [
        "the quick brown fox",
        "x" * 65,
    ]


def test_numbers_of_tokens_are_taken_out() -> None:
    choice = {"index": 0, "token_ids": [1, 2], "delta": {"content": "a"}}
    assert texts(choice) == ["a"] and choice["token_ids"] is None


def test_a_string_is_put_where_its_path_leads() -> None:
    given = {"content": "a", "tool_calls": [{"index": 2, "function": {"arguments": "b"}}]}
    made: dict[str, Any] = {}
    for leaf in leaves(given):
        place(made, leaf.path, leaf.text)
    assert made == given


def test_prompt_is_all_that_the_model_was_given_to_read() -> None:
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "one"},
            {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "image_url"}]},
            {
                "role": "assistant",
                "tool_calls": [{"function": {"arguments": '{"a": "th\\u0072ee"}'}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "four"},
        ],
        "instructions": "five",
        "metadata": {"x": "not read"},
    }
    said = prompt(body)
    assert all(word in said for word in ("one", "two", "three", "four", "five"))
    assert "not read" not in said
