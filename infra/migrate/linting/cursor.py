"""Going through a statement's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.migrate.linting.scanner import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.migrate.linting.scanner import Token


class Cursor:
    """A place in a statement."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        """Start at the first token."""
        self._tokens = tokens
        self._at = 0

    @property
    def word(self) -> str:
        """The word here; nothing at the end, or where a name or value is."""
        return self._tokens[self._at].word if self._at < len(self._tokens) else ""

    @property
    def done(self) -> bool:
        """Whether the end is reached."""
        return self._at >= len(self._tokens)

    def take(self, *words: str) -> bool:
        """Go past these words, all of them or none, and tell whether they were there."""
        found = [token.word for token in self._tokens[self._at : self._at + len(words)]]
        if found != list(words):
            return False
        self._at += len(words)
        return True

    def take_any(self, *words: str) -> str:
        """Go past one of these words, and return it; nothing where none is here."""
        word = self.word
        return word if word in words and self.take(word) else ""

    def skip_if_exists(self) -> bool:
        """Go past IF EXISTS or IF NOT EXISTS, and tell whether it was there."""
        return self.take("IF", "EXISTS") or self.take("IF", "NOT", "EXISTS")

    def name(self) -> str:
        """Go past an identifier and return it; nothing at the end."""
        if self.done:
            return ""
        self._at += 1
        return self._tokens[self._at - 1].name

    def relation(self) -> str:
        """Go past a relation's name, and return it with its schema."""
        parts = [self.name()]
        while self.take("."):
            parts.append(self.name())
        self.take("*")
        return ".".join(parts[-2:]) if len(parts) > 1 else f"public.{parts[0]}"

    def relations(self) -> Iterator[str]:
        """Go past names with commas between."""
        while not self.done:
            self.take("ONLY")
            yield self.relation()
            if not self.take(","):
                return

    def group(self) -> tuple[Token, ...]:
        """Go past a parenthesis, and return what is in it; nothing where none is here."""
        if self.word != "(":
            return ()
        start, depth = self._at + 1, 0
        while not self.done:
            depth += (self.word == "(") - (self.word == ")")
            self._at += 1
            if depth == 0:
                return tuple(self._tokens[start : self._at - 1])
        return tuple(self._tokens[start:])

    def until(self, *words: str) -> tuple[Token, ...]:
        """Go to the next of these words outside of parentheses, and return what is passed."""
        start = self._at
        while not self.done and self.word not in words:
            if self.word == "(":
                self.group()
            else:
                self._at += 1
        return tuple(self._tokens[start : self._at])

    def rest(self) -> tuple[Token, ...]:
        """Go to the end, and return what is passed."""
        return self.until()

    def at_value(self) -> bool:
        """Tell whether a string or number is here."""
        return not self.done and self._tokens[self._at].kind in {Kind.STRING, Kind.NUMBER}


def parts(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """Yield what stands between commas outside of parentheses."""
    cursor = Cursor(tokens)
    while not cursor.done:
        yield cursor.until(",")
        cursor.take(",")


def has(tokens: Sequence[Token], *words: str) -> bool:
    """Tell whether the words stand there, one after the other, outside of parentheses."""
    cursor = Cursor(tokens)
    while not cursor.done:
        cursor.until(words[0])
        if cursor.take(*words):
            return True
        cursor.name()
    return False
