"""A server that refuses writes for now is waited for; a wrong command is a programming error."""

from collections.abc import Callable

import pytest
import redis

from marquee.errors import StoreUnavailable
from marquee.store.redis import translate_errors


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


@pytest.mark.parametrize(
    "error",
    [
        redis.ConnectionError("refused"),
        redis.TimeoutError("late"),
        ConnectionResetError("reset"),
        redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        redis.exceptions.ReadOnlyError("You can't write against a read only replica."),
        redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
        redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'. script: f"),
        redis.exceptions.NoPermissionError("User x has no permissions to run the 'get' command"),
        redis.ResponseError("ACL failure in script: User x has no permissions to run 'set'"),
        redis.ResponseError("NOREPLICAS Not enough good replicas to write."),
        redis.ResponseError("Command # 2 (SET y 1) of pipeline caused error: BUSY is busy"),
        redis.ResponseError("ACL failure in script: User default has no permissions to run 'set'"),
        redis.ResponseError("Error running script (call to f_1): @user_script:1: -OOM command"),
        redis.ResponseError("unknown command 'LMPOP', with args beginning with: "),
        redis.exceptions.NoPermissionError("User default has no permissions to run 'get'"),
        redis.exceptions.MovedError("866 127.0.0.1:7001"),
        redis.exceptions.AskError("866 127.0.0.1:7001"),
        redis.exceptions.ClusterCrossSlotError("Keys in request don't hash to the same slot"),
        redis.exceptions.AuthenticationError("invalid username-password pair"),
        redis.exceptions.BusyLoadingError("is loading the dataset in memory"),
        redis.exceptions.InvalidResponse("Protocol Error: b'TTP/1.1'"),
    ],
)
def test_what_may_pass_is_unavailable(error: Exception) -> None:
    with pytest.raises(StoreUnavailable, match="Redis: "):
        translate_errors(raising(error))


def test_what_will_not_pass_is_said_as_it_is() -> None:
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        translate_errors(raising(redis.ResponseError("WRONGTYPE Operation against a key")))


def test_an_answer_is_passed_on() -> None:
    assert translate_errors(lambda: 7) == 7
