"""Scopes: what a caller may do."""

from enum import StrEnum


class Scope(StrEnum):
    """Permission of a caller."""

    OPEN = "open"
    """For everyone: health, metrics, the description of the API, the page."""
    READ = "read"
    """Lists, films, viewers' ratings and exports."""
    WRITE = "write"
    """Ratings, views, dismissals, erasures and events of viewers."""
    CURATE = "curate"
    """Films, promotions, blocks and names of segments."""
    OPERATE = "operate"
    """Models and trainings."""


GRANTED = (Scope.READ, Scope.WRITE, Scope.CURATE, Scope.OPERATE)
"""The scopes that a key may have."""
