"""Pagination: a cursor names the last item of a page, so pages never repeat or skip."""

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
        last = _movie_id(cursor)
        if not any(movie_id == last for movie_id in remaining):
            raise InvalidInput("its film is not in the list any more; begin anew", "cursor")
    page = list(islice(remaining, limit + 1))
    return page[:limit], cursor_after(page[limit - 1]) if len(page) > limit else None


def cursor_after(item: object) -> str:
    """Return the cursor of the page after an item, by the text that names it."""
    return base64.urlsafe_b64encode(f"after {item}".encode()).rstrip(b"=").decode()


def item_of(cursor: str) -> str:
    """Return the text of the item that a cursor names.

    Raises:
        InvalidInput: It is no cursor.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        word, _, item = text.decode().partition(" ")
    except (binascii.Error, ValueError):
        word = item = ""
    if word != "after" or not item:
        raise not_a_cursor()
    return item


def not_a_cursor() -> InvalidInput:
    """Return the error of a cursor that no page has given."""
    return InvalidInput("not a cursor that a page has given", "cursor")


def _movie_id(cursor: str) -> int:
    try:
        return int(item_of(cursor))
    except ValueError:
        raise not_a_cursor() from None
