"""One place on disk for machine code that outlives a run, and reproducible Hypothesis."""

import os
from pathlib import Path

from hypothesis import settings

CACHE = Path(__file__).parent.parent / ".pytest_cache"
os.environ.setdefault("NUMBA_CACHE_DIR", str(CACHE / "numba"))  # before anything imports Numba

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("suite")
