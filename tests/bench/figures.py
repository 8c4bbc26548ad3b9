"""How measured times are told: percentiles in milliseconds, and tables in Markdown."""

from collections.abc import Sequence


def percentile(seconds: Sequence[float], percent: int) -> float:
    """Return the time that so many percent stay within."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def milliseconds(seconds: float) -> str:
    """Write a time with three digits or so."""
    found = seconds * 1000
    return f"{found:.0f}" if found >= 100 else f"{found:.1f}" if found >= 1 else f"{found:.2f}"


def percentiles(seconds: Sequence[float]) -> str:
    """Write the median, the 95th and the 99th percentile."""
    return " / ".join(milliseconds(percentile(seconds, percent)) for percent in (50, 95, 99))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table whose columns are as wide as they need."""
    widths = [max(len(line[place]) for line in (head, *rows)) for place in range(len(head))]
    rule = ["-" * width for width in widths]
    lines = (head, rule, *rows)
    return "\n".join(
        "| "
        + " | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )
