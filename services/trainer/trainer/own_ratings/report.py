"""Report of an import of a person's own ratings."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from marquee.counts import counted
from marquee.domain.ids import as_given, id_text
from trainer.own_ratings.matching import CatalogueFilm, How, Match
from trainer.own_ratings.plan import Plan
from trainer.own_ratings.records import Export

SHOWN = 10
"""Films of a kind that are named as lines; JSON names all."""
_WHAT: dict[How, str] = {
    "id": "matched by id",
    "title": "matched by title and year",
    "year±1": "matched by title, year one off",
    "ambiguous": "ambiguous, not taken",
    "not found": "not found",
}


@dataclass
class OwnRatingsReport:
    """What became of the films of an export.

    Attributes:
        user_id: the person.
        matches: what each film is in the catalogue.
        plan: what is published.
        new_to_catalogue: films known by id that the catalogue does not have yet; their ratings are
            published, and count once they arrive.
        sent: events in the log, by type.
        kept: films that wait for the catalogue.
        is_dry: whether nothing was published or kept.
        export: what was read; None where films kept from before were matched.
    """

    user_id: int
    matches: list[Match]
    plan: Plan
    new_to_catalogue: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    is_dry: bool = False
    export: Export | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object that names every film."""
        counts = Counter(match.how for match in self.matches)
        return {
            "user_id": as_given(self.user_id),
            "dry_run": self.is_dry,
            **(_export_json(self.export) if self.export else {}),
            "films": len(self.matches),
            "matched": {how: counts[how] for how in ("id", "title", "year±1")},
            "not_in_catalogue_yet": self.new_to_catalogue,
            "ambiguous": [
                _film_json(match) | {"candidates": [_candidate(f) for f in match.candidates]}
                for match in self._of("ambiguous")
            ],
            "not_found": [_film_json(match) for match in self._of("not found")],
            "already_there": self.plan.already_there,
            "newer_here": self.plan.newer_here,
            "to_publish": len(self.plan.events),
            "published": dict(sorted(self.sent.items())),
            "kept": self.kept,
        }

    def lines(self) -> Iterator[str]:
        """Yield the report as lines."""
        yield from _export_lines(self.export) if self.export else ()
        yield counted(len(self.matches), "film")
        counts = Counter(match.how for match in self.matches)
        yield from (f"  {counts[how]:,} {what}" for how, what in _WHAT.items() if counts[how])
        if self.new_to_catalogue:
            yield f"  {self.new_to_catalogue:,} of them not in the catalogue yet: they count then"
        yield from _named("ambiguous", (_with_candidates(m) for m in self._of("ambiguous")))
        yield from _named("not found", (str(match.film) for match in self._of("not found")))
        if self.plan.already_there:
            yield f"{self.plan.already_there:,} already there"
        if self.plan.newer_here:
            yield f"{self.plan.newer_here:,} left as they are: here is another rating, not older"
        if self.is_dry:
            events = counted(len(self.plan.events), "event")
            yield f"{events} would be published; nothing is changed"
            return
        yield f"published {counted(self.sent.total(), 'event')}"
        yield from (f"  {count:,} {kind}" for kind, count in sorted(self.sent.items()))
        if self.kept:
            films = counted(self.kept, "film is", "films are")
            yield f"{films} kept, and matched again as the catalogue changes"

    def _of(self, how: How) -> list[Match]:
        return [match for match in self.matches if match.how == how]


def _export_json(export: Export) -> dict[str, Any]:
    return {
        "kind": export.kind,
        "files": export.files,
        "not_opened": export.not_opened,
        "left_out": dict(export.left_out),
        "unreadable": export.unreadable,
        "faults": export.faults,
    }


def _export_lines(export: Export) -> Iterator[str]:
    read = ", ".join(f"{name} ({counted(rows, 'row')})" for name, rows in export.files.items())
    yield f"{export.kind}: {read}"
    if export.not_opened:
        yield f"not opened: {', '.join(export.not_opened)}"
    yield from (f"left out: {count:,} {what}" for what, count in export.left_out.items())
    if export.unreadable:
        yield f"not readable: {counted(export.unreadable, 'row')}"
        yield from (f"  {fault}" for fault in export.faults[:SHOWN])


def _named(what: str, names: Iterable[str]) -> Iterator[str]:
    listed = list(names)
    if listed:
        yield f"{what}:"
        yield from (f"  {name}" for name in listed[:SHOWN])
        if len(listed) > SHOWN:
            yield f"  … and {len(listed) - SHOWN:,} more (--json names all)"


def _with_candidates(match: Match) -> str:
    names = (
        f"{film.title or 'no title here'} ({film.year or 'no year'}), film {id_text(film.movie_id)}"
        for film in match.candidates
    )
    return f"{match.film}: {' or '.join(names)}"


def _film_json(match: Match) -> dict[str, Any]:
    film = match.film
    return {"title": film.title, "year": film.year, "imdb": film.imdb, "tmdb": film.tmdb}


def _candidate(film: CatalogueFilm) -> dict[str, Any]:
    return {"movie_id": as_given(film.movie_id), "title": film.title, "year": film.year}
