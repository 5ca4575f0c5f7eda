"""An LSTM language model, which predicts the next token from all previous ones."""

import torch
from torch import Tensor, nn

from asr.network import recurrent
from asr.network.dropout import Dropout
from asr.recipe.network import LanguageConfig

State = tuple[Tensor, Tensor]
"""State of the layers: outputs and cells. Shape: both (L, B, H)"""


class LanguageModel(nn.Module):
    """The network of Sundermeyer et al. 2012, over characters or sub-words, with any kind of cell.

    Token 0, the blank of an acoustic model, is the end of a sentence here, and also the input before the first token.
    """

    own_gradient = True
    """Use the gradient of `asr.network.kernels` on a CPU instead of torch's own, where torch has the cell."""

    def __init__(self, config: LanguageConfig, num_tokens: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(num_tokens, config.embedding)
        sizes = [config.embedding] + [config.hidden] * (config.layers - 1)
        self.layers = nn.ModuleList(recurrent.make_layer(config.cell, size, config.hidden) for size in sizes)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, num_tokens)

    def start(self, batch: int) -> State:
        """Return the initial state: zeros."""
        shape = (self.config.layers, batch, self.config.hidden)
        return self.head.weight.new_zeros(shape), self.head.weight.new_zeros(shape)

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Compute natural-log probabilities of the token after each one, and the state after the last one.

        Shape: tokens (B, T), state -> (B, T, V), state
        """
        x = self.embedding(tokens.transpose(0, 1))
        new_states = []
        for layer, output, cell in zip(self.layers, *state, strict=True):
            x, new_state = recurrent.run(layer, self.dropout(x), (output, cell), own=self.own_gradient)
            new_states.append(new_state)
        outputs, cells = (torch.stack(tensors) for tensors in zip(*new_states, strict=True))
        return torch.log_softmax(self.head(self.dropout(x)), dim=2).transpose(0, 1), (outputs, cells)
