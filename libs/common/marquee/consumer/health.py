"""Health of a consumer process: liveness of its loop, and reasons why it waits or stopped."""

import time
from dataclasses import dataclass, field

LIVE_SECONDS = 60.0
"""A loop that has not taken a turn for this long counts as dead."""


@dataclass
class Health:
    """The state of a consumer loop, as its health endpoints report it."""

    last_beat: float = field(default_factory=time.monotonic)
    """Monotonic time of the loop's last sign of life."""
    waiting_for: str | None = None
    """The fault that the loop waits out, such as a bus out of reach."""
    stopped: dict[str, str] = field(default_factory=dict)
    """Stopped parts that need an operator, with the reason: partitions, topics, log."""

    def beat(self) -> None:
        """Record a sign of life."""
        self.last_beat = time.monotonic()

    @property
    def live(self) -> bool:
        """Whether the loop has given a sign of life recently."""
        return time.monotonic() - self.last_beat < LIVE_SECONDS

    @property
    def ready(self) -> bool:
        """Whether the consumer works on all partitions."""
        return self.waiting_for is None and not self.stopped
