"""Pagination of lists in a fixed order: a cursor names the end of a page.

By its last items where the order is that of the last change; by a sort key (`paginate_by_key`)
where items come and go anywhere. Ranked lists have cursors of their own (`shown_cursor`).
"""

import base64
import binascii
import math
from collections.abc import Iterable, Sequence
from itertools import islice

from marquee.errors import InvalidInput

_ANCHORS = 8
"""Items at the end of what was shown that a cursor names."""
SortKey = tuple[float, ...]
"""What a list is sorted by, rising; the last number is the id, so that no two items share a key."""


def paginate(
    movie_ids: Iterable[int], limit: int, cursor: str | None = None
) -> tuple[list[int], str | None]:
    """Return one page of ids and the cursor of the next page, None after the last.

    The list may lose ids between two pages, and ids may move to its front (what is changed is the
    newest): the page begins behind the last of a few ids that has stayed.

    Raises:
        InvalidInput: The cursor is not one, or none of its movies is in the list any more.
    """
    listed, start = list(movie_ids), 0
    last: Sequence[int] = ()
    if cursor is not None:
        last = _movie_ids(cursor)
        anchors = frozenset(last)
        start = max((place for place, i in enumerate(listed, 1) if i in anchors), default=0)
        if not start:
            raise InvalidInput("its films are not in the list any more; begin anew", "cursor")
    page = listed[start : start + limit]
    is_last = start + limit >= len(listed)
    ends = [*last, *page][-_ANCHORS:]
    return page, None if is_last else cursor_after(",".join(map(str, ends)))


def paginate_by_key(
    items: Iterable[tuple[SortKey, int]], limit: int
) -> tuple[list[int], str | None]:
    """Return the ids of one page of sorted items, and the cursor of the next page, if there is one.

    Args:
        items: Sort keys and ids of the items after the cursor, in order.
        limit: Items of a page.
    """
    page = list(islice(items, limit + 1))
    is_last = len(page) <= limit
    cursor = None if is_last else cursor_after(":".join(map(repr, page[limit - 1][0])))
    return [movie_id for _, movie_id in page[:limit]], cursor


def key_of(cursor: str, length: int) -> SortKey:
    """Return the sort key of the last item before a cursor.

    Args:
        cursor: The cursor.
        length: Numbers of a key of this list.

    Raises:
        InvalidInput: It is no cursor of such a list.
    """
    texts = item_of(cursor).split(":")
    try:
        numbers = [*map(float, texts[:-1]), int(texts[-1])]
    except ValueError:
        raise not_a_cursor() from None
    if len(numbers) != length or not all(map(math.isfinite, numbers[:-1])):
        raise not_a_cursor()
    return tuple(numbers)


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


def _movie_ids(cursor: str) -> list[int]:
    try:
        return list(map(int, item_of(cursor).split(",")))
    except ValueError:
        raise not_a_cursor() from None
