"""`dashboard/dashboard.py` for one installation after another, in one server: that of the environment in a file.

The file's path is in ENVIRONMENT_FILE. What a server keeps of an installation is dropped when another one is asked for.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if __name__ == "__main__":
    from tests.dashboard.switching import switch

    switch(Path(os.environ["ENVIRONMENT_FILE"]))
    script = ROOT / "dashboard" / "dashboard.py"
    exec(compile(script.read_text(), script, "exec"), {"__name__": "__main__", "__file__": str(script)})
