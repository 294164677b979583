"""Networks in TOML files: what is read, and what is refused in one line that names the file and the entry."""

import pytest

from symbackprop import Network
from symbackprop.train.request.choices import network_arguments, request
from symbackprop.train.request.network_file import read_network

GOOD = """
input = [1, 8, 8]
layers = ["conv(2, 3)", "tanh", {equations = "a[c,p,q] = g[c]*h[c,p,q]", initial = {g = 1}}, "dense(10)"]
loss = "nll"
constants = {}
"""


def test_a_file_is_a_network(tmp_path):
    (tmp_path / "net.toml").write_text(GOOD, "utf-8")
    asked = read_network(tmp_path / "net.toml")
    layers, shape = asked.pop("layers"), asked.pop("input")
    made = Network(**network_arguments(request(layers, shape=shape, penalty="none", **asked)))
    assert [layer.definition.name for layer in made.resolved.layers][::2] == ["conv(2, 3)", "dense(10)"]
    assert made.resolved.initial_values == {"g^2": 1.0}


BAD = {
    "no TOML": ("input = [", "is not TOML"),
    "no layers": ("input = [3]", "has no layers"),
    "no input": ('layers = ["dense(2)"]', "has no input"),
    "another entry": ('input = [3]\nlayers = ["dense(2)"]\nwidth = 3', "has the entry 'width', expected input, layers"),
    "shape": ('input = [3, 0]\nlayers = ["dense(2)"]', "input = [3, 0], expected a list of positive integers"),
    "a number": ("input = [3]\nlayers = [3]", "layers = [3], expected a list of texts, and of tables with equations"),
    "a table of another kind": ("input = [3]\nlayers = [{units = 3}]", "expected a list of texts, and of tables"),
    "a key misspelt": ('input = [3]\nlayers = [{equations = "a[i] = g[i]*h[i]", inital = {g = 1}}]',
                       "has inital = {'g': 1} in the layer 'a[i] = g[i]*h[i]'; did you mean 'initial'?"),
    "equations misspelt": ('input = [3]\nlayers = [{equation = "a[i] = h[i]"}]', "did you mean 'equations'?"),
    "a value of another kind": ('input = [3]\nlayers = [{equations = "a[i] = h[i]", rows = "E"}, "dense(2)"]',
                                "expected equations, a text; initial and rows, tables of numbers"),
    "texts": ('input = [3]\nlayers = ["dense(2)"]\nloss = 3', "loss = 3, expected a text"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(tmp_path, name):
    text, message = BAD[name]
    (tmp_path / "net.toml").write_text(text, "utf-8")
    with pytest.raises(ValueError) as caught:
        read_network(tmp_path / "net.toml")
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_network(tmp_path / "none.toml")


def test_a_request_out_of_a_file_must_be_of_layers():
    asked = request([{"equations": 3}], shape=[3], loss="nll", penalty="none")
    with pytest.raises(ValueError, match="does not say from which formulas"):
        network_arguments(asked)
