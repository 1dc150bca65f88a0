"""Curation rules: promotions and blocks of movies, and their periods of validity."""

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import orjson

from marquee.events import Block, Promotion
from marquee.events.payloads import Data

D = TypeVar("D", bound=Data)


@dataclass(frozen=True)
class MovieRules:
    """The rules of one movie."""

    promotion: Promotion | None = None
    block: Block | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    """The stored rules, with their author and time."""

    @classmethod
    def parse(cls, text: bytes) -> "MovieRules":
        """Parse a stored row: `{"promotion": …|null, "block": …|null}`."""
        row = orjson.loads(text)
        promotion, block = row.get("promotion"), row.get("block")
        return cls(
            None if promotion is None else _kept(Promotion, promotion),
            None if block is None else _kept(Block, block),
            row,
        )


def _kept(kind: type[D], rule: Mapping[str, Any]) -> D:
    """Return a rule as it is kept: it was accepted once, and stays."""
    return kind.model_validate_json(orjson.dumps(rule), strict=True)


def promotion_holds(promotion: Promotion, now: datetime) -> bool:
    """Return whether a promotion is in force: from `from` on, and before `until`."""
    begun = promotion.starts is None or promotion.starts <= now
    return begun and (promotion.until is None or now < promotion.until)


def block_holds(block: Block, now: datetime) -> bool:
    """Return whether a block is in force: before `until`, or for good."""
    return block.until is None or now < block.until


_STAMPS = itertools.count(1)


class Rules:
    """The rules of all movies, immutable; promotions are in the order of placing."""

    def __init__(self, movies: Mapping[int, MovieRules] | None = None) -> None:
        movies = movies or {}
        self._blocks = {i: rules.block for i, rules in movies.items() if rules.block}
        promotions = (rules.promotion for rules in movies.values() if rules.promotion)
        self._promotions = tuple(sorted(promotions, key=lambda p: (-p.weight, p.movie_id)))
        self._movies = movies
        self._segment_promotions = tuple(p for p in self._promotions if p.segments)
        self.stamp = next(_STAMPS)
        """A number that no other rules of this process have."""

    @classmethod
    def of(cls, parts: Iterable[Mapping[int, MovieRules]]) -> "Rules":
        """Return the rules of all partitions together."""
        return cls({movie_id: rules for part in parts for movie_id, rules in part.items()})

    def with_rule(self, rule: Promotion | Block) -> "Rules":
        """Return these rules with one more, which replaces one of its kind of the same movie."""
        known = self._movies.get(rule.movie_id, MovieRules())
        if isinstance(rule, Promotion):
            changed = replace(known, promotion=rule)
        else:
            changed = replace(known, block=rule)
        return Rules({**self._movies, rule.movie_id: changed})

    @cached_property
    def blocks_only(self) -> "Rules":
        """The same without promotions."""
        return Rules({i: replace(r, promotion=None) for i, r in self._movies.items() if r.block})

    def __len__(self) -> int:
        """Return the number of movies with rules, in force or not."""
        return len(self._movies)

    def block(self, movie_id: int, now: datetime) -> Block | None:
        """Return the block of a movie that is in force, if any."""
        block = self._blocks.get(movie_id)
        return block if block is not None and block_holds(block, now) else None

    def promotions(self, now: datetime) -> list[Promotion]:
        """Return the promotions in force, heaviest first, ties by movie id."""
        return [p for p in self._promotions if promotion_holds(p, now)]

    def next_change(self, now: datetime) -> datetime | None:
        """Return when the next rule begins or ends, after `now`; None: none does."""
        at = bisect_right(self._changes, now)
        return self._changes[at] if at < len(self._changes) else None

    @cached_property
    def _changes(self) -> list[datetime]:
        ends = [block.until for block in self._blocks.values()]
        times = [time for p in self._promotions for time in (p.starts, p.until)]
        return sorted(time for time in (*ends, *times) if time is not None)

    def has_segment_promotions(self, now: datetime) -> bool:
        """Return whether a promotion in force is limited to segments of users."""
        return any(promotion_holds(p, now) for p in self._segment_promotions)

    def in_force(self, now: datetime) -> frozenset[tuple[str, int]]:
        """Return the kind and movie of each rule that holds: they change by time alone, too."""
        blocked = [i for i, block in self._blocks.items() if block_holds(block, now)]
        promoted = [promotion.movie_id for promotion in self.promotions(now)]
        return frozenset([("block", i) for i in blocked] + [("promotion", i) for i in promoted])

    def rows(self, kind: str) -> dict[int, dict[str, Any]]:
        """Return all stored rules of a kind (`promotion`, `block`) by movie, ended ones too."""
        stored = (
            (movie_id, self._movies[movie_id].row.get(kind)) for movie_id in sorted(self._movies)
        )
        return {movie_id: {"movie_id": movie_id, **row} for movie_id, row in stored if row}
