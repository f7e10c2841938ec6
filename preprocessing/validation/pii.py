"""Keeps people out of the data: student keys become pseudonyms, and columns that name a person are found and refused.

Two looks at every column: its name, in five languages, and its content. It is a guard against slips, no proof that a
table is anonymous. Values are never part of an answer, only the reason.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from preprocessing.schema import DomainSchema, fold

if TYPE_CHECKING:
    import polars as pl

PURPOSE = b"gradewatch/student/1\0"  # separates these digests from any other use of the same secret

EMAIL = re.compile(r"(?<![^\s@,;<>])[^\s@,;<>]+@[^\s@,;<>]+\.[A-Za-z]{2,}")  # begun at word starts only: linear time
PHONE = re.compile(
    r"\+[0-9][0-9 ().\-]{7,17}"  # +34 612 345 678
    r"|\(?[0-9]{3}\)?[ .\-][0-9]{3}[ .\-][0-9]{4}"  # (555) 123-4567
    r"|0[0-9](?:[ .][0-9]{2}){4}"  # 06 12 34 56 78
)
BARE_PHONE = re.compile(r"0[1-9][0-9]{1,4}[ /\-]?[0-9]{6,8}")  # 0171 1234567; also what a key may look like
NATIONAL_ID = re.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{4}")  # US social security number
WORD = re.compile(r"[^\W\d_]+(?:[’'\-][^\W\d_]+)*\.?")

IDENTIFYING = frozenset(
    """
    name fullname firstname lastname familyname givenname middlename surname forename nickname username login
    studentname pupilname learnername parentname mothername fathername mothersname fathersname guardianname teachername
    advisorname maidenname preferredname legalname displayname initials
    email mail emailaddress phone phonenumber telephone tel mobile mobilenumber mobilephone cell cellphone sms fax
    whatsapp skype address homeaddress postaladdress streetaddress addressline street streetname housenumber zip zipcode
    postcode postalcode dateofbirth dob birthdate birthday birthdatum placeofbirth birthplace ssn socialsecurity
    socialsecuritynumber nationalid nationalidnumber passport passportnumber idcard nhsnumber taxid iban
    latitude longitude gps ipaddress photo photourl
    nombre nombres apellido apellidos primerapellido segundoapellido nombrecompleto correo correoelectronico telefono
    telefonomovil movil celular direccion domicilio calle codigopostal fechadenacimiento fechanacimiento dni nie curp
    nome nomes nomecompleto sobrenome apelido telefone telemovel endereco morada rua cep datadenascimento datanascimento
    cpf rg nif
    vorname nachname familienname rufname geburtsname telefonnummer telefon handy handynummer mobilnummer anschrift
    adresse strasse straße hausnummer plz postleitzahl geburtsdatum geburtstag geburtsort ausweisnummer
    nom prenom prenoms nomdefamille nomcomplet courriel adressemail adresseelectronique numerodetelephone portable rue
    codepostal datedenaissance numerodesecuritesociale
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""Folded names, without accents, that say what they hold."""

IDENTIFYING_HEADS = ("email", "emailaddress", "phone", "phonenumber", "telephone", "surname", "firstname", "lastname",
         "familyname", "givenname", "homeaddress", "streetaddress", "postcode", "zipcode", "dateofbirth", "birthdate",
         "birthday", "fullname", "apellidos", "vorname", "nachname", "prenom", "telefone", "telefono")  # fmt: skip
"""Endings that say it too: parent_email, guardianPhoneNumber."""

BEARERS = ("student", "pupil", "learner", "parent", "mother", "father", "guardian", "teacher", "child", "user",
           "person", "contact", "advisor", "tutor", "alumno", "aluno", "schueler", "schuler", "eleve")  # fmt: skip
"""Whose name, address or birth it is: student_name, name_of_mother."""

GIVEN_NAMES = frozenset(
    """
    aaron adam adriana agnes ahmed aisha alberto alejandro alexander alexandre alexandra ali alice alicia amanda amelia
    amina amir ana anders andrea andreas andrew angela anita anna anne annette anthony antonio arthur barbara
    beatriz ben benjamin bernd birgit bruno camila camille carla carlos carmen carol caroline catarina catherine cecilia
    charles chloe christian christina christine christopher clara claudia cristina daniel daniela david deborah diana
    diego dmitri dominik donald dorothy eduardo edward elena elias elizabeth emil emily emma eric erik ester eva fatima
    felipe felix fernanda fernando filipe francesca francesco francisco frank franz gabriel gabriela george
    gerhard giovanni giulia gonzalo grace guillermo gustavo hannah hans harry hassan heather heike heinz helen helena
    henrique henry hugo ibrahim ines isabel isabella ivan jack jacob jakob james jan jane janet javier jean jennifer
    jens jessica joana joe johan johann johanna john jonas jonathan jorge jose joseph joshua juan judith julia
    juliana julie karen karin karl katarina katherine kathrin kevin klaus laura lea leon leonardo leonie li linda lisa
    lola lucas lucia luis luisa lukas lydia magdalena manuel manuela marco marcos margaret maria marie
    mariana marina mario marta martha martin mateo mateus matilde matteo matthew maximilian mehmet melanie mia michael
    michelle miguel mohamed mohammed monica monika moritz muhammad nadia nancy natalia nicolas nicole nina noah nora
    olga oliver olivia omar oscar pablo paolo patricia patrick paul paula pedro peter petra philip philipp pierre priya
    rachel rafael rahul ralf raquel raul rebecca ricardo richard rita robert roberto rodrigo rosa ruth ryan sabine
    samantha samuel sandra santiago sara sarah sebastian sergio silvia simon sofia sonia sophia sophie stefan stefanie
    stephanie stephen steven susan susana susanne svetlana teresa thomas tiago tim timothy tobias ulrike ursula
    valentina vera veronica vicente vincent vladimir wei werner william wolfgang xavier yusuf zoe
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""Common given names without accents; words that are places or subjects too are left out."""

ENOUGH_NAMES = 20  # distinct values from which "capitalised words that hardly repeat" speaks for names by itself
NAMES_SHARE = 0.3  # share of values that start or end with a common given name
PHONES_SHARE = 0.3  # share of bare digit groups; one formatted number is enough
SAMPLE = 2_000  # distinct values looked at for names and phones; e-mail addresses are looked for in all


def pseudonym(key: str, secret: bytes) -> str:
    """The pseudonym (64 hex digits) of a student key: HMAC-SHA256 (RFC 2104) under the institution's secret.

    The same key, however its accents and widths are encoded (NFKC, Unicode annex 15), gives the same pseudonym; without
    the secret none can be guessed back from a list of keys. Raises ValueError on an empty secret.
    """
    if not secret:
        raise ValueError("a secret is needed to make pseudonyms of student keys")
    text = key.strip()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).strip()
    return hmac.digest(secret, PURPOSE + text.encode("utf-8", "surrogatepass"), "sha256").hex()


ALMOST_ALIKE = (
    "{!r} holds keys that differ only by zeros before a number, capitals or the width of letters: apart from width, "
    "each is a student of its own; see that they are meant so"
)


def are_almost_alike(keys: "pl.Series") -> bool:
    """Whether some of these keys, each of them once, differ only in ways that programs change unasked.

    >>> import polars as pl
    >>> are_almost_alike(pl.Series(["007", "7"])), are_almost_alike(pl.Series(["s10", "S1", "S11"]))
    (True, False)
    """
    folded = keys.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"(^|[^0-9])0+([0-9])", "${1}${2}")
    return folded.n_unique() < len(keys)


def identifying_name(column: str) -> str | None:
    """Why a column of this name identifies people, or None.

    >>> identifying_name("E-Mail"), identifying_name("parent_phone_number"), identifying_name("course_name")
    ("it is called 'E-Mail'", "it is called 'parent_phone_number'", None)
    """
    plain = _plain(column)
    stem = plain.rstrip("0123456789")
    bearer = any(word in plain for word in BEARERS) and (
        stem.endswith(("name", "address", "names")) or "nameof" in plain
    )
    forms = {plain, stem, *(stem.removesuffix(end) for end in ("no", "nr", "number"))}
    if forms & IDENTIFYING or bearer or (stem.endswith(IDENTIFYING_HEADS) and not stem.startswith("has")):
        return f"it is called {column!r}"
    return None


def _plain(column: str) -> str:
    decomposed = unicodedata.normalize("NFKD", column)
    return fold("".join(character for character in decomposed if not unicodedata.combining(character)))


def looks_identifying(text: str, *, key: bool = False) -> str | None:
    """What kind of identifying value one text is, or None. Of a student key (`key`) only the certain kinds are asked.

    >>> looks_identifying("ana@example.org"), looks_identifying("Ana Sousa"), looks_identifying("Data Structures")
    ('an e-mail address', "a person's name", None)
    """
    if "@" in text and EMAIL.search(text):
        return "an e-mail address"
    if text.isalnum():  # no mark and no space: none of the kinds below
        return None
    stripped = text.strip()
    if PHONE.fullmatch(stripped) and not stripped.isdigit():
        return "a phone number"
    if NATIONAL_ID.fullmatch(stripped):
        return "a national identity number"
    if not key and _is_person(stripped, certain=True):
        return "a person's name"
    return None


def _is_person(text: str, *, certain: bool) -> bool:
    """Two to four capitalised words: Ana Sousa; Sousa, Ana M. `certain`: the given one of them is a common name."""
    family, comma, given = text.partition(",")
    words = [*family.split(), *given.split()]
    if not 2 <= len(words) <= 4 or not all(WORD.fullmatch(word) and word[0].isupper() for word in words):
        return False
    return not certain or _is_given_name((given if comma else family).split()[0:1])


def _is_given_name(words: Sequence[str]) -> bool:
    return bool(words) and any(_plain(part) in GIVEN_NAMES for part in (words[0], words[0].split("-")[0]))


def identifying_columns(
    frame: "pl.DataFrame", schema: DomainSchema | None = None, found: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Columns of a raw table that identify people, each with the reason; without a schema all are undeclared.

    found: canonical to given names, as `rules.match_columns` tells. Undeclared columns are looked at by name and by
    content, declared ones by content: closed levels and numbers need no look, a student key must not be an e-mail
    address or phone number.
    """
    import polars as pl

    declared = {given: canonical for canonical, given in (found or {}).items()}
    reasons: dict[str, str] = {}
    for column, kind in frame.schema.items():
        if column not in declared and (reason := identifying_name(column)):
            reasons[column] = reason
        elif kind in (pl.String, pl.Enum) and not (schema and _is_closed(declared.get(column), schema)):
            is_key = bool(schema and schema.student and declared.get(column) == schema.student.name)
            texts = frame.get_column(column).cast(pl.String)
            if reason := _identifying_content(texts, key=is_key, declared=column in declared):
                reasons[column] = reason
    return reasons


