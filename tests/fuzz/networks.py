"""Random networks, dense or of one's own layers, and what they must compute: by their definitions, a number at a time.

The oracle knows index equations, activations, losses and rules of update, and nothing of how kernels are derived or
written. Gradients are exact where all formulas are rational.
"""

import math
import tempfile
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from mpmath import mp

from symbackprop import Network, build, layer
from symbackprop.check.cases import draw as draw_problem
from symbackprop.check.cases import fraction, interpreted
from symbackprop.check.gradients import _updated_once, _updates
from tests.fuzz.expressions import compute, text, total
from tests.fuzz.tape import Number, as_number, slopes

LETTERS = "ijkuvpqodrsg"
PARAMETERS = ("W", "V", "b", "c", "Q", "G", "H", "K", "T", "gain", "total")
VALUES = ("z", "mu", "m", "e")
RATIONAL = {
    "": lambda a: a,
    "a/(1 + a**2)": lambda a: a / (a**2 + 1),
    "a if a > 0 else a/4": lambda a: a if a.value > 0 else a / 4,
    "relu": lambda a: a.apply("relu"),
    "a**3/8 - a": lambda a: a**3 / 8 - a,
}
SMOOTH = {name: (lambda a, name=name: a.apply(name)) for name in ("tanh", "sigmoid", "softplus")}
SMOOTH["arctan(a)"] = lambda a: a.apply("atan")
LOSSES = {
    "squared": lambda f, y: total([(f_i - y_i) ** 2 for f_i, y_i in zip(f, y, strict=True)]),
    "(f - y)**4/4": lambda f, y: total([(f_i - y_i) ** 4 / 4 for f_i, y_i in zip(f, y, strict=True)]),
    "nll": lambda f, y: total([a.apply("exp") for a in f]).apply("log") - f[y],
}
PENALTIES = {
    "none": (), "l2": (lambda w: w**2,), "l1": (lambda w: w.apply("abs"),),
    "l1+l2": (lambda w: w.apply("abs"), lambda w: w**2), "w**4": (lambda w: w**4,),
}  # fmt: skip
UPDATES = ("sgd", "sgd", "momentum", "nesterov", "average", "momentum+average", "clip", "nesterov+clip", "max_norm+clip")


@dataclass(frozen=True)
class OwnLayer:
    """Index equations, a name, letters and a formula each; how far letters run; the activation of its values."""

    equations: tuple
    sizes: tuple
    activation: str

    @property
    def text(self):
        return "; ".join(f"{name}{f'[{chr(44).join(over)}]' * bool(over)} = {text(e)}" for name, over, e in self.equations)

    @property
    def shape(self):
        return tuple(dict(self.sizes)[letter] for letter in self.equations[-1][1])


@dataclass(frozen=True)
class Case:
    """A network, and the seed of its parameters and examples."""

    layers: tuple
    input: tuple
    loss: str = "squared"
    penalty: str = "none"
    update: str = "sgd"
    weighted: bool = False
    dropout: bool = False
    seed: int = 0
    dense: bool = False

    def network(self):
        flags = {"weighted": self.weighted, "dropout": self.dropout}
        if self.dense:  # of any sizes
            activations = [own.activation for own in self.layers[:-1]]
            return Network(activations, loss=self.loss, penalty=self.penalty, update=self.update, **flags)
        items = []
        for own in self.layers:
            items.append(layer(own.text, **dict(own.sizes)))
            items += [own.activation] * bool(own.activation)
        return Network(items, input=self.input, loss=self.loss, penalty=self.penalty, update=self.update, **flags)

    @property
    def sizes(self):
        """How many values there are of an input, and in each layer."""
        return (math.prod(self.input), *(math.prod(own.shape) for own in self.layers))

    @property
    def is_rational(self):
        texts = " ".join(own.text for own in self.layers)
        smooth = any(own.activation in SMOOTH for own in self.layers) or any(f"{name}(" in texts for name in FUNCTIONS)
        return self.loss != "nll" and not smooth and not {"clip", "max_norm"} & {*self.update.split("+")}


