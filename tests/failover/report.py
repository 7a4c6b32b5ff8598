"""What a run says: failover.json, and its last line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_shop.audit import ShopAudit
from recordshop.order.v1 import order_pb2
from tests.failover.counting import Acknowledged, longest_silence_s, lost_orders, within
from tests.failover.events import Happened


@dataclass(frozen=True, kw_only=True)
class Result:
    """All that was seen: `found` are the orders that the shop has at the end, by their ids."""

    happened: Sequence[Happened]
    acknowledged: Sequence[Acknowledged]
    found: Mapping[str, order_pb2.Order]
    wrong_answers: Mapping[str, int]
    audit: ShopAudit
    versions: Mapping[str, str]

    @property
    def lost(self) -> int:
        """How many acknowledged orders are not there, or are with other content."""
        return len(lost_orders(self.acknowledged, self.found))

    @property
    def is_well(self) -> bool:
        """Whether nothing is lost, the audit agrees, and nobody got an answer that is wrong."""
        return not self.lost and self.audit.agrees and not self.wrong_answers

    @property
    def longest_s(self) -> float:
        """The longest time without an acknowledgement, of all events."""
        return max(self._silence_s(event) for event in self.happened)

    @property
    def verdict(self) -> str:
        """The last line."""
        return (
            f"FAILOVER {'OK' if self.is_well else 'FAILED'} events={len(self.happened)} "
            f"acknowledged={_count(self.acknowledged)} lost={self.lost} longest={self.longest_s:.1f}s"
        )

    def as_json(self) -> str:
        """Return the figures."""
        figures = {
            "events": [self._figures_of(event) for event in self.happened],
            "acknowledged": _count(self.acknowledged),
            "lost": self.lost,
            "longest_s": round(self.longest_s, 2),
            "wrong_answers": dict(self.wrong_answers),
            "audit": {"discs": len(self.audit.services), "disagreements": len(self.audit.faults)},
            "versions": dict(self.versions),
        }
        return json.dumps(figures, indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Write the figures, whole or not at all."""
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(self.as_json(), encoding="utf-8")
        unfinished.replace(path)

    def line_of(self, event: Happened) -> str:
        """Return what happened in an event."""
        figures = self._figures_of(event)
        return (
            f"{event.event:<26} {figures['seconds_without_acknowledgement']:6.2f} s without acknowledgement, whole after "
            f"{figures['whole_after_s']:5.1f} s, {figures['acknowledged']:6} acknowledged, {figures['lost']} lost"
        )

    def _figures_of(self, event: Happened) -> dict[str, Any]:
        during = within(self.acknowledged, event.start_s, event.end_s)
        return {
            "event": event.event,
            "seconds_without_acknowledgement": round(self._silence_s(event), 2),
            "acknowledged": _count(during),
            "lost": len(lost_orders(during, self.found)),
            "whole_after_s": round(event.end_s - event.start_s, 1),
            "primary_before": event.primary_before,
            "primary_after": event.primary_after,
        }

    def _silence_s(self, event: Happened) -> float:
        return longest_silence_s([one.moment_s for one in self.acknowledged], event.start_s, event.end_s)


def _count(acknowledged: Sequence[Acknowledged]) -> int:
    """Count orders, of which a client may have been told more than once."""
    return len({one.order.id for one in acknowledged})
