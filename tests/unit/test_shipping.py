"""Locks, bundles and exports: what they hold, and what is refused of those that come from elsewhere."""

from __future__ import annotations

import json
import re
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from capsule.consent.plan import make_plan
from capsule.errors import InputError
from capsule.rebuild.bundling import is_bundle, unpack_bundle
from capsule.rebuild.exporting import FORMS, require_form
from capsule.rebuild.installers import Uv
from capsule.rebuild.locks import lock_path, read_hashes
from capsule.rebuild.pins import Pins
from capsule.rebuild.python_discovery import Interpreter
from capsule.rebuild.recipe import Recipe
from capsule.rebuild.resolve import Resolution
from capsule.rebuild.sources import Sources, without_secret
from tests.making import described, manifest_with

PYTHON = Interpreter(Path("python"), "3.11.7", True)
PINS = Pins(("keras==3.15.1", "numpy==2.4.6"), {"keras": "3.15.1", "numpy": "2.4.6"})
A, B = "a" * 64, "b" * 64


def ready(name: str = 'my "model".keras') -> Resolution:
    description = described(manifest_with(), path=name)
    return Resolution(description, make_plan(description), PYTHON, PINS)


def locked(path: Path, **versions: str) -> Path:
    lines = ['lock-version = "1.0"', 'created-by = "uv"']
    for name, version in versions.items():
        lines += [
            "[[packages]]",
            f'name = "{name}"',
            f'version = "{version}"',
            f'wheels = [{{ url = "x", hashes = {{ sha256 = "{A}" }} }}]',
            f'sdist = {{ url = "y", hashes = {{ sha256 = "{B}" }} }}',
        ]
    path.write_text("\n".join(lines))
    return path


def test_a_lock_is_named_as_its_standard_wants_it() -> None:
    assert lock_path(Path("a/model.v2.h5")) == Path("a/pylock.model-v2-h5.toml")


def test_hashes_of_a_lock_go_to_the_installer_and_into_the_key(tmp_path: Path) -> None:
    hashes = read_hashes(locked(tmp_path / "l.toml", keras="3.15.1", numpy="2.4.6"), PINS)
    assert hashes == {"keras": (A, B), "numpy": (A, B)}
    pins = Pins(PINS.requirements, PINS.versions, hashes=hashes)
    assert f"keras==3.15.1 --hash=sha256:{A} --hash=sha256:{B}\n" in pins.as_text()
    keys = {Recipe(PYTHON, each, Uv()).key for each in (PINS, pins)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not = [toml", "is no TOML"),
        ('lock-version = "2.0"\npackages = []', "no lock of version 1"),
        (
            'lock-version = "1.0"\npackages = [{name = "keras"}]',
            r"packages\[0\] has no name or version",
        ),
        ('lock-version = "1.0"\npackages = [{name = "keras", version = "3.15.1"}]', "no SHA-256"),
    ],
)
def test_a_lock_that_is_none_is_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "l.toml").write_text(text)
    with pytest.raises(InputError, match=told):
        read_hashes(tmp_path / "l.toml", PINS)


def test_a_lock_of_other_distributions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no numpy"):
        read_hashes(locked(tmp_path / "l.toml", keras="3.15.1"), PINS)
    with pytest.raises(InputError, match=r"has numpy 2\.0\.0, the model 2\.4\.6"):
        read_hashes(locked(tmp_path / "l.toml", keras="3.15.1", numpy="2.0.0"), PINS)


def test_requirements_are_pips_own() -> None:
    lines = FORMS["requirements"](ready()).splitlines()
    assert [str(Requirement(line)) for line in lines if not line.startswith("#")] == [
        "keras==3.15.1",
        "numpy==2.4.6",
    ]


def test_a_dockerfile_verifies_the_model_as_its_last_step() -> None:
    steps = [line for line in FORMS["dockerfile"](ready()).splitlines() if line[:1].isupper()]
    assert steps[0] == "FROM python:3.11.7-slim"
    assert steps[-1].startswith("RUN [")
    assert json.loads(steps[-1][4:])[:3] == [
        "/opt/capsule/bin/capsule",
        "verify",
        '/model/my "model".keras',
    ]
    copied = next(step for step in steps if step.startswith("COPY"))
    assert copied_files(json.loads(copied[5:])[1]) == 'my "model".keras.capsule.json'


def copied_files(word: str) -> str:
    """Return the file that COPY takes for *word*: first a word of a shell, then a pattern."""
    return without_escapes(without_escapes(word, special="'\"$"), special="*?[")


def without_escapes(text: str, special: str) -> str:
    """Return *text* with the characters that backslashes guard; none of *special* is unguarded."""
    name, characters = "", iter(text)
    for character in characters:
        assert character not in special, text
        name += next(characters) if character == "\\" else character
    return name


# What a file may be called, on Linux at least.
ODD_NAMES = [
    "x\nRUN evil.keras",
    "x\r--index-url=y.keras",
    "x\x0bnumpy==1.keras",
    "x\x85y.keras",
    "x\u2028y.keras",
    "syntax=evil:1.keras",
    "escape=`.keras",
    "coding:utf-7 .keras",
    "a$HOME${PATH}.keras",
    "a*b?[c].keras",
    "it's.keras",
    'a"b.keras',
    "back\\slash.keras",
    "-r evil.keras",
    "#.keras",
    "a: b, - c.keras",
    "x\udcffy.keras",
    "mod\u00e8le.keras",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_a_file_name_is_never_a_line_of_an_export(name: str) -> None:
    plain = {form: FORMS[form](ready("model.keras")) for form in FORMS if form != "pylock"}
    for form, text in plain.items():
        odd = FORMS[form](ready(name))
        assert len(odd.splitlines()) == len(text.splitlines()), form
        odd.encode()
        for line, expected in zip(odd.splitlines(), text.splitlines()):
            # Up to the name, and after it, each line is what it always is.
            start = expected.partition("model")[0]
            assert line.startswith(start), form
            assert "model" in expected or line == expected, form


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_a_file_name_is_no_directive_of_a_docker_or_requirements_file(name: str) -> None:
    first = FORMS["dockerfile"](ready(name)).splitlines()[0]
    assert not re.match(r"#\s*[a-zA-Z][a-zA-Z0-9]*\s*=", first)
    head = FORMS["requirements"](ready(name)).splitlines()[:2]
    assert not any(re.search(r"coding[:=]", line) for line in head)


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if "\udcff" not in name], ids=ascii)
def test_docker_copies_and_verifies_the_file_of_that_name(name: str) -> None:
    lines = FORMS["dockerfile"](ready(name)).splitlines()
    copied = json.loads(next(line for line in lines if line.startswith("COPY"))[5:])
    assert [copied_files(word) for word in copied] == [name, f"{name}.capsule.json", "/model/"]
    assert json.loads(lines[-1][4:])[2] == f"/model/{name}"


def test_the_name_of_a_conda_environment_is_one_text(tmp_path: Path) -> None:
    for name in ODD_NAMES:
        data = yaml.safe_load(FORMS["conda"](ready(name)))
        assert list(data) == ["name", "dependencies"]
        assert data["name"].isprintable()
    assert yaml.safe_load(FORMS["conda"](ready("modèle.keras")))["name"] == "modèle"


@pytest.mark.parametrize(
    ("version", "encoded"),
    [("2.4.6", "2.4.6"), ("2.4.6+cpu", "2.4.6%2Bcpu"), ("1!2.0", "1%212.0"), ("1.0rc1", "1.0rc1")],
)
def test_a_purl_has_its_version_encoded(version: str, encoded: str) -> None:
    pins = Pins((f"numpy=={version}",), {"numpy": version})
    bom = json.loads(FORMS["cyclonedx"](replace(ready(), pins=pins)))
    component = bom["components"][1]
    assert component["purl"] == f"pkg:pypi/numpy@{encoded}"
    assert (component["name"], component["version"]) == ("numpy", version)


