"""The sidecar file: where it lies, written atomically, read as input from a stranger."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from capsule.errors import ManifestError
from capsule.manifest import Manifest
from capsule.manifest.parse import manifest_from_json

SUFFIX = ".capsule.json"
SIZE_LIMIT = 64 * 1024 * 1024


def sidecar_path(artifact: str | os.PathLike[str]) -> Path:
    """Return where the sidecar of *artifact* lies: beside it."""
    path = Path(artifact)
    return path.parent / (path.name + SUFFIX)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write the sidecar atomically: whoever looks sees the old one or the new one, whole.

    Raises ManifestError, with the place, for one that could not be read again.
    """
    text = manifest.to_text()
    manifest_from_json(json.loads(text))
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    # 0666 less the umask, as any file that the user makes.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_manifest(path: Path) -> Manifest:
    """Read and check a sidecar. Raises ManifestError with the path to what is wrong."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise ManifestError(f"{path} does not exist", code="manifest-missing") from None
    except OSError as error:
        raise ManifestError(f"{path} can't be read: {error.strerror}") from None
    if len(raw) > SIZE_LIMIT:
        raise ManifestError(f"{path} is larger than {SIZE_LIMIT >> 20} MiB: no sidecar is")
    try:
        data = json.loads(raw.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path} is not JSON ({error}); save the model again") from None
    try:
        return manifest_from_json(data)
    except ManifestError as error:
        raise ManifestError(f"{path}: {error.message}", code=error.code) from None
