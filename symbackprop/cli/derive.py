"""``symbackprop derive``: the derivation of every gradient, to be read."""

from typing import Annotated, Any

import typer

import symbackprop
from symbackprop.cli.options import NetworkConfig, flag, option, with_network
from symbackprop.cli.request import asked_for, network_of
from symbackprop.cli.say import waiting
from symbackprop.expr.suggest import did_you_mean

FORMS = ("text", "latex", "markdown")


@with_network("initializer", "dtype")
def derive(
    ctx: typer.Context,
    form: Annotated[str, option("How to write it: text, latex or markdown.", "--format")] = "text",
    vectors: Annotated[  # noqa: FBT002 (a flag)
        bool, flag("Write W h and Wᵀ ∇a in place of sums over indices, where a formula has such a form.", "--vectors")
    ] = False,
    config: NetworkConfig = None,  # noqa: ARG001 (its callback has read it)
    **network: Any,
) -> None:
    """Print the derivation of every gradient, each step with the rule it applies."""
    _check_form(form)
    exact_form = network.pop("exact_form")
    asked = asked_for(ctx, network)
    with waiting(quiet=False)("deriving"):
        derivation = symbackprop.derive(network_of(asked), exact_form=exact_form)
        text = symbackprop.render(derivation, form, vectors=vectors)
    typer.echo(text)


def _check_form(form: str) -> None:
    if form in FORMS:
        return
    typeset = form.lower() in {"pdf", "tex", "dvi", "ps"}
    hint = "for a page to print, write latex and typeset it; " if typeset else did_you_mean(form, FORMS)
    raise ValueError(f"--format is {form!r:.40}: {hint}known are {', '.join(FORMS)}")
