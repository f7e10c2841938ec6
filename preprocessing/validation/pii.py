"""Keeps people out of the data: student keys become pseudonyms, and columns that name a person are found and refused.

Two looks at every column: its name, in nine languages, and its content. It is a guard against slips, no proof that a
table is anonymous. Values are never part of an answer, only the reason.
"""

import hmac
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePath
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
PHONE_WITHIN = re.compile(rf"(?<![\w.+-])(?:{PHONE.pattern}|0[1-9][0-9]{{1,4}}[ /\-][0-9]{{6,8}})(?![\w.-])")
SHORTEST_NATIONAL = 15  # of those that are letters and digits only
LEAST_OF_TEXT = 3  # words of a text in which a phone number may stand
WORD = re.compile(r"[^\W\d_]+(?:[’'\-][^\W\d_]+)*\.?")

IDENTIFYING = frozenset(
    """
    name fullname firstname lastname familyname givenname middlename surname forename nickname username login
    studentname pupilname learnername parentname mothername fathername mothersname fathersname guardianname
    teachername advisorname maidenname preferredname legalname displayname initials email mail emailaddress phone
    phonenumber telephone tel mobile mobilenumber mobilephone cell cellphone sms fax whatsapp skype address
    homeaddress postaladdress streetaddress addressline street streetname housenumber zip zipcode postcode
    postalcode dateofbirth dob birthdate birthday birthdatum placeofbirth birthplace ssn socialsecurity
    socialsecuritynumber nationalid nationalidnumber passport passportnumber idcard nhsnumber taxid iban latitude
    longitude gps ipaddress photo photourl nombre nombres apellido apellidos primerapellido segundoapellido
    nombrecompleto correo correoelectronico telefono telefonomovil movil celular direccion domicilio calle
    codigopostal fechadenacimiento fechanacimiento dni nie curp nome nomes nomecompleto sobrenome apelido telefone
    telemovel endereco morada rua cep datadenascimento datanascimento cpf rg nif vorname nachname familienname
    rufname geburtsname telefonnummer telefon handy handynummer mobilnummer anschrift adresse strasse straße
    hausnummer plz postleitzahl geburtsdatum geburtstag geburtsort ausweisnummer nom prenom prenoms nomdefamille
    nomcomplet courriel adressemail adresseelectronique numerodetelephone portable rue codepostal datedenaissance
    numerodesecuritesociale neele nele lieudenaissance identite lastfirst firstlast cognome indirizzo datadinascita
    luogodinascita codicefiscale cellulare cap nominativo naam voornaam achternaam tussenvoegsel roepnaam
    geboortedatum geboorteplaats bsn burgerservicenummer woonplaats adres telefoonnummer telefoon straat huisnummer
    mobielnummer mobiel imie nazwisko imieinazwisko nazwiskoiimie dataurodzenia miejsceurodzenia
    erziehungsberechtigte erziehungsberechtigter encarregadodeeducacao opiekunprawny tutorlegal representantelegal
    klassenlehrer klassenlehrerin responsavellegal pesel numertelefonu kodpocztowy ulica wohnort residenza recapito
    localidade adi soyadi soyad isim adsoyad adisoyadi ogrenciadi dogumtarihi dogumyeri tckimlikno tckimlik
    kimlikno eposta cep ceptelefonu adresi postakodu nascimento nacimiento familia filiacao
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""Folded names, without accents, that say what they hold."""

IDENTIFYING_HEADS = ("email", "emailaddress", "phone", "phonenumber", "telephone", "surname", "firstname", "lastname",
         "familyname", "givenname", "homeaddress", "streetaddress", "postcode", "zipcode", "dateofbirth",
         "birthdate", "birthday", "fullname", "apellidos", "vorname", "nachname", "prenom", "telefone",
         "telefono", "cognome", "emailadresse", "leerlingnaam", "voornaam", "achternaam", "nazwisko",
         "soyadi", "geburtsdatum", "geboortedatum", "datadenascimento", "fechadenacimiento",
         "datedenaissance", "datadinascita")  # fmt: skip
"""Endings that say it too: parent_email, guardianPhoneNumber."""

HEADS_FIRST = frozenset(
    """
    apellido apellidos sobrenome apelido cognome cognomi nazwisko nazwiska imie imiona achternaam voornaam vorname
    nachname prenom prenoms soyadi domicilio direccion endereco morada indirizzo adres adresse anschrift correo
    courriel telefono telefone telefon telefonu telefoon telefonnr telefonnummer telemovel cellulare celular ulica
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""First words that say it where a language puts the head first: Apellido paterno, Adres zamieszkania, Nr telefonu."""

NUMBER_WORDS = frozenset({"nr", "no", "num", "numer", "numero", "numara", "n", "o"})
BIRTH_WORDS = frozenset(
    """
    birth born nacimiento nascimento nascita naissance urodzenia dogum geboren geb geburt geburts geboorte
    """.split()  # noqa: SIM905
)
WHEN_OR_WHERE = frozenset(
    """
    date day place city town fecha f data d dia lugar ciudad local cidade luogo citta lieu ville miejsce datum tag
    am ort stadt plaats tarihi yeri
    """.split()  # noqa: SIM905
)
"""With a word of birth they say when or where somebody was born; a year or a country alone does not tell who it is."""

ISSUED = re.compile(
    "socialsecurity|seguridadsocial|segurancasocial|securitesociale|sozialversicherung|versichertennummer|contribuinte"
    "|steuerid|steuernummer|cartaodecidadao|bilhetedeidentidade|documentodeidenti|personalausweis|kimlik|numerdowodu"
    "|dowodosobisty|cartadidentita|carteidentite|identiteitskaart|passport|pasaporte|passaporto|passaporte|paszport"
    "|paspoort|reisepass|pasaport"
)
"""Within a folded name: what an authority gave one person."""

BEARERS = ("student", "pupil", "learner", "parent", "mother", "father", "guardian", "teacher", "child", "user",
           "person", "contact", "advisor", "tutor", "alumno", "aluno", "schueler", "schuler", "eleve")  # fmt: skip
"""Whose name, address or birth it is, also within a word: student_name, Schülername."""

BEARER_WORDS = frozenset(BEARERS) | frozenset(
    """
    alumna aluna estudiante estudante schulerin schuelerin kind etudiant etudiante studente studentessa alunno alunna
    allievo allieva leerling uczen ucznia uczniow studenta ogrenci ogrencinin mutter vater eltern lehrer lehrerin
    lehrkraft madre padre tutora acudiente apoderado profesor profesora docente mae pai professor professora
    responsavel encarregado mere pere parents enseignant enseignante professeur genitore genitori insegnante moeder
    vader ouder ouders docent mentor leraar matki ojca rodzica rodzicow nauczyciel nauczyciela opiekuna anne annenin
    baba babanin veli velinin veliadi ogretmen ogretmenin erziehungsberechtigte erziehungsberechtigten vormund
    klassenlehrer
    """.split()  # noqa: SIM905 (a word list reads better so)
)
PERSONAL_WORDS = frozenset(
    """
    name names nombre nombres apellido apellidos nome nomes cognome cognomi nom noms prenom naam namen imie
    nazwisko ad adi soyadi isim surname vorname nachname address adresse anschrift direccion domicilio endereco
    morada indirizzo adres adresi phone telephone telefon telefonu telefono telefone telefoon tel handy mobil movil
    celular cellulare telemovel portable email mail correo courriel eposta birth birthdate geburtsdatum nacimiento
    nascimento naissance nascita urodzenia dogum
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""With a bearer's word they say whose they are: Nombre del alumno, Name der Mutter, Nome da mãe, Naam leerling."""

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
    aart adele adrian afonso agata agnieszka ahmet ainhoa aitor aleksandra alessandro alessia alfie alvaro amelie
    andrzej anke annika anouk antoine antonella archie aurelie aylin ayse baptiste baris bart bartosz beatrice
    begona benoit bernardo bjorn bram britta burak callum carlota carsten catia celine cem chiara clement connor
    corentin daan damien davide dawid declan delphine detlef dieter dirk dolores duarte elif elisa ellen elodie
    emilie emine emre enrico enrique esra estelle ethan ewa fabien fatih fatma federica femke filippo finn florian
    francois freya gamze giacomo gijs giorgia gisela giuseppe goncalo greta grzegorz guillaume gunther hakan
    hartmut hatice helene helga hendrik holger huseyin ignacio iker ilaria ilse ingrid irene isla iwona jaime
    jakub jana jayden jeroen jerome jesse joanna joao joaquim joaquin joost jorg julien jurgen jurre kacper karl-
    heinz karolina katarzyna katja kemal kerstin krzysztof larissa lars laurent leire lena leonard leonor leticia
    liam lieke lina lorena lorenzo lotte lucie ludovica luigi luiza maarten maciej madalena magda malgorzata malte
    manon marcin mareike marek margarida margaux marieke marion marlene martina massimo mateusz mathieu mathilde
    maxime mees mercedes merel merve michal michela miriam murat mustafa nathalie nele nerea niamh nicola niels
    niklas noelia oguz olivier ozlem pauline pawel pieter pietro pilar piotr poppy quentin rafaela rafal rainer
    rhys riccardo rocio romain ruben salvatore sanne sebastien selin serena serkan sevgi sian silke simao simone
    siobhan sjoerd solene stefano steffen stephane sven svenja theo thiago thibault thijs thorsten tijn tomas
    tomasz tommaso ulrich uwe valentin valerie vasco vincenzo volker wiebke willem wojciech wouter ximena yasemin
    yigit yolanda zeynep zofia
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""Common given names without accents; words that are places or subjects too are left out."""

UNACCENTED = str.maketrans("ıİłŁøØ", "iIlLoO")  # letters that do not come apart into a letter and an accent

ENOUGH_NAMES = 20  # distinct values from which "capitalised words that hardly repeat" speaks for names by itself
NAMES_SHARE = 0.3  # share of values that start or end with a common given name
PHONES_SHARE = 0.3  # share of bare digit groups; one formatted number is enough
SAMPLE = 2_000  # distinct values looked at for names and phones; e-mail addresses are looked for in all


PSEUDONYM_LENGTH = 64
"""Hex digits."""


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


def is_pseudonym(text: str) -> bool:
    """Whether this is written as a pseudonym is.

    >>> is_pseudonym(pseudonym("s1", b"a secret")), is_pseudonym("s1")
    (True, False)
    """
    return len(text) == PSEUDONYM_LENGTH and all(digit in "0123456789abcdef" for digit in text)


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
    spelled = re.findall(r"[a-z]+", _ascii(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column)).casefold())
    words = {*spelled, *(word.removesuffix("s") for word in spelled)}  # Name des Schülers
    bearer = bearer or bool(words & BEARER_WORDS and words & PERSONAL_WORDS)
    first = next((word for word in spelled if word not in NUMBER_WORDS), "")
    born = bool(words & BIRTH_WORDS and words & WHEN_OR_WHERE)
    said = bool(forms & IDENTIFYING) or (stem.endswith(IDENTIFYING_HEADS) and not stem.startswith("has"))
    if said or bearer or born or first in HEADS_FIRST or ISSUED.search(plain):
        return f"it is called {column!r}"
    return None


def _plain(column: str) -> str:
    return fold(_ascii(column))


def _ascii(text: str) -> str:
    """Text without accents."""
    decomposed = unicodedata.normalize("NFKD", text.translate(UNACCENTED))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


BETWEEN_WORDS = re.compile(r"[\s_.,;:/()]+")
ADDRESSED = re.compile(
    r"\b(?:[Mm]rs?|[Mm]s|[Dd]r|Prof|[Ff]rau|[Hh]errn?|[Ss]eñora?|Sra?|Srta|Don|Doña|Dona|[Ss]enhora?|[Ss]ignora?|Sig|"
    r"[Mm]evrouw|[Mm]eneer|Mevr|[Dd]hr|Pan|Pani|Bay|Bayan|[Mm]adame|[Mm]onsieur|Mme|Mlle)\.? +([^\W\d_]{2,})"
)
"""Words by which people are addressed, and the word behind: a name where it is capitalised."""


def names_somebody(text: str) -> str | None:
    """What kind of identifying value stands anywhere in a free text, such as a reason or a file's name, or None.

    >>> names_somebody("Marks of Ana Sousa.csv"), names_somebody("wrong file")
    ("a person's name", None)
    """
    words = [word for word in BETWEEN_WORDS.split(text) if word]
    parts = [text, *text.split(), *(f"{one} {other}" for one, other in pairwise(words))]
    found = next((found for part in parts if (found := looks_identifying(part))), None)
    if found is None and any(name[0].isupper() for name in ADDRESSED.findall(text)):
        return "a person's name"
    if found is None and any(map(BARE_PHONE.fullmatch, words)):
        return "a phone number"
    if found is None and any(check(word) for word in words for check in NATIONAL_CHECKS.values()):
        return "a national identity number"
    return found


UNNAMED = "(a file whose name names somebody)"


def harmless_name(file: str) -> str:
    """A file's name as it may be kept and listed: without what cannot be printed, and only the ending of one that names
    somebody.

    >>> harmless_name(f"marks{chr(0)}.csv"), harmless_name("Marks of Ana Sousa.csv")
    ('marks.csv', '(a file whose name names somebody).csv')
    """
    shown = "".join(filter(str.isprintable, file))
    return UNNAMED + PurePath(shown).suffix if names_somebody(shown) else shown


def looks_identifying(text: str, *, key: bool = False) -> str | None:
    """What kind of identifying value one text is, or None. Of a student key (`key`) only the certain kinds are asked.

    >>> looks_identifying("ana@example.org"), looks_identifying("Ana Sousa"), looks_identifying("Data Structures")
    ('an e-mail address', "a person's name", None)
    """
    if "@" in text and EMAIL.search(text):
        return "an e-mail address"
    if text.isalnum() and len(text) < SHORTEST_NATIONAL:  # no mark and no space: none of the kinds below
        return None
    stripped = text.strip()
    found = None
    if PHONE.fullmatch(stripped) and not stripped.isdigit():
        found = "a phone number"
    elif _looks_national(stripped):
        found = "a national identity number"
    elif stripped.count(" ") >= LEAST_OF_TEXT and re.search(r"[^\W\d_]{2}", stripped) and PHONE_WITHIN.search(stripped):
        found = "a text with a phone number"
    elif not key and _is_person(stripped, certain=True):
        found = "a person's name"
    return found


def _is_person(text: str, *, certain: bool) -> bool:
    """Two to four capitalised words: Ana Sousa; Sousa, Ana M. `certain`: the given one of them is a common name."""
    family, comma, given = text.partition(",")
    words = [*family.split(), *given.split()]
    if not 2 <= len(words) <= 4 or not all(WORD.fullmatch(word) and word[0].isupper() for word in words):
        return False
    return not certain or _is_given_name((given if comma else family).split()[0:1])


def _stands_for_a_person(word: str) -> bool:
    """A given name alone. One of two letters is no evidence: a class may be called LI."""
    return len(word) > 2 and _is_given_name([word])


def _is_given_name(words: Sequence[str]) -> bool:
    return bool(words) and any(_plain(part) in GIVEN_NAMES for part in (words[0], words[0].split("-")[0]))


def identifying_columns(
    frame: "pl.DataFrame", schema: DomainSchema | None = None, found: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Columns of a raw table that identify people, each with the reason; without a schema all are undeclared.

    found: canonical to given names, as `rules.match_columns` tells. Undeclared columns are looked at by name and by
    content, declared ones by content: closed levels and numbers need no look; a student key, and a column that the
    schema allows, must not be an e-mail address, a phone or a national number.
    """
    import polars as pl

    declared = {given: canonical for canonical, given in (found or {}).items()}
    reasons: dict[str, str] = {}
    for column, kind in frame.schema.items():
        if column not in declared and (reason := identifying_name(column)):
            reasons[column] = reason
        elif kind in (pl.String, pl.Enum) and not (schema and _is_closed(declared.get(column), schema)):
            canonical = declared.get(column)
            is_key = bool(schema and schema.student and canonical == schema.student.name)
            is_key = is_key or bool(schema and canonical in schema.allow)
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
    if _share(kind is not None for kind in kinds) >= PHONES_SHARE or _national_column(sample[:NATIONAL_SAMPLE]):
        return "it holds phone or identity numbers"
    if not declared and _share(bool(BARE_PHONE.fullmatch(value)) for value in sample) >= PHONES_SHARE:
        return "it holds phone numbers"
    return None


def _names(sample: Sequence[str], repeats: float) -> str | None:
    """repeats: distinct values per value; 1 when none repeats."""
    certain = _share(_is_person(value, certain=True) or _stands_for_a_person(value) for value in sample)
    alike = _share(_is_person(value, certain=False) for value in sample)
    if certain >= NAMES_SHARE or (len(sample) >= ENOUGH_NAMES and alike >= 0.9 and repeats >= 0.8):
        return "it holds names of people"
    return None


def _share(matches: Iterable[bool]) -> float:
    flags = list(matches)
    return sum(flags) / len(flags)


# National numbers: told by their shape, and by check digits that one passes by chance and a column does not -----------

NATIONAL_SHAPES = re.compile(
    r"[0-9]{3}-[0-9]{2}-[0-9]{4}"  # US social security
    r"|[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"  # CPF, Brazil
    r"|[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]"  # codice fiscale, Italy
    r"|[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]) ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"  # NIR, France
    r"|[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"  # national insurance, UK
    r"|[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?"  # IBAN
)
"""Shapes that hardly anything else has."""


def _digits(text: str, count: int) -> list[int] | None:
    plain = re.sub(r"[ .\-]", "", text)
    return [int(digit) for digit in plain] if len(plain) == count and plain.isdecimal() else None


def _dni(text: str) -> bool:
    found = re.fullmatch(r"([XYZ]?)([0-9]{7,8})-?([A-Z])", text)
    if found is None:
        return False
    number = int({"X": "0", "Y": "1", "Z": "2"}.get(found[1], "") + found[2])
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == found[3]


def _pesel(text: str) -> bool:
    digits = _digits(text, 11)
    if not digits or not 1 <= (digits[2] * 10 + digits[3]) % 20 <= 12:
        return False
    weighted = sum(weight * digit for weight, digit in zip((1, 3, 7, 9) * 3, digits[:10], strict=False))
    return (10 - weighted % 10) % 10 == digits[10]


def _tc_kimlik(text: str) -> bool:
    digits = _digits(text, 11)
    if not digits or not digits[0]:
        return False
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return tenth == digits[9] and sum(digits[:10]) % 10 == digits[10]


def _cpf(text: str) -> bool:
    digits = _digits(text, 11)
    if not digits or len(set(digits)) == 1:
        return False
    ends = [sum((count + 1 - i) * digits[i] for i in range(count)) * 10 % 11 % 10 for count in (9, 10)]
    return ends == digits[9:]


def _bsn(text: str) -> bool:
    digits = _digits(text, 9)
    if not digits or not any(digits):
        return False
    return (sum((9 - i) * digits[i] for i in range(8)) - digits[8]) % 11 == 0


NATIONAL_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "DNI or NIE": _dni,
    "PESEL": _pesel,
    "TC kimlik": _tc_kimlik,
    "CPF": _cpf,
    "BSN": _bsn,
}
"""Numbers that only their check digits tell from others; one in ten to a hundred passes by chance."""
NATIONAL_SHARE = 0.9
NATIONAL_SAMPLE = 100  # values looked at
FEWEST_NATIONAL = 8  # values of which nearly all pass: by chance once in 40 million columns


def _looks_national(text: str) -> bool:
    """Whether one text has the shape of a national number that hardly anything else has."""
    return NATIONAL_SHAPES.fullmatch(text) is not None


def _national_column(sample: Sequence[str]) -> str | None:
    """Which national number a column's values are, or None."""
    if len(sample) < FEWEST_NATIONAL:
        return None
    for name, check in NATIONAL_CHECKS.items():
        if sum(map(check, sample)) >= NATIONAL_SHARE * len(sample):
            return name
    return None
