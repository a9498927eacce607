"""stub"""

from typing import Any

__all__ = ["ResponsesProtocol"]


class ResponsesProtocol:
    """stub"""

    def __init__(self, *a: Any) -> None:
        raise NotImplementedError
