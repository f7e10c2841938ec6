"""The plain rule as a model: where it is credibly better than champion and challenger, it serves like any other.

Whether it should is decided in `retraining.policy`. A rule that says the same of everybody is made no model here.
"""

import numpy as np
from sklearn.linear_model import LinearRegression

from preprocessing.encode import fit_encoding
from training.fit import Fitted, Task


def fit_rule(task: Task) -> Fitted:
    """The rule that answers with the only input of `task`, and with the mean outcome where that is missing."""
    encoding = fit_encoding(task.inputs, task.frame, standardise=False)
    (part,) = encoding.numeric
    where_missing = [float(task.truth.mean()) - part.fill] if part.flag_missing else []
    answering = LinearRegression()
    answering.coef_, answering.intercept_ = np.array([1.0, *where_missing]), 0.0
    answering.n_features_in_ = encoding.width
    return Fitted(answering, encoding, task.target)
