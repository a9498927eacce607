"""The description of the routes that are our own, for ``GET /openapi.json``."""

from typing import Any, Final

from dedup import __version__

__all__ = ["openapi"]

_STRING: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_NUMBER: Final = {"type": "number"}
_SPAN: Final = {"type": "array", "items": _INTEGER, "minItems": 2, "maxItems": 2}
_ACTIONS: Final = ["allow", "flag", "redact", "block"]


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    prompt = {
        "type": ["string", "null"],
        "description": "What it was asked; what that supplied itself is exempt.",
    }
    return _object([name], **{name: schema}, prompt=prompt) | {"additionalProperties": False}


_ERRORS: Final = {
    "400": "The request is no JSON object.",
    "401": "A token is needed.",
    "408": "The request did not come to its end.",
    "413": "The request is too long.",
    "415": "The request is no JSON, or is encoded.",
    "422": "The request lacks a field, or has one of the wrong type.",
    "500": "The filter failed.",
    "503": "The filter is not ready, or there are too many requests at once.",
    "504": "The filter took too long.",
}


def _content(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(name)}}


def _post(name: str, summary: str, request: str, response: str) -> dict[str, Any]:
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": {"required": True, "content": _content(request)},
            "responses": {
                "200": _json(_ref(response), "The answer."),
                **{code: _json(_ref("Error"), said) for code, said in _ERRORS.items()},
            },
        }
    }  # fmt: skip


def _get(
    name: str, summary: str, *, kind: str = "application/json", **codes: str
) -> dict[str, Any]:
    responses = {
        code.removeprefix("_"): {"description": said, "content": {kind: {}}}
        for code, said in codes.items()
    }
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}


def openapi() -> dict[str, Any]:
    """An OpenAPI 3.1 document."""
    match = _object(
        ["rule", "action", "view", "kind", "query_span", "tokens", "run"],
        rule=_STRING,
        action={"enum": _ACTIONS},
        view={"enum": ["text", "code", "ast"]},
        kind={"enum": ["verbatim", "near", "renamed"]},
        query_span=_SPAN | {"description": "Bytes of the text in UTF-8."},
        tokens=_INTEGER,
        run=_INTEGER,
        identity=_NUMBER,
        containment=_NUMBER,
        jaccard=_NUMBER,
        sources=_INTEGER,
        owners=_INTEGER,
        document=_STRING | {"description": "Only if the operator exposes citations, as below."},
        corpus=_STRING,
        owner=_STRING,
        licence=_STRING,
        url=_STRING,
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "dedup serve", "version": __version__},
        "paths": {
            "/check": _post(
                "check",
                "The verdict on one text, or on the texts of one answer.",
                "Query",
                "Checked",
            ),
            "/beta/litellm_basic_guardrail_api": _post(
                "guardrail", "LiteLLM's generic guardrail API.", "GuardrailRequest", "Guardrail"
            ),
            "/health": _get("health", "Whether the process lives.", _200="It does."),
            "/ready": _get(
                "ready", "Whether it can filter.", _200="It can.", _503="There is no index."
            ),
            "/metrics": _get("metrics", "Counters.", kind="text/plain", _200="Prometheus' format."),
        },
        "components": {
            "schemas": {
                "Query": {
                    "oneOf": [
                        _query("text", _STRING | {"description": "What a model generated."}),
                        _query(
                            "texts",
                            {
                                "type": "array",
                                "items": _STRING,
                                "description": "The texts of one answer, in order.",
                            },
                        ),
                    ]
                },
                "Match": match,
                "Verdict": _object(
                    ["schema_version", "action", "rule", "text", "index_generation", "matches"],
                    schema_version={"const": 1},
                    action={"enum": _ACTIONS},
                    rule={"type": ["string", "null"]},
                    text=_STRING | {"description": "Safe to show."},
                    index_generation=_INTEGER,
                    matches={"type": "array", "items": _ref("Match")},
                    exempted={"type": "array", "items": _ref("Match")},
                ),
                "Checked": {"oneOf": [_ref("Verdict"), _ref("Verdicts")]},
                "Verdicts": _object(
                    ["schema_version", "action", "verdicts"],
                    schema_version={"const": 1},
                    action={"enum": _ACTIONS},
                    verdicts={"type": "array", "items": _ref("Verdict")},
                ),
                "GuardrailRequest": _object(
                    ["input_type"],
                    input_type={"enum": ["request", "response"]},
                    texts={"type": ["array", "null"], "items": _STRING},
                    tool_calls={"type": ["array", "null"]},
                    structured_messages={"type": ["array", "null"]},
                    litellm_call_id={"type": ["string", "null"]},
                ),
                "Guardrail": _object(
                    ["action"],
                    action={"enum": ["NONE", "BLOCKED", "GUARDRAIL_INTERVENED"]},
                    blocked_reason=_STRING,
                    texts={"type": "array", "items": _STRING},
                    stream_holdback_chars={"type": "array", "items": _INTEGER},
                ),
                "Error": _object(
                    ["error"],
                    error=_object(
                        ["message", "type", "code"],
                        message=_STRING,
                        type=_STRING,
                        param={"type": "null"},
                        code=_STRING,
                    ),
                ),
            }
        },
    }
