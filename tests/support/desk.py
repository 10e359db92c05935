"""A reader's desk: an empty folder, a gateway on its sandbox, and a shell in which snippets are tried."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from gateway.scopes import SCOPES
from tests.support import ports
from tests.support.snippets import ROOT, Snippet

BIN: Final = ROOT / ".venv" / "bin"
TYPESCRIPT: Final = ROOT / "tests" / "clients_ts"

PORTS: Final = ("8080", "9000")
"""Those that our pages speak of; each is replaced by one that is free."""

_LONGEST_SECONDS: Final = 120
"""For one command."""

_HIGHEST_SUCCESS: Final = 399

_STATUS: Final = re.compile(r"^answered (\d+)$", re.MULTILINE)
"""What curl is told to add on standard error."""


class NotAsShown(AssertionError):
    """A snippet does not do what the page says."""


class Desk:
    """Where the snippets of one page are tried, one after the other.

    Args:
        folder: Empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {port: ports.unused() for port in PORTS}
        self._serving: dict[str, subprocess.Popen[bytes]] = {}
        self._stdout = ""
        self._state = folder / ".state"

    def __enter__(self) -> Self:
        """Lay everything out that a reader has: the repository's folders, a gateway, its address and a token."""
        for name in ("openapi", "Makefile", ".venv"):
            (self._folder / name).symlink_to(ROOT / name)
        if (TYPESCRIPT / "node_modules").exists():
            (self._folder / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
        (self._folder / ".curlrc").write_text(
            'silent\nshow-error\nmax-time = 30\nwrite-out = "%{stderr}answered %{http_code}\\n"\n'
        )
        self._state.write_text(
            f"set -a\nPATH={BIN}:$PATH\nCURL_HOME={self._folder}\nHOME={self._folder}\n"
            f"GATEWAY=http://127.0.0.1:{self._ports['8080']}\nGATEWAY_LOG_LEVEL=error\n"
            "FUNNELFLUX_CNAME_TARGET=cname.example.net\n"
            "GATEWAY_ENCRYPTION_KEYS=of-no-use-to-anybody-but-this-test\n"
        )
        self._serve("gateway serve --port 8080", "8080")
        scopes = " ".join(f"--scope {scope}" for scope in sorted(SCOPES))
        self._run(f"TOKEN=$(gateway token create --name reader --mode test {scopes})")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._serving.values():
            _end(process)

    def tries(self, snippet: Snippet) -> None:
        """Do what a snippet says.

        Raises:
            NotAsShown: With its place, and what happened instead.
        """
        try:
            if "first" in snippet.remarks:
                self._run(snippet.remarks["first"])
            if "file" in snippet.remarks:
                with (self._folder / snippet.remarks["file"]).open("a") as file:
                    file.write(self._here(snippet.text))
            elif snippet.language == "json":
                self._compares(json.loads(snippet.text))
            elif snippet.language == "python":
                (self._folder / "snippet.py").write_text(self._here(snippet.text))
                self._run(f"PYTHONPATH={ROOT} python snippet.py")
            else:
                self._types(snippet)
        except (NotAsShown, ValueError, subprocess.TimeoutExpired) as error:
            raise NotAsShown(f"{snippet.place}: {error}") from error

    def _types(self, snippet: Snippet) -> None:
        typed = list(_commands(snippet.text))
        for number, (command, shown) in enumerate(typed, start=1):
            last = number == len(typed)
            if last and "serves" in snippet.remarks:
                port = next((port for port in PORTS if port in command), PORTS[0])
                self._serve(command, port)
                continue
            expected = snippet.remarks if last else {}
            output = self._run(command, exits=int(expected.get("exits", 0)), answers=expected.get("answers"))
            _contains(output, shown)

    def _compares(self, shown: Any) -> None:
        try:
            answered = json.loads(self._stdout)
        except ValueError as error:
            raise NotAsShown(f"what came before is no JSON: {self._stdout[:500]!r}") from error
        if fault := _difference(shown, answered, ""):
            raise NotAsShown(f"{fault}\n{json.dumps(answered, indent=2)}")

    def _run(self, command: str, *, exits: int = 0, answers: str | None = None) -> str:
        script = f"source .state\n{self._here(command)}\nstatus=$?\nexport -p > .state\nexit $status\n"
        done = subprocess.run(
            ["/bin/bash", "-c", f"set -a\n{script}"],
            cwd=self._folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        self._stdout = done.stdout
        statuses = _STATUS.findall(done.stderr)
        output = done.stdout + _STATUS.sub("", done.stderr)
        if done.returncode != exits:
            raise NotAsShown(f"`{command}` exits with {done.returncode}:\n{output}")
        if answers is None and any(int(status) > _HIGHEST_SUCCESS for status in statuses):
            raise NotAsShown(f"`{command}` is answered {statuses}:\n{output}")
        if answers is not None and statuses[-1:] != [answers]:
            raise NotAsShown(f"`{command}` is answered {statuses} and not {answers}:\n{output}")
        return output

    def _serve(self, command: str, port: str) -> None:
        if port in self._serving:
            _end(self._serving.pop(port))
        said = self._folder / f".said-{port}"
        with said.open("wb") as log:
            process = subprocess.Popen(
                ["/bin/bash", "-c", f"source .state\nexec {self._here(command)}"],
                cwd=self._folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._serving[port] = process
        while "http://127.0.0.1:" not in said.read_text():
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise NotAsShown(f"`{command}` ends instead of serving:\n{said.read_text()}")

    def _here(self, text: str) -> str:
        for port, free in self._ports.items():
            text = re.sub(rf"\b{port}\b", str(free), text)
        return text


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console, and the lines that are shown below it."""
    command: list[str] = []
    shown: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield "\n".join(command), shown
            command, shown = [line.removeprefix("$ ")], []
        elif command and not shown and command[-1].endswith("\\"):
            command.append(line)
        elif command:
            shown.append(line)
        else:
            raise NotAsShown(f"no command, but {line!r}")
    if command:
        yield "\n".join(command), shown


def _contains(output: str, shown: list[str]) -> None:
    """Each line that is shown is in the output, in this order; `...` stands for anything."""
    rest = iter(output.splitlines())
    for wanted in filter(str.strip, shown):
        if not any(_like(wanted.strip(), line.strip()) for line in rest):
            raise NotAsShown(f"nothing like {wanted!r} comes out, but\n{output}")


def _like(shown: str, found: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split("...")), found, re.DOTALL) is not None


def _difference(shown: Any, found: Any, place: str) -> str | None:
    """Where an answer is other than shown: what is shown must be in it, `...` stands for anything."""
    match shown, found:
        case "...", _:
            return None
        case str(), str():
            return None if _like(shown, found) else f"{place} is {found!r} and not {shown!r}"
        case dict(), dict():
            if missing := shown.keys() - found.keys():
                return f"{place}/{min(missing)} is not there"
            parts = ((shown[name], found[name], f"{place}/{name}") for name in shown)
        case [*_, "..."], list():
            parts = ((*pair, place) for pair in zip(shown[:-1], found, strict=False))
        case list(), list():
            if len(shown) != len(found):
                return f"{place} has {len(found)} members and not {len(shown)}"
            parts = ((*pair, place) for pair in zip(shown, found, strict=True))
        case _:
            return None if shown == found and type(shown) is type(found) else f"{place} is {found!r} and not {shown!r}"
    return next((fault for part in parts if (fault := _difference(*part))), None)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def lacking(tools: list[str]) -> str | None:
    """The first of some tools that is not here."""
    for tool in ("bash", "curl", *tools):
        if shutil.which(tool) is None or (tool == "node" and not (TYPESCRIPT / "node_modules" / ".ready").exists()):
            return tool
    return None
