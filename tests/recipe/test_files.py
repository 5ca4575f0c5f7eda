"""Recipes: variants, overrides, and one clear sentence for every mistake."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import RecipeError
from asr.recipe import files as recipes
from asr.recipe.files import differences, recipe_from_tree, recipe_to_yaml
from asr.recipe.recipe import Recipe
from asr.text import CharTokenizer

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SHIPPED = sorted(RECIPES.rglob("*.yaml"))
MINIMAL: dict[str, Any] = {"name": "toy", "data": {"train": ["a.jsonl"], "dev": ["b.jsonl"]}}


def may_stand_in_an_alphabet(character: str) -> bool:
    """Said without the code under test: lower case, composed, no white space, no second apostrophe."""
    return unicodedata.normalize("NFKC", character.lower()) == character and character not in " \u02bc\u02b9\u2032`"


def recipe_file(folder: Path, tree: Any = None, name: str = "recipe.yaml") -> Path:
    """A file of a tree, or of the text as it is; the least that a recipe needs if there is neither."""
    path = folder / name
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(MINIMAL if tree is None else tree))
    return path


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe that has to be an acoustic model's."""
    recipe = recipes.load_recipe(path, overrides)
    assert isinstance(recipe, Recipe)
    return recipe


def refusal(path: Path, *overrides: str) -> str:
    """The sentence that a mistake gets."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


# What a recipe is


def test_the_defaults_are_what_the_sections_say(tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(tmp_path))
    assert recipe == recipe_from_tree(MINIMAL, "in the test")
    assert recipe.data.train == (Path("a.jsonl"),)
    assert recipe.model.frontend.time_reduction == 4
    assert CharTokenizer(recipe.text.alphabet).size == 29


def test_a_recipe_cannot_be_changed_after_reading() -> None:
    recipe = recipe_from_tree(MINIMAL, "in the test")
    for section in (recipe, recipe.model.features):
        with pytest.raises(ValueError, match="frozen"):
            setattr(section, next(iter(type(section).model_fields)), 1)


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {name: value for key, below in tree.items() for name, value in leaves(below, f"{path}.{key}").items()}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(RECIPES)))
def test_every_shipped_recipe_loads_and_comes_back_from_its_resolved_form(path: Path, tmp_path: Path) -> None:
    recipe = recipes.load_recipe(path)
    CharTokenizer(recipe.text.alphabet)
    resolved = recipe_file(tmp_path, recipe_to_yaml(recipe))
    assert recipes.load_recipe(resolved) == recipe
    written = leaves(yaml.safe_load(resolved.read_text()))
    assert "extends" not in {key.rpartition(".")[2] for key in written}
    least = MINIMAL | {kind: {} for kind in ("language", "punctuation") if hasattr(recipe, kind)}
    assert written.keys() == leaves(recipes.load_recipe(recipe_file(tmp_path, least)).model_dump(mode="json")).keys()


def test_there_are_recipes_to_test() -> None:
    assert RECIPES / "smoke.yaml" in SHIPPED


@settings(deadline=None)
@given(
    st.builds(
        lambda about, letters, rate, speeds, epochs: (
            MINIMAL
            | {"about": about, "text": {"alphabet": " " + "".join(letters)}, "training": {"epochs": epochs}}
            | {"optimiser": {"learning_rate": rate}, "augmentation": {"speeds": speeds}}
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\x85")),  # which PyYAML writes and does not read
        st.sets(st.characters(categories=["Ll", "Lo", "Po", "Mn"]).filter(may_stand_in_an_alphabet)),
        st.floats(1e-9, 10),
        st.lists(st.integers(50, 200).map(lambda hundredths: hundredths / 100), min_size=1, max_size=4),
        st.integers(1, 10**6),
    )
)
def test_any_recipe_comes_back_from_yaml(tree: dict[str, Any]) -> None:
    recipe = recipe_from_tree(tree, "in the test")
    assert recipe_from_tree(yaml.safe_load(recipe_to_yaml(recipe)), "again") == recipe


def changed(tree: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return differences(recipe_from_tree(MINIMAL, "one"), recipe_from_tree(MINIMAL | tree, "other"))


def test_differences_are_keys_with_both_values() -> None:
    assert changed({}) == {}
    assert changed({"seed": 2, "init": "runs/a", "model": {"context": {"layers": 5}}}) == {
        "seed": (1, 2),
        "init": (None, "runs/a"),
        "model.context.layers": (3, 5),
    }
    assert changed({"data": {"train": ["a.jsonl", "c.jsonl"], "dev": ["b.jsonl"]}}) == {
        "data.train": (["a.jsonl"], ["a.jsonl", "c.jsonl"])
    }


# Variants


def test_a_variant_names_what_differs(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    base = MINIMAL | {"seed": 7, "model": {"features": {"bands": 40}, "context": {"layers": 2, "hidden": 64}}}
    recipe_file(tmp_path, base, "base.yaml")
    middle = {"extends": "../base.yaml", "name": "middle", "model": {"context": {"hidden": 128}}}
    recipe_file(tmp_path / "sub", middle, "middle.yaml")
    leaf = {
        "extends": "sub/middle.yaml",
        "data": {"train": ["c.jsonl", "d.jsonl"]},
        "model": {"context": {"layers": 5}},
    }
    recipe = load_recipe(recipe_file(tmp_path, leaf, "leaf.yaml"))
    expected = MINIMAL | {
        "name": "middle",
        "seed": 7,
        "data": {"train": ["c.jsonl", "d.jsonl"], "dev": ["b.jsonl"]},  # a list is replaced, not lengthened
        "model": {"features": {"bands": 40}, "context": {"layers": 5, "hidden": 128}},
    }
    assert recipe == recipe_from_tree(expected, "in the test")


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_circle_is_refused(length: int, tmp_path: Path) -> None:
    for index in range(length):
        recipe_file(tmp_path, {"extends": f"r{(index + 1) % length}.yaml"}, f"r{index}.yaml")
    message = refusal(tmp_path / "r0.yaml")
    assert f"r0.yaml' extends itself through r{length - 1}.yaml: remove the cycle" in message


def test_one_base_reached_twice_is_no_circle(tmp_path: Path) -> None:
    base = recipe_file(tmp_path, name="base.yaml")
    for name in ("one.yaml", "two.yaml"):
        assert load_recipe(recipe_file(tmp_path, {"extends": "base.yaml"}, name)) == load_recipe(base)


def test_a_base_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, {"extends": "nowhere.yaml"})
    assert f"Recipe '{tmp_path / 'nowhere.yaml'}' cannot be read (no such file or directory)" in refusal(path)
    path = recipe_file(tmp_path, {"extends": "recipe.yaml/x"})
    assert f"Recipe '{path / 'x'}' cannot be read (not a directory)" in refusal(path)
    path = recipe_file(tmp_path, {"extends": ["a.yaml"]})
    assert "`extends` (=['a.yaml']) must be the path of another recipe" in refusal(path)


# Overrides


@pytest.mark.parametrize(
    ("override", "tree"),
    [
        ("name=other", {"name": "other"}),
        ("about=a=b", {"about": "a=b"}),
        ("training.epochs=10", {"training": {"epochs": 10}}),
        ("optimiser.learning_rate=5e-4", {"optimiser": {"learning_rate": 0.0005}}),
        ("model.context.hidden=32", {"model": {"context": {"hidden": 32}}}),
        ("model.context={layers: 1, hidden: 2}", {"model": {"context": {"layers": 1, "hidden": 2}}}),
        ("augmentation.speeds=[1.0]", {"augmentation": {"speeds": [1.0]}}),
        ("data={train: [x, y], dev: [z]}", {"data": {"train": ["x", "y"], "dev": ["z"]}}),
        ('text.alphabet=" xyz"', {"text": {"alphabet": " xyz"}}),
    ],
)
def test_an_override_is_the_value_in_the_file(override: str, tree: dict[str, Any], tmp_path: Path) -> None:
    path = recipe_file(tmp_path)
    changed = load_recipe(path, [override])
    assert changed == recipe_from_tree(MINIMAL | tree, "in the test")
    assert changed != load_recipe(path)


def test_overrides_lie_over_variants_and_later_ones_over_earlier_ones(tmp_path: Path) -> None:
    recipe_file(tmp_path, MINIMAL | {"training": {"epochs": 1}}, "base.yaml")
    path = recipe_file(tmp_path, {"extends": "base.yaml", "training": {"epochs": 2}})
    recipe = load_recipe(path, ["training.epochs=3", "training.epochs=4", "data.dev=[x]"])
    assert recipe.training.epochs == 4
    assert recipe.data.train == (Path("a.jsonl"),)
    assert recipe.data.dev == (Path("x"),)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", "Override 'training.epochs' must have the form KEY=VALUE, for example training.epochs=10"),
        ("=3", "Override '=3' must have the form KEY=VALUE"),
        ("training.epochs=[", "The value of the override 'training.epochs=[' is not valid YAML: while parsing a flow"),
        ("training.epochs=2020-13-45", "override 'training.epochs=2020-13-45' is not valid YAML: month must be in"),
        ("model.context={layers: 1, layers: 2}", "is not valid YAML: `layers` occurs twice in a section, from line 1"),
        ("name.first=x", "Override 'name.first=x': `name` is a value, not a section"),
        ("data.train.0=x", "Override 'data.train.0=x': `train` is a value, not a section"),
        ("training.epochs=many", "`training.epochs` (='many') must be a valid integer"),
        ("training.epochs=0", "`training.epochs` (=0) must be greater than or equal to 1"),
        ("training.epoch=3", "unknown key `training.epoch` (did you mean `epochs`?)"),
    ],
)
def test_a_wrong_override_is_told(override: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(recipe_file(tmp_path), override)


# Mistakes in the file


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"trainig": {}}, "unknown key `trainig` (did you mean `training`?)"),
        ({"model": {"context": {"hiden": 3}}}, "unknown key `model.context.hiden` (did you mean `hidden`?)"),
        (
            {"model": {"frontend": {"zzz": 3}}},
            "unknown key `model.frontend.zzz` (known here: channels, time_reduction).",
        ),
        ({"epochs": 3}, "unknown key `epochs` (known here: name, about, licence, seed, init, data"),
        ({"aaa": 3, "zzz": 3}, "unknown key `aaa` (known here: name, about, licence, seed, init, data, text, model"),
        ({"data": {"train": ["a"]}}, "`data.dev` is missing, and it has no default"),
        ({"name": 3}, "`name` (=3) must be text"),
        ({"name": "two words"}, "`name` (='two words') must be one word of letters, digits, `-`, `_` and `.`"),
        ({"name": "a/b"}, "`name` (='a/b') must be one word of letters, digits, `-`, `_` and `.`"),
        ({"name": ""}, "`name` (='') must be one word of letters, digits, `-`, `_` and `.`"),
        ({"seed": -1}, "`seed` (=-1) must be greater than or equal to 0"),
        ({"training": {"epochs": 2.5}}, "`training.epochs` (=2.5) must be a valid integer"),
        (
            {"training": {"accelerator": "tpu"}},
            "`training.accelerator` (='tpu') must be 'auto', 'cpu' or 'gpu'",
        ),
        (
            {"model": {"frontend": {"time_reduction": 3}}},
            "`model.frontend.time_reduction` (=3) must be 2, 4 or 8",
        ),
        (
            {"optimiser": {"learning_rate": float("nan")}},
            "`optimiser.learning_rate` (=nan) must be a finite number",
        ),
        (
            {"augmentation": {"speeds": [3]}},
            "`augmentation.speeds` (=[3.0]) must be factors from 0.5 to 2 in hundredths",
        ),
        (
            {"objective": {"intermediate": [3]}},
            "`objective.intermediate` (=[3]) must name layers from 1 to 2",
        ),
        ({"objective": {"intermediate": [1, 0]}}, "`objective.intermediate` (=[1, 0]) must name layers from 1 to 2"),
        ({"training": 3}, "`training` (=3) must be a section of `key: value` lines"),
        ({"training": None}, "`training` (=None) must be a section of `key: value` lines"),
        ({1: 2}, "`1` (=1) keys should be strings"),
        ({"name": ".."}, "`name` (='..') must be one word of letters"),
        ({"data": {"train": "a", "dev": ["b"]}}, "`data.train` (='a') must be a list, [like, this]"),
        ({"data": {"train": ["a", 3], "dev": ["b"]}}, "`data.train.1` (=3) must be a path"),
        ({"data": {"train": [], "dev": ["b"]}}, "`data.train` (=[]) must name at least one"),
        ({"data": {"train": ["a"], "dev": []}}, "`data.dev` (=[]) must name at least one"),
        ({"optimiser": {"clip_norm": float("inf")}}, "`optimiser.clip_norm` (=inf) must be a finite number"),
        ({"training": {"epochs": True}}, "`epochs` (=true) must not be yes or no"),
        ({"about": False}, "`about` (=false) must not be yes or no"),
        (
            {"data": {"train": ["a"], "dev": ["b"], "curriculum": "x"}},
            "`data.curriculum` (='x') must be a valid boolean",
        ),
        ({"text": {"alphabet": "abc"}}, "The alphabet 'abc' lacks the space, which separates words: add it"),
        ({"model": {"features": {"hop_ms": 0.01}}}, "`window_ms` (=25.0) and `hop_ms` (=0.01) are below a sample"),
        ({"model": {"features": {"bands": 200}}}, "`bands` (=200) is too many for a window of 25.0 ms"),
    ],
)
def test_a_mistake_is_told_with_key_value_and_rule(tree: dict[Any, Any], message: str, tmp_path: Path) -> None:
    path = recipe_file(tmp_path, MINIMAL | tree)
    told = refusal(path)
    assert told.startswith(f"Recipe '{path}': {message}")


def test_the_number_of_further_mistakes_is_told(tmp_path: Path) -> None:
    message = refusal(recipe_file(tmp_path, MINIMAL | {"aaa": 3, "zzz": 3, "seed": "x"}))
    assert message.endswith("(2 more like this).")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: b: c", "is not valid YAML: mapping values are not allowed here in .*, line 1, column 5"),
        (b"name: [1", "is not valid YAML: .*line 1"),
        (b"name: !!python/object:os.system x", "is not valid YAML: .*python/object"),
        (b"name: \x00", "is not valid YAML"),
        (b"seed: 2020-13-45", r"is not valid YAML: month must be in .*\."),
        (b"name: a\ndata: {}\nname: b", "is not valid YAML: `name` occurs twice in a section, from line 1 on"),
        (
            b"a: 1\ntraining: {epochs: 1, epochs: 1}",
            "is not valid YAML: `epochs` occurs twice in a section, from line 2",
        ),
        (b"? [1]\n: 2", "is not valid YAML: .*unhashable"),
        (b"\xff\xfe\x00", "is not UTF-8 text: give the path of a .yaml file"),
        (b"- a\n- b\n", "holds list, and a recipe is `key: value` lines"),
        (b"just words", "holds str, and a recipe is `key: value` lines"),
        (b"", "holds NoneType, and a recipe is `key: value` lines"),
    ],
)
def test_a_file_that_is_no_recipe_is_told(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    told = refusal(path)
    assert told.startswith(f"Recipe '{path}' ")
    assert re.search(message, told)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "nowhere.yaml", "no such file or directory"), (tmp_path, "is a directory")):
        assert refusal(path) == f"Recipe '{path}' cannot be read ({reason}): give the path of a .yaml file."


def test_the_type_is_a_recipe() -> None:
    assert isinstance(recipe_from_tree(MINIMAL, "in the test"), Recipe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: " + "[" * 100_000, "nested more than 32 levels deep"),
        ("name: " + '{"a":' * 30_000, "nested more than 32 levels deep"),
        ("\n".join(" " * depth + "a:" for depth in range(500)), "nested more than 32 levels deep"),
        ("name: toy\n" * 30_000, "has 300,000 characters, but a recipe may have 200,000"),
        ("".join(f"key{number}: 1\n" for number in range(15_000)), "unknown|not a|key"),
    ],
)
def test_recipes_that_would_take_the_parser_for_ever(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "r.yaml")


# Phones

WITH_PHONES: dict[str, Any] = {"model": {"phones": ["AA", "B"]}, "objective": {"pronunciations": "cmudict.txt"}}


@pytest.mark.parametrize(("reduction", "shifts"), [(4, 3), (4, 8), (2, 4)])
def test_shifts_must_divide_the_time_reduction(reduction: int, shifts: int, tmp_path: Path) -> None:
    path = recipe_file(tmp_path, MINIMAL)
    message = refusal(path, f"model.shifts={shifts}", f"model.frontend.time_reduction={reduction}")
    assert f"`model.shifts` (={shifts}) must divide `model.frontend.time_reduction` (={reduction})" in message


def test_phones_and_pronunciations_go_together(tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(tmp_path, MINIMAL | WITH_PHONES))
    assert recipe.model.phones == ("AA", "B")
    assert recipe.objective.phone_weight == 0.5
    for section, value in WITH_PHONES.items():
        one = recipe_file(tmp_path, MINIMAL | {section: value})
        assert "`model.phones` and `objective.pronunciations` need each other" in refusal(one)
    assert "`objective.phone_mmi` (=0.9) needs a head over phones" in refusal(
        recipe_file(tmp_path, MINIMAL | {"objective": {"phone_mmi": 0.9}})
    )


@pytest.mark.parametrize(
    ("phones", "message"),
    [
        ("[AA]", "at least two names"),
        ("[AA, B, AA]", "different names, but 'AA' occurs twice"),
        ("[AA, '']", "without white space, not ''"),
        ("[AA, 'B C']", "without white space, not 'B C'"),
        ("[AA, on]", "`model.phones.1` (=True) must be text"),
    ],
)
def test_bad_names_of_phones_are_refused(phones: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(recipe_file(tmp_path, MINIMAL | WITH_PHONES), f"model.phones={phones}")


def test_recipes_of_older_versions_with_a_phone_layer(tmp_path: Path) -> None:
    """A head in training only, which the stored models do not contain."""
    old = {"objective": {"intermediate": [], "phone_layer": 2, "pronunciations": "cmudict.txt"}}
    assert recipe_from_tree(MINIMAL | old, "of a model") == recipe_from_tree(MINIMAL, "in the test")
    assert "`objective.phone_layer` (=2) no longer exists" in refusal(recipe_file(tmp_path, MINIMAL | old))
    without = {"objective": {"phone_layer": 0, "pronunciations": None}}
    assert load_recipe(recipe_file(tmp_path, MINIMAL | without)) == recipe_from_tree(MINIMAL, "in the test")
