"""The independent oracle: a network in plain NumPy whose derivatives are typed in by hand, from the textbook.

It knows nothing of symbackprop, so that a mistake in the generator cannot be shared.  For k = 1..L+1

    a[k] = b[k] + W[k] h[k-1]        h[0] = x        h[k] = g(a[k])        f = output(a[L+1])

`parameters` is {"W1": (n1, n0), "b1": (n1,), "W2": ...}, after a prelu "slope1" of (1,) or (n1,) too; `activations` names one activation per hidden layer
(a lone string: the same one everywhere).  All arithmetic stays in the dtype of W1.
"""

import itertools
import math

import numpy as np

LEAK = 0.01
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
LECUN_SCALE, LECUN_SLOPE = 1.7159, 2 / 3


def sigmoid(a):
    e = np.exp(-np.abs(a))  # never above 1
    return np.where(a >= 0, 1 / (1 + e), e / (1 + e))


def dsigmoid(a):
    e = np.exp(-np.abs(a))  # s(1 - s) without the cancellation
    return e / (1 + e) ** 2


def softplus(a):
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def dtanh(a):
    return 4 * dsigmoid(2 * a)  # 1 - tanh² = 4 s(2a) (1 - s(2a))


def step(a):
    """1 where a > 0, else 0: a kink takes its left side."""
    return (a > 0).astype(a.dtype)


def elu(a):
    return np.maximum(a, 0) + np.expm1(np.minimum(a, 0))


def delu(a):
    return np.exp(np.minimum(a, 0))  # 1 where a > 0


def selu(a):
    return SELU_SCALE * (np.maximum(a, 0) + SELU_ALPHA * np.expm1(np.minimum(a, 0)))


def dselu(a):
    return SELU_SCALE * np.where(a > 0, step(a), SELU_ALPHA * delu(a))


def normal_cdf(a):
    """Φ(a) = erfc(-a/√2)/2: keeps its digits in the left tail, where (1 + erf)/2 loses them."""
    tails = [math.erfc(-v / math.sqrt(2)) / 2 for v in a.ravel().tolist()]
    return np.array(tails, dtype=a.dtype).reshape(a.shape)


def normal_pdf(a):
    c = np.clip(a, -50, 50)  # exp(-1250) is 0 already
    return np.exp(-c * c / 2) / math.sqrt(2 * math.pi)


def gaussian(a):
    c = np.clip(a, -30, 30)  # exp(-900) is 0 already
    return np.exp(-c * c)


def dgaussian(a):
    return -2 * np.clip(a, -30, 30) * gaussian(a)


ACTIVATIONS = {  # name: (g, g')
    "identity": (lambda a: a, np.ones_like),
    "sigmoid": (sigmoid, dsigmoid),
    "tanh": (np.tanh, dtanh),
    "relu": (lambda a: np.maximum(a, 0), step),
    "leaky_relu": (lambda a: np.where(a > 0, a, LEAK * a), lambda a: np.where(a > 0, step(a), LEAK)),
    "softplus": (softplus, sigmoid),
    "elu": (elu, delu),
    "selu": (selu, dselu),
    "gelu": (lambda a: a * normal_cdf(a), lambda a: normal_cdf(a) + a * normal_pdf(a)),
    "silu": (lambda a: a * sigmoid(a), lambda a: sigmoid(a) * (1 + a * sigmoid(-a))),  # s + a s (1 - s)
    "softsign": (lambda a: a / (1 + np.abs(a)), lambda a: (1 / (1 + np.abs(a))) ** 2),
    "arctan": (np.arctan, lambda a: (1 / np.hypot(1, a)) ** 2),  # 1/(1 + a²)
    "gaussian": (gaussian, dgaussian),
    "sine": (np.sin, np.cos),
    "squared_relu": (lambda a: np.maximum(a, 0) ** 2, lambda a: 2 * np.maximum(a, 0)),
    "hard_sigmoid": (lambda a: np.clip((a + 3) / 6, 0, 1), lambda a: (np.abs(a) < 3).astype(a.dtype) / 6),
    "lecun_tanh": (
        lambda a: LECUN_SCALE * np.tanh(LECUN_SLOPE * a),
        lambda a: LECUN_SCALE * LECUN_SLOPE * dtanh(LECUN_SLOPE * a),
    ),
}

LEARNT = {  # name: (parameter p, g(a, p), ∂g/∂a, ∂g/∂p); one p for the layer or one for each unit
    "prelu": (
        "slope",
        lambda a, p: np.where(a > 0, a, p * a),
        lambda a, p: np.where(a > 0, step(a), p),
        lambda a, _: np.minimum(a, 0),
    ),
    "swish": (
        "beta",
        lambda a, p: a * sigmoid(p * a),
        lambda a, p: sigmoid(p * a) + p * a * dsigmoid(p * a),
        lambda a, p: a * a * dsigmoid(p * a),
    ),
}


def activate(name, which, a, parameters, k):
    """g of layer k (which = 0), ∂g/∂a (1), or ∂g/∂p (2)."""
    if name not in LEARNT:
        return ACTIVATIONS[name][which](a)
    parameter, *functions = LEARNT[name]
    return functions[which](a, parameters[f"{parameter}{k}"])


