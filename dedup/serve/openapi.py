"""stub"""

from typing import Any

__all__ = ["openapi"]


def openapi() -> dict[str, Any]:
    """stub"""
    return {}
