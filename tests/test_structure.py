"""How the house is built: one way between its rooms, one meaning for each name, short functions, no module for nobody.

Everything is read from the files, so that a new one is held to it by being there.
"""

import ast
import builtins
import doctest
import importlib
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINTER = PROJECT["tool"]["importlinter"]
PACKAGES: list[str] = LINTER["root_packages"]
TOP_MODULES = ("settings", "errors", "clock", "cluster", "heap")
UPWARD = ("retraining.pipeline", "cli.main")
"""The one import against the layers: `python -m retraining.pipeline` is the `retrain` command by its older name."""

LONGEST = 60  # lines of a function, its signature and docstring included

STARTED = frozenset(
    {
        "cli.start",  # the `gradewatch` command
        "cli.__main__",
        "cli.reference",  # python -m
        "language.collect",  # python -m
        "deployment.boards",  # python -m
        "deployment.log_searches",  # python -m
        "demo.__main__",  # make demo
        "retraining.pipeline",  # python -m
        "api.app",  # uvicorn api.app:app
        "deployment.celery_app",  # celery -A deployment.celery_app
        "dashboard.dashboard",  # streamlit run
        "deployment.migrate_to_mongo",  # python deployment/migrate_to_mongo.py
        "preprocessing.reading.decoder_process",  # a process of its own, by its file
        "reports.pdf_process",  # the same
    }
)
"""Modules that nobody imports because something outside starts them."""

FITTING = ("training.", "benchmarks.")


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[str, ast.Module]:
    """Module to its syntax tree, for every file of ours that ships."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    files += [file for name in TOP_MODULES if (file := ROOT / f"{name}.py").exists()]
    return {name_of(file): ast.parse(file.read_text(encoding="utf-8")) for file in sorted(files)}


def shipped() -> dict[str, ast.Module]:
    """Without migrations, which are records of what the tables were and share nothing with what they are."""
    return {name: tree for name, tree in trees().items() if not name.startswith("database.migrations")}


@cache
def imports() -> dict[str, set[str]]:
    """Module to those of ours that it imports, wherever in the file: in functions and for types as well."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    found = {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}
    tops = [name for name in TOP_MODULES if name in trees()]
    for name, tree in trees().items():
        named = {each for node in ast.walk(tree) for each in named_by(node)}
        found.setdefault(name, set()).update(named & set(tops))
        if name in tops:
            found[name].update(named & set(graph.modules))
    return found


def named_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{one.name}" for one in node.names)
    elif isinstance(node, ast.Import):
        yield from (one.name for one in node.names)


def layer_of(module: str) -> int:
    """0 is the lowest."""
    layers = [[name.strip() for name in layer.split("|")] for layer in reversed(LINTER["contracts"][0]["layers"])]
    return next(number for number, layer in enumerate(layers) if module.partition(".")[0] in layer)


def test_no_file_imports_itself_in_a_circle() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_one_import_goes_up() -> None:
    pairs = {(one, other) for one, found in imports().items() for other in found if not {one, other} & {*TOP_MODULES}}
    up = {(one, other) for one, other in pairs if layer_of(one) < layer_of(other)}
    assert up == {UPWARD}


def test_only_who_fits_models_takes_more_of_scipy_than_its_special_functions() -> None:
    """The dashboard's image has no more of it (deployment/Containerfile)."""
    found = {
        f"{name} {each}"
        for name, tree in trees().items()
        if not name.startswith(FITTING)
        for node in ast.walk(tree)
        for each in named_by(node)
        if each.startswith("scipy") and not each.startswith("scipy.special")
    }
    assert found == set()


def test_every_module_is_imported_or_started_by_something_that_ships() -> None:
    imported = {name for found in imports().values() for name in found}
    alone = {name for name, tree in shipped().items() if tree.body[1:]} - imported - STARTED
    assert alone == set(), "tests and benchmarks do not count"


def test_no_two_public_classes_have_one_name() -> None:
    found = doubled(lambda node: [node.name] if isinstance(node, ast.ClassDef) else [], lambda _: "")
    assert found == {}


def test_no_constant_has_two_meanings() -> None:
    found = doubled(assigned, lambda node: ast.unparse(node.value))  # type: ignore[attr-defined]
    assert found == {}


def assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    if getattr(node, "value", None) is None:
        return []
    names = [one for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
    return [one.id for one in names if one.id.isupper() and len(one.id) > 1]


def doubled(names: Callable[[ast.stmt], list[str]], meaning: Callable[[ast.stmt], str]) -> dict[str, list[str]]:
    """Public names that several modules have: with several meanings, or at all where what they mean is nothing."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for module, tree in shipped().items():
        for node in tree.body:
            for name in names(node):
                if not name.startswith("_"):
                    found[name][module] = meaning(node)
    return {
        name: sorted(modules)
        for name, modules in found.items()
        if len(modules) > 1 and (len(set(modules.values())) > 1 or "" in modules.values())
    }


def test_no_function_is_long() -> None:
    long = {
        f"{module}.{node.name}": node.end_lineno - node.lineno + 1
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= LONGEST  # type: ignore[operator]
    }
    assert long == {}


def test_one_module_asks_the_machine_what_time_it_is() -> None:
    asked = {
        module
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCKS_OF_THE_MACHINE
    }
    assert asked == {"clock", *OF_THE_MACHINE}


CLOCKS_OF_THE_MACHINE = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
OF_THE_MACHINE = {
    *("model.artifacts", "model.remote_artifacts", "cli.output"),
    *("api.observe.tracing", "api.observe.sent_metrics", "api.request.credentials", "api.request.rate_limits"),
}
"""Those that speak of the machine itself: how old its files are, when a line was said; when a request came, whether its
key was good then."""


def test_every_error_of_ours_has_a_category() -> None:
    kept = {node.name: node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}

    def family(name: str) -> set[str]:
        bases = [ast.unparse(base).rpartition(".")[2] for base in kept[name].bases] if name in kept else []
        return {name}.union(*map(family, bases))

    errors = {name for name in kept if family(name) & BUILT_IN_ERRORS and not name.startswith("_")} - SIGNALS
    assert {name for name in errors if "GradewatchError" not in family(name)} == set()


SIGNALS = {"Stopped"}
"""Raised to end one's own work, and caught by the same module: nobody is told of them."""

BUILT_IN_ERRORS = {name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, Exception)}


def test_every_module_of_the_api_has_a_file_of_tests() -> None:
    rooms = {name: name.split(".") for name, tree in shipped().items() if name.startswith("api.") and tree.body[1:]}
    files = {name: ROOT.joinpath("tests", *room, f"test_{last}.py") for name, (*room, last) in rooms.items()}
    assert [name for name, file in files.items() if not file.exists()] == []


def with_examples() -> list[str]:
    files = {name: ROOT / f"{name.replace('.', '/')}.py" for name in trees()}
    return sorted(name for name, file in files.items() if file.exists() and ">>> " in file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", with_examples())
def test_examples_in_docstrings_are_true(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert (found.failed, found.attempted > 0) == (0, True)
