"""Pages of ranked lists, each made of what earlier ones have not shown.

A page holds the best films of its moment that no earlier page of the list has shown. So no film
comes twice, and none is skipped: whatever could be shown at the end, and was not, is ranked behind
what the last page has. Films that have been rated, viewed, dismissed, blocked or removed meanwhile
never come; those that are new, or better placed by now, come on the next page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from gateway.api.schemas.closed import Closed
from gateway.api.schemas.film_filters import FilmFilters
from gateway.http.shown_cursor import MAX_SHOWN, cursor_of, list_digest, shown_of

_SAME_ON_EACH_PAGE = {*FilmFilters.model_fields, "exclude", "diversity", "watchlist"}
"""Fields of a request that its pages share; `k` may differ, and what a session has seen grows."""


@dataclass(frozen=True)
class ListPage:
    """A page of a list.

    Attributes:
        digest: Names the list.
        shown: Ids of the films that earlier pages have shown.
    """

    digest: bytes
    shown: frozenset[int] = frozenset()

    @classmethod
    def of(cls, query: Closed, *list_name: object) -> Self:
        """Return the page that a request asks for.

        Args:
            query: Parameters or body, with a `cursor` after the first page.
            list_name: Names the list, beside its filters: what it is of.

        Raises:
            InvalidInput: The cursor is none, or of another list.
        """
        filters = query.model_dump_json(include=_SAME_ON_EACH_PAGE, exclude_defaults=True)
        digest = list_digest(*list_name, filters)
        cursor: str | None = getattr(query, "cursor", None)
        return cls(digest) if cursor is None else cls(digest, shown_of(cursor, digest))

    def next_cursor(self, movie_ids: Iterable[int], has_more: bool) -> str | None:
        """Return the cursor of the page after this one; None after the last.

        Args:
            movie_ids: The films of this page.
            has_more: Whether a further film could be shown.
        """
        shown = self.shown.union(movie_ids)
        return cursor_of(shown, self.digest) if has_more and len(shown) < MAX_SHOWN else None
