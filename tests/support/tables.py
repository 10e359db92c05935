"""The tables of the README, written from the code.

Run as a module, it puts them between their markers.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway import settings
from gateway.app import document
from gateway.cli.environment import masked
from gateway.settings import Settings

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"

_TAGS: Final = (
    "Domains",
    "Price points",
    "Features",
    "Subscriptions",
    "Payments",
    "Customers",
    "Checkout",
    "Operations",
    "Me",
    "Tokens",
    "Tenants",
    "Operator",
    "Cache",
)
"""What a reader comes for, first; the rest follows by path."""

_PREFIXES: Final = {"funnelflux": "FUNNELFLUX_", "funnelfox": "FUNNELFOX_", "oidc": "GATEWAY_OIDC_"}
"""Groups of settings, and how their variables begin; all others begin with `GATEWAY_`."""


def current(text: str) -> str:
    """A README with its tables as the code has them now."""
    for name, lines in (("surface", surface()), ("configuration", configuration())):
        begin, end = f"<!-- {name}: written by `make docs` -->\n", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the README has no markers for its table of {name}")
        text = before + begin + "\n".join((*lines, "")) + end + after
    return text


def surface() -> Iterator[str]:
    """Every operation, what it does, and what a token needs for it."""
    yield "| | route | does | scope |"
    yield "|---|---|---|---|"
    paths = document()["paths"]
    operations = [(path, method, operation) for path, item in paths.items() for method, operation in item.items()]
    for path, method, operation in sorted(operations, key=_place):
        yield f"| `{method.upper()}` | `{path}`{_mark(operation)} | {operation['summary']} | {_scope(operation)} |"


def _place(found: tuple[str, str, dict[str, Any]]) -> tuple[int, str, int]:
    path, method, operation = found
    tag = operation["tags"][0]
    methods = ("get", "post", "patch", "delete")
    return (_TAGS.index(tag) if tag in _TAGS else len(_TAGS), path, methods.index(method))


def _mark(operation: dict[str, Any]) -> str:
    refused = operation["responses"].get("400", {}).get("$ref", "")
    return r" \*" if "IdempotencyKeyRequired" in refused else ""


def _scope(operation: dict[str, Any]) -> str:
    if not operation["security"]:
        return "no token"
    if scopes := operation.get("x-scopes-any"):
        return " or ".join(f"`{scope}`" for scope in scopes)
    return " ".join(f"`{scope}`" for scope in operation["x-scopes"]) or "any token"


def configuration() -> Iterator[str]:
    """Every variable, what it means, and what holds without it."""
    yield "| variable | meaning | default |"
    yield "|---|---|---|"
    for name, (meaning, default) in variables().items():
        yield f"| `{name}` | {meaning} | {f'`{default}`' if default else ''} |"
    yield (
        "| `OTEL_*` | OpenTelemetry's own variables, all of them; without `OTEL_EXPORTER_OTLP_ENDPOINT` nothing is "
        "exported. | |"
    )


def variables() -> dict[str, tuple[str, str]]:
    """The meaning and the default of each variable, in the order of the settings."""
    said = _said()
    found: dict[str, tuple[str, str]] = {}
    usual = Settings()
    for field in msgspec.structs.fields(usual):
        value = getattr(usual, field.name)
        if not isinstance(value, msgspec.Struct):
            found[f"GATEWAY_{field.name.upper()}"] = (said["Settings", field.name], masked(field.name, value))
            continue
        for inner in msgspec.structs.fields(value):
            if not inner.name.endswith("_file"):
                name = f"{_PREFIXES[field.name]}{inner.name.upper()}"
                told = said[type(value).__name__, inner.name]
                found[name] = (told, _plain(masked(inner.name, getattr(value, inner.name))))
    return {name: (meaning, _plain(default)) for name, (meaning, default) in found.items()}


def _plain(default: str) -> str:
    """Seconds without the fraction that they do not have."""
    return default.removesuffix(".0")


def _said() -> dict[tuple[str, str], str]:
    """What stands below each member of the settings, in one line."""
    tree = ast.parse(Path(settings.__file__).read_text())
    found: dict[tuple[str, str], str] = {}
    for group in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for member, below in zip(group.body, group.body[1:], strict=False):
            match member, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[group.name, name] = re.sub(r"\s+", " ", text.strip())
                case _:
                    pass  # No member with a text below it.
    return found


if __name__ == "__main__":
    README.write_text(current(README.read_text()))
