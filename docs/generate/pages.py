"""Which pages are made from the sources, and by what."""

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate import configuration

DOCS = Path(__file__).parents[1]

PAGES: Mapping[Path, Callable[[], str]] = {
    DOCS / "configuration.md": configuration.render,
}
