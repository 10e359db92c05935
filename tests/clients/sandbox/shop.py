"""One tenant as both vendors see it: its credentials, and calls with them."""

from typing import Any
from uuid import uuid4

import httpx

from clients.sandbox.account import Account
from clients.sandbox.accounts import credentials
from clients.sandbox.emulator import Sandbox
from clients.sandbox.server import SandboxServer


class Shop:
    """A tenant with an HTTP client.

    Args:
        server: Where the vendors are.
        http: Any client; it needs no base URL.
        tenant: Whose credentials are sent.
    """

    def __init__(self, server: SandboxServer, http: httpx.Client, tenant: str = "shop") -> None:
        self.server = server
        self.http = http
        self.tenant = tenant
        self.credentials = credentials(tenant)

    @property
    def sandbox(self) -> Sandbox:
        """What the server serves."""
        return self.server.sandbox

    @property
    def account(self) -> Account:
        """This tenant's state."""
        return self.sandbox.account(self.tenant)

    def flux(self, method: str, path: str, json: object = None, *, token: str | None = None) -> httpx.Response:
        """Call FunnelFlux with the tenant's bearer, or with `token`."""
        bearer = self.credentials.access_token if token is None else token
        headers = {"authorization": f"Bearer {bearer}"}
        return self.http.request(method, f"{self.server.url}/v1/billing{path}", json=json, headers=headers)

    def validate(self, json: object = None, *, token: str | None = None) -> httpx.Response:
        """Ask FunnelFlux for a living access token."""
        bearer = self.credentials.access_token if token is None else token
        url = f"{self.server.url}/v1/auth/validate"
        return self.http.post(url, json=json, headers={"authorization": f"Bearer {bearer}"})

    def fox(self, path: str, body: object = None, *, key: str | None = None) -> httpx.Response:
        """Call FunnelFox with the tenant's secret key, or with `key` (empty: with none)."""
        secret = self.credentials.secret_key if key is None else key
        headers = {"ff-secret-key": secret} if secret else {}
        return self.http.post(self.fox_url(path), json={} if body is None else body, headers=headers)

    def fox_url(self, path: str) -> str:
        """Return the address of one of the tenant's FunnelFox operations."""
        return f"{self.server.url}/{self.credentials.org_id}/v1{path}"

    def data(self, path: str, body: object = None) -> Any:
        """Call FunnelFox, insist on success, and return what the envelope holds."""
        reply = self.fox(path, body)
        assert reply.status_code == 200, reply.text
        assert reply.json()["status"] == "success", reply.text
        return reply.json()["data"]

    def refusal(self, path: str, body: object = None) -> tuple[int, str | None]:
        """Call FunnelFox, insist on a refusal, and return its status and code."""
        reply = self.fox(path, body)
        assert reply.json()["status"] == "error", reply.text
        return reply.status_code, reply.json()["error"][0].get("code")

    def session(self, price_point: str, customer: str = "buyer") -> str:
        """Open a checkout session and return its order."""
        asked = {
            "region": "default",
            "integration_type": "fakeintegration",
            "pp_ident": price_point,
            "external_id": customer,
            "email_address": f"{customer}@example.com",
            "client_metadata": {"campaign": "test"},
        }
        order_id: str = self.data("/checkout/create_client_session", asked)["order_id"]
        return order_id

    def pay(self, order_id: str, token: str | None = None) -> Any:
        """Pay an order, by default with a token of its own that succeeds."""
        method = f"pmt_ok-{uuid4().hex}" if token is None else token
        return self.data("/checkout/create_payment", {"order_id": order_id, "payment_method_token": method})

    def buy(self, price_point: str, customer: str = "buyer", token: str | None = None) -> Any:
        """Open a session, pay it, and return the result."""
        return self.pay(self.session(price_point, customer), token)

    def subscription(self, customer: str = "buyer") -> Any:
        """Return a customer's newest subscription."""
        return self.data("/my_assets", {"external_id": customer})["subscriptions"][-1]

    def charges(self, customer: str = "buyer") -> list[str]:
        """Return the amounts that a customer was charged, in order."""
        entries = [entry for entry in self.account.ledger.entries if entry.external_id == customer]
        return [str(entry.amount) for entry in entries if entry.kind == "charge"]

    def advance(self, *, days: float = 0, seconds: float = 0) -> None:
        """Let time pass."""
        self.sandbox.clock.advance(days * 86_400 + seconds)
