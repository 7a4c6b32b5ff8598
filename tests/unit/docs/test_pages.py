"""The pages that are made from the sources are what `make docs` would write."""

from pathlib import Path

import pytest

from docs.generate.pages import PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_current(path: Path) -> None:
    is_current = path.exists() and path.read_text(encoding="utf-8") == PAGES[path]()
    assert is_current, f"docs/{path.name} is not what its sources say: run `make docs`, and commit what it writes"
