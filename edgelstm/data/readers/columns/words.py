"""Words that loggers, spreadsheets and databases write for missing samples, for totals, and for yes and no."""

from __future__ import annotations

# These mean missing everywhere. The others below may be categories in a column of text: "none" or "unknown".
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

# What spreadsheets and reports call a line of totals, in several languages.
SUMS = frozenset(
    (
        *("total", "totals", "subtotal", "sum", "sums", "overall"),
        *("gesamt", "gesamtsumme", "insgesamt", "summe", "zwischensumme", "totaal", "som", "summa", "suma", "soma"),
        *("somma", "somme", "totale", "totaux", "totales", "totais", "subtotaal", "sous-total", "razem", "celkem"),
        *("\u0438\u0442\u043e\u0433\u043e", "\u5408\u8ba1", "\u603b\u8ba1", "\u5408\u8a08", "\u7dcf\u8a08"),
        *("mean", "average", "avg", "mittelwert", "mittel", "durchschnitt", "moyenne", "media", "m\u00e9dia"),
        *("promedio", "gemiddelde", "gemiddeld", "medelv\u00e4rde", "\u5e73\u5747"),
    )
)
# These mark a line of totals only if they are the whole field.
SUMMARIES = SUMS | frozenset(
    (
        *("min", "max", "min.", "max.", "minimum", "maximum", "median", "mediane", "m\u00e9diane", "mediana"),
        *("std", "std.", "stddev", "stdev", "sd", "count", "anzahl", "all", "alle", "\u03a3", "\u2211", "\u00f8"),
    )
)

TRUTHS = {"true": "false", "on": "off", "yes": "no"}
TRUTH_OF = {word: value for yes, no in TRUTHS.items() for word, value in ((yes, 1.0), (no, 0.0))}
