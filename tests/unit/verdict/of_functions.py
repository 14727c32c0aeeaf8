"""The rows for what the model's functions use, and for their sources."""

from __future__ import annotations

from tests.unit.verdict.models import OPAQUE, model_using, model_with_class, model_with_lambda
from tests.unit.verdict.situations import (
    Row,
    Saved,
    binding,
    environment,
    fatal,
    function,
    module,
    node,
    note,
    sidecar,
    warning,
)

NAMES = (
    Row(
        "nobody defined a global name at save",
        warning("name-missing", "same"),
        "scale",
        model_using(binding("scale", missing=True)),
        model_using(binding("scale", value=2)),
        "no yes unknown",
        "no yes yes",
    ),
    Row(
        "nobody had set a name of the closure at save",
        warning("name-missing", "same"),
        "scale",
        model_using(binding("scale", "closure", missing=True)),
        model_using(binding("scale", "decorator", missing=True)),
        "yes yes unknown",
    ),
    Row(
        "a function of a function uses a name that nobody defined",
        warning("name-missing", "same"),
        "scale",
        model_using(
            binding("helper", to="m:helper"),
            **{"m:helper": node(binding("scale", missing=True), kind="function")},
        ),
        model_using(
            binding("helper", to="m:helper"),
            **{"m:other": node(binding("scale", missing=True), kind="function")},
            **{"m:helper": node(kind="function")},
        ),
        "no yes unknown",
        "no yes yes",
    ),
    Row(
        "what a decorated function is made with can't be found again",
        fatal("name-missing", "keras capsule"),
        "register",
        model_using(binding("register", "body", missing=True)),
        model_using(binding("register", "decorator", missing=True)),
        "no no no",
    ),
    Row(
        "what a class is derived from can't be found again",
        fatal("name-missing", "keras capsule"),
        "Base",
        model_using(binding("Base", "base", missing=True)),
        model_using(binding("Base", "base", value=1)),
        "no no no",
    ),
    Row(
        "a value could not be stored",
        fatal("value-opaque", "keras capsule"),
        "weights",
        model_using(binding("weights", "argument", value=OPAQUE)),
        model_using(binding("weights", "argument", value=[1, 2])),
        "no no no",
    ),
    Row(
        "a part of a value could not be stored",
        fatal("value-opaque", "keras capsule"),
        "weights",
        model_using(binding("weights", "argument", value={"type": "tuple", "items": [1, OPAQUE]})),
        model_using(binding("weights", "argument", value={"type": "tuple", "items": [1, 2]})),
        "no no no",
    ),
    Row(
        "numpy makes random numbers",
        warning("random", "keras same"),
        "np",
        model_using(
            binding("np", "import", to="numpy", attributes=["random.uniform"]), numpy=module()
        ),
        model_using(
            binding("np", "import", to="numpy", attributes=["linalg.norm"]), numpy=module()
        ),
        "unknown yes unknown",
    ),
    Row(
        "a function of random numbers is imported by its name",
        warning("random", "keras same"),
        "uuid4",
        model_using(
            binding("uuid4", "import", to="uuid", attribute="uuid4"), uuid=module("stdlib")
        ),
        model_using(
            binding("uuid5", "import", to="uuid", attribute="uuid5"), uuid=module("stdlib")
        ),
        "unknown yes unknown",
    ),
    Row(
        "a whole module of random numbers",
        warning("random", "keras same"),
        "chance",
        model_using(binding("chance", "import", to="random"), random=module("stdlib")),
        model_using(binding("chance", "import", to="secret"), secret=module("stdlib")),
        "unknown yes unknown",
    ),
    Row(
        "a plain value with a name like that of random numbers",
        warning("random", "keras same"),
        "np",
        model_using(binding("np", "import", to="numpy", attributes=["random"]), numpy=module()),
        model_using(binding("np", "import", value=1, attributes=["random"]), numpy=module()),
        "unknown yes unknown",
    ),
    Row(
        "settings of the machine",
        warning("outside"),
        "os",
        model_using(
            binding("os", "import", to="os", attributes=["environ.get"]), os=module("stdlib")
        ),
        model_using(
            binding("os", "import", to="os", attributes=["path.join"]), os=module("stdlib")
        ),
        "unknown unknown unknown",
    ),
    Row(
        "files beside the model",
        warning("outside"),
        "load",
        model_using(binding("load", "import", to="numpy", attribute="load"), numpy=module()),
        model_using(binding("load", "import", to="pickle", attribute="load"), pickle=module()),
        "unknown unknown unknown",
    ),
)

