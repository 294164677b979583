from pathlib import Path

import numpy as np
import pytest

from symbackprop.train import import_module

FAKE = Path(__file__).with_name("fake_module.py")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("SYMBACKPROP_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def fake():
    return import_module(FAKE)


@pytest.fixture
def blobs():
    """Three clouds of points, 60 each."""
    random = np.random.default_rng(1)
    y = np.repeat([0, 1, 2], 60)
    X = random.normal(size=(180, 2)) + 4 * np.eye(3, 2)[y]
    order = random.permutation(180)
    return X[order], y[order]
