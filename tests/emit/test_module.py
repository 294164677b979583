"""A generated module: what it imports, what its text promises, and the types that LLVM makes of it."""

import ast
import builtins
import hashlib
import json
import re
import subprocess
import symtable
import sys
import textwrap

import numba
import numpy as np
import pytest
from sympy import sin

from symbackprop import Network, build
from tests import modules
from tests.test_compiler import REPLACED
from tests.test_gradients import MIXED, SIZES

NETWORKS = {
    "linear": Network(()),
    "two layers": Network(("tanh", "silu"), "bce", "l1+l2"),
    "pieces": Network(("selu", "hard_sigmoid"), "squared", "l1"),
    "formulas": REPLACED["all four"],
    "constant step": Network(("gelu",), initializer="normal", step_size="constant"),
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def text(request):
    return modules.text_of(request.param, "float32")


# --- the text ---


def test_it_imports_numpy_numba_and_the_standard_library(text):
    tree = ast.parse(text)
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"numpy", "numba", *sys.stdlib_module_names}


def test_it_evaluates_nothing(text):
    called = {
        node.func.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"eval", "exec", "compile", "__import__"}
    assert "allow_pickle=False" in text


def test_every_name_is_bound(text):
    """By the module, the function it stands in, or Python."""
    module = symtable.symtable(text, "module", "exec")
    bound = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported()}
    for scope in scopes(module):
        read = {s.get_name() for s in scope.get_symbols() if s.is_global() and s.is_referenced()}
        assert read <= bound | set(dir(builtins)), scope.get_name()


def scopes(table):
    """A scope and those within it."""
    return [table, *(inner for child in table.get_children() for inner in scopes(child))]


def test_the_digest_is_that_of_the_code(text):
    header, code = text.split('"""\n\n', 1)
    (digest,) = re.findall(r"digest of what follows: ([0-9a-f]{16})\.", header)
    assert digest == hashlib.sha256(code.removesuffix("\n").encode()).hexdigest()[:16]


def test_there_is_no_time_in_it(text):
    assert not re.search(r"\b20\d\d-\d\d|\d\d:\d\d:\d\d", text)


