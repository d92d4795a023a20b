"""The sections of a report, one file per kind of answer; each function gives none if it does not apply."""
