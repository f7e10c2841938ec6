"""How things are said to people: sentences by language, numbers and times by locale and zone, states by word.

Pages and papers for people ask here; commands, the API and logs keep plain English and need none of it.
"""

from language.retold import retold, retold_reasons
from language.speech import _, ask, ngettext, use, worded

__all__ = ["_", "ask", "ngettext", "retold", "retold_reasons", "use", "worded"]
