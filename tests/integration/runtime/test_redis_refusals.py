"""Redis refuses each kind of process what is not its work, and says which right is missing."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from marquee.bus.api import TopicPartition
from marquee.bus.redis.faults import is_forbidden
from marquee.errors import SettingsError, StoreUnavailable
from marquee.requirements.redis_rights import rights_results
from marquee.requirements.start import check_start
from marquee.settings import read
from marquee.store.acl_file import ADMIN
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee.store.rights import KINDS, user_of
from marquee_testing.forbidden_calls import EVERYBODY, ON_KAFKA, arguments_of, forbidden_calls
from marquee_testing.servers.redis_users import UsersServer, password_of, valkey_with_users

NAMESPACE = "films"


@pytest.fixture(scope="module", params=["redis", "kafka"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[UsersServer]:
    directory = tmp_path_factory.mktemp("valkey")
    with valkey_with_users(directory, NAMESPACE, request.param) as made:
        yield made


@pytest.fixture
def bus(request: pytest.FixtureRequest, server: UsersServer) -> str:
    assert server.url
    return str(request.node.callspec.params["server"])


def settings_of(server: UsersServer, kind: str, state: Path, **others: str) -> Any:
    return read({**server.variables(kind), "MARQUEE_STATE": str(state), **others})


@pytest.mark.parametrize("kind", KINDS)
def test_each_forbidden_call_is_refused(server: UsersServer, bus: str, kind: str) -> None:
    calls = (*EVERYBODY, *forbidden_calls(kind), *(ON_KAFKA if bus == "kafka" else ()))
    answers: dict[str, object] = {}
    with closing(server.of_kind(kind)) as client:
        for _, call in calls:
            try:
                answers[call] = client.execute_command(*arguments_of(call, NAMESPACE))
            except redis.RedisError as error:
                answers[call] = error
    taken = {call: answer for call, answer in answers.items() if not is_forbidden(answer)}
    assert taken == {}
    with closing(server.client(ADMIN)) as admin:
        assert admin.dbsize() == 0


def test_a_script_may_call_no_more_than_its_user(server: UsersServer) -> None:
    key = f"{NAMESPACE}:gateway:{{idempotency}}:a"
    with closing(server.of_kind("gateway-app")) as client:
        allowed: Any = client.register_script("return redis.call('SET', KEYS[1], 'x')")
        assert allowed(keys=[key]) == b"OK"
        for text in (
            "redis.call('APPEND', KEYS[1], 'x')",
            "redis.call('DEL', 'films:access:keys')",
        ):
            script: Any = client.register_script(f"return {text}")
            with pytest.raises(redis.ResponseError) as refused:
                script(keys=[key])
            assert is_forbidden(refused.value), refused.value
        client.delete(key)


@pytest.mark.parametrize("user", ["default", "nobody", ""])
def test_nobody_comes_in_without_a_password(server: UsersServer, user: str) -> None:
    url = server.url.replace("//", f"//{user}@")
    refused = pytest.raises((redis.AuthenticationError, redis.ConnectionError))
    with closing(redis.Redis.from_url(url)) as client, refused:
        client.ping()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "health"])
def test_a_start_tries_the_rights_of_its_process(
    server: UsersServer, bus: str, kind: str, tmp_path: Path
) -> None:
    server.forget_refusals()
    settings = settings_of(server, kind, tmp_path, MARQUEE_BUS=bus)
    check_start(settings, kind)
    assert server.refused() == []


def test_a_process_with_the_user_of_another_ends_with_the_remedy(
    server: UsersServer, bus: str, tmp_path: Path
) -> None:
    settings = settings_of(server, "content-app", tmp_path, MARQUEE_BUS=bus)
    with pytest.raises(SettingsError) as refused:
        check_start(settings, "gateway-consumer")
    line = str(refused.value)
    assert "forbids this process's user what gateway-consumer does: " in line
    assert "the user of gateway-consumer is films-gateway-consumer" in line
    assert "`marquee acl`" in line
    assert "\n" not in line
    [found] = rights_results(settings, "operator")
    assert (found.state, found.at_start) == ("bad", "refuse")


def test_a_store_with_too_few_rights_is_waited_for(server: UsersServer, tmp_path: Path) -> None:
    """At the call, and within the script of a step: no event is to blame, so none is given up."""
    keys = Keys(NAMESPACE, "content", 4).of(TopicPartition("movies", 0))
    store = RedisStore(settings_of(server, "content-consumer", tmp_path).redis_address)
    other = RedisStore(settings_of(server, "content-app", tmp_path).redis_address)
    user = user_of("content-consumer", NAMESPACE)
    with closing(server.client(ADMIN)) as admin, closing(store), closing(other):
        with pytest.raises(StoreUnavailable, match="allows this process's user too little"):
            other.write(keys, None, 1, [("HSET", keys.movies, 1, b"{}")])
        rights: Any = admin.acl_getuser(user)
        selectors = [f"({s['commands']} {s['keys']})" for s in map(as_dict, rights["selectors"])]
        narrowed = [re.sub(r"\+hset\b", "", selector) for selector in selectors]
        admin.execute_command("ACL", "SETUSER", user, "clearselectors", *narrowed)
        with pytest.raises(StoreUnavailable, match="`marquee acl`"):
            store.write(keys, None, 1, [("HSET", keys.movies, 1, b"{}")])
        admin.execute_command("ACL", "SETUSER", user, "clearselectors", *selectors)
        assert store.position(keys) is None  # nothing of the refused step was written
        store.write(keys, None, 1, [("HSET", keys.movies, 1, b"{}")])
        assert store.position(keys) == 1
        admin.flushall()


def as_dict(selector: Any) -> dict[str, str]:
    if isinstance(selector, dict):
        return {text(name): text(value) for name, value in selector.items()}
    words = list(map(text, selector))
    return dict(zip(words[::2], words[1::2], strict=True))


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_a_password_is_told_wrong_without_it(server: UsersServer, tmp_path: Path) -> None:
    settings = settings_of(
        server, "operator", tmp_path, MARQUEE_REDIS_PASSWORD=password_of("another")
    )
    with pytest.raises(SettingsError) as refused:
        check_start(settings, "operator")
    line = str(refused.value)
    assert "MARQUEE_REDIS_USER and MARQUEE_REDIS_PASSWORD" in line
    assert password_of("another") not in line
