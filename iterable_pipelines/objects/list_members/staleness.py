"""How old what is known of each list is, in words: for the page in the UI, the check, and the command line."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from iterable_pipelines.objects.list_members.order import LIVE_AGE
from iterable_pipelines.objects.list_members.tables import NOTHING, READING, USERS, MemberList

_HOW = {USERS: "user records", READING: "asked for", NOTHING: "not asked for"}
_MOST_ROWS = 100


def age(each: MemberList, moment: datetime) -> timedelta | None:
    """How old the list's members are; None if they never came."""
    return None if each.state.read_at is None else moment - each.state.read_at


def stalest_first(lists: Iterable[MemberList], moment: datetime) -> list[MemberList]:
    """Lists in live campaigns, then lists in trouble, then the others; within these the oldest first."""

    def rank(each: MemberList) -> tuple[bool, bool, timedelta, int]:
        old = age(each, moment)
        return not each.live, not each.state.trouble, timedelta.min if old is None else -old, each.id

    return sorted(lists, key=rank)


def too_old(lists: Iterable[MemberList], moment: datetime) -> list[MemberList]:
    """Lists in live campaigns that are asked for and whose members are more than an hour old, or never came."""
    asked = [each for each in lists if each.live and each.state.known_by == READING]
    return [each for each in asked if (old := age(each, moment)) is None or old > LIVE_AGE]


def oldest_minutes(lists: Iterable[MemberList], moment: datetime) -> float:
    """The greatest age among lists that are asked for and came at least once, in minutes."""
    ages = [age(each, moment) for each in lists if each.state.known_by == READING]
    return round(max((old / timedelta(minutes=1) for old in ages if old is not None), default=0.0), 1)


def spelled_age(each: MemberList, moment: datetime) -> str:
    """12 min, 3.4 h, 2.1 d, or never."""
    old = age(each, moment)
    if old is None:
        return "never"
    minutes = old / timedelta(minutes=1)
    if minutes < 100:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"


def since_when(each: MemberList) -> str:
    """Since when a list is gone or in trouble, and how often it was tried; nothing if all is well."""
    state = each.state
    if state.gone_at:
        return f"gone since {state.gone_at:%Y-%m-%d %H:%M}"
    tries = f"{state.failures} tries" if state.failures > 1 else "1 try"
    return f"since {state.trouble_since:%Y-%m-%d %H:%M}, {tries}" if state.trouble else ""


def spelled_trouble(each: MemberList) -> str:
    """`since_when`, and what is wrong."""
    cause = "" if each.state.gone_at or not each.state.trouble else f": {each.state.trouble}"
    return since_when(each) + cause


def as_row(each: MemberList, moment: datetime) -> tuple[str, ...]:
    """The list as cells: id, name, type, live, members, known by, age, trouble."""
    return (
        str(each.id),
        each.name,
        each.type or "",
        "yes" if each.live else "",
        f"{each.state.members:,}" if each.state.read_at else "?",
        _HOW[each.state.known_by],
        spelled_age(each, moment),
        spelled_trouble(each),
    )


COLUMNS = ("list", "name", "type", "live", "members", "known by", "age", "trouble")


def as_markdown(lists: Iterable[MemberList], moment: datetime) -> str:
    """A table of all lists, stalest first, as far as a page can hold them."""
    ranked = stalest_first(lists, moment)
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---:|---|---|---|---:|---|---|---|"]
    for each in ranked[:_MOST_ROWS]:
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in as_row(each, moment)) + " |")
    if len(ranked) > _MOST_ROWS:
        lines.append(f"\nand {len(ranked) - _MOST_ROWS:,} more: `iterable-pipelines lists`")
    return "\n".join(lines)
