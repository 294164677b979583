"""Generated modules on disk: found by what was asked for, made once, as files that Numba can cache."""

import functools
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from symbackprop.train.files.atomic import write_text
from symbackprop.train.files.modules import import_module, spec_of

CACHE_VARIABLE = "SYMBACKPROP_CACHE_DIR"
_AFTERWARDS = {"train", "check", "estimators", "explain", "bench", "cli", "__main__.py"}  # decide nothing in a module


def find_module(request: Mapping[str, Any], generate: Callable[[], str]) -> ModuleType:
    """Return the generated module for a request, from the cache or newly made.

    Parameters
    ----------
    request
        Everything the text depends on, as JSON: names and lists of names; "only" where it has the lecture's loop alone.
    generate
        Returns the text of the module; called only where the cache has none from this version.

    Raises
    ------
    ValueError
        If the text is not a generated module.
    """
    path, plain = cache_folder() / f"{module_name(request)}.py", "only" in request
    if not _is_usable(path, plain=plain):
        text = generate()
        try:
            write_text(path, text)
        except ValueError:  # a full disk is no reason not to train
            path = _temporary() / path.name
            write_text(path, text)
    return import_module(path, plain=plain)


def module_name(request: Mapping[str, Any]) -> str:
    """Return a name to read, followed by a digest of the request and of the code that would answer it."""
    parts = [*request.get("activations", ()), *(request.get(k, "") for k in ("loss", "penalty", "dtype"))]
    readable = re.sub(r"\W+", "_", "_".join(map(str, parts)), flags=re.ASCII).strip("_")[:48]
    asked = json.dumps(dict(request), sort_keys=True)
    return f"{readable}_{_digest(asked, fingerprint())}"


@functools.cache
def fingerprint() -> str:
    """Return a digest of our source and SymPy's version: other code may write another module."""
    package = Path(__file__).parents[2]
    files = (file for file in sorted(package.rglob("*.py")) if not _AFTERWARDS & {*file.relative_to(package).parts})
    sources = [file.read_text("utf-8") for file in files]
    try:
        sources.append(metadata.version("sympy"))
    except metadata.PackageNotFoundError:
        sources.append("")
    return _digest(*sources)


def cache_folder() -> Path:
    """Return $SYMBACKPROP_CACHE_DIR, else the user's cache folder, else one for this process alone."""
    for place in _places():
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK | os.X_OK):
            return place
    return _temporary()


def recall(path: str | Path, what: str) -> Any:
    """Return what `record` noted about a module; None if nothing, or if it or our code changed."""
    try:
        return json.loads(_note(path, what).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def record(path: str | Path, what: str, value: Any) -> None:
    """Note a JSON value about a module, by its text; where that fails, it will be found out again."""
    try:
        write_text(_note(path, what), json.dumps(value))
    except ValueError:
        return


def recall_forms() -> dict[str, Any]:
    """Return what `record_forms` wrote, by this very code; empty if there is nothing, or nothing sound."""
    try:
        forms = json.loads(_forms().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return forms if isinstance(forms, dict) else {}


def record_forms(known: Mapping[str, Any]) -> None:
    """Write which forms were chosen for which formulas; where that fails, they are chosen again."""
    try:
        write_text(_forms(), json.dumps(dict(known)))
    except ValueError:
        return


def _forms() -> Path:
    return cache_folder() / "notes" / f"forms_{fingerprint()}.json"


def _places() -> list[Path]:
    places = [Path(os.environ[CACHE_VARIABLE])] if os.environ.get(CACHE_VARIABLE) else []
    if os.environ.get("XDG_CACHE_HOME"):
        places.append(Path(os.environ["XDG_CACHE_HOME"]) / "symbackprop")
    try:
        return [*places, Path.home() / ".cache" / "symbackprop"]
    except RuntimeError:  # a user without a home
        return places


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="symbackprop-", ignore_cleanup_errors=True)


def _temporary() -> Path:
    return Path(_temporary_folder().name)


def _is_usable(path: Path, *, plain: bool) -> bool:
    try:
        spec_of(path, plain=plain)
    except ValueError:
        return False
    return True


def _note(path: str | Path, what: str) -> Path:
    return cache_folder() / "notes" / f"{what}_{_digest(Path(path).read_text('utf-8'), fingerprint())}.json"


def _digest(*texts: str) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(len(text).to_bytes(8, "big") + text.encode())
    return digest.hexdigest()[:16]
