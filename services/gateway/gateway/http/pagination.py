"""Pagination: a cursor names the last movie of a page, so pages never repeat or skip."""

import base64
import binascii
from collections.abc import Iterable
from itertools import islice

from marquee.errors import InvalidInput


def paginate(
    movie_ids: Iterable[int], limit: int, cursor: str | None = None
) -> tuple[list[int], str | None]:
    """Return one page of ids and the cursor of the next page, None after the last.

    Raises:
        InvalidInput: The cursor is not one, or its movie is not in the list any more.
    """
    remaining = iter(movie_ids)
    if cursor is not None:
        last = _decode(cursor)
        if not any(movie_id == last for movie_id in remaining):
            raise InvalidInput("its film is not in the list any more; begin anew", "cursor")
    page = list(islice(remaining, limit + 1))
    return page[:limit], _encode(page[limit - 1]) if len(page) > limit else None


def _encode(movie_id: int) -> str:
    return base64.urlsafe_b64encode(f"after {movie_id}".encode()).rstrip(b"=").decode()


def _decode(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        word, _, movie_id = text.decode().partition(" ")
        if word == "after":
            return int(movie_id)
    except (binascii.Error, ValueError):
        pass
    raise InvalidInput("not a cursor that a page has given", "cursor")
