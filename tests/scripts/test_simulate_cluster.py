"""A small cluster in the simulation: nothing is lost, and only what kills its workers is set aside."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("fsspec", reason="needs the extra bulk")
SCRIPT = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "simulate_cluster.py"))
BASE = ["--workers", "20", "--shards", "300", "--shard-size", "1", "--slow", "0.02"]


def simulate(*options: str) -> dict[str, float]:
    return SCRIPT["simulate"](SCRIPT["parse"]([*BASE, *options]))


def test_nothing_is_lost_when_the_command_is_killed_and_machines_fail() -> None:
    found = simulate("--kills", "4", "--hours-to-failure", "5", "--poison", "0.02", "--arrival-s", "1")
    assert found["lost"] == found["set aside without being poisonous"] == 0
    assert 1 <= found["set aside"] <= 20


def test_second_workers_end_stragglers() -> None:
    calm = ["--kills", "0", "--poison", "0", "--hours-to-failure", "1000", "--slow", "0.05", "--slow-factor", "30"]
    with_copies = simulate(*calm)
    assert with_copies["written twice"] >= 0
    assert with_copies["minutes"] < 0.8 * simulate(*calm, "--no-copies")["minutes"]
