"""What the chart takes from elsewhere: the variables that the gateway reads (values.schema.json lists them), and files.

Run as a module, it writes both anew, as `make helm-schema` does.
"""

import json
from pathlib import Path
from typing import Any, Final

from tests.support.listening import variables

_ROOT: Final = Path(__file__).parents[2]

SCHEMA: Final = _ROOT / "helm" / "values.schema.json"

FILES: Final = {
    _ROOT / "docs" / "grafana" / "dashboard.json": _ROOT / "helm" / "files" / "dashboard.json",
    _ROOT / "docs" / "prometheus" / "alerts.yaml": _ROOT / "helm" / "files" / "alerts.yaml",
}
"""What the chart installs, and its copy: a chart holds all its files itself."""

OF_THE_CHART: Final = frozenset({"GATEWAY_SANDBOX"})
"""Settings that follow from other values of the chart."""

COLLECTOR_SECRETS: Final = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
)
"""Of OpenTelemetry's own variables, those that hold credentials."""


def known() -> tuple[frozenset[str], set[str]]:
    """Every variable that the gateway reads: those that are no secrets, and those that are."""
    asked = variables()
    secrets = {name for name in asked if f"{name}_FILE" in asked}
    return asked - secrets - {f"{name}_FILE" for name in secrets}, secrets


def listed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with both lists as they have to be."""
    settings, secrets = known()
    refused = [*secrets, *COLLECTOR_SECRETS]
    schema["properties"]["settings"]["properties"] = {
        **{name: {"$ref": "#/$defs/text"} for name in settings - OF_THE_CHART},
        **{name: {"$ref": "#/$defs/belongsUnderSecrets"} for name in refused},
        **{name: {"$ref": "#/$defs/followsFromOtherValues"} for name in OF_THE_CHART},
    }
    schema["properties"]["secrets"]["properties"] = {name: {"$ref": "#/$defs/secret"} for name in refused}
    for part in ("settings", "secrets"):
        properties = schema["properties"][part]["properties"]
        schema["properties"][part]["properties"] = {name: properties[name] for name in sorted(properties)}
    return schema


def written(schema: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(written(listed(json.loads(SCHEMA.read_text()))))
    for original, copy in FILES.items():
        copy.write_text(original.read_text())