def test_a_bill_of_materials_names_model_python_and_distributions() -> None:
    bom = json.loads(FORMS["cyclonedx"](ready()))
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
    assert bom["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": A}]
    assert [part["purl"] for part in bom["components"]] == [
        "pkg:generic/python@3.11.7",
        "pkg:pypi/keras@3.15.1",
        "pkg:pypi/numpy@2.4.6",
    ]
    refs = {part["bom-ref"] for part in bom["components"]}
    assert set(bom["dependencies"][0]["dependsOn"]) == refs


def test_a_conda_environment_pins_python_and_the_rest_by_pip() -> None:
    text = FORMS["conda"](ready("model.keras"))
    assert 'name: "model"' in text
    assert "  - python=3.11.7\n" in text
    assert '      - "numpy==2.4.6"\n' in text


def test_an_unknown_form_is_one_sentence() -> None:
    with pytest.raises(InputError, match="requirements, pylock, dockerfile, conda, cyclonedx"):
        require_form("poetry")


def test_passwords_of_an_index_are_kept_nowhere() -> None:
    sources = Sources("https://me:secret@index.example/simple", ("https://you:secret@x.example",))
    assert "secret" not in json.dumps(sources.identity)
    assert "https://me:secret@index.example/simple" in sources.arguments()
    assert without_secret("https://index.example/a?b") == "https://index.example/a?b"
    with pytest.raises(InputError, match="no address"):
        Sources("--target=/somewhere")
    assert Sources(find_links=("wheels",), offline=True).arguments() == [
        "--no-index",
        "--find-links",
        "wheels",
    ]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cache").mkdir(mode=0o700)
    monkeypatch.setenv("CAPSULE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def bundle(path: Path, *more: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m.keras", b"model")
        archive.writestr("m.keras.capsule.json", b"{}")
        archive.writestr("pylock.m-keras.toml", b"")
        archive.writestr("wheels/a-1.0-py3-none-any.whl", b"wheel")
        for info, data in more:
            archive.writestr(info, data)
    return path


def test_a_bundle_is_unpacked_once_into_the_cache(tmp_path: Path, cache: Path) -> None:
    path = bundle(tmp_path / "m.keras.capsule.zip")
    assert is_bundle(path)
    artifact, sources = unpack_bundle(path)
    assert artifact.read_bytes() == b"model"
    assert sources.offline
    assert unpack_bundle(path)[0] == artifact
    assert cache in artifact.parents


def _link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("wheels/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/outside",
        "wheels/../../outside",
        "other/file",
        "wheels/a/b",
        "wheels\\..\\outside",
        "c:outside",
    ],
)
def test_a_bundle_whose_names_lead_out_of_it_is_refused(
    tmp_path: Path, cache: Path, name: str
) -> None:
    path = bundle(tmp_path / "m.capsule.zip", (name, b"x"))
    with pytest.raises(InputError, match="which no bundle does"):
        unpack_bundle(path)
    assert not (tmp_path / "outside").exists()
    assert not list((cache / "bundles").iterdir())


def test_links_doubles_and_damage_in_a_bundle_are_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(InputError, match="no plain file"):
        unpack_bundle(bundle(tmp_path / "l.capsule.zip", (_link(), b"/etc/passwd")))
    with pytest.warns(UserWarning, match="Duplicate"):
        path = bundle(tmp_path / "d.capsule.zip", ("m.keras", b"other"))
    with pytest.raises(InputError, match="a name twice"):
        unpack_bundle(path)
    whole = bundle(tmp_path / "w.capsule.zip").read_bytes()
    (tmp_path / "c.capsule.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        unpack_bundle(tmp_path / "c.capsule.zip")
    with zipfile.ZipFile(tmp_path / "n.capsule.zip", "w") as archive:
        archive.writestr("a.txt", b"x")
    with pytest.raises(InputError, match="is no bundle"):
        unpack_bundle(tmp_path / "n.capsule.zip")
