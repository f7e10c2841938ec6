"""Sentences, numbers and times by language: the mechanism, and what a catalogue must keep of the English sentence."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import language
from language import _, ngettext, speech
from language.collect import KEYWORDS, ROOT, catalogue_of, sentences, updated
from language.format import count, day, interval, moment, number, parse_number, share, time_of_day
from language.palette import DARK, LIGHT, Palette, State

TRANSLATED = [name for name in speech.languages() if name != speech.SOURCE_LANGUAGE]
LOCALES = ["en", "en-GB", "de-CH", "de", "fr", "fr-CA"]
PLACE = re.compile(r"\{[^{}]*\}")


@pytest.fixture
def swedish(tmp_path, monkeypatch) -> Iterator[None]:
    """A language that is shipped for this test alone: one sentence with two forms, and nothing else."""
    head = 'msgid ""\nmsgstr ""\n"Language: sv\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1)\\n"\n\n'
    said = 'msgid "{n} row"\nmsgid_plural "{n} rows"\nmsgstr[0] "{n} rad"\nmsgstr[1] "{n} rader"\n'
    (tmp_path / "sv.po").write_text(head + said, encoding="utf-8")
    caches = (speech.languages, speech.speech_of, speech.catalogue_in)
    monkeypatch.setattr(speech, "CATALOGUES", tmp_path)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("swedish")
def test_a_sentence_has_the_form_of_its_number_and_stays_english_where_nobody_translated_it() -> None:
    def said(n: int) -> str:
        return ngettext("{n} row", "{n} rows", n).format(n=count(n))

    with language.use("sv-SE"):
        assert [said(1), said(2000), _("needs you")] == ["1 rad", "2\xa0000 rader", "needs you"]
        with language.use("tlh"):
            assert said(2) == "2 rows"
        assert said(2) == "2 rader"
    assert said(1) == "1 row"


def test_whoever_is_asked_says_what_is_spoken_until_somebody_says_otherwise() -> None:
    asked: list[str] = []
    language.ask(lambda: asked.append("") or speech.speech_of("de", "Europe/Berlin"))
    try:
        assert moment(datetime(2026, 1, 1, 23, 30, tzinfo=UTC)) == "02.01.2026, 00:30"
        count_asked = len(asked)
        with language.use("en"):
            assert number(0.5) == "0.5"
        assert len(asked) == count_asked
    finally:
        language.ask(speech.Speech)


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_catalogue_has_the_sentences_of_the_code_and_their_places(name: str) -> None:
    text = (speech.CATALOGUES / f"{name}.po").read_text(encoding="utf-8")
    assert text == updated(name), "run make messages"
    for message in catalogue_of(name):
        if not message.id:
            continue
        assert message.string, f"{message.id}: not translated"
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        assert len(forms) == (catalogue_of(name).num_plurals if len(ids) > 1 else 1)
        for form in forms:
            assert form, message.id
            allowed = [Counter(PLACE.findall(one)) for one in ids]
            assert Counter(PLACE.findall(form)) in allowed, message.id


def test_every_sentence_of_the_code_is_found_also_where_a_collector_does_not_look() -> None:
    """Babel reads no calls within f-strings, and only the packages that it is told of."""
    said = set()
    for file in ROOT.glob("*/**/*.py"):
        if file.is_relative_to(ROOT / "tests") or any(part.startswith(".") for part in file.parts[len(ROOT.parts) :]):
            continue
        calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in KEYWORDS]
        said |= {call.args[0].value for call in named if call.args and isinstance(call.args[0], ast.Constant)}
    assert len(said) > 500
    assert said - {one.id if isinstance(one.id, str) else one.id[0] for one in sentences()} == set()


UNTOLD = {"code", "form", "html", "markdown", "title", "Page"}  # commands, keys, marks, the product's name
TELLING = {"help", "placeholder", "title"}


def test_no_page_says_what_stands_in_no_catalogue() -> None:
    """Whatever a page hands to Streamlit to be read, a label or a whole sentence, went through `_`."""
    said = []
    for file in (ROOT / "dashboard").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and ast.unparse(call.func).startswith("st.")):
                continue
            if getattr(call.func, "attr", "") in UNTOLD:
                continue
            told = [*call.args[:1], *(one.value for one in call.keywords if one.arg in TELLING)]
            texts = [one for one in told if isinstance(one, ast.JoinedStr | ast.Constant)]
            said += [f"{file.name}: {ast.unparse(one)}" for one in texts if re.search("[A-Z][a-z]{2}", literal_of(one))]
    assert said == []


def literal_of(text: ast.JoinedStr | ast.Constant) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return " ".join(str(one.value) for one in parts if isinstance(one, ast.Constant))


def test_no_sentence_is_made_of_pieces() -> None:
    assert len(list(sentences())) > 20
    glued = [message.id for message in sentences() if str(message.id) != str(message.id).strip()]
    assert glued == []


@given(st.floats(-1e7, 1e7), st.integers(0, 3), st.sampled_from(LOCALES))
def test_a_written_number_is_read_back_where_it_was_written(value: float, digits: int, locale: str) -> None:
    with language.use(locale):
        told = number(value, digits)
    try:
        read = parse_number(told)
    except ValueError:
        assert re.search(r"\d[.,]\d{3}(\D|$)", told), "refused is only what may be thousands or decimals"
        return
    assert abs(read - value) <= 0.5 * 10**-digits * (1 + 1e-9)
    assert told not in ("-0", "+0")


@pytest.mark.parametrize("text", ["", "12,5,1", "1.2.3", "ten", "1e5", "nan", "--3", "1,234", "1.234", "12 %"])
def test_what_is_no_number_or_could_be_two_is_said_and_never_another_number(text: str) -> None:
    with pytest.raises(ValueError, match="“"):
        parse_number(text)


@pytest.mark.parametrize(
    ("locale", "told"),
    [
        ("en", ["12.6", "120,000", "76\xa0%", "8–12.4", "Nov 27, 2026"]),
        ("en-GB", ["12.6", "120,000", "76\xa0%", "8–12.4", "27 Nov 2026"]),
        ("de", ["12,6", "120.000", "76\xa0%", "8–12,4", "27.11.2026"]),
        ("fr", ["12,6", "120\u202f000", "76\xa0%", "8–12,4", "27 nov. 2026"]),
    ],
)
def test_numbers_and_days_are_written_as_at_home(locale: str, told: list[str]) -> None:
    with language.use(locale):
        found = [number(12.63), count(120_000), share(0.76), interval(8, 12.44), day(date(2026, 11, 27))]
    assert found == told


def luminance(colour: str) -> float:
    """Of sRGB, as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_words_and_marks_stand_out_from_what_is_behind_them(palette: Palette) -> None:
    for ground in (palette.surface, palette.raised):
        for words in (*map(palette.of, State), palette.text, palette.muted):
            assert contrast(words, ground) >= 4.5
        for mark in palette.several:
            assert contrast(mark, ground) >= 3
    assert not {*map(palette.of, (State.GOOD, State.LOOK, State.ACT))} & {*palette.several}


def test_states_are_told_apart_without_their_colour() -> None:
    for what in ("word", "icon", "symbol"):
        assert len({getattr(state, what) for state in State}) == len(State)


def test_formatting_needs_no_zone_that_the_machine_has_not() -> None:
    with language.use("en", "Nowhere/Else"):
        assert time_of_day(datetime(2026, 1, 1, 12, tzinfo=UTC)).replace("\u202f", " ") == "12:00 PM"
