"""The rules by which spoken numbers are written. Each looks at one position of a text, and the first that fits counts.

The rules are conservative: what is ambiguous stays in words. A cardinal or an ordinal below 10 is written in digits
only beside something that makes it a figure: a unit of money, per cent, a month, a colon of a time, "page".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asr.readable.cardinals import Number, below_hundred, cardinal, digits, ordinal
from asr.readable.number_words import (
    ARTICLE_EXCEPTIONS,
    CENTS,
    CURRENCIES,
    DATE_CUES,
    DECADES,
    DIGITS,
    IDENTIFIED,
    IDIOMS,
    LETTER_PAIRS,
    LETTER_SENTENCES,
    MONTHS,
    PERCENT,
    SCALES,
    SURE_TIME_CUES,
    TEENS,
    TENS,
    TIME_CUES,
    TIME_FOLLOWERS,
    UNITS,
    VERB_MONTHS,
    YEAR_CUES,
    YEAR_FOLLOWERS,
)


@dataclass(frozen=True, slots=True)
class Written:
    """How a number of spoken words is written, in `text`: as one word, as many words, or two."""

    text: str
    count: int
    last: int = 1
    """Of two written words, the number of spoken words that the second one stands for."""

    def parts(self) -> list[tuple[str, int]]:
        """Each written word with the number of spoken words that it stands for."""
        texts = self.text.split()
        if len(texts) == 1:
            return [(self.text, self.count)]
        if len(texts) == self.count:
            return [(text, 1) for text in texts]
        first, second = texts
        return [(first, self.count - self.last), (second, self.last)]


Rule = Callable[[Sequence[str], int], Written | None]

PHONE_DIGITS = {7: (3, 4), 10: (3, 3, 4), 11: (1, 3, 3, 4)}
"""Groups of telephone numbers by their number of digits."""
SHORTEST_ROW = 5
"""Digits of a row that is written as one number without a noun before it."""
SHORTEST_CODE = 3
"""Digits of a row that is written as one number after "the code is"."""
FIRST_WITH_DIGITS = 10
"""Cardinal and ordinal numbers below stay words."""
FIRST_YEAR_LIKE = 19
"""Hours from which on a time looks like a year ("by nineteen thirty")."""
ORDINAL_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def write_cardinal(value: int) -> str:
    """2500 -> "2,500"."""
    return f"{value:,}"


def write_ordinal(value: int) -> str:
    """21 -> "21st"."""
    ending = "th" if value % 100 in (11, 12, 13) else ORDINAL_ENDINGS.get(value % 10, "th")
    return f"{value:,}{ending}"


def idiom(words: Sequence[str], at: int) -> Written | None:
    """ "twenty four seven" -> "24/7"; "half past ten", "ten to one" and "two or three" stay words."""
    for phrase, text in IDIOMS.items():
        if tuple(words[at : at + len(phrase)]) == phrase and not _is_number(words, at + len(phrase)):
            return Written(text, len(phrase))
    first = below_hundred(words, at)
    if first and _word(words, at + first.count) in ("past", "to", "or") and first.value <= 59:
        start = at + first.count + 1
        second = below_hundred(words, start)
        joins_small = words[start - 1] == "or" and (not second or second.value >= FIRST_WITH_DIGITS)
        is_longer = second is None or _is_number(words, start + second.count) or second.value > 12
        if not joins_small and not is_longer and (words[start - 1] != "to" or first.value in (5, 10, 20, 25)):
            return _as_spoken(words, at, first.count + 1 + (second.count if second else 0))
    if _word(words, at) in ("half", "quarter") and _word(words, at + 1) in ("past", "to"):
        hour = below_hundred(words, at + 2)
        return _as_spoken(words, at, 2 + hour.count) if hour and hour.value <= 12 else None
    return None


def phone(words: Sequence[str], at: int) -> Written | None:
    """A row of digits: "five five five oh one two three" -> "555-0123"; counting from one stays words."""
    row, count = digits(words, at)
    if len(row) < SHORTEST_ROW or row in "123456789" or row in "987654321" or _is_scale(words, at + count):
        return None
    if row[0] == "0" and len(row) < 7 and _word(words, at) == "oh":
        return None
    groups, start = [], 0
    for size in PHONE_DIGITS.get(len(row), (len(row),)):
        groups.append(row[start : start + size])
        start += size
    return Written("-".join(groups), count)


def amount(words: Sequence[str], at: int) -> Written | None:
    """A figure with its unit: "five dollars" -> "$5", "two point five per cent" -> "2.5%", "minus ten degrees"."""
    sign = "-" if _word(words, at) == "minus" and not _is_number(words, at - 1) else ""
    start = at + bool(sign)
    found = _figure(words, start)
    if found is None:
        return None
    end = start + found.count
    for unit in PERCENT:
        if tuple(words[end : end + len(unit)]) == unit:
            return Written(f"{sign}{found.text}%", end + len(unit) - at, last=1 + len(unit))
    if _word(words, end) in ("degree", "degrees"):
        return Written(f"{sign}{found.text}", end - at)
    return None if sign else _money(words, at, found)


def _figure(words: Sequence[str], at: int) -> Written | None:
    """A number beside a unit: any decimal or cardinal, "point five", and "a hundred"."""
    if _word(words, at) in ("a", "an") and _word(words, at + 1) in ("hundred", *SCALES):
        written = {"hundred": "100", "thousand": "1,000"}
        found = cardinal(words, at)
        return _whole(words, at) if found else Written(written.get(words[at + 1], f"1 {words[at + 1]}"), 2)
    if _word(words, at) == "point":
        row, count = digits(words, at + 1)
        return Written(f"0.{row}", count + 1) if row else None
    return decimal(words, at) or _whole(words, at)


def _money(words: Sequence[str], at: int, found: Written) -> Written | None:
    """ "five dollars and fifty cents" -> "$5.50"; pounds are money where pence or sterling follow."""
    end = at + found.count
    unit = _word(words, end)
    if unit in ("cents", "pence") and words[at] not in ("a", "an"):
        return found
    single = unit if unit in CURRENCIES else unit.removesuffix("s")
    sign = CURRENCIES.get(single, "")
    if single == "pound":
        sign = "\u00a3" if _word(words, end + 1) == "sterling" else ""
        if sign:
            return Written(f"{sign}{found.text}", found.count + 2, last=3)
    small = _cents(words, end + 1, sign or "\u00a3") if unit in ("pounds", "pound") or sign in CENTS else None
    if small and "." not in found.text and " " not in found.text:
        return Written(f"{sign or chr(0xA3)}{found.text}.{small.value:02d}", found.count + 1 + small.count)
    return Written(f"{sign}{found.text}", found.count + 1, last=2) if sign else None


def _cents(words: Sequence[str], at: int, sign: str) -> Number | None:
    """The small coins after an amount: "and fifty cents", "fifty"."""
    has_and = _word(words, at) == "and"
    found = below_hundred(words, at + has_and)
    if found is None:
        return None
    coin = _word(words, at + has_and + found.count)
    is_named = coin.removesuffix("s") == CENTS[sign]
    if not is_named and (has_and or found.value < 10 or _is_number(words, at + found.count) or coin not in ("", "for")):
        return None
    return Number(found.value, has_and + found.count + is_named)


def decimal(words: Sequence[str], at: int) -> Written | None:
    """ "three point one four" -> "3.14", "two point five million" -> "2.5 million"."""
    whole = cardinal(words, at)
    if whole is None and _word(words, at) == "oh":
        whole = Number(0, 1)
    if whole is None or _word(words, at + whole.count) != "point" or _word(words, at) in ("a", "an"):
        return None
    start = at + whole.count + 1
    row, count = digits(words, start)
    if not row:
        pair = below_hundred(words, start)
        row, count = (str(pair.value), pair.count) if pair else ("", 0)
    if not row:
        return None
    scale = _word(words, start + count)
    text, end = f"{whole.value:,}.{row}", start + count
    return Written(f"{text} {scale}", end + 1 - at) if scale in SCALES else Written(text, end - at)


def _whole(words: Sequence[str], at: int) -> Written | None:
    """A cardinal number as a figure: "two million" -> "2 million", else in digits only."""
    found = cardinal(words, at)
    if found is None:
        return None
    last = words[at + found.count - 1]
    scale = SCALES.get(last, 1)
    if scale >= 10**6 and found.value % scale == 0 and found.value // scale < 1000:
        return Written(f"{found.value // scale} {last}", found.count)
    return Written(write_cardinal(found.value), found.count)


def time(words: Sequence[str], at: int) -> Written | None:
    """A time of day: "ten thirty a m" -> "10:30 a.m.", "at ten thirty" -> "at 10:30", "five o'clock"."""
    hour = below_hundred(words, at)
    if hour is None or hour.value > 23:
        return None
    end = at + hour.count
    if hour.value <= 12 and _word(words, end) == "o'clock":
        return Written(str(hour.value), hour.count)
    minutes = _minutes(words, end)
    text = f"{hour.value}:{minutes.value:02d}" if minutes else str(hour.value)
    end += minutes.count if minutes else 0
    half = _half_day(words, end)
    if half and hour.value <= 12:
        return Written(f"{text} {half.text}", end + half.count - at, last=half.count)
    cues = TIME_CUES if hour.value < FIRST_YEAR_LIKE else SURE_TIME_CUES
    is_followed = _word(words, end) in {"", *TIME_FOLLOWERS}
    return Written(text, end - at) if minutes and is_followed and _word(words, at - 1) in cues else None


def _minutes(words: Sequence[str], at: int) -> Number | None:
    """The minutes of a time: "oh five", "thirty", "forty five"."""
    if _word(words, at) in ("oh", "o") and _word(words, at + 1) in UNITS:
        return Number(UNITS[words[at + 1]], 2)
    found = below_hundred(words, at)
    return found if found and 10 <= found.value <= 59 else None


def _half_day(words: Sequence[str], at: int) -> Written | None:
    """ "a m", "am", "p m" or "pm"."""
    for name in ("am", "pm"):
        text = f"{name[0]}.m."
        if _word(words, at) == name:
            return Written(text, 1)
        if tuple(words[at : at + 2]) == tuple(name):
            return Written(text, 2)
    return None


def date(words: Sequence[str], at: int) -> Written | None:
    """A day after its month, and the year: "june twenty first nineteen ninety" -> "June 21, 1990"."""
    is_day_first = _word(words, at + (ordinal(words, at) or Number(0, 99)).count) == "of"
    if is_day_first:
        day = ordinal(words, at)
        month = _word(words, at + (day.count if day else 0) + 1)
        return Written(write_ordinal(day.value), day.count) if day and month in MONTHS and day.value <= 31 else None
    before = _word(words, at - 1)
    start, month_at = at, at - 1
    if before == "the" and _word(words, at - 2) in MONTHS:
        month_at = at - 2
    if _word(words, month_at) not in MONTHS:
        return None
    day = ordinal(words, start) or _below_32(words, start)
    year = _year(words, start)
    if day is None or day.value > 31 or year is not None:
        return Written(str(year.value), year.count) if year and day and day.value <= 31 else None
    year = _year(words, start + day.count)
    is_sure = _word(words, month_at) not in VERB_MONTHS or _word(words, month_at - 1) in DATE_CUES or bool(year)
    is_sure = is_sure or (_word(words, month_at) == "march" and month_at == 0 and ordinal(words, start) is not None)
    if not is_sure or (_is_number(words, start + day.count) and not year):
        return None
    if year:
        return Written(f"{day.value}, {year.value}", day.count + year.count, last=year.count)
    return Written(str(day.value), day.count)


def _below_32(words: Sequence[str], at: int) -> Number | None:
    found = below_hundred(words, at)
    return found if found and found.value <= 31 else None


def year(words: Sequence[str], at: int) -> Written | None:
    """A year that is read as two pairs, or after a word such as "in": "nineteen forty eight" -> "1948"."""
    found = _year(words, at)
    if found is None:
        return None
    has_cue = _word(words, at - 1) in YEAR_CUES
    follower = _word(words, at + found.count)
    is_counted = follower.endswith("s") and not follower.endswith(("'s", "ss", "is", "was", "has", "as", "us"))
    is_pairs = _word(words, at) in ("seventeen", "eighteen", "nineteen", "twenty") and found.value % 100 >= 10
    is_pairs = is_pairs and (found.count > 2 or not follower or follower in TIME_FOLLOWERS | YEAR_FOLLOWERS)
    if _is_number(words, at + found.count) and follower not in ("and", "first", "second"):
        return None
    if found.value == 2000 and words[at] == "two" and words[at - 1 : at] != ["year"]:
        return None
    if is_counted or not (has_cue or is_pairs):
        return None
    return Written(str(found.value), found.count)


def _year(words: Sequence[str], at: int) -> Number | None:
    """ "nineteen forty eight", "eighteen hundred", "nineteen oh five", "two thousand and five"."""
    first = below_hundred(words, at)
    if first and first.count == 1 and 11 <= first.value <= 20:
        after = at + 1
        if _word(words, after) == "hundred" and first.value < 20:
            whole = cardinal(words, at)
            return whole if whole and 1100 <= whole.value <= 1999 else None
        if _word(words, after) in ("oh", "o") and _word(words, after + 1) in UNITS:
            return Number(100 * first.value + UNITS[words[after + 1]], 3)
        second = below_hundred(words, after)
        if second and second.value >= 10:
            return Number(100 * first.value + second.value, 1 + second.count)
        return None
    if _word(words, at) == "ten" and _word(words, at + 1) in TENS and _word(words, at - 1) in ("in", "year"):
        second = below_hundred(words, at + 1)
        return Number(1000 + second.value, 1 + second.count) if second else None
    whole = cardinal(words, at)
    is_recent = whole and 2000 <= whole.value <= 2099 and tuple(words[at : at + 2]) == ("two", "thousand")
    return whole if is_recent else None


def decade(words: Sequence[str], at: int) -> Written | None:
    """ "nineteen sixties" -> "1960s", "eighteen hundreds" -> "1800s"."""
    century = TEENS.get(_word(words, at), 0) or TENS.get(_word(words, at), 0)
    name = _word(words, at + 1)
    if not 15 <= century <= 20:
        return None
    if name == "hundreds":
        return Written(f"{century}00s", 2)
    return Written(f"{century}{DECADES[name]}s", 2) if name in DECADES else None


def identifier(words: Sequence[str], at: int) -> Written | None:
    """The number of a named thing: "page three" -> "page 3", "room two fourteen" -> "room 214"."""
    before = _word(words, at - 1)
    if before == "is" and _word(words, at - 2) in ("code", "number", "pin"):
        row, count = digits(words, at)
        return Written(row, count) if len(row) >= SHORTEST_CODE and not _is_number(words, at + count) else None
    if before not in IDENTIFIED or _word(words, at - 2) in ("a", "an", "the", "this", "that"):
        return None
    whole = cardinal(words, at)
    if whole and not _is_number(words, at + whole.count):
        return Written(str(whole.value), whole.count)
    text, position = "", at
    while True:
        group = below_hundred(words, position)
        row, count = digits(words, position)
        if count > 1 or (row and not group):
            text, position = text + row, position + count
        elif group:
            text, position = text + str(group.value), position + group.count
        else:
            break
    return Written(text, position - at) if text and not _is_number(words, position) else None


def ordinary_ordinal(words: Sequence[str], at: int) -> Written | None:
    """ "twenty first" -> "21st"; below 10, and as a fraction ("one tenth", "a twentieth"), words stay."""
    found = ordinal(words, at)
    if found is None or found.value < FIRST_WITH_DIGITS:
        return None
    before, first, last = _word(words, at - 1), words[at], words[at + found.count - 1]
    if before in ("a", "an") or (before in UNITS and last != "second"):
        return _as_spoken(words, at, found.count)
    is_fraction = last in ("hundredth", "thousandth", "millionth", "billionth", "trillionth") or first in UNITS
    if is_fraction and found.count == 2 and before != "the":
        return _as_spoken(words, at, found.count)
    return Written(write_ordinal(found.value), found.count)


def ordinary_cardinal(words: Sequence[str], at: int) -> Written | None:
    """ "twenty five" -> "25", "three million" -> "3 million"; below 10, and in a row of numbers, words stay."""
    end, count = at, 0
    while (found := cardinal(words, end)) and words[end] not in ("a", "an"):
        end, count = end + found.count, count + 1
    if count > 1:
        return _as_spoken(words, at, end - at)
    found = cardinal(words, at)
    if found is None or found.value < FIRST_WITH_DIGITS:
        return None
    return _whole(words, at)


def letters(words: Sequence[str], at: int) -> Written | None:
    """Letters spelled one by one: "b b c" -> "BBC", "a t v" -> "a TV"."""
    if len(_word(words, at)) != 1 or len(_word(words, at - 1)) == 1:
        return None
    count = 0
    while len(_word(words, at + count)) == 1 and words[at + count].isalpha():
        count += 1
    row = "".join(words[at : at + count])
    if row in LETTER_PAIRS:
        return Written(row.upper(), count)
    if count < 3 or set(row) <= set("aio") or row in LETTER_SENTENCES:
        return None
    if row[0] == "a" and row not in ARTICLE_EXCEPTIONS and (count > 3 or row[1:] in LETTER_PAIRS):
        return Written(f"a {row[1:].upper()}", count, last=count - 1)
    return Written(row.upper(), count)


RULES: tuple[Rule, ...] = (
    amount,
    time,
    idiom,
    date,
    phone,
    identifier,
    decimal,
    decade,
    year,
    ordinary_ordinal,
    ordinary_cardinal,
    letters,
)
"""In the order in which they are tried."""


def _as_spoken(words: Sequence[str], at: int, count: int) -> Written:
    """Words that stay as they are."""
    return Written(" ".join(words[at : at + count]), count)


def _is_number(words: Sequence[str], at: int) -> bool:
    """Whether a word is part of a number."""
    word = _word(words, at)
    return word in DIGITS or word in TEENS or word in TENS or word in SCALES or word == "hundred"


def _is_scale(words: Sequence[str], at: int) -> bool:
    word = _word(words, at)
    return word in SCALES or word == "hundred"


def _word(words: Sequence[str], at: int) -> str:
    """The word at a position, or nothing beyond the ends."""
    return words[at] if 0 <= at < len(words) else ""
