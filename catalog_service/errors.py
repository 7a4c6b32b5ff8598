"""What the catalog answers instead of a disc. Their metadata holds `disc_id`: one id, or several separated by commas."""

from service_runtime.errors import AlreadyExists, FailedPrecondition, NotFound


class DiscNotFound(NotFound):
    """There is no such disc."""

    reason = "DISC_NOT_FOUND"


class DiscDeleted(FailedPrecondition):
    """The disc is no longer on sale."""

    reason = "DISC_DELETED"


class DiscExists(AlreadyExists):
    """The disc_id belongs to a disc that was created with other content."""

    reason = "DISC_EXISTS"
