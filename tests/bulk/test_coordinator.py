"""Every shard ends once, whatever happens to workers."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from asr.bulk.coordinator import LONGEST_PAUSE_S, STRAGGLING, TRIES, Coordinator, Event, drive
from asr.bulk.worker import Done, Outcome
from asr.errors import AsrError


def done(shard: str) -> Outcome:
    return Outcome(shard, Done("", 1, 1.0, []))


def failed(shard: str) -> Outcome:
    return Outcome(shard, None, "it fails")


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_shards_are_given_out_in_order_and_once() -> None:
    coordinator = Coordinator(["a", "b"])
    assert [coordinator.take() for _ in range(3)] == ["a", "b", None]
    assert not coordinator.is_finished
    assert coordinator.end(done("b"))
    assert coordinator.end(done("a"))
    assert coordinator.is_finished


def test_a_shard_that_fails_is_given_out_again_after_the_others_until_its_tries_are_used() -> None:
    coordinator = Coordinator(["a", "b"])
    given = []
    while (shard := coordinator.take()) is not None:
        given.append(shard)
        ended = coordinator.end(failed("a") if shard == "a" else done("b"))
        assert ended == (shard == "b" or given.count("a") == TRIES)
    assert given == ["a", "b", *["a"] * (TRIES - 1)]
    assert coordinator.is_finished


def outage(shard: str) -> Outcome:
    return Outcome(shard, None, "ConnectionError: refused", is_outage=True)


def test_an_outage_of_the_store_is_waited_for() -> None:
    clock = Clock()
    coordinator = Coordinator([str(number) for number in range(100)], clock)
    for pause_s in (1, 2, 4):
        shard = coordinator.take()
        assert shard is not None
        assert not coordinator.end(outage(shard))
        assert not coordinator.end(outage("one that another worker had at that time"))
        clock.now_s += pause_s - 0.1
        assert coordinator.take() is None
        clock.now_s += 0.1
    assert coordinator.end(done(str(coordinator.take())))
    assert not coordinator.end(outage(str(coordinator.take())))
    clock.now_s += 1
    assert not coordinator.end(failed(str(coordinator.take())))
    assert coordinator.take() is not None


def test_a_store_that_stays_away_ends_the_run() -> None:
    clock = Clock()
    coordinator = Coordinator([str(number) for number in range(100)], clock)
    with pytest.raises(AsrError, match=r"10 times in a row \(ConnectionError: refused\): run the job again"):
        while True:
            shard = coordinator.take()
            if shard is None:
                clock.now_s += 1
            else:
                coordinator.end(outage(shard))
    assert clock.now_s == 1 + 2 + 4 + 8 + 16 + 32 + 3 * LONGEST_PAUSE_S
    assert max(coordinator.tries.values()) == 1


@pytest.fixture
def slow() -> tuple[Coordinator, Clock]:
    """Shard `x` has taken as long as is still usual, of which the median is 10 s."""
    clock = Clock()
    coordinator = Coordinator(["x", "a", "b", "c"], clock)
    for _ in range(4):
        coordinator.take()
    for shard, time_s in (("a", 1.0), ("b", 10.0), ("c", 15.0)):
        clock.now_s = time_s
        assert coordinator.end(done(shard))
    clock.now_s = STRAGGLING * 10
    return coordinator, clock


def test_a_straggler_is_given_to_one_more_worker(slow: tuple[Coordinator, Clock]) -> None:
    coordinator, clock = slow
    assert coordinator.take() is None
    clock.now_s += 0.1
    assert [coordinator.take() for _ in range(2)] == ["x", None]
    assert coordinator.end(done("x"))
    assert coordinator.is_finished
    assert not coordinator.end(done("x")), "the slower of the two changes nothing"
    assert not coordinator.end(failed("x"))
    assert coordinator.is_finished


def test_a_copy_that_fails_leaves_the_other(slow: tuple[Coordinator, Clock]) -> None:
    coordinator, clock = slow
    clock.now_s += 0.1
    coordinator.take()
    assert not coordinator.end(failed("x"))
    assert not coordinator.waiting
    assert not coordinator.is_finished
    assert coordinator.end(done("x"))


class Chaos:
    """A cluster whose workers end shards, fail and vanish at random; a poisonous shard always fails."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.number = 0
        self.starting: list[int] = []
        self.busy: list[tuple[int, str]] = []
        self.given: Counter[str] = Counter()

    def start(self) -> None:
        self.number += 1
        self.starting.append(self.number)

    def give(self, worker: int, shard: str) -> None:
        assert worker not in dict(self.busy)
        self.given[shard] += 1
        self.busy.append((worker, shard))

    def wait(self) -> Sequence[Event]:
        self.random.shuffle(self.starting)
        self.random.shuffle(self.busy)
        if self.starting and self.random.random() < 0.5:
            worker = self.starting.pop()
            return [Event(worker, lost="early")] if self.random.random() < 0.2 else [Event(worker)]
        if not self.busy:
            return []
        worker, shard = self.busy.pop()
        chance = self.random.random()
        if shard == "poison":
            chance /= 10
        if chance < 0.05:
            return [Event(worker, failed(shard), lost="killed")]
        return [Event(worker, failed(shard) if chance < 0.1 else done(shard))]


@pytest.mark.parametrize("seed", range(20))
def test_every_shard_ends_once_in_chaos(seed: int) -> None:
    shards = [f"{n}" for n in range(60)] + ["poison"]
    cluster = Chaos(seed)
    ended = list(drive(Coordinator(shards, Clock()), cluster, 5))
    assert sorted(outcome.shard for outcome in ended) == sorted(shards)
    for outcome in ended:
        if outcome.done is None:
            assert cluster.given[outcome.shard] == TRIES
    assert failed("poison") in ended


class Stillborn(Chaos):
    """A cluster whose workers end before they have loaded the model."""

    def wait(self) -> Sequence[Event]:
        return [Event(self.starting.pop(), lost="no memory")]


def test_workers_that_never_load_the_model_end_the_run() -> None:
    cluster = Stillborn(0)
    with pytest.raises(AsrError, match=r"end before they have loaded the model \(no memory\)"):
        list(drive(Coordinator(["a"]), cluster, 2))
    assert cluster.number == 2 + 2 + TRIES - 1
