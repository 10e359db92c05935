"""The gateway, walked: it is started on the sandbox, and the main jobs are done over real HTTP."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from time import time
from typing import Final

import httpx
from rich.console import Console
from rich.text import Text

from clients.sandbox.server import SandboxServer
from clients.secret import Secret
from gateway.app import create_app
from gateway.demo.shown import Collected
from gateway.demo.walk import StepFailed, walk
from gateway.scopes import SCOPES
from gateway.serving import server
from gateway.settings import FunnelFluxSettings, Settings
from gateway.storage.database import Database
from gateway.storage.tokens import TokenStore
from gateway.tokens.lifecycle import Tokens

PORTS_TRIED: Final = 20
"""After the wanted port; a developer's machine has some taken."""


def main() -> int:
    """Run the demo; the exit code is 0 if every step went as it should."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    spans = Collected()
    with tempfile.TemporaryDirectory(prefix="funnel-gateway-") as folder, SandboxServer() as sandbox:
        settings = Settings(
            database_url=Secret(f"sqlite:///{Path(folder) / 'demo.db'}"),
            sandbox=sandbox.url,
            log_level="error",
            log_format="console",
            funnelflux=FunnelFluxSettings(cname_target="cname.sandbox.example.net"),
        )
        token = asyncio.run(_token(settings))
        with server.in_thread(create_app(settings, spans), _listening(_port())) as url:
            console.print(
                Text.assemble(("Funnel Gateway", "bold magenta"), f" at {url}, on the sandbox of both vendors")
            )
            headers = {"Authorization": f"Bearer {token.reveal()}"}
            try:
                with httpx.Client(base_url=url, headers=headers, timeout=20) as api:
                    walk(api, sandbox, spans, console)
            except (StepFailed, httpx.HTTPError) as error:
                console.print(Text(f"\n  The walk ended: {error}", "bold red"))
                return 1
            _farewell(url, token, console)
            if os.environ.get("DEMO_ONCE", "") in {"", "0"}:
                _until_interrupted(console)
    return 0


def _farewell(url: str, token: Secret, console: Console) -> None:
    console.print(Text("\n  Yours to try", "bold"))
    console.print(f"    url    {url}", soft_wrap=True)
    console.print(f"    token  {token.reveal()}", soft_wrap=True)
    console.print(f"    curl -H 'Authorization: Bearer {token.reveal()}' {url}/v1/domains", soft_wrap=True)
    console.print(f"    docs   {url}/docs takes the token, and makes calls from there", soft_wrap=True)


async def _token(settings: Settings) -> Secret:
    database = Database(settings.database_url)
    await database.migrate()
    _, secret = await Tokens(TokenStore(database), time).create("demo", sorted(SCOPES), mode="test")
    await database.close()
    return secret


def _port() -> int:
    text = os.environ.get("PORT", "8080")
    if not (text.isascii() and text.isdigit() and 0 <= int(text) <= 65535):  # noqa: PLR2004 - TCP's last port
        sys.exit(f"PORT must be a number from 0 to 65535, not {text!r}.")
    return int(text)


def _listening(port: int) -> socket.socket:
    """A socket on `port`, or on the next free one."""
    for wanted in range(port, port + PORTS_TRIED):
        try:
            return server.listen("127.0.0.1", wanted)
        except server.PortTaken:
            continue
    sys.exit(f"The ports {port} to {port + PORTS_TRIED - 1} are all taken; choose another with PORT=.")


def _until_interrupted(console: Console) -> None:
    console.print(Text("\n  Serving until Ctrl-C.", "dim"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print()


if __name__ == "__main__":
    sys.exit(main())
