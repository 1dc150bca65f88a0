"""A shop's day: a catalogue of its own from its own files, from the import to a rebuild.

Films have UUIDs and Russian genres, viewers ids such as `user:ab-12`; the tables are separated by
semicolons, in cp1251, rated from 1 to 10, with Russian headers.
"""

import csv
import itertools
import json
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from marquee.events import RatingAdded
from marquee.settings import STATE_FILE

pytestmark = [pytest.mark.timeout(1500), pytest.mark.kafka]

GENRES = ("Драма", "Комедия", "Сказка", "Боевик")
FILMS = {str(uuid.uuid5(uuid.NAMESPACE_URL, f"film/{n}")): n for n in range(60)}
IDS = list(FILMS)
VIEWERS = [f"user:ab-{n}" for n in range(80)]
COLUMNS = "movie=код,title=название,year=год,genres=жанры,user=зритель,rating=оценка,time=когда"
Wait = Callable[..., float]


def genre_of(film: str) -> str:
    return GENRES[FILMS[film] % len(GENRES)]


def write_table(path: Path, header: str, rows: Sequence[tuple[object, ...]]) -> None:
    with path.open("w", encoding="cp1251", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def write_shop(folder: Path) -> None:
    """Write the shop's tables: viewers like one genre each."""
    draw = random.Random(3)
    folder.mkdir()
    films = [
        (film, f"Фильм номер {n}", 1980 + n % 40, f"{genre_of(film)}|Кино")
        for film, n in FILMS.items()
    ]
    write_table(folder / "films.csv", "код,название,год,жанры", films)
    ratings = []
    for number, viewer in enumerate(VIEWERS):
        for at, film in enumerate(draw.sample(IDS, 25)):
            likes = genre_of(film) == GENRES[number % len(GENRES)]
            score = draw.randint(8, 10) if likes else draw.randint(1, 6)
            ratings.append((viewer, film, score, 1_600_000_000 + number * 1000 + at))
    write_table(folder / "scores.csv", "зритель,код,оценка,когда", ratings)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, start_system: Any) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder / "data")
    options = f"--scale 1-10 --columns {COLUMNS}"
    state = folder / "state"
    state.mkdir()
    with start_system(state, DATA=str(folder / "data"), IMPORT=options, BUS="kafka") as running:
        yield running


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["movie_id"] for item in answer["items"]]


def settings_of(shop: Any) -> dict[str, str]:
    lines = (shop.state / STATE_FILE).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("MARQUEE_"))


def send_to_kafka(shop: Any, event: RatingAdded) -> None:
    """Send an event as a producer of the shop does: JSON, keyed by the viewer's id."""
    producer = KafkaProducer(bootstrap_servers=settings_of(shop)["MARQUEE_KAFKA_SERVERS"])
    future = producer.send("marquee.ratings", key=event.key.encode(), value=event.encode())
    future.get(timeout=60)
    producer.close()


def test_the_shop_s_files_became_its_catalogue(shop: Any) -> None:
    said = (shop.state / "demo.txt").read_text()
    assert "cp1251" in said
    genres = {row["name"]: row["films"] for row in shop.get("/v1/genres")["items"]}
    assert {name: genres[name] for name in GENRES} == dict.fromkeys(GENRES, 15)
    answer = shop.get("/v1/recommendations", genre="Сказка", k=5)
    assert len(answer["items"]) == 5
    assert {genre_of(film) for film in ids(answer)} == {"Сказка"}
    assert all("Фильм" in item["title"] for item in answer["items"])


def test_a_known_viewer_gets_films_of_the_genre_they_like(shop: Any) -> None:
    answer = shop.recommend(VIEWERS[1], k=5)
    assert answer["user_id"] == VIEWERS[1]
    assert answer["evidence"]["ratings"] == 25
    liked = [genre_of(film) for film in ids(answer)].count(GENRES[1])
    assert liked >= 3, answer


def test_the_day(shop: Any, wait_until: Wait) -> None:
    viewer, comedies = "user:new-1", [film for film in IDS if genre_of(film) == "Комедия"]
    before = ids(shop.recommend(viewer))
    # Rated by the API and by an event.
    token = shop.rate(viewer, {comedies[0]: 5.0, comedies[1]: 4.5})
    after = shop.recommend(viewer, after=token)
    assert (after["fresh"], after["evidence"]["ratings"]) == (True, 2)
    assert ids(after) != before
    data = {"user_id": viewer, "movie_id": comedies[2], "rating": 4.0}
    send_to_kafka(shop, RatingAdded.model_validate({"data": data}))
    wait_until(lambda: shop.recommend(viewer)["evidence"]["ratings"] == 3)
    rated = shop.get(f"/v1/users/{viewer}/ratings")["items"]
    assert [row["movie_id"] for row in rated] == [comedies[2], comedies[1], comedies[0]]
    # Blocked.
    first = ids(shop.recommend(viewer))[0]
    shop.send("PUT", f"/v1/movies/{first}/block", {"reason": "withdrawn"})
    assert first not in ids(shop.recommend(viewer, k=50))
    assert ids(shop.get("/v1/blocks")) == [first]
    # Inspected and exported.
    assert viewer in shop.command("inspect", "user", viewer)
    export = shop.get(f"/v1/users/{viewer}/export")
    assert export["user"]["user_id"] == viewer
    assert {row["movie_id"] for row in export["ratings"]} == set(comedies[:3])
    shop.command("verify")
    # Rebuilt: the same lists from the snapshot and the log.
    lists = {one: ids(shop.recommend(one)) for one in (viewer, *VIEWERS[:4])}
    shop.command("rebuild", "--replace")
    shop.command("verify")
    for one, expected in lists.items():
        wait_until(lambda one=one, expected=expected: ids(shop.recommend(one)) == expected)
    # Erased.
    token = shop.send("DELETE", f"/v1/users/{viewer}")["token"]
    gone = shop.recommend(viewer, after=token)
    assert gone["evidence"]["ratings"] == 0
    assert not shop.get(f"/v1/users/{viewer}/ratings")["items"]
    shop.command("verify")


def test_what_went_in_comes_out(shop: Any, tmp_path: Path, wait_until: Wait) -> None:
    shop.rate("user:last", {IDS[0]: 5.0})
    shop.send("DELETE", "/v1/users/user:last")
    folders = (tmp_path / f"out-{n}" for n in itertools.count())

    def exported() -> tuple[Path, int]:
        folder = next(folders)
        shop.command("data", "export", str(folder))
        report = json.loads(shop.command("data", "check", str(folder), "--json"))
        return folder, int(report["ratings"])

    # The history collects events a moment after they are accepted.
    wait_until(lambda: exported()[1] == 25 * len(VIEWERS))
    folder, _ = exported()
    text = "".join(path.read_text() for path in folder.glob("*.csv"))
    assert "user:last" not in text
    assert VIEWERS[0] in text
    assert IDS[0] in text
    assert "Драма" in text
