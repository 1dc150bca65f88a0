"""The checker, a separate program: compares accepted writes with the state of the system.

`checker.py before JSON` records the state before the load. `checker.py after JSON` waits until
every consumer is at the end of the log, recomputes the facts from the journal and the log with
its own code, compares them with those of every service, and writes its verdict as JSON.
"""

import collections
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from comparing import among, blocked, movie_of, plain, says
from fold import Sent, World
from holdings import PARTITIONS, SERVICES, TOPICS, Holdings, KafkaLog
from journal import entries

PATIENCE_S = 120.0
SHOWN = 12
"""Findings of a kind that are told in full."""


class Verdict:
    """Violations by kind: lost, twice, reads, shown, writes, other."""

    def __init__(self) -> None:
        self.found: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
        self.counts: dict[str, int] = {}

    def add(self, kind: str, what: str, at: float | None = None) -> None:
        """Note a violation, with the moment to which it belongs."""
        self.found[kind].append({"what": what, "at": at})

    def save(self, path: Path) -> None:
        """Write it all."""
        path.write_text(json.dumps({"found": self.found, "counts": self.counts}) + "\n")


class Checker:
    """Compares; `asked`: addresses, files."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self._store = Holdings(asked["redis_url"])
        self._logs = KafkaLog(asked["kafka"]) if asked["bus"] == "kafka" else self._store
        self._before = Path(asked["before"])
        self.verdict = Verdict()

    def before(self) -> None:
        """Record the movies, rules and sums before the load."""
        movies = {service: self._store.movies(service) for service in SERVICES}
        kept = {"films": movies, "rules": self._store.rules(), "sums": self._store.sums()}
        self._before.write_text(json.dumps(kept))

    def after(self) -> None:
        """Compare everything; the findings are in the verdict."""
        logs = self._settled()
        self._writes = list(entries(Path(self._asked["journal"]), "write"))
        world, base = World(), json.loads(self._before.read_text())
        world.movies = {int(i): movie for i, movie in base["films"]["gateway"].items()}
        world.rules = {int(i): rules for i, rules in base["rules"].items()}
        for log in logs.values():
            world.follow(log)
        self._check_log(world, logs)
        self._check_people(world)
        self._check_sums(world, {int(i): three for i, three in base["sums"].items()})
        self._check_movies(world)
        self._check_letters(world)
        self._check_reads()
        self._check_answers(world)
        self.verdict.counts |= {
            "viewers": len(world.people), "films": len(world.movies), "events": len(world.events),
            "dead": len(world.dead),
        }  # fmt: skip

    def _settled(self) -> dict[str, list[Sent]]:
        """Return the logs once every service has reached their ends."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            logs = {f"{t}:{p}": self._logs.log(t, p) for t in TOPICS for p in range(PARTITIONS)}
            behind = [
                f"{service} at {at} of {len(logs[f'{topic}:{p}'])} of {topic}:{p}"
                for service in SERVICES
                for topic in TOPICS
                for p in range(PARTITIONS)
                if (at := self._store.position(service, topic, p)) != len(logs[f"{topic}:{p}"])
            ]
            if not behind:
                return logs
            if time.monotonic() > deadline:
                for one in behind:
                    self.verdict.add("lost", f"after {PATIENCE_S:.0f} s {one}")
                return logs
            time.sleep(0.3)

    # --- what was accepted is in the log, and nothing else

    def _check_log(self, world: World, logs: dict[str, list[Sent]]) -> None:
        places = {(partition, offset): event for partition, offset, event in world.events.values()}
        unsure = [w for w in self._writes if w["outcome"] == "unknown" and not w["id"]]
        for write in self._writes:
            self._check_write(write, world, places)
        known = {write["id"] for write in self._writes if write["outcome"] != "refused"}
        for partition, offset, event in world.events.values():
            if event["id"] not in known and not among(event, unsure):
                what = f"{partition}:{offset} was never sent, or was refused: {event}"
                self.verdict.add("twice", what)
        self._check_order(world)
        for partition, log in logs.items():
            if [message.offset for message in log] != list(range(len(log))):
                self.verdict.add("lost", f"the offsets of {partition} have holes")

    def _check_write(
        self,
        write: dict[str, Any],
        world: World,
        places: dict[tuple[str, int], dict[str, Any]],
    ) -> None:
        said = f"{write['type']} {write['data']} by {write['way']}"
        if write["outcome"] == "wrong":
            self.verdict.add("writes", f"{said} was answered {write['why']}", write["began"])
        if write["outcome"] != "kept":
            return
        held = world.events.get(write["id"])
        if held is None or not says(held[2], write):
            self.verdict.add("lost", f"accepted, not in the log: {said}", write["began"])
        for partition, offset in write["places"].items():
            event = places.get((partition, offset))
            # A second message of one event stands elsewhere than the first.
            if write["way"] == "call" and (event is None or event["id"] != write["id"]):
                what = f"{said} was to be at {partition}:{offset}, there is {event}"
                self.verdict.add("lost", what, write["began"])

    def _check_order(self, world: World) -> None:
        """Accepted writes of one writer about one thing stand in the log in their order."""
        last: dict[tuple[str, int], tuple[int, dict[str, Any]]] = {}
        for write in self._writes:
            held = world.events.get(write["id"] or "")
            if write["outcome"] != "kept" or held is None:
                continue
            data = write["data"]
            about = ("user", data["user_id"]) if "user_id" in data else ("film", data["movie_id"])
            before, other = last.get(about, (-1, write))
            if held[1] < before and other["ended"] < write["began"]:
                what = f"{write['type']} {data} stands before the earlier {other['type']}"
                self.verdict.add("lost", what, write["began"])
            last[about] = (held[1], write)

    # --- the facts of every service are those of the log

    def _check_people(self, world: World) -> None:
        for service in SERVICES:
            held = self._store.people(service, set(world.people))
            for user, person in world.people.items():
                found = held.get(user)
                rated = found.rated if found else {}
                self._compare_rated(f"{service}, viewer {user}", rated, person.rated)
                if service == "content":
                    continue
                marks = (found.viewed, found.dismissed, found.watchlist) if found else ([], [], [])
                wanted = (person.viewed, person.dismissed, person.watchlist)
                if marks != wanted:
                    what = f"viewed, dismissed, listed {marks}, not {wanted}"
                    self.verdict.add("lost", f"{service}, viewer {user}: {what}")

    def _compare_rated(self, who: str, found: dict[int, int], wanted: dict[int, int]) -> None:
        for movie in {*found, *wanted}:
            if found.get(movie) != wanted.get(movie):
                what = f"film {movie}: {found.get(movie)} half stars, not {wanted.get(movie)}"
                self.verdict.add("lost", f"{who}: {what}")

    def _check_sums(self, world: World, before: dict[int, list[int]]) -> None:
        added, held = world.sums(), self._store.sums()
        for movie in {*added, *before, *held}:
            parts = (before.get(movie, [0, 0, 0]), added.get(movie, [0, 0, 0]))
            wanted = [a + b for a, b in zip(*parts, strict=True)]
            found = held.get(movie, [0, 0, 0])
            if found != wanted:
                kind = "twice" if found > wanted else "lost"
                self.verdict.add(kind, f"sums of film {movie}: {found}, not {wanted}")

    def _check_movies(self, world: World) -> None:
        for service in SERVICES:
            held = self._store.movies(service)
            for movie in {*held, *world.movies}:
                if movie_of(held.get(movie)) != movie_of(world.movies.get(movie)):
                    what = f"film {movie} is {held.get(movie)}, not {world.movies.get(movie)}"
                    self.verdict.add("lost", f"{service}: {what}")
        rules = {i: kinds for i, kinds in self._store.rules().items() if kinds}
        wanted = {i: kinds for i, kinds in world.rules.items() if kinds}
        for movie in {*rules, *wanted}:
            found, meant = rules.get(movie, {}), wanted.get(movie, {})
            same = found.keys() == meant.keys() and all(
                plain(meant[kind]).items() <= plain(found[kind]).items() for kind in meant
            )
            if not same:
                self.verdict.add("lost", f"rules of film {movie} are {found}, not {meant}")

    def _check_letters(self, world: World) -> None:
        by_service: dict[str, set[str]] = collections.defaultdict(set)
        for topic in TOPICS:
            for group, place in self._logs.letters(topic):
                by_service[group].add(place)
        for service in SERVICES:
            for place in by_service[service] ^ world.dead:
                self.verdict.add("lost", f"dead letters of {service} differ at {place}")

    # --- reads

    def _check_reads(self) -> None:
        reads = list(entries(Path(self._asked["journal"]), "read"))
        for read in reads:
            if read["fault"]:
                self.verdict.add("reads", read["fault"], read["began"])
        took = sorted(read["ended"] - read["began"] for read in reads)
        for share in (50, 99):
            at = min(len(took) - 1, len(took) * share // 100)
            self.verdict.counts[f"read_p{share}_ms"] = round(took[at] * 1000) if took else 0
        times = blocked(self._writes)
        for read in reads:
            for movie in read["films"]:
                for start, end in times.get(movie, ()):
                    if start < read["began"] and read["ended"] < end:
                        self.verdict.add("shown", f"film {movie} is blocked", read["began"])
        self.verdict.counts["blocks"] = sum(map(len, times.values()))

    def _check_answers(self, world: World) -> None:
        """Check that the gateway's answers from memory equal the store in the end."""
        sums = self._store.sums()
        with httpx.Client(base_url=self._asked["url"], timeout=10.0, trust_env=False) as client:
            for movie in {*self._asked["films"], *(i for i in world.movies if i > 10**9)}:
                answer = client.get(f"/v1/movies/{movie}")
                found = answer.json() if answer.status_code == 200 else {}
                wanted = world.movies.get(movie, {})
                if (found.get("year"), found.get("title")) != (
                    wanted.get("year"), wanted.get("title"),
                ):  # fmt: skip
                    self.verdict.add("other", f"the gateway says {found}, not {wanted}")
                if wanted and found.get("ratings") != sums.get(movie, [0])[0]:
                    what = f"film {movie} has {found.get('ratings')} ratings"
                    self.verdict.add("other", f"the gateway says that {what}, not {sums[movie]}")


def main() -> int:
    """Run the command of the command line; the exit status is 0 without violations."""
    checker = Checker(json.loads(sys.argv[2]))
    if sys.argv[1] == "before":
        checker.before()
        return 0
    checker.after()
    checker.verdict.save(Path(checker._asked["verdict"]))
    for kind, found in checker.verdict.found.items():
        for one in found[:SHOWN]:
            sys.stderr.write(f"{kind}: {one['what']}\n")
    return 1 if checker.verdict.found else 0


if __name__ == "__main__":
    sys.exit(main())
