"""What the image must do, however it was made."""

import json
import re
import signal
import subprocess
from time import monotonic, sleep
from typing import Any, Final, Protocol
from urllib.parse import urljoin

START_SECONDS: Final = 60
"""On a busy machine; a second or two are usual."""

STOP_SECONDS: Final = 60
"""No request is in flight, so that a moment would do."""

_POLL_SECONDS: Final = 0.1

_ASK: Final = """
import sys
from urllib.request import Request, urlopen
request = Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]} if sys.argv[2:] else {})
print(urlopen(request, timeout=20).read().decode())
"""


_LOOK_ROUND: Final = """
import os
from pathlib import Path
print(os.getuid(), Path("/proc/1/cmdline").read_bytes().split(bytes(1))[1].decode(), end=" ")
try:
    Path("/opt/gateway/written").touch()
except OSError as error:
    print(error.strerror)
"""

_CONFINED: Final = "65532 /opt/gateway/bin/gateway Read-only file system"


class Wrong(Exception):
    """The image does not do what it must."""


class Container(Protocol):
    """Something that was started from the image."""

    port: int
    confined: bool
    """Whether it has a root and processes of its own."""
    process: subprocess.Popen[bytes]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the gateway, as the same user, with the image's environment."""

    def signal(self, number: int) -> None:
        """Tell the gateway itself."""


def tried(container: Container, health: str) -> list[str]:
    """Try it, and end it.

    Args:
        container: Just started.
        health: The image's own health check, in the exec form.

    Returns:
        A line per thing that was seen to be right.

    Raises:
        Wrong: At the first that was not.
    """
    url = f"http://127.0.0.1:{container.port}"
    ready = _until_ready(container, f"{url}/health/ready")
    healthy = container.run(*json.loads(health))
    _must(healthy.returncode == 0, f"the HEALTHCHECK fails: {healthy.stderr}")
    _must(container.run("gateway", "check-config").returncode == 0, "`gateway check-config` fails")
    domains = _asked(container, f"{url}/v1/domains", _token(container))["meta"]["count"]
    _must(domains > 0, "the sandbox has no domains")
    page = container.run("python", "-c", _ASK, f"{url}/docs")
    parts = set(re.findall(r'(?:src|href)="([^"#]+[.](?:js|css|svg))"', page.stdout))
    lost = [
        part for part in sorted(parts) if container.run("python", "-c", _ASK, urljoin(f"{url}/docs", part)).returncode
    ]
    _must(page.returncode == 0 and bool(parts) and not lost, f"/docs, or a part of it, is not in the image: {lost}")
    unwanted = _build_tools(container)
    _must(not unwanted, f"build tools are left: {unwanted}")
    around = container.run("python", "-c", _LOOK_ROUND).stdout.strip() if container.confined else ""
    _must(around in {"", _CONFINED}, f"it is not confined: {around}")
    container.signal(signal.SIGTERM)
    code = container.process.wait(STOP_SECONDS)
    _must(code == 0, f"SIGTERM ends it with {code}")
    return [
        f"/health/ready: {ready['status']}; its HEALTHCHECK agrees",
        f"/v1/domains with a token of its own making: {domains} domains of the sandbox",
        f"/docs with all {len(parts)} files that it names",
        "no pip, setuptools, compiler or make in it",
        *(["user 65532, process 1, and nothing to be written but /data and /tmp"] if around else []),
        "SIGTERM: exit 0",
    ]


def _until_ready(container: Container, url: str) -> dict[str, Any]:
    until = monotonic() + START_SECONDS
    while True:
        try:
            return _asked(container, url)
        except Wrong as error:
            if container.process.poll() is not None:
                raise Wrong(f"it ended with {container.process.returncode} before it was ready") from error
            if monotonic() > until:
                raise Wrong(f"it is not ready after {START_SECONDS} s: {error}") from error
            sleep(_POLL_SECONDS)


def _asked(container: Container, url: str, *token: str) -> dict[str, Any]:
    answer = container.run("python", "-c", _ASK, url, *token)
    _must(answer.returncode == 0, answer.stderr)
    return dict(json.loads(answer.stdout))


def _token(container: Container) -> str:
    words = ("gateway", "token", "create", "--name", "trial", "--scope", "domains:read", "--mode", "test", "--json")
    made = container.run(*words)
    _must(made.returncode == 0, f"no token can be made: {made.stderr}")
    return str(json.loads(made.stdout)["token"])


def _build_tools(container: Container) -> str:
    look = (
        "import importlib.util as found, shutil\n"
        "print(*filter(found.find_spec, ('pip', 'setuptools', 'wheel')), end=' ')\n"
        "print(*filter(shutil.which, ('pip', 'gcc', 'cc', 'make')))"
    )
    return container.run("python", "-c", look).stdout.strip()


def _must(right: bool, otherwise: str) -> None:  # noqa: FBT001 - reads like the assert that it replaces
    if not right:
        raise Wrong(otherwise)
