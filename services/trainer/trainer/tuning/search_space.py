"""The parameters that `marquee tune` searches: sizes, strengths and rates of each model.

Limits of computing time (`max_users`, `head`, `kept`) and of the validation (`draws`, `max_cases`)
are no part of it: a score would always ask for more of them.
"""

from collections.abc import Mapping

_AUTOENCODER = ("width", "learning_rate", "decay", "dropout")
_PREFERENCE = (
    *(f"taste.autoencoder.{key}" for key in _AUTOENCODER),
    "taste.factors.factors",
    "taste.factors.regularization",
    "taste.factors.liked",
    "taste.factors.other",
    "taste.few_ratings.penalty",
)

SEARCHED: Mapping[str, tuple[str, ...]] = {
    "content": ("dimensions", "clusters", "new_movie_penalty", *_PREFERENCE),
    "hybrid": (
        "content_weight",
        "dimensions",
        "clusters",
        "new_movie_penalty",
        "new_movie_trust",
        *_PREFERENCE,
    ),
    "user-model": ("near", "content", "cold_penalty", *_PREFERENCE),
    "neural": (
        "content",
        "cold_penalty",
        "many.penalty",
        "network.d",
        "network.hidden",
        "network.dropout",
        "network.learning_rate",
        "network.decay",
        "network.embedding_pull",
        *(f"autoencoder.{key}" for key in _AUTOENCODER),
    ),
}
"""Dotted keys of each model's config."""
