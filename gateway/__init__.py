"""The policies, in nobody's words: tokens, problems, edge, settings, traces."""

from importlib.metadata import version
from typing import Final

from gateway.optional_parts import load

VERSION: Final = version("funnel-gateway")
"""As in pyproject.toml, which is the one place where it is set."""

# Here, since whatever imports them is imported after this.
load("httpx", without=("pygments", "rich"))  # Its command line: four megabytes of what draws on terminals.
load("litestar", later=("yaml",))  # For documents in YAML, of which we have none: one megabyte.
load("uvicorn", later=("logging.config",))  # It would set up the log, which we do.
# The messages of OTLP are made by its extension in C: what would make them in Python costs as much.
load("google.protobuf.descriptor_pool", later=("google.protobuf.internal.python_message",))
