"""The `traceparent` that a call comes with, or a row keeps: https://www.w3.org/TR/trace-context/."""

import re
from random import getrandbits
from typing import NamedTuple, Self

HEADER = "traceparent"
SAMPLED = 1
# Later versions may append fields; the first four stay what they are.
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TraceParent(NamedTuple):
    """One span of one trace, as it is named elsewhere."""

    trace_id: int
    span_id: int
    is_sampled: bool

    @classmethod
    def read(cls, text: str | bytes | None) -> Self | None:
        """Reads a header's value; None for one that is missing or malformed, which counts as missing."""
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
            return None
        trace_id, span_id = int(found[2], 16), int(found[3], 16)
        return cls(trace_id, span_id, bool(int(found[4], 16) & SAMPLED)) if trace_id and span_id else None

    @classmethod
    def unsampled(cls) -> Self:
        """A trace that nobody records: whoever is called learns that the decision is made."""
        return cls(getrandbits(128) | 1, getrandbits(64) | 1, is_sampled=False)

    def __str__(self) -> str:
        """The header's value."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.is_sampled):02x}"
