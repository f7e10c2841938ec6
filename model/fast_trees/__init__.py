"""Many rows through small trees by tables: what ONNX Runtime answers, to the last bit, several times sooner.

Closed: a predictor asks `prove_tables` for the tables of its graph. GRADEWATCH_TREE_LOOKUP=off leaves all rows to ONNX
Runtime.
"""

from model.fast_trees.lookup import TreeLookup, prove_tables
from model.fast_trees.onnx_trees import MOST_BYTES

__all__ = ["MOST_BYTES", "TreeLookup", "prove_tables"]
