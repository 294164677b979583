"""Plausible bugs, put in one at a time: `python -m tests.mutations [--named] [WORD ...]` says which the tests see.

Each is a file of symbackprop, a piece of its text that occurs once, what a hurried hand might have written instead, and
the tests that are asked first; where these see nothing, the whole suite is, unless --named says that they should. They
run on a copy of the files of this checkout. WORD is part of a bug's name; without one all are tried.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent


class Mutation(NamedTuple):
    """A bug: in which file, instead of what, and where it should be seen."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = tuple(
    Mutation(*row)
    for row in (
        # derivatives
        ("a tie of a maximum goes to the second", "expr/conditions.py",
         "of_all(values, lambda u, v: compared(Le, v, u))", "of_all(values[::-1], lambda u, v: compared(Le, v, u))",
         "calculus/test_differentiate.py"),
        ("the sign of a solved index", "calculus/differentiate.py",
         "solution = (target - (index", "solution = (target + (index",
         "test_layers.py::test_gradients_and_updates[neighbours]"),
        ("the first window is left out", "calculus/differentiate.py",
         "(solution >= low, solution < stop)", "(solution > low, solution < stop)",
         "test_layers.py::test_gradients_and_updates[neighbours]"),
        ("a sum loses what it is multiplied with", "calculus/differentiate.py",
         "outer * inner.slope", "inner.slope", "calculus/test_differentiate.py"),
        ("an adjoint keeps one of its terms", "calculus/chain_rule.py",
         "named(canonical(Add(*evaluated)), want.axes), Add(*(term.value for term in terms))",
         "named(canonical(Add(*evaluated)), want.axes), terms[-1].value", "calculus/test_chain_rule.py test_gradients.py"),
        # forms
        ("a slope is read through whatever is stored", "precision/apply.py",
         "error <= GOOD and not wrong", "error >= 0", "precision/test_apply.py test_fuzz_formulas.py"),
        ("a slope is kept under any value", "precision/slopes.py",
         "return c if c and same else None", "return c or None", "precision/test_slopes.py"),
        ("exponentials without their shift", "precision/max_shift.py",
         "exp(u_i - m)", "exp(u_i)", "precision/test_max_shift.py"),
        # definitions
        ("half the penalty", "definitions/penalties.py",
         '"l2": {"λ₂": w**2}', '"l2": {"λ₂": w**2 / 2}', "definitions/test_tables.py check/test_gradients.py test_compiler.py"),
        ("the sign of the other label in bce", "definitions/losses.py",
         "+ (1 - y[i]) * log", "- (1 - y[i]) * log", "definitions/test_tables.py test_compiler.py"),
        ("a stale velocity", "definitions/update_rules.py",
         '"momentum": {v: μ * v + α * Δ, θ: θ + v}', '"momentum": {θ: θ + v, v: μ * v + α * Δ}', "derivation/test_update.py"),
        ("Nesterov without looking ahead", "definitions/update_rules.py",
         '"nesterov": {v: μ * v + α * Δ, θ: θ + μ * v + α * Δ}', '"nesterov": {v: μ * v + α * Δ, θ: θ + v}',
         "derivation/test_update.py"),
        ("a norm compared with its bound's root", "definitions/update_rules.py",
         "norm > most**2)", "norm > most)", "derivation/test_update.py"),
        ("a swapped condition of max-norm", "definitions/update_rules.py",
         "norm > largest**2)", "norm < largest**2)", "derivation/test_update.py"),
        ("an average that counts from 1", "definitions/update_rules.py",
         "SHARE = 1 / (1 + t)", "SHARE = 1 / (2 + t)", "derivation/test_update.py"),
        ("the wrong exponent of a decay", "definitions/step_sizes.py",
         "(1 + t) ** -_p", "(1 + t) ** (-2 * _p)", "definitions/test_step_sizes.py"),
        ("a decay that is one update ahead", "definitions/step_sizes.py",
         "1 / (1 + δ * t)", "1 / (1 + δ * (t + 1))", "definitions/test_step_sizes.py test_compiler.py test_reference.py"),
        ("Glorot by one fan alone", "definitions/initializers.py",
         "sqrt(6) / sqrt(fan_in + fan_out)", "sqrt(6) / sqrt(2 * fan_in)", "emit/test_trainer.py"),
        ("biases are penalised", "definitions/resolve.py",
         "is_weight=len(axes) > 1 and name not in instance.values", "is_weight=len(axes) > 0",
         "definitions/test_resolve.py derivation/test_network.py"),
        # from a gradient to an update
        ("the sign of the penalty's slope", "derivation/update.py",
         "Δ = -factor * gradient - Add(", "Δ = -factor * gradient + Add(", "derivation/test_update.py"),
        ("biases are never updated", "derivation/training_step.py",
         "(e for p in every for e in p.updates)", "(e for p in every for e in p.updates if len(e.over) > 1)",
         "test_compiler.py"),
        # loops
        ("a bound that is one short", "loops/bounds.py",
         "return None, edge + 1 - strict", "return None, edge - strict", "loops/test_bounds.py"),
        ("the strides of a maximum's place", "loops/lower.py",
         "number * (high - low + 1) + index", "number * (high - low) + index", "loops/test_lower.py"),
        ("of equal values the last is the maximum", "loops/lower.py",
         "Or(value > best,", "Or(value >= best,", "loops/test_lower.py"),
        ("loops are fused whatever their scalars", "loops/passes/fuse.py",
         "return not (_scalars(first.body) & exposed((second,)) or _scalars(second.body) & exposed((first,)))",
         "return True", "loops/passes/test_fuse.py"),
        ("loops are fused over what stands between", "loops/passes/fuse.py",
         "return not reads & written((loop,)) and not written(between) & inside", "return True",
         "loops/passes/test_fuse.py"),
        ("the rest after whole tiles is dropped", "loops/passes/tile.py",
         "made += _turns(_backwards(main, rest) if backwards else (main, rest))", "made += _turns((main,))",
         "loops/passes/test_tile.py"),
        ("turns that depend on each other are jammed", "loops/passes/tile.py",
         "if not safe and (len(touched)", "if False and (len(touched)", "loops/passes/test_tile.py"),
        ("what was hoisted earlier is used although it has changed", "loops/passes/hoist.py",
         "if _is_invariant(statement.value, written(tuple(made[n + 1 :]))):", "if True:",
         "loops/passes/test_hoist.py"),
        ("the sign of a hoisted number", "loops/passes/hoist.py",
         "(-1, -number * fixed) if", "(-1, number * fixed) if", "loops/passes/test_hoist.py"),
        ("an element is loaded although another may be the same", "loops/passes/scalarize.py",
         "if any(_may_meet(e, t) for e in counts for t in stored if e != t and e.base == t.base):", "if False:",
         "loops/passes/test_scalarize.py"),
        ("what a condition guards is read before it", "loops/passes/cse.py",
         "if _guards_reads(p) or _may_raise(p)}", "if _may_raise(p)}",
         "loops/passes/test_cse.py"),
        # orders of computation
        ("an update before the last read of its weights", "kernels/sweeps.py",
         "ready = update.name not in later and not behind", "ready = not behind", "kernels/test_fast_orders.py"),
        ("a stale row in the look ahead", "kernels/overlapped.py",
         'Row("row", "order", Min(n + 1, UPDATES - 1))', 'Row("row", "order", Min(n, UPDATES - 1))',
         "kernels/test_fast_orders.py"),
        ("the last block is as long as the others", "kernels/deferred.py",
         "Assign(COUNT, Min(BLOCK, UPDATES - start))", "Assign(COUNT, BLOCK)", "kernels/test_fast_orders.py"),
        ("the decay of a block's own outer products is lost", "calculus/block_recurrence.py",
         "return (delta, *self._decay(), *begun,", "return (delta, *begun,", "kernels/test_fast_orders.py"),
        ("a batch adds its gradients up", "kernels/minibatch.py",
         "Sum(_indexed(of_examples, own) / EXAMPLES.size,", "Sum(_indexed(of_examples, own),",
         "kernels/test_fast_orders.py"),
        ("a batch counts examples, not updates", "kernels/minibatch.py",
         "*scalars_of(step, UPDATE)", "*scalars_of(step, start)", "kernels/test_fast_orders.py derivation/test_update.py"),
        ("every update of a call has the first one's step size", "kernels/plain.py",
         "*scalars_of(step, n)", "*scalars_of(step, Integer(0))", "test_compiler.py"),
        # the text, the trainer, what is around it
        ("a subtraction is printed as an addition", "emit/numba_text.py",
         "{'-=' if minus else '+='}", "{'+=' if minus else '+='}", "emit/test_numba_text.py"),
        ("masks that do not keep the mean", "emit/trainer.py",
         "(mask / (1 - rate)).astype(real)", "mask.astype(real)",
         "derivation/test_update.py"),
        ("a short last batch is no update", "emit/trainer.py",
         "self.t += -(-int(done) // batch_size)", "self.t += int(done) // batch_size",
         "derivation/test_update.py"),
        ("the best epoch is the last", "train/run/loop.py",
         "if kept is None or epoch.better_than(kept.epoch):", "if True:", "train/run/test_loop.py"),
        ("patience is one epoch short", "train/run/loop.py",
         "len(self.epochs) - best.number >= self", "len(self.epochs) - best.number + 1 >= self", "train/run/test_loop.py"),
        ("machine code by the name of a module alone", "emit/machine_code.py",
         "text = f\"{function.__module__}\\n{function.__globals__.get('__doc__')}\"", "text = function.__module__",
         "emit/test_machine_code.py"),
    )
)  # fmt: skip


