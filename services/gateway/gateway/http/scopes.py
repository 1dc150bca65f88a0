"""The scope that each call needs, and the calls that a viewer's token allows."""

from collections.abc import Mapping
from typing import Final

from marquee.access.scopes import Scope

SCOPES: Mapping[str, Scope] = {
    "recommend": Scope.READ,
    "recommend_session": Scope.READ,
    "recommend_user": Scope.READ,
    "recommend_batch": Scope.READ,
    "recommend_together": Scope.READ,
    "list_shelves": Scope.READ,
    "follow_user": Scope.READ,
    "get_user": Scope.READ,
    "export_user": Scope.READ,
    "list_ratings": Scope.READ,
    "put_rating": Scope.WRITE,
    "delete_rating": Scope.WRITE,
    "add_view": Scope.WRITE,
    "put_dismissed": Scope.WRITE,
    "delete_dismissed": Scope.WRITE,
    "list_watchlist": Scope.READ,
    "put_watchlist": Scope.WRITE,
    "delete_watchlist": Scope.WRITE,
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
    "preview_rule": Scope.CURATE,
    "list_audit": Scope.CURATE,
    "get_audit": Scope.CURATE,
    "revert_audit": Scope.CURATE,
    "get_erasure": Scope.WRITE,
    "list_segments": Scope.READ,
    "get_segment": Scope.READ,
    "recommend_segment": Scope.READ,
    "put_segments": Scope.CURATE,
    "put_segment": Scope.CURATE,
    "publish_events": Scope.WRITE,
    "issue_token": Scope.WRITE,
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

COSTS: Mapping[str, int] = {
    "list_shelves": 4,
    "recommend_together": 4,
    "preview_rule": 10,
    "recommend_batch": 20,
}
"""Operation → calls that it counts as against a rate, by the work of the longest it may be asked
for; all others count as one."""

OF_OPERATORS: Final = frozenset({"metrics"})
"""Operations that only operators call, though they need no key."""

WITHOUT_EFFECT: Final = frozenset({"preview_rule"})
"""Calls that change nothing, though their method is not GET."""
WITHOUT_IDEMPOTENCY_KEY: Final = frozenset({"issue_token"}) | WITHOUT_EFFECT
"""Writes that publish no event, and whose answer must not be stored."""

OF_ANYONE: Final = frozenset(
    {
        "recommend",
        "recommend_session",
        "list_movies",
        "get_movie",
        "list_similar_movies",
        "list_genres",
        "list_segments",
        "get_segment",
        "recommend_segment",
    }
)
"""Reads that name no viewer: a viewer's token allows them."""

OF_ONE_VIEWER: Final = frozenset(
    {
        "recommend_user",
        "list_shelves",
        "follow_user",
        "get_user",
        "export_user",
        "list_ratings",
        "put_rating",
        "delete_rating",
        "add_view",
        "put_dismissed",
        "delete_dismissed",
        "list_watchlist",
        "put_watchlist",
        "delete_watchlist",
    }
)
"""Calls that a viewer's token allows where the path names that viewer. An erasure is not among
them: a token that was stolen must not be able to end what it cannot give back."""

OF_VIEWER_IN_BODY: Final = frozenset({"predict"})
"""Calls that a viewer's token allows where the body names that viewer, or none; they check it."""
