"""One file in one process: load it in the way asked for, predict on random input, say how it went.

usage: python inside.py WAY FILE GIVEN      WAY is plain, load or replay; GIVEN a JSON object
                                            {"bind": {name: value}, "stand_ins": [name, …]}
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy as np


def random_inputs(shapes: list[Any]) -> list[Any]:
    """Return an array for each shape, open dimensions filled in: two of a batch, 16 of a length."""
    numbers = np.random.default_rng(0)
    made = []
    for shape in shapes:
        sizes = [2, *(size or 16 for size in shape[1:])]
        made.append(numbers.random(sizes, dtype="float32"))
    return made


def shapes_of(told: Any) -> list[Any]:
    """Return the shapes of a model's inputs as a list, however many there are."""
    if isinstance(told, dict):
        return list(told.values())
    if isinstance(told, list):
        return told
    return [told]


def plain(path: str) -> Any:
    import keras

    if path.endswith(".json"):
        with open(path) as stream:
            return keras.models.model_from_json(stream.read())
    return keras.models.load_model(path, safe_mode=False, compile=False)


def main() -> None:
    way, path, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    warnings.simplefilter("ignore")
    bind = given["bind"]
    try:
        if way == "plain":
            model = plain(path)
        elif way == "load":
            from stand_ins import stand_ins

            import capsule

            model = capsule.load(
                path, safe_mode=False, bind=bind, custom_objects=stand_ins(given["stand_ins"])
            )
        else:
            import capsule

            model = capsule.replay(path, safe_mode=False, bind=bind)
        inputs = random_inputs(shapes_of(model.input_shape))
        made = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
        outputs = made if isinstance(made, (list, tuple)) else [made]
        told = {
            "alive": True,
            "outputs": [list(np.shape(one)) for one in outputs],
            "finite": bool(all(np.isfinite(one).all() for one in outputs)),
        }
        if way == "replay":
            model.close()
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        told = {"alive": False, "kind": type(error).__name__, "message": " ".join(lines)[:600]}
    print("RESULT " + json.dumps(told))


if __name__ == "__main__":
    main()
