"""While a model is loaded, Keras gets the functions of the plan and unmarshals nothing itself."""

from __future__ import annotations

import inspect
import threading
import types
from typing import Any

import numpy as np
import pytest

from capsule.guest.digest import embedded_key
from capsule.guest.function_tables import FunctionTables, key_of
from capsule.guest.loader_patches import patch_loaders
from capsule.guest.restore import RestoreError
from tests.bare import encoded
from tests.fake_keras import Dense, FakeKeras, Layer
from tests.plans import CODE, KEY, OTHER_CODE, OTHER_KEY, by_name, stored


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> FakeKeras:
    return FakeKeras(monkeypatch)


def first(x: Any) -> Any:
    return x


def second(x: Any) -> Any:
    return x * 2


CODE_OF_SECOND = second.__code__


def place(
    layer: str = "lambda", role: str = "function", key: str | None = KEY, name: str = "<lambda>"
) -> dict[str, Any]:
    """Return a function as a plan lists it."""
    return {"where": ["model", layer], "role": role, "key": key, "name": name, "node": "n"}


def tables(*entries: tuple[dict[str, Any], Any], translated: bool = False) -> FunctionTables:
    filled = FunctionTables(translated)
    for listed, value in entries:
        filled.add(listed, value)
    filled.settle()
    return filled


def config(name: str = "lambda", **more: Any) -> dict[str, Any]:
    """Return the configuration of a Lambda as Keras 2 writes it."""
    plain = {"name": name, "function": [CODE, None, None], "function_type": "lambda"}
    return {**plain, "module": "__main__", **more}


def layer_of(keras: FakeKeras, filled: FunctionTables, **more: Any) -> Any:
    with patch_loaders(keras.module, filled):
        return keras.layer_of({"class_name": "Lambda", "config": config(**more)})


# --- what is unmarshalled


@pytest.mark.parametrize(
    "arguments",
    [
        (CODE,),
        (CODE, None, None),
        ([CODE, None, None],),
        ((CODE, None, None),),
        (CODE, None, None, {}),
    ],
)
def test_bytecode_becomes_the_function_of_the_plan(keras: FakeKeras, arguments: Any) -> None:
    with patch_loaders(keras.module, tables((place(), first), (place("b", key=OTHER_KEY), second))):
        for module in (keras.reading, keras.core):
            assert module.func_load(*arguments) is first
            assert module.func_load(OTHER_CODE) is second
    assert keras.unmarshalled == []


@pytest.mark.parametrize(
    "arguments",
    [
        (OTHER_CODE,),
        ([OTHER_CODE, None, None],),
        (CODE, [1]),
        (CODE, None, [1]),
        ([CODE, None, [1]],),
        (CODE[:-5],),
        ("",),
    ],
)
def test_bytecode_that_the_plan_does_not_list_is_refused_and_not_unmarshalled(
    keras: FakeKeras, arguments: Any
) -> None:
    for filled in (tables((place(), first)), tables()):
        with patch_loaders(keras.module, filled):
            for module in (keras.reading, keras.core):
                with pytest.raises(RestoreError, match="the plan does not list"):
                    module.func_load(*arguments)
    assert keras.unmarshalled == []


@pytest.mark.parametrize("more", [{"function": [OTHER_CODE, None, None]}, {"name": "elsewhere"}])
def test_a_layer_with_such_bytecode_is_refused(keras: FakeKeras, more: Any) -> None:
    listed = place(key=OTHER_KEY) if "name" in more else place()
    with pytest.raises(RestoreError, match="the plan does not list"):
        layer_of(keras, tables((listed, first)), **more)
    assert keras.unmarshalled == []


