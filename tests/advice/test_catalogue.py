"""The catalogue of study plans: what is shipped is whole, and a file of one's own is told everything that is wrong."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advice.catalogue import EVIDENCE, FAMILIES, BadCatalogue, PlanEntry, load_catalogue, read_catalogue
from tests.command import run_command

SHIPPED = load_catalogue()
LISTED = msgspec.to_builtins(SHIPPED.entries)


def test_what_is_shipped_answers_every_reason_by_the_student_alone_and_with_the_institution() -> None:
    assert len(SHIPPED.entries) >= 25
    answered = {(family, entry.support) for entry in SHIPPED.entries for family in entry.reasons}
    assert answered == {(family, support) for family in FAMILIES for support in ("student", "institution")}
    guides = [one for one in SHIPPED.entries if "What Works Clearinghouse" in one.source.publisher]
    assert len(guides) >= 15
    assert all(one.source.recommendation and one.source.url for one in guides)


FAULTS = {
    "id": 7, "title": "", "what": None, "how_long": "  ", "reasons": ["weather"], "evidence": "sure",
    "source": "a book", "support": "nobody", "colour": "red",
}  # fmt: skip


@given(st.sets(st.sampled_from(sorted(FAULTS)), min_size=1), st.sets(st.sampled_from(PlanEntry.__struct_fields__[1:7])))
def test_every_fault_of_every_entry_is_told_at_once(wrong: set[str], gone: set[str]) -> None:
    bad = {**LISTED[0], **{name: FAULTS[name] for name in wrong}}
    lacking = {name: value for name, value in LISTED[1].items() if name not in gone}
    with pytest.raises(BadCatalogue) as told:
        read_catalogue(msgspec.yaml.encode({"entries": [bad, LISTED[2], lacking, LISTED[2]]}).decode(), source="own")
    lines = str(told.value).splitlines()
    assert len(lines) == len(wrong) + len(gone) + 1
    assert all(line.startswith("own: ") for line in lines)
    assert all(sum(name in line and "entry 1" in line for line in lines) >= 1 for name in wrong)
    assert sum("is there 2 times" in line for line in lines) == 1


def test_a_catalogue_of_ones_own_is_checked_and_shown_by_the_command(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("entries:\n  - id: rest\n    title: Sleep\n", encoding="utf-8")
    refused = run_command(tmp_path, "students", "catalogue", str(own))
    assert (refused.returncode, refused.stderr.count("is missing")) == (78, 5)
    own.write_bytes(msgspec.yaml.encode({"entries": LISTED[:1]}))
    shown = run_command(tmp_path, "students", "catalogue", "--json", GRADEWATCH_STUDY_CATALOGUE=str(own))
    assert [one["id"] for one in msgspec.json.decode(shown.stdout)["entries"]] == [LISTED[0]["id"]]
    assert EVIDENCE[0] == "strong"
