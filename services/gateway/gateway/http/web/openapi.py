"""What the OpenAPI document says of validators: tags, `If-None-Match`, 304."""

from typing import Any, Final

from gateway.http.web.validators import CACHE_CONTROL, is_revalidated

_ETAG: Final[dict[str, Any]] = {
    "ETag": {
        "description": "Changes as soon as anything differs that a viewer may see.",
        "schema": {"type": "string"},
    },
    "Cache-Control": {"description": f"`{CACHE_CONTROL}`", "schema": {"type": "string"}},
}
_IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of an answer that the caller has; 304 where it still holds.",
    "schema": {"type": "string", "maxLength": 1000, "pattern": r"^[!-~]([ -~]*[!-~])?$"},
}


def describe_web(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document the validators of each read that has them."""
    for path in document["paths"].values():
        operation = path.get("get")
        if operation is None or not is_revalidated(operation["operationId"], {"GET"}):
            continue
        parameters = operation.setdefault("parameters", [])
        if _IF_NONE_MATCH not in parameters:
            parameters.append(_IF_NONE_MATCH)
        answers = operation["responses"]
        answers["200"]["headers"] = answers["200"].get("headers", {}) | _ETAG
        limits = {k: v for k, v in answers["200"]["headers"].items() if k not in _ETAG}
        answers["304"] = {"description": "The caller has the answer.", "headers": limits | _ETAG}
