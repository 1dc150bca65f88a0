"""HTTP app of a model service: the internal routes that all model services share."""

import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from pydantic import ValidationError
from redis.exceptions import RedisError
from starlette.requests import ClientDisconnect

import marquee.serving.id_path  # noqa: F401 - makes {…:id} known
from marquee import telemetry
from marquee.access.service_secret import ServiceSecretMiddleware
from marquee.bus.redis.faults import describe
from marquee.domain.models import CONTENT
from marquee.domain.recommendation import (
    PACKED_REQUEST,
    AnyRecommendRequest,
    MoviesRequest,
    PackedRecommendRequest,
    RecommendRequest,
    Scored,
)
from marquee.errors import InvalidInput, MarqueeError, StoreUnavailable
from marquee.health import LIVE, METRICS, READY, live_document, metrics_response, ready_document
from marquee.http_server.disconnect import CALLER_GONE, CallerGone, StoppedWithCaller
from marquee.registry.registry import Registry
from marquee.scoring.candidates import candidates
from marquee.scoring.ranker import Ranker
from marquee.serving.movie_rows import FoldRow
from marquee.serving.replica import MaskUsers, ModelReplica, ServableModel, ServingState
from marquee.serving.update_stream import connect
from marquee.settings import Settings, split_secrets
from marquee.store.keys import Keys

M = TypeVar("M", bound=ServableModel)
Answer = Callable[[ServingState[M], AnyRecommendRequest], list[Scored]]
InternalCall = Callable[[ModelReplica[M], Request], Awaitable[Any]]


@dataclass(frozen=True)
class ModelService(Generic[M]):
    """The parts in which one model service differs from the others.

    Attributes:
        name: of the service.
        load: reads its model from a bundle's directory.
        answer: recommends for a request.
        gets: its own GET routes, path → call.
        posts: its own POST routes, path → call.
        fold: refines the row of a new movie by its raters, if the service does that.
        mask: takes erased users out of the model, if it holds any.
    """

    name: str
    load: Callable[[Path], M]
    answer: Answer[M]
    gets: Mapping[str, InternalCall[M]] | None = None
    posts: Mapping[str, InternalCall[M]] | None = None
    fold: FoldRow[M] | None = None
    mask: MaskUsers[M] | None = None


