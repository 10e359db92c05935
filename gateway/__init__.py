"""The policies, in nobody's words: tokens, problems, edge, settings, traces."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("funnel-gateway")
"""As in pyproject.toml, which is the one place where it is set."""
