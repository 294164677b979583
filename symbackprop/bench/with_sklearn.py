"""scikit-learn's `MLPClassifier` with mini-batches of one."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from symbackprop.bench.task import Parameters, Run, Task


def per_example(task: Task) -> Run:
    """One epoch by `partial_fit`, in the order given."""
    model = MLPClassifier(
        task.sizes[1:-1],
        activation="tanh",
        solver="sgd",
        alpha=2 * task.l2,
        batch_size=1,
        learning_rate_init=task.learning_rate,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    X, y = task.X[task.order], task.y[task.order]
    model.partial_fit(X[:1], y[:1], classes=np.arange(task.sizes[-1]))

    def run(parameters: Parameters) -> Parameters:
        own = [a for pair in zip(model.coefs_, model.intercepts_, strict=True) for a in pair]
        for target, value in zip(own, parameters, strict=True):
            target[...] = value.T
        model.partial_fit(X, y)
        return [value.T for value in own]

    return run
