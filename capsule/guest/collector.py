"""What an interpreter says of itself; run as a script by any Python from 3.6 on.

Prints one JSON object between two markers given as the first argument, so that
whatever a site hook prints around it does no harm.
"""

import json
import os
import platform
import sys
import sysconfig
from typing import Any, Dict, List


def facts() -> Dict[str, Any]:
    """Return version, bytecode magic, ABI, platform, markers and search paths as JSON data."""
    return {
        "python": python_facts(),
        "platform": platform_facts(),
        "markers": markers(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
        "base_executable": getattr(sys, "_base_executable", None) or sys.executable,
        "paths": search_paths(),
    }


def python_facts() -> Dict[str, Any]:
    """Return implementation, full version, bytecode magic number and ABI of this Python."""
    from importlib.util import MAGIC_NUMBER

    return {
        "implementation": sys.implementation.name,
        "version": "%d.%d.%d" % sys.version_info[:3] + _prerelease(),
        "magic": MAGIC_NUMBER[0] | MAGIC_NUMBER[1] << 8,
        "abi": sys.implementation.cache_tag or "",
    }


def _prerelease() -> str:
    level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(sys.version_info[3])
    return level + str(sys.version_info[4]) if level else ""


def platform_facts() -> Dict[str, Any]:
    """Return system, machine and C library of this machine."""
    libc = [part for part in platform.libc_ver() if part]
    return {"system": platform.system(), "machine": platform.machine(), "libc": libc}


def markers() -> Dict[str, str]:
    """Return the PEP 508 marker variables, less those that tell one machine from another."""
    version = python_facts()["version"]
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": version,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_system": platform.system(),
        "python_full_version": version,
        "python_version": "%d.%d" % sys.version_info[:2],
        "sys_platform": sys.platform,
    }


def search_paths() -> List[str]:
    """Return the folders of ``sys.path`` where distributions may lie, in their order."""
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    paths: List[str] = []
    for path in sys.path:
        if path and path not in standard and path not in paths and os.path.isdir(path):
            paths.append(path)
    return paths


if __name__ == "__main__":
    marker = sys.argv[1]
    sys.stdout.write(marker + json.dumps(facts()) + marker + "\n")
    sys.stdout.flush()