def test_the_page_is_in_the_order_of_its_contents(text):
    """Mathematics, SPEC, the lecture's loop, what it is compared with, the Trainer; how it is made fast comes after."""
    docstring = text.split('"""')[1]
    contents = docstring.split("Contents:\n\n")[1].split("\n\n")[0].splitlines()
    assert len(contents) <= 8
    listed = [name for line in contents for name in re.findall(r"\w+", line.split(":")[0])]
    defined = [n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    first = ["sgd", "forward", "loss", "backward"]
    assert [name for name in defined if name in listed] == listed
    assert defined[: len(first)] == listed[: len(first)] == first
    parts = ["Contents:", "Given:", "Update after each example:", "Shapes:", "Regenerate with:", "\nSPEC = {",
             "\ndef sgd(", "\nclass Trainer:", "# --- faster orders, same updates ---", "\ndef sgd_overlapped("]  # fmt: skip
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_the_loop_of_the_lecture_ends_within_the_first_pages():
    text = modules.text_of(Network(("tanh",), penalty="l2"), "float32")
    (sgd,) = (n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name == "sgd")
    assert sgd.end_lineno <= 250


def test_the_shapes_are_those_of_a_trainers_arrays(text):
    shapes = text.split('"""')[1].split("Shapes:\n\n")[1].split("\n\n")[0]
    rows = dict(re.findall(r"(\w+) \(([^)]*)\)", shapes))
    assert {"X", "Y", "order"} <= rows.keys()
    module = modules.interpret(text)
    sizes = (*(5, 4, 6, 7)[: module.SPEC["layers"]], 3)
    for name, values in module.Trainer(sizes, seed=0).parameters.items():
        expected = [int(n) if n.isdigit() else sizes[int(n[1:])] for n in re.findall(r"\w+", rows[name])]
        assert list(values.shape) == expected


def test_spec_is_json_and_python(text):
    (assigned,) = [
        n for n in ast.parse(text).body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "SPEC"
    ]
    spec = ast.literal_eval(assigned.value)
    assert json.loads(json.dumps(spec)) == spec
    assert spec["dtype"] == "float32"
    assert {"name", "activations", "loss", "output", "target", "penalty", "initializer", "step_size"} <= set(spec)


def test_lines_are_short(text):
    title, *rest = text.splitlines()
    assert title.startswith('"""')
    long = [line for line in rest if len(line) > 100 and not line.startswith('    "')]  # entries of SPEC
    assert long == []


def test_it_is_compiled_by_python_without_a_warning(text, recwarn):
    compile(text, "module", "exec")
    assert not recwarn.list


NEEDED = {  # words of the Trainer, and the entry of SPEC without which they have no place there
    "dropout": "masks",
    "_masks": "masks",
    "sample_weight": "weighted",
    "velocities": "state",
    "mean_": "state",
    "_indices": "vocabulary",
    'SPEC["sizes"]': "sizes",
    'SPEC["above_0"]': "above_0",
}


def trainer_of(text):
    return text[text.index("class Trainer:") : text.index("# --- faster orders")]


@pytest.mark.parametrize("options", [{}, {"weighted": True}, {"dropout": True, "update": "nesterov+average"}])
def test_the_trainer_has_what_its_spec_needs_and_no_more(options):
    text = modules.text_of(Network(("tanh",), **options), "float32")
    spec = modules.interpret(text).SPEC
    for word, entry in NEEDED.items():
        assert (word in trainer_of(text)) == (entry in spec), word
    assert "# --- where" not in text
    assert "# --- end" not in text


def test_every_loop_of_the_plain_kernels_says_its_formula():
    text = modules.text_of(Network(("tanh",), penalty="l2"), "float32")
    start = text.index("def sgd(")
    kernel = text[start : text.index("@kernel", start)]
    for formula in [
        "# a1[i] = b1[i] + Σ_j W1[i,j] x[j]",
        "# h1[j] = tanh(a1[j])",
        "# f[i] = e[i]/z",
        "# da2[i] = f[i] - 1[i=y]",
        "# dh1[j] = Σ_i W2[i,j] da2[i]",
        "# dh1_da1[j] = 4 exp(-|a1[j]|)²/(1 + exp(-|a1[j]|)²)²",
        "# da1[i] = dh1_da1[i] dh1[i]",
        "# step = learning_rate/(1 + t decay)",
        "# W1[i,j] ← W1[i,j] + step (-da1[i] x[j] - 2 l2 W1[i,j])",
        "# b1[i] ← b1[i] - step da1[i]",
    ]:
        assert formula in kernel


def test_the_header_gives_every_formula_and_the_command():
    header = modules.text_of(Network(("tanh",), penalty="l2"), "float32").split('"""')[1]
    for part in ("Given:", "Penalty:", "Derived:", "Update after each example:", "Regenerate with:"):
        assert part in header
    for formula in (
        "a1[i] = b1[i] + Σ_j W1[i,j] x[j]",
        "f[i] = exp(a2[i])/Σ_j exp(a2[j])",
        "l = -log(f[y])",
        "dW1[i,j] = da1[i] x[j]",
        "db2[i] = da2[i]",
    ):
        assert formula in header
    command = " ".join(header.split("Regenerate with:")[1].split("The digest of")[0].split())
    assert command.startswith("symbackprop generate --activation tanh --hidden-layers 1 --loss nll --penalty l2")
    assert command.endswith("--dtype float32 -o module.py")


def test_the_name_is_in_the_spec_and_the_command():
    made = build(Network(()), name="regression")
    assert made.spec["name"] == "regression"
    assert "-o regression.py" in made.text
    assert '"name": "regression"' in made.text


# --- alone ---

ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"symbackprop", "sympy"}:
            raise ModuleNotFoundError(f"{name} is not here")

sys.meta_path.insert(0, Absent())
sys.path.insert(0, ".")
import module, numpy as np
generator = np.random.default_rng(0)
X = generator.normal(size=(80, 2))
y = (X[:, 0] > X[:, 1]).astype(int)
trainer = module.Trainer((2, 3, 2), seed=1)
before = trainer.loss(X, y)
for _ in range(5):
    trainer.sgd(X, y, learning_rate=0.3)
