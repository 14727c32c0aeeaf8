"""What looks dangerous in a model file, graded, with the way that leads there.

high: it would do more than compute when the model is loaded or called. medium: it may.
low: worth a look. What could not be read is never called safe.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from capsule.artifact.embedded import objects
from capsule.artifact.files import Artifact
from capsule.bytecode import Code, Uses
from capsule.bytecode.decompile import parse_function
from capsule.inspection.model import FunctionRead, Hint, Risk, RiskSeverity

HIGH: RiskSeverity = "high"
MEDIUM: RiskSeverity = "medium"
LOW: RiskSeverity = "low"
MODEL = ("model",)

_MODULES = {
    "os": "the operating system",
    "subprocess": "other programs",
    "socket": "the network",
    "sys": "the interpreter itself",
    "shutil": "files",
    "pathlib": "files",
    "io": "files",
    "tempfile": "files",
    "glob": "files",
    "ctypes": "memory and native code",
    "pickle": "unpickling",
    "cloudpickle": "unpickling",
    "dill": "unpickling",
    "joblib": "unpickling",
    "marshal": "code made of bytes",
    "importlib": "imports",
    "imp": "imports",
    "runpy": "other code",
    "builtins": "every built-in function",
    "__builtin__": "every built-in function",
    "code": "an interpreter",
    "pty": "a terminal",
    "posix": "the operating system",
    "nt": "the operating system",
    "commands": "other programs",
    "urllib": "the network",
    "urllib2": "the network",
    "requests": "the network",
    "http": "the network",
    "ftplib": "the network",
    "smtplib": "the network",
    "multiprocessing": "other processes",
    "threading": "threads",
    "signal": "the process",
    "webbrowser": "a browser",
    "platform": "the machine",
    "getpass": "passwords",
    "inspect": "the interpreter itself",
    "gc": "the interpreter itself",
}
_BUILTINS = {
    "exec": "runs code made at run time",
    "eval": "runs code made at run time",
    "compile": "makes code at run time",
    "execfile": "runs a file",
    "open": "opens files",
    "file": "opens files",
    "__import__": "imports",
    "input": "asks on the terminal",
    "breakpoint": "stops in a debugger",
    "globals": "reaches every global name",
    "vars": "reaches an object's inside",
    "delattr": "changes objects",
    "setattr": "changes objects",
    "memoryview": "reaches memory",
    "exit": "ends the process",
    "quit": "ends the process",
}
_INSIDE = {
    "__globals__",
    "__builtins__",
    "__subclasses__",
    "__bases__",
    "__base__",
    "__mro__",
    "__code__",
    "__closure__",
    "__import__",
    "__loader__",
    "__spec__",
    "__dict__",
    "gi_frame",
    "f_globals",
    "f_builtins",
    "func_globals",
    "f_back",
    "tb_frame",
    "modules",
    "__reduce__",
    "__getattribute__",
    "__class__",
}
# Of frameworks, by the last parts of the name: what touches files, the network or Python.
_FRAMEWORK = {
    "py_function": "calls Python from a graph",
    "numpy_function": "calls Python from a graph",
    "py_func": "calls Python from a graph",
    "read_file": "reads files",
    "write_file": "writes files",
    "gfile": "reaches files",
    "load_op_library": "loads native code",
    "load_library": "loads native code",
    "get_file": "downloads files",
    "fromfile": "reads files",
    "memmap": "reads files",
    "tofile": "writes files",
    "genfromtxt": "reads files",
    "loadtxt": "reads files",
    "savetxt": "writes files",
    "system": "runs other programs",
    "popen": "runs other programs",
    "ctypeslib": "reaches memory",
    "load_model": "loads another model",
    "raw_ops": "reaches every operation",
}
_NUMPY_FILES = {"load": "reads files", "save": "writes files", "savez": "writes files"}

_KERAS_TOPS = ("keras", "tf_keras", "tensorflow", "builtins", "")
_UNSAFE_KERAS = {
    "get_file",
    "load_model",
    "load_weights",
    "save_model",
    "unpack_x_y_sample_weight",
    "enable_unsafe_deserialization",
    "set_backend",
    "deserialize_keras_object",
    "audio_dataset_from_directory",
    "image_dataset_from_directory",
    "text_dataset_from_directory",
    "load_img",
    "save_img",
    "plot_model",
    "func_load",
    "python_utils",
}
_LOADERS = {
    "TFSMLayer": "loads a SavedModel from a path of its own",
    "TorchModuleWrapper": "unpickles a PyTorch module",
    "JaxLayer": "carries a pickled function",
    "FlaxLayer": "carries a pickled module",
}


def of_code(code: Code, uses: Uses, source: str | None) -> Iterator[Hint]:
    """Give what one function's code reaches that looks dangerous."""
    for name, chains in sorted(uses.globals.items()):
        yield from _name(name)
        for chain in sorted(chains) or [""]:
            yield from _chain(f"{name}.{chain}".strip("."))
    for use in uses.imports:
        yield from _module(use.module)
        for part in (*use.names, *sorted(use.attributes)):
            yield from _chain(f"{use.module}.{part}")
    attributes = _attributes(code)
    for name in sorted(attributes & _INSIDE):
        yield Hint("reaches-inside", HIGH, f"it takes {name} of an object, which leads to anything")
    if "getattr" in uses.globals or "getattr" in attributes:
        yield from _getattr(source)


def _name(name: str) -> Iterator[Hint]:
    if name in _BUILTINS:
        yield Hint(f"calls-{name.strip('_')}", HIGH, f"it uses {name}, which {_BUILTINS[name]}")
    if name in _MODULES:
        yield Hint("reaches-module", HIGH, f"it uses {name}: {_MODULES[name]}")


