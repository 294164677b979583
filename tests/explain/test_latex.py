"""LaTeX and Markdown: what a reader of either expects, and what would not compile."""

import functools
import itertools
import re
import shutil
import subprocess

import pytest
from sympy import Abs, And, Eq, Or, Piecewise, Rational, Symbol, erf, exp, log, pi, sqrt, tanh

from symbackprop import Network, derive, render
from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.definitions.losses import LOSSES
from symbackprop.explain.latex import latex
from symbackprop.explain.printer import label, plain
from symbackprop.expr.reductions import Maximum
from symbackprop.expr.symbols import LABEL, Axis, Partial, array, decay, indicator, plus, scalar, size
from tests.explain.test_render import OWN, layer_norm

i, j, r = (Symbol(n, integer=True, nonnegative=True) for n in "ijr")
W, a, f, x = array("W^k+1"), array("a^k"), array("f"), scalar("x")
AXIS = Axis("i", size("n^k"))
NETWORKS = [Network((g,), loss, "l1+l2") for g, loss in zip(ACTIVATIONS, itertools.cycle(LOSSES), strict=False)]
NETWORKS += [OWN, Network(())]


@functools.cache
def derivations():
    return [*map(derive, NETWORKS), layer_norm()]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (W[i, j], "W^{(k+1)}_{ij}"),
        (array("h")[i + 1, j], "h_{1 + i,j}"),
        (array("∂l/∂a^k")[i], r"\frac{\partial l}{\partial a^{(k)}_{i}}"),
        (Partial(scalar("Ω₁^k"), W[i, j]), r"\frac{\partial \Omega_{1}^{(k)}}{\partial W^{(k+1)}_{ij}}"),
        (AXIS.sum(lambda n: a[n]), r"\sum_{i} a^{(k)}_{i}"),
        (decay(x) ** 2, r"\left(\exp\left(- \left|{x}\right|\right)\right)^{2}"),
        (plus(x, 1) ** 3, r"\left(\left(\left(x\right) + 1\right)\right)^{3}"),
        (AXIS.sum(lambda n: a[n] + 1), r"\sum_{i} \left(1 + a^{(k)}_{i}\right)"),
        (AXIS.sum(lambda n: a[n]) ** 2, r"\left(\sum_{i} a^{(k)}_{i}\right)^{2}"),
        (Maximum(a[i], AXIS.limits), r"\max_{i} a^{(k)}_{i}"),
        (Axis("i", r).sum(lambda n: f[n]), r"\sum_{i < r} f_{i}"),
        (a[i] ** 2, r"\left(a^{(k)}_{i}\right)^{2}"),
        (f[i] ** 2, "f_{i}^{2}"),
        (1 / a[i], r"\frac{1}{a^{(k)}_{i}}"),
        (f[LABEL], "f_{y}"),
        (indicator(i, LABEL), r"\mathbf{1}_{[i = y]}"),
        (f[i] - indicator(i, LABEL), r"f_{i} - \mathbf{1}_{[i = y]}"),
        (Abs(x), r"\left|{x}\right|"),
        (exp(-x), r"\exp\left(- x\right)"),
        (tanh(x) ** 2, r"\tanh^{2}{\left(x \right)}"),
        (erf(x), r"\mathrm{erf}{\left(x \right)}"),
        (-log(f[LABEL]), r"- \log{\left(f_{y} \right)}"),
        (Rational("1.7159") * tanh(x), r"1.7159 \tanh{\left(x \right)}"),
        (2 * x / 3, r"\frac{2 x}{3}"),
        (sqrt(pi) * x, r"x \sqrt{\pi}"),
        (scalar("λ₂") * scalar("α"), r"\alpha \lambda_{2}"),
        (scalar("gain") * x, r"\mathrm{gain} x"),
    ],
)  # fmt: skip
def test_an_expression_in_latex(expression, expected):
    assert latex(expression) == expected


def test_a_derivative_stands_beside_a_quotient_not_in_it():
    shown = latex(array("∂l/∂h^k")[i] * exp(x) / (1 + exp(x)))
    assert shown == r"\frac{\partial l}{\partial h^{(k)}_{i}} \frac{\exp\left(x\right)}{1 + \exp\left(x\right)}"


