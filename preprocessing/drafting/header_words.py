"""What headers say in ten languages, as hints that break ties between columns whose values say the same.

Letters are compared without accents, and a Greek sigma at a word's end as any other. It knows words only, never values:
`drafting.kinds`, `drafting.keys` and `drafting.targets` weigh them.

>>> sorted(tokens("Quiz: Unit 3 (Real)")), hints("Vorjahresnote") >= {"earlier", "mark"}
(['3', 'quiz', 'unit'], True)
>>> hints("finalist"), sorted(hints("average age"))  # whole words only
(frozenset(), ['mark', 'other'])
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from preprocessing.periods import NO_ACCENTS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STUDENT = _words(
    """
    student studentid studentno studentnumber studentkey studentnr studentuniqueid idstudent pupil pupilid pupilno upn
    learner learnerid candidate candidateno sid netid userid user matric matriculation matricule matricula matrikelnr
    matrikelnummer matrikel orgdefinedid personnumber roll rollno rollnumber reg regno regd adm admno admission
    registration enrolment enrollment enrollmentid schuler schueler schulernr schulernummer schuelernr schuelernummer
    schulerid eleve etudiant alumno alumna estudiante expediente legajo aluno aluna estudante ra studente alunno
    allievo matricola leerling leerlingnummer leerlingnr studentnummer stamnummer ine numen sisuserid
    studentidentifier learnid
    ogrenci ogrencino ogrencinumarasi okulno uczen ucznia student studenta nralbumu albumu αριθμοσμητρωου
    μητρωου μαθητησ μαθητη φοιτητη
    """
)
KEY = _words(
    """
    id no nr num number code key ref nummer numero n nº kennung identifier identifiant kenn index uid guid
    numarasi numer αριθμοσ αμ
    """
)
PERIOD = _words(
    """
    term period semester trimester trimestre quarter quartal halbjahr schuljahr schoolyear academicyear year session
    annee ano anno periode periodo semestre cuatrimestre bimestre quadrimestre jahr jaar schooljaar academicterm curso
    evaluacion quadrimester rapportperiode lectivo scolaire academic intake cohort week semaine woche semana
    donem yariyil semestr okres trymestr rok τετραμηνο τριμηνο εξαμηνο περιοδοσ
    """
)
GROUP = _words(
    """
    class section course group classe klasse kurs gruppe groupe grupo clase turma seccion secao sezione corso groep
    klas cours division courseid classid sectionid codemodule homeroom lerngruppe tutorgroup regclass
    sinif sube klasa grupa oddzial ταξη τμημα
    """
)
FINAL = _words(
    """
    final total overall endnote gesamtnote abschlussnote zeugnisnote gesamt gesamtpunkte finale finalgrade finalmark
    finalmarks finalscore generale general outcome result resultat resultado risultato ergebnis eindcijfer
    eindresultaat definitiva definitivo attainment totale eind summe somme endergebnis finalresult globale jahresnote
    basari sonu yilsonu donemsonu koncowa koncowy roczna ostateczna τελικοσ τελικη τελικο συνολο
    """
)
MARK = _words(
    """
    grade mark marks score points note notes nota notas voto voti cijfer cijfers punkte punktzahl zensur gpa cgpa
    average moyenne promedio media durchschnitt gemiddelde calificacion calificaciones pontuacao puntaje puntos pontos
    percentage percent exam klausur examen prova esame toets test quiz percentil grades scores notenpunkte punteggio
    bewertung classificacao valutazione score% pct
    notu puan puani sinavi sinav vize ocena oceny punkty sprawdzian kartkowka egzamin βαθμοσ βαθμοι βαθμολογια
    διαγωνισμα εξεταση
    """
)
EARLIER = _words(
    """
    previous prior prev vorjahr vorjahres letztjahrig precedent precedente anterior anteriores vorig vorige earlier
    old entrance admission baseline pretest past before last vorher vorherige ks2 ks3 highschool einstufung entry
    passe passee pasado passado scorso initial diagnostic predicted target expected forecast estimated
    onceki gecen poprzednia poprzedni zeszloroczna προηγουμενοσ προηγουμενη
    """
)
OTHER = _words(
    """
    age alter edad idade eta leeftijd absences absence absent fehlstunden fehltage fehlzeiten ausencias faltas assenze
    verzuim hours hour stunden heures horas ore uren time minutes clicks logins attendance anwesenheit assiduite
    asistencia presenca presenze aanwezigheid lateness lates retards verspatungen attended days lessons visits posts
    count failures weight credits ects retard tardies minuten minutos sessions views asistencias presence studytime
    devamsizlik devam yas yasi nieobecnosci frekwencja obecnosc wiek godziny απουσιες ηλικια ωρες παρουσιες
    """
)
PROTECTED = _words(
    """
    sex gender ethnic ethnicity race religion disability disabled nationality sexo genero geschlecht sexe genre sesso
    geslacht nationalite nacionalidad nacionalidade nazionalita nationaliteit staatsangehorigkeit sen send fsm
    handicap
    cinsiyet plec φυλο
    """
)
ACCESS = _words(
    """
    access accessed zugriff acces acceso acesso accesso toegang download downloaded heruntergeladen telechargement
    telecharge descarga descargado transferencia scaricato gedownload login lastlogin timestamp timecreated
    timemodified lastaccess firstaccess lastonline submitted modified created updated
    """
)
ROW_NUMBER = _words(
    """
    no nr n num number index row line rang lfd lfdnr sno srno sr zeile fila linha riga rij unnamed column pos
    """
)

VOCABULARY: Mapping[str, frozenset[str]] = {
    "student": STUDENT,
    "key": KEY,
    "period": PERIOD,
    "group": GROUP,
    "final": FINAL,
    "mark": MARK,
    "earlier": EARLIER,
    "other": OTHER,
    "protected": PROTECTED,
    "access": ACCESS,
    "row number": ROW_NUMBER,
}
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "mark": ("note", "noten", "punkte", "cijfer", "zensur", "prufung", "klausur"),
    "final": ("gesamtnote", "endnote", "eindcijfer", "zeugnisnote"),
    "earlier": (),
    "other": ("stunden", "tage", "zeiten"),
}
"""How compounds end; whole words are asked of all other languages."""
BEGINNINGS: Mapping[str, tuple[str, ...]] = {"earlier": ("vorjahr", "vornote", "previous", "prior"), "other": ("fehl",)}


REMARK = re.compile(
    r"\[[^\]]*\]|<[^>]*>|\(\d+\)|\|\s*\d+|\((?:real|percentage|letter|points|read only)\)", re.IGNORECASE
)
"""What programs write behind a column's own name: "(1234)" of Canvas, "(Real)" of Moodle, "[Total Pts: 10] |71" of
Blackboard, "<Numeric MaxPoints:20>" of D2L."""
ORDINAL = re.compile(r"(?<=[0-9])(?:st|nd|rd|th|er|ere|re|eme|e|nde|ro|ra|do|da|to|ta|o)(?![^\W_])")
"""What follows a number that counts, without accents: "1st", "2ème", "3ro"; "1a" may as well be a part."""
ACCESS_ALONE = frozenset(("first", "last"))  # by themselves: of the first and last time that somebody was there


def own_name(header: str) -> str:
    """A header without what programs write behind a column's name."""
    return REMARK.sub(" ", header).strip() or header


