"""The page of settings: complete, and silent about secrets."""

import re
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from docs.generate.configuration import SERVICES
from docs.generate.elsewhere import COMPOSE, MAKE
from docs.generate.setting import settings_of
from service_runtime.base_settings import DocumentedSettings

ROOT = Path(__file__).parents[3]
HOW_TO_DESCRIBE = (
    "A string literal right under the field says what it does; the class inherits from service_runtime.settings."
    "DocumentedSettings. Then run `make docs`."
)
HOW_TO_ADD = "Add it to docs/generate/elsewhere.py, then run `make docs`."
PROGRAMS = ("local_shop", "benchmarks", "tests/chaos", "tests/failover", "tests/load")
# A variable that a command of the project takes from whoever runs it.
READ_BY_PYTHON = re.compile(
    r'envvar="([A-Z_]+)"|environ\.get\("([A-Z_]+)"|^[A-Z_]+_VARIABLE = "([A-Z_]+)"', re.MULTILINE
)
BETWEEN_OUR_PROCESSES = {"BENCH_PROPS", "ECHO_ADDR"}


class Mode(StrEnum):
    FAST = "fast"
    SAFE = "safe"


class Example(DocumentedSettings):
    """Settings of every kind."""

    model_config = SettingsConfigDict(env_prefix="example_")

    password: SecretStr = SecretStr("hunter2")
    """A secret."""
    is_open: bool = True
    """A switch."""
    mode: Mode = Mode.SAFE
    """A choice."""
    share: float = Field(default=0.5, ge=0, lt=1)
    """A number."""
    limit: int | None = None
    """A number, or none."""
    endpoint: str = Field(default="", validation_alias="OTHER_ENDPOINT")
    """A text."""


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_says_what_it_does(service: str) -> None:
    silent = [setting.variable for setting in settings_of(SERVICES[service]) if not setting.description]
    assert not silent, f"Without a word: {', '.join(silent)}. {HOW_TO_DESCRIBE}"


def test_settings_of_every_kind_are_shown_and_a_secrets_default_is_not() -> None:
    assert [(each.variable, each.value, each.default) for each in settings_of(Example)] == [
        ("EXAMPLE_PASSWORD", "secret text", "not shown"),
        ("EXAMPLE_IS_OPEN", "true or false", "`true`"),
        ("EXAMPLE_MODE", "`fast` or `safe`", "`safe`"),
        ("EXAMPLE_SHARE", "number at least 0, below 1", "`0.5`"),
        ("EXAMPLE_LIMIT", "whole number or nothing", "none"),
        ("OTHER_ENDPOINT", "text", "none"),
    ]


def test_every_variable_of_the_commands_is_listed_and_no_other() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for program in PROGRAMS for path in (ROOT / program).rglob("*.py")]
    read = {name for source in sources for found in READ_BY_PYTHON.findall(source) for name in found if name}
    read |= set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    listed = {variable.name for variable in MAKE}
    missing = read - listed - BETWEEN_OUR_PROCESSES
    assert not missing, f"Not on the page of settings: {', '.join(sorted(missing))}. {HOW_TO_ADD}"
    everything = makefile + "".join(sources)
    assert [name for name in sorted(listed) if not re.search(rf"\b{name}\b", everything)] == []


def test_every_variable_of_compose_is_listed_with_its_default() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "compose").rglob("*.y*ml")]
    read = {found for source in sources for found in re.findall(r"\$\{([A-Z_]+)(?::?[-?]([^}]*))?", source)}
    listed = {variable.name: variable.default for variable in COMPOSE}
    missing = {name for name, _ in read} - set(listed)
    assert not missing, f"Not on the page of settings: {', '.join(sorted(missing))}. {HOW_TO_ADD}"
    assert set(listed) == {name for name, _ in read}
    wrong = [name for name, default in read if listed[name] not in (f"`{default}`" if default else "none", "not shown")]
    assert wrong == []
    assert [name for name, default in listed.items() if "PASSWORD" in name and default != "not shown"] == []
