"""What a process says of itself to those who watch it."""

import time
from dataclasses import dataclass, field


@dataclass
class Health:
    """What the consumer says of itself; `beat` is the monotonic time of the loop's last turn."""

    beat: float = field(default_factory=time.monotonic)
    waiting_for: str | None = None
    stopped: dict[str, str] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return time.monotonic() - self.beat < 60.0

    @property
    def ready(self) -> bool:
        return self.waiting_for is None and not self.stopped
