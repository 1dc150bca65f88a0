"""What content managers decided of films: promotions and blocks, and when each holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from marquee.events import Block, Promotion


@dataclass(frozen=True)
class FilmRules:
    """The rules of one film."""

    promotion: Promotion | None = None
    block: Block | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    """The rules as they are stored, with who decided them and when."""

    @classmethod
    def parse(cls, text: bytes) -> "FilmRules":
        """Return the rules that a stored row holds: `{"promotion": …|null, "block": …|null}`."""
        row = orjson.loads(text)
        promotion, block = row.get("promotion"), row.get("block")
        return cls(
            None if promotion is None else Promotion.model_validate(promotion),
            None if block is None else Block.model_validate(block),
            row,
        )


def promotion_holds(promotion: Promotion, now: datetime) -> bool:
    """Return whether a promotion is in force: from `from` on, and before `until`."""
    begun = promotion.starts is None or promotion.starts <= now
    return begun and (promotion.until is None or now < promotion.until)


def block_holds(block: Block, now: datetime) -> bool:
    """Return whether a block is in force: before `until`, or for good."""
    return block.until is None or now < block.until


class Rules:
    """The rules of all films, an immutable whole; promotions stand in the order of placing."""

    def __init__(self, films: Mapping[int, FilmRules] | None = None) -> None:
        films = films or {}
        self._blocks = {i: rules.block for i, rules in films.items() if rules.block}
        promotions = (rules.promotion for rules in films.values() if rules.promotion)
        self._promotions = tuple(sorted(promotions, key=lambda p: (-p.weight, p.movie_id)))
        self._films = films
        self._addressed = tuple(p for p in self._promotions if p.segments)

    @classmethod
    def of(cls, parts: Iterable[Mapping[int, FilmRules]]) -> "Rules":
        """Return the rules of films that are kept in parts, one a partition."""
        return cls({movie_id: rules for part in parts for movie_id, rules in part.items()})

    def __len__(self) -> int:
        """Return how many films have rules, in force or not."""
        return len(self._films)

    def block(self, movie_id: int, now: datetime) -> Block | None:
        """Return the block that keeps a film out now, if any."""
        block = self._blocks.get(movie_id)
        return block if block is not None and block_holds(block, now) else None

    def promotions(self, now: datetime) -> list[Promotion]:
        """Return the promotions in force, heaviest first, ties by film id."""
        return [p for p in self._promotions if promotion_holds(p, now)]

    def addressed(self, now: datetime) -> bool:
        """Return whether a promotion in force is for viewers of some segments alone."""
        return any(promotion_holds(p, now) for p in self._addressed)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return all stored rules of a kind (`promotion`, `block`) by film id, ended ones too."""
        found = (
            (movie_id, self._films[movie_id].row.get(kind)) for movie_id in sorted(self._films)
        )
        return [{"movie_id": movie_id, **row} for movie_id, row in found if row]
