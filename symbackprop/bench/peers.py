"""Who takes part, each found when it is first used: what is not installed is left out with a word."""

import subprocess
from dataclasses import dataclass
from importlib import import_module

from symbackprop.bench.task import Run, Task

OURS = "generated"


@dataclass(frozen=True)
class Peer:
    """A way to do the task.

    Parameters
    ----------
    name
        For people.
    maker
        ``module.function`` in this package; the function takes a task, and returns what runs it.
    batch
        Examples an update; all with the same number do the same updates.
    package
        What it needs, as pip names it.
    """

    name: str
    maker: str
    batch: int = 1
    package: str = ""

    @property
    def is_ours(self) -> bool:
        """It is the generated module, in one way or another."""
        return self.name.startswith(OURS)

    def make(self, task: Task) -> Run:
        """Return what runs the task.

        Raises
        ------
        Absent
            If what it needs is not on this machine.
        """
        module, function = self.maker.split(".")
        try:
            make = getattr(import_module(f"symbackprop.bench.{module}"), function)
            return make(task)
        except ModuleNotFoundError as error:
            raise Absent(f"{self.package or error.name} is not installed") from None
        except ImportError as error:
            raise Absent(f"cannot be imported: {error}") from None
        except FileNotFoundError as error:
            raise Absent(str(error)) from None
        except subprocess.CalledProcessError:
            raise Absent("the compiler refuses its flags") from None


class Absent(Exception):  # noqa: N818 (not an error: the others go on)
    """A peer cannot take part on this machine."""


PEERS = (
    Peer(OURS, "with_generated.auto"),
    Peer("generated, plain", "with_generated.plain"),
    Peer("generated, overlapped", "with_generated.overlapped"),
    Peer("generated, deferred", "with_generated.deferred"),
    Peer("Numba loops by hand", "with_numba.per_example"),
    Peer("C, naive", "with_c.naive"),
    Peer("C, one sweep", "with_c.one_sweep"),
    Peer("C, one sweep, 512 bits, unrolled", "with_c.one_sweep_wide"),
    Peer("JAX jit(scan)", "with_jax.scan", package="jax"),
    Peer("NumPy", "with_numpy.per_example"),
    Peer("PyTorch optim.SGD", "with_torch.per_example", package="torch"),
    Peer("scikit-learn MLPClassifier", "with_sklearn.per_example", package="scikit-learn"),
    Peer("generated, mini-batches of 32", "with_generated.batches_of_32", 32),
    Peer("PyTorch, mini-batches of 32", "with_torch.batches_of_32", 32, "torch"),
    Peer("generated, mini-batches of 128", "with_generated.batches_of_128", 128),
    Peer("PyTorch, mini-batches of 128", "with_torch.batches_of_128", 128, "torch"),
)
