"""Logs: a JSON object a line on standard error, with what happened and never what was said."""

import json
import logging
import sys
import time
from typing import Any, Final

__all__ = ["log", "quiet_libraries"]

_LEVELS: Final = {logging.WARNING: "warning", logging.ERROR: "error", logging.CRITICAL: "error"}


def log(level: str, event: str, **fields: Any) -> None:
    """Write one line. The caller sees to it that no field holds text of users or documents."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    line = json.dumps({"time": stamp, "level": level, "event": event, **fields})
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _NoText(logging.Handler):
    """Tells of a library's message where it comes from and what kind it is.

    Its words, and those of exceptions, may quote what was being handled.
    """

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        where = f"{record.module}:{record.lineno}"
        level = _LEVELS.get(record.levelno, "info")
        log(level, "library", logger=record.name, where=where, error=error)


def quiet_libraries() -> None:
    """Let all that libraries log go through here, warnings and worse."""
    root = logging.getLogger()
    root.handlers[:] = [_NoText()]
    root.setLevel(logging.WARNING)
