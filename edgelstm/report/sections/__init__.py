"""The sections of a report, a file for each kind of answer; each gives none where it has nothing to say."""
