"""The demo, run as a newcomer runs it."""

import os
import re
import socket
import subprocess
import sys


def demo(port: int) -> subprocess.CompletedProcess[str]:
    """Run the walk once."""
    environment = {**os.environ, "DEMO_ONCE": "1", "PORT": str(port)}
    return subprocess.run(
        [sys.executable, "-m", "gateway.demo"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_walk_ends_well_and_is_plain_when_piped() -> None:
    """Every step as it should be, the trace whole, and no colour where nobody sees it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        walked = demo(port)

    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert "\x1b" not in walked.stdout
    assert len(re.findall(r" (?:200|201|204|401|402|403|409|422) +[0-9.]+ ms", walked.stdout)) >= 27
    assert "├── GET /domains/{domain}  funnelflux 200" in walked.stdout
    assert "└── POST /domains/check  funnelflux 200" in walked.stdout
    served = re.search(r"url +http://127\.0\.0\.1:(\d+)", walked.stdout)
    assert served is not None
    assert int(served[1]) != port
    assert walked.stderr == ""


def test_a_port_that_is_none_is_told_so() -> None:
    """With a sentence, and before anything is started."""
    environment = {**os.environ, "DEMO_ONCE": "1", "PORT": "http"}

    refused = subprocess.run(
        [sys.executable, "-m", "gateway.demo"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert refused.returncode == 1
    assert "PORT must be a number" in refused.stderr
