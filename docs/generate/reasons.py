"""The reasons of errors: those that each service can answer, from its classes, and what to do about them, from the README's table."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docs.generate.markdown import sentences
from service_runtime.errors import Internal, ServiceError

ROOT = Path(__file__).parents[2]
README_ROW = re.compile(r"^\| ([A-Z_]+) \| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Reason:
    """A reason as a service answers it: its status code and its message."""

    name: str
    code: str
    message: str


def reasons_of(service: str) -> Sequence[Reason]:
    """Return what a service (`catalog`) can answer, by name: the errors that its modules, and what they import, make use of."""
    sources = _sources_of(f"{service}_service.__main__")
    used = {name for source in sources.values() for name in _names_used_in(source)}
    kinds = {kind for module in sources if module != f"{service}_service.__main__" for kind in _errors_of(module)}
    answered = [
        kind for kind in kinds if kind.__name__ in used and (kind is Internal or kind.reason != Internal.reason)
    ]
    # Several classes may share a reason: what they have in common says it.
    by_reason = {kind.reason: kind for kind in sorted(answered, key=lambda kind: len(kind.__mro__), reverse=True)}
    return [Reason(name, kind.code.name, _message(kind)) for name, kind in sorted(by_reason.items())]


def remedy_of(reason: Reason) -> str:
    """Say what a client does about a reason; LookupError if the README's table of errors has no row for it, with its code."""
    text = readme_rows().get((reason.name, reason.code))
    if text is None:
        raise LookupError(
            f"README.md says nowhere what to do about {reason.name}: add a row | {reason.code} | `{reason.name}` | ... |"
        )
    return text


def readme_rows() -> Mapping[tuple[str, str], str]:
    """Read the README's table of errors: what to do, by reason and code."""
    rows = README_ROW.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    return {(name.strip("`"), code): text for code, names, text in rows for name in names.split(", ")}


def _sources_of(module: str) -> Mapping[str, ast.Module]:
    """Parse a module and all modules of the project that it leads to, stubs left out."""
    sources: dict[str, ast.Module] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _path_of(name)
        if path is None or name in sources:
            continue
        sources[name] = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(sources[name]):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return sources


def _path_of(module: str) -> Path | None:
    package = module.partition(".")[0]
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    return path if package.startswith(("catalog_", "customer_", "order_", "service_")) and path.exists() else None


def _names_used_in(source: ast.Module) -> Iterator[str]:
    for node in ast.walk(source):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def _errors_of(module: str) -> Iterator[type[ServiceError]]:
    """Find the errors that a module declares."""
    for kind in vars(importlib.import_module(module)).values():
        if isinstance(kind, type) and issubclass(kind, ServiceError) and kind.__module__ == module:
            yield kind


def _message(kind: type[ServiceError]) -> str:
    return sentences(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0])
