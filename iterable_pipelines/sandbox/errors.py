"""Iterable's error bodies, in their several shapes (api.md 1.4)."""

from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response


class Refused(Exception):
    """A request that is answered with `answer` instead of what it asks for; nothing of it was applied."""

    def __init__(self, answer: Response):
        super().__init__()
        self.answer = answer


def refusal(status: int, code: str, message: str, params: dict[str, Any] | None = None) -> Response:
    """The common shape: {msg, code, params}."""
    return JSONResponse({"msg": message, "code": code, "params": params}, status)


def bad_params(message: str) -> Response:
    """400 for a parameter that is missing or wrong."""
    return refusal(400, "BadParams", message)


def bad_key(path: str) -> Response:
    """401 for a key this instance does not know."""
    return refusal(401, "BadApiKey", "Invalid API key", {"ip": "127.0.0.1", "endpoint": path})


def weak_key(path: str) -> Response:
    """401 for a key without rights, the body without a code (api.md 1.2, 1.4)."""
    params = {"ip": "127.0.0.1", "endpoint": path, "apiKeyIdentifier": "sandbox", "apiKeyType": "ReadOnly"}
    return JSONResponse({"msg": "Disabled API key or insufficient privileges", "params": params}, 401)


def too_many(retry_after: int | None = None) -> Response:
    """429, mostly without Retry-After, as seen in practice (api.md 1.5)."""
    headers = None if retry_after is None else {"retry-after": str(retry_after)}
    return JSONResponse({"msg": "Exceeded rate limit.", "code": "RateLimitExceeded"}, 429, headers)


def not_found(message: str) -> Response:
    """404 in the common shape."""
    return refusal(404, "NotFound", message)


def invalid_list(list_id: object) -> Response:
    """400 for a list that is not there: an error whose code is "Success" (api.md 1.4)."""
    message, params = f"error.lists.invalidListId({list_id})", {"projectId": 9079, "listId": list_id}
    return refusal(400, "Success", message, params)


def unknown_route() -> Response:
    """404 as HTML: Iterable has no JSON for a path it does not know."""
    return HTMLResponse(
        "<!DOCTYPE html><html><head><title>Action not found</title></head><body>Action not found</body></html>",
        404,
    )


def catalog_not_found(name: str) -> Response:
    """404 in the shape of catalogs: {error, message, code, data}."""
    body = {
        "error": "NotFound",
        "message": f"Catalog not found: {name}",
        "code": "error.catalogs.notFound",
        "data": {"args": [name]},
    }
    return JSONResponse(body, 404)


def in_shape(status: int, shape: str) -> Response:
    """Any status in any of the shapes: envelope, play, html, text, success (an error whose code is "Success")."""
    message = "An error occurred. Please try again later. If problem persists, please contact your CSM"
    if shape == "play":
        return JSONResponse({"error": "Error", "message": message, "code": "error.generic", "data": {}}, status)
    if shape == "html":
        return HTMLResponse(
            f"<html><head><title>{status}</title></head><body><h1>Something went wrong</h1></body></html>", status
        )
    if shape == "text":
        return PlainTextResponse(message, status)
    if shape == "success":
        return JSONResponse(
            {"msg": "error.lists.invalidListId(999999999)", "code": "Success", "params": {"projectId": 9079}}, status
        )
    if shape == "envelope":
        return refusal(status, "GenericError" if status >= 500 else "BadParams", message)
    raise ValueError(f"{shape!r} is no shape of an error: envelope, play, html, text, success")
