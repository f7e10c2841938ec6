"""`python -m cli` is `gradewatch`."""

from cli.start import main

if __name__ == "__main__":
    main()
