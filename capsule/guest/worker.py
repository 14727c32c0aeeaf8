"""The worker: has one model in its own environment and answers the host.

Started as ``python -I -c <bootstrap>``; reads frames on its standard input and writes
them to what was its standard output. Everything the model prints goes to standard error.
"""

import os
import shutil
import threading
import time
import traceback
from typing import Any, Dict, List, Optional

from .shared import MIN_SIZE, SharedFolder
from .wire import EncodedFrame, Frame, encode_frame, read_frame, send


def main() -> None:
    """Serve until the host closes its end."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # The model may print and read as it likes: the protocol has pipes of its own.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    path = os.environ.get("CAPSULE_SHARED")
    folder = SharedFolder(path, copies=False) if path is not None else None
    _end_with(int(os.environ.get("CAPSULE_HOST", "0")), path)
    session = Session()
    while True:
        try:
            frame = read_frame(requests, folder)
            if frame is None:
                if path is not None:  # the host may have ended without cleaning up
                    shutil.rmtree(path, ignore_errors=True)
                # At once: a framework takes a second to shut down, for nobody's good.
                os._exit(0)
            answer = _encode_answer(session, frame, folder)
        except KeyboardInterrupt:
            return
        # From here on the request's arrays are in use only if the model has them still.
        frame = None
        send(answers, answer, in_use=folder is not None and folder.release())


def _encode_answer(
    session: "Session", frame: Frame, folder: Optional[SharedFolder]
) -> EncodedFrame:
    """Return the answer to *frame*: where the model raises, its error."""
    try:
        answer, outputs = session.answer(*frame)
        return encode_frame(answer, [_compact(output) for output in outputs], folder)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a model raises must reach the host as text
        return encode_frame({"error": describe_error(error)})


def _compact(output: Any) -> Any:
    """Copy a small output that would else keep the memory of a larger array in use."""
    return output.copy() if output.nbytes < MIN_SIZE and output.base is not None else output


def _end_with(host: int, folder: Optional[str]) -> None:
    """End this process when the host ends, even in the midst of a call."""

    def watch() -> None:
        while os.getppid() == host:
            time.sleep(0.5)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    if host and os.name == "posix":
        thread = threading.Thread(target=watch)
        thread.daemon = True
        thread.start()


def describe_error(error: BaseException) -> Dict[str, str]:
    """Return an exception as JSON data: type, message, traceback."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": traceback.format_exc(),
    }


class Session(object):
    """One model, and the requests that it answers."""

    def __init__(self) -> None:
        self.model: Any = None

    def answer(self, header: Dict[str, Any], arrays: List[Any]) -> Frame:
        """Answer one request.

        Parameters
        ----------
        header
            The request: ``do`` names it, the rest are its options.
        arrays
            The inputs of the model, in its order.

        Returns
        -------
        Frame
            The answer, and the arrays that belong to it.
        """
        answer: Frame = getattr(self, "do_" + header["do"])(header, arrays)
        return answer

    def do_load(self, header: Dict[str, Any], arrays: List[Any]) -> Frame:
        """Load ``path`` as ``plan`` says; describe the model."""
        from . import keras_adapter

        plan, path = header["plan"], header["path"]
        self.model = keras_adapter.load_model(plan, path, None, {"compile": False})
        return Frame({"model": keras_adapter.describe(self.model)}, [])

    def do_probe(self, header: Dict[str, Any], arrays: List[Any]) -> Frame:
        """Compute the recorded probe again and compare."""
        from . import keras_adapter
        from .probe import compare, make_inputs

        inputs = arrays or make_inputs(header["inputs"])
        outputs = keras_adapter.call(self.model, inputs)
        comparison = compare(header["outputs"], outputs)
        if not comparison["agrees"]:
            again = keras_adapter.call(self.model, inputs)
            comparison["repeats"] = all((a == b).all() for a, b in zip(outputs, again))
        return Frame({"comparison": comparison}, [])

    def do_call(self, header: Dict[str, Any], arrays: List[Any]) -> Frame:
        """Return ``model(inputs, training=False)``."""
        from . import keras_adapter

        return Frame({}, keras_adapter.call(self.model, arrays))

    def do_predict(self, header: Dict[str, Any], arrays: List[Any]) -> Frame:
        """Return ``model.predict(inputs, **options)``."""
        from . import keras_adapter

        inputs = keras_adapter.arrange(self.model, arrays)
        outputs = self.model.predict(inputs, **dict({"verbose": 0}, **header["options"]))
        tensors = keras_adapter.flatten(outputs)
        return Frame({}, [keras_adapter.to_numpy(tensor) for tensor in tensors])

    def do_weights(self, header: Dict[str, Any], arrays: List[Any]) -> Frame:
        """Return the names of the model's weights, and their values."""
        from . import keras_adapter

        names = [getattr(weight, "path", None) or weight.name for weight in self.model.weights]
        values = [keras_adapter.to_numpy(value) for value in self.model.get_weights()]
        return Frame({"names": names}, values)

    def do_summary(self, header: Dict[str, Any], arrays: List[Any]) -> Frame:
        """Return the text of ``model.summary()``."""
        lines: List[str] = []
        self.model.summary(print_fn=lambda text, **_: lines.append(text))
        return Frame({"summary": "\n".join(lines)}, [])
