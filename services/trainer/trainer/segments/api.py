"""The trainer's calls about segments: how many there shall be, and what they are called."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from marquee.settings import Settings
from trainer.segments.preferences import SegmentKind, SegmentName, SegmentPreferences, match_names


class SegmentCount(BaseModel):
    """How many segments the next training makes; None: the data choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: Annotated[int, Field(ge=1, le=200)] | None


class ServedSegment(BaseModel):
    """A segment of the serving version, known by its typical movies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    films: tuple[int, ...]


class NamesRequest(BaseModel):
    """The segments whose names are asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: Annotated[tuple[ServedSegment, ...], Field(max_length=1000)]


def add_segments(app: FastAPI, settings: Settings) -> None:
    """Mount the calls."""
    wishes = SegmentPreferences(settings.state)

    @app.put("/internal/segments/{kind}")
    def fix(kind: SegmentKind, number: SegmentCount) -> dict[str, Any]:
        wishes.fix(kind, number.k)
        return {"kind": kind, "k": number.k}

    @app.put("/internal/segments/{kind}/names")
    def name(kind: SegmentKind, given: SegmentName) -> dict[str, Any]:
        wishes.name(kind, given)
        return {"kind": kind, "name": given.name, "keep": given.keep}

    @app.post("/internal/segments/{kind}/names")
    def names(kind: SegmentKind, asked: NamesRequest) -> dict[str, Any]:
        held = wishes.get(kind)
        found = match_names(held.names, {one.id: one.films for one in asked.segments})
        names = {str(segment): given.name for segment, given in found.items()}
        kept = [segment for segment, given in found.items() if given.keep]
        return {"k": held.k, "names": names, "kept": sorted(kept)}
