"""Answers with a ranked list: one that is kept, or one that is computed."""

from typing import Any

from starlette.responses import Response

from gateway.api.context import Context
from gateway.api.lists.pages import ListPage
from gateway.api.schemas.presenters import explain_document, list_document
from gateway.http.route import json_body_response, json_response
from gateway.recommend.answers import RecommendationAnswer, RecommendationQuery


async def recommend(
    context: Context, query: RecommendationQuery, page: ListPage, fresh: bool, explain: bool
) -> Response:
    """Answer a query with its list.

    Args:
        context: The parts of the gateway.
        query: What is asked for.
        page: The page of the list.
        fresh: Whether profile and rules have passed the query's `after`.
        explain: Whether the answer tells how the list came about.
    """
    kept = context.kept if fresh and not context.is_degraded() else None
    ticket = None if kept is None else kept.ticket(query, page, explain)
    if kept is None or ticket is None:
        return json_response(await list_of(context, query, page, fresh, explain))
    if (body := kept.find(ticket)) is not None:
        return json_body_response(body)
    answer = await context.orchestrator.answer(query)
    document = _document(context, answer, query, page, fresh, explain)
    response = json_response(document)
    if not document["degraded"]:
        kept.keep(ticket, answer, bytes(response.body))
    return response


async def list_of(
    context: Context, query: RecommendationQuery, page: ListPage, fresh: bool, explain: bool
) -> dict[str, Any]:
    """Return the document that answers a query (see `recommend`)."""
    answer = await context.orchestrator.answer(query)
    return _document(context, answer, query, page, fresh, explain)


def _document(
    context: Context,
    answer: RecommendationAnswer,
    query: RecommendationQuery,
    page: ListPage,
    fresh: bool,
    explain: bool,
) -> dict[str, Any]:
    document = list_document(answer, query, context.catalogue)
    on_page = [item.movie_id for item in answer.filtered.items]
    document["next_cursor"] = page.next_cursor(on_page, answer.has_more)
    document["fresh"] = answer.fresh and fresh
    document["degraded"] |= context.is_degraded()
    if explain:
        document["explain"] = explain_document(answer.filtered, context.catalogue)
    return document
