"""Audit of calls without an event: the entry before the call to the trainer, and how it ended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.api.context import Context
from gateway.upstream.models import Call, Failure, Reply
from gateway.upstream.replies import AnyDocument, read_reply
from marquee.errors import Unavailable

TRAINER = "trainer"
TRAINER_S = 10.0
"""Seconds that the trainer's own work may take; it is probed first."""
State = dict[str, Any]


@asynccontextmanager
async def operation(
    context: Context, action: str, subject: str, before: State | None = None
) -> AsyncIterator[State]:
    """Leave an entry around an operation; see `AuditLog.operation` for what is yielded.

    Raises:
        StoreUnavailable: The entry cannot be written, so nothing must be done.
    """
    if context.attribution is None:
        raise RuntimeError("an operation of a request that changes nothing")
    entry = context.attribution.entry(action, subject, before)
    async with context.audit_log.operation(entry) as outcome:
        yield outcome


async def call_trainer(context: Context, method: str, path: str, body: Any = None) -> Reply:
    """Return the trainer's reply: a JSON object, or a refusal that the caller can mend.

    Raises:
        Unavailable: There was no such reply.
    """
    return _checked(await context.models.call(TRAINER, Call(method, path, body, TRAINER_S)))


def _checked(reply: Reply | Failure) -> Reply:
    document = read_reply(TRAINER, reply, AnyDocument)
    if isinstance(reply, Reply) and (reply.is_callers_fault or not isinstance(document, Failure)):
        return reply
    raise Unavailable(document.why if isinstance(document, Failure) else "no answer")


async def audited_call(
    context: Context, outcome: State, method: str, path: str, body: Any
) -> Reply:
    """Call the trainer within an operation; a refusal leaves no entry.

    Raises:
        Unavailable: There was no reply, so that the outcome is unknown.
    """
    reply = await context.models.call(TRAINER, Call(method, path, body, TRAINER_S))
    outcome["refused"] = isinstance(reply, Reply) and 400 <= reply.status < 500
    return _checked(reply)


async def wanted_segments(context: Context, kind: str) -> State:
    """Return how many segments of a kind the next training is to make; None: any number."""
    reply = await call_trainer(
        context, "POST", f"/internal/segments/{kind}/names", {"segments": []}
    )
    if not reply.ok:
        raise Unavailable(reply.failure("trainer").why)
    return {"k": reply.body.get("k")}


async def fix_segments(context: Context, kind: str, k: int | None) -> Any:
    """Fix the number of segments from the next training on, and return the trainer's answer."""
    before = await wanted_segments(context, kind)
    async with operation(context, "segments.counted", kind, before) as outcome:
        reply = await audited_call(context, outcome, "PUT", f"/internal/segments/{kind}", {"k": k})
        if not reply.ok:
            raise Unavailable(reply.failure("trainer").why)
        outcome["after"] = {"k": k}
    return reply.body


async def name_segment(context: Context, kind: str, segment: State, preference: State) -> None:
    """Name a segment, by the preference that the trainer keeps."""
    before = {name: segment.get(name) for name in ("name", "named", "kept")}
    after = {"name": preference["name"], "named": True, "kept": preference["keep"]}
    subject = f"{kind}/{segment['id']}"
    async with operation(context, "segment.named", subject, before) as outcome:
        reply = await audited_call(
            context, outcome, "PUT", f"/internal/segments/{kind}/names", preference
        )
        if not reply.ok:
            raise Unavailable(reply.failure("trainer").why)
        outcome["after"] = after
