"""Columns of faces, eyes, voices and webcams, refused by name: no domain may hold them, as input, outcome or otherwise.

What a camera or a sensor on the body says of a student is no record of a school, and inferring how students feel is
forbidden in the European Union (AI Act, article 5). A column of another name cannot be told from its cells.
"""

import re

_WORDS = re.compile(
    r"biometr|web_?cam|facial|(?<!sur)(?<!inter)(?<!type)face_?(id|recog|detect|emotion|expression|landmark)"
    r"|gaze(?!tte|bo)|eye_?track|iris_?(scan|code)|retina_?scan|finger_?print|voice_?print"
    r"|emotion_?(recog|detect|score)|(detected|inferred)_?emotion|keystroke"
    r"|heart_?(rate|beat)|pulse_?rate|(^|_)(eeg|ecg|ekg|gsr)(_|$)|skin_?conductance|head_?pose|blink_?rate"
    r"|gesichts_?(erkennung|ausdruck)|blick_?(richtung|verfolgung)|finger_?abdruck|herz_?frequenz|tasten_?anschl"
    r"|(?<!en)visage|empreinte|suivi_?oculaire|frequence_?cardiaque|fréquence_?cardiaque"
)


def biometric_word(name: str) -> str | None:
    """What in a column's name says that it is of a body or a webcam; None where nothing does.

    >>> biometric_word("Webcam minutes"), biometric_word("eyeTracking"), biometric_word("face_to_face_hours")
    ('webcam', 'eye_track', None)
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    found = _WORDS.search(re.sub(r"[^\w]+", "_", parted).lower())
    return found.group().strip("_") if found else None


def refusal_of(name: str) -> str | None:
    """Why a column cannot be in a domain; None where it can."""
    word = biometric_word(name)
    return word and f"it is called as columns of bodies, faces or webcams are ({word}), which no domain may hold"
