"""Log-probabilities: the tokens of a text, in the two shapes that OpenAI's APIs have for them.

Chat and Responses list an object for each token, with its ``bytes``; legacy completions have a list
of tokens and lists beside it.
"""

from typing import Any

from dedup.serve.channel import Token

__all__ = ["joined", "split", "tokens_of"]


def split(logprobs: dict[str, Any]) -> dict[str, list[Token]]:
    """The tokens of each text that the log-probabilities of a choice are about."""
    columns = logprobs.get("tokens")
    if isinstance(columns, list):
        return {"text": _rows(logprobs, columns)}
    return {
        name: tokens_of(logprobs[name])
        for name in ("content", "refusal")
        if isinstance(logprobs.get(name), list)
    }


def tokens_of(entries: list[Any]) -> list[Token]:
    """The tokens of a list of objects."""
    return [_token(entry) for entry in entries]


def joined(logprobs: Any, name: str, entries: list[Any]) -> dict[str, Any]:
    """The log-probabilities of a choice with these entries for one of its texts."""
    if name == "text":
        return {column: [row.get(column) for row in entries] for column in entries[0]}
    known = logprobs if isinstance(logprobs, dict) else {"content": None, "refusal": None}
    return known | {name: entries}


def _token(entry: Any) -> Token:
    if not isinstance(entry, dict):
        return Token(_bytes_of(entry), entry)
    data = entry.get("bytes")
    if isinstance(data, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in data):
        return Token(bytes(data), entry)
    return Token(_bytes_of(entry.get("token")), entry)


def _rows(logprobs: dict[str, Any], tokens: list[Any]) -> list[Token]:
    columns = {
        name: column
        for name, column in logprobs.items()
        if isinstance(column, list) and len(column) == len(tokens)
    }
    return [
        Token(_bytes_of(token), {name: column[at] for name, column in columns.items()})
        for at, token in enumerate(tokens)
    ]


def _bytes_of(token: Any) -> bytes:
    """The bytes of a token that is a string; of anything else, one that no text has."""
    return token.encode("utf-8", "surrogatepass") if isinstance(token, str) else b"\xff"
