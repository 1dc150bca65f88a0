"""HTTP app of the neural service: ranks candidates, and predicts ratings."""

from typing import Any

from fastapi import Request

from marquee.domain.recommendation import PredictAnswer, Prediction, PredictRequest, UserHistory
from marquee.process import serve
from marquee.serving.app import ModelService, body, create_app, rank_candidates, user_features
from marquee.serving.replica import ModelReplica
from marquee.settings import Settings
from neural.model import Neural


async def predict(replica: ModelReplica[Neural], request: Request) -> dict[str, Any]:
    """Answer the ratings that a user would give to movies that the model knows."""
    query: PredictRequest = await body(request, PredictRequest)
    serving = replica.serving
    known = [i for i in dict.fromkeys(query.movie_ids) if serving.movies.index(i) >= 0]
    rated = UserHistory.of(query.ratings).rated
    ratings, confidences = serving.model.predict(rated, known, serving.movies)
    items = tuple(
        Prediction(movie_id=movie_id, rating=float(rating), confidence=float(confidence))
        for movie_id, rating, confidence in zip(known, ratings, confidences, strict=True)
    )
    return PredictAnswer(items=items, model_version=serving.model.version).model_dump()


SERVICE = ModelService(
    "neural",
    Neural.load,
    rank_candidates,
    gets={"/internal/users/{user_id:id}": user_features},
    posts={"/internal/predict": predict},
)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(SERVICE, settings), settings, "neural")
