"""The OpenAPI description of the server."""

from typing import Any

from asr.serve.formats import FORMATS, INCLUDE
from asr.version import __version__


def describe(model: str, *, has_key: bool) -> dict[str, Any]:
    """The description, version 3.1."""
    description: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "asr",
            "version": __version__,
            "description": f"Transcribes speech with the model `{model}`. Live audio: WebSocket at /v1/audio/live, and "
            "the Vosk server's protocol at /.",
        },
        "paths": {
            "/v1/audio/transcriptions": {
                "post": {
                    "operationId": "transcribe",
                    "summary": "Transcribe a recording.",
                    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _request()}}},
                    "responses": {
                        "200": {
                            "description": "The transcript, in the format that was asked for.",
                            "content": {
                                "application/json": {"schema": {"type": "object", "required": ["text"]}},
                                "text/plain": {"schema": {"type": "string"}},
                                "application/x-subrip": {"schema": {"type": "string"}},
                                "text/vtt": {"schema": {"type": "string"}},
                                "text/event-stream": {"schema": {"type": "string"}},
                            },
                        },
                        **_errors(400, 403, 408, 413, 429, 500, 503),
                    },
                }
            },
            "/v1/models": {"get": _get("listModels", "List the only model.", {"type": "object"})},
            "/v1/models/{name}": {
                "get": {
                    **_get("getModel", "Describe a model.", {"type": "object"}),
                    "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
                }
            },
            "/health": {"get": _get("health", "Whether the server can transcribe.", {"type": "object"})},
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "summary": "Metrics for Prometheus.",
                    "responses": {
                        "200": {
                            "description": "The metrics.",
                            "content": {"text/plain": {"schema": {"type": "string"}}},
                        }
                    },
                }
            },
        },
        "components": {"schemas": {"Error": _error()}},
    }
    description["paths"]["/v1/models/{name}"]["get"]["responses"] |= _errors(404)
    description["paths"]["/health"]["get"]["responses"]["503"] = {"description": "No worker is ready yet."}
    if has_key:
        description["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        description["security"] = [{"key": []}]
        for methods in description["paths"].values():
            for operation in methods.values():
                operation["responses"] |= _errors(401)
    return description


def _get(name: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"operationId": name, "summary": summary, "responses": {"200": {"description": "", "content": content}}}


def _errors(*statuses: int) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {str(status): {"description": "Why not.", "content": content} for status in statuses}


def _error() -> dict[str, Any]:
    optional = {"type": ["string", "null"]}
    fields = {"message": {"type": "string"}, "type": {"type": "string"}, "param": optional, "code": optional}
    error = {"type": "object", "required": list(fields), "properties": fields}
    return {"type": "object", "required": ["error"], "properties": {"error": error}}


def _request() -> dict[str, Any]:
    texts = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "Audio or video in any usual format."},
            "model": {"type": "string", "description": "Any name: the server has one model."},
            "language": {"type": "string", "description": "Repeated in `verbose_json`, otherwise without effect."},
            "prompt": {"type": "string", "description": "Without effect."},
            "temperature": {"type": "number", "description": "Without effect."},
            "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
            "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": ["word", "segment"]}},
            "include[]": {"type": "array", "items": {"type": "string", "enum": list(INCLUDE)}},
            "keywords[]": texts | {"description": "Words to recognise more often."},
            "stream": {"type": "boolean", "default": False},
        },
    }
