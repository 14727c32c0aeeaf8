"""Source text of one definition to its code, as the Python that runs this compiles it.

The capture compiles with this too: that the source makes the same code as the live
function is how the two are known to agree.
"""

import __future__

import ast
import types
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

WRAPPER = "__capsule__"
# Names for the bases and decorators of a class whose own names mean nothing elsewhere.
BASE = "__base%d__"
DECORATOR = "__decorator%d__"
# Registering is for plain Keras, and would outlive the load.
_REGISTERS = "register_keras_serializable"


class RestoreError(Exception):
    """A function cannot be rebuilt here; the text says which and why."""


class DefinitionSource(NamedTuple):
    """The source of one lambda, def or class, and what decides how it is compiled.

    Attributes
    ----------
    source
        The text of the definition alone.
    filename
        The name under which tracebacks and AutoGraph look for the text.
    freevars
        The names of its closure.
    futures
        The ``__future__`` features of its module, by name: their flags are other numbers in
        other Pythons.
    module_imports
        The global names that its module imported. CPython 3.11 to 3.13 call their attributes
        by other instructions, which do the same.
    keep_decorators
        Whether a def keeps its decorators and default values, since only they can make it.
    bases
        The numbers of the bases of a class that stand as ``BASE`` names in the namespace.
    registrations
        The numbers of the decorators of a class that only register it.
    """

    source: str
    filename: str
    freevars: Iterable[str] = ()
    futures: Iterable[str] = ()
    module_imports: Iterable[str] = ()
    keep_decorators: bool = False
    bases: Iterable[int] = ()
    registrations: Iterable[int] = ()


class UnboundFunction(NamedTuple):
    """A function or class just made, and what sets a variable of its closure by name."""

    function: Any
    bind: Callable[[str, Any], None]


def make_unbound(
    definition: DefinitionSource, namespace: Dict[str, Any], closure_values: Dict[str, Any]
) -> UnboundFunction:
    """Compile and run a definition.

    Parameters
    ----------
    definition
        What to compile; a class body, or decorators that it keeps, run here.
    namespace
        The globals that it gets. What stood there under its own name stays.
    closure_values
        The closure variables that it needs while it is being made.

    Returns
    -------
    UnboundFunction
        What was made, its other closure variables still None.

    Raises
    ------
    RestoreError
        The text is not one definition, or does not compile here.
    """
    code, name = compile_definition(definition)
    wrapper = types.FunctionType(code, namespace)
    occupied = name in namespace
    before = namespace.get(name)
    function, bind = wrapper(closure_values)
    # What its own name means among the globals is for its recorded bindings to say.
    if occupied:
        namespace[name] = before
    else:
        namespace.pop(name, None)
    return UnboundFunction(function, bind)


def compile_definition(definition: DefinitionSource) -> Tuple[types.CodeType, str]:
    """Compile the function that makes what a definition defines; run nothing.

    Decorators, annotations and default values of a function are left out: the function
    captured was the one behind its decorators, and its defaults are set from what was
    recorded. A class keeps all but the annotations of its methods.

    Parameters
    ----------
    definition
        What to compile.

    Returns
    -------
    tuple
        The code, and the name of the definition ("" for a lambda).

    Raises
    ------
    RestoreError
        The text is not one definition, or does not compile here.
    """
    filename, names = definition.filename, list(definition.freevars)
    node = _parse(definition.source, filename)
    if not all(name.isidentifier() for name in names):
        raise RestoreError("the closure of %s has names that are not identifiers" % filename)
    _prepare(node, definition)
    module = ast.parse("def %s(__closure_values__): pass" % WRAPPER)
    function: Any = module.body[0]
    function.body = _wrapper_body(node, names)
    if definition.module_imports:
        # Never run: the compiler sees which names are imported.
        imports = ", ".join(sorted(definition.module_imports))
        module.body += ast.parse("if 0: import " + imports).body
    ast.fix_missing_locations(module)
    try:
        code = compile(module, filename, "exec", _flags(definition.futures), True)
    except (SyntaxError, ValueError) as error:
        raise RestoreError("the source of %s does not compile here: %s" % (filename, error))
    wrapper = next(
        constant
        for constant in code.co_consts
        if isinstance(constant, types.CodeType) and constant.co_name == WRAPPER
    )
    return wrapper, getattr(node, "name", "")


def _prepare(node: Any, definition: DefinitionSource) -> None:
    """Take out of a definition what is not wanted of it."""
    if isinstance(node, ast.ClassDef):
        _prepare_class(node, definition.bases, definition.registrations)
        return
    if isinstance(node, ast.Lambda):
        _strip_defaults(node.args)
        return
    _strip_annotations(node)
    if definition.keep_decorators:
        node.decorator_list = [d for d in node.decorator_list if not _registers(d)]
    else:
        node.decorator_list = []
        _strip_defaults(node.args)


