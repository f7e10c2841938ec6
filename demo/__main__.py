"""`python -m demo` (make demo): lives through the weeks anew, and packs what has become of them as the snapshot."""

from contextlib import closing
from datetime import UTC, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from clock import living_by
from demo.clocks import ToldTime
from demo.installation import open_installation
from demo.plot import FIRST_MONDAY
from demo.snapshot import SECRET, pack
from demo.story import tell
from demo.teller import Teller

SECRET_OF_THE_DEMO = b"everybody may know it: the students of the demo are invented"


def build(folder: Path) -> None:
    """The demo's installation in an empty folder."""
    (folder / SECRET).write_bytes(SECRET_OF_THE_DEMO)
    clock = ToldTime(datetime.combine(FIRST_MONDAY, time.min, tzinfo=UTC))
    with living_by(clock), closing(open_installation(folder)) as workspace:
        tell(Teller(workspace, clock, print))


def main() -> None:
    """Build and pack."""
    begun = monotonic()
    with TemporaryDirectory(prefix="gradewatch-demo-") as folder:
        build(Path(folder))
        size = pack(Path(folder))
    print(f"packed {size / 1e6:.2f} MB in {monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
