"""`asr recipe`: inspect recipes without running them."""

from pathlib import Path

import click

RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")


@click.group()
def recipe() -> None:
    """Show, compare and document recipes.

    \b
    Example:
      asr recipe show recipes/an4/base.yaml
    """


@recipe.command()
@RECIPE
@OVERRIDES
def show(recipe: Path, overrides: tuple[str, ...]) -> None:
    """Print RECIPE as a run would use it.

    Base recipes, overrides and all default values are resolved.

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
    """Print the differences between two recipes.

    One line per key, with both values. The exit status is 1 if the recipes differ.

    \b
    Example:
      asr recipe diff recipes/an4/base.yaml runs/an4/recipe.yaml
    """
    from asr.recipe.files import differences, load_recipe

    changes = differences(load_recipe(recipe), load_recipe(other))
    for key, (old, new) in changes.items():
        click.echo(f"{key}: {old!r} -> {new!r}")
    if changes:
        raise SystemExit(1)


@recipe.command()
def schema() -> None:
    """Print the JSON schema of recipes.

    It describes every key; editors use it for completion and validation.

    \b
    Example:
      asr recipe schema > recipe.schema.json
    """
    import json

    from asr.recipe.files import recipe_schema

    click.echo(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
