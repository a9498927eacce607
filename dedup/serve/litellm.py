"""stub"""

from dedup.serve.body import Receive, Scope, Send
from dedup.serve.service import Service

__all__ = ["Guardrail"]


class Guardrail:
    """stub"""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """stub"""
