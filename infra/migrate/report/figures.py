"""Numbers as people read them, the same in every form of the report."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return such as `0.5 ms`, `488 ms`, `2.4 s`, `3 min 02 s` or `1 h 05 min`."""
    milliseconds = seconds * 1000
    if milliseconds < 9.95:  # noqa: PLR2004  10 and more are written without a fraction
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:  # noqa: PLR2004  1,000 ms are a second
        return f"{milliseconds:.0f} ms"
    if seconds < 59.95:  # noqa: PLR2004  60.0 s are a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004  to the hour
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def size(count: int) -> str:
    """Return a number of bytes such as `0 B`, `4.5 kB` or `35 MB`; units of 1,000."""
    value = float(abs(count))
    units = ["TB", "GB", "MB", "kB", "B"]
    unit = units.pop()
    while value >= 999.5 and units:  # noqa: PLR2004  else it would read 1000
        value /= 1000
        unit = units.pop()
    digits = 1 if unit != "B" and value < 9.95 else 0  # noqa: PLR2004  two figures are enough
    return f"{'-' if count < 0 else ''}{value:.{digits}f} {unit}"


def change(count: int) -> str:
    """Return a change of size with its sign, such as `+12 MB`."""
    return f"+{size(count)}" if count > 0 else size(count)


def counted(number: int, noun: str) -> str:
    """Return such as `1 revision` or `2,000 rows`; the plural takes an `s`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
