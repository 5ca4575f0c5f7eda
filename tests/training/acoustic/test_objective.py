"""The loss against a sum over every path, and its further parts against their formulas."""

import functools
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asr.network.acoustic import AcousticModel
from asr.recipe.augmentation import AugmentationConfig, MaskingConfig, VoicesConfig
from asr.recipe.network import ContextConfig, ModelConfig
from asr.recipe.training import ObjectiveConfig
from asr.training.acoustic import mmi
from asr.training.acoustic.objective import Objective, ctc_losses, divergence, frames_needed
from asr.training.task import Losses

V = 4


def random_log_probs(batch: int, frames: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, frames, V, generator=generator).mul(2).log_softmax(dim=2)


def collapse(path: tuple[int, ...]) -> list[int]:
    return [token for token, _ in itertools.groupby(path) if token != 0]


def by_all_paths(log_probs: np.ndarray, target: list[int]) -> float:
    """Negative log of the summed probability of all paths that collapse to the target. Shape: (T, V)"""
    paths = (path for path in itertools.product(range(V), repeat=len(log_probs)) if collapse(path) == target)
    total = math.fsum(math.exp(sum(log_probs[frame, token] for frame, token in enumerate(path))) for path in paths)
    return -math.log(total) if total else math.inf


@settings(deadline=None)
@given(st.lists(st.integers(1, V - 1), max_size=3), st.integers(1, 5), st.integers(0, 99))
def test_the_loss_is_the_sum_over_all_paths(target: list[int], frames: int, seed: int) -> None:
    log_probs = random_log_probs(1, frames, seed)
    padded, length = torch.tensor([[*target, 3]]), torch.tensor([len(target)])
    loss = ctc_losses(log_probs, torch.tensor([frames]), padded, length)
    expected = by_all_paths(log_probs[0].double().numpy(), target)
    assert math.isinf(expected) == (frames < frames_needed(padded, length).item())
    assert loss.tolist() == pytest.approx([0 if math.isinf(expected) else expected], rel=1e-5, abs=1e-6)


def test_each_utterance_of_a_batch_has_its_own_loss_whatever_the_padding_holds() -> None:
    targets, frames = [[1, 2], [3, 3, 1], [2]], [5, 4, 2]
    log_probs = random_log_probs(3, 5, 0)
    for row, count in zip(log_probs, frames, strict=True):
        row[count:] = 7.0
    padded = torch.tensor([target + [3] * (3 - len(target)) for target in targets])
    losses = ctc_losses(log_probs, torch.tensor(frames), padded, torch.tensor([len(t) for t in targets]))
    expected = [
        by_all_paths(row[:count].double().numpy(), target)
        for row, count, target in zip(log_probs, frames, targets, strict=True)
    ]
    assert losses.tolist() == pytest.approx(expected, rel=1e-5)


def test_half_precision_is_computed_in_32_bits() -> None:
    log_probs = random_log_probs(1, 5, 1).bfloat16()
    losses = ctc_losses(log_probs, torch.tensor([5]), torch.tensor([[1, 2]]), torch.tensor([2]))
    assert losses.dtype == torch.float32
    assert losses.tolist() == pytest.approx([by_all_paths(log_probs[0].double().numpy(), [1, 2])], rel=1e-5)


@functools.cache
def shortest_path(target: tuple[int, ...]) -> int:
    return next(
        frames
        for frames in itertools.count()
        if any(collapse(path) == list(target) for path in itertools.product({0, *target}, repeat=frames))
    )


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 2), max_size=4).map(tuple), min_size=1, max_size=5), st.integers(0, 2))
def test_frames_needed_is_the_length_of_the_shortest_path_whatever_the_padding_holds(
    targets: list[tuple[int, ...]], padding: int
) -> None:
    padded = torch.tensor([[*target, *[padding] * (5 - len(target))] for target in targets])
    needed = frames_needed(padded, torch.tensor([len(target) for target in targets]))
    assert needed.tolist() == [shortest_path(target) for target in targets]


# The whole objective

NO_MASKS = AugmentationConfig(masking=MaskingConfig(frequency_masks=0, time_masks=0))
LENGTHS = torch.tensor([8_000, 4_000, 6_500])
TARGETS, TARGET_LENGTHS = torch.tensor([[1, 2, 3], [2, 0, 0], [3, 3, 0]]), torch.tensor([3, 1, 2])


