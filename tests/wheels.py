"""Wheels and an index made on the spot: for builds that need no network."""

from __future__ import annotations

import hashlib
import html
import zipfile
from pathlib import Path


def wheel(folder: Path, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> Path:
    """Write a wheel of one module that holds its version; return where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    metadata += [f"Requires-Dist: {text}\n" for text in requires]
    files = {
        f"{module}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": "".join(metadata),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    path = folder / f"{module}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(member, text)
    return path


def index(folder: Path, *wheels: Path, yanked: dict[str, str] | None = None) -> str:
    """Write a simple index of *wheels*; return its address.

    *yanked* gives the reason of each file, by name, that its makers took back.
    """
    pages: dict[str, list[str]] = {}
    for path in wheels:
        name = path.name.partition("-")[0].replace("_", "-")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        reason = (yanked or {}).get(path.name)
        mark = f' data-yanked="{html.escape(reason)}"' if reason is not None else ""
        link = f'<a href="{path.as_uri()}#sha256={digest}"{mark}>{path.name}</a>'
        pages.setdefault(name, []).append(link)
    for name, links in pages.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "index.html").write_text("<br>".join(links))
    return folder.as_uri()
