"""A program that runs the demo's whole system, each process behind its own proxy links.

`stack.py JSON`: ports of servers and links. It ends by SIGTERM, and everything it started with it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from marquee_local.demo import ONE_THREAD, Demo

ROOT = Path(__file__).resolve().parents[2]


class Stack(Demo):
    """The demo, except that no training is started and that faults can come between its parts."""

    def __init__(self, asked: dict[str, Any]) -> None:
        super().__init__(asked["port"], Path(asked["state"]), Path(asked["data"]), asked["bus"])
        self._links: dict[str, int] = asked["links"]
        self.ports |= {"redis": asked["redis"], "kafka": asked["kafka"]}
        self.environ = self._environ() | {
            "MARQUEE_KAFKA_SERVERS": f"127.0.0.1:{self._links['bus']}",
            "MARQUEE_TRAIN_AFTER_RATINGS": "0",
            "MARQUEE_TRAIN_EVERY_S": "0",
        }
        self.broker_options = ["--advertised", str(self._links["bus"])]

    def environ_of(self, name: str) -> dict[str, str]:
        """Return the settings of a process: it reaches Redis by its own link."""
        service, _, role = name.rpartition("-")
        url = f"redis://127.0.0.1:{self._links[f'{service} {role}']}/0"
        return {**super().environ_of(name), "MARQUEE_REDIS_URL": url}

    def join_neural(self) -> None:
        """Train nothing: the state holds the models that the run is to have."""


if __name__ == "__main__":
    for variable, value in ONE_THREAD.items():
        os.environ.setdefault(variable, value)
    sys.exit(Stack(json.loads(sys.argv[1])).run())
