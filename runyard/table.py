"""Table: rows of text in aligned columns for a terminal, or as Markdown; equal rows give equal bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

Row = Sequence[str]


def render_columns(rows: Sequence[Row], right: Collection[int] = ()) -> list[str]:
    """Render rows of equal length, two spaces between the columns; those in `right` end below one another.

    Nothing stands behind the last word of a line.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def render_markdown(head: Row, rows: Sequence[Row], right: Collection[int] = ()) -> list[str]:
    """Render a Markdown table, a line each; a cell is one line, and its bars are escaped."""
    rules = ["---:" if at in right else "---" for at in range(len(head))]
    return [_line(head), _line(rules), *(_line([_cell(cell) for cell in row]) for row in rows)]


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
