"""The published contract is what the events are, and its examples hold."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from marquee.events import EVENT_TYPES, TOPICS, decode
from trainer.cli.main import app
from trainer.contracts.asyncapi import document, files
from trainer.contracts.examples import EXAMPLES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def schema_of(name: str) -> dict[str, Any]:
    return dict(json.loads((DOCS / "events" / f"{name}.schema.json").read_text()))


def faults(value: Any, schema: dict[str, Any]) -> list[str]:
    """Return the errors of a value under a schema, formats included."""
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(value)]


def test_the_files_in_docs_are_what_the_command_writes() -> None:
    stale = [name for name, text in files().items() if (DOCS / name).read_text() != text]
    assert not stale, f"{', '.join(stale)}: run: marquee schemas --to docs"


def test_the_command_names_a_stale_file_and_what_to_run(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(app, ["schemas", "--to", str(tmp_path)]).exit_code == 0
    assert run(app, ["schemas", "--to", str(tmp_path), "--check"]).exit_code == 0
    (tmp_path / "asyncapi.yaml").write_text("asyncapi: 3.0.0\n")
    (tmp_path / "events" / "film.renamed.schema.json").write_text("{}")
    result = run(app, ["schemas", "--to", str(tmp_path), "--check"])
    assert result.exit_code == 2
    assert "asyncapi.yaml, events/film.renamed.schema.json in" in result.stderr
    assert "run: marquee schemas --to docs" in result.stderr
    run(app, ["schemas", "--to", str(tmp_path)])
    assert not (tmp_path / "events" / "film.renamed.schema.json").exists()


def test_each_type_of_event_has_an_example_a_schema_and_a_message() -> None:
    messages = set(document()["components"]["messages"]) - {"dead-letter"}
    assert set(EXAMPLES) == set(EVENT_TYPES) == messages
    assert {path.name for path in (DOCS / "events").iterdir()} == {
        f"{name}.schema.json" for name in EVENT_TYPES
    }


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_example_is_read_and_is_as_its_schema_says(name: str) -> None:
    example = EXAMPLES[name]
    event = decode(json.dumps(example).encode())
    assert type(event) is EVENT_TYPES[name]
    assert faults(example, schema_of(name)) == []
    assert faults(json.loads(event.encode()), schema_of(name)) == []


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_schema_refuses_an_event_without_what_it_needs(name: str) -> None:
    schema, example = schema_of(name), EXAMPLES[name]
    for attribute in ("specversion", "id", "source", "type", "data"):
        lacking = {key: value for key, value in example.items() if key != attribute}
        assert faults(lacking, schema) == [f"'{attribute}' is a required property"]
    key = next(iter(example["data"]))
    wrong = example | {"data": example["data"] | {key: -1 if key != "name" else 7}}
    assert faults(wrong, schema)
    with_more = example | {"data": example["data"] | {"from_a_newer_release": 1}}
    assert faults(with_more, schema) == []


def test_a_schema_refuses_what_the_code_refuses() -> None:
    movie, rating = EXAMPLES["movie.added"], EXAMPLES["rating.added"]
    change = EXAMPLES["movie.updated"]
    wrong = [
        movie | {"data": movie["data"] | {"genres": [""]}},
        movie | {"data": movie["data"] | {"tags": {"prison": 1.5}}},
        movie | {"data": movie["data"] | {"title": ""}},
        change | {"data": change["data"] | {"cleared": ["title"]}},
        rating | {"data": rating["data"] | {"rating": 4.3}},
        *(movie | {"data": movie["data"] | {"title": text}} for text in ("a\0b", " ", "\u202ea")),
        movie | {"data": movie["data"] | {"tags": {"a\x1b": 0.5}}},
        movie | {"data": movie["data"] | {"year": "1999"}},
        movie | {"data": movie["data"] | {"runtime": True}},
        movie | {"data": movie["data"] | {"poster_url": "ftp://a"}},
        *(rating | {"data": rating["data"] | {"rating": value}} for value in (True, "4.5")),
        *(rating | {"data": rating["data"] | {"user_id": value}} for value in (True, "..", "a b")),
        rating | {"time": 0},
        rating | {"time": "yesterday"},
        rating | {"id": ""},
    ]
    for event in wrong:
        assert faults(event, schema_of(event["type"])), event
        with pytest.raises(Exception, match=r"\w"):
            decode(json.dumps(event).encode())


def test_the_document_is_asyncapi_3_whose_references_all_lead_somewhere() -> None:
    read = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
    assert read["asyncapi"] == "3.0.0"
    known = {"asyncapi", "info", "defaultContentType", "servers", "channels", "operations",
             "components"}  # fmt: skip
    assert set(read) == known
    assert set(read["channels"]) == {name for one in TOPICS for name in (one, f"{one}.dead")}
    assert {one["action"] for one in read["operations"].values()} == {"send", "receive"}
    for reference in references(read):
        if reference.startswith("#/"):
            target = read
            for part in reference.removeprefix("#/").split("/"):
                target = target[part]
        else:
            assert (DOCS / reference).is_file()


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [one for value in node.values() for one in references(value)]
    return [one for value in node for one in references(value)] if isinstance(node, list) else []
