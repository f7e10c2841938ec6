"""Keys become pseudonyms; columns that name people are found, and ordinary ones are let be."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.reading.files import typed_table
from preprocessing.schema import load_domains
from preprocessing.validation.pii import (
    identifying_columns,
    identifying_name,
    looks_identifying,
    names_somebody,
    pseudonym,
)
from preprocessing.validation.validate import validate_table
from tests.preprocessing.making import uci


def test_a_pseudonym_is_the_hmac_of_the_key_under_the_secret() -> None:
    assert pseudonym("S1", b"one") == pseudonym(" S1 ", b"one")
    assert pseudonym("S1", b"one") != pseudonym("S1", b"two")
    assert pseudonym("S1", b"one") != pseudonym("S2", b"one")
    assert pseudonym("S1", b"one") == "6b0243d81aa3adc7f8ed4033fadbd37080767c7a0cb4b7c35de974e3280d6d97"


def test_accents_encoded_either_way_are_one_key() -> None:
    assert pseudonym("Jos\u00e9", b"s") == pseudonym("Jose\u0301", b"s")
    assert pseudonym("\uff33\uff11", b"s") == pseudonym("S1", b"s") == pseudonym("\u3000S1", b"s")


@pytest.mark.parametrize(
    ("keys", "alike"),
    [
        (["007", "7"], True),
        (["S-007", "S-7"], True),
        (["abc", "ABC"], True),
        (["\uff33\uff11", "S1"], True),
        (["0", "00"], True),
        (["100", "10", "1"], False),
        (["S1", "S2", "S1"], False),
        (["1007", "17"], False),
    ],
)
def test_keys_that_differ_only_by_zeros_case_or_width_are_told(keys: list[str], alike: bool) -> None:
    schema = load_domains()["engagement"]
    assert schema.student is not None
    row = {feature.name: feature.minimum for feature in schema.features}
    table = typed_table(pl.DataFrame([{**row, schema.student.name: key} for key in keys]), "x")
    notes = validate_table(table, schema, secret=b"s").notes
    assert bool([note for note in notes if "differ only by zeros" in note]) == alike


def test_there_is_no_pseudonym_without_a_secret() -> None:
    with pytest.raises(ValueError, match="a secret is needed"):
        pseudonym("S1", b"")


@given(st.text())
def test_a_pseudonym_is_64_hex_digits_for_any_key(key: str) -> None:
    assert len(bytes.fromhex(pseudonym(key, b"s"))) == 32


NAMED = """name|Student Name|studentName|name of mother|first_name|Last Name|surname|given-name|username|e-mail|Email|
mail|parent_email|Phone|guardianPhoneNumber|mobile|tel.|Address|address_line_1|AddressLine2|street|postcode|ZIP|
date of birth|DOB|birth_date|SSN|passport no|Nombre|Primer Apellido|Correo electrónico|Teléfono|Dirección|
Fecha de nacimiento|DNI|Sobrenome|Endereço|Data de nascimento|CPF|Vorname|Nachname|Straße|Geburtsdatum|Handy|Prénom|
Nom de famille|Courriel|Adresse|Code postal|Nombre del alumno|Name der Mutter|Nome da mãe|Teléfono de la madre|
Adresse der Eltern|Nom de l'élève|Prénom du père|Cognome|Nome dello studente|Data di nascita|Codice fiscale|
Indirizzo del genitore|Voornaam|Achternaam|Naam leerling|Geboortedatum|BSN|E-mail ouder|Imię|Nazwisko|Imię ucznia|
Data urodzenia|PESEL|Telefon rodzica|Adı|Soyadı|Adı Soyadı|Öğrenci adı|Anne adı|Doğum tarihi|TC Kimlik No|Né(e) le|
F. nacimiento|Lugar de nacimiento|Apellido paterno|N.º de Seguridad Social|Name des Schülers|Geb.-Datum|geb. am|Wohnort|
E-Mail-Adresse|Steuer-ID|Personalausweisnummer|Erziehungsberechtigte|Número de contribuinte|Cartão de cidadão|
Encarregado de educação|Cognome e nome|Residenza|Leerlingnaam|Telefoon|Straat|Geboorteplaats|Adres zamieszkania|
Nr telefonu|Opiekun prawny|Numer dowodu|TC Kimlik Numarası|Veli Telefonu|Pasaporte"""

ORDINARY = """age|sex|school|course_name|school name|file name|subject|internet|famsize|phone_usage_hours|has_phone|
email_clicks|birth_year|mother_job|homework|grade|G1|student_id|userId|teacher|Mjob|health|higher|address_type|nursery|
Nombre d'absences|Prüfungsname|Naam van het vak|Adet|nom du cours|Nome da disciplina|Liczba godzin|veli|
StudyHoursPerWeek|attendance|remark|region|household|class|term|unit_name|renamed|nominal|mobility|streetwise|
birth_order|country_of_birth|Geburtsland|Telefonstunden|Escolaridade da mãe|Beruf der Mutter|Nome scuola|Ders adı|
Nazwa przedmiotu|Naam school|Schulname|day_of_week|city|data_structures|capital|Note|Voto|Cijfer|Ocena|Sınıf"""


@pytest.mark.parametrize("name", NAMED.replace("\n", "").split("|"))
def test_a_column_called_after_people_identifies_them(name: str) -> None:
    assert identifying_name(name) == f"it is called {name!r}"


@pytest.mark.parametrize("name", ORDINARY.replace("\n", "").split("|"))
def test_an_ordinary_columns_name_is_let_be(name: str) -> None:
    assert identifying_name(name) is None


@pytest.mark.parametrize(
    "text",
    ["ana@example.org", "mail: a.b@c.de!", "+34 612 345 678", "(555) 123-4567", "06 12 34 56 78", "123-45-6789",
     "123.456.789-09", "RSSMRA85T10A562S", "1 85 05 78 006 084 36", "Mother called, ring 0171 2345678 please",
     "Ana Sousa", "Sousa, Ana", "John A. Smith", "José María Núñez", "Jean-Pierre Dupont"],
)  # fmt: skip
def test_a_value_that_identifies_is_known(text: str) -> None:
    assert looks_identifying(text)


@pytest.mark.parametrize(
    "text",
    ["GP", "at_home", "Data Structures", "Programming Fundamentals", "2024-01-15", "12/03/2024", "2024-001-0001",
     "0171234567", "10-20%", "S000123", "Computer Science II", "1 to 2", "A1-B2", "yes", "", "3,14", "Year 10"],
)  # fmt: skip
def test_a_value_that_does_not_is_let_be(text: str) -> None:
    assert looks_identifying(text) is None


def content(*values: str | None) -> dict[str, str]:
    return identifying_columns(pl.DataFrame({"x": values}, schema={"x": pl.String}))


def test_one_e_mail_address_among_many_values_is_found() -> None:
    assert content(*["none"] * 5_000, "ask ana@example.org") == {"x": "it holds e-mail addresses"}


def test_columns_of_phone_numbers_and_names_are_found() -> None:
    assert content("0171 1234567", "0172 7654321", None) == {"x": "it holds phone numbers"}
    assert content("(555) 123-4567", "n/a") == {"x": "it holds phone or identity numbers"}
    assert content("Maria", "João", "Peter", "Zlatan") == {"x": "it holds names of people"}
    rare = [f"{a}a{b}o {b}uch{a}er".title() for a in "bcdfg" for b in "klmnp"]
    assert content(*rare) == {"x": "it holds names of people"}


def test_national_numbers_are_known_by_their_check_digits_and_other_keys_are_none() -> None:
    letters = "TRWAGMYFPDXBNJZSQVHLCKE"
    dni = [f"{n}{letters[n % 23]}" for n in range(12_345_678, 12_345_690)]
    assert content(*dni) == {"x": "it holds phone or identity numbers"}
    assert content(*(f"{n}T" for n in range(12_345_678, 12_345_690))) == {}
    bsn = [str(n) for n in range(111_111_100, 111_112_000) if looks_bsn(n)][:12]
    assert content(*bsn) == {"x": "it holds phone or identity numbers"}
    assert content(*(str(n) for n in range(111_111_100, 111_111_200))) == {}


def looks_bsn(number: int) -> bool:
    digits = [int(digit) for digit in str(number)]
    return (sum((9 - i) * digit for i, digit in enumerate(digits[:8])) - digits[8]) % 11 == 0


PEOPLE = {
    "en": "Oliver Hughes|Amelia Carter|George Patel|Isla Thompson|Harry Evans|Freya Walker|Alfie Ward|Poppy Hill",
    "de": "Lukas Brandt|Hannah Vogel|Jonas Keller|Marlene Busch|Niklas Horn|Lena Krämer|Tim Schuster|Greta Lang",
    "fr": "Camille Roux|Julien Moreau|Manon Girard|Théo Lambert|Chloé Fabre|Romain Perrin|Lucie Blanc|Hugo Marchand",
    "es": "Lucía Ortega|Javier Ruiz|Carmen Vidal|Adrián Molina|Marta Gil|Sergio Prieto|Rocío Campos|Iker Soler",
    "pt": "Beatriz Nunes|Tiago Pinto|Leonor Matos|Afonso Reis|Inês Lopes|Duarte Faria|Matilde Neves|Simão Cunha",
    "it": "Giulia Ferri|Lorenzo Conti|Chiara Greco|Matteo Serra|Elisa Monti|Davide Rizzi|Alessia Neri|Pietro Fontana",
    "nl": "Daan Visser|Sanne Bakker|Bram Smit|Lotte Mulder|Thijs Bos|Femke Vos|Jesse Kok|Anouk Prins",
    "pl": "Jakub Wójcik|Zofia Mazur|Kacper Krawczyk|Agata Dudek|Paweł Baran|Karolina Wilk|Michał Sikora|Ewa Lis",
    "tr": "Emre Kaya|Zeynep Aydın|Mustafa Koç|Elif Şahin|Burak Arslan|Merve Doğan|Yiğit Polat|Ayşe Kurt",
}


@pytest.mark.parametrize("language", PEOPLE)
def test_columns_of_names_are_found_in_nine_languages(language: str) -> None:
    whole = PEOPLE[language].split("|")
    turned = [", ".join(reversed(name.split())) for name in whole]
    given = [name.split()[0] for name in whole]
    for values in (whole, turned, given):
        assert content(*values) == {"x": "it holds names of people"}, values


def test_subjects_towns_codes_and_dates_are_no_names() -> None:
    assert content("Data Structures", "Operating Systems", "Linear Algebra", "Art") == {}
    assert content(*["North Region", "South Region", "London Region"] * 20) == {}
    assert content("2026-01-02", "2026-02-03", "CS-101-2024") == {}
    assert content("LI") == {}
    assert content("Lia Li", "Ana") != {}


def test_no_shipped_domain_has_a_column_that_would_be_refused() -> None:
    for schema in load_domains().values():
        declared = {column.name: column.name for column in schema.columns}
        levels = {f.name: (f.levels or ("x",)) for f in schema.features if f.kind == "categorical"}
        for name, values in levels.items():
            frame = pl.DataFrame({name: values})
            assert identifying_columns(frame, schema, {k: v for k, v in declared.items() if k == name}) == {}


def test_only_the_address_of_the_published_file_is_suspect_and_only_undeclared() -> None:
    raw = uci("por")
    assert list(identifying_columns(raw.frame)) == ["address"]
    school = load_domains()["school"]
    assert identifying_columns(raw.frame, school, {name: name for name in school.feature_by_name}) == {}


@pytest.mark.parametrize(
    ("text", "somebody"),
    [("Marks of Ana Sousa.csv", True), ("Ana_Sousa.csv", True), ("sent by ana@example.org", True),
     ("Frau Müller rang", True), ("ring 0612345678", True), ("of pupil 12345678Z", True), ("Sra. García", True),
     ("Dr. Who", True), ("Mr", False), ("students_2026.csv", False),
     ("wrong term, section B", False), ("Jan-Mar.csv", False)],
)  # fmt: skip
def test_a_reason_or_a_file_name_that_names_somebody_is_found(text: str, somebody: bool) -> None:
    assert bool(names_somebody(text)) is somebody
