"""What clients of tests are given as `verify`: they speak plain HTTP to this machine."""

import ssl
from typing import Final

PLAIN: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody. By default each client reads the authorities of the whole world: longer than most tests take."""
