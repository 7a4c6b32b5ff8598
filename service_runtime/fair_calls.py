"""How many calls one caller may have running, so that something is left for the others."""

from collections import Counter

from service_runtime.access_settings import FairnessSettings
from service_runtime.callers import caller_name
from service_runtime.errors import RETRY_AFTER_S, ShareUsedUp
from service_runtime.roles import SERVICE_PREFIX


class TooManyCalls(ShareUsedUp):
    """The caller has too many calls running, and nothing was done: ask again when one of them has ended."""

    reason = "TOO_MANY_CALLS"

    def __init__(self) -> None:
        super().__init__(retry_after_s=RETRY_AFTER_S)


class FairCalls:
    """Counts the calls that each caller has running. Services are not limited: they call for everybody, and have limits of their own."""

    def __init__(self, *, running_max: int) -> None:
        self._running_max = running_max
        self._running: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._running)

    def begin(self) -> str:
        """Counts a call of the current caller's, and answers who that is; raises TooManyCalls if as many run already."""
        caller = caller_name()
        if self._running[caller] >= self._running_max and not caller.startswith(SERVICE_PREFIX):
            raise TooManyCalls
        self._running[caller] += 1
        return caller

    def end(self, caller: str) -> None:
        """Counts off a call that was counted for the caller."""
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]


def open_fair_calls(settings: FairnessSettings) -> FairCalls | None:
    """Makes what counts the calls of each caller; None where nobody is limited."""
    return FairCalls(running_max=settings.calls_of_a_caller_max) if settings.calls_of_a_caller_max else None
