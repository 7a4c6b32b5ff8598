"""One setting, as people need it: its variable, what may stand in it, its default, and what it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

NAMES = {"boolean": "true or false", "array": "JSON list", "object": "JSON object", "null": "nothing"}


@dataclass(frozen=True)
class Setting:
    """A setting of a service; `description` is empty where nobody wrote one."""

    field: str
    variable: str
    value: str
    default: str
    description: str

    def is_declared_by(self, kind: type[BaseSettings]) -> bool:
        """Tell whether a class declares the setting itself."""
        return self.field in kind.__annotations__


def settings_of(kind: type[BaseSettings]) -> Sequence[Setting]:
    """Read all settings of a class, inherited ones too."""
    schema = kind.model_json_schema(by_alias=False)
    kinds = schema.get("$defs", {})
    return [
        Setting(
            field=name,
            variable=_variable(kind, name, field),
            value=_value(schema["properties"][name], kinds),
            default=_default(schema["properties"][name], field),
            description=field.description or "",
        )
        for name, field in kind.model_fields.items()
    ]


def _variable(kind: type[BaseSettings], name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        alias = next((choice for choice in alias.choices if isinstance(choice, str)), None)
    prefixed = f"{kind.model_config.get('env_prefix', '')}{name}"
    return (alias if isinstance(alias, str) else prefixed).upper()


def _value(shape: Mapping[str, Any], kinds: Mapping[str, Any]) -> str:
    """Say in words what a JSON schema lets in."""
    if "$ref" in shape:
        return _value(kinds[shape["$ref"].rpartition("/")[2]], kinds)
    if "anyOf" in shape:
        return " or ".join(_value(each, kinds) for each in shape["anyOf"])
    if "const" in shape or "enum" in shape:
        return " or ".join(f"`{choice}`" for choice in shape.get("enum", [shape.get("const")]))
    return _plain(shape)


def _plain(shape: Mapping[str, Any]) -> str:
    match shape:
        case {"writeOnly": True}:
            return "secret text"
        case {"type": "integer" | "number" as kind}:
            return f"{'whole number' if kind == 'integer' else 'number'} {_bounds(shape)}".strip()
        case {"pattern": pattern}:
            return f"text like `{pattern}`"
        case {"minLength": _}:
            return "text, not empty"
        case _:
            return NAMES.get(shape.get("type", ""), "text")


def _bounds(shape: Mapping[str, Any]) -> str:
    if "minimum" in shape and "maximum" in shape:
        return f"from {shape['minimum']:,} to {shape['maximum']:,}"
    words = (
        ("exclusiveMinimum", "over"),
        ("minimum", "at least"),
        ("exclusiveMaximum", "below"),
        ("maximum", "at most"),
    )
    return ", ".join(f"{word} {shape[key]:,}" for key, word in words if key in shape)


def _default(shape: Mapping[str, Any], field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if shape.get("writeOnly"):
        return "not shown"
    match shape.get("default"):
        case None | "" | []:
            return "none"
        case bool(default):
            return f"`{str(default).lower()}`"
        case float(default):
            return f"`{default:g}`"
        case default:
            return f"`{default}`"
