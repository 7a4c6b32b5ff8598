"""What keeps the benchmark from measuring."""

from local_shop.errors import LocalShopError


class BenchmarkFailed(LocalShopError):
    """A measurement could not be made."""


class NoLoadGenerator(BenchmarkFailed):
    """There is no client here that could make the load."""
