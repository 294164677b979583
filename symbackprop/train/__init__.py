"""Long work around a generated module: data, training, progress, model files. NumPy only; never SymPy."""

from symbackprop.train.contract import misses
from symbackprop.train.data import Dataset, Split, digits, split
from symbackprop.train.history import Epoch, History, Report, Settings
from symbackprop.train.loop import fit
from symbackprop.train.model import About, Model, load_model, save_model
from symbackprop.train.modules import import_module, spec_of
from symbackprop.train.plot import plot_history
from symbackprop.train.preparation import Prepared, prepare
from symbackprop.train.progress import progress_report
from symbackprop.train.read import read_data, read_inputs
from symbackprop.train.scaling import Scaling
from symbackprop.train.store import cache_folder, find_module

# fmt: off
__all__ = [
    "About", "Dataset", "Epoch", "History", "Model", "Prepared", "Report", "Scaling", "Settings",
    "Split", "cache_folder", "digits", "find_module", "fit", "import_module", "load_model",
    "misses", "plot_history", "prepare", "progress_report", "read_data", "read_inputs", "save_model",
    "spec_of", "split",
]
