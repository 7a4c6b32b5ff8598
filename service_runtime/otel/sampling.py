"""Which calls are traced: decided where a call enters the process, before any span is made."""

import random

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from service_runtime.trace_parent import TraceParent

# Trace ids are compared by their last 64 bits, as all SDKs do it, so that everybody who decides by the id decides alike.
BITS = 64
LAST_BITS = (1 << BITS) - 1
SHARES = {"always_on": 1.0, "always_off": 0.0}
PARENT_BASED = "parentbased_"


class Sampling:
    """Decides as OTEL_TRACES_SAMPLER says, with a share of 0 to 1: by whoever calls if that is known and counts, else by the trace id."""

    def __init__(self, *, sampler: str, share: float) -> None:
        self._follows_parents = sampler.startswith(PARENT_BASED)
        self._share = SHARES.get(sampler.removeprefix(PARENT_BASED), share)
        self.bound = round(self._share * (1 << BITS))

    def wants(self, parent: TraceParent | None) -> bool:
        """Whether a call is traced that comes with this parent, or with none."""
        if parent is None:
            return random.random() < self._share  # noqa: S311 - a sample, not a secret.
        return parent.is_sampled if self._follows_parents else parent.trace_id & LAST_BITS < self.bound


class SampledIds(RandomIdGenerator):
    """Makes the ids of traces that were chosen to be recorded: such as whoever decides by the id would choose."""

    def __init__(self, bound: int) -> None:
        self._bound = bound

    def generate_trace_id(self) -> int:
        """Makes the id of a new trace."""
        return random.getrandbits(BITS) << BITS | random.randrange(1, max(self._bound, 2))  # noqa: S311 - no secret.
