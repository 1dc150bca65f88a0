"""Lists in pages: a cursor names the last movie of a page, so that pages do not repeat or skip."""

import base64
import binascii
from collections.abc import Iterable
from itertools import islice

from marquee.errors import InvalidInput


def paginate(
    movie_ids: Iterable[int], limit: int, cursor: str | None = None
) -> tuple[list[int], str | None]:
    """Return up to `limit` ids that follow the cursor's movie, and the cursor of the next page."""
    rest = iter(movie_ids)
    if cursor is not None:
        last = _parse(cursor)
        if not any(movie_id == last for movie_id in rest):
            raise InvalidInput("its film is not in the list any more; begin anew", "cursor")
    found = list(islice(rest, limit + 1))
    return found[:limit], _text(found[limit - 1]) if len(found) > limit else None


def _text(movie_id: int) -> str:
    return base64.urlsafe_b64encode(f"after {movie_id}".encode()).rstrip(b"=").decode()


def _parse(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        word, _, movie_id = text.decode().partition(" ")
        if word == "after":
            return int(movie_id)
    except (binascii.Error, ValueError):
        pass
    raise InvalidInput("not a cursor that a page has given", "cursor")
