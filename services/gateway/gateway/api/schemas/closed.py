"""Base of requests' models, closed against unknown fields."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Closed(BaseModel):
    """A body or a set of parameters: an unknown field is an error that names the nearest one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @classmethod
    def public_name(cls, field: str) -> str:
        """Return the name of a field in requests."""
        return cls.model_fields[field].alias or field

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and not value.keys() <= _accepted(cls):
            known = [cls.public_name(field) for field in cls.model_fields]
            name = next(name for name in value if name not in _accepted(cls))
            shown = str(name).encode("utf-8", "backslashreplace").decode()
            context = {"name": shown, "known": known}
            raise PydanticCustomError("unknown_field", "unknown field {name}", context)
        return value


@cache
def _accepted(model: type[Closed]) -> frozenset[str]:
    """Return the names of fields that a request may have."""
    fields = model.model_fields
    names = frozenset(map(model.public_name, fields))
    return names | fields.keys() if model.model_config.get("populate_by_name") else names