def log_sum_exp(a):
    top = a.max()
    return top + np.log(np.exp(a - top).sum())


def softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def one_hot(y, f):
    return (np.arange(f.size) == y).astype(f.dtype)


OUTPUTS = {"softmax": softmax, "sigmoid": sigmoid, "identity": lambda a: a}

LOSSES = {  # name: (output, l of the last pre-activation a and y, ∂l/∂a of a and y)
    "nll": ("softmax", lambda a, y: log_sum_exp(a) - a[y], lambda a, y: softmax(a) - one_hot(y, a)),
    "bce": ("sigmoid", lambda a, y: (softplus(a) - y * a).sum(), lambda a, y: sigmoid(a) - y),
    "squared": ("identity", lambda a, y: ((a - y) ** 2).sum(), lambda a, y: 2 * (a - y)),
}


def propagate(parameters, activations, x):
    """a[1..L+1] and h[0..L] as lists (a[0] is None); x is one example or has one example a row."""
    depth = sum(name.startswith("W") for name in parameters)
    names = [activations] * (depth - 1) if isinstance(activations, str) else list(activations)
    a, h = [None], [np.asarray(x, dtype=parameters["W1"].dtype)]
    for k, name in enumerate([*names, None], start=1):
        a.append(h[k - 1] @ parameters[f"W{k}"].T + parameters[f"b{k}"])
        if name is not None:
            h.append(activate(name, 0, a[k], parameters, k))
    assert len(h) == depth, f"{depth - 1} hidden layers, {len(names)} activations"
    return names, a, h


def target(loss, y, a):
    return int(y) if loss == "nll" else np.asarray(y, dtype=a.dtype).reshape(a.shape)


def value_and_gradients(parameters, activations, loss, x, y, l1=0, l2=0):
    """l(f(x), y) without the penalties, and the gradients of l + l1 Σ|W| + l2 ΣW²."""
    names, a, h = propagate(parameters, activations, x)
    _, value_of, slope_of = LOSSES[loss]
    y = target(loss, y, a[-1])
    value, da, found = value_of(a[-1], y), slope_of(a[-1], y), {}
    for k in range(len(h), 0, -1):
        W = parameters[f"W{k}"]
        found[f"db{k}"] = da
        found[f"dW{k}"] = np.outer(da, h[k - 1]) + l1 * np.sign(W) + 2 * l2 * W
        if k > 1:
            dh, name = W.T @ da, names[k - 2]
            if name in LEARNT:
                p, each = f"{LEARNT[name][0]}{k - 1}", dh * activate(name, 2, a[k - 1], parameters, k - 1)
                found[f"d{p}"] = each.sum(keepdims=True) if parameters[p].size == 1 else each
            da = dh * activate(name, 1, a[k - 1], parameters, k - 1)
    return value, {f"d{name}": found[f"d{name}"] for name in parameters}


def forward(parameters, activations, output, x):
    """f(x), for one example or for one example a row; output is softmax, sigmoid or identity."""
    return OUTPUTS[output](propagate(parameters, activations, x)[1][-1])


def loss(parameters, activations, loss, x, y, l1=0, l2=0):
    """l(f(x), y) + l1 Σ|W| + l2 ΣW² for one example."""
    a = propagate(parameters, activations, x)[1][-1]
    weights = [p for name, p in parameters.items() if name.startswith("W")]
    penalty = sum(l1 * np.abs(W).sum() + l2 * (W * W).sum() for W in weights)
    return LOSSES[loss][1](a, target(loss, y, a)) + penalty


def gradients(parameters, activations, loss, x, y, l1=0, l2=0):
    """The gradients of `loss` as {"dW1": ..., "db1": ..., ...}, for one example."""
    return value_and_gradients(parameters, activations, loss, x, y, l1, l2)[1]


def sgd(parameters, activations, loss, X, y, order, learning_rate, decay=0, l1=0, l2=0, t=0):
    """Update in place after each example of X[order]; return the mean l (no penalty) before each update."""
    values = []
    for t_now, i in enumerate(order, start=t):
        value, found = value_and_gradients(parameters, activations, loss, X[i], y[i], l1, l2)
        values.append(float(value))
        alpha = float(learning_rate) / (1 + float(decay) * t_now)
        for name in parameters:
            parameters[name] -= alpha * found[f"d{name}"]
    return sum(values) / len(values)


def initial(sizes, seed=0, scale=0.5, dtype=np.float64):
    """Normal weights and biases (not zero: a test must see them), for sizes (n0, n1, ..., n[L+1])."""
    rng, parameters = np.random.default_rng(seed), {}
    for k, (inputs, outputs) in enumerate(itertools.pairwise(sizes), start=1):
        parameters[f"W{k}"] = rng.normal(0, scale, (outputs, inputs)).astype(dtype)
        parameters[f"b{k}"] = rng.normal(0, scale, outputs).astype(dtype)
    return parameters
