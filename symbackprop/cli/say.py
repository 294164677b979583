"""What commands tell while they work."""

from collections.abc import Iterable

import typer


def say(topic: str, text: str) -> None:
    """Print a line about a topic."""
    typer.echo(f"{typer.style(f'{topic:<11}', bold=True)}{text}")


def advise(lines: Iterable[str]) -> None:
    """Print what formulas are advised against, to standard error."""
    for line in lines:
        typer.echo(f"symbackprop: warning: {line}", err=True)
