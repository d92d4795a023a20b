"""Which style of the page draws whom: always the same for the same name of a part."""

from __future__ import annotations

from edgelstm.report.evaluation import PartEvaluation

OWN = ("answer", "second")
OTHERS = ("other1", "other2", "other3", "other4", "other5")


def styles_of(part: PartEvaluation) -> dict[str, str]:
    """Give each network and each baseline its style."""
    own = {name: OWN[min(i, len(OWN) - 1)] for i, name in enumerate(part.networks)}
    return own | {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(part.baselines)}
