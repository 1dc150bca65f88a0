"""What a kind of process needs to be allowed at Redis."""

from marquee.bus.redis.faults import RIGHTS
from marquee.requirements.result import CheckResult
from marquee.settings import Settings
from marquee.store.redis_rights import forbidden_by
from marquee.store.rights import rights_of, user_of


def rights_results(settings: Settings, kind: str) -> list[CheckResult]:
    """Return a result if the server forbids what a kind of process does, nothing otherwise.

    A server that does not answer has other results (`redis_results`).

    Args:
        settings: The settings of the process.
        kind: The kind of process (`marquee.store.rights`).
    """
    rights = rights_of(kind, settings.namespace, settings.bus)
    forbidden = forbidden_by(settings.redis_address, rights.grants)
    if not forbidden:
        return []
    more = f" and {len(forbidden) - 1} more" if len(forbidden) > 1 else ""
    text = f"the server forbids this process's user what {kind} does: {forbidden[0]}{more}"
    remedy = f"{RIGHTS}; the user of {kind} is {user_of(kind, settings.namespace)}"
    return [CheckResult("bad", "Redis rights", text, remedy, "refuse")]
