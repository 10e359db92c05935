"""Checkout, against the sandbox: from the session to what the customer owns."""

import pytest

from clients.billing import wire
from clients.errors import Refused
from tests.support.billing import Billing, owned

pytestmark = pytest.mark.anyio


async def session_of(shop: Billing, external_id: str, pp_ident: str) -> wire.ClientSession:
    """A new session of a customer."""
    return await shop.checkout.create_client_session(
        pp_ident=pp_ident,
        external_id=external_id,
        integration_type="fakeintegration",
        email_address=f"{external_id}@example.com",
        client_metadata={"campaign": "autumn"},
    )


async def test_a_checkout_sells(shop: Billing) -> None:
    """From the session to the subscription: the session, a change of mind, the charge, the customer's assets."""
    session = await session_of(shop, "zoe", "monthly-premium")
    await shop.checkout.update_client_session(
        session.client_token,
        order_id=session.order_id,
        pp_ident="yearly-premium",
        client_metadata={"campaign": "winter"},
    )

    result = await shop.checkout.create_payment(session.order_id, payment_method_token="pmt_ok-zoe")

    bought = await owned(shop, "zoe")
    assert result == wire.PaymentResult(
        action_required_token="", checkout_status="succeeded", failed_message_for_user="", order_id=session.order_id
    )
    assert bought.price_point is not None
    assert (bought.price_point.ident, bought.initial_order_metadata) == ("yearly-premium", {"campaign": "winter"})
    assert await shop.customers.search_users("ZOE@example.com") == [wire.User(external_id="zoe")]


async def test_a_session_is_told_whole(shop: Billing) -> None:
    """The token and the order by name, and all that the vendor said besides, with its amounts in minor units."""
    session = await session_of(shop, "zoe", "yearly-premium")

    assert session.vendor["client_token"] == session.client_token
    assert session.vendor["order_id"] == session.order_id
    assert (session.vendor["amount_total"], session.vendor["currency"]) == (7999, "USD")


async def test_a_payment_that_asks_for_an_action_is_resumed(shop: Billing) -> None:
    """The bank wants to see the customer; the order to resume is the one in the answer, not the session's."""
    session = await session_of(shop, "zoe", "yearly-premium")

    asked = await shop.checkout.create_payment(session.order_id, payment_method_token="pmt_3ds_new_order-zoe")
    assert asked.order_id is not None
    paid = await shop.checkout.resume_payment(asked.order_id, resume_token="rt_ok")

    assert asked.action_required_token
    assert asked.order_id != session.order_id
    assert (paid.action_required_token, paid.checkout_status) == ("", "succeeded")


async def test_a_declined_card_is_a_result(shop: Billing) -> None:
    """The vendor says yes to the request and no to the card: that is an answer, with words for the customer."""
    session = await session_of(shop, "zoe", "yearly-premium")

    declined = await shop.checkout.create_payment(session.order_id, payment_method_token="pmt_declined-zoe")

    assert (declined.checkout_status, declined.failed_message_for_user) == ("failed", "Your card was declined.")


async def test_one_click_buys_once(shop: Billing) -> None:
    """The card on file pays for one more thing; what the customer owns already is refused by its code."""
    bought = await shop.checkout.one_click("user-ada", pp_ident="lifetime", client_metadata={"placement": "upsell"})

    with pytest.raises(Refused) as refusal:
        await shop.checkout.one_click("user-ada", pp_ident="lifetime")

    (oneoff,) = (await shop.customers.my_assets("user-ada")).oneoffs
    assert bought.checkout_status == "succeeded"
    assert (oneoff.order_id, oneoff.initial_order_metadata) == (bought.order_id, {"placement": "upsell"})
    assert (refusal.value.code, refusal.value.status) == ("double_purchase", 200)


async def test_a_stranger_owns_nothing(shop: Billing) -> None:
    """The sandbox knows no stranger and answers empty lists; what the vendor answers is not documented."""
    assert await shop.customers.my_assets("nobody") == wire.Assets(subscriptions=[], oneoffs=[])
    assert await shop.customers.search_users("nobody@example.com") == []
    assert await shop.customers.search_users(None) == []
