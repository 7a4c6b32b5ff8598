"""A shop with metrics, and readings of them."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from local_shop.scrape import Scrape
from tests.faults.waiting import eventually
from tests.opened_shop import OpenedShop

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "metrics.md"
ROW = re.compile(r"^\| (`[^|]*) \|([^|]*)\|", re.MULTILINE)
NAME = re.compile(r"`([a-z_]+)`")


def url_of(shop: OpenedShop, service: str) -> str:
    """Where a service's metrics are."""
    url: str = getattr(shop.local, f"{service}_metrics_url")
    return url


async def scraped(shop: OpenedShop, service: str = "order") -> Scrape:
    """Read a service's metrics."""
    return await asyncio.to_thread(Scrape.read, url_of(shop, service))


async def text_of(shop: OpenedShop, service: str) -> str:
    """Read a service's metrics as they come."""
    return await asyncio.to_thread(text_at, url_of(shop, service))


def text_at(url: str) -> str:
    """Read metrics as they come."""
    from urllib.request import ProxyHandler, build_opener  # noqa: PLC0415 - no proxy of the environment's.

    with build_opener(ProxyHandler({})).open(url, timeout=10.0) as answer:
        text: str = answer.read().decode()
    return text


async def when(shop: OpenedShop, wanted: Callable[[Scrape], bool], service: str = "order") -> Scrape:
    """Scrape until a reading is as wanted."""
    return await eventually(lambda: scraped(shop, service), wanted)


def families(text: str) -> dict[str, str]:
    """The types of all metrics, by their names as the text tells them."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def label_names(text: str) -> dict[str, set[str]]:
    """The labels of each sample's metric but a histogram's bounds."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        metric = re.sub(r"_(bucket|sum|count)$", "", name) if name not in families(text) else name
        found.setdefault(metric, set()).update(set(re.findall(r'(\w+)="', labels)) - {"le"})
    return found


def series(text: str) -> set[str]:
    """All series, without their values."""
    return {line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}


def documented() -> dict[str, set[str]]:
    """The metrics of the page, each with the labels that it names."""
    found = {}
    for names, labels in ROW.findall(PAGE.read_text(encoding="utf-8")):
        for name in NAME.findall(names):
            found[name] = labels_in(labels, documented_so_far=found)
    return found


def labels_in(cell: str, documented_so_far: dict[str, set[str]]) -> set[str]:
    """The labels of a table's cell: those before a colon, or `these and` one more."""
    labels = set(NAME.findall(re.sub(r": (`[^,;]*`(, )?)+", " ", cell)))
    return labels | (documented_so_far["grpc_server_started_total"] if "these and" in cell else set())
