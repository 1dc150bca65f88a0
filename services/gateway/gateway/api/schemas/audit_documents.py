"""Models of responses of the audit, of previews and of erasures, for the OpenAPI document alone."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway.api.schemas.responses import FallbackDocument, ReceiptDocument
from marquee.domain.ids import Id
from marquee.domain.recommendation import Route


class AuditEntryDocument(BaseModel):
    """What somebody did, and the state before and after it."""

    id: str
    at: datetime = Field(description="When it was accepted.")
    actor: str = Field(
        description="The name of the key; `open access` where none was needed; of what came by the"
        " bus whom the event names; of a command who ran it."
    )
    authtype: Literal["api_key", "unauthenticated", "system", "unknown"] = Field(
        description="How the actor was known: `unknown` where the bus told it."
    )
    decided_by: str | None = Field(description="The person whom the caller named as `actor`.")
    action: str
    movie_id: Id | None
    title: str | None = Field(description="The film's title now.")
    subject: str | None = Field(description="Otherwise the model, the segments or the key.")
    reason: str
    before: dict[str, Any] | None = Field(description="The rule, or the fields that changed.")
    after: dict[str, Any] | None
    outcome: Literal["done", "unknown"] = Field(
        description="`unknown`: it was begun, and no answer came; it may have taken effect."
    )
    event_id: str | None
    reverts: str | None = Field(description="The entry that it takes back.")
    revertible: bool


class AuditDocument(BaseModel):
    items: list[AuditEntryDocument]
    next_cursor: str | None
    fresh: bool = Field(description="Whether the write of `after` is part of the answer.")


class PreviewItemDocument(BaseModel):
    movie_id: Id
    title: str | None
    rank: int = Field(description="From 1.")
    change: Literal["enters", "leaves", "moves"] | None
    promoted: bool


class PreviewUserDocument(BaseModel):
    user_id: Id
    route: Route
    changed: bool
    before: list[PreviewItemDocument]
    after: list[PreviewItemDocument]
    fallbacks: list[FallbackDocument] = Field(
        description="Routes that did not answer: the two lists may differ for that reason too."
    )


class PreviewDocument(BaseModel):
    """The lists of viewers as they are, and as they would be."""

    movie_id: Id
    k: int
    changed: int = Field(description="Of how many viewers the list would change.")
    items: list[PreviewUserDocument]


class ErasureStoreDocument(BaseModel):
    store: str
    removed: bool | None = Field(description="Null where that is not known now.")
    detail: str = Field(description="What is left and until when, or when it is removed.")


class ErasureDocument(BaseModel):
    """The receipt of an erasure; it names no viewer."""

    id: str = Field(description="Ask `GET /v1/erasures/{id}` for it again.")
    requested_at: datetime
    requested_by: str
    partition: str = Field(examples=["ratings:3"])
    offset: int = Field(description="The position of the erasure in the log.")
    event_id: str
    stores: list[ErasureStoreDocument]


class ErasedDocument(ReceiptDocument):
    receipt: ErasureDocument
