"""Words that loggers, spreadsheets and databases write where a sample is missing, and those of yes and no."""

from __future__ import annotations

# A column of text may have the others as categories: a class "none" or "unknown" is one. These mean missing everywhere.
MISSING_WORDS = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"))

SPREADSHEET_ERRORS = frozenset(
    (
        *("#n/a", "#na", "#n/a n/a", "#value!", "#ref!", "#div/0!", "#num!", "#name?", "#null!", "#spill!", "#calc!"),
        *("#nv", "#wert!", "#bezug!", "#zahl!", "#n/d", "#valeur!", "#nombre!"),
    )
)

# Compared in lower case, in columns of numbers.
MISSING_AMONG_NUMBERS = frozenset(
    (
        *(word.casefold() for word in MISSING_WORDS),
        *SPREADSHEET_ERRORS,
        *("?", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", ".", "..", "..."),
        *("n.a.", "n.d.", "nd", "n/d", "nil", "nul", "none", "(null)", "<null>", "<na>", "<nan>", "(none)", "\\n"),
        *("+nan", "-nan", "nan(ind)", "-nan(ind)", "1.#qnan", "-1.#ind", "1.#ind", "-1.#qnan", "1.#snan"),
        *("unavailable", "unknown", "undefined", "missing", "not available", "no data", "nodata", "no value", "void"),
    )
)

TRUTHS = {"true": "false", "on": "off", "yes": "no"}
TRUTH_OF = {word: value for yes, no in TRUTHS.items() for word, value in ((yes, 1.0), (no, 0.0))}
