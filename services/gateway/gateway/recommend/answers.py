"""What the orchestrator is asked, and its answer with what that rests on."""

import secrets
from dataclasses import dataclass, field

from gateway.recommend.filter_stage import FilteredList, ListRequest
from gateway.state.consistency_token import Positions
from gateway.state.profiles import Profile
from gateway.upstream.models import ReplyState
from marquee.domain.recommendation import Route
from marquee.domain.routing import Decision


@dataclass(frozen=True)
class RecommendationQuery:
    """A request for recommendations: user (no id: a session), list, and positions to wait for."""

    profile: Profile
    list_request: ListRequest
    user_id: int | None = None
    after: Positions = field(default_factory=dict)
    wait: float = 0.0
    """Seconds that a service may wait for its rows to pass `after`."""
    notes: tuple[str, ...] = ()
    """What of the request was left out, in words."""
    spares: int | None = None
    """Spare movies to request; None: as many as the rules may remove or place."""


@dataclass(frozen=True)
class Fallback:
    """A route that did not fill the list, with the reason."""

    route: Route
    why: str


@dataclass(frozen=True)
class Source:
    """A service's list behind an answer: what it tells of its state, and when it was asked."""

    service: str
    state: ReplyState | None
    asked_at: float


def new_recommendation_id() -> str:
    """Return an id that no other answer has."""
    return secrets.token_urlsafe(12)


@dataclass(frozen=True)
class RecommendationAnswer:
    """The list, the route of its first movie, and the routing decision and fallbacks behind it."""

    decision: Decision
    route: Route
    filtered: FilteredList
    fallbacks: tuple[Fallback, ...]
    model_version: str
    fresh: bool
    has_more: bool = False
    """Whether a further movie could be shown after these."""
    recommendation_id: str = field(default_factory=new_recommendation_id)
    sources: tuple[Source, ...] = ()
    """The services' lists behind it, if it rests on nothing but those, the profile, the catalogue
    and the rules: then the same answer can be given again. Empty: it does not."""
