"""A coordinate search over a model's numbers: one at a time, twice and half, while it helps."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from marquee.files import replace_file
from trainer.models.parameters import filled

LEAST_GAIN = 0.0005
"""A score must rise by so much, or a change is noise."""

Values = dict[str, Any]
"""Settings that deviate from the defaults, by their dotted keys."""


@dataclass
class Tried:
    """Scores of what was tried, in a file, so that a search that was stopped goes on."""

    path: Path
    about: str
    """What scores depend on besides the settings; scores of another are forgotten."""

    def __post_init__(self) -> None:
        self._scores: dict[str, float] = {}
        if self.path.exists():
            kept = json.loads(self.path.read_text())
            self._scores = kept["scores"] if kept["about"] == self.about else {}

    def score(self, values: Values, compute: Callable[[], float]) -> float:
        """Return the score of settings, computed and kept where it is not known."""
        key = json.dumps(values, sort_keys=True)
        if key not in self._scores:
            self._scores[key] = compute()
            kept = {"about": self.about, "scores": self._scores}
            replace_file(self.path, json.dumps(kept, indent=1) + "\n")
        return self._scores[key]


def search(
    kind: type[BaseModel],
    start: Values,
    score: Callable[[Values], float],
    say: Callable[[str], None] = lambda _words: None,
) -> tuple[Values, float]:
    """Return the best settings found from `start` on, and their score; higher is better.

    One round over all numbers of the config: a number goes on in the direction that helps.
    """
    best, reached = dict(start), score(start)
    say(f"start: {reached:.4f}")
    for key in numbers(_config(kind, start)):
        for factor in (2.0, 0.5):
            while (changed := _changed(kind, best, key, factor)) is not None:
                found = score(changed)
                say(f"{key} {changed[key]}: {found:.4f}, best {reached:.4f}")
                if found < reached + LEAST_GAIN:
                    break
                best, reached = changed, found
    return best, reached


def numbers(config: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of the numbers of a config that are not 0."""
    for key in type(config).model_fields:
        value = getattr(config, key)
        if isinstance(value, BaseModel):
            yield from numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and value:
            yield prefix + key


def nested(values: Values) -> dict[str, Any]:
    """Return dotted keys as sections in sections."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *sections, last = key.split(".")
        at = tree
        for section in sections:
            at = at.setdefault(section, {})
        at[last] = value
    return tree


def _changed(kind: type[BaseModel], values: Values, key: str, factor: float) -> Values | None:
    """Return settings with one number changed; None: the config refuses it, or it is the same."""
    value: Any = _config(kind, values)
    for part in key.split("."):
        value = getattr(value, part)
    after = round(value * factor) if isinstance(value, int) else float(f"{value * factor:.6g}")
    changed = values | {key: after}
    try:
        _config(kind, changed)
    except ValidationError:
        return None
    return changed if after != value else None


def _config(kind: type[BaseModel], values: Values) -> BaseModel:
    return kind.model_validate(filled(kind(), nested(values)))
