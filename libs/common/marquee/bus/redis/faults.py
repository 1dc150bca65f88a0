"""Errors of the Redis client in plain words: the setting, the mistake and the remedy."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import redis

from marquee.addresses import ENCODING, REDIS_FORM

URL = "MARQUEE_REDIS_URL"
USER = "MARQUEE_REDIS_USER and MARQUEE_REDIS_PASSWORD"


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
    f"set {USER}, or write {REDIS_FORM}; without a user: redis://:PASSWORD@HOST",
)
WRONG_PASSWORD = Mistake(
    f"the server refuses the user or the password of {URL}, or of {USER}",
    f"correct it; in the address, {ENCODING}",
)
RIGHTS = (
    "give the process the user of its kind, and let the server load the rights that `marquee acl`"
    " prints (ACL LOAD)"
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
    if is_forbidden(error):
        words = _PLACE_IN_SCRIPT.sub("", _OF_PIPELINE.sub("", words))
        return Mistake(f"the server allows this process's user too little: {words}", RIGHTS)
    if isinstance(error, redis.exceptions.AskError) or code_of(error) == "CROSSSLOT":
        return CLUSTER
    if isinstance(error, redis.ResponseError) and "DB index" in words:
        return NO_DATABASE
    return None


def is_forbidden(error: object) -> bool:
    """Return whether a reply says that the user has too few rights.

    Waiting may help: rights are mended at the server, while processes run.
    """
    return isinstance(error, redis.ResponseError) and code_of(error) == "NOPERM"


STATES: Final[Mapping[str, Mistake]] = {
    "OOM": Mistake("the server's memory is full", "raise maxmemory, or find out what fills it"),
    "MISCONF": Mistake(
        "the server cannot write to its disk", "make room there, or let it write to its directory"
    ),
    "READONLY": Mistake(
        f"the server of {URL} is a replica, which takes no writes", "name the primary"
    ),
    "UNBLOCKED": Mistake(
        f"the server of {URL} was made a replica, which takes no writes", "name the primary"
    ),
    "MASTERDOWN": Mistake(
        f"the server of {URL} is a replica that has lost its primary", "name the primary"
    ),
    "NOREPLICAS": Mistake(
        "the server has fewer replicas in step than it needs for a write",
        "start them, or lower min-replicas-to-write",
    ),
    "LOADING": Mistake("the server is reading its data set after a start", "wait until it has"),
    "BUSY": Mistake("a script keeps the server busy", "wait, or end it by SCRIPT KILL"),
    "CLUSTERDOWN": CLUSTER,
    "CROSSSLOT": CLUSTER,
    "MOVED": CLUSTER,
    "ASK": CLUSTER,
    "TRYAGAIN": CLUSTER,
}
"""Code of an error → the state of a server that answers so."""
_OWN_FAULT = frozenset({"ERR", "WRONGTYPE", "STEP", "EXECABORT"})
"""Codes of errors that are the command's, whatever the state of the server."""
_CODE_OF_CLASS: Final[Mapping[type[Exception], str]] = {
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.ClusterCrossSlotError: "CROSSSLOT",
    redis.exceptions.TryAgainError: "TRYAGAIN",
    redis.exceptions.MovedError: "MOVED",
    redis.exceptions.AskError: "ASK",
}
"""For clients that drop the code where they have a class for it."""
_OF_PIPELINE = re.compile(r"Command # \d+ \(.*?\) of pipeline caused error: ", re.DOTALL)
_PLACE_IN_SCRIPT = re.compile(r" script: [^ ]* ?on @user_script.*", re.DOTALL)
_IN_SCRIPT = re.compile(r"user_script: ?\d+: -?([A-Z]{3,}) ")
_CODE = re.compile(r"([A-Z]{3,})\b")


def code_of(error: Exception) -> str:
    """Return the code of a server's error, such as `OOM`; `ERR` where it has none.

    The client tells the codes that it has classes for. Of others it tells the text alone, within a
    pipeline behind words of its own; older servers put the code of a script's command in the text.
    """
    known = getattr(error, "status_code", None) or _CODE_OF_CLASS.get(type(error))
    if known and known != "ERR":
        return str(known)
    words = _OF_PIPELINE.sub("", str(error)).removeprefix("ERR ")
    if words.startswith("ACL failure in script"):
        return "NOPERM"
    found = _IN_SCRIPT.search(words) or _CODE.match(words)
    return found[1] if found else "ERR"


def is_refusal(error: Exception) -> bool:
    """Return whether a server refuses for its state or its settings, not for a wrong command.

    Whoever meets such an error waits: another command would fare no better.
    """
    if not isinstance(error, redis.ResponseError):
        return isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.InvalidResponse)
    return code_of(error) not in _OWN_FAULT or "unknown command" in str(error)


def describe(error: Exception) -> str:
    """Return the text for an error of the client: what is wrong, with its remedy."""
    mistake = mistake_of(error)
    if mistake is not None:
        return str(mistake)
    code, words = code_of(error), str(error)
    if code in STATES:
        state = STATES[code]
        return f"{state.text} ({code}): {state.remedy}"
    if "max number of clients" in words:
        return f"the server takes no more clients: raise maxclients, or end idle ones ({words})"
    if "unknown command" in words:
        return f"the server of {URL} lacks a command: {words}"
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return f"the server of {URL} is silent: see whether it is stopped, too busy or cut off"
    if isinstance(error, redis.InvalidResponse):
        return f"what listens at {URL} is no Redis: correct the address"
    if isinstance(error, redis.ConnectionError | OSError):
        why = words.rstrip(".") or type(error).__name__
        return f"the server of {URL} cannot be reached: start it, or correct the address ({why})"
    return words
