"""Links between the project's pages lead to pages and headings that are there."""

import re
from pathlib import Path

import pytest

from docs.generate.markdown import anchor

ROOT = Path(__file__).parents[3]
PAGES = [
    path for pattern in ("*.md", "docs/*.md", "clients/*.md", "tests/*/*.md") for path in sorted(ROOT.glob(pattern))
]
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


def anchors_of(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {anchor(re.sub(r"<[^>]*>|`", "", heading)) for heading in headings} | set(
        re.findall(r'<a id="([^"]+)">', text)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for path, fragment in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        if not target.exists():
            lost.append(path)
        elif fragment and fragment not in anchors_of(target.read_text(encoding="utf-8")):
            lost.append(f"{path}#{fragment}")
    assert lost == []
