"""The organization's secret key: sent with the operations that need it, and with no other."""

import httpx
from typing_extensions import override

from clients.billing.operations import needs_secret_key
from clients.call import Call
from clients.errors import NotConfigured
from clients.secret import Secret


class SecretKeyed(httpx.AsyncBaseTransport):
    """The layer that sends the secret key.

    The key has full access to the organization, and the public operations are
    the ones that browsers call, so it never travels with those.

    Args:
        inner: The next layer.
        secret_key: None if the operator has configured none: then an operation
            that needs it is `NotConfigured`, and the vendor is not called.

    Source: FunnelFox seed, "Authentication".
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, secret_key: Secret | None) -> None:
        self._inner = inner
        self._secret_key = secret_key

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call: Call = request.extensions["call"]
        if needs_secret_key(call.operation):
            if self._secret_key is None:
                raise NotConfigured("No FunnelFox secret key is configured.", operation=call.operation)
            call.headers["ff-secret-key"] = self._secret_key.reveal()
        call.secrets = (self._secret_key,)
        return await self._inner.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()
