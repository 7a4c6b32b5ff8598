"""What the catalog answers instead of a disc."""

from collections.abc import Iterable
from uuid import UUID

from service_runtime.errors import AlreadyExists, FailedPrecondition, NotFound


class DiscNotFound(NotFound):
    """There is no such disc."""

    reason = "DISC_NOT_FOUND"

    def __init__(self, *disc_ids: UUID) -> None:
        super().__init__(_ids(disc_ids))


class DiscDeleted(FailedPrecondition):
    """The disc is no longer on sale."""

    reason = "DISC_DELETED"

    def __init__(self, *disc_ids: UUID) -> None:
        super().__init__(_ids(disc_ids))


class DiscExists(AlreadyExists):
    """The disc_id belongs to a disc that was created with other content."""

    reason = "DISC_EXISTS"

    def __init__(self, disc_id: UUID) -> None:
        super().__init__(_ids((disc_id,)))


def _ids(disc_ids: Iterable[UUID]) -> dict[str, str]:
    return {"disc_id": ",".join(map(str, disc_ids))}
