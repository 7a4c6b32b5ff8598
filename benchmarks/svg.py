"""Pictures that read well on light and on dark pages."""

from collections.abc import Sequence
from html import escape

MARGIN = 16
LINE_HEIGHT = 18

# A page that shows the picture as an image passes the reader's preference on to it. Where it does not, the picture has its own ground.
LIGHT = """
.ground { fill: #ffffff; stroke: #d1d9e0; }
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.note { font-size: 12px; fill: #59636e; }
"""
DARK = """
  .ground { fill: #0d1117; stroke: #3d444d; }
  text { fill: #f0f6fc; }
  .note { fill: #9198a1; }
"""


def document(parts: Sequence[str], *, width: int, height: int, label: str, light: str, dark: str) -> str:
    """Return a whole picture: its parts on a ground, with further rules of style for light pages and what differs on dark ones."""
    style = f"{LIGHT}{light}@media (prefers-color-scheme: dark) {{{DARK}{dark}}}\n"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(label)}">\n<style>{style}</style>\n'
        f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def notes(lines: Sequence[str], y: int) -> tuple[list[str], int]:
    """Return small lines below `y`, and where they end."""
    parts = []
    for line in lines:
        y += LINE_HEIGHT
        parts.append(f'<text class="note" x="{MARGIN}" y="{y}">{escape(line)}</text>')
    return parts, y
