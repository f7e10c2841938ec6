"""Which installation the one server of the tests serves; kept in a module, since the script is run anew each time."""

import json
import os
import threading
from pathlib import Path

import streamlit as st

from dashboard import gate
from dashboard.shared_workspace import language_set

OURS = ("GRADEWATCH_", "MONGO_URI")
_switching = threading.Lock()
_served = ""


def environment() -> str:
    """What this process's environment says of an installation."""
    return json.dumps({name: value for name, value in os.environ.items() if name.startswith(OURS)})


def switch(file: Path) -> None:
    """Serve the installation of the file."""
    global _served  # noqa: PLW0603  (a server serves one)
    with _switching:
        if (asked := file.read_text()) == _served:
            return
        for name in [name for name in os.environ if name.startswith(OURS)]:
            del os.environ[name]
        os.environ.update(json.loads(asked))
        st.cache_resource.clear()
        st.cache_data.clear()
        language_set.cache_clear()
        gate._tries = gate.Tries()
        _served = asked
