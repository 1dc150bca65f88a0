"""Modules of the TypeScript client that are made: types by openapi-typescript, operations here.

The types are those of a part of the OpenAPI document: what the client calls, and what it is
answered with. Their file names the digest of that part: stale types are seen without Node.
"""

import hashlib
import json
import subprocess
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from marquee_testing.clients.annotations import closure, references
from marquee_testing.clients.operations import Described, described

JSON: Final = "application/json"
PROBLEM: Final = "Problem"
_KEPT: Final = ("operationId", "summary", "description", "parameters")
_MADE: Final = "made by `make clients` from the gateway's OpenAPI document; do not edit."
_UNTYPED: Final = frozenset(
    {"exclusiveMaximum", "exclusiveMinimum", "maxItems", "maxLength", "maximum", "minItems"}
    | {"minLength", "minimum", "multipleOf", "not", "pattern"}
)
"""What a schema says of its values that a type cannot say: the gateway checks it."""
_DIGEST: Final = "// SHA-256 of what it is made of: "
_OPERATIONS: Final = f"""// Operations of the API: {_MADE}

import type {{ Operation }} from "./operation.js";

export const operations = {{
"""


def part_of(document: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the part of an OpenAPI document that describes some operations.

    Refusals are left out: all have the schema of problems, which is kept.

    Args:
        document: The whole.
        names: The `operationId` of each.
    """
    paths: dict[str, dict[str, Any]] = {}
    for one in described(document):
        if one.name in names:
            paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    schemas = document["components"]["schemas"]
    needed = closure([*references(list(paths.values())), PROBLEM], schemas)
    kept = {name: schema for name, schema in schemas.items() if name in needed}
    part = {"paths": paths, "components": {"schemas": kept}}
    head = {"openapi": document["openapi"], "info": {"title": "Marquee", "version": "1"}}
    return head | {name: _typed(value) for name, value in part.items()}


def digest_of(part: Mapping[str, Any]) -> str:
    """Return the digest that the file of types names."""
    return hashlib.sha256(json.dumps(part).encode()).hexdigest()


def named_digest(source: str) -> str:
    """Return the digest that a file of types names; empty if it names none."""
    for line in source.splitlines()[:3]:
        if line.startswith(_DIGEST):
            return line.removeprefix(_DIGEST)
    return ""


def types_module(part: Mapping[str, Any], package: Path) -> str:
    """Return the module of types.

    Args:
        part: The part of the document.
        package: The folder of the client, with its development tools installed.
    """
    program = package / "node_modules/.bin/openapi-typescript"
    made = subprocess.run(
        [
            program,
            "--default-non-nullable",
            "false",
            "--root-types",
            "--root-types-no-schema-prefix",
        ],
        input=json.dumps(part),
        capture_output=True,
        text=True,
        cwd=package,
        check=True,
    ).stdout
    return f"// Types of the API: {_MADE}\n{_DIGEST}{digest_of(part)}\n\n{made}"


def operations_module(chosen: Iterable[Described]) -> str:
    """Return the module with these operations by name."""
    return (
        _OPERATIONS
        + "".join(map(_entry, chosen))
        + "} as const satisfies Record<string, Operation>;\n"
    )


def _entry(of: Described) -> str:
    return (
        f"  {of.name}: {{\n"
        f'    name: "{of.name}",\n'
        f'    method: "{of.method}",\n'
        f'    path: "{of.path}",\n'
        f"    takesKey: {json.dumps(of.takes_key)},\n"
        f"    repeatable: {json.dumps(of.repeatable)},\n"
        "  },\n"
    )


def _operation(of: Described) -> dict[str, Any]:
    kept = {name: of.operation[name] for name in _KEPT if name in of.operation}
    if "requestBody" in of.operation:
        kept["requestBody"] = _in_json(of.operation["requestBody"])
    status, response = next(
        (status, response)
        for status, response in sorted(of.operation["responses"].items())
        if status.startswith("2")
    )
    answer = _in_json(response)
    answer.pop("headers", None)
    return {**kept, "responses": {status: answer}}


def _typed(value: Any, of_schema: bool = True) -> Any:
    """Return a part of the document without what types do not say.

    Args:
        value: The part.
        of_schema: Whether its names are the words of schemas, not those of fields.
    """
    if isinstance(value, list):
        return [_typed(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    dropped = _UNTYPED if of_schema else frozenset()
    if of_schema and value.get("type") == "string":
        dropped |= {"allOf"}  # further patterns
    return {
        name: _typed(part, of_schema=not of_schema or name not in ("properties", "schemas"))
        for name, part in value.items()
        if name not in dropped
    }


def _in_json(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request or a response without its other media types."""
    return {**message, "content": {JSON: message["content"][JSON]}}