trainer.save("model.npz")
again = module.Trainer.load("model.npz")
assert (again.predict(X) == trainer.predict(X)).all() and again.t == 400
assert trainer.loss(X, y) < before / 2
assert not {"sympy", "symbackprop"} & set(sys.modules)
print("trained")
"""


@pytest.mark.slow
def test_it_works_in_an_empty_directory_without_symbackprop(tmp_path):
    (tmp_path / "module.py").write_text(modules.text_of(Network(("tanh",)), "float32"), "utf-8")
    (tmp_path / "run.py").write_text(ALONE, "utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "run.py"], cwd=tmp_path, check=False, capture_output=True, text=True,
        env={"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.stdout == "trained\n", done.stderr
    assert {p.name for p in tmp_path.iterdir()} <= {"module.py", "run.py", "model.npz", "cache", "__pycache__"}


def test_training_loads_no_sympy(tmp_path):
    (tmp_path / "m.py").write_text(modules.text_of(Network(()), "float32"), "utf-8")
    code = textwrap.dedent(f"""
        import sys
        import symbackprop, symbackprop.train
        symbackprop.train.import_module({str(tmp_path / "m.py")!r}).Trainer((2, 2))
        assert "sympy" not in sys.modules and "mpmath" not in sys.modules
    """)
    subprocess.run([sys.executable, "-c", code], check=True)


# --- types ---


def kernel_types(module, sizes, dtype, kernel="sgd"):
    """The Numba types of the arguments that a kernel takes."""
    weights = list(module.Trainer(sizes, schedule="plain").parameters.values())
    X, settings = np.zeros((2, sizes[0]), dtype), [module.real(0.1)] * (1 + len(module.SPEC["hyperparameters"]))
    y = np.zeros(2, np.int64) if module.SPEC["target"] == "label" else np.zeros((2, sizes[-1]), dtype)
    updates = (X, y, np.arange(2), *weights, *settings, 0)
    arguments = {
        "forward": (X, *weights, np.zeros((2, sizes[-1]), dtype)),
        "loss": (X, y, *weights),
        "backward": (X[0], y[0], *weights, *weights, *settings[: len(modules.penalties_of(module))]),
        "sgd": updates,
        "sgd_overlapped": updates,
    }[kernel]
    return tuple(map(numba.typeof, arguments))


def code_of(kernel, types):
    """The LLVM text of a kernel after optimisation, its wrapper for Python left out."""
    kernel.compile(types)
    functions = re.findall(
        r"^define [^\n]*?@([^ (]+)\([^\n]*\n(.*?)^}$", kernel.inspect_llvm(types), re.MULTILINE | re.DOTALL
    )
    own = {name: code for name, code in functions if "cpython" not in name and "cfunc" not in name}
    assert any(kernel.py_func.__name__ in name for name in own)
    return "\n".join(own.values())


FLOAT32 = {
    **{"-".join(g): (Network(g, loss, penalty), SIZES[3]) for g, loss, penalty in MIXED},
    "formulas": (
        Network((lambda a: a**5 + sin(a) ** 2 + (1 + a**2) ** 0.3 + 2**a,), "squared", lambda w: w**4),
        (2, 3, 2),
    ),
    "four replaced": (REPLACED["all four"], (2, 3, 3, 3)),
}


def wide_lines(network, sizes, kernel):
    """What a float32 kernel computes in more than float32."""
    module = modules.compile_text(modules.text_of(network, "float32"))
    code = code_of(getattr(module, kernel), kernel_types(module, sizes, "float32", kernel))
    assert "float" in code
    return [line.strip() for line in code.splitlines() if re.search(r"\bdouble\b|fpext|\bx86_fp80\b", line)]


@pytest.mark.parametrize("name", FLOAT32)
def test_a_float32_kernel_computes_in_float32(name):
    assert wide_lines(*FLOAT32[name], "sgd") == []


@pytest.mark.parametrize("kernel", ["forward", "loss", "backward", "sgd_overlapped"])
def test_every_float32_kernel_computes_in_float32(kernel):
    assert wide_lines(Network(("gelu",), "bce", "l1+l2"), (2, 3, 2), kernel) == []


def test_the_check_of_types_can_fail():
    """The same kernel with one constant left untyped."""
    text = modules.text_of(Network(()), "float32").replace("zero, one = real(0), real(1)", "zero, one = 0.0, 1.0")
    module = modules.compile_text(text)
    assert "double" in code_of(module.sgd, kernel_types(module, (2, 3), "float32"))
