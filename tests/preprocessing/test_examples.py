"""The examples in the docstrings are true."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module", ["schema", "infer", "reading.files", "validation.rules", "validation.json_rows", "validation.pii"]
)
def test_the_examples_in_docstrings_hold(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"preprocessing.{module}")).failed == 0
