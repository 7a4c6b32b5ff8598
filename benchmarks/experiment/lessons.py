"""What the figures teach, in sentences whose figures, and whose verdicts, come from the run."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.experiment.figures import Figures, NotMeasured
from benchmarks.experiment.plan import MANY, ONE
from benchmarks.experiment.tables import optional, table

OPTIMISTIC = "optimistic"
SYNC, ASYNC, HYBRID = "sync", "async", "hybrid"
CROWD, FEW = 90, 8
# Figures of a noisy machine that are nearer to each other than this are called equal.
ALIKE = 1.15
Ranked = Sequence[tuple[str, float]]


def lessons(figures: Figures) -> Iterator[str]:
    """Yield a paragraph for each lesson; one whose combinations were not measured is left out."""
    for lesson in LESSONS:
        try:
            yield lesson(figures)
        except NotMeasured:
            continue


def one_disc(figures: Figures) -> str:
    """Tell which strategy holds one disc best against the largest crowd."""
    clients = figures.clients[-1]
    ranked = _ranked(figures, lambda strategy: figures.rate(strategy, SYNC, ONE, clients))
    [best, most], [worst, least] = ranked[0], ranked[-1]
    return (
        f"**One disc.** With {_clients(clients)}, each waiting for the decision, {best} came to {most:,.0f} orders a second"
        f"{_others(ranked)}. That is {_times(most, ranked[1][1])} the next and {_times(most, least)} {worst}."
    )


def growth(figures: Figures) -> str:
    """Tell what more clients do to each strategy."""
    few, many = figures.nearest(FEW), figures.clients[-1]
    if few == many:
        raise NotMeasured
    grown = {
        strategy: _ratio(figures.rate(strategy, SYNC, ONE, many), figures.rate(strategy, SYNC, ONE, few))
        for strategy in figures.strategies
    }
    told = ", ".join(
        f"{strategy} from {figures.rate(strategy, SYNC, ONE, few):,.0f} to {figures.rate(strategy, SYNC, ONE, many):,.0f}"
        for strategy in grown
    )
    faster = [strategy for strategy, factor in grown.items() if factor > ALIKE]
    slower = [strategy for strategy, factor in grown.items() if factor < 1 / ALIKE]
    same = [strategy for strategy in grown if strategy not in {*faster, *slower}]
    verdicts = [f"{_list(names)} {word}" for word, names in (("faster", faster), ("slower", slower)) if names]
    verdict = f"More clients made {' and '.join(verdicts)}" if verdicts else "More clients changed none of them much"
    left = f"; {_list(same)} stayed as {'it was' if len(same) == 1 else 'they were'}" if same and verdicts else ""
    return (
        f"**More clients.** From {_clients(few)} to {_clients(many)} on one disc, orders a second went: {told}. {verdict}{left}. "
        "A group takes the row's lock once for all who came meanwhile, so that a crowd makes it larger; "
        "where every order takes the lock for itself, a crowd makes the queue longer."
    )


def alone(figures: Figures) -> str:
    """Tell what the strategies cost a client who is alone."""
    clients = figures.clients[0]
    if clients > FEW:
        raise NotMeasured
    ranked = _ranked(figures, lambda strategy: float(figures.cell(strategy, SYNC, ONE, clients)["p50_ms"]))
    [slowest, longest], [quickest, shortest] = ranked[0], ranked[-1]
    verdict = (
        "hardly a difference: nobody is there to wait for"
        if longest / shortest < ALIKE
        else f"{_times(longest, shortest)} as long"
    )
    return (
        f"**Few clients.** With {_clients(clients)} half of the orders had their decision within {shortest:,.1f} ms by {quickest} and "
        f"{longest:,.1f} ms by {slowest}: {verdict}."
    )


def many_discs(figures: Figures) -> str:
    """Tell how much of the difference is left over many discs."""
    clients = figures.clients[-1]
    spread = _ranked(figures, lambda strategy: figures.rate(strategy, SYNC, MANY, clients))
    hot = _ranked(figures, lambda strategy: figures.rate(strategy, SYNC, ONE, clients))
    wide, narrow = _ratio(hot[0][1], hot[-1][1]), _ratio(spread[0][1], spread[-1][1])
    verdict = (
        "It is the shared row that costs, not the way to the database"
        if narrow < wide / ALIKE
        else "In this run the shared row was not what told them apart"
    )
    return (
        f"**Many discs.** Over {figures.made['discs']:,} discs, with {_clients(clients)}, {spread[0][0]} came to "
        f"{spread[0][1]:,.0f} orders a second{_others(spread)}: the first is {narrow:.1f} times the last, "
        f"where on one disc it was {wide:.1f} times. {verdict}."
    )


def optimism(figures: Figures) -> str:
    """Tell how often an optimist has to give up."""
    shares = [f"{_aborted_share(figures, ONE, clients):.0%} with {_clients(clients)}" for clients in figures.clients]
    most = max(_aborted_share(figures, MANY, clients) for clients in figures.clients)
    settled = max(
        told["settle_s"] or 0.0 for told in figures.results if (told["strategy"], told["mode"]) == (OPTIMISTIC, SYNC)
    )
    if not any(told["aborted"] for told in figures.results):
        return "**Optimism.** Bounded retries were enough in this run: no order was aborted."
    return (
        "**Optimism.** Who reads first, and is told at the write that somebody was faster, begins again, and gives up after some "
        f"attempts. Of optimistic's orders for one disc, {_list(shares)} were aborted, over many discs {most:.0%} at the most. "
        f"They were decided later, without their callers: the last one {settled:.1f} s after its load."
    )


def later(figures: Figures) -> str:
    """Tell what async mode gains, and what it does not."""
    clients = figures.nearest(CROWD)
    best = _ranked(figures, lambda strategy: figures.rate(strategy, SYNC, ONE, clients))[0][0]
    sync, cell = figures.rate(best, SYNC, ONE, clients), figures.cell(best, ASYNC, ONE, clients)
    accepted, end = cell["orders_per_s"], cell["settled_per_s"]
    gain = (
        f"{_times(accepted, sync)} what sync decided"
        if accepted > sync * ALIKE
        else f"no more than sync decided, which were {sync:,.0f}"
    )
    until_final = (
        "not all of them were decided in time" if end is None else f"until the last was decided they came to {end:,.0f}"
    )
    rows = [_later_row(figures, strategy, clients) for strategy in figures.strategies]
    return (
        "**Async.** PENDING tells that the order is written down, and nothing of the disc: the copies are yet to be taken. "
        f"With {_clients(clients)} on one disc, {best} took in {accepted:,.0f} orders a second, {gain}; {until_final}.\n\n"
        + table(
            ("one disc, orders a second", "sync", "async, taken in", "async, to the end", "last one final after"), rows
        )
    )


def _later_row(figures: Figures, strategy: str, clients: int) -> Sequence[str]:
    cell = figures.cell(strategy, ASYNC, ONE, clients)
    return (
        strategy,
        f"{figures.rate(strategy, SYNC, ONE, clients):,.0f}",
        f"{cell['orders_per_s']:,.0f}",
        optional(cell["settled_per_s"], ",.0f"),
        optional(cell["settle_s"], ".1f", " s"),
    )


def in_between(figures: Figures) -> str:
    """Tell how near hybrid comes to sync, and what it left pending."""
    clients = figures.nearest(CROWD)
    told = []
    for strategy in figures.strategies:
        cell = figures.cell(strategy, HYBRID, ONE, clients)
        share = cell["pending"] / max(cell["sale"]["orders"], 1)
        told.append(
            f"{strategy} {_times(cell['orders_per_s'], figures.rate(strategy, SYNC, ONE, clients))} ({share:.0%})"
        )
    return (
        "**Hybrid.** It waits for the decision as long as its caller has time, and answers PENDING otherwise. "
        f"With {_clients(clients)} on one disc its rate was, beside sync's, {', '.join(told)}; "
        "in brackets the orders that were open when the load ended."
    )


def cpu(figures: Figures) -> str:
    """Tell what an order costs each process."""
    clients = figures.nearest(CROWD)
    services = ("postgres", "catalog_service", "order_service")
    rows = []
    for strategy in figures.strategies:
        used = figures.cell(strategy, SYNC, ONE, clients)["cpu_us_per_order"]
        rows.append((strategy, *(f"{used[service]:,.0f}" for service in services), f"{sum(used.values()):,.0f}"))
    return (
        f"**CPU.** What an order for one disc used in sync mode, with {_clients(clients)}. "
        "Of all figures here, other programs on the machine disturb these least.\n\n"
        + table(("us an order", "PostgreSQL", "catalog", "order service", "all, with clients"), rows)
    )


def waits(figures: Figures) -> str:
    """Tell how long the unlucky ones waited."""
    clients = figures.nearest(CROWD)
    told = sorted(
        (float(figures.cell(strategy, SYNC, ONE, clients)["p99_ms"]), strategy) for strategy in figures.strategies
    )
    words = [f"{strategy} {wait:,.0f} ms" for wait, strategy in told]
    return f"**Waiting.** With {_clients(clients)} on one disc, one order of a hundred took longer than this: {', '.join(words)}."


def exactness(figures: Figures) -> str:
    """Tell that all of them are right, or how many are not."""
    confirmed = sum(told["confirmed"] for told in figures.results)
    refused = sum(told["refused"] for told in figures.results)
    verdict = (
        "and no audit found a disagreement"
        if not figures.disagreements
        else f"and the audits found {figures.disagreements} disagreements"
    )
    return (
        f"**Exactness.** It is no reason to choose one: {confirmed:,} orders were confirmed and {refused:,} refused in "
        f"{len(figures.results)} combinations, nobody was refused while copies were left, {verdict}."
    )


LESSONS: Sequence[Callable[[Figures], str]] = (
    one_disc,
    growth,
    waits,
    alone,
    many_discs,
    optimism,
    later,
    in_between,
    cpu,
    exactness,
)


def _ranked(figures: Figures, value: Callable[[str], float]) -> Ranked:
    """Return the strategies with their values, the largest first; NotMeasured if there is nothing to compare."""
    if len(figures.strategies) < 2:
        raise NotMeasured
    return sorted(((strategy, value(strategy)) for strategy in figures.strategies), key=lambda told: -told[1])


def _others(ranked: Ranked) -> str:
    return "".join(f", {strategy} to {value:,.0f}" for strategy, value in ranked[1:])


def _ratio(value: float, other: float) -> float:
    """Divide rates; where nobody was served at all, by one order a second."""
    return value / max(other, 1.0)


def _times(value: float, other: float) -> str:
    return f"{_ratio(value, other):.1f} times"


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count:,} clients"


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _aborted_share(figures: Figures, discs: str, clients: int) -> float:
    sale = figures.cell(OPTIMISTIC, SYNC, discs, clients)["sale"]
    return float(sale["aborted"] / max(sale["orders"], 1))
