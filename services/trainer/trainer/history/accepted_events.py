"""The events about users that take effect, and the texts of ids that are known after them.

The history keeps every valid event. Where two users' ids are strings of one number, the consumers
refuse the events of the second one as long as the first is known; reading comes to the same verdict
here. Known is a user from the first event on that the topic has about them until their erasure,
with facts left or not.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from marquee.snapshots.id_texts import IdTexts


def accepted_events(table: Any, known: IdTexts) -> tuple[Any, IdTexts]:
    """Leave out the events that the consumers refuse.

    Args:
        table: A `ratings` table in the order of the log.
        known: The texts that are known before it.

    Returns:
        The table of the others, and the texts that are known after it.
    """
    users, refused = dict(known.users), []
    rows, columns = _texts(table, "user_text", "user_id", "kind")
    for row, text, user_id, kind in zip(rows.tolist(), *columns, strict=True):
        if users.get(user_id, text) != text:
            refused.append(row)
        elif kind == "erased":
            users.pop(user_id, None)
        else:
            users[user_id] = text
    if refused:
        stays = np.ones(len(table), bool)
        stays[refused] = False
        table = table.filter(pa.array(stays))
    return table, IdTexts(users, _movies(table) | dict(known.movies))


def _movies(table: Any) -> dict[int, str]:
    """Return the texts of movies; of two texts of one number the first counts."""
    _, (texts, movie_ids) = _texts(table, "movie_text", "movie_id")
    return dict(zip(reversed(movie_ids), reversed(texts), strict=True))


def _texts(table: Any, name: str, *others: str) -> tuple[Any, list[list[Any]]]:
    """Return the rows that have a text, and the values there of its column and of others."""
    rows = np.flatnonzero(table[name].is_valid().to_numpy())
    named = table.select([name, *others]).take(rows)
    return rows, [named[column].to_pylist() for column in (name, *others)]
