"""What settings are made of: types with bounds, and the class that all of them extend."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service_runtime.secret_files import with_secrets_read

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Address = Annotated[str, StringConstraints(pattern=r"^[^\s:]+:[0-9]{1,5}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
SanList = Annotated[str, StringConstraints(pattern=r"^[a-z]+=[^\s,=]+(,[a-z]+=[^\s,=]+)*$")]


class DocumentedSettings(BaseSettings):
    """Each setting is described by the docstring right under it, which docs/configuration.md is made from."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _secrets_may_be_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        return with_secrets_read(cls.model_fields, given)
