"""Until when a document is protected: dates, and the days that a segment keeps of them.

A document is protected up to the day before the date it expires on; days are those of UTC, so that
all machines agree.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

__all__ = ["date_of", "day_of", "parse_date", "today"]

_EPOCH: Final = date(1970, 1, 1)


def today() -> date:
    """The day it is, in UTC."""
    return datetime.now(UTC).date()


def day_of(expires: date | None) -> int:
    """Days since 1970-01-01; 0 for never, and 1 for whatever expired before there were days."""
    if expires is None:
        return 0
    if isinstance(expires, datetime):
        expires = expires.date()
    if not isinstance(expires, date):
        raise TypeError(f"expires is a date or None, got {expires!r}; see date.fromisoformat")
    return max(1, (expires - _EPOCH).days)


def date_of(day: int) -> date | None:
    """The date of a day that a segment keeps; none for 0."""
    return _EPOCH + timedelta(days=day) if day else None


def parse_date(text: str) -> date:
    """The date of ``YYYY-MM-DD``, or of a time that begins so.

    Raises
    ------
    ValueError
        If it is no date; the message says what was expected.
    """
    try:
        if not re.match(r"\d{4}-\d\d-\d\d(?!\d)", text, re.ASCII):
            raise ValueError
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no date; expected YYYY-MM-DD") from None
