"""Maps of segments for a report: the choice of their number, and members in two dimensions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.arrays import Reals
from marquee.domain.models import USER_MODEL
from marquee.registry.registry import Registry
from marquee.settings import Settings
from trainer.report.model import MapMarker, SegmentMap

MODEL = USER_MODEL.name
MEMBERS = 1500
"""Members that a map shows at most; each segment has its share."""
_SEED = 7


def maps_of_record(
    versions: Mapping[str, str], bundles: Mapping[str, str], settings: Settings
) -> tuple[SegmentMap, ...]:
    """Return the maps of a training, from its versions or bundles (model → version or path)."""
    if version := versions.get(MODEL):
        return maps_of(Registry(settings.registry).path(MODEL, version))
    return maps_of(Path(bundles[MODEL])) if MODEL in bundles else ()


def maps_of(bundle: Path) -> tuple[SegmentMap, ...]:
    """Return the maps of a bundle's segments; empty if it has none."""
    if not (bundle / "segments.json").is_file():
        return ()
    from user_model.model import UserModel

    model = UserModel.load(bundle)
    segments = model.segments
    if segments is None:
        return ()
    base, sums = model.base, model.base_sums
    genres = base.genre_matrix(segments.movies.genres)
    of_movies = segments.movies.assign(genres, sums)
    means = sums[:, 2] / 2 / np.maximum(1, sums[:, 0])
    rows = np.column_stack([genres, means - means.mean()])
    maps = [_map("movies", segments, rows, of_movies)]
    if len(segments.codes):
        maps.append(_map("users", segments, segments.codes, segments.of_users))
    return tuple(maps)


def project(rows: Reals) -> Reals:
    """Return the projection of n × d rows on their two largest principal components, n × 2."""
    centred = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    plane: Reals = centred @ axes[:, ::-1][:, :2]
    if plane.shape[1] < 2:
        plane = np.column_stack([plane, np.zeros(len(plane))])
    # The sign of a component is arbitrary: positive skewness, so that equal data give equal maps.
    return plane * np.where((plane**3).sum(axis=0) < 0, -1, 1)


def _map(kind: str, about: Any, rows: npt.NDArray[Any], segments: npt.NDArray[Any]) -> SegmentMap:
    plane = project(np.asarray(rows, np.float64))
    generator = np.random.default_rng(_SEED)
    share = min(1.0, MEMBERS / max(1, len(plane)))
    markers = []
    for segment in about.described(kind):
        members = np.flatnonzero(segments == segment["id"])
        shown = generator.permutation(members)[: int(np.ceil(share * len(members)))]
        places = tuple((round(float(x), 3), round(float(y), 3)) for x, y in plane[np.sort(shown)])
        markers.append(MapMarker(name=segment["name"], size=segment["size"], places=places))
    return SegmentMap(kind=kind, choice=about.about[kind]["choice"], markers=tuple(markers))
