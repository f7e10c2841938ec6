"""`streamlit run dashboard/dashboard.py`: the pages and how to get from one to another.

What a page shows is in `dashboard.views`; nothing is read, drawn or decided here.
"""

import sys
from pathlib import Path

# Streamlit puts this folder first on sys.path, where `import dashboard` would find this file and not the package:
# the project's root has to come before it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from heap import share_one_heap

if __name__ == "__main__":
    share_one_heap()  # before libraries take theirs
    from dashboard.pages import main

    main()
