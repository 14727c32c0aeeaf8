"""Source text of one definition to its code, as the Python that runs this compiles it.

The capture compiles with this too: that the source makes the same code as the live
function is how the two are known to agree.
"""

import __future__

import ast
import types
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

WRAPPER = "__capsule__"
# Names for what a class statement says in words that mean something only where it stood.
BASE = "__base%d__"
DECORATOR = "__decorator%d__"
# Registering is for plain Keras, and would outlive the load.
_REGISTERS = "register_keras_serializable"


class RestoreError(Exception):
    """A function cannot be rebuilt here; the text says which and why."""


class Shell(object):
    """Something just defined, with the means to fill its closure cells; None if it has none to."""

    def __init__(self, function: Any, bind: Optional[Callable[[str, Any], None]]) -> None:
        self.function = function
        self.bind = bind


def compile_shell(
    source: str,
    filename: str,
    freevars: Iterable[str],
    futures: Iterable[str],
    namespace: Dict[str, Any],
    imported: Iterable[str] = (),
    given: Optional[Dict[str, Any]] = None,
    whole: bool = False,
    bases: Iterable[int] = (),
    dropped: Iterable[int] = (),
) -> Shell:
    """Compile *source* (one lambda, def or class) and return it as a Shell in *namespace*.

    See compile_definition. *given* are closure values that a class or a decorated def
    needs while it is being defined.
    """
    code, name = compile_definition(
        source, filename, freevars, futures, imported, whole, bases, dropped
    )
    wrap = types.FunctionType(code, namespace)
    taken = name in namespace
    before = namespace.get(name)
    defined, bind = wrap(given or {})
    # Under its name something else may have stood: what does is for the bindings to say.
    if taken:
        namespace[name] = before
    else:
        namespace.pop(name, None)
    return Shell(defined, bind)


def compile_definition(
    source: str,
    filename: str,
    freevars: Iterable[str],
    futures: Iterable[str],
    imported: Iterable[str] = (),
    whole: bool = False,
    bases: Iterable[int] = (),
    dropped: Iterable[int] = (),
) -> Tuple[types.CodeType, str]:
    """Return the code of a function that makes what *source* defines, and the name it gives it.

    Nothing is run.

    *futures* are the ``__future__`` features of its module, by name: their flags are
    other numbers in other Pythons. *imported* are the global names that its module
    imported: CPython 3.11 and 3.12 call their attributes by other instructions, which do
    the same.

    Decorators, annotations and default values are left out: the function captured was
    the one behind its decorators, and its defaults are set from what was recorded.
    *whole* keeps decorators and defaults, for what only they can make. Of a class all is
    kept but the annotations of its methods; *bases* are the numbers of those that are
    given as ``BASE`` names, *dropped* the numbers of decorators that only register.
    Raises RestoreError where the text is not one definition.
    """
    tree = _parse(source, filename)
    names = list(freevars)
    if not all(name.isidentifier() for name in names):
        raise RestoreError("the closure of %s has names that are none" % filename)
    body: List[ast.stmt] = []
    for free in names:
        body.append(_statement("%s = __given__.get(%r)" % (free, free)))
    name = ""
    if isinstance(tree, ast.Lambda):
        _strip_arguments(tree.args)
        body.append(ast.Assign(targets=[ast.Name(id="__made__", ctx=ast.Store())], value=tree))
    else:
        if tree.name not in names:
            # It finds itself where it stood: among the globals, never in a closure.
            body.insert(0, _statement("global " + tree.name))
        if isinstance(tree, ast.ClassDef):
            _prepare_class(tree, bases, dropped)
        elif whole:
            tree.decorator_list = [d for d in tree.decorator_list if not _registers(d)]
            _strip_annotations(tree)
        else:
            _strip_arguments(tree.args)
            _strip_annotations(tree)
            tree.decorator_list = []
        body.append(tree)
        name = tree.name
        body.append(_statement("__made__ = %s" % name))
    body.append(_statement(_binder(names)))
    body.append(_statement("return __made__, __bind__", in_function=True))
    wrapper = _statement("def %s(__given__): pass" % WRAPPER)
    wrapper.body = body
    module = _statement("", whole=True)
    module.body = [wrapper]
    if imported:
        never = _statement("if 0: pass")
        never.body = [_statement("import " + ", ".join(sorted(imported)))]
        module.body.append(never)
    ast.fix_missing_locations(module)
    try:
        code = compile(module, filename, "exec", _flags(futures), True)
    except (SyntaxError, ValueError) as error:
        raise RestoreError("the source of %s does not compile here: %s" % (filename, error))
    made = next(
        constant
        for constant in code.co_consts
        if isinstance(constant, types.CodeType) and constant.co_name == WRAPPER
    )
    return made, name


