"""Tables of English number words, and of the words around numbers that say what is meant."""

UNITS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
}
TEENS = {
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
}
TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
DIGITS = {"zero": 0, "oh": 0, "o": 0} | UNITS
"""Digits that are read one by one."""
REPEATS = {"double": 2, "triple": 3}
"""Words that repeat the digit after them."""

ORDINALS = {
    "first": "one",
    "second": "two",
    "third": "three",
    "fourth": "four",
    "fifth": "five",
    "sixth": "six",
    "seventh": "seven",
    "eighth": "eight",
    "ninth": "nine",
    "tenth": "ten",
    "eleventh": "eleven",
    "twelfth": "twelve",
    **{f"{teen}th": teen for teen in list(TEENS)[3:]},
    **{f"{tens[:-1]}ieth": tens for tens in TENS},
    "hundredth": "hundred",
    **{f"{scale}th": scale for scale in SCALES},
}
"""The last word of an ordinal number -> that of the cardinal number."""
DECADES = {
    "twenties": 20,
    "thirties": 30,
    "forties": 40,
    "fifties": 50,
    "sixties": 60,
    "seventies": 70,
    "eighties": 80,
    "nineties": 90,
    "tens": 10,
}
NUMBER_WORDS = frozenset(
    [*DIGITS, *TEENS, *TENS, "hundred", *SCALES, *ORDINALS, *DECADES, *REPEATS, "hundreds", "and", "point", "minus"]
)
"""Words that a number may have inside, so that a text is not cut between two of them."""

MONTHS = frozenset(
    [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ]
)
VERB_MONTHS = frozenset(["march", "may"])
"""Months that are verbs, too, so that a day or year after them needs a word of `DATE_CUES` before them."""
DATE_CUES = frozenset(
    ["on", "in", "of", "since", "until", "till", "by", "from", "before", "after", "during", "last", "next", "this"]
)

YEAR_CUES = frozenset(
    [
        "in",
        "since",
        "until",
        "till",
        "by",
        "from",
        "during",
        "before",
        "after",
        "around",
        "about",
        "circa",
        "year",
        "early",
        "late",
        "summer",
        "winter",
        "spring",
        "autumn",
        "fall",
        "of",
        "and",
        "to",
        "through",
        "christmas",
        *MONTHS,
    ]
)
"""Words before a year."""

YEAR_FOLLOWERS = frozenset(["was", "were", "is", "has", "had", "brought", "saw", "came", "will", "would"])
"""Words after two numbers that are a year, besides those after a time."""

TIME_CUES = frozenset(["at", "until", "till", "by", "from", "before", "after", "around", "about", "to", "is", "it's"])
"""Words before a time of day of hours and minutes."""
SURE_TIME_CUES = frozenset(["at", "until", "till"])
"""Those that stand before no year."""
TIME_FOLLOWERS = frozenset(
    [
        "a",
        "and",
        "at",
        "because",
        "but",
        "every",
        "exactly",
        "for",
        "from",
        "he",
        "i",
        "if",
        "in",
        "it",
        "just",
        "next",
        "now",
        "on",
        "or",
        "please",
        "sharp",
        "she",
        "so",
        "that",
        "the",
        "then",
        "there",
        "they",
        "this",
        "to",
        "today",
        "tomorrow",
        "tonight",
        "until",
        "we",
        "when",
        "while",
        "with",
        "yesterday",
        "you",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ]
)
"""Words after such a time; before any other word it may be two numbers ("after ten thirty people had come")."""

CURRENCIES = {"dollar": "$", "euro": "\u20ac", "yen": "\u00a5", "rupee": "\u20b9"}
"""Money whose sign is written before the amount."""
CENTS = {"$": "cent", "\u20ac": "cent", "\u00a3": "pence"}
"""The small coin of a sign."""
PERCENT = (("percent",), ("per", "cent"))

IDENTIFIED = frozenset(
    [
        "apartment",
        "bus",
        "channel",
        "chapter",
        "code",
        "exit",
        "extension",
        "flight",
        "gate",
        "highway",
        "interstate",
        "line",
        "page",
        "paragraph",
        "pin",
        "platform",
        "room",
        "route",
        "section",
        "size",
        "suite",
        "verse",
        "volume",
    ]
)
"""Nouns before a number that names something and is read digit by digit or in groups; also where it is below 10."""

IDIOMS = {
    ("twenty", "four", "seven"): "24/7",
    ("fifty", "fifty"): "50-50",
    ("nine", "one", "one"): "911",
    ("twenty", "twenty", "vision"): "20/20 vision",
    ("nine", "to", "five"): "nine to five",
    ("ten", "to", "one"): "ten to one",
    ("one", "two", "three"): "one two three",
    ("nine", "eleven"): "9/11",
}
"""Sayings with a form of their own."""

LETTER_PAIRS = frozenset(
    ["ad", "ai", "bc", "cd", "dc", "dj", "eu", "id", "nj", "ny", "pc", "pr", "tv", "uk", "un", "us", "uv", "vp"]
)
"""Pairs of letters that are written together; longer rows of letters all are."""
LETTER_SENTENCES = frozenset(["iam", "ipm"])
"""Rows of letters that are words."""
ARTICLE_EXCEPTIONS = frozenset(["aarp", "abc", "aclu", "acdc", "aids", "apec", "asap", "asmr"])
"""Rows of letters whose first one, "a", is not the article."""
