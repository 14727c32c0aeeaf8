"""The worker: holds one model in its own environment and answers the host.

Started as ``python -I -c <bootstrap>``; reads frames on its standard input and writes
them to what was its standard output. Everything the model prints goes to standard error.
"""

import os
import shutil
import threading
import time
import traceback
from typing import Any, Dict, List, Optional, Tuple

from .shared import FROM, Shared
from .wire import Packed, pack, read_frame, send

Answer = Tuple[Dict[str, Any], List[Any]]


def main() -> None:
    """Serve until the host closes its end."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # The model may print and read as it likes: the protocol has pipes of its own.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    folder = os.environ.get("CAPSULE_SHARED")
    shared = Shared(folder, copies=False) if folder is not None else None
    _end_with(int(os.environ.get("CAPSULE_HOST", "0")), folder)
    session = Session()
    while True:
        try:
            frame = read_frame(requests, shared)
            if frame is None:
                if folder is not None:  # the host may have ended without a word
                    shutil.rmtree(folder, ignore_errors=True)
                # At once: what a framework takes down takes it a second, and serves nobody.
                os._exit(0)
            packed = _packed(session, frame, shared)
        except KeyboardInterrupt:
            return
        # Only now does nobody here need what was asked with, unless the model kept it.
        frame = None
        send(answers, packed, held=shared is not None and shared.release())


def _packed(session: "Session", frame: Answer, shared: Optional[Shared]) -> Packed:
    """Return the answer to *frame*, packed: of a model that raised, what it said."""
    try:
        answer, outputs = session.answer(*frame)
        return pack(answer, [_own(one) for one in outputs], shared)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a model raises must reach the host as text
        return pack({"error": told(error)})


def _own(output: Any) -> Any:
    """Return a small output that hangs on the memory of another array as a copy."""
    return output.copy() if output.nbytes < FROM and output.base is not None else output


def _end_with(host: int, shared: Optional[str]) -> None:
    """End this process when the host ends, whatever the model is doing then."""

    def watch() -> None:
        while os.getppid() == host:
            time.sleep(0.5)
        if shared is not None:
            shutil.rmtree(shared, ignore_errors=True)
        os._exit(1)

    if host and os.name == "posix":
        thread = threading.Thread(target=watch)
        thread.daemon = True
        thread.start()


def told(error: BaseException) -> Dict[str, str]:
    """Return an exception as JSON data: type, first words, traceback."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": traceback.format_exc(),
    }


class Session(object):
    """One loaded model, and what can be asked of it."""

    def __init__(self) -> None:
        self.model: Any = None

    def answer(self, header: Dict[str, Any], arrays: List[Any]) -> Answer:
        """Return ``(answer, arrays)`` for one request; ``header["do"]`` names it."""
        answer: Answer = getattr(self, "do_" + header["do"])(header, arrays)
        return answer

    def do_load(self, header: Dict[str, Any], arrays: List[Any]) -> Answer:
        """Load ``path`` as ``plan`` says and describe the model."""
        from . import keras_adapter

        plan, path = header["plan"], header["path"]
        self.model = keras_adapter.load_model(plan, path, None, {"compile": False})
        return {"model": keras_adapter.describe(self.model)}, []

    def do_probe(self, header: Dict[str, Any], arrays: List[Any]) -> Answer:
        """Compute the recorded probe again and compare."""
        from . import keras_adapter
        from .probe import compare, make_inputs

        inputs = arrays or make_inputs(header["inputs"])
        outputs = keras_adapter.call(self.model, inputs)
        comparison = compare(header["outputs"], outputs)
        if not comparison["agrees"]:
            again = keras_adapter.call(self.model, inputs)
            comparison["repeats"] = all((a == b).all() for a, b in zip(outputs, again))
        return {"comparison": comparison}, []

    def do_call(self, header: Dict[str, Any], arrays: List[Any]) -> Answer:
        """Return ``model(inputs, training=False)``."""
        from . import keras_adapter

        return {}, keras_adapter.call(self.model, arrays)

    def do_predict(self, header: Dict[str, Any], arrays: List[Any]) -> Answer:
        """Return ``model.predict(inputs, **options)``."""
        from . import keras_adapter

        inputs = keras_adapter.arranged(self.model, arrays)
        outputs = self.model.predict(inputs, **dict({"verbose": 0}, **header["options"]))
        return {}, [keras_adapter.to_numpy(output) for output in keras_adapter.flatten(outputs)]

    def do_weights(self, header: Dict[str, Any], arrays: List[Any]) -> Answer:
        """Return the names of the model's weights, and their values."""
        from . import keras_adapter

        names = [getattr(one, "path", None) or one.name for one in self.model.weights]
        return {"names": names}, [keras_adapter.to_numpy(one) for one in self.model.get_weights()]

    def do_summary(self, header: Dict[str, Any], arrays: List[Any]) -> Answer:
        """Return the text of ``model.summary()``."""
        lines: List[str] = []
        self.model.summary(print_fn=lambda text, **_: lines.append(text))
        return {"summary": "\n".join(lines)}, []
