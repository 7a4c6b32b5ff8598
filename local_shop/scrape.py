"""The metrics of a running service, read once, and what changed from one reading to the next."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 2.0
MS_PER_S = 1_000

Sample = tuple[Mapping[str, str], float]
# Services of this machine are asked directly, whatever proxy the environment names.
_opener = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Scrape:
    """What one service's metrics said at a moment of the monotonic clock, by the names of samples."""

    at_s: float
    samples: Mapping[str, list[Sample]]

    @classmethod
    def read(cls, url: str) -> "Scrape":
        """Ask a service; OSError if it does not answer."""
        with _opener.open(url, timeout=TIMEOUT_S) as answer:
            return cls.of(answer.read().decode())

    @classmethod
    def of(cls, text: str) -> "Scrape":
        """Read Prometheus' text format."""
        samples: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return cls(time.monotonic(), samples)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of this name that have these labels; 0 of none."""
        return sum(value for _, value in self._with(name, labels))

    def buckets(self, name: str, **labels: str) -> dict[float, float]:
        """Return a histogram's counts by their upper bounds, each with all below it."""
        counts: dict[float, float] = {}
        for found, value in self._with(f"{name}_bucket", labels):
            bound = float(found["le"])
            counts[bound] = counts.get(bound, 0.0) + value
        return counts

    def _with(self, name: str, labels: Mapping[str, str]) -> Iterator[Sample]:
        for found, value in self.samples.get(name, ()):
            if labels.items() <= found.items():
                yield found, value


@dataclass(frozen=True)
class Change:
    """Two readings of one service; where a service began anew in between, it has counted from 0."""

    before: Scrape
    after: Scrape

    def rate(self, name: str, **labels: str) -> float:
        """Return how much a counter rose, a second."""
        return self._rise(name, **labels) / max(self.after.at_s - self.before.at_s, 0.001)

    def mean(self, name: str, **labels: str) -> float | None:
        """Return a histogram's mean over what was observed in between; None if nothing was."""
        count = self._rise(f"{name}_count", **labels)
        return self._rise(f"{name}_sum", **labels) / count if count else None

    def quantile_ms(self, name: str, share: float, **labels: str) -> float | None:
        """Return the milliseconds that `share` did not exceed, as Prometheus' histogram_quantile does; None if nothing was observed."""
        earlier = self.before.buckets(name, **labels)
        later = self.after.buckets(name, **labels)
        if any(later.get(bound, 0.0) < count for bound, count in earlier.items()):
            earlier = {}
        counts = [(bound, count - earlier.get(bound, 0.0)) for bound, count in sorted(later.items())]
        if not counts or not counts[-1][1]:
            return None
        wanted = share * counts[-1][1]
        below, lower = 0.0, 0.0
        for bound, count in counts:
            if count >= wanted and count > below:
                upper = lower if bound == float("inf") else bound
                return (lower + (upper - lower) * (wanted - below) / (count - below)) * MS_PER_S
            below, lower = count, bound
        return None

    def _rise(self, name: str, **labels: str) -> float:
        earlier, later = self.before.total(name, **labels), self.after.total(name, **labels)
        return later - earlier if later >= earlier else later