@pytest.mark.parametrize("role", ["output_shape", "mask"])
@pytest.mark.parametrize("entry", [[OTHER_CODE, None, None], stored(OTHER_CODE), OTHER_CODE])
def test_a_shape_or_a_mask_that_the_plan_does_not_list_is_refused(
    keras: FakeKeras, role: str, entry: Any
) -> None:
    kinds = {role: entry, f"{role}_type": "lambda"}
    with pytest.raises(RestoreError, match=f"has a function {role} that the plan does not list"):
        layer_of(keras, tables((place(), first)), **kinds)
    both = tables((place(), first), (place(role=role, key=OTHER_KEY), second))
    made = layer_of(keras, both, **kinds)
    assert (made._output_shape if role == "output_shape" else made.mask) is second
    assert keras.unmarshalled == []


def test_what_keras_wrote_just_now_is_known_by_its_code(keras: FakeKeras) -> None:
    named = tables((place(key=None, name="first"), first), (place("b", key=OTHER_KEY), second))
    with patch_loaders(keras.module, named):
        assert keras.core.func_load(encoded(first)) is first
        assert keras.core.func_load(encoded(second)) is second
        with pytest.raises(RestoreError):
            keras.core.func_load(encoded(layer_of))


# --- what is stored alike


def test_two_functions_that_are_stored_alike_are_told_apart_by_their_places(
    keras: FakeKeras,
) -> None:
    both = tables((place("a"), first), (place("b"), second))
    assert layer_of(keras, both, name="a").function is first
    assert layer_of(keras, both, name="b").function is second


def test_of_two_functions_that_are_stored_alike_nobody_gets_the_wrong_one(keras: FakeKeras) -> None:
    both = tables((place("a"), first), (place("b"), second))
    assert both.by_key == {}
    with patch_loaders(keras.module, both), pytest.raises(RestoreError, match="does not list"):
        keras.core.func_load(CODE)
    with pytest.raises(RestoreError, match="does not list"):
        layer_of(keras, both, name="c")
    assert keras.unmarshalled == []


def test_two_functions_of_one_name_are_not_given_by_name() -> None:
    both = tables((place("a", key=None, name="f"), first), (place("b", key=None, name="f"), second))
    assert both.by_name == {}
    alike = tables((place("a", key=None, name="f"), first), (place("b", key=None, name="f"), first))
    assert alike.by_name == {"f": first}
    assert tables((place("a"), first), (place("b"), first)).by_key == {KEY: first}


def test_a_third_function_does_not_take_the_place_of_two_that_are_alike() -> None:
    filled = FunctionTables()
    for name, value in (("a", first), ("b", second), ("c", first), ("d", second)):
        filled.add(place(name), value)
    filled.settle()
    assert filled.by_key == {}


def test_two_layers_of_one_name_and_one_bytecode_are_refused(keras: FakeKeras) -> None:
    both = tables((place(), first), (place(), second))
    with pytest.raises(RestoreError, match="two layers are named lambda, and the file stores them"):
        layer_of(keras, both)


def test_two_layers_of_one_name_are_told_apart_by_their_bytecode(keras: FakeKeras) -> None:
    both = tables((place(), first), (place(key=OTHER_KEY), second))
    assert layer_of(keras, both).function is first
    assert layer_of(keras, both, function=[OTHER_CODE, None, None]).function is second


# --- what stands where


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ([CODE, None, None], first),
        (stored(), first),
        (CODE, first),
        ({"value": [CODE, None, None]}, first),
        (by_name("second"), second),
        ("second", second),
        ({"module": "mine", "class_name": "second", "config": {}}, second),
        ({"class_name": "function", "config": "f", "registered_name": "mine>second"}, second),
        (types.FunctionType(CODE_OF_SECOND, {}), second),  # Keras looked it up, elsewhere
        # What an entry does not mean stood in another layer of that name.
        (max, None),
        (by_name("relu"), None),
        ("relu", None),
        ([OTHER_CODE, None, None], None),
        (stored(OTHER_CODE), None),
        (None, None),
        (7, None),
    ],
)
def test_a_place_gives_what_its_entry_says(entry: Any, expected: Any) -> None:
    filled = tables((place(), first), (place(key=None, name="second"), second))
    assert filled.at("lambda", "function", entry) is expected


def test_a_place_gives_nothing_for_another_layer_role_or_bytecode() -> None:
    filled = tables((place(), first))
    assert filled.at("lambda", "function", CODE) is first
    assert filled.at("other", "function", CODE) is None
    assert filled.at("model", "function", CODE) is None
    assert filled.at("lambda", "mask", CODE) is None
    assert filled.at("lambda", "function", OTHER_CODE) is None
    assert filled.at("lambda", "function", None) is None


@pytest.mark.parametrize("whole", [[first, second], (first,), {"a": first}])
def test_several_functions_in_one_place_are_given_whole(whole: Any) -> None:
    filled = tables((place(role="functions", key=None, name="f"), whole))
    assert filled.at("lambda", "functions", ["whatever"]) is whole
    assert filled.at("lambda", "function", ["whatever"]) is None
    assert filled.by_name == {}
    assert tables(({**place(), "where": []}, whole)).by_key == {}


def test_of_two_layers_of_one_name_none_gets_what_the_other_holds() -> None:
    role = place(role="functions", key=None, name="f")
    other = {**role, "where": ["other model", "lambda"]}
    filled = tables((role, [first]), (other, [second]))
    with pytest.raises(RestoreError, match="two layers are named lambda"):
        filled.at("lambda", "functions", ["f"])
    whole = [first]
    assert tables((role, whole), (other, whole)).at("lambda", "functions", ["f"]) is whole
    for written in ({}, [], None):
        assert tables((role, whole)).at("lambda", "functions", written) is None
    arguments = {**role, "role": "arguments"}
    filled = tables(
        (place(), first), (arguments, {"f": first}), ({**place(), "where": ["lambda"]}, first)
    )
    with pytest.raises(RestoreError, match="the file stores no arguments"):
        filled.at("lambda", "arguments", {"g": 1})


def test_a_function_without_a_place_is_known_by_key_or_name() -> None:
    filled = tables(
        ({**place(), "where": []}, first), ({**place(key=None, name="f"), "where": []}, second)
    )
    assert (filled.by_key, filled.by_name) == ({KEY: first}, {"f": second})
    assert filled.at("lambda", "function", CODE) is None


def test_classes_are_known_by_their_registered_and_their_plain_name() -> None:
    own = (place(role="class", key=None, name="mine>Own"), Dense)
    filled = tables(own, (place(role="loss", key=None, name="mine>loss"), first))
    assert filled.by_name == {"mine>Own": Dense, "mine>loss": first}
    assert filled.aliases == {"Own": Dense}
    filled = tables(own, (place(role="class", key=None, name="theirs>Own"), Layer))
    assert filled.by_name == {"mine>Own": Dense, "theirs>Own": Layer}
    assert filled.aliases == {}
    with pytest.raises(RestoreError, match="Dense is no class"):
        tables((place(role="class", key=None, name="Dense"), first))
    with pytest.raises(RestoreError, match="two classes are stored by the name Dense"):
        tables(*((place(role="class", key=None, name="Dense"), kind) for kind in (Dense, Layer)))
    tables(*((place(role="class", key=None, name="Dense"), Dense) for _ in range(2)))


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (CODE, KEY),
        ([CODE, None, None], KEY),
        ((CODE, None, None), KEY),
        (stored(), KEY),
        (stored()["config"], KEY),
        ({"code": CODE}, KEY),
        ({"class_name": "__lambda__", "config": {"value": [CODE, None, None]}}, KEY),
        ({"value": [CODE, None, None]}, KEY),
        (stored(defaults=[1], closure=[2]), embedded_key(CODE, [1], [2])),
        ([CODE, [1], [2]], embedded_key(CODE, [1], [2])),
        ([CODE, None], None),
        ([None, None, None], None),
        ([1, 2, 3], None),
        ([], None),
        (None, None),
        (3, None),
        ({"config": {"name": "f"}}, None),
        ({"config": 3}, None),
    ],
)
def test_a_function_has_a_key_in_every_shape_that_keras_writes(entry: Any, key: Any) -> None:
    assert key_of(entry) == key


