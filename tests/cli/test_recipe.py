"""`asr recipe` shows what a run would use, what differs, and a schema that says what the types say."""

import json
from pathlib import Path

import yaml
from click.testing import CliRunner, Result

from asr.cli import main
from asr.recipe.files import load_recipe

ROOT = Path(__file__).resolve().parents[2]
SMOKE = str(ROOT / "recipes" / "smoke.yaml")


def recipe(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["recipe", *arguments])


def test_show_is_the_resolved_recipe(tmp_path: Path) -> None:
    result = recipe("show", SMOKE, "seed=7")
    (tmp_path / "resolved.yaml").write_text(result.stdout)
    assert load_recipe(tmp_path / "resolved.yaml") == load_recipe(Path(SMOKE), ["seed=7"])
    assert yaml.safe_load(result.stdout)["optimiser"]["clip_norm"] == 1.0


def test_diff_names_keys_and_values(tmp_path: Path) -> None:
    variant = tmp_path / "variant.yaml"
    variant.write_text(f"extends: {SMOKE}\nseed: 7\noptimiser: {{ema: 0.9}}\n")
    result = recipe("diff", SMOKE, str(variant))
    assert (result.exit_code, result.stdout) == (1, "seed: 1 -> 7\noptimiser.ema: 0.0 -> 0.9\n")
    same = recipe("diff", SMOKE, SMOKE)
    assert (same.exit_code, same.stdout) == (0, "")


def test_the_schema_describes_every_key() -> None:
    schema = json.loads(recipe("schema").stdout)
    assert [kind["title"] for kind in schema["anyOf"]] == ["Recipe", "LanguageRecipe", "PunctuationRecipe"]
    for section in [*schema["anyOf"], *schema["$defs"].values()]:
        assert section["additionalProperties"] is False
        for key, value in section["properties"].items():
            assert value.get("description") or "$ref" in value, key


def test_the_schema_lets_a_variant_extend() -> None:
    schema = json.loads(recipe("schema").stdout)
    for kind in schema["anyOf"]:
        assert {"required": ["extends"]} in kind["anyOf"]
        assert "extends" in kind["properties"]
    assert all("required" not in section for section in schema["$defs"].values())


def test_a_slip_in_extends_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "variant.yaml").write_text(f"extend: {SMOKE}\nseed: 7\n")
    result = recipe("show", str(tmp_path / "variant.yaml"))
    assert result.exit_code == 1
    assert "unknown key `extend` (did you mean `extends`?)" in result.output