def network(layers: int = 3) -> AcousticModel:
    torch.manual_seed(0)
    config = {
        "features": {"bands": 16},
        "frontend": {"channels": 2},
        "context": {"layers": layers, "hidden": 6, "dropout": 0.0},
    }
    return AcousticModel(ModelConfig.model_validate(config), V)


def waveform() -> Tensor:
    return 0.1 * torch.randn(3, 8_000, generator=torch.Generator().manual_seed(0))


def losses(config: ObjectiveConfig, augmentation: AugmentationConfig = NO_MASKS) -> tuple[Objective, Losses]:
    made = network()
    torch.manual_seed(1)
    objective = Objective(config, augmentation, made)
    return objective, objective(waveform(), LENGTHS, TARGETS, TARGET_LENGTHS)


def plain_ctc() -> Tensor:
    log_probs, frames = network()(waveform(), LENGTHS)
    return ctc_losses(log_probs, frames, TARGETS, TARGET_LENGTHS)


def test_by_default_the_objective_is_ctc() -> None:
    _, found = losses(ObjectiveConfig())
    torch.testing.assert_close(found.total, plain_ctc())
    torch.testing.assert_close(found.plain, plain_ctc())
    assert found.total.requires_grad
    assert not found.plain.requires_grad


def test_masking_changes_what_is_heard() -> None:
    _, found = losses(
        ObjectiveConfig(), AugmentationConfig(masking=MaskingConfig(frequency_width=16, time_width=20, time_share=1.0))
    )
    assert not torch.allclose(found.total, plain_ctc())


@pytest.mark.parametrize("layers", [(1,), (1, 2), (2,)])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_intermediate_heads_share_the_loss(layers: tuple[int, ...], weight: float) -> None:
    objective, found = losses(ObjectiveConfig(intermediate=layers, intermediate_weight=weight))
    torch.testing.assert_close(found.plain, plain_ctc())
    outputs, frames = objective.network.encode(*objective.network.features(waveform(), LENGTHS))
    heads = [objective.heads[str(layer)](outputs[layer - 1]).log_softmax(dim=2).transpose(0, 1) for layer in layers]
    below = torch.stack([ctc_losses(head, frames, TARGETS, TARGET_LENGTHS) for head in heads])
    torch.testing.assert_close(found.total, (1 - weight) * plain_ctc() + weight * below.mean(dim=0))


