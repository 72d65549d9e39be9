"""Text that a search index treats as it treats English: few words are common, most are rare.

Words follow Zipf's law: the one of rank r is about r times rarer than the first. Function words lead,
then real nouns, then 100,000 made up of syllables, the last of them in some 60 of a million posts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, product
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_FUNCTION_WORDS: Final = (
    "the of and to in a is that it for as was with be by on not but at are this have from or had an "
    "they which one were all there would their so when more no if out up into than then its only"
).split()

#: The nouns that bodies and titles have in common, and the names of tags.
TOPICS: Final = (
    "engine machine pattern table history number system language memory code test cloud network query index "
    "server design data model function garden river library market music paper school science city bridge "
    "letter winter summer mountain harbour kitchen window road train ship island forest weather bread coffee "
    "clock camera story poem theatre painting novel museum travel village farm horse bird stone metal glass "
    "wood silk colour light shadow sound silence voice question answer reason proof theory method measure "
    "chart list queue tree graph cache lock thread process signal error release deploy branch merge review "
    "budget salary tax law court vote council press radio film game chess football running cycling health "
    "sleep doctor medicine plant animal ocean planet star moon energy water fire wind battery motor wheel "
    "tower roof floor door key chain rope needle loom mill furnace lens mirror compass anchor sail"
).split()

_SYLLABLES: Final = [
    first + vowel + last
    for first, vowel, last in product(
        ("b", "d", "f", "k", "l", "m", "n", "p", "r", "s", "t", "v"), "aeiou", ("", "n")
    )
]
_MADE_UP: Final = 100_000
#: Zipf-Mandelbrot: without the offset the first word alone would be a twelfth of all text.
_OFFSET: Final = 2.7

_OPENINGS: Final = (
    "Notes on the",
    "How to read a",
    "Why every",
    "The",
    "A short history of the",
    "On the",
    "",
)
_SENTENCE: Final = (6, 16)
_WORDS_OF_A_BODY: Final = (52, 92)
_SENTENCES_OF_A_PARAGRAPH: Final = 4


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words, the most frequent first, with the running sum of their frequencies."""

    words: Sequence[str]
    cumulative: Sequence[float]


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Return the one vocabulary, the same in every run."""
    made_up = map(_made_up, Random(0).sample(range(len(_SYLLABLES) ** 3), _MADE_UP))
    words = [*_FUNCTION_WORDS, *TOPICS, *made_up]
    return Vocabulary(words, list(accumulate(1 / (rank + _OFFSET) for rank in range(len(words)))))


def _made_up(number: int) -> str:
    """Return one of the words of three syllables; no two numbers have the same."""
    first, rest = divmod(number, len(_SYLLABLES) ** 2)
    return "".join(_SYLLABLES[each] for each in (first, *divmod(rest, len(_SYLLABLES))))


def title(random: Random) -> str:
    """Return a title; some openings are shared by many."""
    rare = _made_up(random.randrange(len(_SYLLABLES) ** 3))
    text = " ".join((random.choice(_OPENINGS), *random.sample(TOPICS, random.randint(1, 3)), rare)).strip()
    return text[0].upper() + text[1:]


def body(random: Random) -> str:
    """Return paragraphs of about 500 characters in all."""
    known = vocabulary()
    words = random.choices(known.words, cum_weights=known.cumulative, k=random.randint(*_WORDS_OF_A_BODY))
    sentences, start = [], 0
    while start < len(words):
        end = start + random.randint(*_SENTENCE)
        sentences.append(" ".join(words[start:end]).capitalize() + ".")
        start = end
    paragraphs = range(0, len(sentences), _SENTENCES_OF_A_PARAGRAPH)
    return "\n\n".join(" ".join(sentences[at : at + _SENTENCES_OF_A_PARAGRAPH]) for at in paragraphs)