# what a random network may be refused for: parameters or letters that cancel, or whose conditions never hold
REASONS = ("never reaches", "nothing to learn", "would learn nothing", "which does not occur in it")
FUNCTIONS = ("tanh", "sin", "exp", "sigmoid")
BITS = 500
DIGITS = {name: getattr(mp, name) for name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "atan")}
DIGITS |= {"isfinite": mp.isfinite, "sigmoid": lambda a: 1 / (1 + mp.exp(-a)), "softplus": lambda a: mp.log1p(mp.exp(a))}


class Grammar:
    """The state while the formulas of a layer are drawn: what there is to read, and how far letters run."""

    def __init__(self, draw, below, rational):
        self.draw, self.below, self.rational = draw, below, rational
        self.sizes, self.letters = {}, list(draw(st.permutations(LETTERS)))
        self.known = {"h": below}  # shapes of what there is
        self.parameters = list(draw(st.permutations(PARAMETERS)))

    def letter(self, size):
        """Return a letter that nothing else has."""
        if not self.letters:
            reject()
        self.sizes[letter := self.letters.pop()] = size
        return letter

    def place(self, size, letters):
        """Draw an index of an axis, in letters that are free here; None where none fits."""
        fits = [(((1, a),), 0) for a in letters if self.sizes[a] == size]
        fits += [(((1, a),), size - self.sizes[a]) for a in letters if self.sizes[a] < size]
        fits += [(((1, a), (1, b)), 0) for a, b in product(letters, repeat=2)
                 if a != b and self.sizes[a] + self.sizes[b] - 1 == size]  # fmt: skip
        fits += [(((2, a),), 0) for a in letters if 2 * self.sizes[a] - 1 == size and size > 1]
        return self.draw(st.sampled_from(fits)) if fits else None

    def read(self, name, letters):
        places = [self.place(size, letters) for size in self.known[name]]
        return None if None in places else ("read", name, tuple(places))

    def parameter(self, letters):
        """Read a new parameter, or one of before at other places."""
        own = [n for n in self.known if n in PARAMETERS]
        if own and self.draw(st.booleans()):
            again = self.read(self.draw(st.sampled_from(own)), letters)
            if again is not None:
                return again
        if not self.parameters:
            return ("number", "1/2")
        name = self.parameters.pop()
        over = [a for a in letters if self.draw(st.booleans())] if letters else []
        self.known[name] = tuple(self.sizes[a] for a in over)
        return ("read", name, tuple((((1, a),), 0) for a in over))

    def sum(self, letters, depth, kind="sum"):
        """Draw a sum, or a maximum, over letters of its own, of a product that reads the layer below."""
        name = self.draw(st.sampled_from([n for n in self.known if n not in PARAMETERS and self.known[n]]))
        own = tuple(self.letter(size) for size in self.known[name])
        read = ("read", name, tuple((((1, a),), 0) for a in own))
        inner = ("*", self.parameter((*letters, *own)), read)
        if depth and self.draw(st.integers(0, 2)) == 0:
            inner = (self.draw(st.sampled_from("+*")), inner, self.formula((*letters, *own), depth - 1))
        if letters and self.draw(st.integers(0, 5)) == 0:
            sign = self.draw(st.sampled_from(["<", "<=", ">", ">="]))
            sides = [("place", (((1, self.draw(st.sampled_from(some))),), 0)) for some in (own, letters)]
            inner = ("if", (sides[0], sign, sides[1]), inner, ("number", "0"))
        return (kind, own, inner)

    def formula(self, letters, depth):
        kinds = ["parameter", "parameter", "number", "read", "read"]
        kinds += ["+", "-", "*", "*", "/", "**", "sum", "sum", "if", "max of", "min of"] * bool(depth)
        kinds += [] if self.rational else ["call", "call"] * bool(depth)
        kind = self.draw(st.sampled_from(kinds))
        u, v = ((self.formula(letters, depth - 1) for _ in "uv") if kind in {*"+-*/", "max of", "min of"} else (0, 0))
        match kind:
            case "parameter":
                return self.parameter(letters)
            case "number":
                return ("number", self.draw(st.sampled_from(["1", "2", "1/2", "-1/4", "0", "3/4"])))
            case "read":
                return self.read(self.draw(st.sampled_from(list(self.known))), letters) or self.parameter(letters)
            case "/":
                return ("/", u, ("+", ("number", "1"), ("**", v, 2)))
            case "**":
                return ("**", self.formula(letters, depth - 1), self.draw(st.sampled_from([2, 3])))
            case "sum":
                return self.sum(letters, depth - 1)
            case "if":
                read = self.read(self.draw(st.sampled_from(list(self.known))), letters)
                if read is None:  # what is read in a condition alone would learn nothing
                    return self.parameter(letters)
                test = (read, ">", ("number", "0"))
                return ("if", test, self.formula(letters, depth - 1), self.formula(letters, depth - 1))
            case "call":
                inside = self.formula(letters, depth - 1)
                function = self.draw(st.sampled_from(FUNCTIONS))
                calm = ("/", inside, ("+", ("number", "1"), ("**", inside, 2)))  # exp of what is at most 1/2
                return ("call", function, calm if function == "exp" else inside)
        return (kind, u, v)

    def layer(self, sizes, activation):
        """Draw a layer with values of some sizes: intermediates, then a sum over the layer below and what is added."""
        equations = []
        for name in VALUES[: self.draw(st.sampled_from([0, 0, 0, 1, 2]))]:
            over = tuple(self.letter(self.draw(st.sampled_from([1, 2, 3]))) for _ in range(self.draw(st.integers(0, 2))))
            whole = ("+", self.sum(over, 1), self.formula(over, 1))
            equations.append((name, over, whole))
            self.known[name] = tuple(self.sizes[a] for a in over)
        over = tuple(self.letter(size) for size in sizes)
        kind = "max" if self.draw(st.integers(0, 9)) == 0 else "sum"
        whole = (self.draw(st.sampled_from("+++-*")), self.sum(over, 1, kind), self.formula(over, 2))
        for name, _, _ in equations:  # all that is computed reaches the values
            whole = ("+", whole, self.read(name, over) or self._whole(name))
        return OwnLayer((*equations, ("a", over, whole)), tuple(self.sizes.items()), activation)

    def _whole(self, name):
        own = tuple(self.letter(size) for size in self.known[name])
        read = ("read", name, tuple((((1, a),), 0) for a in own))
        return ("sum", own, read) if own else read