def _module(dotted: str) -> Iterator[Hint]:
    top = dotted.split(".")[0]
    if top in _MODULES:
        yield Hint("reaches-module", HIGH, f"it imports {dotted[:80]}: {_MODULES[top]}")


def _chain(dotted: str) -> Iterator[Hint]:
    parts = dotted.split(".")
    for part in parts[1:]:
        if part in _FRAMEWORK:
            yield Hint("reaches-files", HIGH, f"it uses {dotted[:120]}, which {_FRAMEWORK[part]}")
        elif part in ("os", "sys", "subprocess", "builtins", "importlib", "ctypes", "pickle"):
            yield Hint("reaches-module", HIGH, f"it takes {part} by way of {dotted[:120]}")
    if parts[0] in ("np", "numpy") and parts[-1] in _NUMPY_FILES and len(parts) == 2:
        yield Hint("reaches-files", HIGH, f"it uses {dotted}, which {_NUMPY_FILES[parts[-1]]}")


def _attributes(code: Code) -> set[str]:
    names = {
        str(step.value)
        for step in code.instructions
        if step.name
        in (
            "LOAD_ATTR",
            "LOAD_METHOD",
            "STORE_ATTR",
            "LOAD_GLOBAL",
            "LOAD_NAME",
            "IMPORT_FROM",
            "LOAD_SUPER_ATTR",
        )
    }
    return names.union(*map(_attributes, code.nested))


def _getattr(source: str | None) -> Iterator[Hint]:
    """Judge uses of getattr: by the names they ask for, where those can be read."""
    if source is None:
        yield Hint("computed-name", HIGH, "it uses getattr, and what for could not be read")
        return
    for node in ast.walk(parse_function(source) or ast.Pass()):
        if not (isinstance(node, ast.Call) and _is(node.func, "getattr") and len(node.args) > 1):
            continue
        name = node.args[1]
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            yield Hint("computed-name", HIGH, "it uses getattr with a name computed at run time")
        elif name.value in _INSIDE or name.value in _MODULES or name.value in _BUILTINS:
            yield Hint("reaches-inside", HIGH, f"it uses getattr for {name.value}")
        else:
            yield from _chain(f"x.{name.value}")


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def of_function(function: FunctionRead) -> Iterator[Risk]:
    """Give what is looks dangerous in one function, with the way from the model to it."""
    reach = ("model", *function.where)
    for hint in function.risks:
        yield Risk(hint.code, hint.severity, hint.message, reach)
    if function.unread is not None:
        yield Risk(
            "unread", MEDIUM, "its code could not be read, so nothing is claimed of it", reach
        )
    elif function.kind == "by-name":
        yield from _by_name(function, reach)


def _by_name(function: FunctionRead, reach: tuple[str, ...]) -> Iterator[Risk]:
    module, name = function.module or "", function.name
    top = module.split(".")[0]
    if name in _BUILTINS and top in ("builtins", "", "__builtin__"):
        yield Risk(
            f"calls-{name.strip('_')}", HIGH, f"it is {name}, which {_BUILTINS[name]}", reach
        )
    elif top in _MODULES and top != "builtins":
        yield Risk("reaches-module", HIGH, f"it is {module}.{name}: {_MODULES[top]}", reach)
    elif name in _UNSAFE_KERAS:
        yield Risk(
            "keras-function",
            HIGH,
            f"it is {module or 'keras'}.{name}, which does more than compute"
            " (CVE-2025-8747, CVE-2025-9906)",
            reach,
        )
    elif top not in _KERAS_TOPS:
        yield Risk("foreign-module", LOW, f"loading would import {module} for it", reach)


def of_artifact(artifact: Artifact) -> list[Risk]:
    """Return what looks dangerous in the file and of its configuration."""
    risks = [
        Risk(code, MEDIUM if "files" in seen and code == "graph-reaches" else HIGH, seen, MODEL)
        for code, seen in artifact.notes
        if code in ("external-link", "duplicate-member", "path-escapes", "graph-reaches")
    ]
    for data in (*objects(artifact.config), *objects(artifact.training)):
        risks += _object(data)
    if artifact.config is None and artifact.format == "saved-model":
        seen = "its functions are in its graph, which was not read operation by operation"
        risks.append(Risk("unread", LOW, seen, MODEL))
    return risks


def _object(data: dict[str, Any]) -> Iterator[Risk]:
    name, module = data.get("class_name"), data.get("module")
    inner = data.get("config")
    config = inner if isinstance(inner, dict) else {}
    label = config.get("name") if isinstance(config.get("name"), str) else name
    reach = ("model", str(label)[:80])
    if isinstance(name, str) and name.rpartition(".")[2] in _LOADERS:
        last = name.rpartition(".")[2]
        yield Risk("keras-loader", HIGH, f"{last} {_LOADERS[last]}", reach)
    if isinstance(module, str) and isinstance(name, str) and not isinstance(inner, str):
        top = module.split(".")[0]
        if top in _MODULES:
            yield Risk(
                "reaches-module",
                HIGH,
                f"loading would take {module}.{name}: {_MODULES[top]} (CVE-2025-1550)",
                reach,
            )
        elif top not in _KERAS_TOPS and not data.get("registered_name"):
            yield Risk(
                "foreign-module", LOW, f"loading would import {module[:80]} (CVE-2025-1550)", reach
            )
        elif name in _UNSAFE_KERAS:
            yield Risk("keras-function", HIGH, f"{name} does more than compute", reach)
    for key in ("vocabulary", "idf_weights"):
        path = config.get(key)
        if isinstance(path, str) and isinstance(name, str) and ("Lookup" in name or "Text" in name):
            yield Risk(
                "reads-file",
                HIGH,
                f"{key} is the path of a file that loading would read:"
                f" {path[:80]} (CVE-2025-12058)",
                reach,
            )
