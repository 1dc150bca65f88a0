"""What operators decided of segments: how many, and their names; kept in the state folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from marquee.errors import DataError
from marquee.files import locked, replace_file

SegmentKind = Literal["movies", "users"]
ALIKE = 0.25
"""Share of typical movies in common from which on two segments are one."""

C = TypeVar("C", bound=BaseModel)


class SegmentName(BaseModel):
    """A name, and the typical movies of the segment that it was given to; with `keep` the next
    trainings make such a segment again, whatever else they find."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    films: tuple[int, ...]
    keep: bool = True


class KindPreferences(BaseModel):
    """What holds for one kind; `k` None: the data choose the number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: int | None = None
    names: tuple[SegmentName, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    movies: KindPreferences = KindPreferences()
    users: KindPreferences = KindPreferences()


class SegmentPreferences:
    """Wishes in `<state>/segments.json`, written whole or not at all, one writer at a time."""

    def __init__(self, state: Path) -> None:
        self._path = state / "segments.json"

    def get(self, kind: SegmentKind) -> KindPreferences:
        """Return what holds for a kind. DataError: the file cannot be read."""
        wishes: KindPreferences = getattr(self._read(), kind)
        return wishes

    def fix(self, kind: SegmentKind, k: int | None) -> None:
        """Set how many segments the next training makes."""
        self._change(kind, lambda wishes: wishes.model_copy(update={"k": k}))

    def name(self, kind: SegmentKind, name: SegmentName) -> None:
        """Name a segment; the name that it had before is replaced."""
        self._change(kind, lambda wishes: _renamed(wishes, name))

    def _change(self, kind: SegmentKind, change: Any) -> None:
        with locked(self._path.with_name(".segments.lock")):
            held = self._read()
            changed = held.model_copy(update={kind: change(getattr(held, kind))})
            replace_file(self._path, changed.model_dump_json(indent=1) + "\n")

    def _read(self) -> _File:
        try:
            return _File.model_validate_json(self._path.read_text())
        except FileNotFoundError:
            return _File()
        except ValidationError as error:
            raise DataError(f"{self._path.name}: {error.errors()[0]['msg']}") from None


def match_names(
    names: Sequence[SegmentName], segments: Mapping[int, Sequence[int]]
) -> dict[int, SegmentName]:
    """Return the names of segments (id → typical movies): the most alike pairs first, each name
    and each segment once, none that are not alike (Jaccard index of their movies)."""
    pairs = sorted(
        ((_alike(name.films, movies), -i, -segment) for i, name in enumerate(names)
         for segment, movies in segments.items()),
        reverse=True,
    )  # fmt: skip
    found: dict[int, SegmentName] = {}
    used: set[int] = set()
    for alike, i, segment in pairs:
        if alike >= ALIKE and -segment not in found and i not in used:
            found[-segment] = names[-i]
            used.add(i)
    return found


def with_preferences(config: C, state: Path) -> C:
    """Return a model's config, if it has segments, with what operators decided of them."""
    segments = getattr(config, "segments", None)
    if segments is None:
        return config
    held, kinds = SegmentPreferences(state), get_args(SegmentKind)
    wishes = {kind: held.get(kind) for kind in kinds}
    fixed: dict[str, Any] = {
        f"{kind}_k": wish.k for kind, wish in wishes.items() if wish.k is not None
    }
    for kind, wish in wishes.items():
        if kept := tuple(name.films for name in wish.names if name.keep):
            fixed[f"{kind}_kept"] = kept
    return config.model_copy(update={"segments": segments.model_copy(update=fixed)})


def _renamed(wishes: KindPreferences, name: SegmentName) -> KindPreferences:
    alike = [_alike(held.films, name.films) for held in wishes.names]
    same = alike.index(max(alike)) if alike and max(alike) >= ALIKE else -1
    others = [held for i, held in enumerate(wishes.names) if i != same]
    return wishes.model_copy(update={"names": (*others, name)})


def _alike(one: Sequence[int], other: Sequence[int]) -> float:
    union = len({*one, *other})
    return len({*one} & {*other}) / union if union else 0.0
