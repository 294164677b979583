"""Layers, each as its index equations: from the layer below, h, to pre-activations a. No derivative is here.

References
----------
Dense: H. Larochelle, neural networks course, lecture 2.1. RBF: Broomhead and Lowe 1988. Gated: Dauphin et al. 2017.
Weight-normalised: Salimans and Kingma 2016. Layer-normalised: Ba et al. 2016. Residual: He et al. 2016. Maxout:
Goodfellow et al. 2013. Convolution and average pooling: LeCun et al. 1998. Tied weights: Vincent et al. 2010.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from symbackprop.definitions.layer import Layer, layer

_UNITS: Mapping[str, str] = {"units": "i"}


@dataclass(frozen=True)
class Recipe:
    """The equations of a kind of layer, and what is said of it in brackets where it is used.

    Attributes
    ----------
    equations
        As text; `input` stands for the layer below, or for a copy of it with zeros around.
    about
        One line for people.
    sizes
        Which indices run as far as an argument says.
    arguments
        Their names, in order, the rest of which are constants in the equations.
    defaults, initial
        Values of arguments, and of parameters that start alike.
    padding
        The equation of the copy with zeros around.
    """

    equations: str
    about: str
    sizes: Mapping[str, str] = field(default_factory=lambda: _UNITS)
    arguments: tuple[str, ...] = ("units",)
    defaults: Mapping[str, float] = field(default_factory=dict)
    initial: Mapping[str, float] = field(default_factory=dict)
    padding: str = ""


_WINDOW = ("channels", "size", "stride", "padding")

LAYERS: dict[str, Recipe] = {
    "dense": Recipe("a[i] = b[i] + sum(W[i,j]*h[j], j)", "a = b + Wh"),
    "linear": Recipe("a[i] = sum(W[i,j]*h[j], j)", "dense without bias"),
    "rbf": Recipe("a[i] = -sum((W[i,j] - h[j])**2, j)/2", "minus half the squared distance to a centre"),
    "quadratic": Recipe(
        "a[i] = b[i] + sum(W[i,j]*h[j], j) + sum(V[i,j,k]*h[j]*h[k], j, k)", "dense, and all products of two inputs"
    ),
    "low_rank_quadratic": Recipe(
        "q[i,r] = sum(U[i,r,j]*h[j], j); p[i,r] = sum(V[i,r,j]*h[j], j); "
        "a[i] = b[i] + sum(W[i,j]*h[j], j) + sum(q[i,r]*p[i,r], r)",
        "dense, and products of sums of inputs, `rank` of them a unit",
        {"units": "i", "rank": "r"}, ("units", "rank"),
    ),
    "gated": Recipe(
        "a[i] = (c[i] + sum(V[i,j]*h[j], j))*sigmoid(d[i] + sum(U[i,j]*h[j], j))", "a dense layer times a gate"
    ),
    "weight_normalised": Recipe(
        "a[i] = b[i] + g[i]*sum(v[i,j]*h[j], j)/sqrt(sum(v[i,j]**2, j))",
        "the length of each row of weights is a parameter of its own", initial={"g": 1},
    ),
    "layer_normalised": Recipe(
        "z[i] = sum(W[i,j]*h[j], j); mu = sum(z[i], i)/size(i); r[i] = z[i] - mu; v = sum(r[i]**2, i)/size(i); "
        "a[i] = b[i] + g[i]*r[i]/sqrt(v + epsilon)",
        "a dense layer with mean 0 and variance 1 over its units",
        arguments=("units", "epsilon"), defaults={"epsilon": 1e-5}, initial={"g": 1},
    ),
    "residual": Recipe("a[i] = h[i] + b[i] + sum(W[i,j]*h[j], j)", "the layer below, and a dense one", {}, ()),
    "maxout": Recipe(
        "a[i] = max(b[i,k] + sum(W[i,k,j]*h[j], j), k)", "the largest of several dense layers",
        {"units": "i", "pieces": "k"}, ("units", "pieces"),
    ),
    "conv1d": Recipe(
        "a[o,q] = b[o] + sum(W[o,c,v]*input[c,stride*q+v], c, v)", "a convolution along one axis",
        {"channels": "o", "size": "v"}, _WINDOW, {"stride": 1, "padding": 0},
        padding="padded[c,j] = h[c,j-padding] if padding <= j < size(j)-padding else 0",
    ),
    "conv": Recipe(
        "a[o,p,q] = b[o] + sum(W[o,c,u,v]*input[c,stride*p+u,stride*q+v], c, u, v)", "a convolution along two axes",
        {"channels": "o", "size": "uv"}, _WINDOW, {"stride": 1, "padding": 0},
        padding="padded[c,i,j] = h[c,i-padding,j-padding] if padding <= i < size(i)-padding and "
        "padding <= j < size(j)-padding else 0",
    ),
    "averagepool": Recipe(
        "a[c,p,q] = sum(h[c,stride*p+u,stride*q+v], u, v)/(size(u)*size(v))", "the mean of each window",
        {"size": "uv"}, ("size", "stride"), {"stride": 0},
    ),
    "maxpool": Recipe(
        "a[c,p,q] = max(h[c,stride*p+u,stride*q+v], u, v)", "the largest of each window",
        {"size": "uv"}, ("size", "stride"), {"stride": 0},
    ),
    "tied": Recipe(
        "a[i] = b[i] + sum(V[j,i]*h[j], j)", "dense with the weights of an earlier layer, transposed", {}, ("weights",)
    ),
    "embedding": Recipe(
        "a[j,d] = E[h[j],d]", "a row of a table for each input, which is an integer",
        {"dimensions": "d"}, ("vocabulary", "dimensions"),
    ),
}  # fmt: skip


def layer_of_kind(kind: str, *values: float | str, **named: float | str) -> Layer:
    """Return a layer of LAYERS.

    >>> layer_of_kind("conv", 8, 5).name, layer_of_kind("conv", 8, size=3, padding=1).name
    ('conv(8, 5)', 'conv(8, 3, padding=1)')

    Raises
    ------
    ValueError
        If the kind is not known, or an argument is missing, unknown or no positive integer.
    """
    recipe = LAYERS[kind]
    arguments = _arguments(kind, recipe, values, named)
    name = f"{kind}({', '.join(_shown(recipe, arguments))})"
    pad, stride = int(arguments.get("padding", 0)), arguments.get("stride", 0) or arguments.get("size", 0)
    text = recipe.equations.replace("input", "padded" if pad else "h")
    text = f"{recipe.padding}; {text}" if pad else text
    sizes = {letter: arguments[argument] for argument, letters in recipe.sizes.items() for letter in letters}
    constants = {"padding": pad} if pad else {}
    constants |= {"stride": stride} if "stride" in arguments else {}
    constants |= {n: v for n, v in arguments.items() if n == "epsilon"}
    uses = {"V": str(arguments["weights"])} if "weights" in arguments else {}
    rows = {"E": arguments["vocabulary"]} if "vocabulary" in arguments else {}
    whole = layer(text, name=name, initial=recipe.initial, uses=uses, rows=rows, **sizes, **constants)
    return replace(whole, identity=name)


def _arguments(kind: str, recipe: Recipe, values: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of a layer by name; a stride of 0, by default, is the size of the window."""
    wanted = (
        f"{kind}({', '.join(a + (f'={recipe.defaults[a]}' if a in recipe.defaults else '') for a in recipe.arguments)})"
    )
    arguments = dict(zip(recipe.arguments, values, strict=False)) | dict(named)
    if len(values) > len(recipe.arguments) or set(named) - {*recipe.arguments[len(values) :]}:
        raise ValueError(f"{kind} has other arguments than {(*values, *named)}, expected {wanted}")
    passed, arguments = arguments, {**recipe.defaults, **arguments}
    if missing := [a for a in recipe.arguments if a not in arguments]:
        raise ValueError(f"{kind} has no {missing[0]}, expected {wanted}")
    for argument, value in passed.items():
        if argument == "weights":
            continue
        if argument == "epsilon":
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ValueError(f"{kind} has epsilon {value!r}, expected a positive number: {wanted}")
            continue
        least, what = (0, "an integer, 0 or more") if argument == "padding" else (1, "a positive integer")
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{kind} has {argument} {value!r}, expected {what}: {wanted}")
    return arguments


