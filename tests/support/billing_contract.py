"""The billing vendor's contract, as far as it speaks of requests."""

from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator

_FILE: Final = Path(__file__).parents[2] / "openapi" / "upstreams" / "funnelfox-billing.yaml"

CONTRACT: Final[dict[str, Any]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))

PATHS: Final[dict[str, Any]] = CONTRACT["paths"]


def body_schema(path: str) -> dict[str, Any]:
    """The schema of an operation's JSON body."""
    schema: dict[str, Any] = PATHS[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return schema


def faults(path: str, body: object) -> list[str]:
    """What the contract says against a JSON body; nothing is best."""
    schema = body_schema(path) | {"components": CONTRACT["components"]}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def fields(schema: dict[str, Any]) -> set[str]:
    """The names of all the fields that a schema speaks of."""
    if "$ref" in schema:
        return fields(CONTRACT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return set(schema.get("properties", {})).union(*(fields(part) for part in schema.get("allOf", ())))
