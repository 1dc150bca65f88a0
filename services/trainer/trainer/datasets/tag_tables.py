"""Tables of tags: those that users gave, those of the tag genome, and relevances as they are."""

from collections import Counter
from typing import cast

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints
from marquee.domain.movies import TAG
from trainer.datasets.columns.column_names import Kind
from trainer.datasets.columns.tag_relevance import (
    MAX_LENGTH,
    MAX_TAGS,
    Tags,
    clean_tag,
    genome_tags,
    user_tags,
)
from trainer.datasets.files.layouts import GENOME
from trainer.datasets.files.open_tables import OpenTables
from trainer.datasets.text.blocks import Fields
from trainer.datasets.text.encodings import decode
from trainer.datasets.text.numbers import Column
from trainer.datasets.text.tables import read_numbers, read_rows

_TAG = Column("tag id", "a whole number from 1", 1, 2**31 - 1)
_RELEVANCE = Column("relevance", "between 0 and 1", 0, 1, whole=False)


def read_tags(tables: OpenTables, known: set[int]) -> tuple[Tags, int]:
    """Return the tags of films, and how many rows are of films that are not known.

    Of a film that more than one table tells of, the tags of the genome go before those of users,
    and stated relevances before both.

    Raises:
        DataError: More rows are lost for one cause than is tolerated.
    """
    of_users, lost = _of_users(tables, known)
    stated, unknown = _stated(tables, known)
    return of_users | _genome(tables) | stated, lost + unknown


def _of_users(tables: OpenTables, known: set[int]) -> tuple[Tags, int]:
    """Return tags by how many users gave them, and how many rows are lost."""
    rows, lost = _rows(tables, "tags", "user", tables.user, known)
    return user_tags((int(user_id), film, tag) for film, tag, user_id in rows), lost


def _stated(tables: OpenTables, known: set[int]) -> tuple[Tags, int]:
    """Return tags whose relevance a table states, and how many rows are lost."""
    rows, lost = _rows(tables, "relevances", "relevance", _RELEVANCE, known)
    found: Tags = {}
    for film, tag, relevance in rows:
        found.setdefault(film, {})[tag] = relevance
    return found, lost


def _rows(
    tables: OpenTables, kind: Kind, role: str, column: Column, known: set[int]
) -> tuple[list[tuple[int, str, float]], int]:
    """Read a table of films and tags with a further column of numbers.

    Args:
        tables: The tables.
        kind: The kind of the table; where there is none there are no rows.
        role: Role of the further column.
        column: The values that it may have.
        known: Films that there are.

    Returns:
        Film, tag and number of each row, and how many others are of films that are not known.

    Raises:
        DataError: More rows are lost for one cause than is tolerated.
    """
    table = tables.table(kind)
    if table is None:
        return [], 0
    movie, tag, other = (table.columns.places[name] for name in ("movie", "tag", role))
    found: list[tuple[int, str, float]] = []
    tags_of, rows, lost = Counter[int](), 0, 0
    for line, fields, tally, _ in tables.text_rows(table):
        rows += 1
        text = fields[tag] if tables.layout.is_export else clean_tag(fields[tag])
        reason = (
            tables.film.reason(fields[movie])
            or _tag_reason(text, tables.layout.is_export)
            or column.reason(fields[other])
        )
        if reason:
            tally.reject(line, reason)
        elif (film := tables.film.number(fields[movie])) not in known:
            lost += 1
        elif kind == "relevances" and tags_of[film] == MAX_TAGS:
            tally.reject(line, f"its film has {MAX_TAGS:,} tags in the lines before")
        else:
            tags_of[film] += 1
            found.append((film, text, column.number(fields[other])))
    tables.check_joined("tags are of films that no table has", lost, rows, ())
    return found, lost


def _genome(tables: OpenTables) -> Tags:
    files = tables.layout.files
    pair = next((pair for pair in GENOME if all(name in files for name in pair)), None)
    if pair is None:
        return {}
    names: dict[int, str] = {}
    with tables.file(pair[1]) as (stream, tally):
        text = decode(
            stream.read(), pair[1], tables.options.encoding, others=tables.layout.encoding
        ).text
        for line, row in read_rows(text, 2, tally, ",", 2):
            tag = clean_tag(row[1])
            reason = _TAG.reason(row[0]) or _tag_reason(tag)
            if reason:
                tally.reject(line, reason)
            else:
                names[int(row[0])] = tag
    with tables.file(pair[0]) as (stream, tally):
        stream.readline()
        columns: Fields = (tables.film, _TAG, _RELEVANCE)
        scores = read_numbers(stream, columns, tally, ",", 2)
    movie_ids, tag_ids, relevances = cast(tuple[Ints, Ints, npt.NDArray[np.float32]], scores)
    return genome_tags(movie_ids, tag_ids, relevances, names)


def _tag_reason(tag: str, is_kept: bool = False) -> str | None:
    """Return why a text is no tag; one that is kept stays, whatever characters it has."""
    if not tag:
        return "the tag is empty"
    if len(tag) > MAX_LENGTH:
        return f"the tag is longer than {MAX_LENGTH} characters"
    return None if is_kept or TAG.allows(tag) else "the tag has a control character, or no other"
