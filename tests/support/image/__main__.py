"""Make the image and try it, as `make image-check` does."""

import sys
from pathlib import Path

from tests.support.image import built, dockerfile, steps, trial

FOLDER = dockerfile.FILE.parent / "build" / "image"


def main(folder: Path) -> int:
    """Print what was seen to be right; the exit code is 0 if everything was.

    Args:
        folder: Ours alone.
    """
    container: trial.Container | None = None
    try:
        if reason := built.missing():
            sys.stdout.write(
                f"image-check: the image itself is SKIPPED ({reason}); the Dockerfile's steps are done in a folder,\n"
                "  with this machine's Python and without a user and a read-only root of their own\n"
            )
            container = steps.done(folder / "steps")
        else:
            container = built.built(folder / "built")
        health = dockerfile.stages()[-1].last("HEALTHCHECK").value.partition("CMD ")[2]
        for line in trial.tried(container, health):
            sys.stdout.write(f"  {line}\n")
    except trial.Wrong as error:
        sys.stdout.write(f"image-check: {error}\n")
        return 1
    finally:
        if container is not None and container.process.poll() is None:
            container.process.kill()
            container.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(FOLDER))
