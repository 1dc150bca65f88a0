"""As much of JSON Schema 2020-12 as the events' schemas use; any other keyword is a fault."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

Schema = Mapping[str, Any]
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_ANNOTATIONS = frozenset(("$schema", "$id", "$defs", "title", "description", "default", "examples"))
_CHECKS: Mapping[str, Callable[[Any, Any], bool]] = {
    "const": lambda value, wanted: bool(value == wanted),
    "enum": lambda value, allowed: value in allowed,
    "minimum": lambda value, least: bool(value >= least),
    "maximum": lambda value, most: bool(value <= most),
    "exclusiveMinimum": lambda value, least: bool(value > least),
    "multipleOf": lambda value, unit: value % unit == 0,
    "minLength": lambda value, least: len(value) >= least,
    "maxLength": lambda value, most: len(value) <= most,
    "maxItems": lambda value, most: len(value) <= most,
    "maxProperties": lambda value, most: len(value) <= most,
    "pattern": lambda value, pattern: re.search(pattern, value) is not None,
    "format": lambda value, kind: kind == "date-time" and _moment(value),
}


def faults(value: Any, schema: Schema, root: Schema | None = None, at: str = "$") -> list[str]:
    """Return what in a value is not as a schema says."""
    return list(_faults(value, schema, schema if root is None else root, at))


def _faults(value: Any, schema: Schema, root: Schema, at: str) -> Iterator[str]:
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{at}: not of type {schema['type']}"
        return
    for keyword, argument in schema.items():
        if keyword in _CHECKS:
            if not _CHECKS[keyword](value, argument):
                yield f"{at}: {keyword} {argument}"
        elif keyword in _NESTED:
            yield from _NESTED[keyword](value, argument, root, at)
        elif keyword != "type" and keyword not in _ANNOTATIONS:
            raise NotImplementedError(f"{at}: keyword {keyword}")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _properties(value: Any, properties: Schema, root: Schema, at: str) -> Iterator[str]:
    for name in properties.keys() & value.keys():
        yield from _faults(value[name], properties[name], root, f"{at}.{name}")


def _required(value: Any, names: list[str], _: Schema, at: str) -> Iterator[str]:
    yield from (f"{at}: {name} is missing" for name in names if name not in value)


def _items(value: Any, schema: Schema, root: Schema, at: str) -> Iterator[str]:
    for index, item in enumerate(value):
        yield from _faults(item, schema, root, f"{at}[{index}]")


def _rest(value: Any, schema: Schema, root: Schema, at: str) -> Iterator[str]:
    for name, item in value.items():
        yield from _faults(item, schema, root, f"{at}.{name}")


def _names(value: Any, schema: Schema, root: Schema, at: str) -> Iterator[str]:
    for name in value:
        yield from _faults(name, schema, root, f"{at}: name {name}")


def _any_of(value: Any, schemas: list[Schema], root: Schema, at: str) -> Iterator[str]:
    found = [faults(value, schema, root, at) for schema in schemas]
    if all(found):
        yield from found[0]


def _ref(value: Any, path: str, root: Schema, at: str) -> Iterator[str]:
    target: Any = root
    for part in path.removeprefix("#/").split("/"):
        target = target[part]
    yield from _faults(value, target, root, at)


_NESTED: Mapping[str, Callable[[Any, Any, Schema, str], Iterator[str]]] = {
    "properties": _properties,
    "required": _required,
    "items": _items,
    "additionalProperties": _rest,
    "propertyNames": _names,
    "anyOf": _any_of,
    "$ref": _ref,
}
