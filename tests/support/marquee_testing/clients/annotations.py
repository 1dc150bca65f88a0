"""The schemas of an OpenAPI document: their names, what they consist of, and Python's types."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_PREFIX = "#/components/schemas/"


class UnknownSchema(Exception):
    """A schema for which there is no type here."""


def name_of(reference: str) -> str:
    """Return the name of the schema that a reference leads to."""
    return reference.removeprefix(_PREFIX)


def class_name(schema: str) -> str:
    """Return the class of a schema: an answer's name says not that it is a document."""
    return schema.removesuffix("Document")


def references(schema: object) -> Iterator[str]:
    """Yield the names of the schemas that a schema refers to."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield name_of(schema["$ref"])
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def closure(names: Iterable[str], schemas: Mapping[str, Schema]) -> set[str]:
    """Return the names of schemas with those of all that they consist of."""
    found: set[str] = set()
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            open_names += references(schemas[name])
    return found


def annotation(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    """Return the type of a schema's values.

    Texts that are one of a few are `str`: a later gateway may know more of them.

    Raises:
        UnknownSchema: It is of a kind that has no type here.
    """
    if "$ref" in schema:
        name = name_of(schema["$ref"])
        return "str" if "enum" in schemas[name] else class_name(name)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(annotation(part, schemas) for part in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        return f"list[{annotation(schema['items'], schemas)}]"
    if kind == "object":
        values = schema.get("additionalProperties", True)
        of = annotation(values, schemas) if isinstance(values, Mapping) else "Any"
        return f"dict[str, {of}]"
    if kind == "string" and schema.get("format") == "date-time":
        return "datetime"
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind is None and not {"allOf", "oneOf", "const", "enum"} & schema.keys():
        return "Any"
    raise UnknownSchema(f"no type for {schema}: add it to marquee_testing.clients.annotations")
