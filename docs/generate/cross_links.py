"""Links between what the page of the API tells of: names in comments lead to where they are told of."""

import re
from collections.abc import Iterator, Mapping, Sequence

from docs.generate.protos import ProtoFile
from docs.generate.reasons import reasons_of
from service_runtime.errors import InvalidArgument

CODE_SPAN = re.compile(r"(`[^`]*`)")
# A name of two or more words, as no English word is; or a reason.
NAME = re.compile(r"\b(?:[A-Z][a-z]+[A-Z]\w*|[A-Z][A-Z_]+[A-Z])\b")


class Links:
    """Knows the anchors of all services, methods, messages and enums, and of all reasons."""

    def __init__(self, files: Sequence[ProtoFile]) -> None:
        self._known = {
            file.package: {name: anchor for other in files for name, anchor in _anchors(other)} for file in files
        }
        # A name that several packages have means the one of the package that it stands in.
        for file in files:
            self._known[file.package] |= dict(_anchors(file))
        for package, known in self._known.items():
            known |= {reason.name: f"{service_of(package)}.{reason.name}" for reason in reasons_of(service_of(package))}
            # It is the name of a code as well, and stands wherever anything may be wrong.
            del known[InvalidArgument.reason]

    def to(self, file: ProtoFile, name: str, shown: str) -> str:
        """Link to something of the file's package."""
        return f"[{shown}](#{file.package}.{name})"

    def to_type(self, full_name: str) -> str:
        """Link to a message or enum by its full name, `.recordshop.order.v1.Order`; one that is not ours is only named."""
        name = full_name.removeprefix(".")
        short = name.rpartition(".")[2]
        return f"[{short}](#{name})" if name.startswith("recordshop.") else f"`{name}`"

    def in_text(self, text: str, file: ProtoFile, *, apart_from: str = "") -> str:
        """Make links of the names in a comment, apart from its own; code stays as it is."""
        known = self._known[file.package]
        parts = CODE_SPAN.split(text)
        # Every second part is a code span.
        parts[::2] = [NAME.sub(lambda found: _linked(found[0], known, apart_from), part) for part in parts[::2]]
        return "".join(parts)


def _linked(name: str, known: Mapping[str, str], apart_from: str) -> str:
    return f"[{name}](#{known[name]})" if name in known and name != apart_from else name


def service_of(package: str) -> str:
    """Tell the service of a package, as in `recordshop.order.v1`."""
    return package.split(".")[1]


def _anchors(file: ProtoFile) -> Iterator[tuple[str, str]]:
    """Give each short name of a file its anchor."""
    services = [service for service, _ in file.services()]
    names = [
        *(name for name, *_ in file.messages()),
        *(name for name, *_ in file.enums()),
        *(service.name for service in services),
        *(f"{service.name}.{method.name}" for service in services for method in service.method),
    ]
    return ((name.rpartition(".")[2], f"{file.package}.{name}") for name in names)
