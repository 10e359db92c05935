"""The forms of identifiers and notes that the billing vendor is known to demand."""

from typing import Annotated, Final
from uuid import UUID

import msgspec

from gateway.http.rfc9457 import Fault
from gateway.problems import ValidationFailed

LONGEST_EXTERNAL_ID: Final = 256
"""Characters, as the vendor documents it."""

ExternalId = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=LONGEST_EXTERNAL_ID, description="The merchant's own customer id."),
]

PricePointIdent = Annotated[
    str, msgspec.Meta(pattern=r"^[-A-Za-z_0-9]{1,256}\Z", description="The ident of a price point.")
]

Reason = Annotated[str, msgspec.Meta(max_length=256, description="Why, for the vendor's records.")]

Comment = Annotated[str, msgspec.Meta(max_length=2048, description="More of why, for the vendor's records.")]

ConfirmDuplicate = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^op_[0-9a-f]{1,64}\Z",
        description="The id of an open operation on the same thing, to go on although it may have happened.",
    ),
]


def uuid_in_path(text: str, name: str) -> str:
    """An identifier of the vendor's from the path, in its canonical form.

    Args:
        text: As it came, decoded.
        name: Of the path parameter.

    Raises:
        ValidationFailed: It is no UUID.
    """
    try:
        return str(UUID(text))
    except ValueError as error:
        fault = Fault(f"/{name}", "Expected a UUID.", "path")
        raise ValidationFailed("The path is not what is needed.", faults=[fault]) from error


def external_id_in_path(text: str) -> str:
    """A customer's id from the path: any text that the vendor can take.

    Raises:
        ValidationFailed: It is longer than 256 characters.
    """
    if len(text) > LONGEST_EXTERNAL_ID:
        fault = Fault("/external_id", f"At most {LONGEST_EXTERNAL_ID} characters.", "path")
        raise ValidationFailed("The path is not what is needed.", faults=[fault])
    return text
