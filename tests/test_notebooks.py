"""Every notebook runs from its first cell to its last, and is committed as it ran.

``python -m tests.test_notebooks`` runs them and writes them again, after a change of what they show.
"""

import re
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def run(notebook, place):
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": place}}).execute()


def write_again(path):
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as place:
        run(notebook, place)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # the times at which its cells ran
    nbformat.write(notebook, path)


def cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in cells(notebook) for output in cell.outputs]


def shown(notebook):
    """All text that a reader of the outputs sees."""
    texts = [output.get("text", "") for output in outputs(notebook)]
    return "\n".join(texts + [output.data.get("text/markdown", "") for output in outputs(notebook) if "data" in output])


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.slow
def test_it_runs(notebook, tmp_path):
    before = shown(notebook)
    run(notebook, tmp_path)
    assert not [output for output in outputs(notebook) if output.output_type == "error"]
    assert list(tmp_path.iterdir()) == []
    for line in before.splitlines():  # formulas are the same again; times and errors of training may differ
        if "\\" in line or "∂" in line:
            assert line in shown(notebook)


def test_it_is_committed_as_it_ran(notebook):
    assert [cell.execution_count for cell in cells(notebook)] == list(range(1, len(cells(notebook)) + 1))
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]


def test_it_names_no_place_on_the_machine_it_ran_on(notebook):
    assert not re.search(
        r"(/home/|/root/|/tmp/|/usr/|/var/|/work/|site-packages|[A-Z]:\\\\Users)", nbformat.writes(notebook)
    )


def test_it_shows_the_derivation_the_kernel_the_check_and_the_error():
    path = Path(__file__).parent.parent / "notebooks" / "from_definition_to_trained_network.ipynb"
    text = shown(nbformat.read(path, as_version=4))
    assert r"\frac{\partial l}{\partial h^{(k)}_{j}} &= \sum_{i} W^{(k+1)}_{ij}" in text
    assert "def sgd(X, Y, order, W1, b1, W2, b2," in text
    assert "| complex step |" in text
    error = re.search(r"test error (\d+\.\d)%", text)
    assert error
    assert float(error[1]) <= 4


def test_it_shows_that_what_runs_is_what_was_derived():
    path = Path(__file__).parent.parent / "notebooks" / "from_dataframe_to_calibrated_classifier.ipynb"
    text = shown(nbformat.read(path, as_version=4))
    assert "∂l/∂a⁽ᵏ⁾ᵢ = ∂l/∂h⁽ᵏ⁾ᵢ (1 - 2 a⁽ᵏ⁾ᵢ²) exp(-a⁽ᵏ⁾ᵢ²)" in text
    assert "# da1[i] = dh1[i] " in text
    differences = re.findall(r"difference (\d\S+)", text)
    assert len(differences) == 2
    assert all(float(difference) < 1e-12 for difference in differences)


if __name__ == "__main__":
    for path in NOTEBOOKS:
        write_again(path)
