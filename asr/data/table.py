"""Many utterances in little memory: columns of packed strings and numbers, from which rows are made when asked for.

A quarter of a million utterances, as in the 960 hours of LibriSpeech, take about 80 MB so, a tenth of what they take as
objects.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from asr.data.manifest import Utterance

Speaker = tuple[str | None, str | None, str | None, str | None, str | None]
"""What an utterance shares with others: speaker, split, gender, age, accent."""


class PackedStrings:
    """Strings behind one another in UTF-8."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q", [0])

    def append(self, value: str) -> None:
        """Add a string."""
        self._bytes += value.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def raw(self, index: int) -> bytes:
        """A string in UTF-8."""
        return bytes(self._bytes[self._ends[index] : self._ends[index + 1]])

    def __getitem__(self, index: int) -> str:
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8", "surrogatepass")


class _Columns:
    """The columns that all parts of a table share."""

    def __init__(self) -> None:
        self.ids, self.names, self.texts = PackedStrings(), PackedStrings(), PackedStrings()
        self.folders: dict[Path, int] = {}
        self.speakers: dict[Speaker, int] = {}
        self.folder, self.speaker = array("i"), array("i")
        self.offsets_s, self.durations_s = array("d"), array("d")

    def append(self, one: Utterance) -> None:
        self.ids.append(one.id)
        self.names.append(one.audio_filepath.name)
        self.texts.append(one.text)
        self.folder.append(self.folders.setdefault(one.audio_filepath.parent, len(self.folders)))
        speaker = (one.speaker, one.split, one.gender, one.age, one.accent)
        self.speaker.append(self.speakers.setdefault(speaker, len(self.speakers)))
        self.offsets_s.append(one.offset)
        self.durations_s.append(one.duration)


class UtteranceTable(Sequence[Utterance]):
    """Utterances in order; a slice, or `at`, gives a table of some of them that shares the columns."""

    def __init__(self, utterances: Iterable[Utterance] = ()) -> None:
        self._columns = _Columns()
        for utterance in utterances:
            self._columns.append(utterance)
        self._rows = np.arange(len(self._columns.offsets_s))
        self._name()

    def _name(self) -> None:
        """Lists of what is numbered."""
        self._folders, self._speakers = list(self._columns.folders), list(self._columns.speakers)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> "UtteranceTable": ...
    def __getitem__(self, index: int | slice) -> "Utterance | UtteranceTable":
        return self.at(np.arange(len(self))[index]) if isinstance(index, slice) else self._utterance(self._rows[index])

    def __iter__(self) -> Iterator[Utterance]:
        return map(self._utterance, self._rows.tolist())

    def at(self, places: Any) -> "UtteranceTable":
        """Those at some places, in the order given. Shape: (N,)"""
        part = UtteranceTable.__new__(UtteranceTable)
        part._columns = self._columns
        part._rows = self._rows[np.asarray(places, dtype=np.int64)]
        part._name()
        return part

    @property
    def durations_s(self) -> np.ndarray:
        """Shape: (N,)"""
        return np.frombuffer(self._columns.durations_s, dtype=np.float64)[self._rows] if len(self) else np.zeros(0)

    @property
    def ids(self) -> Iterator[str]:
        """The ids, in order."""
        return map(self._columns.ids.__getitem__, self._rows.tolist())

    @property
    def texts(self) -> Iterator[str]:
        """The transcripts, in order."""
        return map(self._columns.texts.__getitem__, self._rows.tolist())

    @property
    def num_speakers(self) -> int:
        """How many different speakers are named."""
        numbers = np.unique(np.frombuffer(self._columns.speaker, dtype=np.int32)[self._rows]) if len(self) else []
        return len({self._speakers[number][0] for number in numbers} - {None})

    def _utterance(self, row: int) -> Utterance:
        columns = self._columns
        speaker, split, gender, age, accent = self._speakers[columns.speaker[row]]
        return Utterance(
            columns.ids[row],
            self._folders[columns.folder[row]] / columns.names[row],
            columns.durations_s[row],
            columns.texts[row],
            columns.offsets_s[row],
            speaker,
            split,
            gender,
            age,
            accent,
        )
