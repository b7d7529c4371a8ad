"""A picture of how late rows come: a curve per data type, and the same in numbers, for the landing asset."""

import math
from collections.abc import Sequence
from datetime import timedelta
from xml.sax.saxutils import escape

from iterable_pipelines.hours import HOUR
from iterable_pipelines.landing.lateness import Curve, curve, settle_delay
from iterable_pipelines.landing.manifest import Manifest
from iterable_pipelines.landing.passes import AUDIT_AGES
from iterable_pipelines.settings import Settings
from iterable_pipelines.svg import as_markdown, svg_of

_MINUTE = timedelta(minutes=1)
_MARKS = {
    "10 min": 10 * _MINUTE,
    "1 h": HOUR,
    "3 h": 3 * HOUR,
    "12 h": 12 * HOUR,
    "1 day": AUDIT_AGES[0],
    "7 days": AUDIT_AGES[-1],
}
_COLUMNS = tuple(_MARKS)
_LEFT, _TOP, _WIDTH, _HEIGHT, _LINE = 46, 16, 460, 200, 13
_COLOURS = ("#4f43dd", "#d1495b", "#00798c", "#edae49", "#66a182", "#2e4057", "#8d5a97", "#c97b2b")


def how_late(manifest: Manifest, settings: Settings, data_types: Sequence[str]) -> str:
    """Markdown: the curves of these data types, the shares that the passes found, and the settle delay in use."""
    curves = {name: found for name in data_types if (found := curve(manifest, name))}
    # what the first pass found, the settled one, and the audit after a day: each is late for its age by a little
    limits = {f"before {settings.settle_after_hours} h": settings.settle_after_hours * HOUR}
    limits |= {f"before {name}": _MARKS[name] for name in ("1 day", "7 days")}
    heads = ["data type", *limits, "settled after"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name in data_types:
        shares = [_percent(share_before(curves.get(name, []), age)) for age in limits.values()]
        hours = settle_delay(manifest, settings, name) // HOUR
        lines.append(f"| {name} | {' | '.join(shares)} | {hours} h |")
    picture = [as_markdown(curves_svg(curves), "share of rows that had come, by age of the hour"), ""] if curves else []
    return "\n".join([*picture, *lines])


def share_before(found: Curve, age: timedelta) -> float | None:
    """The share that the last look before an age had found; None where there was none."""
    return next((share for at, share in reversed(found) if at < age), None)


def curves_svg(curves: dict[str, Curve]) -> str:
    """An SVG: ages to the right on a logarithmic scale, shares upwards from the smallest one to all."""
    lowest = math.floor(10 * min((share for found in curves.values() for _, share in found), default=0.0)) / 10
    lowest = min(lowest, 0.9)
    shapes = []
    for name, age in _MARKS.items():
        x = _across(age)
        shapes.append(f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{_TOP + _HEIGHT}" stroke="#dde"/>')
        shapes.append(f'<text x="{x}" y="{_TOP + _HEIGHT + 12}" text-anchor="middle" fill="#667">{name}</text>')
    for tenth in range(round(10 * lowest), 11):
        y = _up(tenth / 10, lowest)
        shapes.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_LEFT + _WIDTH}" y2="{y}" stroke="#dde"/>')
        shapes.append(f'<text x="{_LEFT - 6}" y="{y + 3}" text-anchor="end" fill="#667">{tenth * 10} %</text>')
    for number, (name, found) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{_across(age)},{_up(share, lowest)}" for age, share in found)
        shapes.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5">'
            f"<title>{escape(name)}</title></polyline>"
        )
        shapes += [
            f'<circle cx="{_across(age)}" cy="{_up(share, lowest)}" r="2" fill="{colour}"/>' for age, share in found
        ]
        y = _TOP + _LINE * number
        shapes.append(f'<rect x="{_LEFT + _WIDTH + 14}" y="{y}" width="9" height="9" fill="{colour}"/>')
        shapes.append(f'<text x="{_LEFT + _WIDTH + 28}" y="{y + 8}" fill="#334">{escape(name)}</text>')
    return svg_of(_LEFT + _WIDTH + 170, max(_TOP + _HEIGHT + 20, _TOP + _LINE * len(curves)), shapes)


def _across(age: timedelta) -> int:
    first, last = (math.log(_MARKS[name] / _MINUTE) for name in (_COLUMNS[0], _COLUMNS[-1]))
    at = (math.log(max(age / _MINUTE, 1)) - first) / (last - first)
    return _LEFT + round(_WIDTH * min(max(at, 0.0), 1.0))


def _up(share: float, lowest: float) -> int:
    return _TOP + round(_HEIGHT * (1 - share) / (1 - lowest))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
