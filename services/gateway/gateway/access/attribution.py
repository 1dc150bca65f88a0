"""Attribution of a call: who asked for it and why, for its events and its audit entry."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request

from gateway.access.caller import ANYONE, Caller, caller_of
from marquee.audit.entries import AuditEntry
from marquee.events import AttributedEvent, Event, MovieEvent, now

API_KEY, UNAUTHENTICATED, VIEWER = "api_key", "unauthenticated", "app_user"
OPEN_ACCESS = "open access"
SOME_VIEWER = "a viewer"


@dataclass(frozen=True)
class Attribution:
    """Who asked, in the terms of the CloudEvents extension for authentication, why and when."""

    authtype: str
    authid: str
    reason: str
    at: datetime
    reverts: str | None = None

    @classmethod
    def of(cls, request: Request) -> "Attribution":
        """Return the attribution of a request whose caller is known."""
        reason: str = getattr(request.state, "reason", "")
        return cls(*_principal(caller_of(request)), reason, now())

    def attributed(self, event: Event) -> Event:
        """Return an event with its attribution, whatever the sender said of it."""
        if not isinstance(event, AttributedEvent):
            return event
        fields: dict[str, Any] = {
            "authtype": self.authtype,
            "authid": self.authid,
            "recordedtime": self.at,
        }
        if isinstance(event, MovieEvent):
            fields |= {"reason": event.reason or self.reason or None, "reverts": self.reverts}
        return event.model_copy(update=fields)

    def entry(self, action: str, subject: str, before: dict[str, Any] | None) -> AuditEntry:
        """Return the audit entry of an operation without an event."""
        return AuditEntry(
            at=self.at,
            actor=self.authid,
            authtype=self.authtype,
            action=action,
            subject=subject,
            reason=self.reason,
            before=before,
            reverts=self.reverts,
        )


def _principal(caller: Caller) -> tuple[str, str]:
    """Return how a caller was known, and its name; a viewer's id is in no entry."""
    if caller is ANYONE:
        return UNAUTHENTICATED, OPEN_ACCESS
    return (API_KEY, caller.name) if caller.user_id is None else (VIEWER, SOME_VIEWER)
