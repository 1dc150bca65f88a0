"""The module of the client's operations."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.http.scopes import SCOPES
from marquee.access.scopes import Scope
from marquee_testing.clients.annotations import Schema, class_name, name_of

KEY = "Idempotency-Key"
_HEAD = '''"""Operations of the API: made by `make clients` from OpenAPI; do not edit."""

from marquee_client import answers
from marquee_client.operation import Operation
'''


@dataclass(frozen=True)
class Described:
    """An operation in the OpenAPI document.

    Attributes:
        method: Of HTTP, in capitals.
        path: With the names of its parts in braces.
        operation: Its object in the document.
    """

    method: str
    path: str
    operation: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its `operationId`."""
        return str(self.operation["operationId"])

    @property
    def answer(self) -> str:
        """The schema of a successful answer."""
        _, content = next(
            (status, response["content"])
            for status, response in sorted(self.operation["responses"].items())
            if status.startswith("2")
        )
        return name_of(content["application/json"]["schema"]["$ref"])

    @property
    def takes_key(self) -> bool:
        """Whether it takes an idempotency key."""
        return KEY in self.parameters("header")

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when no answer came."""
        return self.takes_key or SCOPES[self.name] is Scope.READ

    def parameters(self, place: str) -> list[str]:
        """Return the names of parameters in a place, such as `query`."""
        parameters = self.operation.get("parameters", ())
        return sorted(part["name"] for part in parameters if part["in"] == place)

    def fields(self, schemas: Mapping[str, Schema]) -> list[str]:
        """Return the names of the fields of its JSON body."""
        content = self.operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        for part in (schema, *schema.get("anyOf", ())):
            resolved = schemas[name_of(part["$ref"])] if "$ref" in part else part
            if "properties" in resolved:
                return sorted(resolved["properties"])
        return []


def described(document: Mapping[str, Any]) -> Iterator[Described]:
    """Yield the operations of a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "put", "post", "patch", "delete"}:
                yield Described(method.upper(), path, operation)


def operations_module(chosen: Iterable[Described]) -> str:
    """Return the module with these operations as constants."""
    return _HEAD + "".join(map(_constant, chosen))


def _constant(of: Described) -> str:
    return f"""
{of.name.upper()} = Operation(
    name="{of.name}",
    method="{of.method}",
    path="{of.path}",
    answer=answers.{class_name(of.answer)},
    takes_key={of.takes_key},
    repeatable={of.repeatable},
)
"""