def create_app(service: ModelService[M], settings: Settings) -> FastAPI:
    """Return the app; when it starts, its replica begins to follow rows and versions."""
    client = connect(settings.redis_address)
    keys = Keys(settings.namespace, service.name, settings.partitions)
    replica: ModelReplica[M] = ModelReplica(
        keys,
        client,
        Registry(settings.registry),
        service.load,
        service.fold,
        service.mask,
        sums_of=None if service.name == CONTENT.name else replace(keys, service=CONTENT.name),
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        replica.start()
        yield
        await replica.close()
        await client.aclose()

    app = FastAPI(title=f"Marquee {service.name}", lifespan=lifespan, openapi_url=None)
    _add(app, "/internal/recommend", "POST", lambda r: _recommend(r, replica, service.answer))
    for method, calls in (("GET", service.gets), ("POST", service.posts)):
        for path, call in (calls or {}).items():
            _add(app, path, method, functools.partial(call, replica))
    _add(app, LIVE, "GET", _live)
    _add(app, READY, "GET", lambda _: _ready(replica, service.name))
    app.add_route(METRICS, _metrics)
    if secrets := split_secrets(settings.service_secret):
        app.add_middleware(ServiceSecretMiddleware, secrets=secrets)
    return app


async def body(request: Request, model: type[Any]) -> Any:
    """Return the request's body, parsed as `model`.

    Raises:
        InvalidInput: names the first wrong field.
    """
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> InvalidInput:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return InvalidInput(f"{field}: {first['msg']}", field)


async def movies_request(request: Request) -> MoviesRequest:
    """Return what a call asks for: a POST by its body, a GET by the parameter `k` alone.

    Raises:
        InvalidInput: names the first wrong field.
    """
    if request.method != "GET":
        query: MoviesRequest = await body(request, MoviesRequest)
        return query
    try:
        return MoviesRequest(k=max(1, min(1000, int(request.query_params.get("k", 10)))))
    except ValueError:
        raise InvalidInput("k: a whole number from 1 to 1000", "k") from None


def _add(app: FastAPI, path: str, method: str, call: Callable[[Request], Awaitable[Any]]) -> None:
    """Mount a measured route: its value is sent as JSON, a MarqueeError as its status."""

    async def endpoint(request: Request) -> Response:
        started, status = time.perf_counter(), 200
        try:
            with StoppedWithCaller(request.scope):
                value = await call(request)
        except MarqueeError as error:
            status, value = error.status, error.document()
        except (RedisError, OSError) as error:
            unavailable = StoreUnavailable(f"Redis: {describe(error)}")
            status, value = unavailable.status, unavailable.document()
        except (CallerGone, ClientDisconnect):
            status, value = CALLER_GONE, {}
        telemetry.REQUESTS.labels(path, status).inc()
        telemetry.LATENCIES.labels(path).observe(time.perf_counter() - started)
        return Response(orjson.dumps(value), status, media_type="application/json")

    app.add_route(path, endpoint, methods=[method])


async def _recommend_request(request: Request) -> AnyRecommendRequest:
    """Return the request of a list, in the form that its media type names."""
    if request.headers.get("content-type") != PACKED_REQUEST:
        query: RecommendRequest = await body(request, RecommendRequest)
        return query
    try:
        return PackedRecommendRequest.parse(await request.body())
    except ValidationError as error:
        raise _invalid(error) from None
    except ValueError as error:
        raise InvalidInput(f"body: {error}", "body") from None


async def _recommend(
    request: Request, replica: ModelReplica[M], answer: Answer[M]
) -> dict[str, Any]:
    query = await _recommend_request(request)
    fresh = not query.after or await replica.passed(query.after, query.deadline_ms / 1000)
    serving = replica.serving
    items = answer(serving, query)
    document = recommend_answer(items, serving.model.version, replica.positions, fresh)
    document["state"] = replica.state_document()
    return document


def recommend_answer(
    items: Sequence[Scored], version: str, positions: Mapping[str, int], fresh: bool
) -> dict[str, Any]:
    """Return the fields of `RecommendAnswer`; a plain dict, as this is the hot path."""
    return {
        "items": [_item(scored) for scored in items],
        "model_version": version,
        "positions": positions,
        "fresh": fresh,
    }


def _item(scored: Scored) -> dict[str, Any]:
    return {
        "movie_id": scored.movie_id,
        "score": scored.score,
        "reason": scored.reason,
        "because": [{"movie_id": i, "weight": weight} for i, weight in scored.because],
    }


async def _live(_: Request) -> dict[str, Any]:
    return live_document()


async def _ready(replica: ModelReplica[M], name: str) -> dict[str, Any]:
    version = replica.serving.model.version
    connected = replica.tail.connected
    return ready_document(service=name, model_version=version, redis=connected)


async def _metrics(_: Request) -> Response:
    return metrics_response()


def rank_candidates(serving: ServingState[Any], request: AnyRecommendRequest) -> list[Scored]:
    """Return the model's list within the request's filters, diversified: the usual answer.

    A model that reads the trend gets the live popularity; to others it is that of the training.
    """
    model: Ranker = serving.model
    user = request.history
    mask, live = candidates(request, serving.movies), serving.popularity
    popularity = live.now() if serving.model.half_life is not None and live.is_known else None
    return model.recommend(
        user, serving.movies, mask, request.k, popularity, diversity=request.diversity
    )


async def user_features(replica: ModelReplica[Any], request: Request) -> dict[str, Any]:
    """Return the derived features of a user under the serving version."""
    return await replica.user(int(request.path_params["user_id"]))
