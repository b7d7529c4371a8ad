"""The spool: durable, each body once, and what it tells of itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from iterable_pipelines.webhooks.body import read_body
from iterable_pipelines.webhooks.spool import Level, Reason, Spool, SpoolFull
from iterable_pipelines_tests.webhooks.receiving import event

AT = datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "webhooks" / "spool.db")


def add(spool: Spool, *bodies: bytes, at: datetime = AT) -> int:
    return spool.add([(read_body(each), at) for each in bodies])


def test_a_body_is_there_once_whoever_added_it(spool: Spool) -> None:
    assert add(spool, event(1), event(2), event(1)) == 2
    assert add(Spool(spool.path), event(2), event(3)) == 1
    with spool.kept_open() as kept:
        assert add(kept, event(3), event(4)) == 1
    assert [each.raw for each in spool.queued(10)] == [event(n) for n in (1, 2, 3, 4)]


def test_all_of_a_batch_or_none(spool: Spool) -> None:
    broken = (read_body(event(2)), "no moment")
    with pytest.raises(AttributeError):
        spool.add([(read_body(event(1)), AT), broken])  # type: ignore[list-item]
    with spool.kept_open() as kept:
        with pytest.raises(AttributeError):
            kept.add([(read_body(event(1)), AT), broken])  # type: ignore[list-item]
        assert kept.queued(10) == []
        assert add(kept, event(3)) == 1


def test_the_level(spool: Spool) -> None:
    empty = spool.level()
    assert (empty.queued, empty.aside, empty.oldest) == (0, 0, None)
    add(spool, event(1), b"garbage", at=AT + timedelta(hours=1))
    add(spool, *(event(number, filling="x" * 1000) for number in range(2, 100)), at=AT + timedelta(hours=2))
    full = spool.level()
    assert full == Level(99, 1, full.bytes, AT + timedelta(hours=1), AT + timedelta(hours=2))
    assert full.bytes > empty.bytes + 98 * 1000
    spool.remove([each.id for each in spool.queued(1000)])
    # what is free again is used again
    assert spool.level().bytes < full.bytes / 2


def test_reasons_are_counted_and_quote_no_body(spool: Spool) -> None:
    add(spool, b"garbage of a@example.com", at=AT)
    add(spool, b"more garbage", b"17", at=AT + timedelta(hours=1))
    assert spool.reasons() == [
        Reason("not JSON (Expecting value)", 2, AT),
        Reason("not a JSON object", 1, AT + timedelta(hours=1)),
    ]


def test_what_was_put_aside_can_be_queued_again(spool: Spool) -> None:
    add(spool, event(1), b"garbage")
    (number,) = (each.id for each in spool.queued(10))
    assert [spool.failed(number, "it breaks the loader") for _ in range(5)] == [False] * 4 + [True]
    assert (spool.level().queued, spool.level().aside) == (0, 2)
    assert spool.queue_again() == 2
    assert [each.raw for each in spool.queued(10)] == [event(1), b"garbage"]
    # and has five tries again
    assert not spool.failed(number, "it breaks the loader")


def test_at_its_bound_it_takes_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", most_bytes=100_000)
    with pytest.raises(SpoolFull, match="100,000 is its bound"):
        for number in range(1000):
            add(spool, event(number))
    with pytest.raises(SpoolFull):
        spool.try_out()
    level = spool.level()
    assert 100_000 <= level.bytes < 120_000
    spool.remove([each.id for each in spool.queued(10)])
    spool.remove([each.id for each in spool.queued(level.queued)])
    spool.try_out()
    assert add(spool, event(0)) == 1


def test_trying_out_changes_no_body(spool: Spool) -> None:
    add(spool, event(1), b"garbage")
    before = spool.queued(10), spool.set_aside(), spool.level()
    for _ in range(3):
        spool.try_out()
    assert (spool.queued(10), spool.set_aside(), spool.level()) == before
