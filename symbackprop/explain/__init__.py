"""A derivation as a text for people: plain text, LaTeX or Markdown."""

from symbackprop.explain.latex import as_latex
from symbackprop.explain.markdown import as_markdown
from symbackprop.explain.outline import outline
from symbackprop.explain.text import as_text
from symbackprop.explain.vector_form import in_vector_form
from symbackprop.expr.equations import Derivation

__all__ = ["FORMS", "render"]

FORMS = {"text": as_text, "latex": as_latex, "markdown": as_markdown}


def render(derivation: Derivation, form: str = "text", *, vectors: bool = False) -> str:
    """Write a derivation: what is given, every step with the rule it applies, and the results under their names.

    Parameters
    ----------
    derivation
        As `symbackprop.derive` returns it, or `symbackprop.backpropagate`.
    form
        ``"text"`` for a terminal; ``"latex"`` for a fragment to be included in a document that uses the package
        amsmath; ``"markdown"`` for a notebook or GitHub.
    vectors
        Write products of matrices and vectors in place of sums over indices, as ∇h = Wᵀ ∇a; what has no such form
        stays in index form, with the reason beside it.

    Raises
    ------
    ValueError
        If the form is none of these.

    Examples
    --------
    >>> from symbackprop import Network, derive
    >>> print(render(derive(Network(penalty="l2"))).split("regulariser")[-1].strip())
    ∂Ω⁽ᵏ⁾/∂W⁽ᵏ⁾ᵢⱼ = 2 W⁽ᵏ⁾ᵢⱼ
         update                 W⁽ᵏ⁾ᵢⱼ ← W⁽ᵏ⁾ᵢⱼ + α (-∂l/∂a⁽ᵏ⁾ᵢ h⁽ᵏ⁻¹⁾ⱼ - 2 λ₂ W⁽ᵏ⁾ᵢⱼ)
                                b⁽ᵏ⁾ᵢ ← b⁽ᵏ⁾ᵢ - α ∂l/∂a⁽ᵏ⁾ᵢ
    """
    if form not in FORMS:
        raise ValueError(f"the form is {form!r}, expected {', '.join(FORMS)}")
    told = outline(derivation)
    return FORMS[form](in_vector_form(told) if vectors else told)