def dense(inputs, outputs, activation):
    """Return the equation of a dense layer."""
    read = ("read", "W", ((((1, "i"),), 0), (((1, "j"),), 0)))
    total = ("sum", ("j",), ("*", read, ("read", "h", ((((1, "j"),), 0),))))
    whole = ("+", ("read", "b", ((((1, "i"),), 0),)), total)
    return OwnLayer((("a", ("i",), whole),), (("i", outputs), ("j", inputs)), activation)


@st.composite
def cases(draw):
    """Draw a network of no to four hidden layers, all dense or each of its own equations; sizes of one among them."""
    rational, is_dense = draw(st.integers(0, 3)) > 0, draw(st.integers(0, 4)) == 0
    sizes = st.sampled_from([1, 1, 2, 2, 3, 4])
    given = tuple(draw(st.lists(sizes, min_size=1, max_size=1 if is_dense else 2)))
    layers, below = [], given
    count = draw(st.sampled_from([1, 2, 2, 3, 4, 5] if is_dense else [1, 1, 2, 2, 2, 3, 4]))
    activations = [*RATIONAL, *({} if rational else SMOOTH)][is_dense:]
    for n in range(count):
        last = n == count - 1
        shape = tuple(draw(st.lists(sizes, min_size=1, max_size=1 if is_dense or last or draw(st.booleans()) else 2)))
        activation = "" if last else draw(st.sampled_from(activations))
        own = dense(*below, *shape, activation) if is_dense else Grammar(draw, below, rational).layer(shape, activation)
        layers.append(own)
        below = shape
    loss = draw(st.sampled_from(list(LOSSES)[: 2 if rational else 3]))
    penalty = draw(st.sampled_from(list(PENALTIES)))
    update = draw(st.sampled_from(UPDATES))
    weighted, dropout = draw(st.integers(0, 4)) == 0, draw(st.integers(0, 4)) == 0
    return Case(tuple(layers), given, loss, penalty, update, weighted, dropout, draw(st.integers(0, 99)), is_dense)


