"""The Dockerfile's steps in a folder: for machines that can't build an image.

What is not done is what belongs to the system: Debian's packages, the user, a
root of its own. This machine's Python stands in for Debian's.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.serving import server
from tests.support.image import dockerfile, trial

_OURS: Final = re.compile(r"(?<![\w./-])/(opt|src|data)\b")
"""Paths of the image that are folders of ours here."""

_SYSTEM: Final = ("apt-get", "groupadd", "useradd")


class InFolder:
    """The image's command, started in a folder.

    Args:
        root: Where the steps were done.
        image: The stage that becomes the image.
    """

    confined = False

    def __init__(self, root: Path, image: dockerfile.Stage) -> None:
        self._data = root / "data"
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir()
        self._environment = {
            "HOME": str(self._data),
            "PATH": f"{root}/opt/gateway/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        listening = server.listen("127.0.0.1", 0)
        self.port = listening.getsockname()[1]
        listening.close()
        words = [*image.last("ENTRYPOINT").words, *image.last("CMD").words]
        words[words.index("--port") + 1] = str(self.port)
        words[words.index("--host") + 1] = "127.0.0.1"
        self.process = subprocess.Popen(self._words(words), cwd=self._data, env=self._environment)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the gateway."""
        return subprocess.run(
            self._words(words), cwd=self._data, env=self._environment, capture_output=True, text=True, check=False
        )

    def _words(self, words: Sequence[str]) -> list[str]:
        found = shutil.which(words[0], path=self._environment["PATH"])
        if found is None:
            raise trial.Wrong(f"there is no {words[0]} in the image")
        return [found, *(word.replace(":8080/", f":{self.port}/") for word in words[1:])]

    def signal(self, number: int) -> None:
        """Tell the gateway itself."""
        self.process.send_signal(number)


def done(root: Path) -> InFolder:
    """Do the steps, and start what the image would start.

    Args:
        root: A folder that is emptied first.

    Raises:
        Wrong: A step failed.
    """
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("opt", "src"):
        (root / folder).mkdir(parents=True)
    *before, image = dockerfile.stages()
    for stage in before:
        for instruction in stage.instructions:
            if instruction.name == "COPY":
                _copy(instruction.value.split(), root / "src")
            elif instruction.name == "RUN" and not any(word in instruction.value for word in _SYSTEM):
                _run(_OURS.sub(rf"{root}/\1", instruction.value), root / "src")
    return InFolder(root, image)


def _copy(words: Sequence[str], folder: Path) -> None:
    *sources, target = words
    for source in (dockerfile.FILE.parent / name for name in sources):
        if source.is_dir():
            shutil.copytree(source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / target)


def _run(command: str, folder: Path) -> None:
    shell = shutil.which("sh") or "/bin/sh"
    if subprocess.run([shell, "-ec", command], cwd=folder, check=False).returncode:
        raise trial.Wrong(f"this step of the Dockerfile fails: {command}")
