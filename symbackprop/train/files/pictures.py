"""Pictures as files: of the kind that the name says, drawn in memory first, so that no half of one is left behind."""

import io
from pathlib import Path
from typing import Any

from symbackprop.train.files.atomic import check_writable, replace_file, shown

KINDS = (".png", ".pdf", ".svg")


def new_figure(width: float = 7.5, height: float = 6) -> Any:
    """Return an empty figure, in inches; ModuleNotFoundError, with what to install, where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError:
        raise ModuleNotFoundError('a picture needs matplotlib: pip install "symbackprop[demo]"') from None
    # a Figure without pyplot draws with Agg: no window, no display, no state of the process
    return Figure(figsize=(width, height), layout="constrained")


def check_picture(path: Path | None) -> None:
    """Raise, before the long work, what writing a picture would raise after it; None is no picture.

    Raises
    ------
    ValueError
        If the name does not say a kind that can be written, or the place cannot be written.
    ModuleNotFoundError
        If matplotlib is missing; the message says how to get it.
    """
    if path is not None:
        check_writable(path)
        _kind(path)
        new_figure()


def write_picture(path: str | Path, figure: Any, dpi: int = 150) -> Path:
    """Write a figure as a PNG, PDF or SVG, whichever the name ends in, whole or not at all.

    Raises
    ------
    ValueError
        If the name ends in something else, or the place cannot be written.
    """
    kind, picture = _kind(Path(path)), io.BytesIO()
    figure.savefig(picture, format=kind, dpi=dpi)
    return replace_file(path, lambda file: file.write(picture.getbuffer()))


def _kind(path: Path) -> str:
    if path.suffix.lower() not in KINDS:
        kinds = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
        raise ValueError(f"the picture is {shown(path)}, expected a name that ends in {kinds}")
    return path.suffix.lower().removeprefix(".")
