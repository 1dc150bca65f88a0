"""Presenters: answers as JSON documents, movies with titles and explanations."""

from collections.abc import Mapping
from typing import Any

from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.recommend.answers import RecommendationAnswer, RecommendationQuery
from gateway.recommend.filter_stage import FilteredList
from marquee.domain.ids import as_given
from marquee.domain.recommendation import Scored


def list_document(
    answer: RecommendationAnswer, query: RecommendationQuery, catalogue: Catalogue
) -> dict[str, Any]:
    """Return the document of a recommendation answer, movies with their titles."""
    evidence, reason = answer.decision.evidence, answer.decision.reason
    notes = filter_notes(query.list_request.filter, answer.filtered, catalogue)
    reason = "; ".join((*notes, reason))
    if query.user_id is not None and not query.profile.known:
        reason = f"the profile cannot be read; {reason}"
    placed = {p.movie_id for p in answer.filtered.placed}
    items = [
        item_document(item, item.movie_id in placed, catalogue) for item in answer.filtered.items
    ]
    return {
        "recommendation_id": answer.recommendation_id,
        "user_id": None if query.user_id is None else as_given(query.user_id),
        "route": answer.route,
        "reason": reason,
        "route_reason": reason,
        "evidence": {
            "ratings": evidence.ratings,
            "positive": evidence.positive,
            "viewed": evidence.viewed,
            "unknown": evidence.unknown,
        },
        "profile": "known" if query.profile.known else "unavailable",
        "degraded": bool(answer.fallbacks) or not query.profile.known,
        "fallbacks": [{"route": f.route, "why": f.why} for f in answer.fallbacks],
        "model_version": answer.model_version,
        "fresh": answer.fresh,
        "items": items,
        "notes": query.notes,
    }


def filter_notes(
    allowed: MovieFilter, filtered: FilteredList, catalogue: Catalogue
) -> tuple[str, ...]:
    """Return what is to be said of a filter that leaves no movie, if anything."""
    if allowed.tag is not None and not catalogue.tagged(allowed.tag):
        return (f"no film is known to carry the tag {allowed.tag!r}",)
    if not filtered.items and allowed.only is not None:
        return ("no film of the watchlist is left that passes",)
    if not filtered.items and allowed.has_fields:
        return ("no film is known to have such a runtime, language or certificate",)
    return ()


def explain_document(filtered: FilteredList, catalogue: Catalogue) -> dict[str, Any]:
    """Return the rules' removals and placements, for `explain=true`."""
    return {
        "removed": [
            {"movie_id": catalogue.given(r.movie_id), "rule": r.rule, "detail": _for_all(r.detail)}
            for r in filtered.removed
        ],
        "placed": [
            {
                "movie_id": catalogue.given(p.movie_id),
                "rank": p.rank,
                "rule": "promoted",
                "detail": _for_all(
                    p.promotion.model_dump(mode="json", by_alias=True, exclude={"movie_id"})
                ),
            }
            for p in filtered.placed
        ],
    }


def _for_all(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return what viewers may know of a rule: who made it, and why, is for curators."""
    return {name: value for name, value in detail.items() if name not in ("actor", "reason")}


def item_document(item: Scored, promoted: bool, catalogue: Catalogue) -> dict[str, Any]:
    """Return the document of a recommended movie, with its title and explanation."""
    row = catalogue.get(item.movie_id) or Row.unknown(item.movie_id)
    return row.summary() | {
        "score": item.score,
        "reason": item.reason,
        "because": [_because(movie_id, weight, catalogue) for movie_id, weight in item.because],
        "promoted": promoted,
    }


def _because(movie_id: int, weight: float, catalogue: Catalogue) -> dict[str, Any]:
    row = catalogue.get(movie_id)
    title = row.title if row else None
    return {"movie_id": catalogue.given(movie_id), "title": title, "weight": weight}
