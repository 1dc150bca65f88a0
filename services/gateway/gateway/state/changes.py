"""Changes of lists: one source a process, from which each follower of a list is woken.

What wakes a follower: an entry of the gateway's update streams that concerns its viewer (rating,
view, dismissal, erasure), or everybody (film, rule); and what has no entry there, a model version
or a rule's period (`wake_all`). A follower that waits costs a future, and nothing is asked for it.
"""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import chain

from gateway.state.consistency_token import Positions
from marquee import telemetry
from marquee.errors import TooManyFollowers
from marquee.events import RATINGS
from marquee.events.erasure import digest_of_user
from marquee.events.user_buckets import BUCKETS, bucket_of_digest, unpack_buckets
from marquee.serving.update_stream import Update
from marquee.store.keys import PartitionKeys

MAX_OF_ONE_VIEWER = 20
"""Followers of one viewer's list, at most: one token must not take all places."""
CONCURRENT = 8
"""Followers whose lists are made at once after a change that concerns everybody."""
ERASED, STOPPING = "erased", "stopping"
"""Why a follower has to end."""
_ERASED = "erased:"


@dataclass
class Change:
    """What happened since a follower looked last.

    Attributes:
        after: Positions that its next list has to follow.
        is_own: Whether the viewer's own facts may have changed, or only what is everybody's.
        is_erased: Whether the viewer was erased.
    """

    after: Positions = field(default_factory=dict)
    is_own: bool = False
    is_erased: bool = False


class Follower:
    """Who follows one viewer's list."""

    def __init__(self, user_id: int) -> None:
        """Wait for nothing yet."""
        self.user_id = user_id
        self.digest = digest_of_user(user_id)
        self.ended = ""
        """Why it has to end: `erased` or `stopping`; empty as long as it goes on."""
        self._change = Change()
        self._woken = asyncio.Event()

    async def changed(self, seconds: float) -> Change | None:
        """Return what happened since the last call, waiting for it.

        Args:
            seconds: How long to wait at most.

        Returns:
            None where nothing happened in that time, or the follower has to end.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return None
        self._woken.clear()
        change, self._change = self._change, Change()
        if change.is_erased:
            self.ended = self.ended or ERASED
        return None if self.ended else change

    def wake(
        self, after: Positions | None = None, *, is_own: bool = False, is_erased: bool = False
    ) -> None:
        """Note a change, and wake the follower."""
        change = self._change
        change.is_own |= is_own
        change.is_erased |= is_erased
        for name, offset in (after or {}).items():
            change.after[name] = max(offset, change.after.get(name, 0))
        self._woken.set()

    def stop(self) -> None:
        """Wake the follower for the last time: the process is about to end."""
        self.ended = STOPPING
        self._woken.set()


class Changes:
    """The followers of a process, by the buckets of their viewers."""

    def __init__(self, most: int) -> None:
        """Have no follower yet.

        Args:
            most: Followers at once, at most.
        """
        self._most = most
        self._by_bucket: defaultdict[int, set[Follower]] = defaultdict(set)
        self._of_viewer: Counter[int] = Counter()
        self._stops = False
        self.turns = asyncio.Semaphore(CONCURRENT)
        """Taken for the lists that a change of everybody's makes necessary."""

    def __len__(self) -> int:
        return self._of_viewer.total()

    def follow(self, user_id: int) -> Follower:
        """Return a new follower of a viewer's list, to be given to `leave` in the end.

        Raises:
            TooManyFollowers: There are as many as there may be, or the process is about to end.
        """
        if self._stops:
            raise TooManyFollowers("this gateway is about to end: connect again")
        if len(self) >= self._most:
            raise TooManyFollowers(
                f"{self._most} followers of lists are connected, as many as MARQUEE_MAX_FOLLOWERS"
                " allows here"
            )
        if self._of_viewer[user_id] >= MAX_OF_ONE_VIEWER:
            raise TooManyFollowers(f"{MAX_OF_ONE_VIEWER} connections follow this viewer already")
        follower = Follower(user_id)
        self._by_bucket[bucket_of_digest(follower.digest)].add(follower)
        self._of_viewer[user_id] += 1
        telemetry.FOLLOWERS.set(len(self))
        return follower

    def leave(self, follower: Follower) -> None:
        """Forget a follower."""
        bucket = self._by_bucket[bucket_of_digest(follower.digest)]
        if follower in bucket:
            bucket.remove(follower)
            self._of_viewer -= Counter([follower.user_id])  # leaves no zeros
        if not bucket:
            del self._by_bucket[bucket_of_digest(follower.digest)]
        telemetry.FOLLOWERS.set(len(self))

    def apply(self, keys: PartitionKeys, update: Update) -> None:
        """Wake those whom an entry of the gateway's own update streams concerns."""
        after = {str(keys.partition): update.end}
        if keys.partition.topic != RATINGS:
            self._wake(after, is_own=False)
        elif (packed := update.values.get(BUCKETS)) is not None:
            for bucket in unpack_buckets(packed):
                for follower in self._by_bucket.get(bucket, ()):
                    follower.wake(after, is_own=True)
            self._apply_erasures(update)
        elif update.end > update.start:
            # A consumer of an earlier release does not say whose facts it has changed.
            self._wake(after, is_own=True)

    def wake_all(self) -> None:
        """Wake everybody: what they were shown may not hold any more."""
        self._wake({}, is_own=False)

    def missed(self) -> None:
        """Wake everybody: any change may have been missed."""
        self._wake({}, is_own=True)

    def stop(self) -> None:
        """End all followers, and let nobody follow any more: the process is about to end."""
        self._stops = True
        for follower in self._all():
            follower.stop()

    def _apply_erasures(self, update: Update) -> None:
        erased = (name for name in update.values if name.startswith(_ERASED))
        for digest in (bytes.fromhex(name.removeprefix(_ERASED)) for name in erased):
            for follower in self._by_bucket.get(bucket_of_digest(digest), ()):
                if follower.digest == digest:
                    follower.wake(is_own=True, is_erased=True)

    def _wake(self, after: Positions, *, is_own: bool) -> None:
        for follower in self._all():
            follower.wake(after, is_own=is_own)

    def _all(self) -> list[Follower]:
        return list(chain.from_iterable(self._by_bucket.values()))
