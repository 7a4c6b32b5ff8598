"""How many calls a round takes, so that it lasts about as long as it should whatever is measured on whatever machine."""

CALLS_OF_A_CLIENT_MIN = 2
CALLS_MIN = 20


def shared_evenly(calls: int, clients: int) -> int:
    """Return about so many calls: as many for each client, and some at least."""
    return max(calls // clients, CALLS_OF_A_CLIENT_MIN) * clients


class Pace:
    """Learns from each round how many calls fit into the next one: as many for each client, some at least, and about calls_max at most."""

    def __init__(self, *, seconds: float, clients: int, calls_max: int) -> None:
        self._seconds = seconds
        self._clients = clients
        self._calls_max = calls_max
        self.calls = self._for_all_clients(CALLS_MIN)

    def learn(self, calls: int, seconds: float) -> None:
        """Note that so many calls took so long."""
        self.calls = self._for_all_clients(int(calls / seconds * self._seconds) if seconds > 0 else self._calls_max)

    def _for_all_clients(self, calls: int) -> int:
        return shared_evenly(min(calls, self._calls_max), self._clients)
