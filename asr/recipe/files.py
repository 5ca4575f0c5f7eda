"""A recipe: everything that decides what a training run does, as data.

A recipe is a YAML file; `extends: other.yaml` makes it a variant that names only what differs. Values can be
overridden on the command line (`optimiser.learning_rate=5e-4`), and both are checked alike: an unknown key is an
error that suggests the nearest known one.
"""

import difflib
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from asr.errors import RecipeError
from asr.recipe.recipe import AnyRecipe, LanguageRecipe, PunctuationRecipe, Recipe

Kind = TypeVar("Kind", Recipe, LanguageRecipe, PunctuationRecipe)
AnyKind = TypeVar("AnyKind", bound=AnyRecipe)


RULES = {
    "tuple_type": "must be a list, [like, this]",
    "model_type": "must be a section of `key: value` lines",
    "too_short": "must name at least one",
    "string_type": "must be text",
    "path_type": "must be a path",
}
"""What pydantic says in Python's words, in YAML's."""


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> AnyRecipe:
    """Read a recipe and apply `KEY=VALUE` overrides. Raises RecipeError naming file, key, value and rule."""
    tree = _read(path, ())
    for override in overrides:
        _override(tree, override)
    if "language" in tree:
        return language_recipe_from_tree(tree, f"'{path}'")
    if "punctuation" in tree:
        return punctuation_recipe_from_tree(tree, f"'{path}'")
    return _checked(tree, f"'{path}'", Recipe)


def recipe_from_tree(tree: Any, where: str) -> Recipe:
    """Check a nested dict, as stored in a model, against an acoustic model's recipe's types.

    In older versions, a head over phones was part of the training only: the model does not contain it, so
    `objective.phone_layer` and its dictionary are dropped.
    """
    objective = tree.get("objective") if isinstance(tree, dict) else None
    if isinstance(objective, dict) and objective.get("phone_layer"):
        kept = {key: value for key, value in objective.items() if key not in ("phone_layer", "pronunciations")}
        tree = tree | {"objective": kept}
    return _checked(tree, where, Recipe)


def language_recipe_from_tree(tree: Any, where: str) -> LanguageRecipe:
    """The same for a language model's recipe."""
    return _checked(tree, where, LanguageRecipe)


def punctuation_recipe_from_tree(tree: Any, where: str) -> PunctuationRecipe:
    """The same for a punctuation model's recipe."""
    return _checked(tree, where, PunctuationRecipe)


