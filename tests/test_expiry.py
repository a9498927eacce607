"""Dates become days and back; a document is protected until the day it expires on, in UTC."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from test_filter import HARMLESS, PROTECTED
from test_index import KEY, paragraphs

from dedup.expiry import date_of, day_of, parse_date, today
from dedup.index import Index
from dedup.source import Document

MONDAY = date(2030, 7, 1)
TUESDAY = date(2030, 7, 2)


@pytest.fixture
def set_today(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    return lambda day: monkeypatch.setattr("dedup.expiry.today", lambda: day)


def test_day_and_date_are_each_others_inverse() -> None:
    for day in (date(1970, 1, 2), MONDAY, date.max):
        assert date_of(day_of(day)) == day
    assert day_of(None) == 0 and date_of(0) is None
    assert day_of(date(1066, 10, 14)) == 1
    assert day_of(datetime(2030, 7, 1, 23, 59)) == day_of(MONDAY)
    with pytest.raises(TypeError, match="expires is a date or None, got '2030-07-01'"):
        day_of("2030-07-01")  # type: ignore[arg-type]


def test_today_is_that_of_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    assert abs(today() - datetime.now(UTC).date()) <= timedelta(days=1)
    late = datetime(2030, 7, 1, 23, 0, tzinfo=timezone(timedelta(hours=-5)))
    monkeypatch.setattr("dedup.expiry.datetime", type("D", (), {"now": late.astimezone}))
    assert today() == TUESDAY


@pytest.mark.parametrize("text", ["2030-07-01", "2030-07-01T23:30:00-05:00", "2030-07-01 12:00"])
def test_time_is_cut_to_its_date(text: str) -> None:
    assert parse_date(text) == MONDAY


@pytest.mark.parametrize(
    "text", ["", "2030-7-1", "20300701", "2030-02-30", "2030-W27-1", "1 July", "2030-07-01x"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no date; expected YYYY-MM-DD"):
        parse_date(text)


def test_document_is_protected_until_the_day_it_expires_in_a_running_process_too(
    tmp_path: Path, set_today: Callable[[date], None]
) -> None:
    set_today(MONDAY)
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("lent", PROTECTED, expires=TUESDAY), Document("own", HARMLESS * 3)])
        index.commit()
        assert index.search(PROTECTED)
        assert index.holds("lent", PROTECTED)
        assert (index.info().documents, index.info().next_expiry) == (2, TUESDAY)
        reader = Index.open(index.path, key=KEY)
        assert reader.search(PROTECTED)

        set_today(TUESDAY)
        for opened in (index, reader, Index.open(index.path, key=KEY)):
            assert not opened.search(PROTECTED)
            assert not opened.search_batch([PROTECTED])[0]
            assert opened.search(HARMLESS * 3)
            assert not opened.holds("lent", PROTECTED)
            assert [document.id for document in opened.documents()] == ["own"]
            info = opened.info()
            assert (info.documents, info.expired, info.next_expiry) == (1, 1, None)

        set_today(MONDAY)  # a clock that was put right
        assert index.search(PROTECTED)


def test_merge_takes_out_what_has_expired_and_leaves_no_trace(
    tmp_path: Path, set_today: Callable[[date], None]
) -> None:
    set_today(MONDAY)
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("lent", PROTECTED, expires=TUESDAY), *paragraphs(5)])
        index.commit()
        set_today(TUESDAY)
        index.merge()
        assert (index.info().expired, index.info().documents) == (0, 5)
        (made,) = index.path.glob("segment-*")
    with Index.create(tmp_path / "without", key=KEY) as index:
        index.add(paragraphs(5))
        index.commit()
        (plain,) = index.path.glob("segment-*")
    assert made.read_bytes() == plain.read_bytes()


def test_index_of_which_all_has_expired_merges_to_nothing(
    tmp_path: Path, set_today: Callable[[date], None]
) -> None:
    set_today(MONDAY)
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("lent", PROTECTED, expires=TUESDAY)])
        index.commit()
        set_today(TUESDAY)
        assert index.snapshot.is_empty
        index.merge()
        assert not list(index.path.glob("segment-*"))
        assert index.search(PROTECTED) == []


def test_another_expiry_is_a_change(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=KEY) as index:
        index.add([Document("a", PROTECTED)])
        index.commit()
        assert index.add([Document("a", PROTECTED, expires=MONDAY)]) == 1
        index.commit()
        assert index.add([Document("a", PROTECTED, expires=MONDAY)]) == 0
        assert [document.expires for document in index.documents()] == [MONDAY]
