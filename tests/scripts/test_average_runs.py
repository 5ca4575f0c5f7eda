"""`scripts/average_runs.py`: the mean of the weights of runs with one network."""

import subprocess
import sys
from pathlib import Path

import torch

from asr.recipe.files import recipe_from_tree
from asr.text import CharTokenizer
from asr.training import checkpoint

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "average_runs.py"


def saved(path: Path, seed: int, hidden: int = 3) -> dict[str, torch.Tensor]:
    context = {"layers": 1, "hidden": hidden}
    tree = {"name": "toy", "data": {"train": ["a.jsonl"], "dev": ["b.jsonl"]}, "model": {"context": context}}
    torch.manual_seed(seed)
    model = checkpoint.build(recipe_from_tree(tree, "in the test"), CharTokenizer(" ab"))
    scores = {"dev": {"wer": {"rate": 0.5}}}
    checkpoint.save(path, model.network, model.description, made_with="1", created="2026-01-01", scores=scores)
    return model.network.state_dict()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_weights_are_averaged_and_scores_left_out(tmp_path: Path) -> None:
    states = [saved(tmp_path / f"{seed}.safetensors", seed) for seed in range(3)]
    done = run(*(tmp_path / f"{seed}.safetensors" for seed in range(3)), "-o", tmp_path / "mean.safetensors")
    assert done.returncode == 0, done.stderr
    model = checkpoint.load(tmp_path / "mean.safetensors")
    assert model.description.name == "toy"
    assert not model.description.scores
    for name, tensor in model.network.state_dict().items():
        expected = torch.stack([state[name] for state in states]).float().mean(0)
        torch.testing.assert_close(tensor.float(), expected)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "a.safetensors", 0)
    saved(tmp_path / "b.safetensors", 0, hidden=4)
    done = run(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "-o", tmp_path / "mean.safetensors")
    assert done.returncode
    assert "has another network than" in done.stderr
    assert not (tmp_path / "mean.safetensors").exists()