def occurrences(mutation: Mutation) -> int:
    """How often the text of a bug's place is in its file."""
    return (ROOT / "symbackprop" / mutation.file).read_text("utf-8").count(mutation.old)


def copy_files(to: Path) -> None:
    """Copy what git knows of this checkout, as it is now."""
    known = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, known.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


def failing_test(place: Path, tests: list[str]) -> str:
    """The first test that fails in a copy; nothing where none does."""
    cache = str(place / ".cache")
    environment = os.environ | {"PYTHONPATH": str(place), "SYMBACKPROP_CACHE_DIR": cache, "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=no", *tests]
    done = subprocess.run(command, cwd=place, env=environment, check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0].split(" - ")[0] if lines else f"pytest ended with {done.returncode}: {done.stderr[-200:]}"


def seen_by(mutation: Mutation, place: Path, *, named: bool) -> str:
    """Put a bug into a copy, ask the tests, and take it out again."""
    path = place / "symbackprop" / mutation.file
    text = path.read_text("utf-8")
    path.write_text(text.replace(mutation.old, mutation.new), "utf-8")
    try:
        seen = failing_test(place, [f"tests/{name}" for name in mutation.tests.split()])
        return seen or ("" if named else failing_test(place, []))
    finally:
        path.write_text(text, "utf-8")


def main(arguments: list[str]) -> int:
    """Try the bugs whose names have one of the words; return how many no test saw."""
    named, words, survived = "--named" in arguments, [word for word in arguments if word != "--named"], 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        copy_files(place)
        for mutation in MUTATIONS:
            if words and not any(word in mutation.name for word in words):
                continue
            if occurrences(mutation) != 1:
                raise SystemExit(f"{mutation.name}: {mutation.file} has {mutation.old!r} {occurrences(mutation)} times")
            start = time.perf_counter()
            test = seen_by(mutation, place, named=named)
            survived += not test
            print(f"{time.perf_counter() - start:5.0f} s  {mutation.name}: {test or 'SURVIVED'}", flush=True)
    return survived


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
