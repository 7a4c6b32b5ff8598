"""Secrets that a file may hold instead of a variable: no list of processes and no dump of an environment shows them then."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

SECRET_SIZE_MAX_BYTES = 4_096
SUFFIX = "_file"


class Fault(NamedTuple):
    """Stands where a secret should, so that it is reported together with whatever else is wrong."""

    text: str


def _or_its_fault(value: Any) -> Any:
    if isinstance(value, Fault):
        raise ValueError(value.text)  # noqa: TRY004 - pydantic reports a ValueError.
    return value


# A setting of this kind that has another one beside it, named the same with `_file` behind, may be given by either.
Secret = Annotated[SecretStr, BeforeValidator(_or_its_fault)]


def with_secrets_read(fields: Mapping[str, FieldInfo], given: Mapping[str, Any]) -> dict[str, Any]:
    """Puts the content of `<name>_file` where `<name>` is missing, or a Fault: both are given, or neither that is needed, or a bad file."""
    read = dict(given)
    for name, field in fields.items():
        if field.annotation is SecretStr and name + SUFFIX in fields:
            secret = _secret(name.upper(), given.get(name), given.get(name + SUFFIX), is_needed=field.is_required())
            read |= {} if secret is None else {name: secret}
    return read


def _secret(variable: str, value: Any, path: Any, *, is_needed: bool) -> Any:
    if path is None:
        missing = Fault(f"{variable} is missing: give it, or {variable}_FILE")
        return missing if value is None and is_needed else value
    if value:
        return Fault(f"{variable} and {variable}_FILE are both given: leave one out")
    try:
        return read_secret(Path(path))
    except (OSError, ValueError) as error:
        return Fault(f"{variable}_FILE cannot be used: {type(error).__name__}")


def read_secret(path: Path) -> str:
    """Answers what the file holds, without the end of its last line; raises OSError, or ValueError if that is nothing or too much."""
    with path.open("rb") as file:
        content = file.read(SECRET_SIZE_MAX_BYTES + 1)
    text = content.decode().rstrip("\r\n")
    if not text or len(content) > SECRET_SIZE_MAX_BYTES:
        raise ValueError("is empty, or too long")
    return text
