"""The lock that lets one training run at a time, handed from the starting process to the training.

The kernel holds the lock for an open file description: a child process that inherits the descriptor
shares it, and the lock is free once every process that has it is dead, whatever killed them. So a
training counts as under way exactly as long as its starter or its own process lives, whichever
process id another program gets meanwhile.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from marquee.errors import Conflict
from marquee.files import is_locked, locked

_ATTEMPTS, _PAUSE_S = 10, 0.01


class TrainingInProgress(Conflict):
    """Another training is under way."""

    def __init__(self, training_id: str) -> None:
        super().__init__(f"training {training_id} is under way; one runs at a time")
        self.training_id = training_id


class TrainingLock:
    """A lock file that names the training which holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def holder(self) -> str | None:
        """Return the id of the training that holds the lock, or None."""
        return self._read() if is_locked(self._path) else None

    @contextmanager
    def hold(self, training_id: str, inherited: int | None = None) -> Iterator[int]:
        """Hold the lock until the end of the context; yield the lock's file descriptor.

        A child process that inherits the descriptor holds the lock beyond the context.

        Args:
            training_id: The training that holds the lock.
            inherited: The descriptor of a lock that the parent process took for this training.

        Raises:
            TrainingInProgress: Another training holds the lock.
        """
        if inherited is not None:
            os.set_inheritable(inherited, False)  # worker processes must not hold the lock
            try:
                yield inherited
            finally:
                os.close(inherited)
            return
        with ExitStack() as stack:
            descriptor = self._acquire(stack)
            self._path.write_text(training_id)
            yield descriptor

    def _acquire(self, stack: ExitStack) -> int:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return stack.enter_context(locked(self._path, wait=False))
            except BlockingIOError:
                if attempt == _ATTEMPTS:
                    break
            time.sleep(
                _PAUSE_S
            )  # a reader asks for the holder with a lock of its own, for a moment
        raise TrainingInProgress(self._read())

    def _read(self) -> str:
        return self._path.read_text().strip() or "unknown"
