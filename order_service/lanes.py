"""Puts the lanes together that orders go through, one for each mode."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from order_service.hybrid import HybridLane, Settling, settling_lane
from order_service.metrics import SETTLING, OrderMetrics
from order_service.model import OrderMode
from order_service.placement import GroupPlacer, IntakePlacer, LanesByMode, PlacementLane
from service_runtime.group_commit import GroupLimits
from service_runtime.metrics import GroupStats

MakeLane = Callable[[GroupPlacer | IntakePlacer, GroupLimits, GroupStats | None], PlacementLane]


class LaneMaker:
    """Makes lanes of which `stack` becomes the owner: orders are decided, queued, or opened and then decided as far as there is time."""

    def __init__(
        self,
        *,
        stack: AsyncExitStack,
        deciding: GroupPlacer,
        queueing: IntakePlacer,
        opening: IntakePlacer,
        settling: Settling,
        budget_max_s: float,
        margin_s: float,
        default: OrderMode,
        metrics: OrderMetrics | None = None,
    ) -> None:
        self._metrics = metrics
        self._stack = stack
        self._deciding = deciding
        self._queueing = queueing
        self._opening = opening
        self._settling = settling
        self._budget_max_s = budget_max_s
        self._margin_s = margin_s
        self._default = default

    async def make(self, make_lane: MakeLane, limits: GroupLimits, name: str) -> LanesByMode:
        """Makes a lane for each mode; in the metrics all of them have the name."""
        metrics = self._metrics
        enter = self._stack.enter_async_context
        # Closed last, since the other hands over to it.
        settling = await enter(settling_lane(self._settling, limits, metrics and metrics.lane(SETTLING)))
        return LanesByMode(
            {
                OrderMode.SYNC: await enter(make_lane(self._deciding, limits, metrics and metrics.lane(name))),
                OrderMode.ASYNC: await enter(make_lane(self._queueing, limits, metrics and metrics.lane(name))),
                OrderMode.HYBRID: HybridLane(
                    taking_in=await enter(make_lane(self._opening, limits, metrics and metrics.lane(name))),
                    settling=settling,
                    budget_max_s=self._budget_max_s,
                    margin_s=self._margin_s,
                ),
            },
            default=self._default,
        )
