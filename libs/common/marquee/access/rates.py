"""Rates and durations as texts: `200/s`, `90d`."""

import re
from dataclasses import dataclass
from datetime import timedelta

from marquee.errors import InvalidInput
from marquee.settings import RATE

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_UNITS = "|".join(_SECONDS)
_DURATION = re.compile(rf"([1-9][0-9]{{0,5}})({_UNITS})")


@dataclass(frozen=True)
class Rate:
    """At most `count` requests in `seconds`, on average; `count` of them may come at once."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Return the rate that a text such as `200/s` or `1000/h` gives.

        Raises:
            InvalidInput: It is none.
        """
        found = RATE.fullmatch(text)
        if found is None:
            raise InvalidInput(f"rate: {text!r} is no rate; write one as 200/s, 1000/m or 5000/h")
        return cls(int(found[1]), _SECONDS[found[2]])

    @property
    def per_second(self) -> float:
        """Requests a second, on average."""
        return self.count / self.seconds

    def __str__(self) -> str:
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.count}/{unit}"


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text such as `90d`, `12h` or `30m` gives.

    Raises:
        InvalidInput: It is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text!r} is no duration; write one as 90d, 12h or 30m")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
