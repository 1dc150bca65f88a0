"""Slices of each protocol: how much of a test user's history is known, and in which order."""

from dataclasses import dataclass

from marquee.domain.recommendation import Route
from trainer.report.model import Protocol


@dataclass(frozen=True)
class Slice:
    """Cases by the shown part of a user's history: `given` movies, or a `share` of the ratings.

    Returning users after a cut show all that is before it. `viewed`: movies are shown without their
    ratings. `draws`: fold-ins a user, of random ones; an order of time has one. `route`: the route
    that the gateway takes with that much.
    """

    name: str
    route: Route
    given: int = 0
    share: float = 0.0
    viewed: bool = False
    draws: int = 2
    at_least: int = 2
    """Least number of ratings of the slice's users."""
    protocol: Protocol = Protocol.RANDOM

    @property
    def of_returning(self) -> bool:
        """Whether all ratings before a cut are shown."""
        return self.protocol is Protocol.CUT and not self.given

    def size(self, n: int) -> int:
        """Return how many of n ratings are shown."""
        return int(self.share * n) if self.share else self.given


def _slices(protocol: Protocol, lead: str) -> tuple[Slice, ...]:
    """Return the slices of a protocol that shows users by number of ratings; `lead` names them."""
    by_ratings = {
        Route.HYBRID: (1, 3) if protocol is Protocol.FIRST else (1, 2, 3, 4),
        Route.USER_CLUSTER: (5, 10, 15),
        Route.NEURAL: (20, 30, 50),
    }
    return (
        *(
            Slice(f"{lead}{n} viewed", Route.SIMILAR, n, viewed=True, protocol=protocol)
            for n in (1, 3)
        ),
        *(
            # Few draws and some ratings to find, where a history is long.
            Slice(f"{lead}{n}", route, n, draws=1, at_least=n + 5, protocol=protocol)
            if route is Route.NEURAL
            else Slice(f"{lead}{n}", route, n, protocol=protocol)
            for route, numbers in by_ratings.items()
            for n in numbers
        ),
        Slice(
            f"{lead}80 % of 20+",
            Route.NEURAL,
            share=0.8,
            draws=1,
            at_least=20,
            protocol=protocol,
        ),
    )


FIRST = _slices(Protocol.FIRST, "first ")
AFTER_CUT = (
    Slice("new: first 3", Route.HYBRID, given=3, protocol=Protocol.CUT),
    Slice("new: first 20", Route.NEURAL, given=20, protocol=Protocol.CUT),
    Slice("returning", Route.NEURAL, protocol=Protocol.CUT),
)
RANDOM = _slices(Protocol.RANDOM, "")

SLICES = (*FIRST, *AFTER_CUT, *RANDOM)
"""All slices, those in the order of time first."""

_QUICK_SIZES = ("3 viewed", "1", "3", "5", "10", "80 % of 20+")
_QUICK_NAMES = {*_QUICK_SIZES, *(f"first {size}" for size in (*_QUICK_SIZES, "20"))}
QUICK = tuple(user_slice for user_slice in SLICES if user_slice.name in _QUICK_NAMES)
"""Slices of a first look and of the gate of publication: users of a fold, in both orders."""
