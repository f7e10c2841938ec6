"""What can happen to data, told on invented rows: each story changes a known part of them and nothing else.

A story is data about what moves: outcomes, a column's cells, or who is there. `preprocessing.synthetic` draws the rows.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from errors import Category, GradewatchError
from preprocessing.schema import ContextColumn, DomainSchema, Feature
from preprocessing.validation.rules import is_numeric

StoryName = Literal["harder-exam", "grade-inflation", "new-school", "new-course", "missing-feed"]

NEWCOMERS, EMPTIED = 0.2, 0.6
"""Shares of the rows that come from somewhere new, and that a broken feed leaves empty."""

COURSE_WORDS = ("course", "subject", "assignment", "class", "module", "kurs", "cours")
SCHOOL_WORDS = ("school", "campus", "site", "faculty", "region", "schule", "école")


class StoryNotPossible(GradewatchError):
    """The domain has no column to which the story could happen."""

    category = Category.INVALID


class Story(NamedTuple):
    """What moves. outcome: how far outcomes move, in standard deviations of the hidden outcome; with_marks: columns
    that are nearly the outcome move along; share: of the rows that are touched; column: the one that holds something
    never seen (`value`) in these rows, or is left empty there (`value` None).
    """

    says: str
    outcome: float = 0.0
    with_marks: bool = False
    share: float = 1.0
    column: str | None = None
    value: str | None = None


def story_of(name: StoryName, schema: DomainSchema) -> Story:
    """What the story does to rows of this domain. Raises StoryNotPossible."""
    return _TOLD[name](schema)


def _harder_exam(_: DomainSchema) -> Story:
    return Story("the exam was harder: outcomes fall, what was known before is as ever", outcome=-0.5)


def _grade_inflation(_: DomainSchema) -> Story:
    return Story("marks are given more easily: outcomes and earlier marks rise", outcome=0.5, with_marks=True)


def _new_school(schema: DomainSchema) -> Story:
    column = _column(schema, "new-school", SCHOOL_WORDS)
    says = f"a fifth of the rows come from a {column} never seen before, where outcomes are lower"
    return Story(says, outcome=-0.5, share=NEWCOMERS, column=column, value="New school")


def _new_course(schema: DomainSchema) -> Story:
    column = _column(schema, "new-course", COURSE_WORDS)
    says = f"a fifth of the rows belong to a {column} never seen before; nothing else is different there"
    return Story(says, share=NEWCOMERS, column=column, value="New course")


def _missing_feed(schema: DomainSchema) -> Story:
    """Of the optional columns the last, else the last number that is no rule's answer."""
    naive = {name for target in schema.targets for name in target.naive}
    fed = [one for one in schema.features if is_numeric(one) and not one.protected and one.name not in naive]
    fed = [one for one in fed if one.optional] or fed or [one for one in schema.features if not one.protected]
    if not fed:
        raise StoryNotPossible(f"domain {schema.name!r} has no column that a feed could leave empty")
    says = f"a feed broke: {fed[-1].name} is empty in {EMPTIED:.0%} of the rows"
    return Story(says, share=EMPTIED, column=fed[-1].name)


def _column(schema: DomainSchema, story: StoryName, words: tuple[str, ...]) -> str:
    """The column that names schools or courses: by its name, else a column of the group."""
    texts: list[ContextColumn | Feature] = [one for one in schema.context if one.name != schema.period]
    texts += [one for one in schema.features if not is_numeric(one) and not one.protected]
    named = [one.name for one in texts if any(word in one.name.casefold() for word in words)]
    grouped = [one.name for one in texts if one.name in schema.group]
    if found := named or grouped:
        return found[0]
    others = ", ".join(sorted(set(get_args(StoryName)) - {"new-school", "new-course"}))
    raise StoryNotPossible(
        f"domain {schema.name!r} has no column that names a {story.removeprefix('new-')}; try {others}"
    )


_TOLD: dict[StoryName, Callable[[DomainSchema], Story]] = {
    "harder-exam": _harder_exam,
    "grade-inflation": _grade_inflation,
    "new-school": _new_school,
    "new-course": _new_course,
    "missing-feed": _missing_feed,
}
