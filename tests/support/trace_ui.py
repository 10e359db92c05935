"""Looking at traces: the demo, and a page that shows what it sends; run as a module, until Ctrl-C.

The page is Arize Phoenix, an OTLP backend that is a Python package: it is
started on loopback, sends nothing anywhere, and keeps what it got in a folder.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import httpx

from tests.support import ports

PHOENIX: Final = Path(__file__).parents[2] / "build" / "trace-ui" / "venv" / "bin" / "phoenix"

START_SECONDS: Final = 120
"""Phoenix brings up a database first; on a slow machine that takes a while."""

PATIENCE_SECONDS: Final = 3
"""For the demo to end by itself."""

SPANS: Final = "/v1/projects/default/spans"
"""Where it gives back the spans that it was sent."""

MERGED: Final = frozenset({"GET /v1/domains/{hostname}", "GET /domains/{domain}", "POST /domains/check"})
"""Of the trace that the walk ends with."""


def main() -> int:
    """Start both, walk, tell where the traces are, and serve; with `DEMO_ONCE` set, stop there."""
    port = int(os.environ.get("TRACE_UI_PORT", "6006"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="trace-ui-") as folder, phoenix(Path(folder), port) as page:
        walking = subprocess.Popen([sys.executable, "-m", "gateway.demo"], env=os.environ | _sent_to(page))
        try:
            names = _arrived(page)
            sys.stdout.write(f"\n  {names.total()} spans have arrived: look at them at {page}/projects\n")
            return walking.wait() or int(not names.keys() >= MERGED)
        except KeyboardInterrupt:
            return 0
        finally:
            try:
                walking.wait(PATIENCE_SECONDS)  # Ctrl-C reaches all that run in a terminal.
            except subprocess.TimeoutExpired:
                walking.terminate()
                walking.wait()


def _arrived(page: str) -> Counter[str]:
    """How many spans of each name are there, as soon as those of the walk's last trace are."""
    ends = monotonic() + START_SECONDS
    names: Counter[str] = Counter()
    while not names.keys() >= MERGED and monotonic() < ends:
        sleep(0.5)
        names = Counter(span["name"] for span in httpx.get(f"{page}{SPANS}", params={"limit": 1000}).json()["data"])
    return names


@contextmanager
def phoenix(folder: Path, port: int) -> Iterator[str]:
    """Phoenix for the length of the block; gives the address of its page."""
    environment = os.environ | {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(ports.unused()),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    page = f"http://127.0.0.1:{port}"
    with (folder / "phoenix.log").open("w") as log:
        # Out of reach of Ctrl-C, so that it is there for the last that the demo sends.
        running = subprocess.Popen([PHOENIX, "serve"], env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            ends = monotonic() + START_SECONDS
            while not _answers(page):
                if running.poll() is not None or monotonic() > ends:
                    sys.stderr.write((folder / "phoenix.log").read_text())
                    raise SystemExit("Phoenix did not start.")
                sleep(0.2)
            yield page
        finally:
            running.terminate()
            running.wait()


def _sent_to(page: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": page,
        "OTEL_METRICS_EXPORTER": "none",  # It takes traces only.
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }


def _answers(page: str) -> bool:
    try:
        return httpx.get(page).is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    sys.exit(main())
