"""What happens to a card: the magic payment method tokens."""

from enum import Enum

import msgspec


class Outcome(Enum):
    """How the first attempt to charge ends."""

    SUCCEEDED = "succeeded"
    DECLINED = "failed"
    CANCELLED = "cancelled"
    ACTION = "action"
    PROCESSING = "processing"


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What a token stands for."""

    first: Outcome = Outcome.SUCCEEDED
    message: str = ""
    """What the customer is told of a decline."""

    new_order: bool = False
    """The answer names another order than the one that was paid for."""

    settles: bool = True
    """How `PROCESSING` ends."""

    saved: Outcome = Outcome.SUCCEEDED
    """What happens when it is charged later: by one-click, on renewal, in a migration."""


# What a customer reads of a decline that has no words of its own.
DECLINED = "Your card was declined."
_NO_FUNDS = "Your card has insufficient funds."

# The table of docs/sandbox.md. A suffix may follow, so that tests do not share
# the two charges a day of one token: "pmt_ok-1", "pmt_declined_anything".
TOKENS = {
    "pmt_ok": Behaviour(),
    "pmt_ok_then_declined": Behaviour(saved=Outcome.DECLINED, message=DECLINED),
    "pmt_ok_then_3ds": Behaviour(saved=Outcome.ACTION, message=DECLINED),
    "pmt_declined": Behaviour(first=Outcome.DECLINED, message=DECLINED, saved=Outcome.DECLINED),
    "pmt_insufficient_funds": Behaviour(first=Outcome.DECLINED, message=_NO_FUNDS, saved=Outcome.DECLINED),
    "pmt_cancelled": Behaviour(first=Outcome.CANCELLED),
    "pmt_3ds": Behaviour(first=Outcome.ACTION, message=DECLINED),
    "pmt_3ds_new_order": Behaviour(first=Outcome.ACTION, message=DECLINED, new_order=True),
    "pmt_processing": Behaviour(first=Outcome.PROCESSING),
    "pmt_processing_declined": Behaviour(first=Outcome.PROCESSING, settles=False, message=DECLINED),
}

# What the customer's bank says at the end of the further action.
RESUME_TOKENS = {
    "rt_ok": Outcome.SUCCEEDED,
    "rt_declined": Outcome.DECLINED,
    "rt_cancelled": Outcome.CANCELLED,
    "rt_processing": Outcome.PROCESSING,
}

_LAST4_BY_NAME = {"pmt_ok": "4242", "pmt_declined": "0002", "pmt_insufficient_funds": "9995", "pmt_3ds": "3220"}
_OTHER_LAST4 = "1111"


def behaviour(token: str) -> Behaviour:
    """Return what the token stands for; one that is not magic succeeds."""
    return TOKENS.get(_magic(token, TOKENS), Behaviour())


def resumed(token: str) -> Outcome:
    """Return how the further action ends; a token that is not magic succeeds."""
    return RESUME_TOKENS.get(_magic(token, RESUME_TOKENS), Outcome.SUCCEEDED)


def last4(token: str) -> str:
    """Return the last digits of the card that the token stands for."""
    return _LAST4_BY_NAME.get(_magic(token, TOKENS), _OTHER_LAST4)


def _magic(token: str, names: dict[str, Behaviour] | dict[str, Outcome]) -> str:
    # The longest first: "pmt_ok_then_declined" begins with "pmt_ok" too.
    for name in sorted(names, key=len, reverse=True):
        if token == name or token.startswith((f"{name}_", f"{name}-")):
            return name
    return ""
