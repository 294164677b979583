"""The error of one float, as forms are scored by it."""

import numpy as np

from symbackprop.precision.ulp_error import FORMATS, ruler


def ulps(value, truth, *limits):
    """Return the error of one float in units in the last place of its exact value, as `Ruler` says."""
    return float(ruler([truth], limits or FORMATS["float32"]).errors(np.array([value]))[0])
