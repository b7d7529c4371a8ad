"""A funnel: a row per name, a bar per step as long as its share of the first, as an SVG that Dagster shows."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from iterable_pipelines.svg import svg_of

_BAR, _HEIGHT, _LEFT, _TOP = 96, 20, 230, 22


def funnel(steps: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]], of: str, whole: str) -> str:
    """The SVG. `rows` are names with a number for each step; titles say what they are numbers `of`, and the `whole`."""
    shapes = [
        f'<text x="{_LEFT + number * _BAR}" y="14" fill="#667">{escape(step)}</text>'
        for number, step in enumerate(steps)
    ]
    for row, (name, numbers) in enumerate(rows):
        y, label = _TOP + row * _HEIGHT, escape(name)
        shapes.append(f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end" fill="#334">{label}</text>')
        for column, (step, number) in enumerate(zip(steps, numbers, strict=True)):
            x, share = _LEFT + column * _BAR, number / max(1, numbers[0])
            length = max(1, round((_BAR - 6) * min(1.0, share)))
            shapes.append(
                f'<rect x="{x}" y="{y}" width="{length}" height="{_HEIGHT - 4}" fill="#4f43dd" fill-opacity="0.35">'
                f"<title>{label}, {escape(step)}: {number:,} {of}, {share:.1%} of {whole}</title>"
                f'</rect><text x="{x + 3}" y="{y + 12}" fill="#223">{number:,} · {share:.0%}</text>'
            )
    return svg_of(_LEFT + _BAR * len(steps) + 8, _TOP + _HEIGHT * len(rows) + 4, shapes)
