"""The TypeScript client at a gateway process on a real Valkey; the code of its README and page."""

import json
import re
import secrets
import subprocess
from pathlib import Path

import httpx
import pytest

from marquee_testing.clients.node import ROOT, node_environ, run
from marquee_testing.servers.fault_proxy import Link
from marquee_testing.servers.ranked_films import FILMS
from marquee_testing.servers.shop import Shop

SCRIPTS = Path(__file__).parent
PAGES = ("clients/typescript/README.md", "docs/how-to/call-from-typescript.md")
BLOCK = re.compile(r"^```ts\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMPILED = {
    "compilerOptions": {
        "target": "ES2022",
        "module": "NodeNext",
        "lib": ["ES2023", "DOM", "DOM.Iterable"],
        "types": [],
        "strict": True,
    },
    "files": ["page.ts"],
}


@pytest.fixture
def environ(shop: Shop, typescript_client: Path) -> dict[str, str]:
    return {
        "CLIENT": (typescript_client / "dist/index.js").as_uri(),
        "GATEWAY": shop.url,
        "KEY": shop.key,
        "SLOW_KEY": shop.slow_key,
        "FILMS": str(FILMS),
        "USER_ID": str(secrets.randbelow(2**40) + 1),
    }


def test_calls_do_what_they_say(environ: dict[str, str]) -> None:
    said = run(["node", "--test", SCRIPTS / "gateway_calls.mjs"], ROOT, **environ)
    passed = re.search(r"^# pass (\d+)$", said, re.MULTILINE)
    assert passed
    assert int(passed[1]) >= 10


def test_a_write_whose_answer_is_lost_takes_effect_once(
    shop: Shop, link: Link, environ: dict[str, str]
) -> None:
    title = f"Stalker {secrets.token_hex(4)}"
    link.lose_replies(2, b"POST /v1/movies")
    script = """
        const { CLIENT, LINK, KEY, TITLE } = process.env;
        const { Marquee } = await import(CLIENT);
        const client = new Marquee(LINK, { token: KEY, retries: { firstMs: 10 } });
        console.log(JSON.stringify(await client.addMovie({ title: TITLE })));
    """
    command: list[str | Path] = ["node", "--input-type=module", "-e", script]
    place = {"LINK": f"http://{link.address}", "TITLE": title}
    added = json.loads(run(command, ROOT, **environ, **place))
    assert link.lost_replies == 2
    head = {"Authorization": f"Bearer {shop.key}"}
    with httpx.Client(base_url=shop.url, headers=head) as client:
        client.get("/v1/users/1", params={"after": added["token"], "wait_ms": 10_000})
        found = client.get("/v1/movies", params={"query": title}).json()["items"]
        assert [film["movie_id"] for film in found] == [added["movie_id"]]
        client.delete(f"/v1/movies/{added['movie_id']}").raise_for_status()


def test_a_followed_list_goes_on_after_a_break(link: Link, environ: dict[str, str]) -> None:
    values = environ | {"LINK": f"http://{link.address}"}
    command = ["node", str(SCRIPTS / "follower.mjs")]
    values = node_environ() | values
    with subprocess.Popen(command, env=values, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout
        said = [process.stdout.readline().strip()]
        link.reset()
        said += process.stdout.read().split("\n")[:-1]
    # The first list is not sent again: the id of the last message went with the new connection.
    assert said == [
        f"list {FILMS} {FILMS - 1} {FILMS - 2}",
        "break NoAnswer",
        f"list {FILMS - 1} {FILMS - 2} {FILMS - 3}",
    ]
    assert process.returncode == 0


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_compiles_and_runs(
    page: str, shop: Shop, typescript_client: Path, tmp_path: Path
) -> None:
    text = (ROOT / page).read_text()
    source = "".join(BLOCK.findall(text))
    assert "http://127.0.0.1:8080" in source
    source = source.replace("http://127.0.0.1:8080", shop.url).replace("marquee_…", shop.key)
    (tmp_path / "page.ts").write_text(source)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(json.dumps(COMPILED))
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/marquee-client").symlink_to(typescript_client)
    run([typescript_client / "node_modules/.bin/tsc", "-p", "."], tmp_path)
    said = run(["node", "page.js"], tmp_path)
    assert re.search(r"Film \d\d", said)
    assert "true" in said.splitlines()
    assert ("invalid_input" in said) == ("InvalidInput" in source)
