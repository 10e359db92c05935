"""Libraries without those of their parts that nobody here uses."""

import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

from typing_extensions import override


def load(library: str, *, without: Collection[str] = (), later: Collection[str] = ()) -> None:
    """Import a library, and less of what it takes along; one that is loaded already stays as it is.

    Both ways are Python's own, and both end with the import: whoever wants
    one of the others afterwards gets it.

    Args:
        library: By its name, as in `import`.
        without: What it can do without, by its own word, and would take if it happens to be installed, for whomever.
            It is told that they are not.
        later: What it needs in some of its functions only. It is given modules that are read when they are used.
    """
    if library in sys.modules:
        return
    hidden = [name for name in without if name not in sys.modules]
    finder = _Later(later)
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # as Python has it: can't be imported
    sys.meta_path.insert(0, finder)
    try:
        import_module(library)
    finally:
        sys.meta_path.remove(finder)
        for name in hidden:
            del sys.modules[name]


class _Later(MetaPathFinder):
    """Finds modules that are read when they are used.

    Args:
        names: Theirs.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