SOURCES = (
    Row(
        "a class has no source",
        fatal("class-opaque", "keras capsule"),
        "Scale",
        model_with_class(source=None, reason="it was typed in"),
        model_with_class(),
        "no no no",
        "no yes yes",
    ),
    Row(
        "a class has no source, and the caller gives it",
        fatal("class-opaque", "keras capsule"),
        "Scale",
        model_with_class("Shift", source=None),
        model_with_class("Scale", source=None),
        "no no no",
        "no yes yes",
    ),
    Row(
        "source was read from the bytecode",
        note("source-decompiled"),
        "the lambda",
        model_with_lambda(decompiled=True, reason="it was typed in"),
        model_with_lambda(),
        "yes yes yes",
    ),
    Row(
        "a function has no source",
        note("source-missing"),
        "the lambda",
        model_with_lambda(source=None, reason="it was typed in"),
        model_with_lambda(source="lambda x: x", reason="it was typed in"),
        "yes yes yes",
    ),
    Row(
        "a function that is taken from a library needs no source",
        note("source-missing"),
        "the lambda",
        model_with_lambda(source=None),
        model_with_lambda(source=None, code=None),
        "yes yes yes",
    ),
    Row(
        "nobody saw the function when it was saved",
        warning("function-unknown"),
        "<lambda>",
        Saved(sidecar(functions=[function(node=None)]), environment()),
        Saved(sidecar(functions=[function()]), environment()),
        "unknown unknown unknown",
    ),
)

MODULES = (
    Row(
        "a module of the user's own is not in the sidecar",
        fatal("module-opaque", "capsule"),
        "mine",
        model_using(binding("mine", to="mine"), mine=module("local")),
        model_using(binding("mine", to="mine"), mine=module("local", source="SCALE = 2")),
        "no no no",
        "no yes yes",
    ),
    Row(
        "a package of the user's own has no source, and a module in it has",
        fatal("module-opaque", "capsule"),
        "mine",
        model_using(
            binding("mine", to="mine"), mine=module("local"), minor=module("local", source="")
        ),
        model_using(
            binding("mine", to="mine"),
            **{"mine": module("local"), "mine.scales": module("local", source="")},
        ),
        "no no no",
        "no yes yes",
    ),
    Row(
        "a module of the user's own that no function uses",
        fatal("module-opaque", "capsule"),
        "mine",
        model_using(binding("mine", "import", to="mine"), mine=module("local")),
        model_using(binding("mine", "import", to="yours"), yours=module(), mine=module("local")),
        "no no no",
        side_effects=(fatal("name-lost", "keras"),),
    ),
    Row(
        "a module of the user's own may not come back as it was",
        warning("module-state"),
        "mine",
        model_using(
            binding("mine", to="mine"),
            mine=module("local", source="seen = []", reason="seen was filled at run time"),
        ),
        model_using(binding("mine", to="mine"), mine=module("local", source="seen = []")),
        "no unknown unknown",
        "no yes yes",
    ),
    Row(
        "the reason of a module without source is no reason to doubt what it holds",
        warning("module-state"),
        "mine",
        model_using(
            binding("mine", to="mine"), mine=module(source="seen = []", reason="seen changed")
        ),
        model_using(binding("mine", to="mine"), mine=module(reason="it is no file")),
        "no unknown unknown",
        "no yes yes",
    ),
)

ROWS = (*NAMES, *SOURCES, *MODULES)