def _shown(recipe: Recipe, arguments: Mapping[str, Any]) -> list[str]:
    shown = []
    for argument in recipe.arguments:
        if argument not in recipe.defaults:
            shown.append(str(arguments[argument]))
        elif arguments[argument] != recipe.defaults[argument]:
            shown.append(f"{argument}={arguments[argument]}")
    return shown


def _constructor(kind: str) -> Callable[..., Layer]:
    def construct(*values: float | str, **named: float | str) -> Layer:
        return layer_of_kind(kind, *values, **named)

    recipe = LAYERS[kind]
    construct.__name__ = construct.__qualname__ = kind
    construct.__doc__ = f"{kind}({', '.join(recipe.arguments)}): {recipe.about}; {recipe.equations}"
    return construct


dense = _constructor("dense")
linear = _constructor("linear")
rbf = _constructor("rbf")
quadratic = _constructor("quadratic")
low_rank_quadratic = _constructor("low_rank_quadratic")
gated = _constructor("gated")
weight_normalised = _constructor("weight_normalised")
layer_normalised = _constructor("layer_normalised")
residual = _constructor("residual")
maxout = _constructor("maxout")
conv1d = _constructor("conv1d")
conv = _constructor("conv")
averagepool = _constructor("averagepool")
maxpool = _constructor("maxpool")
tied = _constructor("tied")
embedding = _constructor("embedding")
