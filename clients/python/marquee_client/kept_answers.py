"""Answers that a client keeps, so that one that still holds is not sent again."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

from pydantic import BaseModel


class KeptAnswers:
    """The last answers of reads, with their entity tags; safe to share between threads.

    They are asked for each time all the same: the gateway says whether they still hold.
    """

    def __init__(self, answers: int) -> None:
        """Make it empty.

        Args:
            answers: How many are kept at most; those used last stay. 0: none.
        """
        self._most = answers
        self._kept: OrderedDict[Hashable, tuple[str, BaseModel]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, asked: Hashable) -> tuple[str, BaseModel] | None:
        """Return the entity tag and the answer to what is asked, None if none is kept."""
        with self._lock:
            if asked in self._kept:
                self._kept.move_to_end(asked)
            return self._kept.get(asked)

    def keep(self, asked: Hashable, tag: str, answer: BaseModel) -> None:
        """Keep an answer in the place of the former one."""
        with self._lock:
            self._kept[asked] = (tag, answer)
            self._kept.move_to_end(asked)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
