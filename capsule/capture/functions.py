"""A live function to its node: source, code, and what each name that it uses stands for."""

from __future__ import annotations

import base64
import hashlib
import marshal
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER
from types import CodeType, FunctionType, ModuleType
from typing import Any

from capsule.bytecode import adapt, decompile_code, names_used
from capsule.capture.context import NO_SOURCE, Context, Draft, Edge, Reference
from capsule.capture.names import closure_edges, global_edges, restored_modules
from capsule.capture.objects import is_dunder
from capsule.capture.origins import Origins
from capsule.capture.source import Source, compiles_to, futures_of
from capsule.manifest import Code, Node

MAGIC = int.from_bytes(MAGIC_NUMBER[:2], "little")


def draft_function(value: Any, context: Context) -> Draft | None:
    """Return the draft of a function of the user's own, None for anything else."""
    if not isinstance(value, FunctionType) or not context.origins.is_users(value):
        return None
    code = value.__code__
    file = context.plain.relative(code.co_filename) or ""
    source = context.sources.find(value) if context.sources else Source(None, None, NO_SOURCE)
    raw = marshal_code(code, file)
    # Without source the bytecode is all there is; a text left out would be in there too.
    sourceless = context.sources is not None and source.text is None
    decompiled = _decompiled(value) if sourceless else None
    module = value.__module__ or "__main__"
    node = Node(
        kind="lambda" if code.co_name == "<lambda>" else "function",
        module=module,
        qualname=value.__qualname__,
        origin=context.origins.of(module).kind,
        file=file,
        line=source.line or code.co_firstlineno,
        source=source.text or decompiled,
        decompiled=decompiled is not None,
        reason=source.reason.replace(code.co_filename, file) if source.reason else None,
        futures=futures_of(code),
        code=Code(
            hashlib.sha256(raw).hexdigest(),
            MAGIC,
            base64.b64encode(raw).decode("ascii") if sourceless else None,
        ),
    )
    return Draft(
        f"{module}:{value.__qualname__}",
        node,
        tuple(_edges(value, context.origins)),
        value.__globals__,
        restored_modules(value.__globals__),
    )


def _decompiled(function: FunctionType) -> str | None:
    """Return source made from the code itself, if it compiles to the very same code."""
    code = function.__code__
    text = decompile_code(adapt(code)).source
    scope = function.__globals__.items()
    modules = [n for n, value in scope if isinstance(value, ModuleType) and n.isidentifier()]
    # Which names its module imported is not known: it decides how 3.11 to 3.13 compile.
    if text is not None and any(compiles_to(text, code, names) for names in ((), modules)):
        return text
    return None


def _edges(function: FunctionType, origins: Origins) -> Iterator[Edge]:
    code = function.__code__
    uses = names_used(adapt(code))
    yield from closure_edges(zip(code.co_freevars, function.__closure__ or ()), uses.free)
    yield from global_edges(uses, function.__globals__, origins)
    defaults = function.__defaults__ or ()
    parameters = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    for name, value in zip(parameters, defaults):
        yield Reference(name, "default", value)
    for name, value in sorted((function.__kwdefaults__ or {}).items()):
        yield Reference(name, "keyword-default", value)
    attributes = [n for n in vars(function) if n == "__wrapped__" or not is_dunder(n)]
    for name in sorted(attributes):
        yield Reference(name, "attribute", vars(function)[name])


def marshal_code(code: CodeType, filename: str) -> bytes:
    """Return the bytes of *code*, its paths replaced: the same for the same code.

    Version 2 of the format, since later ones write references as objects happen to be
    shared in this process.
    """
    return marshal.dumps(_renamed(code, filename), 2)


def _renamed(code: CodeType, filename: str) -> CodeType:
    constants = (_renamed(c, filename) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(constants))
