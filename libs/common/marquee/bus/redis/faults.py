"""Errors of the Redis client in plain words: the setting, the mistake and the remedy."""

from typing import NamedTuple

import redis

from marquee.addresses import ENCODING, REDIS_FORM

URL = "MARQUEE_REDIS_URL"


class Mistake(NamedTuple):
    """A mistake in the settings or at the server, which waiting does not mend."""

    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.text}: {self.remedy}"


CLUSTER = Mistake(
    f"the server of {URL} runs in cluster mode, where the keys of one write lie on several nodes",
    "name a server with cluster-enabled no",
)
NO_PASSWORD = Mistake(
    f"{URL} has no password, and the server wants one",
    f"write {REDIS_FORM}; without a user: redis://:PASSWORD@HOST",
)
WRONG_PASSWORD = Mistake(
    f"the server refuses the user or the password of {URL}", f"correct it; {ENCODING}"
)
NO_DATABASE = Mistake(
    f"the server has no database of the number in {URL}", "take a lower one, such as /0"
)


def mistake_of(error: Exception) -> Mistake | None:
    """Return the mistake that an error of the client shows, None if waiting may mend it.

    The texts repeat nothing of the address, since it may hold a password.
    """
    words = str(error)
    if isinstance(error, redis.AuthenticationError):
        # The first command may be HELLO, which answers so.
        is_missing = "already authenticated" in words or "Authentication required" in words
        return NO_PASSWORD if is_missing else WRONG_PASSWORD
    if isinstance(error, redis.exceptions.NoPermissionError):
        return Mistake(f"the server allows the user of {URL} too little: {words}", "ACL SETUSER")
    if isinstance(error, redis.exceptions.AskError) or "CROSSSLOT" in words:
        return CLUSTER
    if isinstance(error, redis.ResponseError) and "DB index" in words:
        return NO_DATABASE
    return None


def describe(error: Exception) -> str:
    """Return the text for an error of the client: the mistake with its remedy, or its own words."""
    return str(mistake_of(error) or error)
