"""Quantities by id: what a request with several lines comes down to, in every service that reads such lines."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from service_runtime.validation import Fields

FINGERPRINT_LENGTH_BYTES = 16


def read_quantities(
    fields: Fields, lines: Sequence[tuple[str, int]], *, id_name: str, lines_max: int, quantity_max: int
) -> Counter[UUID]:
    """Reads the request's `lines`, each (id, quantity), and adds up those of one id; the bound holds for the sum too."""
    quantities: Counter[UUID] = Counter()
    if not 1 <= len(lines) <= lines_max:
        fields.bad("lines", f"must have 1 to {lines_max} entries")
        return quantities
    for index, (line_id, quantity) in enumerate(lines):
        parsed_id = fields.uuid(f"lines[{index}].{id_name}", line_id)
        quantities[parsed_id] += fields.integer(f"lines[{index}].quantity", quantity, at_least=1, at_most=quantity_max)
    for parsed_id, quantity in quantities.items():
        if quantity > quantity_max and len(lines) > len(quantities):
            fields.bad("lines", f"add up to {quantity:,} of {id_name} {parsed_id}: at most {quantity_max:,}")
    return quantities


def fingerprint(quantities: Mapping[UUID, int]) -> bytes:
    """Tells these lines from others under the same id: 16 bytes of SHA-256 over the lines in the order of their ids."""
    digest = hashlib.sha256()
    for line_id in sorted(quantities):
        digest.update(line_id.bytes + quantities[line_id].to_bytes(4, "big"))
    return digest.digest()[:FINGERPRINT_LENGTH_BYTES]
