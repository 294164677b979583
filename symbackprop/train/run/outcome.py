"""What a training job made, and what of it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from symbackprop.train.files.atomic import shown
from symbackprop.train.files.model import Model, save_model
from symbackprop.train.protocol import counts_misses, error_kind
from symbackprop.train.run.history import History, Settings
from symbackprop.train.run.plot import plot_history
from symbackprop.train.run.progress import shown_error
from symbackprop.train.run.scores import Scores

Say = Callable[[str, str], None]  # a topic, and a line about it


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a job made.

    Attributes
    ----------
    history
        Of every epoch.
    model
        With the parameters of the best epoch.
    test
        Of the predictions for the test part.
    data
        The name of the data.
    settings
        How it was trained.
    """

    history: History
    model: Model
    test: Scores
    data: str
    settings: Settings

    @property
    def why(self) -> str:
        """Why training ended, in words."""
        last = self.history.epochs[-1].number
        return (
            self.history.message
            or {
                "look-ahead": f"after epoch {last}, {self.settings.look_ahead} without a better validation error",
                "epochs": f"after all {last} epochs",
            }[self.history.reason]
        )

    @property
    def title(self) -> str:
        """What was trained on what, for a picture."""
        sizes = "-".join(map(str, self.model.sizes))
        used = [g for g in self.model.spec["activations"] if g != "none"]
        activations = ", ".join(dict.fromkeys(used)) or "no activation"
        return f"{self.data}: {sizes}, {activations}, {self.model.spec['loss']}"


def write_outcome(outcome: Outcome, output: Path, plot: Path | None, usual: Path, say: Say) -> None:
    """Write the model and the picture, and say where they are.

    Parameters
    ----------
    outcome
        Of `train_model`.
    output
        The model file.
    plot, usual
        The picture asked for; where none is, the usual one, which may be missing where matplotlib is.
    say
        Told of each thing by topic.

    Raises
    ------
    FloatingPointError
        If training diverged. What is at `output` and `plot` is left as it was, and the last good parameters
        are in a file beside the model's.
    """
    history, spec = outcome.history, outcome.model.spec
    best = history.best.number
    if history.reason == "diverged":
        kept = save_model(output.with_name(f"{output.stem}.last-good.npz"), outcome.model)
        hint = f"the parameters of epoch {best} are in {shown(kept)}, older files are as they were"
        raise FloatingPointError(f"{history.message}; {hint}")
    say("stopped", f"{outcome.why}; the parameters of epoch {best} are kept")
    kind = "" if counts_misses(spec) else f", {error_kind(spec)},"
    say("test error", f"{shown_error(spec, outcome.test.error)}{kind} of {outcome.test.examples} examples")
    say("model", shown(save_model(output, outcome.model)))
    try:
        say("picture", shown(plot_history(plot or usual, history, spec, outcome.title, outcome.test.error)))
    except ModuleNotFoundError as error:
        if plot:
            raise
        say("picture", f"none: {error}")
