"""PyTorch, eager, with its own `optim.SGD`."""

from itertools import pairwise

import torch
from torch.nn.functional import cross_entropy

from symbackprop.bench.task import Parameters, Run, Task


def per_example(task: Task) -> Run:
    """One update after each example."""
    return _runner(task, 1)


def batches_of_32(task: Task) -> Run:
    """One update after each 32 examples."""
    return _runner(task, 32)


def batches_of_128(task: Task) -> Run:
    """One update after each 128 examples."""
    return _runner(task, 128)


def _runner(task: Task, batch: int) -> Run:
    torch.set_num_threads(1)
    batches = [torch.from_numpy(a[task.order]).split(batch) for a in (task.X, task.y)]
    model = _model(task.sizes)
    own = list(model.parameters())  # W1, b1, W2, b2, ...
    weights = {"params": own[::2], "weight_decay": 2 * task.l2}
    optimizer = torch.optim.SGD([weights, {"params": own[1::2]}], lr=task.learning_rate)

    def run(parameters: Parameters) -> Parameters:
        with torch.no_grad():
            for target, value in zip(own, parameters, strict=True):
                target.copy_(torch.from_numpy(value))
        for x, y in zip(*batches, strict=True):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
        return [value.detach().numpy() for value in own]

    return run


def _model(sizes: tuple[int, ...]) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [torch.nn.Linear(n, m), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])
