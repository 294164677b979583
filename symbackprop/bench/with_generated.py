"""The generated module, through its public Trainer: all that a user's call does is in the time."""

import functools
from types import ModuleType
from typing import Any

from symbackprop.bench.task import Parameters, Run, Task
from symbackprop.compiler import build
from symbackprop.definitions.network import Network
from symbackprop.train import find_module


def auto(task: Task) -> Run:
    """The schedule that the module chooses itself."""
    return _runner(task, "auto")


def plain(task: Task) -> Run:
    """The order of the lecture."""
    return _runner(task, "plain")


def overlapped(task: Task) -> Run:
    """The first layer's update joined with its next use."""
    return _runner(task, "overlapped")


def deferred(task: Task) -> Run:
    """The first layer's updates a block at a time."""
    return _runner(task, "deferred")


def batches_of_32(task: Task) -> Run:
    """One update after each 32 examples."""
    return _runner(task, "auto", 32)


def batches_of_128(task: Task) -> Run:
    """One update after each 128 examples."""
    return _runner(task, "auto", 128)


def trainer_for(task: Task, schedule: str) -> Any:
    """Return a Trainer of the generated module for a task."""
    return module(len(task.sizes) - 2).Trainer(task.sizes, schedule=schedule)


@functools.cache
def module(depth: int) -> ModuleType:
    """Return the generated module of so many tanh layers."""
    choices: dict[str, Any] = {"activations": ("tanh",) * depth, "penalty": "l2", "step_size": "constant"}
    return find_module(choices, lambda: build(Network(**choices)).text)


def _runner(task: Task, schedule: str, batch: int = 1) -> Run:
    trainer = trainer_for(task, schedule)
    settings = {"learning_rate": task.learning_rate, "l2": task.l2, "batch_size": batch}

    def run(parameters: Parameters) -> Parameters:
        for own, value in zip(trainer.parameters.values(), parameters, strict=True):
            own[...] = value
        trainer.t = 0
        trainer.sgd(task.X, task.y, order=task.order, **settings)
        return list(trainer.parameters.values())

    return run
