"""Sets one PDF in a process of its own, whose memory goes with it; started by its file, not imported.

The template's file is its argument; what the template sets comes on the standard input, the PDF goes to the output.
"""

import sys
from pathlib import Path


def main() -> None:
    """Set it."""
    import typst

    told = {"data": sys.stdin.buffer.read().decode()}
    sys.stdout.buffer.write(typst.compile(Path(sys.argv[1]).read_bytes(), sys_inputs=told, ignore_system_fonts=True))


if __name__ == "__main__":
    main()
