"""Route of predicted ratings."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import caller_of
from gateway.api.context import Context, context_of
from gateway.api.schemas.requests import PredictionBody
from gateway.api.schemas.responses import PredictionsDocument
from gateway.api.session import session_history
from gateway.http.problem_details import FieldError, InvalidFields
from gateway.http.route import documents, json_response, router
from gateway.recommend.orchestrator import OWN_VERSION
from gateway.state.profiles import Profile
from gateway.upstream.models import Call, Failure
from gateway.upstream.replies import Predictions, read_reply
from marquee.domain.ids import as_given
from marquee.domain.models import NEURAL
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Route

routes = router("Recommendations")


@routes.post("/v1/predictions", responses=documents(PredictionsDocument))
async def predict(request: Request, body: PredictionBody) -> Response:
    """The rating that a viewer (or a session's ratings) can be expected to give each film. Without
    the network's answer it is the film's mean rating, with confidence 0, and `degraded`.
    """
    caller_of(request).require_viewer(body.user_id)
    context = context_of(request)
    profile, notes = await _profile(context, body)
    movie_ids = list(dict.fromkeys(body.movie_ids))
    answer = await predict_ratings(context, profile.facts, movie_ids)
    predicted, model_version, fallbacks = {}, OWN_VERSION, []
    if isinstance(answer, Failure):
        fallbacks.append({"route": Route.NEURAL, "why": answer.why})
    else:
        predicted = {item.movie_id: item.model_dump() for item in answer.items}
        model_version = answer.model_version
    return json_response(
        {
            "items": [
                (predicted.get(i) or _mean_rating(context, i)) | {"movie_id": as_given(i)}
                for i in movie_ids
            ],
            "model_version": model_version,
            "degraded": bool(fallbacks) or context.is_degraded(profile),
            "fallbacks": fallbacks,
            "notes": notes,
        }
    )


async def _profile(context: Context, body: PredictionBody) -> tuple[Profile, tuple[str, ...]]:
    """Return the facts of the user or the session, with notes on what was left out."""
    if body.user_id is not None and body.ratings is None:
        return await context.read_profile(body.user_id), ()
    if body.ratings is not None and body.user_id is None:
        history = session_history(body.ratings)
        return Profile(history.facts), history.notes
    raise InvalidFields([FieldError("user_id", "give either user_id or ratings")])


async def predict_ratings(
    context: Context, facts: Ratings, movie_ids: Sequence[int]
) -> Predictions | Failure:
    """Return the ratings that a viewer can be expected to give some films; never raises."""
    seconds = context.settings.deadline_ms / 1000
    ratings = [(i, half_stars / 2) for i, half_stars in facts.rated.items()]
    body = {"ratings": ratings, "movie_ids": list(movie_ids)}
    reply = await context.models.call(NEURAL.name, Call("POST", "/internal/predict", body, seconds))
    return read_reply(NEURAL.name, reply, Predictions)


def _mean_rating(context: Context, movie_id: int) -> dict[str, Any]:
    mean = context.live_view.popular.mean(movie_id)
    return {"movie_id": movie_id, "rating": mean, "confidence": 0.0}
