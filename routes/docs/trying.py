"""The forms with which a reader makes calls; our script sends them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from routes.docs.html import Child, Html, inline, joined, listing, prose, tag
from routes.docs.schemas import bounds, kind

_GENERATED: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}")
"""Identifiers that the sandbox makes anew: those of an example exist there no more."""

ACCESS: Final = """\
Calls from this page go to the gateway that serves it, with a token of mode `test`: they reach the sandbox, an emulator
of both vendors with a story's worth of data, and nothing else. Live tokens are not taken here, since a call could move
money. Whoever runs the gateway makes a test token with
"""
COMMAND: Final = """\
gateway token create --name docs --mode test --expires-in 12h \\
    --scope domains:read --scope domains:write --scope catalog:read"""

KEPT: Final = """\
Each operation names the scopes that it needs. The token is kept by this tab alone until it is closed
(`sessionStorage`), and goes nowhere but into the `Authorization` header of these calls.
"""


def access() -> Html:
    """Where the reader gives a token."""
    return tag(
        "section",
        tag("h2", "Try it with a test token", id="access-title"),
        tag("p", inline(ACCESS.replace("\n", " "))),
        listing("Command", COMMAND),
        tag("p", inline(KEPT.replace("\n", " "))),
        tag("p", "Calls from this page need JavaScript; all the rest does not.", id="access-none"),
        tag(
            "form",
            tag("label", "Test token", for_="token"),
            tag(
                "div",
                tag(
                    "input",
                    id="token",
                    type="password",
                    autocomplete="off",
                    spellcheck="false",
                    placeholder="fgw_test_...",
                ),
                tag("button", "Use this token", type="submit"),
                tag("button", "Forget it", type="button", id="forget", class_="quiet"),
                class_="row",
            ),
            tag("p", "No token yet.", role="status", id="access-state", class_="muted"),
            id="access-form",
            hidden=True,
        ),
        id="access",
        aria_labelledby="access-title",
    )


def form(method: str, path: str, operation: Mapping[str, Any]) -> Html:
    """The form of one operation."""
    ident: str = operation["operationId"]
    body = operation.get("requestBody")
    media_type = next(iter(body["content"])) if body else ""
    answers = (form for answer in operation["responses"].values() for form in answer.get("content", ()))
    return tag(
        "form",
        tag("h4", "Try it"),
        *(_field(ident, parameter) for parameter in operation.get("parameters", ())),
        _body(ident, media_type, body) if body else None,
        tag("p", tag("button", "Send", " ", tag("span", f"{method} {path}", class_="unseen"), type="submit")),
        tag("p", class_="said", role="status"),
        tag("div", class_="answer"),
        class_="try",
        data_method=method,
        data_path=path,
        data_accept=next(answers, "application/json"),
        data_type=media_type,
        data_open=not operation.get("security"),
        hidden=True,
    )


def _field(ident: str, parameter: Mapping[str, Any]) -> Html:
    schema = parameter["schema"]
    field = f"{ident}.{parameter['in']}.{parameter['name']}"
    example = str(next((shown["value"] for shown in parameter.get("examples", {}).values()), ""))
    lasting = parameter["required"] and not _GENERATED.fullmatch(example)
    hint = joined([prose(parameter.get("description", "")), _hint(schema)])
    return tag(
        "div",
        tag("label", tag("code", parameter["name"]), _demand(parameter), for_=field),
        tag(
            "input",
            id=field,
            name=parameter["name"],
            data_in=parameter["in"],
            data_many=schema.get("type") == "array",
            value=example if lasting else False,
            placeholder=False if lasting or not example else f"such as {example}",
            required=parameter["required"],
            autocomplete="off",
            spellcheck="false",
            aria_describedby=f"{field}.hint",
        ),
        tag("div", hint, id=f"{field}.hint", class_="hint"),
        class_="field",
    )


def _demand(parameter: Mapping[str, Any]) -> Html:
    place = tag("span", f"in the {parameter['in']}", class_="kind")
    return joined([" ", place, *([" ", tag("span", "required", class_="required")] if parameter["required"] else [])])


def _hint(schema: Mapping[str, Any]) -> Html:
    told = bounds(schema)
    several = ". Several are separated by commas" if schema.get("type") == "array" else None
    return tag("p", kind(schema), "; " if told else None, told, several, ".")


def _body(ident: str, media_type: str, body: Mapping[str, Any]) -> Html:
    examples = [*body["content"][media_type].get("examples", {}).values()]
    texts = [written(example["value"]) for example in examples]
    field = f"{ident}.body"
    return tag(
        "div",
        *(
            _choice(field, zip((example["summary"] for example in examples), texts, strict=True))
            if len(texts) > 1
            else ()
        ),
        tag("label", "Body ", tag("span", media_type, class_="kind"), for_=field),
        tag("textarea", Html("\n"), texts[0] if texts else "", id=field, rows=str(_rows(texts)), spellcheck="false"),
        class_="field",
    )


def _choice(field: str, examples: Iterator[tuple[str, str]]) -> Iterator[Child]:
    """Which example stands in the body to begin with."""
    yield tag("label", "Begin with", for_=f"{field}.example")
    yield tag(
        "select",
        *(tag("option", summary, value=text) for summary, text in examples),
        id=f"{field}.example",
        data_for=field,
    )


def _rows(texts: list[str]) -> int:
    return min(16, max([4, *(text.count("\n") + 1 for text in texts)]))


def written(value: Any) -> str:
    """An example as it is sent: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
