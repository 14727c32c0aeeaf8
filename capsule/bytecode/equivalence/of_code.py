"""Instructions followed one by one over terms: the first of the two forms."""

from __future__ import annotations

from typing import Any

from capsule.bytecode.code import Code
from capsule.bytecode.equivalence import symbolic_values as making
from capsule.bytecode.equivalence.constants import Step, steps_of
from capsule.bytecode.equivalence.handlers import FOLLOWED
from capsule.bytecode.equivalence.symbolic_values import NOTHING, Nothing
from capsule.bytecode.equivalence.terms import Ended, Term, Terms, Unknown, World

_STACK_LIMIT = 200
_BINARY = {
    "ADD": "+",
    "AND": "&",
    "FLOOR_DIVIDE": "//",
    "LSHIFT": "<<",
    "MATRIX_MULTIPLY": "@",
    "MULTIPLY": "*",
    "MODULO": "%",
    "OR": "|",
    "POWER": "**",
    "RSHIFT": ">>",
    "SUBTRACT": "-",
    "TRUE_DIVIDE": "/",
    "XOR": "^",
    "DIVIDE": "/",
}
_NUMBERED = ("+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^")
_UNARY = {"UNARY_NEGATIVE": "-", "UNARY_POSITIVE": "+", "UNARY_INVERT": "~"}
_SUBSCRIPT = 26
_CONSTANTS = {"True": True, "False": False, "None": None}


