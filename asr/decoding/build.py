"""The decoder that a model and a user's wishes ask for."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from asr.decoding.decoder import Decoder
from asr.decoding.greedy import greedy
from asr.errors import AsrError
from asr.models.description import AcousticDescription

BOOST = 12.0
"""What a hot word adds to the score of a text where no boost is given."""


def make(
    description: AcousticDescription,
    *,
    beam: int | None = None,
    lm: Path | None = None,
    no_lm: bool = False,
    rescore: Path | None = None,
    hot_words: Mapping[str, float] | None = None,
    least_confidence: float | None = None,
) -> Decoder:
    """Choose and prepare a decoder. Greedy decoding imports nothing that a search needs.

    Args:
        description: of the model; it says how it was tuned and may hold a language model.
        beam: prefixes that are kept; 0 decodes greedily; None: as the model was tuned, else as many as a search
            needs if something below asks for one, else 0.
        lm: a language model in the place of the model's own: an n-gram model, ARPA or packed, or an LSTM's `.onnx`.
        no_lm: use no language model in the search, not even the model's own.
        rescore: an LSTM language model that chooses among the best texts.
        hot_words: word -> boost.
        least_confidence: of the words of a stretch that is not left out; None: as the model was tuned.

    Raises:
        AsrError: a number is out of its range, the wishes contradict each other, a hot word cannot be written in the
            model's alphabet, or a language model cannot be read or does not fit the model.
    """
    if beam is not None and beam < 0:
        raise AsrError(f"A beam of {beam} prefixes cannot be searched: give 1 or more, or 0 to decode greedily.")
    if least_confidence is not None and not 0 <= least_confidence <= 1:
        raise AsrError(f"The least confidence (={least_confidence:g}) must be from 0 to 1, for words have no other.")
    wished = lm is not None or rescore is not None or bool(hot_words)
    if lm is not None and no_lm:
        raise AsrError("A language model is given and forbidden (lm, no_lm): choose one of the two.")
    if beam == 0 and wished:
        raise AsrError(
            "Greedy decoding (a beam of 0) uses no language model and no hot words: give a beam of 1 or more."
        )
    width = description.decoding.beam if beam is None else beam
    if width == 0 and not wished:
        decoder = Decoder(greedy, description.decoding.temperature)
    else:
        from asr.decoding import searches

        decoder = searches.make(description, width, lm=lm, no_lm=no_lm, rescore=rescore, hot_words=hot_words or {})
    least = description.decoding.least_confidence if least_confidence is None else least_confidence
    return replace(decoder, least_confidence=least)
