"""Collectors in the background, each at its own pace; a page that is always ready."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from exporters.base import Collector, Context, Result, Sample
from exporters.families import render

LOG = logging.getLogger("gaoling.exporters")
SAVE_SECONDS = 20.0
RETRY_SECONDS = 10.0  # at the soonest; otherwise a tenth of the collector's interval
MOST_WRONG = 5  # faults of one collection that are logged in full


@dataclass
class Turn:
    """The last collection of a collector, and the one that runs now."""

    collector: Collector
    interval: float
    started: float | None = None  # of the one that runs, by the monotonic clock
    done: bool = False
    success: bool = False
    seconds: float = 0.0
    last_success: float | None = None
    result: Result = field(default_factory=Result)


class Schedule:
    """Runs collectors and keeps the page. `scale` shortens their intervals (the lab's is 0.25)."""

    def __init__(
        self, context: Context, collectors: Sequence[Collector], scale: float = 1.0
    ) -> None:
        self.context = context
        self.turns = [Turn(c, c.interval * scale) for c in collectors]
        self.page = b""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._saved = 0.0
        self._threads = [
            threading.Thread(target=self._loop, args=(t,), name=t.collector.name, daemon=True)
            for t in self.turns
        ]
        self.publish()

    # ------------------------------------------------------------------ running
    def start(self) -> None:
        """Start every collector in a thread of its own."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask all to stop, and save the evidence."""
        self._stop.set()
        self._save(now=True)
        self.close()

    def close(self) -> None:
        """End the SSH connections that were kept open."""
        close = getattr(self.context.runner, "close", None)
        if close:
            close()

    def once(self) -> None:
        """Run every collector once: those that look, together; then those that judge."""
        judging = ("rates", "targets")
        looking = [t for t in self.turns if t.collector.name not in judging]
        threads = [threading.Thread(target=self.run, args=(t,), daemon=True) for t in looking]
        for thread in threads:
            thread.start()
        for thread, turn in zip(threads, looking, strict=True):
            thread.join(turn.collector.deadline)
        for turn in self.turns:
            if turn.collector.name in judging:
                self.run(turn)
        self._save(now=True)

    def _loop(self, turn: Turn) -> None:
        while not self._stop.is_set():
            begin = time.monotonic()
            self.run(turn)
            self._stop.wait(pause(turn, time.monotonic() - begin))

    def run(self, turn: Turn) -> None:
        """Run one collector: what it saw goes to the store, what it counted to the page."""
        name = turn.collector.name
        turn.started = begin = time.monotonic()
        try:
            result = turn.collector.collect(self.context)
            wrong = result.wrong
        except Exception as error:  # a collector must never end the exporter
            result, wrong = Result(), [f"{type(error).__name__}: {error}"]
        seconds = time.monotonic() - begin
        if seconds > turn.collector.deadline:
            wrong = [*wrong, f"took {seconds:.0f} s, its deadline is {turn.collector.deadline:.0f}"]
        for text in wrong[:MOST_WRONG]:
            LOG.warning("%s: %s", name, text)
        if len(wrong) > MOST_WRONG:
            LOG.warning("%s: and %d more", name, len(wrong) - MOST_WRONG)
        self.context.store.record(result.observations)
        with self._lock:
            turn.started, turn.done, turn.seconds = None, True, seconds
            turn.success, turn.result = not wrong, result
            if not wrong:
                turn.last_success = self.context.clock()
        self.publish()
        self._save()

    def _save(self, now: bool = False) -> None:
        if now or time.monotonic() - self._saved > SAVE_SECONDS:
            self._saved = time.monotonic()
            try:
                self.context.store.save()
            except OSError as error:
                LOG.error("the evidence could not be saved: %s", error)

    # ------------------------------------------------------------------ the page
    def publish(self) -> None:
        """Make the page anew out of the last result of each collector."""
        with self._lock:
            try:
                self.page = render(self._samples())
            except (KeyError, ValueError) as error:  # keep the last good page: it will be old
                LOG.error("the page could not be made: %s", error)

    def _samples(self) -> list[Sample]:
        city = self.context.city
        store = self.context.store
        found = [
            Sample("gaoling_exporter_info", 1, {"city": city.settings.id}),
            Sample("gaoling_evidence_observations", len(store.all())),
            Sample("gaoling_evidence_damaged", store.damaged),
        ]
        for turn in self.turns:
            found += turn.result.samples
            found += _about(turn)
        return found

    def state(self) -> dict[str, Any]:
        """Return what /healthz says: whether every collector has had a turn lately."""
        stuck = [t.collector.name for t in self.turns if _late(t)]
        return {"ok": not stuck, "stuck": stuck}


def pause(turn: Turn, seconds: float) -> float:
    """Return the seconds until a collector's next turn, after one that took `seconds`.

    What failed is looked at again soon: what it lacked may be there in a moment.
    """
    least = turn.interval / 10
    soon = min(max(least, RETRY_SECONDS), turn.interval)
    return max((turn.interval if turn.success else soon) - seconds, least)


def _late(turn: Turn) -> bool:
    """Whether the collection that runs now is over its deadline."""
    began = turn.started
    return began is not None and time.monotonic() - began > turn.collector.deadline


def _about(turn: Turn) -> list[Sample]:
    """Return the series of a collector itself. Before its first collection there are only two."""
    labels = {"collector": turn.collector.name}
    found = [
        Sample("gaoling_collector_deadline_seconds", turn.collector.deadline, labels),
        Sample("gaoling_collector_interval_seconds", turn.interval, labels),
    ]
    late = _late(turn)
    if turn.done or late:
        found.append(Sample("gaoling_collector_success", float(turn.success and not late), labels))
    if turn.done:
        found += [
            Sample("gaoling_collector_duration_seconds", round(turn.seconds, 4), labels),
            Sample("gaoling_collector_wanted", turn.result.wanted, labels),
            Sample("gaoling_collector_covered", turn.result.covered, labels),
        ]
    if turn.last_success is not None:
        found.append(
            Sample("gaoling_collector_last_success_timestamp_seconds", turn.last_success, labels)
        )
    return found
