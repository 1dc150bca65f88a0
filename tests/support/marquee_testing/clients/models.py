"""Modules of the client's models: answers as pydantic models, bodies as typed dictionaries."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from marquee_testing.clients.annotations import Schema, annotation, class_name, closure, references

_MADE = "made by `make clients` from the gateway's OpenAPI document; do not edit."
_ANSWERS = f'''"""Answers of the API: {_MADE}

Fields that a later gateway adds are kept, and can be read as attributes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())
'''
_REQUESTS = f'''"""Bodies of requests: {_MADE}"""

from typing import Required, TypedDict
'''


def answers_module(names: Iterable[str], schemas: Mapping[str, Schema]) -> str:
    """Return the module of answers, with all that they consist of.

    Args:
        names: Schemas of answers.
        schemas: All schemas of the document by name.
    """
    needed = sorted(closure(names, schemas), key=class_name)
    models = [name for name in needed if "enum" not in schemas[name]]
    return _ANSWERS + "".join(_model(name, schemas) for name in models)


def requests_module(names: Iterable[str], schemas: Mapping[str, Schema]) -> str:
    """Return the module of bodies, those that they consist of first."""
    needed = closure(names, schemas)
    ordered = sorted(needed, key=lambda name: (name not in _inner(needed, schemas), name))
    return _REQUESTS + "".join(_dictionary(name, schemas) for name in ordered)


def _inner(names: Iterable[str], schemas: Mapping[str, Schema]) -> set[str]:
    return {inner for name in names for inner in references(schemas[name])}


def _model(name: str, schemas: Mapping[str, Schema]) -> str:
    schema = schemas[name]
    required = schema.get("required", ())
    text = f"\n\nclass {class_name(name)}(Document):\n{_docstring(name, schemas)}\n"
    for field, part in schema["properties"].items():
        kind = annotation(part, schemas)
        if field not in required:
            kind += " = None" if kind.endswith("None") else " | None = None"
        text += f"    {field}: {kind}\n"
    return text


def _dictionary(name: str, schemas: Mapping[str, Schema]) -> str:
    schema = schemas[name]
    text = f"\n\nclass {name}(TypedDict, total=False):\n{_docstring(name, schemas)}\n"
    for field, part in schema["properties"].items():
        kind = annotation(part, schemas)
        text += (
            f"    {field}: {f'Required[{kind}]' if field in schema.get('required', ()) else kind}\n"
        )
    return text


def _docstring(name: str, schemas: Mapping[str, Schema]) -> str:
    """Return what the document says of a schema and of its fields."""
    schema = schemas[name]
    words = class_name(name)
    first = schema.get("description", f"Fields of {words}.").replace("\n", "\n    ")
    told = list(_told(schema["properties"], schemas))
    if not told:
        return f'    """{first}"""'
    return f'    """{first}\n\n    Attributes:\n' + "".join(told) + '    """'


def _told(properties: Mapping[str, Schema], schemas: Mapping[str, Schema]) -> Iterator[str]:
    for field, part in properties.items():
        says = [part["description"]] if "description" in part else []
        values = [value for name in references(part) for value in schemas[name].get("enum", ())]
        values += part.get("enum", [])
        if values:
            says.append(f"Now one of {', '.join(f'`{value}`' for value in values)}.")
        if says:
            yield _wrapped(f"{field}: {' '.join(says)}".replace("\n", " "))


def _wrapped(text: str) -> str:
    return (
        textwrap.fill(
            text, 100, initial_indent=" " * 8, subsequent_indent=" " * 12, break_on_hyphens=False
        )
        + "\n"
    )
