"""Route of a viewer's export: all that is known of them, to be read by people or other sites."""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import context_of
from gateway.api.schemas.field_types import UserId
from gateway.api.schemas.requests import ExportQuery
from gateway.api.schemas.responses import ExportDocument
from gateway.api.users import rows_of, user_document
from gateway.catalogue.catalogue import Catalogue, Row
from gateway.http.route import json_response, router
from marquee.domain.ratings import Ratings, stars
from marquee.errors import StoreUnavailable

routes = router("Viewers")
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ExportDocument,
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "description": "JSON, or with `format=letterboxd` a CSV file.",
    }
}
_COLUMNS = ("Title", "Year", "Rating", "WatchedDate")
_LINK_COLUMNS = ("tmdbID", "imdbID")


@routes.get("/v1/users/{user_id}/export", responses=_RESPONSES)
async def export_user(
    request: Request, user_id: UserId, query: Annotated[ExportQuery, Query()]
) -> Response:
    """All that is known of a viewer: ratings with films, stars and times, viewed and dismissed
    films, the watchlist, counts, route, cluster and segment. As a file for Letterboxd it has the
    films that were rated or viewed and have a title.
    """
    context = context_of(request)
    snapshot = await context.read_user(user_id, query.after, query.wait_ms)
    if not snapshot.profile.known:
        raise StoreUnavailable("the profile cannot be read just now, and an export must be whole")
    facts, catalogue = snapshot.profile.facts, context.catalogue
    if query.format == "json":
        known = dict.fromkeys((*facts.rated, *facts.viewed, *facts.dismissed, *facts.watchlist))
        rows = await rows_of(context, user_id, list(known))
        document = {"user": await user_document(request, user_id, snapshot)}
        return json_response(document | _lists(facts, rows))
    if not snapshot.fresh:
        raise StoreUnavailable("the write of `after` is not stored yet: ask again in a moment")
    return _attachment(letterboxd_csv(facts, catalogue))


def letterboxd_csv(facts: Ratings, catalogue: Catalogue) -> str:
    """Return a viewer's films as Letterboxd imports them (RFC 4180), titles as they are.

    A rating has the day on which it was given as `WatchedDate`; a film that was only viewed has
    none, as nobody keeps when. Numbers at TMDB and IMDb are columns where a film has them.
    """
    seen = dict.fromkeys((*reversed(facts.rated), *reversed(facts.viewed)))
    rows = [row for movie_id in seen if (row := catalogue.get(movie_id)) and row.title]
    columns = _LINK_COLUMNS if any(map(_links, rows)) else ()
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow((*_COLUMNS, *columns))
    for row in rows:
        links = _links(row)
        half, at = facts.rated.get(row.movie_id), facts.times.get(row.movie_id)
        table.writerow(
            (
                row.title,
                row.year or "",
                f"{stars(half):g}" if half else "",
                f"{_moment(at):%Y-%m-%d}" if at else "",
                *(links.get(column, "") for column in columns),
            )
        )
    return text.getvalue()


def _lists(facts: Ratings, rows: Mapping[int, Row]) -> dict[str, Any]:
    rated = [
        rows[movie_id].summary()
        | {
            "rating": stars(facts.rated[movie_id]),
            "rated_at": _moment(at).isoformat() if (at := facts.times.get(movie_id)) else None,
        }
        for movie_id in reversed(facts.rated)
    ]
    return {
        "ratings": rated,
        "viewed": [rows[movie_id].summary() for movie_id in reversed(facts.viewed)],
        "dismissed": [rows[movie_id].summary() for movie_id in reversed(facts.dismissed)],
        "watchlist": [rows[movie_id].summary() for movie_id in reversed(facts.watchlist)],
    }


def _links(row: Row) -> dict[str, str]:
    """Return a film's numbers elsewhere by column, where links are stored with films."""
    links = row.links
    imdb = str(links.get("imdb") or "")
    # Letterboxd knows ids of IMDb by their full form alone.
    numbers = str(links.get("tmdb") or ""), f"tt{imdb:0>7}" if imdb.isdigit() else imdb
    return {column: number for column, number in zip(_LINK_COLUMNS, numbers, strict=True) if number}


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _attachment(text: str) -> Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": 'attachment; filename="marquee-letterboxd.csv"',
    }
    return Response(text, 200, headers, "text/csv; charset=utf-8")
