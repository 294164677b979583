"""Long work around a generated module: data, training, progress, model files. NumPy only; never SymPy."""

from symbackprop.train.data.examples import Dataset, Split, digits, split
from symbackprop.train.data.preparation import Prepared, prepare
from symbackprop.train.data.read import read_data, read_inputs
from symbackprop.train.data.scaling import Scaling
from symbackprop.train.files.model import About, Model, load_model, save_model
from symbackprop.train.files.modules import import_module, spec_of
from symbackprop.train.files.store import cache_folder, find_module
from symbackprop.train.protocol import misses
from symbackprop.train.run.history import Epoch, History, Report, Settings
from symbackprop.train.run.loop import fit
from symbackprop.train.run.plot import plot_history
from symbackprop.train.run.progress import progress_report

# fmt: off
__all__ = [
    "About", "Dataset", "Epoch", "History", "Model", "Prepared", "Report", "Scaling", "Settings",
    "Split", "cache_folder", "digits", "find_module", "fit", "import_module", "load_model",
    "misses", "plot_history", "prepare", "progress_report", "read_data", "read_inputs", "save_model",
    "spec_of", "split",
]
