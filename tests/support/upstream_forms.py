"""Makes `clients/drift/vendors.json` from the vendors' documents: their answers in a short form."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

DOCUMENTS: Final = {"funnelflux": "funnelflux-domains", "funnelfox": "funnelfox-billing"}

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_KEPT: Final = ("type", "required", "enum", "const")
_REFERENCE: Final = "#/components/schemas/"


def forms() -> dict[str, Any]:
    """Both vendors' answers, by vendor and operation."""
    return {
        vendor: _vendor(yaml.safe_load(Path(f"openapi/upstreams/{name}.yaml").read_text(encoding="utf-8")))
        for vendor, name in DOCUMENTS.items()
    }


def _vendor(document: Mapping[str, Any]) -> dict[str, Any]:
    operations = {
        f"{method.upper()} {path}": _success(declared, document)
        for path, item in sorted(document["paths"].items())
        for method in _METHODS
        if (declared := item.get(method)) is not None
    }
    known = document["components"]["schemas"]
    schemas: dict[str, Any] = {}
    wanted = list(_references([operation for operation in operations.values() if operation]))
    while wanted:
        name = wanted.pop()
        if name not in schemas:
            schemas[name] = _short(known[name])
            wanted += _references(schemas[name])
    return {
        "operations": {name: schema for name, schema in operations.items() if schema},
        "schemas": dict(sorted(schemas.items())),
    }


def _success(declared: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any] | None:
    answer = next(answer for status, answer in declared["responses"].items() if status.startswith("2"))
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    media = answer.get("content", {}).get("application/json")
    return _short(media["schema"]) if media else None


def _short(schema: Any) -> dict[str, Any]:
    """What the comparison reads of a schema."""
    if schema is True:
        return {}
    short = {key: schema[key] for key in _KEPT if key in schema}
    if "$ref" in schema:
        short["$ref"] = schema["$ref"].removeprefix(_REFERENCE)
    if "x-known-values" in schema:
        short["known"] = schema["x-known-values"]
    choices = [_short(choice) for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ()))]
    # Only answers in which the vendor says yes are compared.
    successes = [choice for choice in choices if choice != {"$ref": "ErrorReply"}]
    if len(successes) == 1:
        return short | successes[0]
    if successes:
        short["oneOf"] = successes
    if parts := schema.get("allOf"):
        short["allOf"] = [_short(part) for part in parts]
    if "items" in schema:
        short["items"] = _short(schema["items"])
    if "properties" in schema:
        short["properties"] = {name: _short(inner) for name, inner in schema["properties"].items()}
    if schema.get("additionalProperties"):
        short["additionalProperties"] = True
    return short


def _references(form: Any) -> list[str]:
    if isinstance(form, list):
        return [name for inner in form for name in _references(inner)]
    if not isinstance(form, dict):
        return []
    own = [form["$ref"]] if isinstance(form.get("$ref"), str) else []
    return own + [name for inner in form.values() for name in _references(inner)]


def rendered() -> str:
    """The file."""
    return json.dumps(forms(), separators=(",", ":")) + "\n"


if __name__ == "__main__":
    print(rendered(), end="")  # noqa: T201 - it is written to a file by `make upstream-forms`
