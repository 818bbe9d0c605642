"""The words of a text, which of them a negation turns round, and their character n-grams."""

import re
import unicodedata
from collections.abc import Iterator

READ_CHARACTERS = 4_000
"""So much of a text is read for its words; quoted threads below it seldom are the customer's."""

_LONGEST_WORD = 40
_SHORTEST, _LONGEST = 3, 5
_REACH = 2
"""Words after a negation that it turns round."""

_LINK = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\S+")
_WORD = re.compile(r"[a-z\u00c0-\u024f']+|[0-9]+|[!?]+|[^\W\d_]")
_NEGATIONS = frozenset(
    (
        *("tidak", "tak", "gak", "ga", "nggak", "enggak", "ngga", "gk", "tdk"),
        *("bukan", "belum", "blm", "kurang", "jangan", "tanpa"),
        *("not", "no", "never", "cannot", "without", "less", "hardly"),
    )
)


def words_of(text: str) -> list[str]:
    """The words, numbers and marks !, ? of `text`, in lower case; links and addresses aside.

    Letters outside the Latin alphabets are words of their own.
    """
    plain = unicodedata.normalize("NFKC", text[:READ_CHARACTERS]).lower().replace("\u2019", "'")
    return [word for word in _WORD.findall(_LINK.sub(" ", plain)) if len(word) <= _LONGEST_WORD]


def is_spoken(word: str) -> bool:
    """Whether `word` is made of letters, so that it belongs to some language."""
    return word[0].isalpha()


def negated(words: list[str]) -> Iterator[tuple[str, bool]]:
    """Each word, and whether it stands within two words after a negation."""
    left = 0
    for word in words:
        if word in _NEGATIONS or word.endswith("n't"):
            yield word, False
            left = _REACH
        else:
            yield word, left > 0
            left -= 1


def ngrams(word: str, is_negated: bool) -> list[str]:
    """Character n-grams of three to five and the whole of `_word_`; behind ! when negated."""
    padded = f"_{word}_"
    grams = [
        padded[start : start + size]
        for size in range(_SHORTEST, _LONGEST + 1)
        for start in range(len(padded) - size + 1)
    ]
    if len(padded) > _LONGEST:
        grams.append(padded)
    return [f"!{gram}" for gram in grams] if is_negated else grams