def test_only_the_last_factor_may_be_an_open_sum():
    shown = latex(AXIS.sum(lambda n: a[n]) * Axis("j", size("n")).sum(lambda n: f[n]))
    assert shown == r"\left(\sum_{i} a^{(k)}_{i}\right) \sum_{j} f_{j}"


def test_pieces_are_cases():
    shown = latex(Piecewise((0, Or(x <= -3, And(x >= 3, Eq(i, j)))), (x, True)))
    assert shown.startswith(r"\begin{cases} 0 & \text{if }")
    assert shown.endswith(r" \\ x & \text{otherwise} \end{cases}")


def test_words_become_latex_text():
    assert plain("hard_sigmoid & 5 %") == r"hard\_sigmoid \& 5 \%"
    assert plain("penalty w⁴") == "penalty $w^{4}$"
    assert label("through the stored value") == r"\text{through the stored value}"


@pytest.mark.parametrize("vectors", [False, True], ids=["indices", "vectors"])
@pytest.mark.parametrize("form", ["latex", "markdown"])
def test_formulas_are_balanced_and_ascii(form, vectors):
    for derivation in derivations():
        for block in blocks(render(derivation, form, vectors=vectors), form):
            assert block.isascii()
            assert block.count("{") == block.count("}")
            assert len(re.findall(r"\\left[(|]", block)) == len(re.findall(r"\\right[)|]", block))
            assert "\n\n" not in block
            assert "$" not in block
            assert len(re.findall(r"\\left(?!arrow)", block)) == len(re.findall(r"\\right(?!arrow)", block))
            assert r"\operatorname" not in block
            assert not re.search(r"\}\^\{[^{}]*\}(_\{[^{}]*\})?\^", block), "a double superscript"


def blocks(text, form):
    found = re.findall(
        r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}" if form == "latex" else r"\$\$\n(.*?)\n\$\$", text, re.DOTALL
    )
    assert found
    return found


def test_a_row_has_one_relation_and_its_name():
    text = render(derive(Network(penalty="l2")), "latex")
    output = text.split(r"\paragraph{Output layer}")[1].split(r"\end{align*}")[0]
    rows = output.strip().splitlines()[1:]
    assert rows[0] == r"l &= - \log{\left(f_{y} \right)} && \text{1. substitute the output} \\"
    assert rows[-1] == r"&= f_{i} - \mathbf{1}_{[i = y]} && \text{4. output, through the stored value}"


def test_the_results_of_the_lecture_as_vectors():
    text = render(derive(Network(penalty="l2")), "latex", vectors=True)
    results = text.split(r"\paragraph{Results}")[1]
    for row in (
        r"\nabla_{a^{(L+1)}} &= f - \mathbf{e}_{y} && \text{output} \\",
        r"\nabla_{h^{(k)}} &= W^{(k+1)\top} \nabla_{a^{(k+1)}} && \text{hidden layer} \\",
        r"\nabla_{a^{(k)}} &= \nabla_{h^{(k)}} \odot \left(\mathbf{1} - h^{(k)} \odot h^{(k)}\right) && \text{pre-activation} \\",
        r"\nabla_{W^{(k)}} &= \nabla_{a^{(k)}} h^{(k-1)\top} && \text{parameters} \\",
        r"\nabla_{b^{(k)}} &= \nabla_{a^{(k)}} \\",
    ):
        assert row in results
    assert r"f &= \frac{\exp\left(a^{(L+1)}\right)}{\mathbf{1}^{\top} \exp\left(a^{(L+1)}\right)} && \text{output}" in text


def test_markdown_has_headings_and_blocks_on_lines_of_their_own():
    lines = render(derive(Network(("hard_sigmoid",))), "markdown").splitlines()
    assert lines[0] == r"## hard\_sigmoid; softmax, nll"
    assert [line for line in lines if line.startswith("### ")][-1] == "### Results"
    assert lines.count("$$") == 2 * sum(line.startswith("### ") for line in lines)
    assert all(line == "$$" for line in lines if "$" in line)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no LaTeX here")
def test_the_fragments_compile(tmp_path):
    body = "\n".join(render(d, "latex", vectors=vectors) for d in derivations() for vectors in (False, True))
    head = r"\documentclass{article}\usepackage[utf8]{inputenc}\usepackage{amsmath}\begin{document}"
    (tmp_path / "all.tex").write_text(f"{head}\n{body}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
