"""A recipe: everything that decides what a training run does, as data, section by section."""

import re
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from asr.recipe.augmentation import AugmentationConfig
from asr.recipe.network import LanguageConfig, ModelConfig, PunctuationConfig
from asr.recipe.section import Section
from asr.recipe.training import (
    DataConfig,
    EvaluationConfig,
    ObjectiveConfig,
    OptimiserConfig,
    TextConfig,
    TrainingConfig,
)


def one_word(name: str) -> str:
    """The name of a model, if it can be one."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"`name` (={name!r}) must be one word of letters, digits, `-`, `_` and `.`")
    return name


class Recipe(Section):
    """The training run of an acoustic model."""

    name: str
    """What the model is called: one word, used in file names."""
    about: str = ""
    """One or two sentences for users, copied into the model file."""
    licence: str = ""
    """Licence and attribution of the model and its training data, copied into the model file."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """Initial weights, order of batches, augmentation and dropout all follow from it."""
    init: Path | None = None
    """A run folder, checkpoint or exported .onnx file to start from instead of random weights; it must have the same
    network, and where its tokens or phones differ, their output layer is re-initialised."""
    data: DataConfig
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="after")
    def _intermediate_layers_exist(self) -> "Recipe":
        layers = self.model.context.layers
        if any(not 1 <= layer < layers for layer in self.objective.intermediate):
            raise ValueError(
                f"`objective.intermediate` (={list(self.objective.intermediate)}) must name layers from 1 to "
                f"{layers - 1}, below the last of `model.context.layers` (={layers})"
            )
        return self

    @model_validator(mode="after")
    def _phones_need_pronunciations(self) -> "Recipe":
        if bool(self.model.phones) != (self.objective.pronunciations is not None):
            raise ValueError("`model.phones` and `objective.pronunciations` need each other: give both or none of them")
        if self.model.phones and self.text.subwords:
            raise ValueError("`model.phones` goes with characters only: set `text.subwords` to 0")
        if self.objective.phone_mmi and not self.model.phones:
            raise ValueError(
                f"`objective.phone_mmi` (={self.objective.phone_mmi}) needs a head over phones: give `model.phones` "
                "and `objective.pronunciations`, or set it to 0"
            )
        return self

    @field_validator("name")
    @classmethod
    def _one_word(cls, name: str) -> str:
        return one_word(name)


class SentencesConfig(Section):
    """What a language model reads: text files with a sentence a line, plain or compressed (.gz, .xz)."""

    train: tuple[Path, ...] = Field(min_length=1)
    """Texts to train on, relative to the current folder; they are normalised to the alphabet."""
    dev: tuple[Path, ...] = Field(min_length=1)
    """Texts for every decision."""
    window: int = Field(default=256, ge=2)
    """Tokens that are read in one go; a window begins where a sentence begins."""
    batch: int = Field(default=64, ge=1)
    """Windows in a batch."""


class LanguageRecipe(Section):
    """The training run of a language model; a recipe with a section `language` is one."""

    name: str
    """What the model is called: one word, used in file names."""
    about: str = ""
    """One or two sentences for users, copied into the model file."""
    licence: str = ""
    """Licence and attribution of the model and its training data, copied into the model file."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """Initial weights, order of sentences and dropout all follow from it."""
    data: SentencesConfig
    text: TextConfig = TextConfig()
    language: LanguageConfig
    optimiser: OptimiserConfig = OptimiserConfig()
    training: TrainingConfig = TrainingConfig()

    @field_validator("name")
    @classmethod
    def _one_word(cls, name: str) -> str:
        return one_word(name)


class PunctuatedConfig(Section):
    """What a punctuation model reads: text files with a passage a line, plain or compressed (.gz, .xz)."""

    train: tuple[Path, ...] = Field(min_length=1)
    """Texts with punctuation and capitals to train on, relative to the current folder."""
    dev: tuple[Path, ...] = Field(min_length=1)
    """Texts for every decision."""
    window: int = Field(default=100, ge=2)
    """Words that are read in one go; a window begins where a line begins."""
    batch: int = Field(default=64, ge=1)
    """Windows in a batch."""
    with_pauses: float = Field(default=0.5, ge=0, le=1)
    """Share of the windows in which the pauses between words are simulated; in the others they are not known."""


class PunctuationRecipe(Section):
    """The training run of a punctuation model; a recipe with a section `punctuation` is one."""

    name: str
    """What the model is called: one word, used in file names."""
    about: str = ""
    """One or two sentences for users, copied into the model file."""
    licence: str = ""
    """Licence and attribution of the model and its training data, copied into the model file."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """Initial weights, order of lines, pauses and dropout all follow from it."""
    data: PunctuatedConfig
    text: TextConfig = TextConfig()
    punctuation: PunctuationConfig
    optimiser: OptimiserConfig = OptimiserConfig()
    training: TrainingConfig = TrainingConfig()

    @field_validator("name")
    @classmethod
    def _one_word(cls, name: str) -> str:
        return one_word(name)


AnyRecipe = Recipe | LanguageRecipe | PunctuationRecipe
