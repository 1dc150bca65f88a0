"""The event contract as documents, generated from the event classes: AsyncAPI 3, JSON Schema."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from marquee.bus.api import dead_letter_topic
from marquee.events import EVENT_TYPES, MODELS, MOVIES, RATINGS, Event
from marquee.events.payloads import Data
from trainer.contracts.examples import EXAMPLES

VERSION = "1.3.0"
"""Version of the contract: a new field or type raises the minor number; old forms stay readable."""
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REQUIRED = ["specversion", "id", "source", "type", "data"]
_ATTRIBUTES = {
    "specversion": "The version of CloudEvents.",
    "id": "Names the event together with `source`: the same two are the same event, once and for"
    " all; a repeat takes effect once.",
    "source": "Who says it, such as the name of a shop.",
    "time": "When it happened. It measures delays and never decides an order: the log does.",
    "datacontenttype": "The format of `data`.",
    "type": "What happened.",
}
_TOPICS: Mapping[str, tuple[str, str]] = {
    MOVIES: ("movie_id", "The catalogue and the rules of content managers."),
    RATINGS: ("user_id", "What viewers do."),
    MODELS: ("name", "Trained versions; only the trainer sends here."),
}
_RULES = """\
Events are CloudEvents 1.0 in JSON, one a message, of at most 1,000,000 bytes.

- **Key**: the text of the id (`movie_id` on `movies`, `user_id` on `ratings`), a whole number in
  decimal digits, so that what concerns one film or viewer keeps its order.
- **Partition**: murmur2 of the key, as Kafka's Java client and kafka-python do by default;
  librdkafka needs `partitioner=murmur2_random`. An event on another partition is a dead letter.
- **Once**: an event that comes again with its `source` and `id` takes effect once, as long as it
  is among the last 4,096 of its partition.
- **Values**: a number is no text (`"4.5"`) and not `true`; a whole one may be written `90` or
  `90.0`, an id never as a float. Times are ISO 8601 with a zone. Texts have something to see, and
  no control characters or marks that turn their direction.
- **Who and why**: events of films and rules, and erasures, may name who asked (`authtype`,
  `authid`) and when it was accepted (`recordedtime`), by the extensions of CloudEvents; those of
  films and rules also a `reason`. The audit keeps them. What comes by the API is attributed by the
  gateway.
- **Compatible**: unknown fields are ignored. A type keeps its meaning for ever; what would change
  it gets a new type. What is no event of these goes to the dead letters, `<topic>.dead`.
- **Redis Streams** as the bus: `docs/how-to/send-events.md`.
"""


def files() -> dict[str, str]:
    """Return the text of each file of the contract, by its path in the folder of documents."""
    texts = {
        "asyncapi.yaml": yaml.dump(document(), Dumper=_PlainDumper, sort_keys=False, width=100)
    }
    for name, kind in EVENT_TYPES.items():
        text = json.dumps(schema(kind), indent=2, ensure_ascii=False)
        texts[_schema_file(name)] = f"{text}\n"
    return texts


def schema(kind: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of an event type as producers have to send it."""
    name = kind.model_fields["type"].default
    made = kind.model_json_schema(by_alias=True)
    made["required"] = _REQUIRED
    for attribute, words in _ATTRIBUTES.items():
        made["properties"][attribute]["description"] = words
    own = made.get("description", "")
    inherited = own in (Event.__doc__, Data.__doc__) or not kind.__doc__
    made["description"] = name if inherited else own
    made["examples"] = [EXAMPLES[name]]
    return {"$schema": _DRAFT, "$id": f"{name}.schema.json"} | made


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    topics = {kind.topic for kind in EVENT_TYPES.values()}
    ordered = [topic for topic in _TOPICS if topic in topics]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Marquee events",
            "version": VERSION,
            "description": _RULES,
            "license": {"name": "Apache 2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {name: channel for topic in ordered for name, channel in _channels(topic)},
        "operations": {
            name: operation for topic in ordered for name, operation in _operations(topic)
        },
        "components": {"messages": {n: _message(k) for n, k in EVENT_TYPES.items()} | _letter()},
    }


def _server() -> dict[str, Any]:
    return {
        "host": "{address}",
        "protocol": "kafka",
        "description": "The brokers of MARQUEE_KAFKA_SERVERS.",
        "variables": {"address": {"default": "127.0.0.1:9092"}},
    }


def _channels(topic: str) -> list[tuple[str, dict[str, Any]]]:
    key, words = _TOPICS[topic]
    names = [name for name, kind in EVENT_TYPES.items() if kind.topic == topic]
    letters = f"Messages of `{topic}` that were put aside, as they came, with the reason."
    return [
        (topic, {"address": f"marquee.{topic}", "description": f"{words} Key: `data.{key}`.",
                 "messages": {name: _ref(f"components/messages/{name}") for name in names}}),
        (dead_letter_topic(topic), {"address": f"marquee.{dead_letter_topic(topic)}",
                                    "description": letters,
                       "messages": {"dead-letter": _ref("components/messages/dead-letter")}}),
    ]  # fmt: skip


def _operations(topic: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the operations on a topic, from the side of Marquee."""
    sends = {
        "action": "send",
        "channel": _ref(f"channels/{dead_letter_topic(topic)}"),
        "summary": "Put aside.",
    }
    reads = {"action": "receive", "channel": _ref(f"channels/{topic}"), "summary": "Apply events."}
    return [(f"apply-{topic}", reads), (f"bury-{topic}", sends)]


def _message(kind: type[Event]) -> dict[str, Any]:
    name = kind.model_fields["type"].default
    key, _ = _TOPICS[kind.topic]
    id_ = (
        {"type": "string"} if kind.topic == MODELS else {"type": "string", "pattern": r"^[1-9]\d*$"}
    )
    return {
        "name": name,
        "title": kind.__name__,
        "summary": schema(kind)["description"],
        "contentType": "application/json",
        "payload": {"$ref": f"./{_schema_file(name)}"},
        "bindings": {"kafka": {"key": id_ | {"description": f"`data.{key}` as text."}}},
        "examples": [{"name": name, "payload": EXAMPLES[name]}],
    }


def _letter() -> dict[str, Any]:
    texts = {
        "marquee-id": "`topic-partition-offset` of the message: one that comes again is the same.",
        "marquee-group": "Who could not handle it.",
        "marquee-position": "`topic:partition:offset`, where it stood.",
        "marquee-reason": "Why it was put aside.",
        "marquee-time": "When it was.",
        "marquee-length": "Its bytes, where it was too long to be kept whole.",
        "marquee-settles": "The letter that this message decides about; its body says how.",
    }
    properties = {name: {"type": "string", "description": text} for name, text in texts.items()}
    return {
        "dead-letter": {
            "name": "dead-letter",
            "title": "DeadLetter",
            "summary": "A message that was put aside, or what was decided about one.",
            "contentType": "application/octet-stream",
            "headers": {"type": "object", "properties": properties},
            "payload": {"description": "The message as it came."},
        }
    }


def _ref(path: str) -> dict[str, str]:
    return {"$ref": f"#/{path}"}


def _schema_file(name: str) -> str:
    return f"events/{name}.schema.json"


class _PlainDumper(yaml.SafeDumper):
    """Writes multi-line texts as blocks, and no references."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_PlainDumper.add_representer(str, _text)
