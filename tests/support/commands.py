"""The `gateway` command, run as its users run it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

GATEWAY = str(Path(sys.executable).with_name("gateway"))


def gateway(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with no more environment than given."""
    return subprocess.run(
        [GATEWAY, *arguments], env=_clean(environment), capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def running(*arguments: str, environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a command that serves; gives the process and the URL that it printed."""
    with subprocess.Popen(
        [GATEWAY, *arguments],
        env=_clean(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"http://[0-9.:]+", line):
                    yield process, found[0]
                    break
            else:
                raise AssertionError("it ended without serving")
        finally:
            process.terminate()
            process.wait(timeout=60)


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **environment}
