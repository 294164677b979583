"""What a network takes is the size of its parameters; what is not there is told before it is asked for."""

import pytest

from symbackprop import Network
from symbackprop.train.run import memory
from tests import modules


@pytest.mark.parametrize(
    "network", [Network(("tanh",)), Network(("prelu", "relu"), update="momentum+average")], ids=str
)
def test_parameters_are_counted_as_a_trainer_has_them(network):
    module = modules.interpreted(network)
    sizes = (7, *(5, 4)[: network.resolved.depth], 3)
    trainer = module.Trainer(sizes)
    arrays = [*trainer.parameters.values(), *getattr(trainer, "state", {}).values()]
    assert memory.parameters_of(module.SPEC, sizes) == sum(a.size for a in arrays)


def test_what_does_not_fit_is_told_with_what_it_takes(monkeypatch):
    spec = {"dtype": "float32", "parameters": {"W1": [1, 0]}}
    monkeypatch.setattr(memory, "installed", lambda: 12 * 10**9)
    memory.require_memory(spec, (10**4, 10**5))
    with pytest.raises(
        ValueError, match=r"^a network of 10000-100001 units has 1e\+09 parameters, .* 12 GB, .* 12 GB;"
    ):
        memory.require_memory(spec, (10**4, 10**5 + 1))
    with pytest.raises(ValueError, match="12,000,000 GB"):
        memory.require_memory(spec, (10**8, 10**7))
    monkeypatch.setattr(memory, "installed", lambda: None)  # a system that does not say
    memory.require_memory(spec, (10**9, 10**9))


def test_the_machine_says_what_it_has():
    assert memory.installed() > 10**8
