"""The text of modules is fit to read: of all that are committed, and of a few that nobody looked at."""

import ast
import re
from pathlib import Path

import pytest

from symbackprop import Network, build, dense, derive, layer

GENERATED = Path(__file__).parents[1] / "generated"
COMMITTED = sorted(p for p in GENERATED.glob("*.py") if p.name != "__init__.py")
OWN = """
    s[i] = sum(W[i,j]*h[j], j)
    p[i] = exp(s[i])/sum(exp(s[k]), k)
    a[i] = n*p[i]*h[i]
"""
BUILT = {
    "one of everything": lambda: Network([dense(1), "tanh", dense(1)], input=1, loss="squared"),
    "own text": lambda: Network([dense(3), "sigmoid", layer(OWN), dense(2)], input=4),
    "long formulas": lambda: Network(("a*tanh(log(1+exp(a)))", "gelu"), penalty="log(1+w**2)+w**2", update="momentum+clip"),
    "learnt": lambda: Network(("max(a, slope*a)",), learned_per_unit={"slope": 0.1}, loss="sqrt(1+(f-y)**2)-1"),
}


@pytest.fixture(scope="module", params=[*COMMITTED, *BUILT], ids=lambda p: getattr(p, "stem", p))
def text(request):
    return request.param.read_text("utf-8") if isinstance(request.param, Path) else build(BUILT[request.param]()).text


def kernels(text):
    """Return the functions that the generator writes, not those that are copied into every module."""
    return [f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)
            and any(ast.unparse(d) == "kernel" for d in f.decorator_list)]  # fmt: skip


def written(text):
    """Return the lines that the generator makes: the header, SPEC, the kernels."""
    rows, tree = text.splitlines(), ast.parse(text)
    ours = [tree.body[0], *(n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "SPEC"), *kernels(text)]
    return [row for node in ours for row in rows[node.lineno - 1 : node.end_lineno]]


def test_no_word_of_the_generator_is_in_it(text):
    assert not re.search(r"IndexedBase|Symbol\(|Sum\(|Maximum\(|Place\(|Piecewise|Dummy", text)


def test_no_line_is_long_or_ends_within_an_index(text):
    assert [row for row in text.splitlines() if len(row) > 100] == []
    for row in written(text):
        code = re.sub(r'"[^"]*"', '""', row)
        assert code.count("[") <= code.count("]") or code.endswith("["), row


def test_the_title_is_one_line(text):
    assert ast.get_docstring(ast.parse(text)).splitlines()[1] == ""


def test_no_loop_turns_once(text):
    for function in kernels(text):
        for loop in (n for n in ast.walk(function) if isinstance(n, ast.For)):
            bounds = loop.iter.args
            if all(isinstance(b, ast.Constant) for b in bounds):
                assert len(range(*(b.value for b in bounds))) > 1, ast.unparse(loop)


def is_index(value, indices):
    """Whether an expression is made of whole numbers and sizes alone."""
    if isinstance(value, ast.Subscript):
        return ast.unparse(value).endswith(("]",)) and ".shape[" in ast.unparse(value)
    if isinstance(value, ast.Constant):
        return type(value.value) is int
    if isinstance(value, ast.Name):
        return value.id in indices
    return isinstance(value, ast.BinOp) and is_index(value.left, indices) and is_index(value.right, indices)


def test_a_name_has_one_type_in_a_function(text):
    for function in kernels(text):
        loops = {n.target.id for n in ast.walk(function) if isinstance(n, ast.For) and isinstance(n.target, ast.Name)}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                names = {t.id for t in node.targets if isinstance(t, ast.Name)}
                assert not names & loops, f"{function.name}: {ast.unparse(node)} of the index of a loop"


def test_every_function_is_used(text):
    used = set(re.findall(r"\w+", re.sub(r"def \w+", "def", text.partition('"""\n\n')[2])))
    defined = [n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
    assert [name for name in defined if name not in {*used, "backward"}] == []


def test_a_layer_is_itself_however_its_text_is_set_out(tmp_path):
    other = "s[i]=sum(h[j]*W[i,j],j);p[i]=exp(s[i])/sum(exp(s[k]),k); a[i] = h[i]*p[i]*n"
    one, two = (build(Network([layer(text), dense(2)], input=4)).spec["network"] for text in (OWN, other))
    assert one == two
    assert "\n" not in one
    assert one != build(Network([layer(other.replace("*n", "")), dense(2)], input=4)).spec["network"]


def test_an_unknown_result_is_refused_with_the_nearest_names():
    with pytest.raises(ValueError, match="did you mean 'hidden layer'"):
        derive(Network()).result("hiden layer")
