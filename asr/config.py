"""The base of every part of a recipe; each part is defined beside the code that it configures."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Typed, immutable, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
