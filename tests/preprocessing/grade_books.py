"""Generated grade books: ten languages in the layouts of eight kinds of programs, each with what is true of it.

No file, name or value of anybody's is in them.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Book:
    """A CSV text and what is right: `asked` where nobody can tell what to predict."""

    name: str
    text: str
    key: str | None
    period: str | None
    target: str | None
    numbers: frozenset[str]
    never: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Locale:
    """Words of a language. comma: decimals are written with one."""

    code: str
    comma: bool
    given: Sequence[str]
    family: Sequence[str]
    words: Mapping[str, str] = field(default_factory=dict)

    def __getattr__(self, word: str) -> str:
        return self.words[word]


ORDER = (
    *("name", "family_name", "given_name", "key", "class_", "term", "test", "homework", "absences", "sex", "mark"),
    *("total", "last_access", "downloaded", "absent", "earlier", "email", "weekday"),
)


def _locale(code: str, comma: bool, names: str, *words: str) -> Locale:
    given, family = (part.split() for part in names.split("|"))
    return Locale(code, comma, given, family, dict(zip(ORDER, words, strict=True)))


LOCALES = (
    _locale("en", False, "Odilie Wrenna Thandi Brecken Ysolde|Harrowgate Pelling Ashdowne Quillfeather Tarn",
            "Student Name", "Surname", "First name", "Student ID", "Class", "Term", "Test", "Homework", "Absences",
            "Gender", "Grade", "Final grade", "Last access", "Last downloaded from this course", "Abs",
            "Previous year grade", "Email address", "Day"),
    _locale("de", True, "Wibke Jorrit Tjark Annegret Fiete|Haferkamp Brinkmann Osterloh Quandt Stellmacher",
            "Schülername", "Nachname", "Vorname", "Schülernummer", "Klasse", "Halbjahr", "Test", "Hausaufgaben",
            "Fehlstunden", "Geschlecht", "Note", "Endnote", "Letzter Zugriff", "Zuletzt aus dem Kurs heruntergeladen",
            "krank", "Vorjahresnote", "E-Mail-Adresse", "Tag"),
    _locale("fr", True, "Maëlys Corentine Ewen Solveig Titouan|Ledoux Kermarrec Vasseur Bonnafous Tisserand",
            "Nom de l'élève", "Nom de famille", "Prénom", "N° élève", "Classe", "Trimestre", "Contrôle", "Devoirs",
            "Absences", "Sexe", "Note", "Moyenne générale", "Dernier accès", "Dernier téléchargement depuis ce cours",
            "Abs", "Moyenne de l'année précédente", "Courriel", "Jour"),
    _locale("es", True, "Aitana Leire Unai Xoan Maialen|Echeverría Larrañaga Quintanilla Belmonte Sotomayor",
            "Nombre del alumno", "Apellidos", "Nombre", "Matrícula", "Grupo", "Trimestre", "Prueba", "Tareas",
            "Faltas de asistencia", "Sexo", "Nota", "Calificación final", "Último acceso",
            "Última descarga de este curso", "NP", "Nota anterior", "Correo electrónico", "Día"),
    _locale("pt", True, "Iara Caetano Benedita Zuleica Anselmo|Vasconcelos Figueiredo Quaresma Bittencourt Lobo",
            "Nome do aluno", "Sobrenome", "Nome", "Matrícula do aluno", "Turma", "Bimestre", "Prova", "Trabalhos",
            "Faltas", "Sexo", "Nota", "Média final", "Último acesso", "Última transferência desta disciplina",
            "ausente", "Nota do ano anterior", "Endereço de email", "Dia"),
    _locale("it", True, "Ginevra Tancredi Ilenia Ruggero Fiammetta|Bevilacqua Quaranta Sartori Malaspina Uberti",
            "Nome dello studente", "Cognome", "Nome", "Matricola", "Classe", "Quadrimestre", "Verifica", "Compiti",
            "Assenze", "Sesso", "Voto", "Voto finale", "Ultimo accesso", "Ultimo scaricato da questo corso", "assente",
            "Voto precedente", "Indirizzo email", "Giorno"),
    _locale("nl", True, "Fenna Sytse Jildou Wolter Meike|Hoogeveen Quist Terpstra Uiterwaal Bloemsma",
            "Naam leerling", "Achternaam", "Voornaam", "Leerlingnummer", "Klas", "Periode", "Toets", "Huiswerk",
            "Verzuim", "Geslacht", "Cijfer", "Eindcijfer", "Laatste toegang", "Laatst gedownload van deze cursus",
            "ziek", "Vorig cijfer", "E-mailadres", "Dag"),
    _locale("en-GB", False, "Imogen Peregrine Cressida Lowri Fergal|Aldwinckle Thistlewood Quennell Ormerod Pym",
            "Pupil Name", "Legal Surname", "Forename", "Adm No", "Reg Group", "Term", "Test", "Homework",
            "Absence", "Gender", "Mark", "Overall mark", "Last access", "Last downloaded from this course", "N",
            "Prior attainment mark", "Parent email", "Day"),
    _locale("tr", True, "Ayşegül Cengizhan Nilüfer Tuğrul Gökçen|Karaosmanoğlu Çelebioğlu Özdemirci Güneşdoğdu",
            "Öğrenci Adı", "Soyadı", "Adı", "Öğrenci No", "Sınıf", "Dönem", "Sınav", "Ödev", "Devamsızlık", "Cinsiyet",
            "Puan", "Dönem sonu notu", "Son erişim", "Bu kurstan son indirme", "yok", "Önceki yıl notu",
            "E-posta adresi", "Gün"),
    _locale("pl", True, "Bożydar Jadwiga Ziemowit Grażyna Mścisław|Wiśniowiecki Brzeziński Krzyżanowski",
            "Imię i nazwisko ucznia", "Nazwisko", "Imię", "Nr ucznia", "Klasa", "Semestr", "Sprawdzian", "Zadania",
            "Nieobecności", "Płeć", "Ocena", "Ocena końcowa", "Ostatni dostęp", "Ostatnio pobrane z tego kursu", "nb",
            "Poprzednia ocena", "Adres e-mail", "Dzień"),
)  # fmt: skip


@dataclass
class _Class:
    """An invented class: ability, marks of 0 to `top` and what follows from them, by one random generator."""

    locale: Locale
    chance: random.Random
    n: int
    top: float

    def __post_init__(self) -> None:
        self.ability = [self.chance.gauss(0, 1) for _ in range(self.n)]

    def marks(self, noise: float = 0.6) -> list[str]:
        spread = self.top / 6
        values = [self.top * 0.6 + spread * (a + self.chance.gauss(0, noise)) for a in self.ability]
        return [self.number(min(self.top, max(0.0, value))) for value in values]

    def number(self, value: float, digits: int = 1) -> str:
        text = f"{value:.{digits}f}"
        return text.replace(".", ",") if self.locale.comma else text

    def counts(self, most: int) -> list[str]:
        return [str(self.chance.randint(0, most)) for _ in range(self.n)]

    def names(self) -> tuple[list[str], list[str]]:
        pick = self.chance.choice
        return [pick(self.locale.given) for _ in range(self.n)], [pick(self.locale.family) for _ in range(self.n)]

    def ids(self, width: int = 6) -> list[str]:
        return [str(number) for number in self.chance.sample(range(10 ** (width - 1), 10**width), self.n)]

    def some(self, values: Sequence[str]) -> list[str]:
        return [self.chance.choice(values) for _ in range(self.n)]

    def gaps(self, cells: list[str], word: str, share: float = 0.03) -> list[str]:
        return [word if self.chance.random() < share else cell for cell in cells]


Columns = dict[str, list[str]]


def _text(columns: Columns, separator: str) -> str:
    def quoted(cell: str) -> str:
        return f'"{cell}"' if separator in cell else cell

    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return "".join(separator.join(map(quoted, row)) + "\n" for row in rows)


Layout = Callable[[_Class], Book]


def _book(style: str, c: _Class, columns: Columns, **truth: object) -> Book:
    separator = ";" if c.locale.comma else ","
    text = _text(columns, separator)
    known = {"period": None, "never": frozenset(), **truth}
    return Book(name=f"{c.locale.code} {style}", text=text, **known)  # type: ignore[arg-type]


def _canvas(c: _Class) -> Book:
    given, family = c.names()
    tests = [f"{c.locale.test} {i} ({1000 + i})" for i in (1, 2, 3)]
    columns: Columns = {
        "Student": [f"{f}, {g}" for f, g in zip(family, given, strict=True)],
        "ID": c.ids(),
        "SIS User ID": [f"S{number}" for number in c.ids(7)],
        "SIS Login ID": [f"u{number}" for number in c.ids(5)],
        "Section": ["Course 1"] * c.n,
        **{test: c.marks() for test in tests},
        "Assignments Current Points": c.marks(0.3),
        "Assignments Final Score": c.marks(0.3),
        "Current Score": c.marks(0.2),
        "Unposted Current Score": c.marks(0.2),
        "Final Score": c.marks(0.2),
        "Unposted Final Score": c.marks(0.2),
        "Final Points": [],
        "Current Grade": c.some(["A", "B", "C"]),
    }
    scale = 4.0
    columns["Final Points"] = [c.number(scale * float(x.replace(",", "."))) for x in columns["Final Score"]]
    own = {"Student": "Student, Test", "Section": "Course 1", "ID": "", "SIS User ID": "", "SIS Login ID": ""}
    for name, cells in columns.items():  # how marks are posted, and a student of the program's own
        cells[:0] = ["Manual Posting" if name in tests else "", own.get(name, c.number(0))]
    never = frozenset({"ID", "SIS User ID", "SIS Login ID", "Student"})
    return _book("Canvas", c, columns, key="SIS User ID", target="Final Score", numbers=frozenset(tests), never=never)


def _moodle(c: _Class) -> Book:
    given, family = c.names()
    numbers = [f"{c.locale.test}: {c.locale.test} {i} (Real)" for i in (1, 2)] + [f"{c.locale.homework} (Real)"]
    total = f"{c.locale.total} (Real)"
    columns: Columns = {
        c.locale.given_name: given,
        c.locale.family_name: family,
        "ID number": c.ids(8),
        c.locale.email: [f"{number}@school.invalid" for number in c.ids(5)],
        **{name: c.gaps(c.marks(), "-") for name in numbers},
        total: c.marks(0.3),
        c.locale.last_access: c.some(["3 days 2 hours", "12 hours 5 mins", "40 secs", "1 day 1 hour", "8 days"]),
        c.locale.downloaded: [str(1_700_000_000 + c.chance.randint(0, 9_000_000)) for _ in range(c.n)],
        "first": [str(c.chance.randint(0, 200)) for _ in range(c.n)],
        "last": [str(c.chance.randint(0, 200)) for _ in range(c.n)],
    }
    never = frozenset({c.locale.last_access, c.locale.downloaded, "first", "last", c.locale.email, "ID number"})
    return _book("Moodle", c, columns, key="ID number", target=total, numbers=frozenset(numbers), never=never)


def _blackboard(c: _Class) -> Book:
    given, family = c.names()
    numbers = [f"{c.locale.test} {i} [Total Pts: {c.top:g} Score] |{7000 + i}" for i in (1, 2, 3)]
    total = f"{c.locale.total} [Total Pts: up to {c.top:g} Percentage]"
    columns: Columns = {
        c.locale.family_name: family,
        c.locale.given_name: given,
        "Username": [f"x{number}" for number in c.ids(5)],
        "Student ID": c.ids(7),
        "Last Access": [f"2025-1{c.chance.randint(0, 2)}-1{c.chance.randint(0, 9)} 10:12:00" for _ in range(c.n)],
        "Availability": ["Yes"] * c.n,
        total: [f"{mark}%" for mark in c.marks(0.3)],
        **{name: c.marks() for name in numbers},
    }
    never = frozenset({"Username", "Student ID", "Last Access", "Availability"})
    return _book("Blackboard", c, columns, key="Student ID", target=total, numbers=frozenset(numbers), never=never)


def _d2l(c: _Class) -> Book:
    given, family = c.names()
    numbers = [f"{c.locale.test} {i} Points Grade <Numeric MaxPoints:{c.top:g}>" for i in (1, 2)]
    total = "Calculated Final Grade Numerator"
    columns: Columns = {
        "OrgDefinedId": [f"#{number}" for number in c.ids(9)],
        "Last Name": family,
        "First Name": given,
        **{name: c.gaps(c.marks(), c.locale.absent) for name in numbers},
        total: c.marks(0.3),
        "End-of-Line Indicator": ["#"] * c.n,
    }
    never = frozenset({"OrgDefinedId", "End-of-Line Indicator"})
    return _book("D2L", c, columns, key="OrgDefinedId", target=total, numbers=frozenset(numbers), never=never)


def _teams(c: _Class) -> Book:
    given, family = c.names()
    numbers = [f"{c.locale.test} {i}" for i in (1, 2, 3)]
    columns: Columns = {
        "First Name": given,
        "Last Name": family,
        "Email Address": [f"{number}@school.invalid" for number in c.ids(5)],
        **{name: c.gaps(c.marks(), c.locale.absent) for name in numbers},
    }
    for i in range(1, 4):
        columns[f"Feedback {i}"] = [f"{c.chance.random()}: well done, go on" for _ in range(c.n)]
    total = c.locale.total
    columns[total] = c.marks(0.3)
    return _book("Teams", c, columns, key=None, target=total, numbers=frozenset(numbers))


def _sims(c: _Class) -> Book:
    given, family = c.names()
    columns: Columns = {
        c.locale.name: [f"{f} {g}" for f, g in zip(family, given, strict=True)],
        c.locale.key: c.ids(5),
        c.locale.class_: c.some([f"{year}{letter}" for year in (9, 10, 11) for letter in "ABCD"]),
        c.locale.sex: c.some(["F", "M"]),
        c.locale.earlier: c.marks(0.8),
        f"{c.locale.test} A": c.gaps(c.marks(), c.locale.absent),
        c.locale.absences: c.counts(30),
        c.locale.total: c.marks(0.3),
    }
    numbers = frozenset({c.locale.earlier, f"{c.locale.test} A", c.locale.absences})
    return _book("SIMS", c, columns, key=c.locale.key, target=c.locale.total, numbers=numbers)


PERIODS = {
    "Term": ("Autumn 2023", "Spring 2024", "Summer 2024"),
    "Halbjahr": ("1. Halbjahr 2023/24", "2. Halbjahr 2023/24", "1. Halbjahr 2024/25"),
    "Trimestre": ("Trimestre 1", "Trimestre 2", "Trimestre 3"),
    "Bimestre": ("1º bimestre", "2º bimestre", "3º bimestre"),
    "Quadrimestre": ("I quadrimestre", "II quadrimestre", "III quadrimestre"),
    "Periode": ("P1", "P2", "P3"),
    "Dönem": ("2023-2024 Güz", "2023-2024 Bahar", "2024-2025 Güz"),
    "Semestr": ("semestr zimowy 2023/24", "semestr letni 2023/24", "semestr zimowy 2024/25"),
}


def _pronote(c: _Class) -> Book:
    third = c.n // 3
    ids = c.ids(6)[:third] * 3
    c.n = third * 3
    c.ability = c.ability[:third] * 3
    periods = PERIODS[c.locale.term]
    out_of = f"/{c.top:g}"
    numbers = [f"{c.locale.test} {i}" for i in (1, 2)]
    columns: Columns = {
        c.locale.key: ids,
        c.locale.class_: c.some([f"{year}{letter}" for year in (1, 2) for letter in "AB"]),
        c.locale.term: [period for period in periods for _ in range(third)],
        **{name: c.gaps([mark + out_of for mark in c.marks()], c.locale.absent) for name in numbers},
        c.locale.absences: [f"{count} %" for count in c.counts(30)],
        c.locale.earlier: c.marks(0.8),
        c.locale.total: c.marks(0.3),
    }
    truth = frozenset({*numbers, c.locale.absences, c.locale.earlier})
    return _book("Pronote", c, columns, key=c.locale.key, period=c.locale.term, target=c.locale.total, numbers=truth)


def _powerschool(c: _Class) -> Book:
    given, family = c.names()
    years = ["2022-2023", "2023-2024", "2024-2025"]
    columns: Columns = {
        "": [str(i) for i in range(1, c.n + 1)],
        "LastFirst": [f"{f}, {g}" for f, g in zip(family, given, strict=True)],
        "Student_Number": c.ids(7),
        "SchoolYear": c.some(years),
        **{f"Q{i}": c.gaps(c.marks(), c.locale.absent) for i in (1, 2, 3)},
        c.locale.weekday: c.some(list("abcde")),
        c.locale.mark: c.marks(0.3),
    }
    return _book(
        "PowerSchool", c, columns,
        key="Student_Number", period="SchoolYear", target=c.locale.mark, numbers=frozenset({"Q1", "Q2", "Q3"}),
        never=frozenset({"column 1", "LastFirst"}),
    )  # fmt: skip


LAYOUTS: Sequence[Layout] = (_canvas, _moodle, _blackboard, _d2l, _teams, _sims, _pronote, _powerschool)


def grade_books(seed: int = 1) -> Iterator[Book]:
    """Every layout in every language."""
    for locale in LOCALES:
        for layout in LAYOUTS:
            chance = random.Random(f"{seed} {locale.code} {layout.__name__}")
            top = chance.choice([10.0, 20.0, 100.0])
            yield layout(_Class(locale, chance, chance.randint(60, 130), top))
