"""Passwords that stand in statements: a plan or a report shows all of a statement but them."""

from __future__ import annotations

import re
from typing import Final

from infra.migrate.linting.scanner import Kind, scan

_SUSPECT: Final = re.compile(r"password|://", re.IGNORECASE)
#: In connection strings of both forms.
_CONNECTION: Final = re.compile(r"(\bpassword\s*=\s*|://[^\s:/@']+:)[^\s@']+", re.IGNORECASE)
_DOLLARS: Final = re.compile(r"(\$\w*\$)(.*)\1", re.DOTALL)


def masked(sql: str) -> str:
    """Return SQL with `***` for each string after PASSWORD, and for the passwords of connection strings."""
    if not _SUSPECT.search(sql):
        return sql
    found, at, word = [], 0, ""
    for token in scan(sql):
        text = token.text
        if token.kind is Kind.STRING:
            text = "'***'" if word == "PASSWORD" else _masked_string(text)
        found += [sql[at : token.start], text]
        at, word = token.end, token.word
    return "".join([*found, sql[at:]])


def _masked_string(text: str) -> str:
    if body := _DOLLARS.fullmatch(text):
        return f"{body[1]}{masked(body[2])}{body[1]}"
    if len(text) > 1 and text[0] == text[-1] == "'":
        # A statement that is put together in a string has its quotes doubled.
        within = masked(text[1:-1].replace("''", "'"))
        text = "'" + within.replace("'", "''") + "'"
    return _CONNECTION.sub(r"\1***", text)
