"""A consumer as a process: what its health says from the outside, and that it ends when told to."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from marquee.bus.api import Outgoing
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.events import RATINGS, RatingAdded
from marquee_local.servers import free_port
from marquee_testing.waiting import until


@contextmanager
def consumer(redis_url: str, namespace: str, state: Path) -> Iterator[str]:
    """Run the gateway's consumer; give the address of its health."""
    port = free_port()
    environ = {name: v for name, v in os.environ.items() if not name.startswith("MARQUEE_")} | {
        "MARQUEE_REDIS_URL": redis_url,
        "MARQUEE_NAMESPACE": namespace,
        "MARQUEE_STATE": str(state),
        "MARQUEE_CONSUMER_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "gateway", "consumer"], env=environ)
    try:
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()


def asked(url: str) -> tuple[int, str]:
    """Return status and text of an answer; 0 before anybody listens."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_a_consumer_says_that_it_is_ready_and_how_far_it_has_come(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    with consumer(redis_url, namespace, tmp_path) as address:
        until(lambda: asked(f"{address}/health/ready")[0] == 200)
        bus = RedisBus(redis_url, namespace)
        event = RatingAdded.model_validate({"data": {"user_id": 1, "movie_id": 2, "rating": 3.0}})
        until(lambda: bool(bus.client.hget(f"{namespace}:topics", "models.dead")))
        bus.producer().publish([Outgoing.of(event)])
        bus.close()
        until(lambda: 'type="rating.added"} 1.0' in asked(f"{address}/metrics")[1])
        names = ("marquee_lag_messages", "marquee_lag_seconds", "marquee_log_margin_messages")
        until(lambda: all(f"{n}{{" in asked(f"{address}/metrics")[1] for n in names))
        assert asked(f"{address}/health/live")[0] == 200


def test_a_consumer_of_other_partitions_is_live_not_ready_and_goes_on_once_they_are_right(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    bus = RedisBus(redis_url, namespace)
    create_topics(bus, 6)
    bus.close()
    with consumer(redis_url, namespace, tmp_path) as address:
        until(lambda: "topics" in asked(f"{address}/health/ready")[1])
        until(lambda: "6 partitions" in asked(f"{address}/health/ready")[1])
        status, said = asked(f"{address}/health/ready")
        assert status == 503
        assert "MARQUEE_PARTITIONS=6" in json.loads(said)["stopped"]["topics"]
        assert asked(f"{address}/health/live")[0] == 200
        with Redis.from_url(redis_url) as client:
            client.hdel(f"{namespace}:topics", RATINGS, "movies")
        until(lambda: asked(f"{address}/health/ready")[0] == 200)
