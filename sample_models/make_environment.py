"""Make an environment in a folder: for the demo and all tests, or for the fast tests alone.

usage: python make_environment.py FOLDER [main | unit] [--this-python]

``main`` has capsule and real TensorFlow, ``unit`` capsule and what its fast tests import.
Through uv where it is there, which also brings a Python; else with pip. Standard library
only: nothing is installed yet when this runs.
"""

import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(HERE)
# By kind of environment: the Pythons that it can have, the best first, and what to install.
PYTHONS = {
    # Those that the pinned TensorFlow has wheels for.
    "main": ((3, 11), (3, 12), (3, 13), (3, 10)),
    "unit": ((3, 13), (3, 12), (3, 11), (3, 10), (3, 9)),
}
REQUIREMENTS = {
    "main": [
        "--requirement",
        os.path.join(HERE, "requirements.txt"),
        "--editable",
        PROJECT + "[test]",
    ],
    "unit": ["--editable", PROJECT + "[unit]"],
}
NEEDS = {"main": "TensorFlow 2.21", "unit": "capsule"}


def main():
    words = [word for word in sys.argv[1:] if word != "--this-python"]
    folder = os.path.abspath(words[0])
    kind = words[1] if len(words) > 1 else "main"
    python = find_python(PYTHONS[kind], this_only="--this-python" in sys.argv)
    uv = shutil.which("uv")
    if python is None and (uv is None or "--this-python" in sys.argv):
        give_up(kind)
    if uv is not None:
        wanted = python or "{}.{}".format(*PYTHONS[kind][0])
        if subprocess.call([uv, "venv", "--quiet", "--clear", "--python", wanted, folder]):
            give_up(kind)
        install = [uv, "pip", "install", "--compile-bytecode", "--python", inner_python(folder)]
    else:
        run([python, "-m", "venv", "--clear", folder])
        install = [inner_python(folder), "-m", "pip", "install"]
    run([*install, "--quiet", *REQUIREMENTS[kind]])


def inner_python(folder):
    """Return the Python of the virtual environment in *folder*."""
    return os.path.join(folder, "bin", "python")


def find_python(versions, this_only):
    """Return the path of a Python of the first of *versions* that is here, or None.

    With *this_only* the Python that runs this is the only one looked at.
    """
    running = getattr(sys, "_base_executable", sys.executable)
    candidates = [(sys.version_info[:2], running)]
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for version in () if this_only else versions:
        name = "{}.{}".format(*version)
        pattern = os.path.join(pyenv, "versions", name + ".*", "bin", "python3")
        candidates += [(version, path) for path in sorted(glob.glob(pattern))]
        path = shutil.which("python" + name)
        if path is not None and "shims" not in path:
            candidates.append((version, path))
    for version in versions:
        for candidate, path in candidates:
            if candidate == version:
                return path
    return None


def give_up(kind):
    names = ", ".join("{}.{}".format(*version) for version in sorted(PYTHONS[kind]))
    sys.exit(
        f"{NEEDS[kind]} needs a Python of {names}, and none was found; install one"
        " (for instance: uv python install 3.11) and run this again"
    )


def run(command):
    """Run *command*; end with a sentence if it fails."""
    if subprocess.call(command):
        sys.exit(f"this did not work, see above: {' '.join(command)}")


if __name__ == "__main__":
    main()
