"""Exceptions of the client: refusals with their problem document, and answers that do not come."""

from collections.abc import Mapping
from typing import Any, Self

import httpx
from pydantic import BaseModel, ValidationError

from marquee_client.retry_after import retry_after_s


class MarqueeError(Exception):
    """Base of all exceptions of a call."""


class NoAnswer(MarqueeError):
    """The connection failed, or broke before the answer was there; `__cause__` says how.

    Of a write it is not known whether it took effect.
    """


class TimedOut(NoAnswer):
    """No answer in time."""


class UnreadableAnswer(MarqueeError):
    """The answer is not one of this API; mostly the address is that of something else."""


class FollowingEnded(MarqueeError):
    """The gateway ended a list that was followed; the same call would end again.

    Attributes:
        reason: Why, in words.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    @classmethod
    def told_by(cls, data: str) -> Self:
        """Return the exception of the data of a last message.

        Raises:
            ValidationError: They are not of this API.
        """
        return cls(_End.model_validate_json(data).reason)


class _End(BaseModel):
    reason: str


class Field(BaseModel):
    """A field of the request that is wrong.

    Attributes:
        field: Its name.
        detail: What is wrong.
        allowed: The values that are allowed, where they are few.
    """

    field: str
    detail: str
    allowed: list[Any] | None = None


class _Problem(BaseModel):
    code: str
    detail: str
    title: str = ""
    errors: list[Field] = []


class Refused(MarqueeError):
    """The gateway refused the call, with a problem document (RFC 9457).

    Attributes:
        status: Status of the answer.
        code: Stable name of the problem, such as `model_unavailable`; `""` where the answer has
            none, as that of a proxy.
        title: The problem in a few words.
        detail: What is wrong, and what helps.
        fields: Each field that is wrong.
        retry_after: Seconds after which to try again, if the answer says so.
        document: The whole problem document, with members of this problem alone.
    """

    def __init__(
        self, status: int, problem: _Problem, retry_after: float | None, document: Mapping[str, Any]
    ) -> None:
        self.status, self.code, self.title = status, problem.code, problem.title
        self.detail, self.fields = problem.detail, problem.errors
        self.retry_after, self.document = retry_after, document
        wrong = "".join(f"; {field.field}: {field.detail}" for field in problem.errors)
        super().__init__(f"{status} {problem.code}: {problem.detail}{wrong}")


class BadRequest(Refused):
    """The request has to be mended: 400, 405, 408, 413, 414, 415, 422 and 431."""


class InvalidInput(BadRequest):
    """A value is missing, wrong or unknown (422): see `fields`."""


class Unauthorized(Refused):
    """The key is missing or not valid (401)."""


class Forbidden(Refused):
    """The key lacks the scope that the call needs (403)."""


class NotFound(Refused):
    """What the call names does not exist (404)."""


class Conflict(Refused):
    """The request contradicts the present state (409)."""


class RateLimited(Refused):
    """The key is above its rate, or a viewer has too many events (429): see `retry_after`."""


class Unavailable(Refused):
    """The gateway or what it needs is away or overloaded (503, 504); later it may answer."""


class ServerFault(Refused):
    """A fault of the server (other 5xx): tell whoever runs it."""


_BY_STATUS: Mapping[int, type[Refused]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: InvalidInput,
    429: RateLimited,
    503: Unavailable,
    504: Unavailable,
}


def refusal_of(response: httpx.Response) -> MarqueeError:
    """Return the exception of an answer that is no success; its body has been read.

    Args:
        response: Its status is not 2xx.
    """
    status = response.status_code
    if status < 400:
        return UnreadableAnswer(f"status {status} from {response.url}: is this Marquee's address?")
    kind = _BY_STATUS.get(status, ServerFault if status >= 500 else BadRequest)
    return kind(status, *_problem_of(response))


def failure_of(error: httpx.TransportError) -> NoAnswer:
    """Return the exception of a call that got no answer."""
    kind = TimedOut if isinstance(error, httpx.TimeoutException) else NoAnswer
    return kind(str(error) or type(error).__name__)


def _problem_of(response: httpx.Response) -> tuple[_Problem, float | None, Mapping[str, Any]]:
    wait = retry_after_s(response.headers.get("Retry-After"))
    try:
        document = response.json()
        return _Problem.model_validate(document), wait, document
    except (ValidationError, ValueError):  # an answer of a proxy
        return _Problem(code="", detail=f"{response.reason_phrase}, without details"), wait, {}
