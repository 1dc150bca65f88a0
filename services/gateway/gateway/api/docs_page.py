"""The description of the API as one page without scripts or foreign hosts."""

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark; }
h1 { margin-bottom: 0 } h2 { margin-top: 3rem; border-bottom: 1px solid #8888 }
details { margin: .5rem 0; border: 1px solid #8886; border-radius: .4rem; padding: .4rem .8rem }
summary { cursor: pointer } code, pre { font: .9em ui-monospace, monospace }
pre { overflow-x: auto; background: #8882; padding: .6rem; border-radius: .3rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top;
  border-bottom: 1px solid #8884 }
.verb { display: inline-block; min-width: 5rem; font-weight: 700 }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CSP = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'; base-uri 'none'"

Schema = Mapping[str, Any]


def render(schema: Schema) -> str:
    """Return the page of an OpenAPI document."""
    info = schema["info"]
    parts = "".join(_part(schema, tag) for tag in _tags(schema))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{_text(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{_text(info['title'])}</h1><p>{_text(info.get('description', ''))}</p>"
        f"<p>Version {_text(info['version'])}; the same for programs: "
        f'<a href="/openapi.json">openapi.json</a>.</p>{parts}</body></html>'
    )


def _tags(schema: Schema) -> list[str]:
    return list(dict.fromkeys(call["tags"][0] for *_, call in _calls(schema)))


def _calls(schema: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            yield method.upper(), path, call


def _part(schema: Schema, tag: str) -> str:
    calls = (_call(schema, *c) for c in _calls(schema) if c[2]["tags"][0] == tag)
    return f"<h2>{_text(tag)}</h2>{''.join(calls)}"


def _call(schema: Schema, method: str, path: str, call: Schema) -> str:
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {})
    orchestrator = "".join(_answer(schema, status, a) for status, a in call["responses"].items())
    return (
        f'<details id="{_text(call["operationId"])}"><summary><span class="verb">{method}</span>'
        f"<code>{_text(path)}</code></summary><p>{_text(call.get('description', ''))}</p>"
        f"{_parameters(call.get('parameters', []))}"
        f"{_shape('Body', schema, body['schema']) if body else ''}{orchestrator}</details>"
    )


def _parameters(parameters: list[Schema]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{_text(p['name'])}</code></td><td>{p['in']}</td>"
        f"<td><code>{_text(_kind(p['schema']))}</code></td>"
        f"<td>{_text(p.get('description') or p['schema'].get('description', ''))}</td></tr>"
        for p in parameters
    )
    return f"<table><tr><th>Parameter</th><th>In</th><th>Values</th><th></th></tr>{rows}</table>"


def _answer(schema: Schema, status: str, answer: Schema) -> str:
    shape = answer.get("content", {}).get("application/json", {}).get("schema")
    if not shape or status == "422":
        return f"<p>{status}: {_text(answer.get('description', ''))}</p>"
    return _shape(f"Answer {status}", schema, shape)


def _shape(title: str, schema: Schema, shape: Schema) -> str:
    text = json.dumps(_resolved(schema, shape), indent=2, ensure_ascii=False)
    return f"<p>{title}</p><pre>{_text(text)}</pre>"


def _resolved(schema: Schema, shape: Schema, depth: int = 0) -> Any:
    """Return a shape as an outline: names with kinds, references followed."""
    if "$ref" in shape:
        return _resolved(
            schema, schema["components"]["schemas"][shape["$ref"].split("/")[-1]], depth
        )
    if depth > 5:
        return "…"
    if "properties" in shape:
        return {n: _resolved(schema, s, depth + 1) for n, s in shape["properties"].items()}
    if shape.get("type") == "array" and "items" in shape:
        return [_resolved(schema, shape["items"], depth + 1)]
    inner = [s for s in shape.get("anyOf", ()) if s.get("type") != "null"]
    return _resolved(schema, inner[0], depth) if len(inner) == 1 else _kind(shape)


def _kind(shape: Schema) -> str:
    inner = [s for s in shape.get("anyOf", ()) if s.get("type") != "null"]
    if inner:
        return " or ".join(map(_kind, inner))
    if "enum" in shape:
        return ", ".join(map(str, shape["enum"]))
    kind = str(shape.get("type", "any"))
    if kind == "array":
        return f"{_kind(shape.get('items', {}))}, repeatable"
    low, high = shape.get("minimum"), shape.get("maximum")
    return f"{kind} {low} to {high}" if low is not None and high is not None else kind


def _text(value: str) -> str:
    return html.escape(" ".join(value.split()) if "\n" in value and "{" not in value else value)
