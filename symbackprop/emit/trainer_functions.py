"""The functions of the Trainer of every generated module; what follows the marker is copied as in `trainer.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

SPEC: dict[str, Any] = {}
real: Any = np.float64
initial_scale: Any
at_cache_line: Any
SCHEDULES: dict[str, Any] = {}

# --- copied from here ---


def _schedule(schedule, sizes):
    """Return the schedule asked for, or the fastest at these sizes."""
    # --- where deferred ---
    if schedule == "auto" and sizes[0] * sizes[1] >= 2048:  # smaller layers do not repay a block
        return "deferred"
    # --- end ---
    if schedule == "auto":
        return "overlapped"
    if schedule not in SCHEDULES:
        reason = SPEC["refused"].get(schedule, "no such schedule")
        known = ", ".join(SCHEDULES)
        raise ValueError(f"the schedule is {schedule!r} ({reason}), expected auto, {known}")
    return schedule


# --- where deferred ---
def _examples_a_block(sizes):
    """Return how many examples share one update of the first weights: more where they are more."""
    return 16 if sizes[1] < 64 else 24 if sizes[1] < 256 else 48


# --- end ---
def _sizes(sizes):
    made = tuple(sizes) if np.iterable(sizes) else (sizes,)
    # --- where sizes ---
    if made != tuple(SPEC["sizes"]):
        raise ValueError(f"sizes are {made}, this module has fixed ones: {tuple(SPEC['sizes'])}")
    # --- end ---
    # --- where not sizes ---
    count = SPEC["layers"] + 1
    positive = all(isinstance(n, int | np.integer) and n > 0 for n in made)
    if len(made) != count or not positive:
        layers = "inputs, " + "hidden, " * (count - 2) + "outputs"
        raise ValueError(f"sizes are {made}, expected {count} positive integers: ({layers})")
    # --- end ---
    return tuple(int(n) for n in made)


def _known(given, defaults, what):
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        known = ", ".join(defaults) or "none"
        raise ValueError(f"unknown {what} {unknown[0]!r}, this module has {known}")
    for name, value in given.items():
        if not (_is_number(value) and value >= 0):
            raise ValueError(f"{name} is {value!r}, expected a number that is not negative")
    return {name: given.get(name, default) for name, default in defaults.items()}


# --- where weighted ---
def _weights(given, examples):
    """Return the weights of examples, 1 where none are given."""
    made = np.ones(examples, real) if given is None else np.ascontiguousarray(given, real)
    if made.shape != (examples,) or not _all_finite(made) or made.min() < 0:
        what = f"sample_weight has shape {made.shape}"
        raise ValueError(f"{what}, expected {examples} finite numbers, none below 0")
    return made


# --- end ---
# --- where masks ---
def _rate(dropout):
    rate = 0.5 if dropout is None else dropout
    if not (_is_number(rate) and 0 <= rate < 1):
        raise ValueError(f"dropout is {dropout!r}, expected a number from 0 to below 1")
    return rate


# --- end ---
def _is_number(value):
    kinds = int | float | np.integer | np.floating
    return isinstance(value, kinds) and abs(value) <= float(np.finfo(real).max)


def _fits(values):
    """Return whether an array holds nothing but numbers that are finite in this module's type."""
    return values.dtype.kind == "f" and bool((np.abs(values) <= np.finfo(real).max).all())


def _shape(axes, sizes):
    """Return the shape of a parameter: an axis is the number of a layer or, as text, a size."""
    return tuple(int(axis) if isinstance(axis, str) else int(sizes[axis]) for axis in axes) or (1,)


def _zeros(shape):
    values = at_cache_line(int(np.prod(shape)), np.empty(0, real)).reshape(shape)
    values[...] = 0
    return values


def _initial(generator, name, shape, scales):
    values = _zeros(shape)
    # --- where sizes ---
    fans = SPEC["initial"]["fans"]
    # --- end ---
    # --- where not sizes ---
    fans = {name: shape[::-1]} if len(shape) > 1 else {}
    # --- end ---
    if name not in fans:  # biases, gains, and what activations learn
        values[...] = SPEC["initial"]["values"].get(name, 0)
        return values
    fan_in, fan_out = fans[name]
    scale = initial_scale(fan_in, fan_out, **scales)
    # --- where uniform ---
    values[...] = generator.uniform(-scale, scale, shape)
    # --- end ---
    # --- where not uniform ---
    values[...] = scale * generator.standard_normal(shape)
    # --- end ---
    return values


# --- where numbers ---
def _matrix(name, values, columns):
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != columns or not len(values):
        what = f"{name} has shape {values.shape}"
        raise ValueError(f"{what}, expected (examples, {columns}) with at least one example")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {values.dtype}, expected numbers")
    values = np.ascontiguousarray(values, real)
    if not _all_finite(values):
        row, column = np.argwhere(~np.isfinite(values))[0]
        bad = f"{name}[{row}, {column}] is {values[row, column]}"
        raise ValueError(f"{bad}, expected finite numbers")
    return values


# --- end ---
# --- where vocabulary ---
def _indices(values, columns):
    """Return inputs that are numbers of rows of a table."""
    values, rows = np.asarray(values), SPEC["vocabulary"]
    kind = values.dtype.kind
    whole = kind in "biu" or (kind == "f" and (values == np.floor(values)).all())
    if values.ndim != 2 or values.shape[1] != columns or not len(values) or not whole:
        what = f"X has shape {values.shape} and dtype {values.dtype}"
        raise ValueError(f"{what}, expected whole (examples, {columns})")
    if values.min() < 0 or values.max() >= rows:
        what = f"X has values from {values.min()} to {values.max()}"
        raise ValueError(f"{what}, expected 0 to {rows - 1}")
    return np.ascontiguousarray(values, np.int64)


# --- end ---
def _all_finite(values):
    """Return whether all values are finite; the sum of squares, soonest known, answers mostly."""
    return bool(np.isfinite(np.vdot(values, values)) or np.isfinite(values).all())


def _order(order, examples):
    if order is None:
        return np.arange(examples)
    order = np.asarray(order)
    if order.ndim != 1 or order.dtype.kind not in "iu" or not order.size:
        what = f"order has shape {order.shape} and dtype {order.dtype}"
        raise ValueError(f"{what}, expected a list of examples")
    if order.min() < 0 or order.max() >= examples:
        what = f"order has examples from {order.min()} to {order.max()}"
        raise ValueError(f"{what}, expected 0 to {examples - 1}")
    return order.astype(np.int64, copy=False)
