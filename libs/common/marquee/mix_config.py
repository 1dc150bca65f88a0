"""What the configs of all mixes share: signals that can be left out, to see what each is worth."""

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, field_validator

V = TypeVar("V")


class MixConfig(BaseModel):
    """`signals` are the names of the mix; a subclass sets them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signals: ClassVar[tuple[str, ...]] = ()

    without: tuple[str, ...] = ()
    """Signals that are left out; the weights of the others are learned without them."""

    @field_validator("without")
    @classmethod
    def _are_signals(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in cls.signals:
                raise ValueError(f"no signal {name}; there are {', '.join(cls.signals)}")
        return names

    def used(self, by_signal: Mapping[str, V]) -> dict[str, V]:
        """Return the entries of the signals that are not left out."""
        return {name: value for name, value in by_signal.items() if name not in self.without}