class Definition:
    """A network by its definitions, over a kind of numbers."""

    def __init__(self, case, spec, number):
        self.case, self.spec, self.number = case, spec, number

    def loss(self, parameters, x, y, weight, masks):
        """Return l of one example."""
        values = {i: as_number(v) for i, v in np.ndenumerate(x)}
        for k, own in enumerate(self.case.layers, 1):
            arrays, sizes = {"h": values, **self.of_layer(parameters, k)}, dict(own.sizes)
            for name, over, e in own.equations:
                turns = product(*(range(sizes[a]) for a in over))
                arrays[name] = {t: compute(e, arrays, dict(zip(over, t, strict=True)), sizes, self.number) for t in turns}
            g = {**RATIONAL, **SMOOTH}[own.activation]
            values = {t: g(a) * masks.get(f"masks{k}", {t: 1})[t] for t, a in arrays["a"].items()}
        return LOSSES[self.case.loss](list(values.values()), y) * weight

    def of_layer(self, parameters, k):
        """Return the parameters of one layer by the names that its equations have for them."""
        own = {n.removesuffix(str(k)): n for n in parameters if n.endswith(str(k))}
        of = {word.rstrip("_"): parameters[n] for word, n in own.items() if not word[-1].isdigit()}
        return {word: p | {(): p[0,]} if (0,) in p else p for word, p in of.items()}  # an array holds what has no axis

    def slopes(self, problem, n, update):
        """Return l of example n, and its slopes by each parameter, those of the penalty added after clipping."""
        numbers = {name: {i: Number(v) for i, v in np.ndenumerate(p)} for name, p in problem.parameters.items()}
        masks = {name: mask[update] for name, mask in zip(self.spec.get("masks", {}), problem.masks, strict=True)}
        loss = self.loss(numbers, problem.X[n], problem.Y[n], next((w[n] for w in problem.weight), 1), masks)
        flat = slopes(loss, [v for p in numbers.values() for v in p.values()])
        if "clip" in self.case.update:
            norm = math.sqrt(sum(float(s) ** 2 for s in flat))
            flat = [s * min(1, problem.settings["max_gradient"] / norm) if norm else s for s in flat]
        made = iter(flat)
        own = [_array(p.shape, [next(made) for _ in range(p.size)]) for p in problem.parameters.values()]
        whole = [a + b for a, b in zip(own, self.penalties(problem), strict=True)]
        return loss.value, whole if self.number is Fraction else [s.astype(float) for s in whole]

    def penalties(self, problem):
        """Return λ times the slopes of Ω by each parameter; weights alone are penalised."""
        return [_array(p.shape, [self.penalty(problem, w) if problem.is_weight(name) else 0 for w in p.flat])
                for name, p in problem.parameters.items()]  # fmt: skip

    def penalty(self, problem, w):
        names = [c for c in problem.settings if c in {"l1", "l2", "penalty"}]
        number, whole = Number(w), 0
        for name, p in zip(names, PENALTIES[self.case.penalty], strict=True):
            whole += problem.settings[name] * slopes(p(number), [number])[0]
        return whole

    def updated(self, problem):
        """Return parameters and state after an update for each example of the problem's order."""
        for t, n in enumerate(problem.order):
            α = problem.settings["learning_rate"] / (1 + problem.settings["decay"] * t)
            problem = _updated_once(problem, self.slopes(problem, n, t)[1], α, t)
        return [*problem.parameters.values(), *problem.state.values()]


def _array(shape, values):
    made = np.empty(len(values), object)
    made[:] = values
    return made.reshape(shape)


