"""What a query of Prometheus' asks for: the names of its metrics."""

import re

STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
SELECTORS_AND_RANGES = re.compile(r"\{[^}]*\}|\[[^\]]*\]")
GROUPINGS = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
# Words of the language and functions, which a parenthesis follows, are no metrics.
NAMES = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*\b(?!\s*\()")
OPERATORS = frozenset({"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"})


def metrics_of(query: str) -> set[str]:
    """Return the names of the samples that the query reads."""
    bare = GROUPINGS.sub(" ", SELECTORS_AND_RANGES.sub(" ", STRINGS.sub('""', query)))
    return set(NAMES.findall(bare)) - OPERATORS
