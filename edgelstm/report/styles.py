"""The style of each curve: always the same for the same name in a part."""

from __future__ import annotations

from edgelstm.report.evaluation import PartEvaluation

OWN = ("answer", "second")
OTHERS = ("other1", "other2", "other3", "other4", "other5")


def styles_of(part: PartEvaluation) -> dict[str, str]:
    """Assign a style to each network and baseline."""
    own = {name: OWN[min(i, len(OWN) - 1)] for i, name in enumerate(part.networks)}
    return own | {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(part.baselines)}
