"""`asr recipe`: look at recipes without running them."""

from pathlib import Path

import click

RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")


@click.group()
def recipe() -> None:
    """Show a recipe with all its defaults, compare two, or print the schema of all keys.

    \b
    Example:
      asr recipe show recipes/an4/base.yaml
    """


@recipe.command()
@RECIPE
@OVERRIDES
def show(recipe: Path, overrides: tuple[str, ...]) -> None:
    """Print RECIPE as a run would use it: what it extends, its overrides and every default written out.

    \b
    Example:
      asr recipe show recipes/an4/base.yaml training.epochs=10
    """
    from asr.recipe.files import load_recipe, recipe_to_yaml

    click.echo(recipe_to_yaml(load_recipe(recipe, overrides)), nl=False)


@recipe.command()
@RECIPE
@click.argument("other", type=click.Path(path_type=Path))
def diff(recipe: Path, other: Path) -> None:
    """Print the keys in which two recipes differ, with both values; exit status 1 if there are any, as diff has it.

    \b
    Example:
      asr recipe diff recipes/an4/base.yaml runs/an4/recipe.yaml
    """
    from asr.recipe.files import differences, load_recipe

    found = differences(load_recipe(recipe), load_recipe(other))
    for key, (one, two) in found.items():
        click.echo(f"{key}: {one!r} -> {two!r}")
    if found:
        raise SystemExit(1)


@recipe.command()
def schema() -> None:
    """Print the JSON schema of recipes, with a description of every key; editors complete and check with it.

    \b
    Example:
      asr recipe schema > recipe.schema.json
    """
    import json

    from asr.recipe.files import recipe_schema

    click.echo(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
