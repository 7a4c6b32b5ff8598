"""Which pages are made from the sources, and by what."""

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate import api, configuration

DOCS = Path(__file__).parents[1]

PAGES: Mapping[Path, Callable[[], str]] = {
    DOCS / "api.md": api.render,
    DOCS / "configuration.md": configuration.render,
}
