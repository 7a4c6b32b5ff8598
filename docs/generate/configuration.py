"""docs/configuration.md, made from the services' settings classes and the list of what is set elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from pydantic_settings import BaseSettings

from catalog_service.settings import CatalogSettings
from customer_service.settings import CustomerSettings
from docs.generate.elsewhere import ELSEWHERE
from docs.generate.markdown import link_to, sentences, table
from docs.generate.setting import Setting, settings_of
from order_service.settings import OrderSettings

SERVICES: Mapping[str, type[BaseSettings]] = MappingProxyType(
    {"catalog": CatalogSettings, "customer": CustomerSettings, "order": OrderSettings}
)
INTRODUCTION = """\
<!-- Made by `make docs` from the settings classes; changes belong there, and into docs/generate/. -->

# Settings

A service reads its settings from environment variables, once, when it starts. It names all that are wrong together on stderr, without their
values, and ends with 2. Times are in seconds, and may be fractions. Limits are of one worker: a service with `WORKERS=4` has each of them
four times, and its replicas have them again.

`make run`, `make demo` and `docker compose up` set what a service needs; to run one by itself, give it at least what is required here.
"""


def render() -> str:
    """Return the page."""
    return INTRODUCTION + "".join(_sections())


def shared_classes() -> Sequence[type[BaseSettings]]:
    """Return the classes that the services' own ones inherit settings from, those first that come first there."""
    found: dict[type[BaseSettings], None] = {}
    for kind in SERVICES.values():
        found |= dict.fromkeys(base for base in kind.__mro__[1:] if _declares(base))
    return list(found)


def _sections() -> Iterator[str]:
    for service, kind in SERVICES.items():
        others = [link_to(_title(shared)) for shared in shared_classes() if issubclass(kind, shared)]
        yield f"\n## {service.capitalize()} service\n\nIts own settings. It has the {_listed(others)} too.\n\n"
        yield _settings_table([setting for setting in settings_of(kind) if setting.is_declared_by(kind)])
    for shared in shared_classes():
        having = [(service, kind) for service, kind in SERVICES.items() if issubclass(kind, shared)]
        whose = (
            "All services." if len(having) == len(SERVICES) else f"Services: {_listed([name for name, _ in having])}."
        )
        yield f"\n## {_title(shared)}\n\n{whose} {sentences(shared.__doc__ or '')}\n\n"
        yield _settings_table([setting for setting in settings_of(having[0][1]) if setting.is_declared_by(shared)])
    for title, (words, variables) in ELSEWHERE.items():
        yield f"\n## {title}\n\n{words}\n\n"
        yield table(
            ("variable", "default", "what it does"), [(f"`{each.name}`", each.default, each.text) for each in variables]
        )


def _settings_table(settings: Sequence[Setting]) -> str:
    head = ("variable", "value", "default", "what it does")
    return table(head, [(f"`{each.variable}`", each.value, each.default, each.description) for each in settings])


def _declares(kind: type) -> bool:
    return issubclass(kind, BaseSettings) and bool(set(kind.__annotations__) & set(kind.model_fields))


def _title(shared: type[BaseSettings]) -> str:
    return f"{shared.__name__.removesuffix('Settings')} settings"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