def plain(header: str) -> str:
    """A header without accents and case."""
    decomposed = unicodedata.normalize("NFKD", header.casefold().translate(NO_ACCENTS))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def tokens(header: str) -> frozenset[str]:
    """The words of a header: "FinalGrade" and "final_grade" have the same; a number is one of its own."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKD", own_name(header)))
    return frozenset(re.findall(r"[^\W\d_]+|[0-9]+", plain(apart)))


@cache
def hints(header: str) -> frozenset[str]:
    """What the words of a header speak for: keys of `VOCABULARY`."""
    words, text = tokens(header), plain(own_name(header))
    joined = {"".join(re.findall(r"[^\W\d_]+", text)), *re.findall(r"[^\W_]+", text)}  # "Student ID", "KS2"
    found = {hint for hint, vocabulary in VOCABULARY.items() if (words | joined) & vocabulary}
    for word in words:
        found |= {hint for hint, endings in ENDINGS.items() if endings and word.endswith(endings)}
        found |= {hint for hint, beginnings in BEGINNINGS.items() if word.startswith(beginnings)}
    return frozenset(found | {"access"}) if words and words <= ACCESS_ALONE else frozenset(found)


def stem(header: str) -> tuple[str, int | None]:
    """What a header is called around its last number, and that number: ("test #", 3) of "Test 3 (Real)", and
    ("# term", 1) of "1st term"."""
    text = ORDINAL.sub("", plain(own_name(header)))
    numbers = list(re.finditer(r"[0-9]{1,3}", text))
    if not numbers:
        return text, None
    last = numbers[-1]
    return re.sub(r"[^\w#]+|_", " ", text[: last.start()] + "#" + text[last.end() :]).strip(), int(last[0])
