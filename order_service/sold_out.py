"""Which discs have probably run out."""

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from order_service.model import OrderDraft, Refused, RejectionReason, StockAnswer

DISCS_KEPT_MAX = 10_000


class SoldOutDiscs:
    """Remembers of which discs too few copies were left lately.

    It chooses the way that an order goes, and never the answer: whoever goes the short way is told by the catalog as of now.
    """

    def __init__(self) -> None:
        self._disc_ids: OrderedDict[UUID, None] = OrderedDict()

    def suspects(self, draft: OrderDraft) -> bool:
        """Whether an order will probably be refused. Those of several discs go the usual way: one answer decides all their lines."""
        disc_ids = draft.lines.ids
        return len(disc_ids) == 1 and disc_ids[0] in self._disc_ids

    def learn(self, disc_ids: Sequence[UUID], answer: StockAnswer) -> None:
        """Takes note of what became of an order of these discs."""
        if len(disc_ids) > 1:
            return
        if isinstance(answer, Refused) and answer.reason is RejectionReason.OUT_OF_STOCK:
            self._disc_ids[disc_ids[0]] = None
            if len(self._disc_ids) > DISCS_KEPT_MAX:
                self._disc_ids.popitem(last=False)
        elif self._disc_ids:
            self._disc_ids.pop(disc_ids[0], None)
