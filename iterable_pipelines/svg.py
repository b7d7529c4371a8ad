"""Pictures for Dagster's UI: SVG as text, shown inside a materialization as markdown."""

import base64
from collections.abc import Iterable


def svg_of(width: int, height: int, shapes: Iterable[str]) -> str:
    """The whole SVG, white below its shapes."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="9"><rect width="100%" height="100%" fill="white"/>{"".join(shapes)}</svg>'
    )


def as_markdown(svg: str, title: str) -> str:
    """The SVG as a markdown image, self-contained."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
