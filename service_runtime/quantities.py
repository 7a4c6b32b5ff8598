"""Quantities by id: what a request with several lines comes down to, in every service that reads such lines."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from service_runtime.uuids import uuid_from_text
from service_runtime.validation import Fields

FINGERPRINT_LENGTH_BYTES = 16
# What is asked for at about the same time is mostly the same, a copy of one disc: what follows from it is put together once.
LINES_KEPT_MAX = 1_024


class Lines(NamedTuple):
    """What is asked for: each id once, in the order in which everybody locks them, and a quantity for each."""

    ids: tuple[UUID, ...]
    quantities: tuple[int, ...]

    def fingerprint(self) -> bytes:
        """Tells these lines from others under the same id: 16 bytes of SHA-256 over the lines in their order."""
        return _fingerprint(self)


@lru_cache(maxsize=LINES_KEPT_MAX)
def _fingerprint(lines: Lines) -> bytes:
    content = b""
    for line_id, quantity in zip(lines.ids, lines.quantities, strict=True):
        content += line_id.bytes + quantity.to_bytes(4, "big")
    return hashlib.sha256(content).digest()[:FINGERPRINT_LENGTH_BYTES]


def read_lines(
    fields: Fields, lines: Sequence[tuple[str, int]], *, id_name: str, lines_max: int, quantity_max: int
) -> Lines:
    """Reads the request's `lines`, each (id, quantity), and adds up those of one id; the bound holds for the sum too."""
    asked = tuple(lines)
    # Bad lines are read once more, by who tells them apart.
    return _good_lines(asked, lines_max, quantity_max) or _read_lines(fields, asked, id_name, lines_max, quantity_max)


@lru_cache(maxsize=LINES_KEPT_MAX)
def _good_lines(lines: Sequence[tuple[str, int]], lines_max: int, quantity_max: int) -> Lines | None:
    fields = Fields()
    good = _read_lines(fields, lines, "id", lines_max, quantity_max)
    return None if fields.are_bad else good


def _read_lines(
    fields: Fields, lines: Sequence[tuple[str, int]], id_name: str, lines_max: int, quantity_max: int
) -> Lines:
    if not 1 <= len(lines) <= lines_max:
        fields.bad("lines", f"must have 1 to {lines_max} entries")
        return Lines((), ())
    quantities: dict[UUID, int] = {}
    for index, (text, quantity) in enumerate(lines):
        # The paths are put together for bad lines only: that is most of the work.
        line_id = uuid_from_text(text) or fields.uuid(f"lines[{index}].{id_name}", text)
        if not 1 <= quantity <= quantity_max:
            fields.integer(f"lines[{index}].quantity", quantity, at_least=1, at_most=quantity_max)
        quantities[line_id] = quantities.get(line_id, 0) + quantity
    if len(lines) == 1:
        return Lines(tuple(quantities), tuple(quantities.values()))
    if len(lines) > len(quantities):
        _check_sums(fields, quantities, id_name=id_name, quantity_max=quantity_max)
    ids = sorted(quantities)
    return Lines(tuple(ids), tuple([quantities[line_id] for line_id in ids]))


def _check_sums(fields: Fields, quantities: dict[UUID, int], *, id_name: str, quantity_max: int) -> None:
    for line_id, quantity in quantities.items():
        if quantity > quantity_max:
            fields.bad("lines", f"add up to {quantity:,} of {id_name} {line_id}: at most {quantity_max:,}")
