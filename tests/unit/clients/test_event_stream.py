"""Python's client: messages of a stream are the same however it is cut, and answers are kept."""

import json
from collections import OrderedDict
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from gateway.api.live.event_stream import HEARTBEAT, message, reconnection
from marquee_client.event_stream import EventStream, Message
from marquee_client.kept_answers import KeptAnswers

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
# Ends of lines of Unicode within a title are none of the stream.
TITLES = TEXTS | st.sampled_from(["a\u2028b", "a\x85b", "\u2029", "data: x"])
EVENTS = st.lists(st.tuples(st.sampled_from(["list", "end"]), TITLES, st.integers(0, 99)))


class Title(BaseModel):
    title: str


def parts(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return (stream[a:b] for a, b in zip(places, places[1:], strict=False))


@given(EVENTS, st.lists(st.integers(0, 10**4)), st.integers(0, 10**4), st.booleans())
def test_messages_are_those_of_the_gateway_however_the_stream_is_cut(
    events: list[tuple[str, str, int]], cuts: list[int], retry_ms: int, crlf: bool
) -> None:
    bodies = [json.dumps({"title": t}, ensure_ascii=False).encode() for _, t, _ in events]
    stream = reconnection(retry_ms) + HEARTBEAT
    for (event, _, number), body in zip(events, bodies, strict=True):
        stream += message(event, body, f"id{number}") + HEARTBEAT
    read = EventStream()
    sent = stream.replace(b"\n", b"\r\n") if crlf else stream
    found = [found for part in parts(sent, cuts) for found in read.read(part)]
    assert found == [
        Message(event, body.decode()) for (event, *_), body in zip(events, bodies, strict=True)
    ]
    assert read.retry_s == retry_ms / 1000
    assert read.last_id == (f"id{events[-1][2]}" if events else "")


@given(st.integers(0, 200))
def test_a_message_that_broke_off_is_not_told_and_its_id_not_named(cut: int) -> None:
    whole, broken = message("list", b"{}", "first"), message("list", b'{"n":1}', "second")
    stream = EventStream()
    *_, last = stream.read(whole + broken[: cut % (len(broken) - 1)])
    assert (last, stream.last_id) == (Message("list", "{}"), "first")
    stream.begin()
    assert list(stream.read(broken)) == [Message("list", '{"n":1}')]
    assert stream.last_id == "second"


@given(st.integers(0, 4), st.lists(st.tuples(st.integers(1, 6), st.booleans())))
def test_the_answers_used_last_are_kept(most: int, steps: list[tuple[int, bool]]) -> None:
    kept = KeptAnswers(most)
    expected: OrderedDict[int, int] = OrderedDict()
    for number, (asked, keeps) in enumerate(steps):
        if keeps:
            kept.keep(asked, f"tag {number}", Title(title=str(number)))
            expected[asked] = number
            expected.move_to_end(asked)
            while len(expected) > most:
                expected.popitem(last=False)
        else:
            known = expected.get(asked)
            answer = None if known is None else (f"tag {known}", Title(title=str(known)))
            assert kept.get(asked) == answer
            if known is not None:
                expected.move_to_end(asked)
        assert len(kept) == len(expected) <= most
