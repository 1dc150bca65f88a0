"""Probes: every process answers them by the same documents."""

import orjson
from prometheus_client import CONTENT_TYPE_LATEST

from marquee.consumer.health import Health
from marquee.consumer.process import _health_response
from marquee.errors import NotFound
from marquee.health import live_document, metrics_response, ready_document


def test_the_probes_of_a_consumer_follow_its_health():
    health = Health()
    assert _health_response("/health/live", health) == (200, "application/json", b'{"live":true}')
    health.waiting_for = "the bus"
    status, _, body = _health_response("/health/ready", health)
    expected = {"ready": False, "waiting_for": "the bus", "stopped": {}}
    assert (status, orjson.loads(body)) == (503, expected)
    health.last_beat = float("-inf")
    assert _health_response("/health/live", health)[0::2] == (503, b'{"live":false}')
    assert _health_response("/other", health)[0] == 404


def test_metrics_are_sent_as_the_text_form_of_prometheus():
    response = metrics_response()
    assert response.headers["content-type"] == CONTENT_TYPE_LATEST
    assert b"python_info" in bytes(response.body)
    status, media_type, body = _health_response("/metrics", Health())
    assert (status, media_type) == (200, CONTENT_TYPE_LATEST)
    assert b"python_info" in body


def test_documents_lead_with_the_answer():
    assert orjson.dumps(live_document()) == b'{"live":true}'
    assert orjson.dumps(ready_document(service="x")) == b'{"ready":true,"service":"x"}'
    assert NotFound("no film 7").document() == {"code": "not_found", "detail": "no film 7"}