# --- layers


def test_a_lambda_is_made_of_what_its_configuration_says_but_for_its_functions(
    keras: FakeKeras,
) -> None:
    made = layer_of(
        keras,
        tables((place(), first)),
        output_shape=[None, 3],
        output_shape_type="raw",
        output_shape_module="m",
        mask_type="raw",
        mask_module=None,
        trainable=False,
        arguments={"a": {"type": "ndarray", "value": [1, 2]}, "b": {"type": "other"}, "c": 3},
    )
    assert type(made) is keras.lambda_class
    assert made.function is first
    assert made.name == "lambda"
    assert made.options == {"trainable": False}
    assert made._output_shape == (None, 3)
    np.testing.assert_array_equal(made.arguments["a"], np.array([1, 2]))
    assert (made.arguments["b"], made.arguments["c"]) == ({"type": "other"}, 3)


@pytest.mark.parametrize(
    ("written", "shape"),
    [
        ([2, 3], (2, 3)),
        ([None, 3], (None, 3)),
        ([[None, 3], [4]], [(None, 3), (4,)]),
        ([[None, 3], None], [(None, 3), None]),
        ([], ()),
        (None, None),
        ((2,), (2,)),
    ],
)
def test_a_shape_is_the_tuple_that_it_was(keras: FakeKeras, written: Any, shape: Any) -> None:
    made = layer_of(keras, tables((place(), first)), output_shape=written)
    assert made._output_shape == shape
    assert type(made._output_shape) is type(shape)


def test_arguments_that_hold_functions_are_those_of_the_plan(keras: FakeKeras) -> None:
    arguments = {"f": second}
    filled = tables((place(), first), (place(role="arguments", key=None, name="f"), arguments))
    made = layer_of(keras, filled, arguments={"f": by_name("f")})
    assert made.arguments is arguments


@pytest.mark.parametrize("activation", ["relu", None, by_name("relu", "keras.activations")])
def test_a_layer_does_not_get_the_function_of_another_of_its_name(
    keras: FakeKeras, activation: Any
) -> None:
    listed = {**place("dense", "activation", None, "f"), "where": ["first model", "dense"]}
    written = {"name": "dense", "activation": activation}
    with patch_loaders(keras.module, tables((listed, first))):
        made = keras.layer_of({"class_name": "Dense", "config": written})
        right = keras.layer_of({"class_name": "Dense", "config": {**written, "activation": "f"}})
    assert made.options == {"activation": activation}
    assert right.options == {"activation": first}


def test_a_mask_is_not_given_to_another_layer_of_its_name(keras: FakeKeras) -> None:
    mask = place(role="mask", key=None, name="m")
    other = {**place(key=OTHER_KEY), "where": ["other model", "lambda"]}
    with pytest.raises(
        RestoreError, match="two layers are named lambda, and the file stores no mask"
    ):
        layer_of(keras, tables((place(), first), (mask, second), (other, second)))
    both = {**mask, "where": ["other model", "lambda"]}
    filled = tables((place(), first), (mask, second), (other, second), (both, second))
    assert layer_of(keras, filled).mask is second
    filled = tables((place(), first), (mask, second), (other, second), (both, first))
    with pytest.raises(RestoreError, match="two layers are named lambda"):
        layer_of(keras, filled)


def test_a_mask_that_the_configuration_leaves_out_is_put_back(keras: FakeKeras) -> None:
    filled = tables((place(), first), (place(role="mask", key=None, name="m"), second))
    assert layer_of(keras, filled).mask is second
    assert layer_of(keras, tables((place(), first))).mask is None
    dense = {"class_name": "Dense", "config": {"name": "lambda"}}
    with patch_loaders(keras.module, filled):
        assert keras.layer_of(dense).options == {}


