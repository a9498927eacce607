"""JSON in and out, as it was but for what is changed."""

import json
from typing import Any

import msgspec

from dedup.serve.failure import Failure

__all__ = ["dumps", "garbage", "loads"]

dumps = msgspec.json.encode


def loads(data: bytes) -> Any:
    """The value, lone halves of surrogate pairs included, which the fast parser refuses.

    Raises
    ------
    ValueError
        If it is no JSON, or too deep.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(type(error).__name__) from None


def garbage(what: str) -> Failure:
    """The upstream sent something that it should not."""
    return Failure(502, "upstream_garbage", f"the upstream sent {what}")