def _checked(tree: Any, where: str, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first, *others = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        more = len(others)
        also = f" ({more} more like this)" if more else ""
        raise RecipeError(f"Recipe {where}: {_sentence(first, kind)}{also}.") from None


def recipe_to_yaml(recipe: AnyRecipe) -> str:
    """The recipe with every default written out; reading it back gives an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=118)


def with_values(recipe: AnyKind, values: Mapping[str, Any]) -> AnyKind:
    """The same recipe with other values, given by dotted keys."""
    tree = recipe.model_dump(mode="json")
    for key, value in values.items():
        *sections, last = key.split(".")
        section = tree
        for name in sections:
            section = section[name]
        section[last] = value
    return type(recipe).model_validate(tree)


def value_of(recipe: AnyRecipe, key: str) -> Any:
    """The value at a dotted key; None where this kind of recipe has no such key."""
    return _flat(recipe.model_dump(mode="json")).get(key)


def differences(one: AnyRecipe, other: AnyRecipe) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ -> both values."""
    values = [_flat(recipe.model_dump(mode="json")) for recipe in (one, other)]
    keys = values[0] | values[1]
    pairs = {key: (values[0].get(key), values[1].get(key)) for key in keys}
    return {key: (a, b) for key, (a, b) in pairs.items() if a != b}


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one dict with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _read(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    """A recipe file as nested dicts, laid over the one that it extends."""
    if path.resolve() in children:
        raise RecipeError(f"Recipe '{path}' extends itself through {children[-1].name}: remove the cycle.")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise RecipeError(f"Recipe '{path}' cannot be read ({reason}): give the path of a .yaml file.") from None
    except UnicodeDecodeError:
        raise RecipeError(f"Recipe '{path}' is not UTF-8 text: give the path of a .yaml file.") from None
    tree = _yaml(text, f"Recipe '{path}'")
    if not isinstance(tree, dict):
        raise RecipeError(f"Recipe '{path}' holds {type(tree).__name__}, and a recipe is `key: value` lines.")
    parent = tree.pop("extends", None)
    if parent is None:
        return tree
    if not isinstance(parent, str):
        raise RecipeError(f"Recipe '{path}': `extends` (={parent!r}) must be the path of another recipe.")
    return _overlay(_read(path.parent / parent, (*children, path.resolve())), tree)


class _Loader(yaml.SafeLoader):
    """Refuses a key that occurs twice in a section; YAML itself would silently drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if not key.tag.endswith(":merge")]
        for key, count in Counter(key for key in keys if isinstance(key, Hashable)).items():
            if count > 1:
                raise ValueError(f"`{key}` occurs twice in a section, from line {node.start_mark.line + 1} on")
        return super().construct_mapping(node, deep)


LONGEST_VALUE = 200
"""Characters of a value in a message."""
MAX_ALIASES = 20
"""Aliases in a YAML file: each could repeat a part that repeats others."""


MAX_DEPTH = 32
"""Sections and lists in each other."""
MAX_CHARACTERS = 200_000
"""Length of a YAML file: the parser takes a second for it."""


def _yaml(text: str, where: str) -> Any:
    """What YAML says. Raises RecipeError."""
    if len(text) > MAX_CHARACTERS:
        raise RecipeError(f"{where} has {len(text):,} characters, but a recipe may have {MAX_CHARACTERS:,}.")
    try:
        _check_structure(text, where)
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise RecipeError(f"{where} is not valid YAML: {' '.join(str(error).split()).rstrip('.')}.") from None


def _check_structure(text: str, where: str) -> None:
    """Refuse what takes YAML's parser long: deep nesting, and aliases of aliases."""
    aliases = depth = 0
    for event in yaml.parse(text, _Loader):
        aliases += isinstance(event, yaml.AliasEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise RecipeError(f"{where} is nested more than {MAX_DEPTH} levels deep.")
    if aliases > MAX_ALIASES:
        raise RecipeError(f"{where} has {aliases:,} aliases (`*name`), but a recipe may have {MAX_ALIASES}.")


def _overlay(base: dict[str, Any], variant: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `variant` put over it, section by section."""
    result = dict(base)
    for key, value in variant.items():
        below = result.get(key)
        result[key] = _overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _override(tree: dict[str, Any], override: str) -> None:
    """Put one `a.b=VALUE`, VALUE in YAML, into the tree."""
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"Override '{override}' must have the form KEY=VALUE, for example training.epochs=10.")
    *sections, last = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise RecipeError(f"Override '{override}': `{section}` is a value, not a section.")
    tree[last] = _yaml(value, f"The value of the override '{override}'")


def _sentence(error: Any, kind: type[BaseModel]) -> str:
    """A pydantic error as `key` (=value) rule."""
    path = [str(part) for part in error["loc"]]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _known_keys(kind, path[:-1]), n=1)
        known = ", ".join(_known_keys(kind, path[:-1]))
        return f"unknown key `{key}` " + (f"(did you mean `{near[0]}`?)" if near else f"(known here: {known})")
    if error["type"] == "missing":
        return f"`{key}` is missing, and it has no default"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"]).rstrip(".")
    rule = RULES.get(error["type"]) or re.sub("^Input should", "must", error["msg"])
    return f"`{key}` (={_shown(error['input'])}) {rule[0].lower()}{rule[1:]}"


def _shown(value: Any) -> str:
    """A value for a message, cut off where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number with more digits than Python writes
        return "..."
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _known_keys(kind: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The keys of the section at `path`."""
    section = kind
    for key in path:
        annotation = section.model_fields[key].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        section = annotation
    return [*section.model_fields, "extends"] if section is kind else list(section.model_fields)


def recipe_schema() -> dict[str, Any]:
    """The JSON schema of a recipe file of any kind: of a whole one, and of a variant that extends another."""
    extends = {"type": "string", "description": "Path, from this file, of the recipe that this one is a variant of."}
    sections: dict[str, Any] = {}
    kinds = []
    for kind in (Recipe, LanguageRecipe, PunctuationRecipe):
        schema = kind.model_json_schema()
        sections |= schema.pop("$defs")
        schema["properties"] = {"extends": extends} | schema["properties"]
        schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["extends"]}]
        kinds.append(schema)
    for section in sections.values():
        section.pop("required", None)  # a variant's section may name only what differs
    return {"anyOf": kinds, "$defs": sections}
