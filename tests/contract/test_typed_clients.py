"""Clients that others generate from our document: they compile, and what they read is what we write."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway

pytestmark = pytest.mark.skipif(
    "TYPED_CLIENTS" not in os.environ, reason="needs Node and a generated client: `make check-clients`"
)

TYPESCRIPT = ["node", "tests/clients_ts/build/checkout.js"]
PYTHON = ["build/clients/venv/bin/python", "tests/clients_py/checkout.py"]


def walked(command: list[str], gateway: RunningGateway) -> object:
    """What a client's program prints after its walk."""
    _, secret = gateway.token()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path("build/clients").resolve()),
        "GATEWAY_URL": gateway.url,
        "GATEWAY_TOKEN": secret,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_typescript_client_walks_a_checkout(gateway: RunningGateway) -> None:
    """From the price point through the bank's question to a paused subscription, and a refusal with its code."""
    assert walked(TYPESCRIPT, gateway) == {
        "bought": "yearly-premium",
        "resumed": "succeeded",
        "status": ["RECURRING", "PAUSED"],
        "declined": [422, "invalid_price"],
    }


def test_the_python_client_walks_a_checkout(gateway: RunningGateway) -> None:
    """The same from Python, and a domain's whole life."""
    assert walked(PYTHON, gateway) == {
        "paid": "succeeded",
        "status": ["RECURRING", "PAUSED"],
        "declined": [422, "invalid_price"],
        "same": True,
        "gone": 204,
    }
