"""Own ratings brought into a running system on a real Valkey, a second time, late, and erased."""

from pathlib import Path

from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.events import MovieAdded, UserErased, UserRef
from marquee.settings import Settings
from marquee.store.redis import RedisStore
from marquee_testing.exports import LETTERBOXD
from marquee_testing.simulation.facts_system import PARTITIONS, FactsSystem
from marquee_testing.waiting import until
from trainer.consumer import HistoryConsumer
from trainer.history.history import History
from trainer.operations.kept_films import KeptFilms
from trainer.operations.own_ratings import OwnRatingsImport
from trainer.own_ratings.report import OwnRatingsReport
from trainer.own_ratings.unmatched import UnmatchedFilms

USER = 4242
ROWS = ("2024-05-02,Heat,1995,f1,4.5", "2024-05-01,Ran,1985,f2,4", "2024-05-03,Late,2020,f3,3")


def imported(settings: Settings, path: Path) -> OwnRatingsReport:
    importer = OwnRatingsImport(settings)
    try:
        return importer.run(path, USER, False, lambda *_: None)
    finally:
        importer.close()


def facts(system: FactsSystem) -> Ratings:
    store = RedisStore(system.settings.redis_url.get_secret_value())
    found = Ratings.unpack(store.get(system.keys("gateway").user(USER).user(USER)))
    store.close()
    return found


def test_own_ratings_come_in_once_and_late_ones_when_their_film_arrives(
    system: FactsSystem, settings: Settings, history: History, tmp_path: Path
) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join([f"{LETTERBOXD},Rating", *ROWS]))
    unmatched = UnmatchedFilms(settings.state)
    consumer = HistoryConsumer(system.bus, history, seconds=0.05, unmatched=unmatched)
    heat, ran = (
        Movie(movie_id=1, title="Heat", year=1995),
        Movie(movie_id=2, title="Ran", year=1985),
    )
    with system.running(consumer.run):
        system.wait(system.publish(MovieAdded(data=heat), MovieAdded(data=ran)))
        first, second = imported(settings, path), imported(settings, path)
        assert (first.sent.total(), first.kept) == (2, 1)
        until(lambda: facts(system).rated == {2: 8, 1: 9})
        third = imported(settings, path)
        assert second.sent.total() <= 2  # as many as the consumers had not come to
        assert (third.sent.total(), third.plan.already_there) == (0, 2)
        kept = KeptFilms(settings)
        assert kept.look() == 0
        late = Movie(movie_id=3, title="Late", year=2020)
        system.wait(system.publish(MovieAdded(data=late)))
        assert (kept.look(), unmatched.users()) == (1, [])
        until(lambda: facts(system).rated == {2: 8, 1: 9, 3: 6})
        path.write_text(path.read_text() + "\n2024-06-01,Never,2030,f4,1")
        assert imported(settings, path).kept == 1
        system.wait(system.publish(UserErased(data=UserRef(user_id=USER))))
        until(lambda: not unmatched.users())
        assert not facts(system)
        again = imported(settings, path)
        assert again.sent.total() == 3
        until(lambda: facts(system).rated == {2: 8, 1: 9, 3: 6})
    assert history.partitions == PARTITIONS
