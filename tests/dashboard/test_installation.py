"""Which school is shown first, and where none is invented: one's own from the first model of one's own records on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from demo.installation import add_demo


def shows_invented(app: AppTest) -> bool:
    assert not app.exception
    return any("An invented school." in text.value for text in app.markdown)


def test_ones_own_school_is_shown_where_a_model_learned_from_its_records(
    page: Callable[..., AppTest], data_dir: Path
) -> None:
    add_demo(data_dir)
    app = page("activity")
    assert not shows_invented(app)
    app.query_params["installation"] = "demo"
    assert shows_invented(app.run())
    app.button(key="to own").click().run()
    assert (shows_invented(app), app.query_params["installation"]) == (False, "own")


@pytest.mark.parametrize("auth", ["off", "on"])
def test_the_invented_one_is_shown_before_but_where_callers_say_who_they_are(
    page: Callable[..., AppTest], data_dir: Path, monkeypatch: pytest.MonkeyPatch, auth: str
) -> None:
    new = data_dir / "new"
    add_demo(new)
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(new))
    monkeypatch.setenv("GRADEWATCH_AUTH", auth)
    monkeypatch.setenv("GRADEWATCH_TOKEN_SECRET", "s" * 32)
    assert shows_invented(page("activity")) is (auth == "off")
