"""The history of uploads, on every store: each is told once, in order, and ends with the job that it waits for."""

import pytest
from msgspec.structs import replace

from clock import new_id
from database.records import JobProblem
from database.store import RecordStore
from database.uploads import (
    CUT_OFF,
    SILENT,
    UnknownUpload,
    Upload,
    begin_upload,
    change_upload,
    find_upload,
    new_upload,
    refuse_upload,
    rows_to_learn_from,
    uploads_of,
)
from preprocessing.validation.rules import BadData, Problem
from tests.database.making import after, make_job


def upload(number: int = 0, **fields: object) -> Upload:
    plain = new_upload(new_id(), "school", "labeled", name="marks.csv", actor="ann")
    return replace(plain, at=after(number), **fields)


def test_uploads_are_listed_newest_first_page_by_page_by_sender_and_domain(store: RecordStore) -> None:
    kept = [begin_upload(store, upload(n, actor="ann" if n % 3 else "ben", state="done")) for n in range(7)]
    begin_upload(store, upload(9, domain="k12", state="done"))
    newest = kept[::-1]
    assert uploads_of(store, "school") == newest
    pages: list[Upload] = []
    while page := uploads_of(store, "school", before=pages[-1] if pages else None, limit=3):
        pages += page
    assert pages == newest
    anns = [one for one in newest if one.actor == "ann"]
    assert uploads_of(store, "school", actor="ann") == anns
    assert uploads_of(store, "school", actor="ann", before=anns[0], limit=2) == anns[1:3]
    assert begin_upload(store, replace(kept[0], name="again.csv")) == kept[0]
    changed = change_upload(store, kept[0], state="stored", added=3)
    assert (changed.state, changed.added, changed.name) == ("stored", 3, "marks.csv")
    with pytest.raises(UnknownUpload):
        find_upload(store, "k12", kept[0].id)


def test_an_upload_ends_with_the_job_that_does_it_or_with_those_that_learn_from_it(store: RecordStore) -> None:
    job = store.add_job(make_job(domain="school"))
    begin_upload(store, upload(id=job.id))
    assert find_upload(store, "school", job.id).state == "received"
    claimed = store.claim_job([job.kind], "w", 60)
    assert claimed is not None
    store.end_job(job.id, claimed.token, "failed", problem=JobProblem(title="JobDied", detail="by signal 9"))
    assert find_upload(store, "school", job.id).reasons == ("by signal 9",)
    training = store.add_job(make_job(domain="school"))
    waits = begin_upload(store, upload(1, state="training", training=(training.id,)))
    assert find_upload(store, "school", waits.id).state == "training"
    claimed = store.claim_job([job.kind], "w", 60)
    assert claimed is not None
    model = {"target": "G3", "moment": "G2", "serves": False, "reason": "12 rows; 30 are needed"}
    store.end_job(training.id, claimed.token, "done", result={"models": [model]})
    ended = find_upload(store, "school", waits.id)
    assert (ended.state, ended.note) == ("done", "drift: G3@G2: 12 rows; 30 are needed")
    silent = upload(2, state="validating")
    begin_upload(store, replace(silent, changed=silent.changed - SILENT))
    assert uploads_of(store, "school", limit=1)[0].reasons == (CUT_OFF,)


def test_rows_count_until_a_training_has_begun_with_them(store: RecordStore) -> None:
    newest = upload(5, labelled=4, state="stored")
    others = [upload(1, labelled=100), upload(2, labelled=9, training=("j",), state="done")]
    others += [upload(3, labelled=30, state="done"), upload(4, labelled=7, state="refused")]
    for one in (*others, newest):
        begin_upload(store, one)
    assert rows_to_learn_from(store, newest) == 34


def test_a_refusal_says_each_reason_once_and_no_value(store: RecordStore) -> None:
    sent = begin_upload(store, upload())
    problem = Problem(file="marks.csv", row=2, column="G1", value="77", rule="must be a number from 0 to 20")
    named = Problem(file="marks.csv", row=None, column="Ana Sousa", value=None, rule="is no column of ours")
    refused = refuse_upload(store, sent, BadData([problem, replace(problem, row=9, value="78"), named], 8))
    assert refused == find_upload(store, "school", sent.id)
    assert refused.state == "refused"
    assert refused.reasons[0] == "column 'G1': must be a number from 0 to 20 (2 rows, the first is row 2)"
    assert refused.reasons[2:] == ("and 5 more problems",)
    assert not [reason for reason in refused.reasons if "Sousa" in reason or "77" in reason]
