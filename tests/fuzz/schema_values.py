"""Values of the published JSON Schemas of events, as far as those use the language."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]
SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "events"
USERS, MOVIES = 40, 80
"""Numbers of viewers and films that most events are about, so that they meet each other."""
_ID = {"user_id": USERS, "movie_id": MOVIES}
_MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
_WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Z")), min_size=1
)


def events() -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy of valid events of all types."""
    schemas = [json.loads(path.read_text()) for path in sorted(SCHEMAS.glob("*.schema.json"))]
    return st.one_of([_of(schema, schema) for schema in schemas])


def _of(schema: Schema, root: Schema, name: str = "") -> st.SearchStrategy[Any]:
    """Return a strategy of the values of a schema within a document."""
    if "$ref" in schema:
        return _of(root["$defs"][schema["$ref"].rpartition("/")[2]], root, name)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        values = st.one_of([_of(part, root) for part in schema["anyOf"]])
        known = st.integers(1, _ID.get(name, 1))
        return st.one_of(known, known, known, values) if name in _ID else values
    kinds = {"object": _object, "array": _array, "string": _string}
    if schema["type"] in kinds:
        return kinds[schema["type"]](schema, root)
    return _plain(schema)


def _plain(schema: Schema) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema["type"] == "integer":
        return st.integers(low if low is not None else -(2**53), high or 2**53)
    if schema["type"] == "number":
        if "multipleOf" in schema:
            step = schema["multipleOf"]
            return st.integers(round(low / step), round(high / step)).map(lambda n: n * step)
        low = schema.get("exclusiveMinimum", low)
        return st.floats(low, high, exclude_min="exclusiveMinimum" in schema)
    return st.booleans() if schema["type"] == "boolean" else st.none()


def _object(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    fields = schema.get("properties", {})
    if not fields:
        values = _of(schema.get("additionalProperties", {"type": "null"}), root)
        names = _of({"type": "string", **schema.get("propertyNames", {"maxLength": 20})}, root)
        return st.dictionaries(names, values, max_size=3)
    required = set(schema.get("required", ())) | {"type"} & fields.keys()
    strategies = {name: _of(field, root, name) for name, field in fields.items()}
    return st.fixed_dictionaries(
        {name: value for name, value in strategies.items() if name in required},
        optional={name: value for name, value in strategies.items() if name not in required},
    )


def _array(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    return st.lists(_of(schema["items"], root), max_size=min(3, schema.get("maxItems", 3)))


def _string(schema: Schema, _: Schema) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return _MOMENTS.map(datetime.isoformat)
    patterns = [part["pattern"] for part in schema.get("allOf", ()) if "pattern" in part]
    patterns += [schema["pattern"]] if "pattern" in schema else []
    longest = schema.get("maxLength", 100)
    refused = [re.compile(schema["not"]["pattern"])] if "pattern" in schema.get("not", {}) else []
    # Patterns of what may be shown only forbid; others are forms of their own.
    forms = [pattern for pattern in patterns if not pattern.startswith(("^[^", "[^"))]
    texts = st.from_regex(forms[0], fullmatch=True) if forms else _WORDS
    allowed = [re.compile(pattern) for pattern in patterns]
    return texts.map(lambda text: text[:longest]).filter(
        lambda text: (
            all(form.search(text) for form in allowed)
            and not any(form.search(text) for form in refused)
        )
    )
