"""The complete model: a batch equals single runs, log-probs are normalised, and every weight gets a gradient."""

import pytest
import torch
from torch import Tensor

from asr.network.acoustic import AcousticModel
from asr.recipe.network import ModelConfig

TOKENS = 6
LENGTHS = torch.tensor([9_000, 1, 4_321, 400, 7_999])


def config(time_reduction: int = 4, **sections) -> ModelConfig:
    tree = {
        "features": {"bands": 16},
        "frontend": {"channels": 3, "time_reduction": time_reduction},
        "context": {"layers": 2, "hidden": 8, "dropout": 0.0},
    }
    return ModelConfig.model_validate(tree | sections)


def network(config: ModelConfig, seed: int = 0) -> AcousticModel:
    """Random weights and statistics, including the norms', so that nothing is an identity."""
    torch.manual_seed(seed)
    model = AcousticModel(config, TOKENS)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.features.mean.normal_(-5, 1)
    model.features.std.uniform_(1, 3)
    return model


def batch(seed: int = 0) -> Tensor:
    """Noise in the utterances, and much louder noise in the padding. Shape: -> (B, S)"""
    generator = torch.Generator().manual_seed(seed)
    waveform = 0.1 * torch.randn(len(LENGTHS), int(LENGTHS.max()), generator=generator)
    for row, length in zip(waveform, LENGTHS.tolist(), strict=True):
        row[length:] *= 1e5
    return waveform


