"""Reference pages of the documentation, generated from the code at each build (a MkDocs hook).

The HTTP API comes from the gateway's OpenAPI document, settings from the class `Settings`, the
command line from the typer application, events from the JSON Schemas under docs/events, licences
from the audit's table.
"""

import ast
import csv
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from gateway.app import build
from marquee import settings as settings_module
from marquee.settings import PREFIX, Settings
from trainer.cli.main import app as command_line

DOCS = Path(__file__).resolve().parent
METHODS = ("get", "post", "put", "patch", "delete")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the files of the site."""
    pages = {"api": api(), "settings": settings(), "command-line": commands(), "events": events()}
    pages["licences"] = licences()
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def licences() -> str:
    """Return the licence of everything that a lock pins, by the table that the audit checks."""
    with (DOCS.parent / "tests/audit/licences.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    intro = (
        "What is in the locks, with its licence in SPDX, and where that is stated: in the"
        " expression, free text or classifiers of its metadata, or in the policy of the audit."
        " `make audit` checks it."
    )
    return (
        "\n\n".join(["# Licences", intro, _table(tuple(header), [tuple(row) for row in rows])])
        + "\n"
    )


def api() -> str:
    """Return every call of the gateway: parameters, body, answers."""
    document = build(Settings()).openapi()
    parts = ["# HTTP API", "The gateway answers the same at `/docs`, where each call can be tried."]
    for path, calls in document["paths"].items():
        for method in METHODS:
            if method in calls:
                parts += _call(f"{method.upper()} {path}", calls[method], document)
    return "\n\n".join(parts) + "\n"


def _call(title: str, call: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield f"## `{title}`"
    yield call.get("description") or call.get("summary", "")
    if parameters := call.get("parameters"):
        rows = [
            (f"`{item['name']}`", item["in"], _shape(item["schema"]), item.get("description", ""))
            for item in parameters
        ]
        yield _table(("parameter", "in", "values", ""), rows)
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        yield "Body: " + _fields(body, document)
    for status, answer in call.get("responses", {}).items():
        shape = answer.get("content", {}).get("application/json", {}).get("schema")
        yield f"Answer {status}: {answer.get('description', '')}" + (
            f" — {_fields(shape, document)}" if shape else ""
        )


def _fields(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """Return the fields of a body, by the schema that it refers to."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found = document["components"]["schemas"].get(name, schema)
    required = set(found.get("required", ()))
    fields = [
        f"`{field}` ({_shape(shape)}{'' if field in required else ', optional'})"
        for field, shape in found.get("properties", {}).items()
    ]
    return ", ".join(fields) or _shape(schema)


def _shape(schema: dict[str, Any]) -> str:
    """Return a JSON Schema as a few words."""
    if "anyOf" in schema:
        return " or ".join(_shape(part) for part in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    words = str(schema.get("type", "any"))
    if words == "array":
        words = f"list of {_shape(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    limits = f" {low if low is not None else ''}..{high if high is not None else ''}"
    words += limits if (low, high) != (None, None) else ""
    return words + (f", default {schema['default']}" if schema.get("default") is not None else "")


def settings() -> str:
    """Return every setting: variable, default, meaning."""
    rows = [
        (f"`{PREFIX}{name.upper()}`", f"`{_default(field.default)}`", meanings().get(name, ""))
        for name, field in Settings.model_fields.items()
    ]
    head = (
        "# Settings\n\nA flag of a command wins over the environment, the environment over the file"
        " that `make demo` leaves in the state folder, and that over the default. A secret may come"
        " from a file: append `_FILE` to its name. An unknown `MARQUEE_` variable is refused with"
        " the nearest known name. `.env.example` lists them with comments; docker compose hands"
        " each of them to every process.\n\n"
    )
    return head + _table(("variable", "default", "meaning"), rows) + "\n"


def _default(value: object) -> str:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)


def meanings() -> dict[str, str]:
    """Return what the docstring under each field of `Settings` says."""
    tree = ast.parse(Path(settings_module.__file__).read_text())
    (body,) = (
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    return {
        field.target.id: re.sub(r"\s+", " ", text.value.value)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def commands() -> str:
    """Return every command of `marquee` with its arguments and options."""
    parts = ["# Command line", "`marquee --help` and `marquee COMMAND --help` say the same."]
    parts += _command("marquee", typer.main.get_command(command_line))
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    subcommands = getattr(command, "commands", {})
    if not subcommands:
        yield f"## `{name}`"
    if name != "marquee" and not subcommands:
        yield _paragraphs(command.help or "")
        if rows := list(_options(command)):
            yield _table(("argument or option", "values", ""), rows)
    for word, subcommand in sorted(subcommands.items()):
        yield from _command(f"{name} {word}", subcommand)


def _options(command: Any) -> Iterator[tuple[str, str, str]]:
    context = command.context_class(command)
    for parameter in command.params:
        words = (
            ", ".join(parameter.opts)
            if parameter.param_type_name == "option"
            else parameter.name.upper()
        )
        default = parameter.default
        meaning = getattr(parameter, "help", None) or ""
        if isinstance(default, (str, int, float)) and default not in ("", False):
            meaning += f" (default: `{default}`)"
        yield f"`{words}`", parameter.display_type(context).strip("<>"), meaning


def _paragraphs(text: str) -> str:
    return re.sub(r"\n(?!\n)[ \t]*", " ", re.sub(r"\n\s*\n", "\n\n", text)).replace(" \n", "\n")


def events() -> str:
    """Return every event type with its topic, key and fields."""
    parts = [
        "# Events",
        "CloudEvents 1.0 in JSON. The contract as one document: [AsyncAPI 3](../asyncapi.yaml). A"
        " field that is unknown is ignored; an unknown type becomes a dead letter. How to send"
        " them: [Send events](../how-to/send-events.md).",
    ]
    for path in sorted((DOCS / "events").glob("*.schema.json")):
        schema = json.loads(path.read_text())
        parts += [f"## `{path.name.removesuffix('.schema.json')}`", schema.get("description", "")]
        parts += [_data_table(schema), f"[JSON Schema](../events/{path.name})"]
    return "\n\n".join(filter(None, parts)) + "\n"


def _data_table(schema: dict[str, Any]) -> str:
    data = schema["properties"]["data"]
    name = data.get("$ref", "").rpartition("/")[2]
    found = schema.get("$defs", {}).get(name, data)
    required = set(found.get("required", ()))
    rows = [
        (
            f"`{field}`",
            _shape(shape),
            "required" if field in required else "optional",
            shape.get("description", ""),
        )
        for field, shape in found.get("properties", {}).items()
    ]
    return _table(("field of `data`", "values", "", ""), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""

    def line(cells: tuple[str, ...]) -> str:
        return (
            "| "
            + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in cells)
            + " |"
        )

    return "\n".join([line(head), "|" + " --- |" * len(head), *map(line, rows)])
