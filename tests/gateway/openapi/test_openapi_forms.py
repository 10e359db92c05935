"""How routes of every form come into the API document."""

from typing import Annotated, Any

import msgspec
import pytest
from litestar import Response, Router, get, post
from litestar.params import Body, FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream

from gateway import openapi
from gateway.needs import needs, needs_nothing
from gateway.openapi.schemas import AmbiguousName, Schemas, clean, field_docstrings


class Part(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A part."""

    size: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType = msgspec.UNSET
    """In millimetres."""


class Order(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is wanted."""

    part: Part
    ident: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+\Z")]
    note: str | None = None


class Row(msgspec.Struct, kw_only=True):
    """What came of it."""

    id: str
    tags: list[str] = []
    hint: str | msgspec.UnsetType = msgspec.UNSET


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The document of some routes in every form that there is."""

    @post("/orders", opt=needs("catalog:write", money=True), operation_id="order", status_code=200)
    async def order(
        data: JSONBody[Order | None] = None,
        key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", description="A key.")] = None,
    ) -> Response[Row]:
        """Order something.

        It may take a while.
        """
        raise NotImplementedError  # Only its declaration is read.

    @get("/orders/{name:str}", opt=needs(), operation_id="read", status_code=200)
    async def read(
        name: FromPath[str], most: Annotated[int | None, QueryParameter(ge=1, le=5, description="How many.")] = None
    ) -> Row:
        """Read one."""
        raise NotImplementedError  # Only its declaration is read.

    @get("/file", opt=needs_nothing(), operation_id="export", status_code=200, media_type="text/csv")
    async def export() -> Stream:
        """Export all."""
        raise NotImplementedError  # Only its declaration is read.

    @post("/file", opt=needs("catalog:write"), operation_id="upload", status_code=204)
    async def upload(data: Annotated[bytes, Body(media_type="text/csv")]) -> None:
        """Import some."""

    return openapi.document([Router("/", route_handlers=[order, read, export, upload], tags=["Things"])], {})


def test_bodies_are_closed_down_to_the_last_struct(made: dict[str, Any]) -> None:
    """And an absent member is not a null one."""
    assert made["components"]["schemas"]["Order"] == {
        "description": "What is wanted.",
        "type": "object",
        "properties": {
            "part": {"$ref": "#/components/schemas/Part"},
            "ident": {"type": "string", "pattern": "^[a-z]+$"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "additionalProperties": False,
        "required": ["part", "ident"],
    }
    assert made["components"]["schemas"]["Part"] == {
        "description": "A part.",
        "type": "object",
        "properties": {"size": {"type": "integer", "minimum": 1, "description": "In millimetres."}},
        "additionalProperties": False,
        "required": [],
    }


def test_what_is_always_answered_is_required(made: dict[str, Any]) -> None:
    """A default is written like any other value; only what may be unset may be absent."""
    assert made["components"]["schemas"]["Row"]["required"] == ["id", "tags"]


def test_an_optional_body_may_be_null_and_absent(made: dict[str, Any]) -> None:
    """As its handler takes it."""
    assert made["paths"]["/orders"]["post"]["requestBody"] == {
        "description": "What is wanted.",
        "required": False,
        "content": {
            "application/json": {"schema": {"anyOf": [{"$ref": "#/components/schemas/Order"}, {"type": "null"}]}}
        },
    }


def test_parameters_come_from_the_signature(made: dict[str, Any]) -> None:
    """With their bounds; a key that a policy demands is required whatever the handler says."""
    [key] = made["paths"]["/orders"]["post"]["parameters"]
    [name, most] = made["paths"]["/orders/{name}"]["get"]["parameters"]

    assert (key["name"], key["in"], key["required"], key["schema"]["maxLength"]) == (
        "Idempotency-Key",
        "header",
        True,
        255,
    )
    assert (name["name"], name["in"], name["required"]) == ("name", "path", True)
    assert most == {
        "name": "most",
        "in": "query",
        "description": "How many.",
        "required": False,
        "schema": {"type": "integer", "minimum": 1, "maximum": 5},
    }


def test_files_are_text(made: dict[str, Any]) -> None:
    """In both directions, under their own media type."""
    content = {"text/csv": {"schema": {"type": "string"}}}

    assert made["paths"]["/file"]["get"]["responses"]["200"]["content"] == content
    assert made["paths"]["/file"]["post"]["requestBody"]["content"] == content
    assert "content" not in made["paths"]["/file"]["post"]["responses"]["204"]


def test_docstrings_become_prose(made: dict[str, Any]) -> None:
    """The first sentence names the operation; who may call stands at the end."""
    order, export = made["paths"]["/orders"]["post"], made["paths"]["/file"]["get"]

    assert (order["summary"], order["description"].partition("\n")[0]) == ("Order something", "It may take a while.")
    assert order["description"].endswith(
        "Needs a token with `catalog:write` (create and change price points and features)."
    )
    assert (export["description"], export["security"]) == ("Needs no token.", [])


@pytest.mark.parametrize(
    ("given", "name"),
    [("Row", "Row"), ("Page_Row_", "RowPage"), ("routes.shapes.payment_links.State", "PaymentLinksState")],
)
def test_names_read_well(given: str, name: str) -> None:
    """Generic types and namesakes included."""
    assert clean(given) == name


def test_namesakes_are_refused_before_one_hides_the_other() -> None:
    """Where even the module does not tell two types apart."""
    twins = [msgspec.defstruct("Twin", [], module="a.x"), msgspec.defstruct("Twin", [], module="b.x")]

    with pytest.raises(AmbiguousName, match="XTwin"):
        Schemas(taken=twins, given=[])


def test_members_are_told_by_the_strings_below_them() -> None:
    """Those of bases included; a class without source has none."""

    class Small(Part, kw_only=True):
        """A small part."""

        colour: str
        """As on the chart."""

    assert field_docstrings(Small) == {"size": "In millimetres.", "colour": "As on the chart."}
    assert field_docstrings(msgspec.defstruct("Made", ["a"])) == {}
