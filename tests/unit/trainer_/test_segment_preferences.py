"""Operators' decisions on segments: kept on disk, and names that follow segments by likeness."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from marquee.errors import DataError
from marquee.settings import Settings
from trainer.segments.api import add_segments
from trainer.segments.preferences import (
    KindPreferences,
    SegmentName,
    SegmentPreferences,
    match_names,
    with_preferences,
)
from user_model.fit import UserModelConfig

WESTERNS, COMEDIES = tuple(range(1, 31)), tuple(range(101, 131))


def test_nothing_is_wished_at_first(tmp_path: Path) -> None:
    assert SegmentPreferences(tmp_path).get("users") == KindPreferences()


def test_a_number_of_one_kind_leaves_the_other_kind_alone(tmp_path: Path) -> None:
    SegmentPreferences(tmp_path).fix("users", 7)
    assert SegmentPreferences(tmp_path).get("users").k == 7
    assert SegmentPreferences(tmp_path).get("movies").k is None


def test_a_fixed_number_is_what_the_training_makes(tmp_path: Path) -> None:
    SegmentPreferences(tmp_path).fix("movies", 5)
    config = with_preferences(UserModelConfig(), tmp_path)
    assert config.segments is not None
    assert (config.segments.movies_k, config.segments.users_k) == (5, None)
    SegmentPreferences(tmp_path).fix("movies", None)
    assert with_preferences(UserModelConfig(), tmp_path) == UserModelConfig()


def test_a_kept_segment_is_made_again_by_the_training_and_one_with_a_mere_name_is_not(
    tmp_path: Path,
) -> None:
    SegmentPreferences(tmp_path).name("movies", SegmentName(name="Saloon", films=WESTERNS))
    SegmentPreferences(tmp_path).name(
        "movies", SegmentName(name="Laughs", films=COMEDIES, keep=False)
    )
    segments = with_preferences(UserModelConfig(), tmp_path).segments
    assert segments is not None
    assert (segments.movies_kept, segments.users_kept) == ((WESTERNS,), ())
    SegmentPreferences(tmp_path).name(
        "movies", SegmentName(name="Saloon", films=WESTERNS, keep=False)
    )
    assert with_preferences(UserModelConfig(), tmp_path) == UserModelConfig()


def test_a_name_follows_the_segment_that_is_most_like_it() -> None:
    names = [SegmentName(name="Saloon", films=WESTERNS), SegmentName(name="Laughs", films=COMEDIES)]
    moved = {4: COMEDIES[:25], 2: (*WESTERNS[:20], 500, 501), 0: range(900, 930)}
    assert match_names(names, moved) == {4: names[1], 2: names[0]}


def test_a_name_goes_to_one_segment_when_its_own_was_split() -> None:
    names = [SegmentName(name="Saloon", films=WESTERNS)]
    assert match_names(names, {0: WESTERNS[:12], 1: WESTERNS[12:]}) == {1: names[0]}


def test_a_second_name_replaces_the_first(tmp_path: Path) -> None:
    wishes = SegmentPreferences(tmp_path)
    wishes.name("movies", SegmentName(name="Saloon", films=WESTERNS))
    wishes.name("movies", SegmentName(name="Laughs", films=COMEDIES))
    wishes.name("movies", SegmentName(name="Frontier", films=WESTERNS[2:]))
    assert {name.name for name in wishes.get("movies").names} == {"Laughs", "Frontier"}


def test_an_unreadable_file_is_told_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "segments.json").write_text("{")
    with pytest.raises(DataError, match="segments.json"):
        SegmentPreferences(tmp_path).fix("users", 3)
    assert (tmp_path / "segments.json").read_text() == "{"


async def test_the_trainer_answers_the_names_of_the_segments_asked_for(tmp_path: Path) -> None:
    app = FastAPI()
    add_segments(app, Settings(state=tmp_path))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://trainer") as client:
        base = "/internal/segments/movies"
        assert (await client.put(base, json={"k": 0})).status_code == 422
        await client.put(base, json={"k": 6})
        await client.put(f"{base}/names", json={"name": "Saloon", "films": WESTERNS})
        asked = {"segments": [{"id": 3, "films": WESTERNS[5:]}, {"id": 4, "films": COMEDIES}]}
        answer = await client.post(f"{base}/names", json=asked)
        await client.put(f"{base}/names", json={"name": "Fun", "films": COMEDIES, "keep": False})
        again = await client.post(f"{base}/names", json=asked)
    assert answer.json() == {"k": 6, "names": {"3": "Saloon"}, "kept": [3]}
    assert again.json() == {"k": 6, "names": {"3": "Saloon", "4": "Fun"}, "kept": [3]}
