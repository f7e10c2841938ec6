"""The plot of the twelve weeks: when what happens, and to which champion. It needs nothing that trains or reads.

How students are invented is `demo.students`', who does what `demo.story`'s.
"""

from datetime import UTC, date, datetime, timedelta

from database.records import ChampionKey

SCHOOL, UNIVERSITY, DISTRICT = "school", "university", "k12"
CHANGED = ChampionKey(SCHOOL, "G3", "G2")
"""The champion that is replaced, rolled back and activated again."""

FIRST_MONDAY = date(2026, 9, 7)
ONE_WEEK, WEEKS = timedelta(days=7), 12
JOINED, REPLACED, ROLLED_BACK, TRIED = 6, 9, 10, 11  # in which week: the south, the model, its rollback, a challenger
LAST_INSTANT = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
