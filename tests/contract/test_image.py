"""What the Dockerfile promises without being built; `make image-check` builds it and tries it."""

import re

import yaml

from gateway import VERSION
from tests.support.image import dockerfile

ROOT = dockerfile.FILE.parent


def test_everything_has_one_version() -> None:
    """Package, image and chart are released together."""
    chart = yaml.safe_load((ROOT / "helm" / "Chart.yaml").read_text())

    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    assert f"ARG VERSION={VERSION}\n" in dockerfile.FILE.read_text()
    assert f"funnel-gateway:{VERSION}\n" in (ROOT / "Makefile").read_text()


def test_nothing_is_installed_without_its_hash() -> None:
    """What pip fetches is pinned and hashed; what is our own is fetched from nowhere."""
    installs = [
        command
        for stage in dockerfile.stages()
        for instruction in stage.instructions
        if instruction.name == "RUN"
        for command in instruction.value.split("&&")
        if re.search(r"\bpip\b.* (install|wheel)\b", command)
    ]

    assert len(installs) == 4
    assert [command for command in installs if "--require-hashes" not in command and "--no-index" not in command] == []


def test_the_image_is_made_of_what_is_meant_alone() -> None:
    """Nothing else of this folder, such as a database or a key, gets as far as the build."""
    ignored, *allowed = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#") and not line.startswith("**")
    ]
    copied = {
        source
        for stage in dockerfile.stages()
        for instruction in stage.instructions
        if instruction.name == "COPY" and "--from" not in instruction.value
        for source in instruction.value.split()[:-1]
    }

    assert ignored == "*"
    assert {line.removeprefix("!") for line in allowed} == copied


def test_the_gateway_is_process_one_and_not_root() -> None:
    """No shell stands between it and its signals, and Kubernetes can tell who it is."""
    image = dockerfile.stages()[-1]

    assert image.last("ENTRYPOINT").words == ["gateway"]
    assert image.last("CMD").words == ["serve", "--host", "0.0.0.0", "--port", "8080"]  # noqa: S104 - the world outside the container is the point
    assert re.fullmatch(r"[1-9][0-9]+:[1-9][0-9]+", image.last("USER").value)
    assert "8080/health/ready" in image.last("HEALTHCHECK").value
    assert not [each for each in image.instructions if each.name == "RUN" and re.search(r"\bpip\b", each.value)]