def test_a_lambda_of_a_translated_configuration_asks_its_function_for_the_shape(
    keras: FakeKeras,
) -> None:
    def shape(given: Any) -> Any:
        if given is None:
            raise NotImplementedError
        return (given, "called")

    made = layer_of(keras, tables((place(), shape), translated=True), output_shape=[7])
    assert made.compute_output_shape(3) == (3, "called")
    assert made.compute_output_shape(None) == (7,)
    assert made._output_shape == (7,)
    made = layer_of(keras, tables((place(), shape)), output_shape=[7])
    assert made.compute_output_shape(3) == (7,)


def test_functions_in_any_layers_configuration_become_those_of_the_plan(keras: FakeKeras) -> None:
    listed = {**place("dense", "activation", None, "f"), "where": ["dense"]}
    written = {"name": "dense", "activation": "f", "units": 3}
    with patch_loaders(keras.module, tables((listed, first))):
        made = keras.layer_of({"class_name": "Dense", "config": written})
        other = keras.layer_of({"class_name": "Dense", "config": {**written, "name": "other"}})
        assert keras.module.layers.Dense.from_config({}).name is None
    assert made.options == {"activation": first, "units": 3}
    assert other.options == {"activation": "f", "units": 3}
    assert written["activation"] == "f"


def test_a_lambda_without_bytecode_is_left_to_keras(keras: FakeKeras) -> None:
    with patch_loaders(keras.module, tables()):
        made = keras.layer_of({"class_name": "Lambda", "config": {"name": "l", "function": "relu"}})
    assert made.function == "relu"


# --- Keras' other readers


def test_a_class_named_function_is_the_function_of_that_name(keras: FakeKeras) -> None:
    read = "class_and_config_for_serialized_keras_object"
    written = {"class_name": "function", "config": "f"}
    with patch_loaders(keras.module, tables((place(key=None, name="f"), first))):
        kind, inner = getattr(keras.reading, read)(written, "m", printable="n")
        assert kind.from_config(inner) is first
        getattr(keras.reading, read)({"class_name": "function", "config": "g"}, "m", printable="n")
        getattr(keras.reading, read)({"class_name": "Dense", "config": "f"})
    asked = [(config["class_name"], config["config"]) for config, _, _ in keras.found]
    assert asked == [("function", "g"), ("Dense", "f")]
    assert keras.found[0][1:] == (("m",), {"printable": "n"})


def test_texts_are_replaced_around_functions(keras: FakeKeras) -> None:
    written = {"a": "x.keras.y", "b": ["keras", {"c": first}], "d": 3, "e": None}
    with patch_loaders(keras.module, tables()):
        made = keras.reading._find_replace_nested_dict(written, "keras", "tf")
    assert made == {"a": "x.tf.y", "b": ["tf", {"c": first}], "d": 3, "e": None}
    with pytest.raises(TypeError):
        keras.reading._find_replace_nested_dict(written, "keras", "tf")


# --- for one thread, for one call


def surface(keras: FakeKeras) -> list[Any]:
    """Return all that a load replaces."""
    functions = [vars(module).get("func_load") for module in (keras.reading, keras.core)]
    kinds = [keras.lambda_class, Layer]
    return [
        *functions,
        *(vars(kind)["from_config"] for kind in kinds),
        *vars(keras.reading).values(),
    ]


def test_after_the_load_keras_is_as_it_was(keras: FakeKeras) -> None:
    before = surface(keras)
    with patch_loaders(keras.module, tables((place(), first))):
        assert not any(a is b for a, b in zip(surface(keras)[:4], before[:4]))
        with patch_loaders(keras.module, tables((place(), second))):
            assert keras.core.func_load(CODE) is second
        assert keras.core.func_load(CODE) is first
    assert all(a is b for a, b in zip(surface(keras), before))
    with pytest.raises(ZeroDivisionError), patch_loaders(keras.module, tables()):
        raise ZeroDivisionError
    assert all(a is b for a, b in zip(surface(keras), before))
    assert keras.core.func_load(CODE) == "unmarshalled"


