"""The errors of Marquee, each with the HTTP status and the stable code that a client sees.

MarqueeError
├── InvalidInput          422  a field is wrong: names it, and what is allowed
│   ├── TooDeep           400  a JSON document has too many values within each other
│   ├── DataError              a data set cannot be used
│   └── SettingsError          a setting is wrong or unknown
├── NotFound              404
├── Conflict              409
│   └── IdCollision            another id has the same number inside
├── Unauthorized          401  the caller has shown no valid key or token
├── Forbidden             403  the caller may not do this
├── TooManyRequests       429  the caller is above its rate
│   └── TooManyEvents          one viewer has more events than the rule allows
├── UnreadableEvent       422  a message on the bus that is no valid event
├── ArtifactError         500  a model's files are missing, altered or of an unknown format
└── Unavailable           503  a dependency does not answer
    ├── BusUnavailable
    ├── StoreUnavailable
    ├── ModelUnavailable
    └── TooManyFollowers       as many connections follow lists as may
FenceLost                  internal: the stored position is not the one that a step started from
PositionLost               internal: the log does not hold the stored position
└── LogChanged             internal: the topic is not the one that the stored position counts in
"""

from collections.abc import Mapping
from typing import ClassVar


class MarqueeError(Exception):
    """Root of all errors that Marquee raises on purpose."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def document(self) -> dict[str, str]:
        """Return the error as internal HTTP calls answer it."""
        return {"code": self.code, "detail": str(self)}


class InvalidInput(MarqueeError):
    """A value from outside is wrong; the text names the field and the fix."""

    status = 422
    code = "invalid_input"

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


class TooDeep(InvalidInput):
    """A JSON document has too many values within each other."""

    status = 400
    code = "unreadable_body"


class DataError(InvalidInput):
    """A data set cannot be used as it is."""

    code = "invalid_data"


class SettingsError(InvalidInput):
    """A setting has a wrong value or an unknown name."""

    code = "invalid_settings"


class NotFound(MarqueeError):
    """The requested object does not exist."""

    status = 404
    code = "not_found"


class Conflict(MarqueeError):
    """The request contradicts the present state."""

    status = 409
    code = "conflict"


class IdCollision(Conflict):
    """An id has the same number inside as another one; one of them needs another text."""

    code = "id_collision"


class Unauthorized(MarqueeError):
    """The caller has shown no valid key or token."""

    status = 401
    code = "unauthorized"


class Forbidden(MarqueeError):
    """The caller may not do this."""

    status = 403
    code = "forbidden"


class TooManyRequests(MarqueeError):
    """The caller is above its rate.

    Attributes:
        retry_after_s: Seconds after which a request may be taken.
        headers: What more the answer tells of the limit.
    """

    status = 429
    code = "rate_limited"

    def __init__(
        self, detail: str, retry_after_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})


class TooManyEvents(TooManyRequests):
    """One viewer has more events in a time than the rule of the system allows."""

    code = "too_many_events"


class UnreadableEvent(MarqueeError):
    """A message that is not a valid event of Marquee."""

    status = 422
    code = "unreadable_event"


class ArtifactError(MarqueeError):
    """A model's files are missing, altered, not finite, or of an unknown format."""

    code = "artifact"


class Unavailable(MarqueeError):
    """A dependency does not answer; trying again later may help."""

    status = 503
    code = "unavailable"


class BusUnavailable(Unavailable):
    """The event bus did not take or give a message in time."""

    code = "bus_unavailable"


class StoreUnavailable(Unavailable):
    """Redis did not answer in time."""

    code = "store_unavailable"


class ModelUnavailable(Unavailable):
    """No fitted model is loaded yet."""

    code = "model_unavailable"


class TooManyFollowers(Unavailable):
    """As many connections as may be follow lists already; another gateway may have a place."""

    code = "too_many_followers"


class FenceLost(MarqueeError):
    """The stored position is not the one that this step started from: another consumer moved it."""

    code = "fence_lost"


class PositionLost(MarqueeError):
    """The log does not hold the stored position (any more, or yet); an operator must decide."""

    code = "position_lost"


class LogChanged(PositionLost):
    """A topic was re-created, is gone, or has other partitions: stored positions are invalid."""

    code = "log_changed"
