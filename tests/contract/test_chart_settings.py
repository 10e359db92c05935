"""The chart and the gateway agree on what can be set."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart_settings import FILES, OF_THE_CHART, SCHEMA, known, listed, written

CHART = SCHEMA.parent
README = CHART.parent / "README.md"
FORMS = [CHART / "values.yaml", *sorted((CHART / "examples").glob("*.yaml"))]


def schema() -> dict[str, Any]:
    """The chart's schema as it is committed."""
    return dict(json.loads(SCHEMA.read_text()))


def test_the_schema_lists_the_settings_of_the_code() -> None:
    """
    A setting that the chart does not know can't be given, and a typing error
    in a name is refused. `make helm-schema` writes the lists anew.
    """
    assert written(listed(schema())) == SCHEMA.read_text()


def test_the_chart_has_the_newest_files() -> None:
    """`make helm-schema` copies them anew."""
    assert [copy.read_text() for copy in FILES.values()] == [original.read_text() for original in FILES]


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_the_forms_name_known_settings(form: Path) -> None:
    """What the default values and the examples set is read by the gateway, and each secret is among the secrets."""
    values = yaml.safe_load(form.read_text())
    settings, secrets = known()

    assert {name for name in values.get("settings", {}) if not name.startswith("OTEL_")} <= settings - OF_THE_CHART
    assert {name for name in values.get("secrets", {}) if not name.startswith("OTEL_")} <= secrets


def test_the_chart_takes_every_setting_of_the_readme() -> None:
    """Who reads about a setting can give it, under the same name."""
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|", README.read_text(), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", row)}
    properties = schema()["properties"]
    taken = {*properties["settings"]["properties"], *properties["secrets"]["properties"]}

    assert "GATEWAY_DEADLINE_SECONDS" in documented
    assert documented - taken == set()


def test_no_secret_is_a_setting_of_the_chart() -> None:
    """Settings stand in a ConfigMap, which many may read."""
    settings = schema()["properties"]["settings"]["properties"]
    _, secrets = known()

    assert {settings[name]["$ref"] for name in secrets} == {"#/$defs/belongsUnderSecrets"}
