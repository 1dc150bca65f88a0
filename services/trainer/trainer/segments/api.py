"""Internal HTTP calls on segments: their number and their names."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from marquee.settings import Settings
from trainer.segments.preferences import SegmentKind, SegmentName, SegmentPreferences, match_names


class SegmentCount(BaseModel):
    """Number of segments of the next training; None: chosen from the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: Annotated[int, Field(ge=1, le=200)] | None


class ServedSegment(BaseModel):
    """A segment of the serving version, identified by its typical movies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    films: tuple[int, ...]


class NamesRequest(BaseModel):
    """The segments whose names are requested."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: Annotated[tuple[ServedSegment, ...], Field(max_length=1000)]


def add_segments(app: FastAPI, settings: Settings) -> None:
    """Mount the calls."""
    preferences = SegmentPreferences(settings.state)

    @app.put("/internal/segments/{kind}")
    def fix(kind: SegmentKind, number: SegmentCount) -> dict[str, Any]:
        preferences.fix(kind, number.k)
        return {"kind": kind, "k": number.k}

    @app.put("/internal/segments/{kind}/names")
    def name(kind: SegmentKind, given: SegmentName) -> dict[str, Any]:
        preferences.name(kind, given)
        return {"kind": kind, "name": given.name, "keep": given.keep}

    @app.post("/internal/segments/{kind}/names")
    def names(kind: SegmentKind, asked: NamesRequest) -> dict[str, Any]:
        stored = preferences.get(kind)
        matched = match_names(
            stored.names, {segment.id: segment.films for segment in asked.segments}
        )
        names = {str(segment): given.name for segment, given in matched.items()}
        kept = sorted(segment for segment, given in matched.items() if given.keep)
        return {"k": stored.k, "names": names, "kept": kept}
