"""One file per revision. A file that was released is never edited: a change is a new file."""
