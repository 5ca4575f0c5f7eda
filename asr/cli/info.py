"""`asr info`."""

from typing import Any

import click

from asr.cli import options


def _in_short(values: dict[str, Any]) -> str:
    """Settings on one line."""
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in numbers.items())


@click.command()
@click.argument("model", required=False, type=options.ModelType())
@click.option("--full", is_flag=True, help="Show everything, including the recipe and the notices.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, including the recipe.")
def info(model: str | None, full: bool, as_json: bool) -> None:
    """Show what a model file contains: licence, size, scores, decoding settings and recipe.

    MODEL is an .onnx file or the name of a shipped model; `punctuation` is the one that writes readable text.
    [default: $ASR_MODEL, else english] Without --full, only what fits on a screen is shown.

    \b
    Example:
      asr info an4
    """
    import json
    import textwrap

    from asr import models
    from asr.models import card
    from asr.models.description import AcousticDescription
    from asr.models.session import describe

    path = models.find(model)
    description = describe(path)
    tokenizer = json.loads(description.tokenizer.to_json())
    facts = {
        "name": description.name,
        "file": str(path),
        "size_mb": round(path.stat().st_size / 1e6, 1),
        "about": description.about,
        "licence": description.licence,
        "parameters": description.parameters,
        "tokenizer": tokenizer,
        "made_with": description.made_with,
        "created": description.created,
        "scores": description.scores,
        "recipe": description.recipe,
        "notices": models.notices(path),
    }
    if isinstance(description, AcousticDescription):
        facts |= {
            "precision": description.precision,
            "language_model_mb": round(len(description.language_model) * 3 / 4e6, 1),
            "sample_rate": description.sample_rate,
            "frame_shift_s": description.frame_shift_s,
            "decoding": description.decoding.to_dict(),
        }
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    import yaml

    facts["parameters"] = f"{description.parameters / 1e6:.1f} M"
    facts["tokenizer"] = f"{description.tokenizer.size} {tokenizer['type']}, blank included: {tokenizer['alphabet']!r}"
    facts["made_with"] = f"asr {description.made_with}, {description.created}"
    del facts["created"]
    notices = facts.pop("notices")
    scores = dict(facts.pop("scores"))
    evaluations = scores.pop("evaluations", [])
    nested = {"scores": scores} | {name: facts.pop(name) for name in ("decoding", "recipe") if name in facts}
    width = max(map(len, facts))
    for name, value in facts.items():
        lines = textwrap.wrap(str(value), max(40, 110 - width)) or [""]
        click.echo(f"{name:<{width}}  " + f"\n{'':<{width}}  ".join(lines))
    if evaluations:
        shown = evaluations if full else card.in_short(evaluations)
        click.echo("\n".join(["", *card.table(shown), *([""] if full else [])]))
    if not full:
        decoding = f"Decoding: {_in_short(nested['decoding'])}. " if "decoding" in nested else ""
        click.echo(f"\n{decoding}The recipe, notices and more: --full.")
        return
    click.echo(yaml.safe_dump(nested, sort_keys=False, allow_unicode=True, width=110).rstrip())
    if notices:
        click.echo(f"\n{notices.rstrip()}")
