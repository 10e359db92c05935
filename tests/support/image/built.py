"""The image for real: built by buildah on a base by mmdebstrap, run in namespaces of its own."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.support.image import dockerfile, trial

TOOLS: Final = ("buildah", "mmdebstrap", "unshare", "nsenter", "chroot", "ip")

USER: Final = "65532"

_BASE: Final = "localhost/funnel-gateway-base"
_IMAGE: Final = "localhost/funnel-gateway"

_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
"""This machine's, which a build must trust where it is not alone with the network."""

# The gateway becomes process 1 of a new PID namespace, in a root that nobody can write to, but for /tmp and /data.
_CONTAIN: Final = """
mount --bind "$ROOT" "$ROOT"
mount --bind "$DATA" "$ROOT/data"
mount -t tmpfs tmpfs "$ROOT/tmp"
mount -t proc proc "$ROOT/proc"
mount -o remount,bind,ro "$ROOT"
ip link set lo up
cd "$ROOT"
exec chroot --userspec="$RUN_AS" "$ROOT" /usr/bin/env -i -C /data "$@"
"""


class Contained:
    """A container of the image, with a network of its own, so that its port is free.

    Args:
        root: The image's files.
        data: An empty folder for its volume.
        image: The stage that became the image.
        environment: The image's variables.
    """

    port = 8080
    confined = True

    def __init__(self, root: Path, data: Path, image: dockerfile.Stage, environment: Sequence[str]) -> None:
        os.chown(data, int(USER), int(USER))
        self._environment = environment
        words = [*image.last("ENTRYPOINT").words, *image.last("CMD").words]
        self.process = subprocess.Popen(
            [
                *_found("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"),
                *_found("sh", "-ec", _CONTAIN, "sh", *environment, *words),
            ],
            env={**os.environ, "ROOT": str(root), "DATA": str(data), "RUN_AS": image.last("USER").value},
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the gateway, as the same user."""
        command = [
            *_found("nsenter", "--target", self._inner(), "--mount", "--pid", "--net", "--root"),
            *("--setuid", USER, "--setgid", USER, "/usr/bin/env", "-i", "-C", "/data"),
            *(*self._environment, *words),
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def signal(self, number: int) -> None:
        """Tell process 1."""
        os.kill(int(self._inner()), number)

    def _inner(self) -> str:
        pid = self.process.pid
        children: list[str] = []
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            raise trial.Wrong("it has ended")
        return children[0]


def missing() -> str:
    """Why the image can't be built here; empty if it can."""
    if os.geteuid() != 0:
        return "only root can"
    tools = [name for name in TOOLS if shutil.which(name) is None]
    return f"{', '.join(tools)} not installed" if tools else ""


def built(folder: Path) -> Contained:
    """Build the image and start it.

    Args:
        folder: For the base, which is kept, and for all that buildah needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "base.tar").exists():
        _done("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(folder / "base.tar.new"))
        (folder / "base.tar.new").rename(folder / "base.tar")
    shutil.rmtree(folder / "storage", ignore_errors=True)  # What the last build left: the base is all that is kept.
    buildah = _Buildah(folder)
    base = buildah("from", "scratch")
    buildah("add", "--quiet", base, str(folder / "base.tar"), "/")
    buildah("commit", "--quiet", "--rm", base, _BASE)
    buildah(
        *("build", "--isolation", "chroot", "--format", "docker", "--layers=false", *_trust(folder)),
        *("--build-arg", f"BASE={_BASE}", "--tag", _IMAGE, "--file", str(dockerfile.FILE), str(dockerfile.FILE.parent)),
    )
    container = buildah("from", _IMAGE)
    root = Path(buildah("mount", container))
    variables = buildah("inspect", "--format", "{{range .Docker.Config.Env}}{{println .}}{{end}}", container).split()
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    return Contained(root, data, dockerfile.stages()[-1], variables)


class _Buildah:
    """Buildah with its storage in a folder of ours.

    Args:
        folder: Where images are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._options = ("--storage-driver", "vfs", "--root", str(folder / "storage"), "--runroot", str(folder / "run"))

    def __call__(self, *words: str) -> str:
        """Run one command, and give what it printed."""
        return _done("buildah", *self._options, *words)


def _trust(folder: Path) -> list[str]:
    if not _CERTIFICATES.exists():
        return []
    (folder / "pip.conf").write_text("[global]\ncert = /run/host-certificates.crt\n")
    return [
        *("--volume", f"{_CERTIFICATES}:/run/host-certificates.crt:ro"),
        *("--volume", f"{folder / 'pip.conf'}:/etc/pip.conf:ro"),
    ]


def _done(*words: str) -> str:
    finished = subprocess.run(_found(*words), stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        raise trial.Wrong(f"{words[0]} fails")
    return finished.stdout.strip()


def _found(*words: str) -> list[str]:
    return [shutil.which(words[0]) or words[0], *words[1:]]
