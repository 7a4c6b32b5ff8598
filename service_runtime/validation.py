"""Reading a request's fields once, at the edge, and naming all bad ones together."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from google.protobuf import field_mask_pb2

from service_runtime.errors import InvalidArgument, Violation
from service_runtime.uuids import NO_UUID, uuid_from_text

CALLER_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
ETAG_LENGTH_MAX = 64
PAGE_TOKEN_LENGTH_MAX = 1024
PATH_SHOWN_MAX = 64


class Fields:
    """Collects violations while a request is read.

    A reader that meets a bad value notes it and returns a harmless value of the right type, so that reading goes on; `reading_fields`
    raises before anybody can use such a value.
    """

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def bad(self, field: str, description: str) -> None:
        """Notes that a field is bad."""
        self._violations.append(Violation(field, description))

    @property
    def are_bad(self) -> bool:
        """Whether anything was noted."""
        return bool(self._violations)

    def raise_if_bad(self) -> None:
        """Raises InvalidArgument with all that was noted."""
        if self._violations:
            raise InvalidArgument(self._violations)

    def uuid(self, field: str, value: str) -> UUID:
        """Reads a required UUID in its canonical form of 36 characters."""
        parsed = uuid_from_text(value)
        if parsed is None:
            self.bad(field, "must be a UUID, and not the nil one" if value else "is required and must be a UUID")
            return NO_UUID
        return parsed

    def optional_uuid(self, field: str, value: str) -> UUID | None:
        """Reads a UUID that may be left out."""
        return self.uuid(field, value) if value else None

    def uuids(self, field: str, values: Iterable[str], *, count_min: int, count_max: int) -> list[UUID]:
        """Reads a list of UUIDs."""
        given = list(values)
        if not count_min <= len(given) <= count_max:
            self.bad(field, f"must have {count_min} to {count_max} entries")
            return []
        # The paths are put together for bad ones only.
        return [uuid_from_text(value) or self.uuid(f"{field}[{index}]", value) for index, value in enumerate(given)]

    def caller_id(self, field: str, value: str) -> str:
        """Reads an id that a caller chose: 1 to 64 of `A-Za-z0-9._:-`."""
        if not CALLER_ID.fullmatch(value):
            self.bad(field, "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -")
        return value

    def text(self, field: str, value: str, *, length_max: int) -> str:
        """Reads a required text of 1 to length_max characters, without NUL, not blank."""
        if "\0" in value:
            self.bad(field, "must not contain NUL")
        elif not value.strip():
            self.bad(field, "is required and must not be blank")
        elif len(value) > length_max:
            self.bad(field, f"must have at most {length_max} characters")
        return value

    def optional_text(self, field: str, value: str, *, length_max: int) -> str:
        """Reads a text that may be empty."""
        if "\0" in value:
            self.bad(field, "must not contain NUL")
        elif len(value) > length_max:
            self.bad(field, f"must have at most {length_max} characters")
        return value

    def integer(self, field: str, value: int, *, at_least: int, at_most: int) -> int:
        """Reads a number within bounds."""
        if not at_least <= value <= at_most:
            self.bad(field, f"must be from {at_least:,} to {at_most:,}")
        return value

    def etag(self, field: str, value: str) -> str:
        """Reads an etag; empty means that the caller does not ask."""
        return self.optional_text(field, value, length_max=ETAG_LENGTH_MAX)

    def page_size(self, field: str, value: int, *, default: int, largest: int) -> int:
        """Reads a page size: 0 is the default, more than the largest counts as the largest (AIP-158)."""
        if value < 0:
            self.bad(field, "must not be negative")
        return min(value or default, largest)

    def mask(
        self, field: str, mask: field_mask_pb2.FieldMask, *, editable: Iterable[str], populated: Iterable[str]
    ) -> frozenset[str]:
        """Reads an update mask: `*` means all editable fields, none means those that are populated (AIP-134)."""
        allowed = frozenset(editable)
        if not mask.paths:
            return frozenset(populated)
        if list(mask.paths) == ["*"]:
            return allowed
        for path in mask.paths:
            if path not in allowed:
                self.bad(field, f"{path[:PATH_SHOWN_MAX]!a} is not one of {', '.join(sorted(allowed))}")
        return allowed.intersection(mask.paths)


@contextmanager
def reading_fields() -> Iterator[Fields]:
    """Raises InvalidArgument at its end if any field that was read inside is bad."""
    fields = Fields()
    yield fields
    fields.raise_if_bad()
