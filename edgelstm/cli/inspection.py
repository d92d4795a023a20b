"""The text of `edgelstm inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgelstm.cli.words import figure_words, network_words, table
from edgelstm.data.scores.figures import figures_of
from edgelstm.errors import assert_never, counted

if TYPE_CHECKING:
    from edgelstm.contract import Channel, Contract, Metrics, Provenance
    from edgelstm.reading import Dialect, Reading
    from edgelstm.runtime import ModelFile
    from edgelstm.runtime.file.summary import GraphSummary

_SHOWN = 5  # categories in a line


def inspect_words(file: Path, model_file: ModelFile, graph: GraphSummary) -> str:
    """Lay out the contract, the graph and the metrics of a file."""
    contract = model_file.contract
    nodes = ", ".join(f"{count} {name}" if count > 1 else name for name, count in graph.nodes.items())
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in graph.opsets.items())
    origin = contract.provenance
    lines = [
        f"{file.name}: {contract.name}, {contract.task}, {contract.precision}, {len(model_file.content):,} bytes",
        f"  sees      {_sees(contract)}",
        f"  answers   {_answers(contract)}",
        *([f"  reads     {reading_words(contract.reading)}"] if contract.reading else []),
        f"  state     {contract.state}: {_state_words(contract)}",
        f"  scaling   {contract.scaling}, inside the graph",
        f"  graph     {sum(graph.nodes.values())} nodes ({nodes}), {graph.parameters:,} numbers, "
        f"opset {opsets}, IR {graph.ir_version}",
        f"  digest    {model_file.digest}",
        f"  weights   {origin.weights_sha256}",
        f"  trained   {_training_words(origin)}",
        f"  made by   {', '.join(f'{name} {version}' for name, version in contract.provenance.versions.items())}",
        f"  golden    {counted(len(model_file.golden.x), 'window')}; `edgelstm verify` replays them",
        *(f"  UNVERIFIED: {reason}" for reason in model_file.let_pass),
    ]
    for channel in contract.inputs:
        if channel.category is None:
            lines.append(f"  trained on {channel.name}: {_range(channel)}")
    for part in contract.metrics:
        lines += ["", _metrics_table(part, contract)]
    return "\n".join(lines)


def _metrics_table(part: Metrics, contract: Contract) -> str:
    """Lay out the scores of a part, in the figures of its kind of answer."""
    found = [("this file", part.file)] if part.file else []
    found += [(network_words(contract), part.network), *part.baselines.items()]
    figures = figures_of(contract)
    rows = [[name, *(figure_words(score, figure.key) for figure in figures)] for name, score in found]
    names = [figure.words for figure in figures]
    return table([f"{part.part}, {counted(part.windows, *contract.traits.nouns)}", *names], rows)


def _sees(contract: Contract) -> str:
    most = "up to " if contract.lengths else ""
    times = ", each with its time (UTC)" if contract.times else ""
    return f"{most}{contract.window} steps of {_channels(contract.inputs)}{_period(contract)}{times}"


def _answers(contract: Contract) -> str:
    """Write what comes out, and how often."""
    often = f"{counted(contract.horizon, 'step')} of" if contract.traits.has_horizon else "one for each sequence,"
    if contract.every_step:
        often = "at every step" + (f" {often}" if contract.traits.has_horizon else "")
    match contract.answer:
        case "class":
            names = ", ".join(channel.name for channel in contract.outputs)
            return f"{often} one of {len(contract.outputs)} classes: {names}"
        case "number":
            return f"{often} {_channels(contract.outputs)}"
        case "quantile":
            return f"{often} {_quantiles(contract)}"
        case _:
            assert_never(contract.answer)


def _quantiles(contract: Contract) -> str:
    columns = [channel._replace(name=channel.source) for channel in contract.targets]
    levels = [channel.quantile for channel in contract.outputs if channel.source == contract.outputs[0].source]
    return f"{_channels(tuple(columns))}, quantiles {', '.join(f'{level:g}' for level in levels if level)}"


def reading_words(reading: Reading) -> str:
    """Write in one line how a table is read.

    Example:
        >>> from edgelstm.reading import Dialect, Reading, TimeForm
        >>> dialect, time = Dialect(";", ","), TimeForm(("Date", "Time"), "%d.%m.%Y %H:%M", "Europe/Berlin")
        >>> reading_words(Reading("csv", dialect, ("-200",), time, None, None, None, "error", "interpolate", 6))
        "csv, fields between ';', decimal ',', time in Date, Time as %d.%m.%Y %H:%M (Europe/Berlin), missing: -200, \
gaps of up to 6 interpolated"
        >>> whole = Dialect("|", "")
        >>> reading_words(Reading("csv", whole, (), None, None, None, None, "error", "drop", 6))
        "csv, fields between '|', decimal sign unknown, gaps left open"
    """
    words = [reading.format]
    if reading.dialect is not None:
        words += _dialect_words(reading.dialect)
    if reading.time is not None:
        zone = f" ({reading.time.zone})" if reading.time.zone else ""
        words.append(f"time in {', '.join(reading.time.columns)} as {reading.time.form}{zone}")
    if reading.series is not None:
        words.append(f"one series per {reading.series}")
    if reading.resample is not None:
        words.append(f"averaged into bins of {reading.resample}")
    if reading.missing:
        words.append(f"missing: {' '.join(reading.missing)}")
    if reading.duplicates != "error":
        words.append(f"duplicate times: {reading.duplicates}")
    return ", ".join([*words, _gap_words(reading)])


def _dialect_words(dialect: Dialect) -> list[str]:
    names = {" ": "blanks", "\t": "tab"}
    words = [f"fields between {names.get(dialect.delimiter, repr(dialect.delimiter))}"]
    if dialect.decimal != "." or dialect.thousands:
        words.append(f"decimal {dialect.decimal!r}" if dialect.decimal else "decimal sign unknown")
    if dialect.thousands:
        words.append(f"thousands {dialect.thousands!r}")
    if dialect.encoding != "utf-8":
        words.append(dialect.encoding)
    if dialect.skip_rows:
        words.append(f"{counted(dialect.skip_rows, 'line')} above the header")
    return words if dialect.header else [*words, "no header"]


def _gap_words(reading: Reading) -> str:
    if reading.gaps not in ("interpolate", "forward"):
        return {"drop": "gaps left open", "error": "a gap is an error"}[reading.gaps]
    most = "" if reading.max_gap is None else f" of up to {reading.max_gap}"
    return f"gaps{most} {'interpolated' if reading.gaps == 'interpolate' else 'filled with the last value'}"


def _channels(channels: tuple[Channel, ...]) -> str:
    """Name the channels; the categories of one column together."""
    words = {}
    for channel in channels:
        if channel.category is None:
            words[channel.name] = _channel(channel)
        else:
            known = [one.category for one in channels if one.category is not None and one.source == channel.source]
            ahead = f", known {counted(channel.ahead, 'step')} ahead" if channel.ahead else ""
            words[channel.source] = f"{channel.source} ({some_words(known)}{ahead})"
    return ", ".join(words.values())


def some_words(words: Sequence[str]) -> str:
    """Name categories, only the first if there are many.

    Example:
        >>> some_words(["NW", "SE"]), some_words("ABCDEFG")
        ('one of NW, SE', 'one of A, B, C, D, E and 2 more')
    """
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"one of {', '.join(words[:_SHOWN])}{more}"


def _channel(channel: Channel) -> str:
    ahead = f"known {counted(channel.ahead, 'step')} ahead" if channel.ahead else None
    cap = None if channel.cap is None else f"capped at {channel.cap:g}"
    words = ", ".join(filter(None, (channel.unit, ahead, cap)))
    return f"{channel.name} ({words})" if words else channel.name


def _period(contract: Contract) -> str:
    """Write the sample period: "one every month"."""
    if contract.reading is not None and contract.reading.rhythm is not None:
        return f", one every {contract.reading.rhythm.name}"
    return f", one every {contract.sample_period_s:g} s" if contract.sample_period_s else ""


def _state_words(contract: Contract) -> str:
    if contract.state == "carried" and contract.trained_state != "carried":
        return "each window started from zero in training; carried because of --state carried at export"
    if contract.state == "carried":
        return "trained with a carried state; can be stepped for ever"
    return "trained from a zero state over a window; a stream runs the last window at every step"


def _training_words(origin: Provenance) -> str:
    if origin.seed is not None:
        return f"with seed {origin.seed}, on {origin.data_sha256 or 'arrays, no file'}"
    tools = ("edgelstm", "onnx", "onnxruntime", "onnxruntime-gpu")
    found = [f"{name} {version}" for name, version in origin.versions.items() if name not in tools]
    return f"elsewhere, with {', '.join(found)}" if found else "elsewhere"


def _range(channel: Channel) -> str:
    s = channel.bare.statistics
    if s is not None and channel.origin:
        spread = f"{s.min:.6g} to {s.max:.6g}, mean {s.mean:.6g}, std {s.std:.4g}"
        return f"{channel.origin!r} and {spread} {channel.unit or ''}".rstrip()
    return (
        "unknown"
        if s is None
        else f"{s.min:.6g} to {s.max:.6g}, mean {s.mean:.6g}, std {s.std:.4g} {channel.unit or ''}".rstrip()
    )
