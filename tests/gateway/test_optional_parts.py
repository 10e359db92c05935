"""What a process that serves has loaded, and how the rest is left out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.collector import Collector
from tests.support.commands import gateway
from tests.support.ports import unused

SERVE = """
import json, os, signal, sys
from http.client import HTTPConnection
from threading import Thread
from gateway.cli import main

def look():
    while True:
        try:
            asked = HTTPConnection("127.0.0.1", int(sys.argv[1]))
            asked.request("GET", "/health/ready")
            asked.getresponse().read()
        except ConnectionError:
            continue
        print(json.dumps([*sys.modules]))
        return os.kill(os.getpid(), signal.SIGINT)

Thread(target=look, daemon=True).start()
main(["serve", "--port", sys.argv[1]])
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The modules of a worker on SQLite that sends what it sees to a collector, and has answered its first request."""
    environment = {
        "GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('worker') / 'gateway.db'}",
        "GATEWAY_SANDBOX": "off",
    }
    assert gateway("migrate", environment=environment).returncode == 0
    collector = Collector()
    try:
        shown = told(SERVE, str(unused()), **environment, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    finally:
        collector.stop()
    names: list[str] = json.loads(shown)
    return names


@pytest.mark.parametrize(
    "unneeded",
    [
        "aiosqlite",  # SQLite has threads of ours.
        "alembic",  # The schema is current.
        "anyio._backends",  # Nothing is done by way of a task group.
        "charset_normalizer",  # The collector says how its answers are encoded.
        "google.protobuf.internal.decoder",  # What makes messages is in C.
        "gateway.cli.tenants",  # The command is another.
        "gateway.doctor",
        "gateway.oidc",  # There is no issuer.
        "gateway.openapi",  # Nobody has asked for the document,
        "routes.docs.site",  # nor for a page.
        "logging.handlers",  # The log is our own.
        "pygments",  # Nothing is drawn on a terminal.
        "rich",
        "redis",  # Nothing is shared.
        "sqlalchemy.dialects.postgresql",  # The database is another.
        "sqlalchemy.orm",  # Nothing is mapped to objects.
        "yaml.nodes",  # Nothing is written as YAML.
    ],
)
def test_what_serving_does_not_need_is_not_loaded(loaded: list[str], unneeded: str) -> None:
    """One idle worker holds no library, and no part of one, of which it has no use."""
    assert [name for name in loaded if f"{name}.".startswith(f"{unneeded}.")] == []


LIBRARY = """
try:
    import extra
except ImportError:
    extra = None
import heavy

def weight():
    return heavy.WEIGHT
"""


@pytest.fixture
def library(tmp_path: Path) -> str:
    """A folder with a library, something that it can do without, and something that it seldom needs."""
    (tmp_path / "library.py").write_text(LIBRARY)
    (tmp_path / "broken.py").write_text("import heavy, extra")
    (tmp_path / "extra.py").touch()
    (tmp_path / "heavy.py").write_text("print('heavy is read')\nWEIGHT = 7")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("load('library', without=['extra']); import library; print(library.extra)", "heavy is read,None"),
        ("load('library', without=['extra']); import extra; print(extra.__name__)", "heavy is read,extra"),
        (
            "import extra; load('library', without=['extra']); import library; print(library.extra is extra)",
            "heavy is read,True",
        ),
        ("import library; load('library', without=['extra']); print(library.extra.__name__)", "heavy is read,extra"),
        (
            "load('library', later=['heavy']); import library; print('there'); print(library.weight())",
            "there,heavy is read,7",
        ),
        ("import heavy; load('library', later=['heavy']); import library; print(library.weight())", "heavy is read,7"),
        ("load('library', without=['no_such'], later=['nor_this']); print('there')", "heavy is read,there"),
    ],
)
def test_a_library_is_loaded_without_what_nobody_needs(library: str, script: str, shown: str) -> None:
    """It does without, or gets it when it is used; others get all of it; what is there already stays as it is."""
    lines = told(f"from gateway.optional_parts import load; {script}", PYTHONPATH=library).splitlines()

    assert lines == shown.split(",")


def test_a_library_that_can_not_be_loaded_leaves_nothing_behind(library: str) -> None:
    """Whatever the import comes to, Python imports as it did before."""
    script = """
import sys
from gateway.optional_parts import load
finders = [*sys.meta_path]
try:
    load("broken", without=["extra"], later=["heavy"])
except ImportError as error:
    print(error.name, sys.meta_path == finders, "extra" in sys.modules)
"""

    shown = told(script, PYTHONPATH=library)

    assert shown == "extra True False\n"


def told(script: str, *arguments: str, **environment: str) -> str:
    """What a script prints, in a Python of its own in which a warning is an error."""
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout
