"""One place on disk for machine code that outlives a run, reproducible Hypothesis, and texts kept beside their tests."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

CACHE = Path(__file__).parent.parent / ".pytest_cache"
os.environ.setdefault("NUMBA_CACHE_DIR", str(CACHE / "numba"))  # before anything imports Numba
# what one test has derived the next often asks for again: both together save an eighth of the time in SymPy
os.environ.setdefault("SYMPY_CACHE_SIZE", "30000")
gc.set_threshold(50_000, 10, 10)

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("suite")


@pytest.fixture
def golden(request):
    """Compares a text with golden/TEST/NAME.txt beside the test, or writes that with --rewrite."""
    folder = request.path.parent / "golden" / request.path.stem.removeprefix("test_")

    def compare(name, text):
        path = folder / f"{name}.txt"
        if request.config.getoption("--rewrite"):
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        assert path.exists(), f"there is no {path.name}; pytest --rewrite writes it"
        assert text + "\n" == path.read_text(encoding="utf-8"), "where the new text is right: pytest --rewrite"

    return compare