def test_every_weight_of_the_objective_learns() -> None:
    config = ObjectiveConfig(intermediate=(1, 2), consistency=0.2)
    objective, found = losses(
        config, AugmentationConfig(masking=MaskingConfig(frequency_width=16, time_width=20, time_share=0.5))
    )
    found.total.sum().backward()
    silent = [name for name, p in objective.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert silent == []
    assert any(name.startswith("heads.1.") for name, _ in objective.named_parameters())
    assert not any("heads" in name for name in objective.network.state_dict()), "the exported model has no such head"


def test_two_views_that_are_equal_cost_what_one_does() -> None:
    _, found = losses(ObjectiveConfig(consistency=0.5))
    torch.testing.assert_close(found.total, plain_ctc())
    torch.testing.assert_close(found.plain, plain_ctc())


def test_views_that_differ_cost_their_divergence() -> None:
    augmentation = AugmentationConfig(masking=MaskingConfig(frequency_width=16, time_width=20, time_share=0.5))
    totals = [losses(ObjectiveConfig(consistency=weight), augmentation)[1] for weight in (0.5, 1.5)]
    torch.testing.assert_close(totals[0].plain, totals[1].plain)
    distance = totals[1].total - totals[0].total
    assert (distance > 0).all()
    torch.testing.assert_close(totals[0].total, totals[0].plain + 0.5 * distance, rtol=1e-4, atol=1e-4)


def test_the_divergence_is_the_mean_of_both_directions_over_the_frames_that_exist() -> None:
    one, other = random_log_probs(3, 5, 1).double(), random_log_probs(3, 5, 2).double()
    frames = torch.tensor([5, 1, 3])
    p, q = one.exp().numpy(), other.exp().numpy()
    expected = [
        np.sum((p[row, :n] - q[row, :n]) * np.log(p[row, :n] / q[row, :n])) / 2 for row, n in enumerate((5, 1, 3))
    ]
    np.testing.assert_allclose(divergence(one, other, frames).numpy(), expected)
    np.testing.assert_allclose(divergence(one, one, frames).numpy(), 0, atol=1e-12)


def test_each_view_is_drawn_to_the_other_held_fixed() -> None:
    logits = torch.randn(2, 1, 4, V, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b = (part.clone().requires_grad_() for part in logits)
    divergence(a.log_softmax(dim=2), b.log_softmax(dim=2), torch.tensor([4])).sum().backward()
    # The gradient of KL(q || softmax(a)) with respect to a is softmax(a) - q.
    expected = (a.softmax(dim=2) - b.softmax(dim=2)).detach() / 2
    torch.testing.assert_close(a.grad, expected)
    torch.testing.assert_close(b.grad, -expected)


# Transcripts that do not fit

LONG_TARGETS, LONG_TARGET_LENGTHS = (
    torch.tensor([[1, 2] * 20, [2, 3] + [0] * 38, [3, 3] + [0] * 38]),
    torch.tensor([40, 2, 2]),
)
PARTS = [
    ObjectiveConfig(),
    ObjectiveConfig(intermediate=(1, 2)),
    ObjectiveConfig(consistency=0.5),
    ObjectiveConfig(intermediate=(1,), consistency=0.5),
]


def test_other_voices_change_what_is_heard_in_32_bits() -> None:
    plain = losses(ObjectiveConfig())[1]
    changed = losses(ObjectiveConfig(), NO_MASKS.model_copy(update={"voices": VoicesConfig(warp=0.2, response_db=6)}))[
        1
    ]
    assert (changed.total - plain.total).abs().min() > 1e-3
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        objective = Objective(
            ObjectiveConfig(), NO_MASKS.model_copy(update={"voices": VoicesConfig(warp=1e-6)}), network()
        )
        features, _ = objective._features(waveform(), LENGTHS)
    torch.testing.assert_close(features, objective.network.features(waveform(), LENGTHS)[0], rtol=1e-3, atol=1e-3)


def blot_half_the_bands_of_the_second_view(features: Tensor, _: MaskingConfig, __: float) -> Tensor:
    one, other = features.chunk(2)
    return torch.cat([one, other * (torch.arange(features.shape[2]) % 2)])


@pytest.mark.parametrize("config", PARTS, ids=str)
def test_a_transcript_that_does_not_fit_costs_and_teaches_nothing(
    config: ObjectiveConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    if config.consistency:
        monkeypatch.setattr("asr.training.acoustic.objective.mask_spectrogram", blot_half_the_bands_of_the_second_view)

    def learn(rows: slice) -> tuple[Losses, dict[str, Tensor | None]]:
        made = network()
        torch.manual_seed(1)
        objective = Objective(config, NO_MASKS, made)
        found = objective(waveform()[rows], LENGTHS[rows], LONG_TARGETS[rows], LONG_TARGET_LENGTHS[rows])
        found.total.sum().backward()
        return found, {name: p.grad for name, p in objective.named_parameters()}

    (all_three, gradients), (without, expected) = learn(slice(None)), learn(slice(1, None))
    assert all_three.fits.tolist() == [False, True, True]
    assert (all_three.total[0].item(), all_three.plain[0].item()) == (0, 0)
    torch.testing.assert_close(all_three.total[1:], without.total)
    torch.testing.assert_close(all_three.plain[1:], without.plain)
    assert (without.total > 0).all()
    torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-5)


def test_a_transcript_fits_as_long_as_it_has_a_frame_for_each_token_and_for_each_blank_it_needs() -> None:
    made = network()
    frames = int(made.output_lengths(LENGTHS[:1]))
    alternating, same = torch.tensor([1, 2] * frames), torch.ones(2 * frames, dtype=torch.long)
    cases = [(alternating, frames), (alternating, frames + 1), (same, (frames + 1) // 2), (same, (frames + 3) // 2)]
    targets, target_lengths = torch.stack([t for t, _ in cases]), torch.tensor([n for _, n in cases])
    found = Objective(ObjectiveConfig(), NO_MASKS, made)(
        waveform()[:1].expand(4, -1), LENGTHS[:1].expand(4), targets, target_lengths
    )
    assert found.fits.tolist() == [True, False, True, False]
    assert (found.total > 0).tolist() == [True, False, True, False]


@pytest.mark.parametrize("consistency", [0.0, 0.2])
def test_the_head_over_phones_shares_the_loss_where_phones_are_known_and_fit(consistency: float) -> None:
    torch.manual_seed(0)
    context = ContextConfig(layers=2, hidden=8, dropout=0)
    network = AcousticModel(ModelConfig(context=context, phones=("AA", "B", "K", "S")), V)
    generator = torch.Generator().manual_seed(1)
    batch = (
        torch.randn(3, 16_000, generator=generator),
        torch.tensor([16_000, 12_000, 16_000]),
        torch.tensor([[1, 2], [2, 3], [3, 1]]),
        torch.tensor([2, 2, 2]),
    )
    phones = torch.zeros(3, 60, dtype=torch.long)
    phones[0, :4], phones[2] = torch.tensor([2, 3, 1, 5]), 2  # the second has none, and the third too many
    phone_lengths = torch.tensor([4, 0, 60])

    def losses(weight: float) -> Losses:
        config = ObjectiveConfig(pronunciations=Path("cmudict"), phone_weight=weight, consistency=consistency)
        return Objective(config, NO_MASKS, network)(*batch, phones, phone_lengths)

    log_probs, frames = network(*batch[:2])
    of_phones = torch.nn.functional.ctc_loss(
        log_probs[0, : frames[0], V:], phones[0, :4], frames[:1], phone_lengths[:1], reduction="sum"
    )
    expected = torch.stack([of_phones, torch.zeros(()), torch.zeros(())])
    without, only = losses(0.0), losses(1.0)
    torch.testing.assert_close(only.total, expected)
    torch.testing.assert_close(losses(0.25).total, 0.75 * without.total + 0.25 * expected)
    assert only.fits.tolist() == [True, True, True]
    assert (without.total > 0).all()
    torch.testing.assert_close(only.plain, without.plain)


@pytest.mark.parametrize("consistency", [0.0, 0.2])
def test_mmi_takes_from_the_loss_what_all_sequences_of_phones_have_together(consistency: float) -> None:
    torch.manual_seed(0)
    context = ContextConfig(layers=1, hidden=8, dropout=0)
    network = AcousticModel(ModelConfig(context=context, phones=("AA", "B", "K", "S")), V)
    lengths, two = torch.tensor([16_000, 12_000, 9_000]), torch.tensor([2, 2, 2])
    batch = torch.randn(3, 16_000), lengths, torch.tensor([[1, 2], [2, 3], [3, 1]]), two
    phones = torch.full((3, 60), 2)
    phones[0, :4] = torch.tensor([2, 3, 1, 5])  # the second has none, and the third too many
    phone_lengths = torch.tensor([4, 0, 60])
    table = mmi.trigrams([[2, 3, 1, 5], [4, 2]], 6)

    def total(weight: float) -> Tensor:
        config = ObjectiveConfig(
            pronunciations=Path("cmudict"), phone_weight=1, phone_mmi=weight, consistency=consistency
        )
        return Objective(config, NO_MASKS, network, table)(*batch, phones, phone_lengths).total

    log_probs, frames = network(*batch[:2])
    of_all = mmi.log_totals(log_probs[:1, :, V:], frames[:1], table)
    assert of_all.item() < -1
    torch.testing.assert_close(total(0.9), total(0) + 0.9 * of_all * torch.tensor([1, 0, 0]))
    total(0.9).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_a_batch_without_any_phones_has_a_loss_over_letters_alone() -> None:
    network = AcousticModel(ModelConfig(context=ContextConfig(layers=1, hidden=8), phones=("AA", "B")), V).eval()
    objective = Objective(ObjectiveConfig(pronunciations=Path("cmudict")), NO_MASKS, network)
    lengths, two = torch.tensor([16_000, 16_000]), torch.tensor([2, 2])
    nothing = torch.zeros(2, 0, dtype=torch.long), torch.zeros(2, dtype=torch.long)
    losses = objective(torch.randn(2, 16_000), lengths, torch.tensor([[1, 2], [2, 3]]), two, *nothing)
    torch.testing.assert_close(losses.total, 0.5 * losses.plain)
    losses.total.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