class Frame:
    """One code object being followed: its variables, its stack, the world around it."""

    def __init__(
        self, code: Code, world: World, arguments: dict[str, Term], around: Frame | None = None
    ) -> None:
        self.code, self.world, self.terms = code, world, world.terms
        self.version = tuple(int(part) for part in code.python.split("."))
        self.names: dict[str, Any] = dict(arguments)
        self.declared: dict[str, Term] = around.declared if around is not None else {}
        self.around = around  # of a comprehension: the frame whose variables it shares
        self.stack: list[Any] = []
        self.blocks: list[tuple[int, int]] = []  # where a loop ends, with how much on the stack
        self.yields: list[Term] = []
        self.keywords: tuple[Term, ...] = ()

    def run(self) -> tuple[Any, ...]:
        """Follow the code to its end; return how it ended."""
        steps = self.terms.once(self.code, lambda: steps_of(self.code))
        at = 0
        try:
            while True:
                if at >= len(steps):
                    raise Unknown("instructions that end nowhere")
                self.world.step()
                at = self.follow(steps, at)
        except Ended as ended:
            if self.yields:
                return ("generator", tuple(self.yields), ended.outcome)
            return ended.outcome

    def follow(self, steps: list[Step], at: int) -> int:
        """Follow one step; return the next."""
        step = steps[at]
        word = step.word
        if len(self.stack) > _STACK_LIMIT:
            raise Unknown("a stack beyond every limit")
        if word == "JUMP":
            return step.next
        if word in ("SETUP_LOOP", "POP_BLOCK", "BREAK_LOOP"):
            return self._block(step)
        if word.startswith("BRANCH"):
            return self._branch(step)
        if word == "FOR_ITER":
            return self._item(step)
        if word == "RETURN_VALUE":
            raise Ended(("return", self.pop()))
        if word == "RAISE_VARARGS":
            raise Ended(("raise", *self.take(step.argument)))
        self._plain(step)
        return step.next

    # The stack

    def push(self, entry: Any) -> None:
        """Put *entry* on the stack."""
        self.stack.append(entry)

    def entry(self) -> Any:
        """Take the topmost entry, whatever it is."""
        if not self.stack:
            raise Unknown("the stack is empty")
        return self.stack.pop()

    def pop(self) -> Term:
        """Take the topmost entry as a term."""
        return self.term(self.entry())

    def term(self, entry: Any) -> Term:
        """Return the term of what stands on the stack."""
        if isinstance(entry, making.Display):
            return entry.term(self.terms)
        if isinstance(entry, making.Function):
            return entry.term(self)
        if not isinstance(entry, int):
            raise Unknown("what is no value is used as one")
        return entry

    def take(self, count: int) -> list[Term]:
        """Take the *count* topmost terms, in the order in which they were put there."""
        return [self.term(entry) for entry in self.entries(count)]

    def entries(self, count: int) -> list[Any]:
        """Take the *count* topmost entries, in the order in which they were put there."""
        if count > len(self.stack):
            raise Unknown("the stack is empty")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    # Names

    def load(self, name: str) -> Any:
        """Return what a local or free variable holds."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            if name in frame.code.free and frame.around is None:
                return self.terms.of("free", name)
            frame = frame.around
        raise Ended(("unbound", name))

    # Jumps

    def _block(self, step: Step) -> int:
        if step.word == "SETUP_LOOP":
            self.blocks.append((step.target, len(self.stack)))
            return step.next
        if not self.blocks:
            return step.next  # of 3.8 and later, where no loop is set up
        end, depth = self.blocks.pop()
        if step.word == "BREAK_LOOP":
            del self.stack[depth:]
            return end
        return step.next

    def _branch(self, step: Step) -> int:
        value = self.pop()
        test = self.world.is_none if step.word == "BRANCH_NONE" else self.world.holds
        holds = test(value)
        if holds == bool(step.argument):
            if step.keeps:
                self.push(value)
            return step.target
        return step.next

    def _item(self, step: Step) -> int:
        if not self.stack or not isinstance(self.stack[-1], making.Loop):
            raise Unknown("a loop over what is no iterator")
        loop = self.stack[-1]
        item = loop.following(self.world)
        if item is not None:
            self.push(item)
            return step.next
        if self.version >= (3, 12):  # END_FOR takes the iterator away
            self.push(NOTHING)
        else:
            self.stack.pop()
        return step.target

    # Everything else

    def _plain(self, step: Step) -> None:
        word, value = step.word, step.value
        if word == "LOAD_CONST":
            self.push(
                making.Function(value)
                if isinstance(value, Code)
                else self.terms.constant(making.plain(value))
            )
        elif word == "LOAD_FAST" and value in (*self.code.cells, *self.code.free):
            self.push(self.terms.of("cell", value))  # to be closed over, from 3.13 on
        elif word in ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF"):
            self.push(self.load(value))
        elif word == "LOAD_GLOBAL" and value in _CONSTANTS:  # names like others in Python 2
            self.push(self.terms.constant(_CONSTANTS[value]))
        elif word == "LOAD_GLOBAL":
            self._called(self.declared.get(value, self.terms.of("global", value)), step)
        elif word == "LOAD_CLOSURE":
            self.push(self.terms.of("cell", value))
        elif word in ("STORE_FAST", "STORE_DEREF"):
            self._store(value, self.entry())
        elif word == "STORE_GLOBAL":
            self.declared[value] = self.world.do("declared", value, self.pop())
        elif word == "LOAD_ATTR":
            self._attribute(step)
        elif word in _UNARY:
            self.push(making.unary(self.world, _UNARY[word], self.pop()))
        elif word == "UNARY_NOT":
            self.push(self.terms.constant(not self.world.holds(self.pop())))
        elif word in ("COMPARE_OP", "IS_OP", "CONTAINS_OP"):
            left, right = self.take(2)
            pair = ("is", "is not") if word == "IS_OP" else ("in", "not in")
            how = value if word == "COMPARE_OP" else pair[step.argument & 1]
            self.push(making.compare(self.world, how, left, right))
        elif word in FOLLOWED:
            FOLLOWED[word](self, step)
        elif word.startswith(("BINARY_", "INPLACE_")):
            self._binary(step)
        else:
            raise Unknown(f"{word} is not followed")

    def _called(self, term: Term, step: Step) -> None:
        if step.called and self.version >= (3, 13):
            self.stack += [term, NOTHING]
        elif step.called:
            self.stack += [NOTHING, term]
        else:
            self.push(term)

    def _attribute(self, step: Step) -> None:
        of = self.pop()
        if self.terms.read(of)[0] in ("import", "from"):
            self._called(self.terms.of("from", of, step.value), step)
            return
        self._called(self.world.do("attribute", of, step.value), step)

    def _store(self, name: str, entry: Any) -> None:
        if isinstance(entry, making.Saved):
            if entry.value is None:
                self.names.pop(name, None)
            else:
                self.names[name] = entry.value
            return
        if isinstance(entry, Nothing):
            self.names.pop(name, None)
            return
        term = self.term(entry)
        if name in self.code.free:
            self.world.do("nonlocal", name, term)
        self.names[name] = term

    def _binary(self, step: Step) -> None:
        kind = step.word.partition("_")[2]
        place = step.word.startswith("INPLACE")
        operator = _BINARY.get(kind)
        if step.word == "BINARY_OP" and step.argument == _SUBSCRIPT:
            kind = "SUBSCR"
        elif step.word == "BINARY_OP":
            place = step.argument >= len(_NUMBERED)
            operator = _NUMBERED[step.argument % len(_NUMBERED)]
        if kind != "SUBSCR" and operator is None:
            raise Unknown(f"{step.word} is not followed")
        left, right = self.take(2)
        if kind == "SUBSCR":
            self.push(self.world.do("item", left, right))
        else:
            self.push(self.world.do("binary", f"{operator}{'=' * place}", left, right))


def outcome_of_code(code: Code, terms: Terms, seed: int) -> tuple[Any, ...]:
    """Return how *code* ends over the given chances, and all that it did on the way."""
    world = World(terms, seed)
    outcome = Frame(code, world, arguments_of(code, terms)).run()
    return (*outcome, tuple(world.log))


def arguments_of(code: Code, terms: Terms) -> dict[str, Term]:
    """Return a term for each argument of *code*, by its name."""
    count = code.argument_count + code.keyword_only_count
    count += bool(code.flags & 0x04) + bool(code.flags & 0x08)
    return {name: terms.of("argument", name) for name in code.variables[:count]}
