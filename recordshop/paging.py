"""Walks lists page by page (AIP-158)."""

import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

# Items a page where the caller did not say: as many as the services give at most.
PAGE_SIZE_MAX = 100
# Pages a walk: far more than a list has, so that a walk ends whatever a service answers.
PAGES_MAX = 10_000_000


class PageRequest(Protocol):
    """What all list requests have beside their filters."""

    page_size: int
    page_token: str


class Page(Protocol):
    """What all list responses have beside their items."""

    next_page_token: str


Request = TypeVar("Request", bound=PageRequest)
Response = TypeVar("Response", bound=Page)


async def walk(fetch: Callable[[Request], Awaitable[Response]], first: Request) -> AsyncIterator[Response]:
    """Answers page after page, from the page_token of `first` to the last page, with its filters unchanged."""
    request = copy.deepcopy(first)
    request.page_size = request.page_size or PAGE_SIZE_MAX
    for _ in range(PAGES_MAX):
        page = await fetch(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
    raise RuntimeError(f"the list has more than {PAGES_MAX} pages")
