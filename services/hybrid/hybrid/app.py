"""The hybrid service: ALS factors and content for users with few ratings."""

from hybrid.model import Hybrid
from marquee.process import serve
from marquee.serving.app import ModelService, create_app, ranked
from marquee.settings import Settings

SERVICE = ModelService("hybrid", Hybrid.load, ranked, fold=Hybrid.folded)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(SERVICE, settings), settings, settings.hybrid_port)
