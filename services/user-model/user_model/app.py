"""HTTP app of the user-model service: movies that similar users liked, and segments."""

from marquee.process import serve
from marquee.serving.app import ModelService, create_app, rank_candidates
from marquee.settings import Settings
from user_model.erasure_mask import without
from user_model.model import UserModel
from user_model.segments_api import listed, recommended, segment_of, user

_FILMS = {"/internal/segments/{kind}/{segment:int}/films": recommended}
SERVICE = ModelService(
    "user-model",
    UserModel.load,
    rank_candidates,
    gets={
        "/internal/users/{user_id:id}": user,
        "/internal/segments/{kind}": listed,
        **_FILMS,
    },
    posts={"/internal/segment": segment_of, **_FILMS},
    mask=without,
)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(SERVICE, settings), settings, "user_model")
