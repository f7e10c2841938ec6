"""`streamlit run dashboard/dashboard.py`: the pages and how to get from one to another.

What a page shows is in `dashboard.views`; nothing is read, drawn or decided here.
"""

import sys
from pathlib import Path

# Streamlit puts this folder first on sys.path, where `import dashboard` would find this file and not the package:
# the project's root has to come before it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dashboard.pages import main

if __name__ == "__main__":
    main()