@pytest.mark.parametrize(("time_reduction", "shifts"), [(2, 1), (4, 1), (8, 1), (2, 2), (4, 2), (4, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_an_utterance_alone_equals_itself_in_a_batch(time_reduction: int, shifts: int, seed: int) -> None:
    model, waveform = network(config(time_reduction, shifts=shifts), seed).eval(), batch(seed)
    together, frames = model(waveform, LENGTHS)
    assert frames.tolist() == model.output_lengths(LENGTHS).tolist()
    for row, length, out, count in zip(waveform, LENGTHS.tolist(), together, frames.tolist(), strict=True):
        alone, alone_frames = model(row[None, :length], torch.tensor([length]))
        assert alone.shape == (1, count, TOKENS)
        assert alone_frames.tolist() == [count]
        torch.testing.assert_close(out[:count], alone[0], rtol=0, atol=1e-5)


def test_not_even_nan_leaks_from_the_padding() -> None:
    model, waveform = network(config()), batch()
    clean, frames = model(waveform, LENGTHS)
    for row, length in zip(waveform, LENGTHS.tolist(), strict=True):
        row[length:] = torch.nan
    log_probs, _ = model(waveform, LENGTHS)
    for row, expected, count in zip(log_probs, clean, frames.tolist(), strict=True):
        torch.testing.assert_close(row[:count], expected[:count])
    torch.stack([row[:count, 1].sum() for row, count in zip(log_probs, frames.tolist(), strict=True)]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_gradients_are_the_same_alone_and_in_a_batch() -> None:
    """The gradient of a batch is the sum of the gradients of its utterances."""
    model, waveform = network(config()), batch()

    def gradients(waveform: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        model.zero_grad()
        log_probs, frames = model(waveform, lengths)
        torch.stack(
            [row[:count, 1].sum() for row, count in zip(log_probs, frames.tolist(), strict=True)]
        ).sum().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    together = gradients(waveform, LENGTHS)
    alone = [gradients(row[None, :length], length[None]) for row, length in zip(waveform, LENGTHS, strict=True)]
    assert together.keys() == dict(model.named_parameters()).keys()
    for name, gradient in together.items():
        expected = torch.stack([single[name] for single in alone]).sum(dim=0)
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize(
    ("time_reduction", "shifts", "offsets"),
    [(4, 1, (0,)), (4, 2, (-1, 1)), (4, 4, (-1, 0, 1, 2)), (2, 2, (0, 1)), (8, 2, (-2, 2))],
)
def test_shifted_copies_are_averaged(time_reduction: int, shifts: int, offsets: tuple[int, ...]) -> None:
    model = network(config(time_reduction, shifts=shifts, phones=("AA", "B", "K"))).eval()
    waveform = batch()[:1, :7_000]
    features, lengths = model.features(waveform, torch.tensor([7_000]))
    last = features.shape[1] - 1
    tokens, phones = [], []
    for offset in offsets:
        moved = features[:, [min(max(frame + offset, 0), last) for frame in range(last + 1)]]
        layers, _ = model.encode(moved, lengths)
        tokens.append(model.classify(layers[-1]))
        phones.append(model.classify_phones(layers[-1]))
    expected = [torch.stack(each).mean(0).log_softmax(dim=-1) for each in (tokens, phones)]
    actual, _ = model(waveform, torch.tensor([7_000]))
    torch.testing.assert_close(actual, torch.cat(expected, dim=2))


def test_training_does_not_average() -> None:
    one, two = network(config()).train(), network(config(shifts=2)).train()
    torch.testing.assert_close(one(batch(), LENGTHS), two(batch(), LENGTHS))
    assert not torch.equal(one.eval()(batch(), LENGTHS)[0], two.eval()(batch(), LENGTHS)[0])


@pytest.mark.parametrize("training", [True, False])
def test_probabilities_sum_to_one(training: bool) -> None:
    log_probs, _ = network(config()).train(training)(batch(), LENGTHS)
    torch.testing.assert_close(log_probs.exp().sum(dim=2), torch.ones(log_probs.shape[:2]), rtol=0, atol=1e-5)


def test_evaluation_is_deterministic_and_training_is_not() -> None:
    model, waveform = network(config(context={"layers": 1, "hidden": 8, "dropout": 0.5})), batch()
    assert not torch.equal(model(waveform, LENGTHS)[0], model(waveform, LENGTHS)[0])
    model.eval()
    assert torch.equal(model(waveform, LENGTHS)[0], model(waveform, LENGTHS)[0])


def test_dropout_is_applied_before_the_head() -> None:
    model, x = network(config(context={"layers": 1, "hidden": 8, "dropout": 0.5})), torch.randn(1, 4, 16)
    assert not torch.equal(model.classify(x), model.classify(x))
    assert torch.equal(model.eval().classify(x), model.classify(x))


def test_without_dropout_training_and_evaluation_agree() -> None:
    model, waveform = network(config()), batch()
    assert torch.equal(model.train()(waveform, LENGTHS)[0], model.eval()(waveform, LENGTHS)[0])


@pytest.mark.parametrize("time_reduction", [2, 4, 8])
def test_every_parameter_gets_a_gradient(time_reduction: int) -> None:
    torch.manual_seed(0)
    model = AcousticModel(config(time_reduction), TOKENS)
    log_probs, _ = model(batch(), LENGTHS)
    (log_probs * torch.randn_like(log_probs)).sum().backward()
    without_gradient = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert without_gradient == []


@pytest.mark.parametrize(("time_reduction", "frame_shift_s"), [(2, 0.02), (4, 0.04), (8, 0.08)])
def test_the_frame_shift_is_that_of_the_frames(time_reduction: int, frame_shift_s: float) -> None:
    model_config = config(time_reduction)
    assert model_config.frame_shift_s == pytest.approx(frame_shift_s)
    seconds = torch.tensor([10, 20]) * model_config.features.sample_rate
    short, long = AcousticModel(model_config, TOKENS).output_lengths(seconds).tolist()
    assert (long - short) * model_config.frame_shift_s == pytest.approx(10, abs=frame_shift_s)


PHONES = ("AA", "B", "K")


def test_with_phones_there_are_two_distributions() -> None:
    model = network(config(phones=PHONES)).eval()
    waveform = batch()
    log_probs, frames = model(waveform, LENGTHS)
    assert log_probs.shape == (len(LENGTHS), int(frames.max()), TOKENS + len(PHONES) + 2)
    for group in (log_probs[..., :TOKENS], log_probs[..., TOKENS:]):
        torch.testing.assert_close(group.exp().sum(dim=2), torch.ones(group.shape[:2]), rtol=0, atol=1e-5)
    layers, _ = model.encode(*model.features(waveform, LENGTHS))
    assert torch.equal(model.classify(layers[-1]), log_probs[..., :TOKENS])
    assert torch.equal(model.classify_phones(layers[-1]), log_probs[..., TOKENS:])


def test_phones_change_nothing_about_the_tokens() -> None:
    torch.manual_seed(0)
    without = AcousticModel(config(), TOKENS).eval()
    torch.manual_seed(0)
    with_phones = AcousticModel(config(phones=PHONES), TOKENS).eval()
    new = with_phones.state_dict().keys() - without.state_dict().keys()
    assert new == {"phone_head.weight", "phone_head.bias"}
    expected, _ = without(batch(), LENGTHS)
    assert expected.shape[2] == TOKENS
    assert torch.equal(with_phones(batch(), LENGTHS)[0][..., :TOKENS], expected)


def test_every_parameter_gets_a_gradient_with_phones() -> None:
    torch.manual_seed(0)
    model = AcousticModel(config(phones=PHONES), TOKENS)
    log_probs, _ = model(batch(), LENGTHS)
    (log_probs * torch.randn_like(log_probs)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
