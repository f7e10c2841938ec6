"""Tables of small trees beside the graph that they stand for: the same answer, to the last bit, or no tables."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge

from model.export import export_graph
from model.fast_trees.lookup import TreeLookup, make_tables, prove_tables
from model.fast_trees.onnx_trees import read_trees
from model.graph import open_graph, run_graph
from model.predictor import LOOKUP_PAYS, WORTH, Predictor
from preprocessing.encode import Encoding, NumberedColumns, encode_columns, encode_frame, fit_encoding
from tests.training.making import MARK, SCHEMA, make_frame
from training.train import Training

FEATURES = [SCHEMA.feature_by_name[name] for name in ("hours", "before", "support", "subject", "sex")]


def learned(estimator: object, *, standardise: bool = False) -> tuple[bytes, Encoding]:
    """The graph of a fitted estimator, and how its rows are encoded."""
    frame = make_frame(300, seed=3)
    encoding = fit_encoding(FEATURES, frame, standardise=standardise)
    X = encode_frame(encoding, frame)
    fitted = estimator.fit(X, frame["mark"].to_numpy())  # type: ignore[attr-defined]
    return export_graph(fitted, encoding.width), encoding


@pytest.fixture(scope="module")
def boosted() -> tuple[bytes, Encoding, TreeLookup]:
    graph, encoding = learned(GradientBoostingRegressor(n_estimators=70, max_depth=3, random_state=1))
    tables = prove_tables(graph, open_graph(graph), encoding)
    assert tables is not None
    return graph, encoding, tables


def said(graph: bytes, encoding: Encoding, columns: NumberedColumns) -> bytes:
    return run_graph(open_graph(graph), encode_columns(encoding, columns.height, *columns)).tobytes()


def columns_of(encoding: Encoding, cells: Sequence[tuple[float, float, int, int, int]]) -> NumberedColumns:
    hours, before, *codes = (np.array(column) for column in zip(*cells, strict=True))
    names = [part.name for part in encoding.categorical]
    levels = [len(part.levels) for part in encoding.categorical]
    numbered = {n: np.minimum(c, size - 1).astype(np.int32) for n, c, size in zip(names, codes, levels, strict=True)}
    return NumberedColumns({"hours": hours.astype(float), "before": before.astype(float)}, numbered)


def drawn(encoding: Encoding, n: int) -> NumberedColumns:
    """Rows of whole numbers."""
    rng = np.random.default_rng(1)
    codes = {p.name: rng.integers(-1, len(p.levels), n).astype(np.int32) for p in encoding.categorical}
    return NumberedColumns({name: rng.integers(-2, 60, n).astype(float) for name in ("hours", "before")}, codes)


def part(columns: NumberedColumns, at: int, n: int) -> NumberedColumns:
    numeric = {name: values[at : at + n] for name, values in columns.numeric.items()}
    return NumberedColumns(numeric, {name: codes[at : at + n] for name, codes in columns.codes.items()})


def thresholds(graph: bytes, position: int) -> list[float]:
    ensemble = read_trees(graph)
    assert ensemble is not None
    return [split.threshold for tree in ensemble.trees for split in tree.splits if split.position == position]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nasty_rows_are_answered_as_by_the_graph_to_the_last_bit(
    boosted: tuple[bytes, Encoding, TreeLookup], data: st.DataObject
) -> None:
    graph, encoding, tables = boosted

    def numbers(position: int) -> st.SearchStrategy[float]:
        at = st.sampled_from(thresholds(graph, position))
        near = st.sampled_from([np.inf, -np.inf])
        beside = st.builds(lambda value, to: float(np.nextafter(value, to)), at, near)
        single = st.builds(lambda value, to: float(np.nextafter(np.float32(value), np.float32(to))), at, near)
        special = st.sampled_from([np.nan, 0.0, -0.0, 1e300, -1e300, 2.0**63, -(2.0**63), 5e-324])
        return at | beside | single | special | st.integers(-3, 45).map(float) | st.floats(-1e9, 1e9)

    row = st.tuples(numbers(0), numbers(2), st.integers(-1, 9), st.integers(-1, 9), st.integers(-1, 9))
    columns = columns_of(encoding, data.draw(st.lists(row, min_size=1, max_size=40)))
    with np.errstate(over="ignore"):
        expected = said(graph, encoding, columns)
    assert tables.outputs(columns).tobytes() == expected


def test_whole_numbers_of_many_rows_are_answered_as_by_the_graph(boosted: tuple[bytes, Encoding, TreeLookup]) -> None:
    graph, encoding, tables = boosted
    columns = drawn(encoding, 20_000)
    assert tables.outputs(columns).tobytes() == said(graph, encoding, columns)


def test_trees_that_ask_only_whether_a_number_is_missing_are_read_too() -> None:
    frame = make_frame(300, seed=3).with_columns(hours=pl.when(pl.int_range(pl.len()) % 3 == 0).then(5.0))
    encoding = fit_encoding(FEATURES[:1], frame, standardise=False)
    X = encode_frame(encoding, frame)
    model = GradientBoostingRegressor(n_estimators=3, max_depth=2, random_state=1).fit(X, X[:, 1])
    graph = export_graph(model, encoding.width)
    tables = prove_tables(graph, open_graph(graph), encoding)
    assert tables is not None
    assert thresholds(graph, 0) == []
    columns = NumberedColumns({"hours": np.array([np.nan, 5.0, -1e9, np.inf])}, {})
    assert tables.outputs(columns).tobytes() == said(graph, encoding, columns)


def test_a_graph_that_says_something_else_gets_no_tables(boosted: tuple[bytes, Encoding, TreeLookup]) -> None:
    graph, encoding, _ = boosted
    other, _ = learned(GradientBoostingRegressor(n_estimators=70, max_depth=3, random_state=2))
    assert prove_tables(graph, open_graph(other), encoding) is None


@pytest.mark.parametrize(
    ("estimator", "standardise"),
    [
        (Ridge(), True),
        (RandomForestRegressor(20, random_state=1), False),
        (GradientBoostingRegressor(n_estimators=5, max_depth=3, random_state=1), True),
    ],
    ids=["no trees", "deep trees", "scaled numbers"],
)
def test_other_models_stay_with_the_graph(estimator: object, standardise: bool) -> None:
    graph, encoding = learned(estimator, standardise=standardise)
    assert prove_tables(graph, open_graph(graph), encoding) is None


def test_trees_of_more_leaves_get_tables_or_none_but_never_wrong_ones() -> None:
    for leaves in (4, 15):
        model = HistGradientBoostingRegressor(max_iter=20, max_leaf_nodes=leaves, random_state=1)
        graph, encoding = learned(model)
        ensemble = read_trees(graph)
        assert ensemble is not None
        made = make_tables(ensemble, encoding)
        assert (made is None) == (prove_tables(graph, open_graph(graph), encoding) is None)
        assert leaves > 4 or made is not None


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xff" * 40, b"\x3a\x05abc"])
def test_bytes_that_are_no_graph_hold_no_trees(damage: bytes) -> None:
    assert read_trees(damage) is None


def test_a_predictor_says_the_same_of_few_rows_and_of_many_with_and_without_tables(
    taught: Callable[..., Training], boosted: tuple[bytes, Encoding, TreeLookup]
) -> None:
    graph, encoding, _ = boosted
    bundle = taught(MARK).bundle
    manifest = msgspec.structs.replace(bundle.manifest, encoding=encoding)
    bundle = msgspec.structs.replace(bundle, graph=graph, manifest=manifest)
    predictor, switched_off = Predictor(bundle, "v"), Predictor(bundle, "v", tree_lookup=False)
    columns = drawn(encoding, WORTH)
    columns.numeric["hours"][::7] = np.nan
    few = [predictor.outputs_of(part(columns, at, LOOKUP_PAYS - 1)) for at in range(0, WORTH, LOOKUP_PAYS - 1)]
    many = predictor.outputs_of(columns).tobytes()
    assert many == np.concatenate(few).tobytes()
    assert many == switched_off.outputs_of(columns).tobytes()
    assert switched_off._tables is None
