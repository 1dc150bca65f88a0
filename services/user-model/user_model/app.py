"""The user-model service: what the viewer's cluster and the near viewers in it liked."""

from marquee.model_service import ModelService, create_app, ranked, viewer_features
from marquee.service import serve
from marquee.settings import Settings
from user_model.model import UserModel

SERVICE = ModelService(
    "user-model",
    UserModel.load,
    ranked,
    gets={"/internal/users/{user_id:int}": viewer_features},
)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(SERVICE, settings), settings, settings.user_model_port)
