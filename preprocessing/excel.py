"""Tables as Excel workbooks for people; what stands in a workbook is read by `preprocessing.reading.workbook`."""

import io
from typing import TYPE_CHECKING

from errors import GradewatchError

if TYPE_CHECKING:
    import polars as pl

EXCEL_ROWS = 1_048_575
"""What a sheet holds below its header."""


class TooLongForExcel(GradewatchError):
    """More rows than a sheet holds."""


def excel_bytes(frame: "pl.DataFrame", sheet: str) -> bytes:
    """A table as a workbook of one sheet; no cell of it is taken for a formula or a link. Raises TooLongForExcel."""
    import xlsxwriter  # type: ignore[import-untyped]

    if frame.height > EXCEL_ROWS:
        raise TooLongForExcel(f"{frame.height:,} rows; a sheet of Excel holds {EXCEL_ROWS:,}: write .csv or .parquet")
    target = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(target, plain) as book:
        frame.write_excel(book, sheet, autofit=True, freeze_panes=(1, 0), autofilter=False)
    return target.getvalue()
