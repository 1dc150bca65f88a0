"""The TypeScript client: what is made of it is of this gateway, its tools are few and pinned."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import marquee
from marquee_testing.clients.files import (
    OPERATIONS,
    ROOT,
    TYPES,
    TYPESCRIPT,
    gateway_document,
    typescript_files,
    typescript_part,
)
from marquee_testing.clients.node import run
from marquee_testing.clients.typescript import digest_of, named_digest, part_of, types_module

LOCK = json.loads((TYPESCRIPT / "package-lock.json").read_text())
PACKAGE = json.loads((TYPESCRIPT / "package.json").read_text())
LICENCES = tomllib.loads((ROOT / "tests/audit/policy.toml").read_text())["licences"]
FOR_TOOLS = {*LICENCES["allowed"], *LICENCES["allowed_for_tools"]}


@pytest.fixture(scope="module")
def part() -> dict[str, Any]:
    return typescript_part()


def test_what_is_made_without_node_is_as_the_openapi_document_says() -> None:
    stale = [path.name for path, text in typescript_files().items() if path.read_text() != text]
    assert not stale, f"{', '.join(stale)}: run: make clients"


def test_the_types_are_made_of_this_openapi_document(part: dict[str, Any]) -> None:
    assert named_digest(TYPES.read_text()) == digest_of(part), "run: make clients"


def test_the_types_are_what_the_generator_makes(
    typescript_client: Path, part: dict[str, Any]
) -> None:
    assert types_module(part, typescript_client) == TYPES.read_text(), "run: make clients"


def test_a_change_of_what_is_called_changes_the_digest_and_another_one_does_not() -> None:
    document = gateway_document()
    before = digest_of(part_of(document, OPERATIONS))
    document["paths"]["/v1/trainings"]["get"]["summary"] = "Another"
    assert digest_of(part_of(document, OPERATIONS)) == before
    fields = document["components"]["schemas"]["EvidenceDocument"]["properties"]
    fields["pattern"] = {"type": "string", "pattern": "x"}
    after = part_of(document, OPERATIONS)
    assert digest_of(after) != before
    kept = after["components"]["schemas"]["EvidenceDocument"]["properties"]
    assert kept["pattern"] == {"type": "string"}


def test_every_call_of_the_gateway_that_a_client_makes_has_a_method() -> None:
    calls = set()
    for path in TYPESCRIPT.glob("src/*.ts"):
        calls |= set(re.findall(r"\boperations\.(?!js\b)(\w+)", path.read_text()))
    assert calls == OPERATIONS


def test_the_version_is_that_of_all_distributions() -> None:
    assert PACKAGE["version"] == LOCK["version"] == marquee.__version__


def test_who_installs_it_installs_nothing_else() -> None:
    assert not {"dependencies", "peerDependencies", "optionalDependencies"} & PACKAGE.keys()
    assert all(tool["dev"] for name, tool in LOCK["packages"].items() if name)


def test_tools_are_pinned_by_version_and_hash_and_no_place_is_named() -> None:
    for name, version in PACKAGE["devDependencies"].items():
        assert LOCK["packages"][f"node_modules/{name}"]["version"] == version
    for name, tool in LOCK["packages"].items():
        assert "resolved" not in tool
        assert not name or tool["integrity"].startswith("sha512-")


def test_licences_of_tools_are_allowed() -> None:
    stated = {tool["license"].strip("()") for name, tool in LOCK["packages"].items() if name}
    assert {licence for licence in stated if not FOR_TOOLS & {*licence.split(" OR ")}} == set()


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_the_package_has_the_texts_of_its_licence(name: str) -> None:
    assert (TYPESCRIPT / name).read_bytes() == (ROOT / name).read_bytes()


def test_no_module_is_longer_than_three_hundred_lines() -> None:
    written = [*TYPESCRIPT.glob("src/**/*.ts"), *TYPESCRIPT.glob("test/*.mjs")]
    long = [path.name for path in written if path.read_text().count("\n") > 300]
    assert long == ["schema.ts"]


def test_the_client_passes_its_own_tests(typescript_client: Path) -> None:
    said = run(["npm", "test"], typescript_client)
    passed = re.search(r"^# pass (\d+)$", said, re.MULTILINE)
    assert passed
    assert int(passed[1]) >= 57


@pytest.mark.usefixtures("typescript_client")
def test_the_package_is_installed_from_its_file_and_has_what_it_says(tmp_path: Path) -> None:
    run(["make", "-s", "npm-package", f"DIST={tmp_path}"], ROOT)
    (file,) = tmp_path.glob("marquee-client-*.tgz")
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "package.json").write_text('{"type": "module"}')
    run(["npm", "install", "--offline", "--silent", file], shop)
    assert [path.name for path in (shop / "node_modules").glob("[!.]*")] == ["marquee-client"]
    found = {path.name for path in (shop / "node_modules/marquee-client").iterdir()}
    assert found == {"dist", "LICENSE", "NOTICE", "README.md", "package.json"}
    script = "import { Marquee } from 'marquee-client'; console.log(typeof Marquee)"
    assert run(["node", "--input-type=module", "-e", script], shop) == "function\n"
    bundle = (tmp_path / "marquee-list.js").read_text()
    assert not re.search(r"\bimport\b(?! ?\.meta)", bundle)
    assert len(bundle) < 40_000
