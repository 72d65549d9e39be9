"""SQL as PostgreSQL's scanner divides it: tokens, and statements where psql would end them.

No parser: the rules look at a statement's shape only, and must not take a word in a string, a quoted
name, a comment or a function's body for one of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    MARK = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token, as it stands at `start` of the text."""

    kind: Kind
    text: str
    start: int

    @property
    def word(self) -> str:
        """In capitals, where it may be a keyword; else the mark itself, and nothing for all others."""
        if self.kind is Kind.WORD:
            return self.text.upper()
        return self.text if self.kind is Kind.MARK else ""

    @property
    def name(self) -> str:
        """As the catalog has it, where it is an identifier."""
        if self.kind is Kind.QUOTED:
            return self.text.partition('"')[2].removesuffix('"').replace('""', '"')
        return self.text.lower()

    @property
    def end(self) -> int:
        """Where the text goes on."""
        return self.start + len(self.text)


# What is not closed goes to the end of the text, as in psql.
_TOKEN: Final = re.compile(
    r"""
    (?P<skip>    \s+ | --[^\n]* )
  | (?P<comment> /\* )
  | (?P<string>  [eE]'[^'\\]*(?: (?: \\. | '' )[^'\\]*)*(?: ' | \Z )
               | (?: [bBxXnN] | [uU]& )? '[^']*(?: ''[^']*)*(?: ' | \Z )
               | \$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? (?: \$(?P=tag)\$ | \Z ) )
  | (?P<quoted>  (?: [uU]& )? "[^"]*(?: ""[^"]*)*(?: " | \Z ) )
  | (?P<word>    [^\W\d][\w$]* )
  | (?P<number>  \$?\d[\w.]* | \.\d\w* )
  | (?P<mark>    :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_KINDS: Final = {kind.name.lower(): kind for kind in Kind}
_BLOCK_ENDS: Final = {"BEGIN": 1, "CASE": 1, "END": -1}


def scan(text: str) -> Iterator[Token]:
    """Yield the tokens; white space and comments are left out."""
    at = 0
    while match := _TOKEN.match(text, at):
        if match.lastgroup == "comment":
            at = _end_of_comment(text, match.end())
            continue
        at = match.end()
        # `tag` closes before `string` does, so the last group is always one of the alternatives.
        if match.lastgroup and match.lastgroup != "skip":
            yield Token(_KINDS[match.lastgroup], match[0], match.start())


def _end_of_comment(text: str, at: int) -> int:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, at):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def split(text: str) -> Iterator[tuple[Token, ...]]:
    """Yield the tokens of each statement, without its semicolon; empty statements are left out.

    A semicolon in parentheses, or between BEGIN ATOMIC and END of a function, ends none.
    """
    tokens: list[Token] = []
    parentheses = blocks = 0
    for token in scan(text):
        word = token.word
        if word == ";" and parentheses <= 0 and blocks <= 0:
            if tokens:
                yield tuple(tokens)
            tokens = []
            parentheses = blocks = 0
            continue
        tokens.append(token)
        parentheses += (word == "(") - (word == ")")
        if word in _BLOCK_ENDS and (blocks or (word == "BEGIN" and _makes_routine(tokens))):
            blocks += _BLOCK_ENDS[word]
    if tokens:
        yield tuple(tokens)


def _makes_routine(tokens: Sequence[Token]) -> bool:
    words = [token.word for token in tokens[:4]]
    return words[:1] == ["CREATE"] and bool({"FUNCTION", "PROCEDURE"} & set(words))


def without_comments(text: str) -> str:
    """Return a text with blanks in the place of comments, and the same lines."""
    found, at = [], 0
    for token in scan(text):
        found += [re.sub(r"\S", " ", text[at : token.start]), token.text]
        at = token.end
    return "".join(found)


def source(text: str, tokens: Sequence[Token]) -> str:
    """Return a statement's own text."""
    return text[tokens[0].start : tokens[-1].end]
