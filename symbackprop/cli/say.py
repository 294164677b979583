"""What commands tell while they work."""

import typer


def say(topic: str, text: str) -> None:
    """Print a line about a topic."""
    typer.echo(f"{typer.style(f'{topic:<11}', bold=True)}{text}")
