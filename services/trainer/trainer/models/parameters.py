"""Parameters of a training: `params.yaml`, with the seed and one section a model."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from marquee.domain.models import MODEL_NAMES
from marquee.errors import SettingsError

FILE = Path("params.yaml")
"""The default of the setting `params`; without it the models' defaults apply."""

C = TypeVar("C", bound=BaseModel)


@dataclass(frozen=True)
class TrainingParameters:
    """The seed, and the values that differ from the defaults of each model's config."""

    seed: int = 1
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = str(FILE)

    def config(self, model: str, kind: type[C]) -> C:
        """Return the config of a model.

        Raises:
            SettingsError: A key is unknown or a value invalid; the error names the key.
        """
        section = self.sections.get(model, {})
        _check_keys(section, kind, f"{self.source}: {model}")
        try:
            return kind.model_validate(filled(kind(), section))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join((model, *map(str, first["loc"])))
            raise SettingsError(f"{self.source}: {key}: {first['msg']}", key) from None

    def changed(self, model: str, values: Mapping[str, Any]) -> "TrainingParameters":
        """Return a copy with other values in the section of a model."""
        section = {**self.sections.get(model, {}), **values}
        return replace(self, sections={**self.sections, model: section})


def read_parameters(path: Path = FILE) -> TrainingParameters:
    """Read the parameters of a file; without a file at the default path, return the defaults.

    Raises:
        SettingsError: The file cannot be read, or a key or the seed is invalid.
    """
    if path == FILE and not path.exists():
        return TrainingParameters()
    try:
        sections = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}", "params") from None
    if not isinstance(sections, dict):
        raise SettingsError(f"{path}: expected the seed and one section a model", "params")
    for key in sections:
        _known(str(key), ("seed", *MODEL_NAMES), str(path))
    seed = sections.pop("seed", 1)
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise SettingsError(f"{path}: seed: a whole number from 0 to {2**32 - 1}", "seed")
    return TrainingParameters(
        seed, {name: _section(path, name, v) for name, v in sections.items()}, str(path)
    )


def filled(default: BaseModel, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a config, with those of a section replaced at any depth.

    Validating the section alone would reset the other values of an inner section to the defaults of
    their class.
    """
    values = {name: getattr(default, name) for name in type(default).model_fields}
    for key, value in section.items():
        inner = values.get(key)
        if isinstance(inner, BaseModel) and isinstance(value, Mapping):
            value = filled(inner, value)
        values[key] = value
    return values


def _section(path: Path, name: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: {name}: expected keys and values", name)
    return value


def _check_keys(section: Mapping[str, Any], kind: type[BaseModel], where: str) -> None:
    for key, value in section.items():
        _known(str(key), kind.model_fields, where)
        inner = kind.model_fields[key].annotation
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            _check_keys(value, inner, f"{where}.{key}")


def _known(key: str, known: Iterable[str], where: str) -> None:
    names = list(known)
    if key not in names:
        near = difflib.get_close_matches(key, names, 1, 0.0) or ["nothing"]
        raise SettingsError(f"{where}: unknown key {key}; the nearest is {near[0]}", key)
