"""Route that gives a page a token for one viewer."""

from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import context_of
from gateway.api.schemas.field_types import UserId
from gateway.api.schemas.requests import TokenBody
from gateway.api.schemas.responses import TokenDocument
from gateway.http.route import documents, json_response, router
from marquee.domain.ids import as_given
from marquee.errors import Conflict

routes = router("Viewers")


@routes.post("/v1/users/{user_id}/tokens", status_code=201, responses=documents(TokenDocument, 201))
async def issue_token(request: Request, user_id: UserId, body: TokenBody | None = None) -> Response:
    """Give a token for a viewer: whoever holds it may ask and write for this viewer alone, until
    it ends. It cannot be taken back before; the one call that it does not allow is the erasure.
    """
    tokens, seconds = context_of(request).tokens, (body or TokenBody()).seconds
    if not tokens:
        raise Conflict("viewers' tokens are off: set MARQUEE_TOKEN_SECRETS for the gateway")
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    document = {
        "token": tokens.sign(user_id, seconds),
        "user_id": as_given(user_id),
        "expires_at": ends.isoformat(timespec="seconds"),
    }
    return json_response(document, 201)
