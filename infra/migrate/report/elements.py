"""HTML and SVG as a tree: whatever is text stays text, because nobody puts strings of markup together."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

Child = ET.Element | str | None

#: What HTML has no way to write: control characters, and halves of surrogate pairs.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def element(tag: str, *children: Child | Iterable[Child], **attributes: object) -> ET.Element:
    """Return an element.

    Args:
        tag: Its name.
        children: Elements and text, or sequences of them; `None` is passed over.
        attributes: By name, `_` for `-`, one at the end for names that Python keeps; `None` is left out.
    """
    made = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
            made.set(name.rstrip("_").replace("_", "-"), _clean(text))
    for child in children:
        for each in (child,) if child is None or isinstance(child, str | ET.Element) else child:
            _append(made, each)
    return made


def with_code(text: str) -> list[Child]:
    """Return a sentence whose words in backticks are code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return [text]
    return [element("code", part) if index % 2 else part for index, part in enumerate(parts)]


def document(page: ET.Element) -> str:
    """Return an `html` element as a file's text."""
    return f"<!DOCTYPE html>\n{ET.tostring(page, encoding='unicode', method='html')}\n"


def _append(parent: ET.Element, child: Child) -> None:
    if isinstance(child, ET.Element):
        parent.append(child)
    elif child:
        text = _clean(child)
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + text
        else:
            parent.text = (parent.text or "") + text


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
