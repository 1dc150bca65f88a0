"""Who may make which call: every operation with every kind of key and token."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest

from gateway.access.viewer_tokens import ViewerTokens
from gateway.api.docs import openapi_document
from gateway.app import create_app
from gateway.http.scopes import OF_ANYONE, OF_ONE_VIEWER, OF_VIEWER_IN_BODY, SCOPES
from marquee.access.api_keys import create_key
from marquee.access.rates import Rate
from marquee.access.scopes import GRANTED, Scope
from marquee_testing.fakes.gateway_api import client_of, parts
from marquee_testing.fakes.keyed_api import CALLS, CLOSED, OTHER, SECRETS, VIEWER, Harness

NOW = datetime.now(UTC)


@pytest.fixture
async def api() -> AsyncIterator[Harness]:
    harness = Harness()
    await harness.ring.read()
    async with harness.client:
        yield harness


def code_of(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    return f"{response.status_code} {document['code']}"


@pytest.mark.parametrize("operation", CLOSED)
async def test_every_call_asks_for_its_scope(api: Harness, operation: str) -> None:
    scope = SCOPES[operation]
    others = [one for one in GRANTED if one is not scope]
    nobody = await api.call(operation, None)
    assert code_of(nobody) == "401 unauthorized"
    assert nobody.headers["www-authenticate"] == "Bearer"
    refused = await api.call(operation, await api.key(*others))
    assert code_of(refused) == "403 forbidden"
    assert f"this needs the scope {scope}; shop has {', '.join(others)}" in refused.text
    for ended in ({"expires": NOW}, {"revoked": NOW}):
        response = await api.call(operation, await api.key(*GRANTED, ended=ended))
        assert code_of(response) == "401 unauthorized"
        assert f"the key shop is {next(iter(ended))[:-1]}" in response.text
    right = await api.call(operation, await api.key(scope))
    assert right.status_code not in (401, 403)


@pytest.mark.parametrize("operation", CLOSED)
async def test_a_token_is_for_one_viewer_alone(api: Harness, operation: str) -> None:
    key = await api.key(Scope.WRITE)
    tokens = {}
    for user in (VIEWER, OTHER):
        issued = await api.client.post(
            f"/v1/users/{user}/tokens", headers={"Authorization": f"Bearer {key}"}
        )
        assert issued.status_code == 201
        tokens[user] = issued.json()["token"]
    own, foreign = [await api.call(operation, tokens[user]) for user in (VIEWER, OTHER)]
    if operation in OF_ANYONE:
        assert 403 not in (own.status_code, foreign.status_code)
    elif operation in OF_ONE_VIEWER:
        assert own.status_code not in (401, 403)
        assert code_of(foreign) == "403 forbidden"
        assert "the token is for viewer 7 alone" in foreign.text
    elif operation not in OF_VIEWER_IN_BODY:
        assert code_of(own) == code_of(foreign) == "403 forbidden"


@pytest.mark.parametrize("operation", sorted(OF_VIEWER_IN_BODY))
async def test_a_token_is_for_the_one_viewer_that_a_body_names(
    api: Harness, operation: str
) -> None:
    method, path = CALLS[operation]
    headers = {"Authorization": f"Bearer {ViewerTokens(SECRETS).sign(7, 900)}"}
    asked: dict[object, httpx.Response] = {}
    viewers: list[dict[str, object]] = [
        {"user_id": 7},
        {"user_id": "7"},
        {"user_id": VIEWER},
        {"ratings": []},
    ]
    for named in viewers:
        body = {"movie_ids": [1], **named}
        asked[str(named)] = await api.client.request(method, path, json=body, headers=headers)
    *own, foreign, nobody = asked.values()
    assert [response.status_code for response in (*own, nobody)] == [200] * 3
    assert code_of(foreign) == "403 forbidden"
    assert "the token is for viewer 7 alone" in foreign.text


def test_what_is_open_and_what_a_token_allows_is_told_in_full() -> None:
    open_calls = {name for name in CALLS if SCOPES[name] is Scope.OPEN}
    assert open_calls == {
        "live",
        "ready",
        "metrics",
        "openapi",
        "docs",
        "explain_problem",
    }
    assert set(CLOSED) > OF_ANYONE | OF_ONE_VIEWER
    assert all(SCOPES[name] in (Scope.READ, Scope.WRITE) for name in OF_ANYONE | OF_ONE_VIEWER)
    assert "erase_user" not in OF_ONE_VIEWER
    for name in OF_ONE_VIEWER:
        assert VIEWER in CALLS[name][1]


def test_the_description_names_the_scheme_and_the_scope_of_each_call(api: Harness) -> None:
    document = openapi_document(api.app)
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    described = {
        operation["operationId"]: operation.get("security")
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert len(described) > 30
    for name, security in described.items():
        scope = SCOPES[name]
        assert security == (None if scope is Scope.OPEN else [{"bearer": [scope.value]}]), name


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "this call needs a key"),
        ("Basic YTpi", "the Authorization is not understood"),
        ("Bearer ", "the Authorization is not understood"),
        ("Bearer marquee_0123456789ab_" + "x" * 43, "the key is unknown"),
        ("Bearer marquee_short", "the key is unknown"),
        ("Bearer x.y.z", "the token is not valid"),
        ("Bearer \x7f", "the token is not valid"),
    ],
)
async def test_what_is_no_key_is_told_so(api: Harness, header: str, says: str) -> None:
    response = await api.client.get("/v1/movies", headers={"Authorization": header})
    assert code_of(response) == "401 unauthorized"
    assert says in response.text


HEADERS = [
    {"alg": "HS256", "crit": ["\ud800"]},
    {"alg": "none"},
    {"alg": ["HS256"]},
    {"alg": "HS256", "kid": {}},
    [],
    5,
]
ENDS = [10**400, -1, 1e300, True, "9999999999", None, [], 9999999999.5, float("inf"), float("nan")]


@pytest.mark.parametrize("header", HEADERS, ids=repr)
async def test_a_forged_token_is_refused_and_nothing_of_it_comes_back(
    api: Harness, header: object
) -> None:
    parts_of_it = [json.dumps(header), '{"sub": "7", "aud": "marquee-viewer", "exp": 1}', "x"]
    token = b".".join(base64.urlsafe_b64encode(p.encode()).rstrip(b"=") for p in parts_of_it)
    response = await api.call("list_genres", token.decode())
    assert code_of(response) == "401 unauthorized"
    assert response.json()["detail"] == "the token is not valid: ask for a new one"


@pytest.mark.parametrize("end", ENDS, ids=lambda end: repr(end)[:20])
async def test_a_token_ends_at_a_whole_second(api: Harness, end: object) -> None:
    claims = {"sub": "7", "aud": "marquee-viewer", "exp": end}
    encoded = json.dumps(claims).encode()
    token = jwt.api_jws.encode(encoded, SECRETS[0], "HS256")
    assert code_of(await api.call("get_user", token)) == "401 unauthorized"


async def test_a_key_with_another_secret_is_unknown(api: Harness) -> None:
    text = await api.key(*GRANTED)
    altered = text[:-1] + ("a" if text[-1] != "a" else "b")
    assert (await api.call("list_movies", text)).status_code == 200
    assert code_of(await api.call("list_movies", altered)) == "401 unauthorized"


async def test_before_the_keys_are_read_nobody_is_called_unknown() -> None:
    harness = Harness()
    _, text = create_key("shop", GRANTED)
    async with harness.client:
        response = await harness.call("list_movies", text)
    assert code_of(response) == "503 unavailable"
    assert response.headers["retry-after"] == "1"


async def test_tokens_end_and_old_secrets_verify_until_they_are_taken_out(api: Harness) -> None:
    older = ViewerTokens(SECRETS[1:])
    assert (await api.call("get_user", older.sign(7, 900))).status_code == 403
    for tokens, seconds, says in (
        (ViewerTokens(SECRETS), -1, "the token has ended"),
        (ViewerTokens(("z" * 32,)), 900, "the token is not valid: ask for a new one"),
    ):
        response = await api.call("get_user", tokens.sign(7, seconds))
        assert code_of(response) == "401 unauthorized"
        assert says in response.text


@pytest.mark.parametrize("scopes", [(Scope.WRITE,), (Scope.WRITE, Scope.CURATE)])
async def test_events_of_films_need_curate(api: Harness, scopes: tuple[Scope, ...]) -> None:
    headers = {"Authorization": f"Bearer {await api.key(*scopes)}"}
    rating = {"type": "rating.added", "data": {"user_id": 1, "movie_id": 2, "rating": 4}}
    block = {"type": "movie.blocked", "data": {"movie_id": 2, "reason": "x"}}
    answer = await api.client.post("/v1/events", headers=headers, json={"events": [rating, block]})
    assert [item["status"] for item in answer.json()["items"]] == [
        "accepted",
        "accepted" if Scope.CURATE in scopes else "rejected",
    ]
    if Scope.CURATE not in scopes:
        assert "need a key with the scope curate" in answer.text


async def test_a_limit_is_told_and_kept_by_key_and_by_viewer(api: Harness) -> None:
    text = await api.key(Scope.READ, Scope.WRITE, rate=Rate(5, 60))
    taken = await api.call("list_movies", text)
    assert taken.headers["ratelimit-policy"] == '"caller";q=5;w=60'
    assert taken.headers["ratelimit"].endswith(";t=2")
    token = ViewerTokens(SECRETS).sign(7, 900)
    await api.call("list_movies", token)
    assert api.limiter.buckets == ["key shop", "viewer 7"]
    api.limiter.left = 0
    refused = await api.call("list_movies", text)
    assert code_of(refused) == "429 rate_limited"
    assert refused.headers["retry-after"] == "3"
    api.limiter.left = 2
    missing = await api.client.get("/v1/movies/999", headers={"Authorization": f"Bearer {text}"})
    assert code_of(missing) == "404 not_found"
    assert missing.headers["ratelimit"] == '"caller";r=1;t=2'
    assert api.limiter.left == 1
    assert code_of(await api.call("list_shelves", text)) == "429 rate_limited"
    unlimited = await api.key(Scope.READ, name="other")
    assert "ratelimit" not in (await api.call("list_movies", unlimited)).headers


async def test_tokens_are_off_without_a_secret() -> None:
    async with client_of(create_app(parts()[0])) as client:
        response = await client.post("/v1/users/7/tokens")
    assert code_of(response) == "409 conflict"
    assert "MARQUEE_TOKEN_SECRETS" in response.text


async def test_a_token_tells_when_it_ends(api: Harness) -> None:
    headers = {"Authorization": f"Bearer {await api.key(Scope.WRITE)}"}
    path = "/v1/users/42/tokens"
    document = (await api.client.post(path, headers=headers, json={"seconds": 60})).json()
    assert document["user_id"] == 42
    ends = datetime.fromisoformat(document["expires_at"])
    assert timedelta(seconds=50) < ends - datetime.now(UTC) <= timedelta(seconds=60)
    refused = await api.client.post(path, headers=headers, json={"seconds": 10**9})
    assert code_of(refused) == "422 invalid_input"
