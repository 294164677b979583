"""The README's Python runs as it stands, and its links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run_in_order(tmp_path):
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    made = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert "∂l/∂h⁽ᵏ⁾ⱼ = Σᵢ W⁽ᵏ⁺¹⁾ᵢⱼ ∂l/∂a⁽ᵏ⁺¹⁾ᵢ" in made.stdout
    latex = (tmp_path / "derivation.tex").read_text("utf-8")
    assert r"\frac{\partial l}{\partial h^{(k)}_{j}}" in latex
    assert r"\documentclass" not in latex
    assert (tmp_path / "mine.py").exists()
    assert (tmp_path / "model.npz").exists()


def test_links_exist():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
