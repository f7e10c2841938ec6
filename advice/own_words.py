"""What `advice.own_view` found, in sentences to the student, or to a guardian about their child, in their language.

No sentence compares with others or says why a number is what it is: it is about the model, not about causes.
"""

from collections.abc import Iterator
from datetime import datetime

from advice.catalogue import ReasonFamily
from advice.own_view import OwnAnswer, OwnDomain, OwnPlace, OwnStep, OwnSubject, OwnView
from language import _
from language.format import day, number, share


def view_words(view: OwnView, *, child: bool) -> Iterator[str]:
    """Everything, in the order in which a page says it. child: said to a guardian."""
    if view.objected is not None:
        yield objected_words(view.objected, child=child)
        return
    if not view.domains:
        yield nothing_words(child=child)
    for one in view.domains:
        if one.invented:
            yield invented_words()
        for place in one.places:
            yield from (f"{place_words(one, place)}: {said}" for said in answers_words(place))
        for subject in one.weak_subjects:
            yield _("Worth working on: {what}").format(what=subject_words(subject))
        yield from plan_words(one)


def nothing_words(*, child: bool) -> str:
    """That there is nothing to see."""
    return _("Nothing is predicted about your child yet.") if child else _("Nothing is predicted about you yet.")


def invented_words() -> str:
    """That a model of invented students answered."""
    return _("These numbers come from a model that learned from invented students. They say nothing about anybody.")


def objected_words(at: datetime, *, child: bool) -> str:
    """What holds since an objection."""
    if child:
        said = _("Since {day} your child is in no list, and nothing is predicted about them, because of an objection.")
    else:
        said = _("Since {day} you are in no list, and nothing is predicted about you, because of an objection.")
    return said.format(day=day(at))


def place_words(one: OwnDomain, place: OwnPlace) -> str:
    """Of which course and period something is said."""
    parts = [part for part in (place.group, place.period) if part]
    return ", ".join(parts) if parts else one.title


def answers_words(place: OwnPlace) -> Iterator[str]:
    """A sentence or two of each target."""
    for one in place.answers:
        yield answer_words(one)


def answer_words(one: OwnAnswer) -> str:
    """What is expected of one target, or what became of it."""
    return " ".join(filter(None, [expected_words(one), range_words(one), chances_words(one)]))


def expected_words(one: OwnAnswer) -> str:
    """The one result that is the likeliest, or why none can be named."""
    about = one.about
    if one.final is not None:
        return _("{about}: it became {result}.").format(about=about, result=value_words(one, one.final))
    if one.unlike:
        return _("{about}: nothing can be said, since nobody like this was seen before.").format(about=about)
    if one.value is None:
        missing = ", ".join(one.missing) or _("too much")
        return _("{about}: nothing can be said yet. Not known: {missing}.").format(about=about, missing=missing)
    return _("{about}: most likely {value}.").format(about=about, value=value_words(one, one.value))


def range_words(one: OwnAnswer) -> str:
    """Between which marks most ended."""
    if one.low is None or one.high is None:
        return ""
    said = _("Of ten students with a record like this, about {n} ended between {low} and {high}.")
    return said.format(n=number(one.of_ten or 0, 0), low=number(one.low), high=number(one.high))


def chances_words(one: OwnAnswer) -> str:
    """How many of ten got each grade, without those that fewer than one got."""
    likely = [each for each in one.grades if each.of_ten]
    told = [_("{n} got {grade}").format(grade=each.grade, n=number(each.of_ten, 0)) for each in likely]
    said = _("Of ten students with a record like this, about: {chances}.")
    return said.format(chances=", ".join(told)) if told else ""


def value_words(one: OwnAnswer, value: float | str) -> str:
    """A number with its unit, or a grade."""
    if isinstance(value, str):
        return value
    return f"{number(value)} {one.unit}".strip()


def subject_words(one: OwnSubject) -> str:
    """A subject to work on, and the student's own result in it."""
    where = ", ".join(part for part in (one.group, one.period) if part) or _("this subject")
    if one.basis == "final":
        result = one.value if isinstance(one.value, str) else number(one.value)
        return _("{subject}: the result was {result}.").format(subject=where, result=result)
    reached = one.value if isinstance(one.value, str) else share(one.value)
    return _("{subject}: {share} of what could be reached so far.").format(subject=where, share=reached)


def plan_words(one: OwnDomain) -> Iterator[str]:
    """What would help, what helps most first."""
    if not one.plan:
        yield _("There is no recommendation: nothing that can be changed stands out.")
    for place, step in enumerate(one.plan):
        said = _("What would help most: {title}.") if place == 0 else _("Then: {title}.")
        yield f"{said.format(title=step.title)} {step.what} {reason_words(step)}"


def reason_words(step: OwnStep) -> str:
    """What a step is for."""
    said: dict[ReasonFamily, str] = {
        "missing_work": _("It is about work that is missing or weak: {about}."),
        "attendance": _("It is about being there: {about}."),
        "study_habits": _("It is about how the time is spent: {about}."),
        "weak_subject": _("It is about this subject: {about}."),
        "drop": _("It is about results that came down: {about}."),
    }
    return said[step.family].format(about=step.about)


def limits_words(*, child: bool) -> Iterator[str]:
    """What the numbers are not."""
    if child:
        yield _("This is no mark and no verdict: your child's teachers give the marks, and need not follow it.")
        yield _("It says what became of others with a record like your child's, not what your child can do.")
    else:
        yield _("This is no mark and no verdict: your teachers give the marks, and need not follow it.")
        yield _("It says what became of others with a record like yours, not what you can do.")
    yield _("It knows only what stands in the record. Whatever else matters, it does not know.")
    yield _("It does not say why. Changing one entry of the record does not change the result by itself.")


def contact_words(contact: str) -> str:
    """Whom to ask. contact: as the institution says it; a sentence for all where it says nothing."""
    return contact or _("Ask your teacher, or whoever answers for data protection where you learn.")


def objection_words(*, child: bool) -> str:
    """What an objection does, before it is raised."""
    if child:
        return _(
            "You may object to predictions about your child. It holds at once: your child is in no list, and nothing "
            "is predicted any more. Marks and lessons stay as they are. Only the officer can lift it again."
        )
    return _(
        "You may object to predictions about you. It holds at once: you are in no list, and nothing is predicted "
        "any more. Marks and lessons stay as they are. Only the officer can lift it again."
    )
