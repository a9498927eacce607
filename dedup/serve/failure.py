"""Faults, and how a client of OpenAI is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Failure"]


@dataclass(eq=False)
class Failure(Exception):
    """Something that ends a request: a status, and words that hold no user's text.

    Attributes
    ----------
    status : int
        Of the HTTP response, if it has not begun.
    code : str
        What programs read, and what is counted.
    message : str
        What people read.
    headers : mapping
        To be sent along.
    """

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The body of OpenAI's errors."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        if self.status == 401:
            kind = "authentication_error"
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}
