"""Scopes: the permission that each call needs, in one table."""

from collections.abc import Mapping
from enum import StrEnum


class Scope(StrEnum):
    """Permission of a caller."""

    OPEN = "open"
    """For everyone: health, metrics, the description of the API, the page."""
    READ = "read"
    WRITE = "write"
    CURATE = "curate"
    OPERATE = "operate"


SCOPES: Mapping[str, Scope] = {
    "recommend": Scope.READ,
    "recommend_session": Scope.READ,
    "recommend_user": Scope.READ,
    "get_user": Scope.READ,
    "list_ratings": Scope.READ,
    "put_rating": Scope.WRITE,
    "delete_rating": Scope.WRITE,
    "add_view": Scope.WRITE,
    "put_dismissed": Scope.WRITE,
    "delete_dismissed": Scope.WRITE,
    "erase_user": Scope.WRITE,
    "predict": Scope.READ,
    "list_movies": Scope.READ,
    "get_movie": Scope.READ,
    "list_similar_movies": Scope.READ,
    "list_genres": Scope.READ,
    "add_movie": Scope.CURATE,
    "update_movie": Scope.CURATE,
    "remove_movie": Scope.CURATE,
    "put_promotion": Scope.CURATE,
    "delete_promotion": Scope.CURATE,
    "put_block": Scope.CURATE,
    "delete_block": Scope.CURATE,
    "list_promotions": Scope.CURATE,
    "list_blocks": Scope.CURATE,
    "list_segments": Scope.READ,
    "get_segment": Scope.READ,
    "recommend_segment": Scope.READ,
    "put_segments": Scope.CURATE,
    "put_segment": Scope.CURATE,
    "publish_events": Scope.WRITE,
    "list_models": Scope.OPERATE,
    "rollback_model": Scope.OPERATE,
    "start_training": Scope.OPERATE,
    "list_trainings": Scope.OPERATE,
    "get_training": Scope.OPERATE,
    "live": Scope.OPEN,
    "ready": Scope.OPEN,
    "metrics": Scope.OPEN,
    "openapi": Scope.OPEN,
    "docs": Scope.OPEN,
    "docs_file": Scope.OPEN,
    "explain_problem": Scope.OPEN,
    "page": Scope.OPEN,
    "static_file": Scope.OPEN,
}
"""Operation → scope."""