def _is_closed(canonical: str | None, schema: DomainSchema) -> bool:
    """Whether another rule already says what may stand in the column: numbers and closed lists of levels."""
    feature = schema.feature_by_name.get(canonical or "")
    if feature is not None:
        return not feature.open
    return canonical in schema.target_by_name


def _identifying_content(values: "pl.Series", *, key: bool, declared: bool) -> str | None:
    suspects = values.filter(values.str.contains("@", literal=True).fill_null(value=False))
    if any(EMAIL.search(value) for value in suspects.unique()):
        return "it holds e-mail addresses"
    distinct = values.drop_nulls().unique(maintain_order=True)
    sample = [value.strip() for value in distinct.head(SAMPLE) if value.strip()]
    if not sample:
        return None
    return _phones(sample, declared=declared) or (None if key else _names(sample, len(distinct) / values.count()))


def _phones(sample: Sequence[str], *, declared: bool) -> str | None:
    kinds = [looks_identifying(value, key=True) for value in sample]
    if _share(kind is not None for kind in kinds) >= PHONES_SHARE:
        return "it holds phone or identity numbers"
    if not declared and _share(bool(BARE_PHONE.fullmatch(value)) for value in sample) >= PHONES_SHARE:
        return "it holds phone numbers"
    return None


def _names(sample: Sequence[str], repeats: float) -> str | None:
    """repeats: distinct values per value; 1 when none repeats."""
    certain = _share(_is_person(value, certain=True) or _is_given_name([value]) for value in sample)
    alike = _share(_is_person(value, certain=False) for value in sample)
    if certain >= NAMES_SHARE or (len(sample) >= ENOUGH_NAMES and alike >= 0.9 and repeats >= 0.8):
        return "it holds names of people"
    return None


def _share(matches: Iterable[bool]) -> float:
    flags = list(matches)
    return sum(flags) / len(flags)
