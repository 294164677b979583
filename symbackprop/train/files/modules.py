"""Import a generated module from a file, after a look at its text."""

import ast
import functools
import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from symbackprop.train.protocol import SPEC_KEYS, TRAINER_METHODS

_DECLARATIONS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)


def import_module(path: str | Path, *, plain: bool = False) -> ModuleType:
    """Import a generated module by its path.

    A module is a program. The look at its text tells a wrong file from a right one before anything of it
    runs; it does not make the file of a stranger safe. With `plain`, it may have the lecture's loop alone.

    Raises
    ------
    ValueError
        If it is not a file, not Python, not a generated module, or cannot be imported.
    """
    spec_of(path, plain=plain)
    path = Path(path).absolute()
    return _imported(path, hashlib.sha256(path.read_bytes()).hexdigest())


def spec_of(path: str | Path, *, plain: bool = False) -> dict[str, Any]:
    """Return the SPEC of a generated module without running it; with `plain`, also of the lecture's loop alone.

    Raises
    ------
    ValueError
        If it is not a generated module; the message says what is missing.
    """
    tree = _parse(Path(path))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    methods = {node.name for node in getattr(classes.get("Trainer"), "body", ()) if isinstance(node, ast.FunctionDef)}
    spec = _literal_spec(tree)
    if spec.get("only") == "plain" and not plain:
        raise ValueError(f"{path} has the lecture's loop alone; generate it without --only plain")
    needed = TRAINER_METHODS[:4] if "only" in spec else TRAINER_METHODS  # without files of models
    missing = [name for name in needed if name not in methods]
    if missing:
        raise ValueError(f"{path} is not a module that symbackprop generated: it has no Trainer.{missing[0]}")
    absent = [key for key in SPEC_KEYS if key not in spec]
    if absent:
        raise ValueError(f"{path} is not a module that symbackprop generated: it has no SPEC with {absent[0]!r}")
    other = next((node for node in tree.body[1:] if not isinstance(node, _DECLARATIONS)), None)
    if other:
        raise ValueError(f"{path} is not a module that symbackprop generated: line {other.lineno} runs on import")
    return spec


def _parse(path: Path) -> ast.Module:
    if path.is_dir():
        inside = next((file for file in sorted(path.glob("*.py")) if not file.name.startswith("_")), path / "x.py")
        raise ValueError(f"{path} is a folder, expected modules that symbackprop generated, such as {inside}")
    if path.suffix.lower() in {".npz", ".csv"}:
        raise ValueError(f"{path} is not a module that symbackprop generated, a .py, but a model or data")
    try:
        return ast.parse(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist, expected a module that symbackprop generated") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{path} is not Python, expected a module that symbackprop generated: {error}") from None


def _literal_spec(tree: ast.Module) -> dict[str, Any]:
    """Return the dictionary assigned to SPEC, an empty one if there is none of literals."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == "SPEC" for t in targets):
            try:
                return dict(ast.literal_eval(node.value))  # type: ignore[attr-defined]
            except (ValueError, TypeError):
                return {}
    return {}


@functools.cache
def _imported(path: Path, digest: str) -> ModuleType:  # noqa: ARG001 (a changed file is another key)
    # the same file has the same name in every process, or Numba would not find again what it compiled
    name = re.sub(r"\W", "_", f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}")
    import_spec = importlib.util.spec_from_file_location(name, path)
    if import_spec is None or import_spec.loader is None:
        raise ValueError(f"{path} does not end in .py, expected a module that symbackprop generated")
    module = importlib.util.module_from_spec(import_spec)
    sys.modules[name] = module
    try:
        import_spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    except BaseException:  # Ctrl-C: half a module must not stay
        del sys.modules[name]
        raise
    return module
