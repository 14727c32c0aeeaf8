"""The state in which bytecode is executed: variables, a stack, and what stands on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Union

from capsule.bytecode.code import Code
from capsule.bytecode.equivalence.paths import Ended, Outcome, Path, Signature
from capsule.bytecode.equivalence.steps import Step, version_of
from capsule.bytecode.equivalence.terms import Keyword, Term, Terms, Unknown


class StackUnderflow(Unknown):
    """The code takes more from the stack than there is: no Python compiled it."""

    def __init__(self) -> None:
        super().__init__("the stack is empty")


class EmptySlot:
    """An entry of the stack without a value: NULL in CPython's own words."""


@dataclass
class Display:
    """A list, tuple, set or dict that is being filled; the parts of a dict are pairs."""

    kind: str
    parts: list[Any]


@dataclass
class SavedVariable:
    """What a variable held before a comprehension that shares its frame; None if nothing."""

    entry: Entry | None


@dataclass(frozen=True)
class Function:
    """A function of the code inside, with the defaults that it was made with."""

    code: Code
    defaults: tuple[Term, ...] = ()
    keyword_defaults: tuple[Keyword, ...] = ()


# An iterator gives the items that are left of a loop.
Entry = Union[Term, EmptySlot, Display, Iterator[Term], SavedVariable, Function]
EMPTY = EmptySlot()


@dataclass
class Frame:
    """A code object in execution.

    ``execute`` runs a frame to its end: a function that becomes a term is executed for it.
    ``enclosing`` is the frame whose variables a comprehension shares; ``loops`` holds for each
    loop that was set up (3.7 and before) where it ends, and how much stood on the stack.
    """

    code: Code
    path: Path
    names: dict[str, Entry]
    execute: Callable[[Frame], Outcome]
    enclosing: Frame | None = None
    declared: dict[str, Term] = field(default_factory=dict)
    stack: list[Entry] = field(default_factory=list)
    loops: list[tuple[int, int]] = field(default_factory=list)
    yields: list[Term] = field(default_factory=list)
    keyword_names: tuple[Term, ...] = ()
    version: tuple[int, ...] = field(init=False)
    terms: Terms = field(init=False)

    def __post_init__(self) -> None:
        self.version, self.terms = version_of(self.code), self.path.terms

    def require(self, count: int) -> None:
        """Raise StackUnderflow where there are less than *count* entries."""
        if count > len(self.stack):
            raise StackUnderflow

    def rotate(self, depth: int) -> None:
        """Move the topmost entry to where the *depth*th was."""
        self.require(depth or 1)
        self.stack.insert(len(self.stack) - depth, self.stack.pop())

    def duplicate(self, count: int) -> None:
        """Put the *count* topmost entries on the stack once more."""
        self.require(count or 1)
        self.stack += self.stack[-count:]

    def push(self, entry: Entry) -> None:
        """Put *entry* on the stack."""
        self.stack.append(entry)

    def push_callable(self, function: Term, step: Step) -> None:
        """Put *function* on the stack, and an empty slot beside it where *step* says so."""
        self.push(function)
        if step.for_call:
            self.stack.insert(len(self.stack) - (self.version < (3, 13)), EMPTY)

    def pop_entry(self) -> Entry:
        """Take the topmost entry, whatever it is."""
        self.require(1)
        return self.stack.pop()

    def pop_entries(self, count: int) -> list[Entry]:
        """Take the *count* topmost entries, the lowest first."""
        self.require(count)
        start = len(self.stack) - count
        entries = self.stack[start:]
        del self.stack[start:]
        return entries

    def pop(self) -> Term:
        """Take the topmost entry as a term."""
        return self.term(self.pop_entry())

    def pop_terms(self, count: int) -> list[Term]:
        """Take the *count* topmost entries as terms, the lowest first."""
        return [self.term(entry) for entry in self.pop_entries(count)]

    def pop_slice(self, step: Step) -> tuple[str, Term, Term]:
        """Take a collection and the bounds of a slice of it; return the place they name."""
        if "+" not in step.name:
            collection, *bounds = self.pop_terms(3)
            return ("item", collection, self.terms.slice(*bounds))
        bits = int(step.name[-1])  # of Python 2: which bounds stand on the stack
        none = self.terms.constant(None)
        stop = self.pop() if bits & 2 else none
        start = self.pop() if bits & 1 else none
        key = self.terms.slice(start, stop)
        return ("item", self.pop(), key)

    def term(self, entry: Entry) -> Term:
        """Return the term of an entry. A function's is all that it does to arguments of its own."""
        if isinstance(entry, Display):
            if entry.kind == "set":
                return self.terms.set_of(entry.parts)
            return self.terms.intern(entry.kind, *entry.parts)
        if isinstance(entry, Function):
            signature, path = signature_of(entry.code), self.path.nested()
            arguments: dict[str, Entry] = {**signature.arguments(self.terms)}
            outcome = self.execute(Frame(entry.code, path, arguments, self.execute))
            head = (signature, entry.defaults, entry.keyword_defaults)
            return self.terms.intern("function", *head, outcome, tuple(path.trace))
        if not isinstance(entry, int):
            raise Unknown("an entry without a value is used as a value")
        return entry

    def load(self, name: str) -> Entry:
        """Return what a local or free variable holds."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            if name in frame.code.free and frame.enclosing is None:
                return self.terms.intern("free", name)
            frame = frame.enclosing
        raise Ended(Outcome("unbound", (name,)))

    def store(self, name: str, entry: Entry) -> None:
        """Give a local or free variable its value; an entry that holds none takes it away."""
        if isinstance(entry, SavedVariable):
            saved = entry.entry
        elif isinstance(entry, EmptySlot):
            saved = None
        else:
            saved = self.term(entry)
            if name in self.code.free:
                self.path.perform("nonlocal", name, saved)
        if saved is None:
            self.names.pop(name, None)
        else:
            self.names[name] = saved


def signature_of(code: Code) -> Signature:
    """Return what the function of *code* takes."""
    variadic = (bool(code.flags & 0x04), bool(code.flags & 0x08))
    counts = (code.argument_count, code.positional_only_count, code.keyword_only_count)
    names = code.variables[: code.argument_count + code.keyword_only_count + sum(variadic)]
    return Signature(names, *counts, variadic)


ValueHandler = Callable[[Frame, Step], Entry]  # returns what goes on the stack
EffectHandler = Callable[[Frame, Step], object]