def _wrapper_body(node: Any, names: List[str]) -> List[ast.stmt]:
    """Return the statements that make what *node* defines, with *names* as closure variables."""
    body = [_statement("%s = __closure_values__.get(%r)" % (name, name)) for name in names]
    if isinstance(node, ast.Lambda):
        target = ast.Name(id="__definition__", ctx=ast.Store())
        body.append(ast.Assign(targets=[target], value=node))
    else:
        if node.name not in names:
            # It finds itself where it stood: among the globals, never in a closure.
            body.insert(0, _statement("global " + node.name))
        body += [node, _statement("__definition__ = " + node.name)]
    return body + [_statement(_binder(names)), _statement("return __definition__, __bind__")]


def _prepare_class(node: ast.ClassDef, bases: Iterable[int], registrations: Iterable[int]) -> None:
    for number in sorted(registrations, reverse=True):
        del node.decorator_list[number : number + 1]
    for number in bases:
        if number < len(node.bases):
            node.bases[number] = ast.Name(id=BASE % number, ctx=ast.Load())
    node.decorator_list = [d for d in node.decorator_list if not _registers(d)]
    for member in node.body:
        if isinstance(member, ast.ClassDef):
            _prepare_class(member, (), ())
        elif isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
            _strip_annotations(member)


def _registers(decorator: ast.expr) -> bool:
    function: Any = decorator.func if isinstance(decorator, ast.Call) else decorator
    return _REGISTERS in (getattr(function, "attr", None), getattr(function, "id", None))


def _flags(futures: Iterable[str]) -> int:
    # A feature that this Python does not know changes nothing in what is left of the source.
    features = [getattr(__future__, name, None) for name in futures]
    return sum(feature.compiler_flag for feature in features if feature is not None)


def _binder(names: List[str]) -> str:
    """Return the def that sets one of *names*: before 3.7 no cell can be set from outside."""
    lines = ["def __bind__(name, value):"]
    if names:
        lines.append(" nonlocal " + ", ".join(names))
    lines += [" if name == %r: %s = value" % (name, name) for name in names]
    return "\n".join(lines + [" return None"])


def _parse(source: str, filename: str) -> Any:
    """Return the node of the one lambda, def or class that is *source*, lines as in the text."""
    attempts = [("(\n" + source + "\n)", "eval"), ("if 1:\n" + source, "exec"), (source, "exec")]
    for text, mode in attempts:
        try:
            tree: Any = ast.parse(text, filename, mode)
        except (SyntaxError, ValueError):
            continue
        if mode == "eval":
            node, shift = tree.body, -1
        elif text.startswith("if 1:\n"):
            node, shift = _only(tree.body[0].body), -1
        else:
            node, shift = _only(tree.body), 0
        if isinstance(node, (ast.Lambda, ast.FunctionDef, ast.ClassDef)):
            ast.increment_lineno(node, shift)
            return node
    raise RestoreError("the source of %s is not one definition" % filename)


def _only(body: List[ast.stmt]) -> Optional[ast.stmt]:
    return body[0] if len(body) == 1 else None


def _statement(text: str) -> ast.stmt:
    return ast.parse(text).body[0]


def _strip_defaults(arguments: ast.arguments) -> None:
    """Put None for each default value, so that as many parameters as before have some."""
    arguments.defaults = [_none() for _ in arguments.defaults]
    arguments.kw_defaults = [d if d is None else _none() for d in arguments.kw_defaults]


def _strip_annotations(function: Any) -> None:
    """Take annotations out: they may name what is long gone, and compute nothing."""
    function.returns = None
    arguments = function.args
    parameters = list(getattr(arguments, "posonlyargs", [])) + arguments.args + arguments.kwonlyargs
    for parameter in parameters + [arguments.vararg, arguments.kwarg]:
        if parameter is not None:
            parameter.annotation = None


def _none() -> ast.expr:
    return ast.parse("None", mode="eval").body


# CO_NESTED tells where a def stands, not what it computes.
_NESTED_FLAG = 0x10


def same_code(first: Any, second: Any) -> bool:
    """Tell whether two code objects of this Python run alike.

    Line numbers, file names and the names of the functions around may differ.

    Parameters
    ----------
    first, second
        Code objects of this Python. Other constants are compared by type and text.

    Returns
    -------
    bool
        True where both do the same for certain.
    """
    if not isinstance(first, types.CodeType) or not isinstance(second, types.CodeType):
        return type(first) is type(second) and repr(first) == repr(second)
    fields = (
        "co_code",
        "co_names",
        "co_varnames",
        "co_freevars",
        "co_cellvars",
        "co_name",
        "co_argcount",
        "co_kwonlyargcount",
    )
    return bool(
        all(getattr(first, field) == getattr(second, field) for field in fields)
        and getattr(first, "co_posonlyargcount", 0) == getattr(second, "co_posonlyargcount", 0)
        and first.co_flags & ~_NESTED_FLAG == second.co_flags & ~_NESTED_FLAG
        and getattr(first, "co_exceptiontable", b"") == getattr(second, "co_exceptiontable", b"")
        and len(first.co_consts) == len(second.co_consts)
        and all(_same_constant(a, b) for a, b in zip(first.co_consts, second.co_consts))
    )


def _same_constant(first: Any, second: Any) -> bool:
    # Qualified names are constants up to 3.10: "f.<locals>.<lambda>" says only where.
    if isinstance(first, str) and isinstance(second, str):
        return first.split(".<locals>.")[-1] == second.split(".<locals>.")[-1]
    return same_code(first, second)