def built(case):
    """Return the module of a case; None where it is refused, in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return build(case.network(), dtype="float64", exact_form=True)
    except ValueError as error:
        if "\n" in str(error) or not any(reason in str(error) for reason in REASONS):
            raise
        return None


def agree(case):
    """Raise AssertionError where a module computes something else than its definitions say; return whether it was built."""
    module = built(case)
    if module is None:
        return False
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        place, spec = Path(folder), module.spec
        few, many = (draw_problem(spec, case.sizes, case.seed, *counts) for counts in ((2, 2), (4, 17)))
        floats = interpreted(module.text, place)
        with suppress(OverflowError):  # what overflows in the definition may overflow
            compare(case, spec, few, floats, float)
        if case.is_rational:
            exact = few.cast(np.vectorize(fraction, otypes=[object]))
            compare(case, spec, exact, interpreted(module.text, place, literal), Fraction)
        compare_orders(few, many, interpreted(module.text, place, mp.mpf))
    return True


def _with_tiny_steps(problem):
    tiny = mp.mpf(2) ** -99
    state = {name: tiny * values for name, values in problem.state.items()}  # a velocity is a step too
    return replace(problem, settings=problem.settings | {"learning_rate": tiny}, state=state)


def literal(value):
    """Return the fraction that a module's constant stands for: 16/25 is written as 0.64."""
    return fraction(value) if isinstance(value, int) else Fraction(value).limit_denominator(10**6)


def compare_orders(few, many, module):
    """Compare every order of computation with the lecture's, in many digits.

    Steps of 2^-99 do not diverge, whatever the network is, and what an update computes from a value of the wrong time
    shows in the first two hundred bits all the same.
    """
    with mp.workprec(BITS):
        vars(module).update({name: f for name, f in DIGITS.items() if hasattr(module, name)})
        few, many = (_with_tiny_steps(p.cast(np.vectorize(mp.mpf, otypes=[object]))) for p in (few, many))
        difference, kernels = _updates(few, many, module)
        assert not difference > 2.0 ** -(BITS - 100), (kernels, difference)


def compare(case, spec, problem, module, number):
    """Compare gradients of examples and updates in the lecture's order with the definition."""
    definition, bar = Definition(case, spec, number), 0 if number is Fraction else 1e-9
    whole = replace(problem, masks=[0 * mask + 1 for mask in problem.masks])
    bare = replace(case, update="sgd")  # `backward` writes gradients that are not clipped
    for n in range(len(problem.X)):
        value, *gradients = whole.gradient(module, n)
        expected, expected_slopes = Definition(bare, spec, number).slopes(whole, n, 0)
        close([value], [expected], bar, f"the loss of example {n}")
        close(gradients, expected_slopes, bar, f"the gradient of example {n}")
    close(problem.updated(module, "sgd")[2:], definition.updated(problem), bar, "updates by sgd")


def close(found, expected, bar, what):
    for got, right in zip(map(np.asarray, found), map(np.asarray, expected), strict=True):
        if not all(math.isfinite(v) for v in right.flat):  # what overflows overflows
            return
        worst = max((abs(x - y) / max(1, abs(y)) for x, y in zip(got.flat, right.flat, strict=True)), default=0)
        assert worst <= bar, f"{what}: {found} where the definition gives {expected}"


def run(count, seed):
    """Compare many random networks with their definitions; print the first difference, shrunk, as a test."""
    refused = 0
    started = time.monotonic()

    @hypothesis.seed(seed)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=[Phase.generate, Phase.shrink])  # fmt: skip
    @given(cases())
    def look(case):
        nonlocal refused
        last.append(case)
        refused += not agree(case)

    last = []
    try:
        look()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what was looked for)
        print(f"from tests.fuzz.networks import Case, OwnLayer, agree\n\n\ndef test_counterexample():\n    agree({last[-1]!r})")
        print(f"\n{type(error).__name__}: {error}")
        return 1
    print(f"{count} networks from seed {seed}, {refused} of them refused, in {time.monotonic() - started:.0f} s")
    return 0