def _prepare_class(tree: ast.ClassDef, bases: Iterable[int], dropped: Iterable[int]) -> None:
    for number in sorted(dropped, reverse=True):
        del tree.decorator_list[number : number + 1]
    for number in bases:
        if number < len(tree.bases):
            tree.bases[number] = ast.Name(id=BASE % number, ctx=ast.Load())
    tree.decorator_list = [d for d in tree.decorator_list if not _registers(d)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            _prepare_class(node, (), ())
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            _strip_annotations(node)


def _registers(decorator: ast.expr) -> bool:
    called: Any = decorator.func if isinstance(decorator, ast.Call) else decorator
    return _REGISTERS in (getattr(called, "attr", None), getattr(called, "id", None))


def _flags(futures: Iterable[str]) -> int:
    # One that this Python does not know changes nothing that is left of the source here.
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


def _statement(text: str, in_function: bool = False, whole: bool = False) -> Any:
    if in_function:
        function: Any = ast.parse("def f():\n " + text).body[0]
        return function.body[0]
    tree = ast.parse(text)
    return tree if whole else tree.body[0]


def _strip_arguments(arguments: ast.arguments) -> None:
    arguments.defaults = [_nothing() for _ in arguments.defaults]
    arguments.kw_defaults = [d if d is None else _nothing() for d in arguments.kw_defaults]


def _strip_annotations(function: Any) -> None:
    """Take annotations out: they may name what is long gone, and compute nothing."""
    function.returns = None
    arguments = function.args
    everyone = list(getattr(arguments, "posonlyargs", [])) + arguments.args + arguments.kwonlyargs
    for one in everyone + [arguments.vararg, arguments.kwarg]:
        if one is not None:
            one.annotation = None


def _nothing() -> ast.expr:
    return ast.parse("None", mode="eval").body


# Nested or not is decided by where the def stands, not by what it computes.
_CO_NESTED = 0x10


def same_code(one: Any, other: Any) -> bool:
    """Tell whether two code objects of this Python run alike: all but places and outer names."""
    if not isinstance(one, types.CodeType) or not isinstance(other, types.CodeType):
        return type(one) is type(other) and repr(one) == repr(other)
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
        all(getattr(one, field) == getattr(other, field) for field in fields)
        and getattr(one, "co_posonlyargcount", 0) == getattr(other, "co_posonlyargcount", 0)
        and one.co_flags & ~_CO_NESTED == other.co_flags & ~_CO_NESTED
        and getattr(one, "co_exceptiontable", b"") == getattr(other, "co_exceptiontable", b"")
        and len(one.co_consts) == len(other.co_consts)
        and all(_same_constant(a, b) for a, b in zip(one.co_consts, other.co_consts))
    )


def _same_constant(one: Any, other: Any) -> bool:
    # Qualified names are constants up to 3.10: "f.<locals>.<lambda>" says only where.
    if isinstance(one, str) and isinstance(other, str):
        return one.split(".<locals>.")[-1] == other.split(".<locals>.")[-1]
    return same_code(one, other)
