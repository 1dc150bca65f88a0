"""The hybrid service: ALS factors and content for users with few ratings."""

from hybrid.model import Hybrid
from marquee.process import serve
from marquee.serving.app import ModelService, create_app, rank_candidates
from marquee.settings import Settings

SERVICE = ModelService("hybrid", Hybrid.load, rank_candidates, fold=Hybrid.folded)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(SERVICE, settings), settings, "hybrid")
