"""A model as one file, to be taken along: a ZIP of its bundle's files, the same bytes for the same model.

Whoever unpacks it has the bundle; its name holds the digest by which the files are known, and nothing here reads them.
"""

import io
import zipfile
from collections.abc import Mapping

from database.records import ModelVersion

SAME_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can say
DIGEST_LETTERS = 12


def zip_bundle(files: Mapping[str, bytes]) -> bytes:
    """The files of a bundle in one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, SAME_TIME), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def file_name(model: ModelVersion) -> str:
    """What the file of a model is called."""
    return f"{model.domain}-{model.target}-{model.moment}-{model.version[:DIGEST_LETTERS]}.zip"
