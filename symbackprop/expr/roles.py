"""What an equation defines, and what a step of a derivation does: control flow asks these, people read their texts."""

from enum import StrEnum


class Role(StrEnum):
    """What an equation defines, or which rule a step applies; its text is how a page calls it."""

    NONE = ""
    # what a network computes of one example
    PRE_ACTIVATION = "pre-activation"
    VALUES = "values"
    INTERMEDIATE = "intermediate"
    PLACE_OF_MAXIMUM = "place of the maximum"
    IN_A_ROW = "in a row"
    ACTIVATION = "activation"
    DROPOUT = "dropout"
    OUTPUT = "output"
    LOSS = "loss"
    PENALTY = "penalty"
    # derivatives
    HIDDEN = "hidden layer"
    LEARNT = "learnt parameters"
    PARAMETERS = "parameters"
    PARTIAL_DERIVATIVE = "partial derivative"
    CHAIN_RULE = "chain rule"
    CARRY_OUT = "contract"
    REGULARISER = "regulariser"
    SUBSTITUTE = "substitute the output"
    EXPAND = "expand the logarithm"
    # updates
    UPDATE = "update"
    MAX_NORM = "max-norm"
    AVERAGE = "average"
    NORM = "norm of the gradient"
    CLIP = "clip"
    # other forms, other orders
    STABLE_FORM = "stable form"
    SHIFT = "shift by the maximum"
    SLOPE = "slope"
    WINDOWS = "windows, row by row"
    BLOCK = "block"
    BASE_CASE = "base case"
    INDUCTION_STEP = "induction step"
    READ = "read"

    def __repr__(self) -> str:
        """Return the text as Python writes it, so that an equation shows what people read."""
        return repr(str(self))
