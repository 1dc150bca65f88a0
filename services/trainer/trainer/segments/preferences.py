"""Preferences of operators on segments, their number and names, stored in the state folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from marquee.errors import DataError
from marquee.files import locked, replace_file

SegmentKind = Literal["movies", "users"]
ALIKE = 0.25
"""Jaccard index of typical movies from which on two segments count as the same."""

C = TypeVar("C", bound=BaseModel)


class SegmentName(BaseModel):
    """A name, and the typical movies of the segment that it was given to.

    With `keep` the next trainings keep a segment with these movies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    films: tuple[int, ...]
    keep: bool = True


class KindPreferences(BaseModel):
    """Preferences for one kind; `k` None: the number is chosen from the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: int | None = None
    names: tuple[SegmentName, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    movies: KindPreferences = KindPreferences()
    users: KindPreferences = KindPreferences()


class SegmentPreferences:
    """Preferences in `<state>/segments.json`, written atomically by one writer at a time."""

    def __init__(self, state: Path) -> None:
        self._path = state / "segments.json"

    def get(self, kind: SegmentKind) -> KindPreferences:
        """Return the preferences for a kind.

        Raises:
            DataError: The file is invalid.
        """
        preferences: KindPreferences = getattr(self._read(), kind)
        return preferences

    def fix(self, kind: SegmentKind, k: int | None) -> None:
        """Set the number of segments of the next training."""
        self._change(kind, lambda preferences: preferences.model_copy(update={"k": k}))

    def name(self, kind: SegmentKind, name: SegmentName) -> None:
        """Name a segment; replace the name that it had before."""
        self._change(kind, lambda preferences: _renamed(preferences, name))

    def _change(self, kind: SegmentKind, change: Any) -> None:
        with locked(self._path.with_name(".segments.lock")):
            stored = self._read()
            changed = stored.model_copy(update={kind: change(getattr(stored, kind))})
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
    """Return the stored names of segments by greedy matching, the most similar pairs first.

    Args:
        names: Stored names with typical movies.
        segments: Typical movies by id of a segment.

    Returns:
        A name by id of a segment. Each name and each segment is matched at most once, by a Jaccard
        index of their movies of `ALIKE` or more.
    """
    pairs = sorted(
        (
            (_jaccard(name.films, movies), -i, -segment)
            for i, name in enumerate(names)
            for segment, movies in segments.items()
        ),
        reverse=True,
    )
    matched: dict[int, SegmentName] = {}
    used: set[int] = set()
    for similarity, i, segment in pairs:
        if similarity >= ALIKE and -segment not in matched and i not in used:
            matched[-segment] = names[-i]
            used.add(i)
    return matched


def with_preferences(config: C, state: Path) -> C:
    """Return a model's config with the preferences on segments, if the model has any."""
    segments = getattr(config, "segments", None)
    if segments is None:
        return config
    stored, kinds = SegmentPreferences(state), get_args(SegmentKind)
    by_kind = {kind: stored.get(kind) for kind in kinds}
    fixed: dict[str, Any] = {
        f"{kind}_k": preferences.k
        for kind, preferences in by_kind.items()
        if preferences.k is not None
    }
    for kind, preferences in by_kind.items():
        if kept := tuple(name.films for name in preferences.names if name.keep):
            fixed[f"{kind}_kept"] = kept
    return config.model_copy(update={"segments": segments.model_copy(update=fixed)})


def _renamed(preferences: KindPreferences, name: SegmentName) -> KindPreferences:
    similarities = [_jaccard(before.films, name.films) for before in preferences.names]
    most = max(similarities, default=0.0)
    same = similarities.index(most) if most >= ALIKE else -1
    others = [before for i, before in enumerate(preferences.names) if i != same]
    return preferences.model_copy(update={"names": (*others, name)})


def _jaccard(left: Sequence[int], right: Sequence[int]) -> float:
    union = len({*left, *right})
    return len({*left} & {*right}) / union if union else 0.0
