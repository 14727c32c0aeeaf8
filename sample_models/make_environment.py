"""Make the environment that the demo and the tests run in: capsule with real TensorFlow.

usage: python make_environment.py FOLDER

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
# Those that the pinned TensorFlow has wheels for; the first found is taken.
SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 10))


def main():
    folder = os.path.abspath(sys.argv[1])
    requirements = [
        "--requirement",
        os.path.join(HERE, "requirements.txt"),
        "--editable",
        PROJECT + "[test]",
    ]
    python = find_python()
    uv = shutil.which("uv")
    if uv is not None:
        wanted = python or "{}.{}".format(*SUPPORTED[0])
        if subprocess.call([uv, "venv", "--quiet", "--clear", "--python", wanted, folder]):
            give_up()
        install = [uv, "pip", "install", "--compile-bytecode", "--python", inner_python(folder)]
        run([*install, "--quiet", *requirements])
        return
    if python is None:
        give_up()
    run([python, "-m", "venv", "--clear", folder])
    run([inner_python(folder), "-m", "pip", "install", "--quiet", *requirements])


def inner_python(folder):
    """Return the Python of the virtual environment in *folder*."""
    return os.path.join(folder, "bin", "python")


def find_python():
    """Return the path of a supported Python on this machine, or None."""
    running = getattr(sys, "_base_executable", sys.executable)
    places = [(sys.version_info[:2], running)]
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for minor in SUPPORTED:
        name = "{}.{}".format(*minor)
        pattern = os.path.join(pyenv, "versions", name + ".*", "bin", "python3")
        places += [(minor, found) for found in sorted(glob.glob(pattern))]
        found = shutil.which("python" + name)
        if found is not None and "shims" not in found:
            places.append((minor, found))
    for minor in SUPPORTED:
        for version, path in places:
            if version == minor:
                return path
    return None


def give_up():
    names = ", ".join("{}.{}".format(*minor) for minor in sorted(SUPPORTED))
    sys.exit(
        f"TensorFlow 2.21 needs a Python of {names}, and none was found; install one"
        " (for instance: uv python install 3.11) and run this again"
    )


def run(command):
    """Run *command*; end with a sentence if it fails."""
    if subprocess.call(command):
        sys.exit(f"this did not work, see above: {' '.join(command)}")


if __name__ == "__main__":
    main()
