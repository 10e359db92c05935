"""How a vendor says no.

Refusal
├── DomainRefused       FunnelFlux, in-band: success false and a code
├── TokenRefused        FunnelFlux, the generic error of all its services
└── BillingRefused      FunnelFox, the error envelope
├── Malformed       ... the body can't be read
├── Invalid         ... the body can be read and is wrong
├── NotThere        ... what it names does not exist
└── Coded           ... one of the four codes that merchants know
"""


class Refusal(Exception):
    """A vendor's complete answer that the request will not be done."""


class DomainRefused(Refusal):
    """FunnelFlux answers `success: false`.

    Args:
        code: The vendor's `error_code`.
        message: The vendor's `error_message`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TokenRefused(Refusal):
    """FunnelFlux answers with its generic error.

    Args:
        error: The code, such as `invalid_token`.
        description: For people.
        status: 401 unless the request itself is at fault.
    """

    def __init__(self, error: str, description: str, *, status: int = 401) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


class BillingRefused(Refusal):
    """FunnelFox answers `status: "error"`.

    Args:
        message: The `msg` of the one error item.
        status: The vendor documents 200 and one 400; every other status here
            is chosen, after its sentence that it uses the standard ones.
        code: Only the four documented codes are ever sent.
    """

    def __init__(self, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code


class Malformed(BillingRefused):
    """The body is no JSON at all. The status is not documented by the vendor; 400 chosen here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=400)


class Invalid(BillingRefused):
    """A field is missing or wrong. The status is not documented by the vendor; 422 chosen here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=422)


class NotThere(BillingRefused):
    """It names something unknown. The status is not documented by the vendor; 404 chosen here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=404)


class Coded(BillingRefused):
    """One of `double_purchase`, `invalid_price`, `invalid_customer`, `payment_failed`.

    These come under HTTP 200 unless `Choices.coded_status` says otherwise.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)
