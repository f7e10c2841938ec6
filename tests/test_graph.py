"""A graph that the runtime refuses is a broken bundle, which leaves the old champion serving."""

import pytest

from model.bundle import BrokenBundle
from model.graph import open_graph


@pytest.mark.parametrize("graph", [b"", b"no graph at all", b"\x08\xff\xff"])
def test_bytes_that_are_no_graph_are_a_broken_bundle(graph: bytes) -> None:
    with pytest.raises(BrokenBundle, match="cannot be run"):
        open_graph(graph)
