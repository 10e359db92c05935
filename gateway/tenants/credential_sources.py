"""Where a credential comes from: encrypted in the database, a variable of the process, or a file.

Whoever may register tenants decides what is sent to a vendor as a credential.
So that nobody can send the gateway's own secrets there, a reference may name
only variables that begin with `TENANT_`, and files below one folder.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from gateway.storage.tenants import Held
from gateway.tenants.encryption import Keyring, Unreadable

ENCRYPTED: Final = "encrypted"
"""The source of a value that is kept by ourselves."""

_VARIABLE: Final = re.compile(r"TENANT_[A-Z0-9_]{1,120}")

LONGEST_PATH: Final = 1000

LIMIT_OF_FILE: Final = 64 * 1024
"""Bytes: a credential is short, and a mistaken path may lead to anything."""


class BadReference(Exception):
    """A reference that we do not follow; with a sentence for whoever gave it."""


class Unusable(Exception):
    """There is no credential where its source says; with a sentence on why, without a secret."""


Signature = tuple[int, int, int]
"""Differs when a file was changed or replaced."""


class Sources:
    """Reads credentials.

    Args:
        keyring: Opens encrypted ones; None: there are no keys.
        folder: Below which files may be referred to; None: nowhere.
        environment: The process's variables.
    """

    def __init__(
        self, keyring: Keyring | None, *, folder: Path | None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._keyring = keyring
        self._folder = folder
        self._environment = os.environ if environment is None else environment

    def check(self, reference: str) -> None:
        """Whether a reference may be followed; what it leads to need not be there yet.

        Raises:
            BadReference: It may not.
        """
        kind, _, name = reference.partition(":")
        if kind == "env":
            if not _VARIABLE.fullmatch(name):
                raise BadReference("A variable's name must begin with TENANT_ and hold A-Z, 0-9 and '_' only.")
            return
        if self._folder is None:
            raise BadReference("Files can't be referred to: GATEWAY_CREDENTIALS_DIR is not set.")
        path = PurePosixPath(name)
        plain = name.isprintable() and len(name) <= LONGEST_PATH and path.is_absolute() and ".." not in path.parts
        if not plain or not path.is_relative_to(self._folder.as_posix()) or path == PurePosixPath(self._folder):
            raise BadReference("The file must be below GATEWAY_CREDENTIALS_DIR, written as an absolute path.")

    def seal(self, value: str, *, place: str) -> str:
        """Encrypt a value that is to be kept.

        Raises:
            BadReference: There are no keys.
        """
        if self._keyring is None:
            raise BadReference("Without GATEWAY_ENCRYPTION_KEYS a value can't be kept; use env:NAME or file:/path.")
        return self._keyring.seal(value, place=place)

    def read(self, held: Held, *, place: str) -> str:
        """The credential.

        Args:
            held: As it is kept.
            place: Where, as it was sealed for.

        Raises:
            Unusable: It is not there.
        """
        if held.source == ENCRYPTED:
            return self._opened(held.sealed or "", place)
        try:
            self.check(held.source)
        except BadReference as error:
            raise Unusable(str(error)) from error
        kind, _, name = held.source.partition(":")
        if kind == "file":
            return content(self._within(Path(name)))
        if not (value := self._environment.get(name, "").strip()):
            raise Unusable("The variable is not set.")
        return value

    def signature(self, source: str) -> Signature | None:
        """What changes with a file; None for all that does not change, or is not there."""
        return signature(Path(source.removeprefix("file:"))) if source.startswith("file:") else None

    def _opened(self, sealed: str, place: str) -> str:
        if self._keyring is None:
            raise Unusable("It is encrypted, and GATEWAY_ENCRYPTION_KEYS is not set.")
        try:
            return self._keyring.open(sealed, place=place)
        except Unreadable as error:
            raise Unusable(f"It can't be decrypted: {error}.") from error

    def _within(self, path: Path) -> Path:
        """The file that a path leads to, symbolic links followed, as long as they stay in the folder."""
        assert self._folder is not None  # noqa: S101 - `check` has refused the path otherwise
        try:
            resolved = path.resolve(strict=True)
            if not resolved.is_relative_to(self._folder.resolve(strict=True)):
                raise Unusable("The file is not below GATEWAY_CREDENTIALS_DIR.")
        except (OSError, RuntimeError) as error:
            raise Unusable("The file is not there.") from error
        return resolved


def content(path: Path) -> str:
    """The text in a file, without the white space around it.

    Raises:
        Unusable: There is none; also where the path leads to a device, a pipe or a folder.
    """
    try:
        # Without waiting: opening a pipe would last until somebody writes.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unusable("It is no regular file.")
            read = file.read(LIMIT_OF_FILE + 1)
        text = read.decode().strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise Unusable("The file can't be read as text.") from error
    if not text or len(read) > LIMIT_OF_FILE:
        raise Unusable("The file is empty, or far too long for a credential.")
    return text


def signature(path: Path) -> Signature | None:
    """What changes with a file; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
