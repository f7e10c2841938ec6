r"""A client of the Gradewatch service: one prediction, a whole file in batches, tries again when it makes sense.

    python examples/client.py http://127.0.0.1:8000 engagement one \
        '{"comprehension": 75.5, "attention": 82, "focus": 78.3, "retention": 80.1, "engagement_time": 120}'
    python examples/client.py http://127.0.0.1:8000 engagement many students.csv

The API key is read from GRADEWATCH_API_KEY, where the service asks for one. It needs httpx (pip install httpx) and
nothing of Gradewatch: copy it and change it.
"""

import csv
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

BATCH = 500  # rows of one request; the service takes more, but a failed request is then dearer to repeat
TRIES = 5
WORTH_ANOTHER_TRY = {429, 503}


def ask(client: httpx.Client, path: str, body: Any) -> Any:
    """The answer to a POST. Tries again when the service says "not now" or cannot be reached; raises what it refuses.

    A request whose connection broke may have been logged although no answer came: asking again then logs a second
    prediction, which does no harm.
    """
    for attempt in range(TRIES):
        try:
            answer = client.post(path, json=body)
        except httpx.TransportError:
            if attempt == TRIES - 1:
                raise
            pause(attempt, None)
            continue
        if answer.status_code not in WORTH_ANOTHER_TRY or attempt == TRIES - 1:
            return checked(answer)
        pause(attempt, answer.headers.get("retry-after"))
    raise AssertionError("the last try returns or raises")


def pause(attempt: int, asked: str | None) -> None:
    """Waits as long as the service asked for, or twice as long each time; a little by chance, to spread callers."""
    time.sleep((float(asked) if asked else 0.2 * 2**attempt) * random.uniform(1.0, 1.5))  # noqa: S311 (no secret)


def checked(answer: httpx.Response) -> Any:
    """The answer's content. Raises SystemExit with every problem that the service names."""
    said = answer.json()
    if answer.is_success:
        return said
    lines = [f"{answer.status_code} {said['title']}: {said['detail']}"]
    lines += [f"  row {p['row']}, {p['column']}: {p['rule']}" for p in said.get("problems", [])]
    raise SystemExit("\n".join(lines))


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file, empty cells left out."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            yield {name: value for name, value in row.items() if value not in ("", None)}


def number_or_text(value: str) -> float | str:
    """A cell as JSON has it; the service says what is no number."""
    try:
        return float(value)
    except ValueError:
        return value


def called(columns: list[dict[str, Any]]) -> set[str]:
    """What columns of a domain are called in files, letters and digits only."""
    return {folded(name) for one in columns for name in (one["name"], *one.get("aliases", ()))}


def folded(column: str) -> str:
    """A column's name without case, spaces and dashes, as the service compares them."""
    return "".join(letter for letter in column.casefold() if letter.isalnum())


def predict_file(client: httpx.Client, domain: str, path: Path) -> Iterator[dict[str, Any]]:
    """One logged prediction per row of a CSV file, in order, asked for in batches. Outcomes in it are left out, as the
    service does with a file that it is sent; keys of students stay the texts that they are ("0040")."""
    said = checked(client.get(f"/api/v1/domains/{domain}"))
    numbers, outcomes = called([one for one in said["features"] if one["kind"] == "numeric"]), called(said["targets"])
    rows = (
        {
            name: number_or_text(cell) if folded(name) in numbers else cell
            for name, cell in row.items()
            if folded(name) not in outcomes
        }
        for row in rows_of(path)
    )
    while batch := list(islice(rows, BATCH)):
        yield from ask(client, f"/api/v1/{domain}/predict/batch", batch)["predictions"]


def show(said: dict[str, Any]) -> str:
    """One prediction on one line."""
    parts = []
    for answer in said["answers"]:
        value = answer["value"] if isinstance(answer["value"], str) else f"{answer['value']:.1f}"
        within = f" ({answer['interval'][0]:.1f} to {answer['interval'][1]:.1f})" if answer["interval"] else ""
        parts.append(f"{answer['target']} {value}{within}")
    return f"{said['id']}: {', '.join(parts)}"


def main(url: str, domain: str, what: str, argument: str) -> None:
    """Asks for one row (JSON) or for the rows of a CSV file, and prints the answers."""
    key = os.environ.get("GRADEWATCH_API_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=30.0) as client:
        if what == "one":
            print(show(ask(client, f"/api/v1/{domain}/predict", json.loads(argument))))
        else:
            for said in predict_file(client, domain, Path(argument)):
                print(show(said))


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[3] not in ("one", "many"):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