def test_a_keras_that_can_not_be_patched_whole_is_left_as_it_was(keras: FakeKeras) -> None:
    before = [keras.core.func_load, vars(keras.lambda_class)["from_config"]]
    del keras.module.layers.Lambda
    with pytest.raises(RestoreError, match="has no Lambda"), patch_loaders(keras.module, tables()):
        pass
    assert keras.core.func_load is before[0]
    keras.module.layers.Lambda = keras.lambda_class
    with patch_loaders(keras.module, tables((place(), first))):
        assert keras.core.func_load(CODE) is first
    assert [keras.core.func_load, vars(keras.lambda_class)["from_config"]] == before


def test_what_is_no_keras_is_left_alone(keras: FakeKeras) -> None:
    with patch_loaders(keras.module, tables()):
        assert keras.stranger.func_load(CODE) == "unmarshalled"


def test_other_threads_get_keras_own_answers_meanwhile(keras: FakeKeras) -> None:
    answers: list[Any] = []
    written = {"class_name": "Dense", "config": {"name": "lambda", "function": "f"}}

    def ask() -> None:
        answers.append(keras.core.func_load(CODE, [1], closure=[2], globs={}))
        answers.append(keras.layer_of({"class_name": "Lambda", "config": config()}).function)
        answers.append(keras.layer_of(written).options)
        read = keras.reading.class_and_config_for_serialized_keras_object
        answers.append(read({"class_name": "function", "config": "f"}))
        answers.append(keras.reading._find_replace_nested_dict({"a": "keras"}, "keras", "tf"))

    named = {**place(key=None, name="f"), "where": ["lambda"]}
    with patch_loaders(keras.module, tables((place(), first), (named, second))):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert answers == ["unmarshalled", "unmarshalled", {"function": "f"}, (Dense, "f"), {"a": "tf"}]
    assert keras.unmarshalled == [(CODE, [1], [2]), ([CODE, None, None], None, None)]


def test_one_load_ends_while_another_goes_on(keras: FakeKeras) -> None:
    before = surface(keras)
    outer = patch_loaders(keras.module, tables((place(), first)))
    outer.__enter__()
    thread = threading.Thread(target=lambda: layer_of(keras, tables((place(), second))))
    thread.start()
    thread.join()
    assert keras.core.func_load(CODE) is first
    assert layer_of(keras, tables((place(), second))).function is second
    outer.__exit__(None, None, None)
    assert all(a is b for a, b in zip(surface(keras), before))


def test_keras_still_sees_its_own_signatures(keras: FakeKeras) -> None:
    before = [inspect.signature(kind.from_config) for kind in (keras.lambda_class, Layer)]
    with patch_loaders(keras.module, tables()):
        after = [inspect.signature(kind.from_config) for kind in (keras.lambda_class, Layer)]
        made = keras.lambda_class.from_config(
            {"name": "l", "function": 1}, custom_objects={}, safe_mode=True
        )
    assert before == after
    assert made.function == 1


def test_a_keras_that_is_imported_during_a_load_is_guarded_by_the_next(
    keras: FakeKeras, monkeypatch: pytest.MonkeyPatch
) -> None:
    with patch_loaders(keras.module, tables()):
        late = FakeKeras(monkeypatch, "tensorflow_core")
        with patch_loaders(late.module, tables((place(), first))):
            assert late.core.func_load(CODE) is first
            assert keras.core.func_load(CODE) is first
        with pytest.raises(RestoreError):
            late.core.func_load(CODE)
    assert late.core.func_load(CODE) == "unmarshalled"
