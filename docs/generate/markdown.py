"""The little of Markdown that the pages are made of."""

import re
from collections.abc import Iterable, Sequence

NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table; what its cells hold is made fit for them."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def anchor(heading: str) -> str:
    """Tell the fragment that a link to a heading ends in, as GitHub makes it."""
    return NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-")


def link_to(heading: str) -> str:
    """Link to a heading of the same page."""
    return f"[{heading}](#{anchor(heading)})"


def sentences(text: str) -> str:
    """Put a text of several lines on one."""
    return re.sub(r"\s+", " ", text).strip()


def _cell(text: str) -> str:
    return sentences(text).replace("|", "\\|")
