"""The start screen: streams and bundles found, how the chosen pair fits channel by channel, where to go on.

It reads the newest Findings on a timer and returns what was chosen; looking and acting are others' business
(rtdecode/commands/start.py). What was chosen stays so while streams come and go.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input

from rtdecode.found import Findings, FoundBundle, FoundLog, FoundRecording, FoundStream, shown
from rtdecode.tui import fit as fits
from rtdecode.tui import listing, rows, start_words
from rtdecode.tui.base import ScreenApp
from rtdecode.tui.card_screen import STYLES, CardScreen
from rtdecode.tui.choose import ChooseScreen
from rtdecode.tui.fit import Fit
from rtdecode.tui.help import keys_of
from rtdecode.tui.keybar import KeyBar
from rtdecode.tui.lines import Line, clean, wrap
from rtdecode.tui.listing import Listing
from rtdecode.tui.panel import Panel
from rtdecode.tui.start_choice import Choice, Live, Memory, Replay, Review
from rtdecode.tui.start_keys import KEYS, KeysScreen

LOOK_HZ = 5.0
NOTICE_ROWS = 4
ZONES = ("streams", "bundles", "or")


class StartApp(ScreenApp[Choice | None]):
    """latest: the newest findings; notice: what went wrong where the user comes from, in house form."""

    CSS_PATH = STYLES
    BINDINGS: ClassVar = KEYS
    AUTO_FOCUS = None  # the filter gets keys only while it is open

    def __init__(self, latest: Callable[[], Findings], memory: Memory | None = None, notice: str = ""):
        super().__init__()
        self.latest, self.memory, self.notice = latest, memory or Memory(), notice
        self.findings = Findings()
        self.zone = "streams"
        self.streams = Listing[FoundStream](lambda s: s.key, lambda s: f"{s.info.name} {s.info.stype}")
        self.bundles = Listing[FoundBundle](lambda b: b.path, lambda b: f"{b.name} {b.path}")
        self.ways = Listing[str](lambda way: way, lambda way: way)
        self.ways.set(("replay", "review"))
        self.streams.at, self.bundles.at = self.memory.stream, self.memory.bundle
        self.panels = {
            name: Panel(id=name) for name in ("header", "streams", "bundles", "fit", "or", "notice")
        }

    def compose(self) -> ComposeResult:
        yield self.panels["header"]
        with Horizontal(id="lists"):
            yield self.panels["streams"]
            yield self.panels["bundles"]
        yield self.panels["fit"]
        yield self.panels["or"]
        yield self.panels["notice"]
        yield Input(id="filter")
        yield KeyBar()

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(1 / LOOK_HZ, self.update)

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    # -- what is shown -------------------------------------------------------------------------------------

    def update(self) -> None:
        """One tick: take the newest findings, draw if they are new."""
        findings = self.latest()
        if findings == self.findings:
            return
        self.findings = findings
        self.streams.set(findings.streams or ())
        self.bundles.set(findings.disk.bundles if findings.disk else ())
        self._first_choice()
        self.draw()

    def _first_choice(self) -> None:
        """Until the user chooses: the first pair that fits."""
        if self.memory.touched or ((now := self.fit()) and now.good):
            return
        for stream in self.streams.shown:
            for bundle in self.bundles.shown:
                if (found := self.fit(stream, bundle)) and found.good:
                    self.streams.take(stream.key)
                    self.bundles.take(bundle.path)
                    return

    def fit(self, stream: FoundStream | None = None, bundle: FoundBundle | None = None) -> Fit | None:
        """How these (by default the chosen ones) fit; None where there is nothing to compare."""
        stream, bundle = stream or self.streams.current, bundle or self.bundles.current
        if stream is None or bundle is None or bundle.spec is None or bundle.problem or not stream.described:
            return None
        return fits.compare(bundle.spec.stream, stream.info, self.memory.units.get(stream.key, ""))

    def draw(self) -> None:
        if not self.screen_stack:
            return
        self._draw_notice()
        self._show("header", start_words.header(self.findings, *self._room("header")))
        found = self.findings
        self._list(
            "streams", "Streams", self.streams,
            lambda s, width: rows.stream_row(s, rows.stream_mark(s, self.fit(s)), width),
            start_words.no_streams(found, self._room("streams")[0] - 4),
        )  # fmt: skip
        self._list(
            "bundles", "Bundles", self.bundles,
            lambda b, width: rows.bundle_row(b, rows.bundle_mark(b, self.fit(None, b)), width),
            start_words.no_bundles(found, self._room("bundles")[0] - 4),
        )  # fmt: skip
        self._list("or", "Or", self.ways, lambda way, width: start_words.way(way, found, width), ())
        stream, bundle = self.streams.current, self.bundles.current
        names = (
            stream.info.name if stream else "",
            f"{bundle.name} in {shown(bundle.path)}" if bundle else "",
        )
        why = start_words.why_no_fit(stream, bundle)
        self._show(
            "fit", fits.render(self.fit(), names, why, *self._room("fit"), self.key_names("start-open"))
        )

    def _list(
        self,
        name: str,
        title: str,
        items: Listing[Any],
        row: Callable[[Any, int], Line],
        empty: tuple[Line, ...] | list[Line],
    ) -> None:
        size = self._room(name)
        self._show(name, listing.render(items, title, row, empty, size, self.zone == name))

    def _show(self, name: str, lines: list[Line]) -> None:
        if lines:
            self.panels[name].show(lines)

    def _room(self, name: str) -> tuple[int, int]:
        return self.panels[name].size.width, self.panels[name].size.height

    def _draw_notice(self) -> None:
        panel, width = self.panels["notice"], max(10, self.size.width - 4)
        pieces = wrap(clean(self.notice), width)[:NOTICE_ROWS] if self.notice else []
        panel.display, panel.styles.height = bool(pieces), max(1, len(pieces))
        marks = (" ✕ ", *["   "] * NOTICE_ROWS)
        panel.show([((mark, "bad"), (piece, "text")) for mark, piece in zip(marks, pieces, strict=False)])

    def tell(self, text: str) -> None:
        """What keeps the user from what he asked for; "" once he has moved on."""
        if text != self.notice:
            self.notice = text
            self._draw_notice()
            self.call_after_refresh(self.draw)  # the line takes room from the lists

    # -- keys and mouse ------------------------------------------------------------------------------------

    @property
    def list_here(self) -> Listing[Any]:
        lists: dict[str, Listing[Any]] = {"streams": self.streams, "bundles": self.bundles, "or": self.ways}
        return lists[self.zone]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield from super().get_system_commands(screen)
        for key in KEYS:
            if isinstance(key, Binding) and not key.action.startswith(("move", "side")):
                yield SystemCommand(key.description, key.tooltip, partial(self.run_action, key.action))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        below = len(self.screen_stack) > 1  # a list or a card lies over the screen and has keys of its own
        return not (below and action in ("open", "zone", "move", "side", "filter", "card", "unit", "leave"))

    def _touch(self) -> None:
        if self.zone != "or":
            self.memory.touched = True
        self.memory.stream, self.memory.bundle = self.streams.at, self.bundles.at
        self.tell("")
        self.draw()

    def action_move(self, steps: int) -> None:
        self.list_here.move(steps)
        self._touch()

    def action_side(self, side: int) -> None:
        self.zone = "bundles" if side > 0 else "streams"
        self.draw()

    def action_zone(self, steps: int) -> None:
        self._end_filter()
        self.zone = ZONES[(ZONES.index(self.zone) + steps) % len(ZONES)]
        self.draw()

    def action_filter(self) -> None:
        if self.zone == "or":
            self.zone = "streams"
        box = self.query_one("#filter", Input)
        box.placeholder = f"filter the {self.zone}"
        box.value = self.list_here.words
        box.add_class("-shown")
        box.focus()
        self.draw()

    def _end_filter(self) -> None:
        self.query_one("#filter", Input).remove_class("-shown")
        self.set_focus(None)

    def action_unfilter(self) -> None:
        self._end_filter()
        for items in (self.streams, self.bundles):
            items.filter("")
        self._touch()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.list_here.filter(event.value)
        self._touch()

    def on_input_submitted(self) -> None:
        self._end_filter()

    def action_card(self) -> None:
        if bundle := self.bundles.current:
            self.push_screen(CardScreen(bundle))
        else:
            self.tell("there is no bundle to show a card of: `offline export` writes bundles")

    def action_unit(self) -> None:
        stream, bundle = self.streams.current, self.bundles.current
        if stream is None or bundle is None or bundle.spec is None:
            return
        said = self.memory.units.get(stream.key, "")
        units = ("", *fits.assumable(bundle.spec.stream))
        after = units[(units.index(said) + 1) % len(units)] if said in units else units[1]
        self.memory.units[stream.key] = after
        self._touch()

    def action_explain(self) -> None:
        if len(self.screen_stack) == 1:
            self.push_screen(KeysScreen(keys_of(self.screen_stack[0])))

    def action_leave(self) -> None:
        self.exit(None)

    def action_open(self) -> None:
        if self.zone == "or":
            return self._open_way()
        stream, bundle = self.streams.current, self.bundles.current
        found = self.fit()
        if found is None or stream is None or bundle is None:
            self.tell(" ".join(start_words.why_no_fit(stream, bundle)))
        elif not found.good:
            what = "; ".join((*found.problems[:2], *(("…",) if found.problems[2:] else ())))
            self.tell(
                f"{stream.info.name} does not fit {bundle.name}: {what}. What to do: {found.remedies[0]}."
            )
        else:
            self.memory.stream, self.memory.bundle = stream.key, bundle.path
            self.exit(Live(stream, bundle.path, self.memory.units.get(stream.key, "")))
        return None

    def _open_way(self) -> None:
        disk = self.findings.disk
        if self.ways.current == "review":
            logs = Listing[FoundLog](lambda log: log.path, lambda log: f"{shown(log.path)} {log.bundle}")
            logs.set(disk.logs if disk else ())
            empty = start_words.no_logs(disk)
            self.push_screen(ChooseScreen(logs, "Sessions", rows.log_row, empty, "reviews"), self._review)
            return
        bundle = self.bundles.current
        if bundle is None or bundle.problem or bundle.spec is None:
            self.tell(start_words.no_bundle_to_replay(bundle))
            return
        files = Listing[FoundRecording](
            lambda file: file.path, lambda file: f"{shown(file.path)} {file.kind}"
        )
        files.set(disk.recordings if disk else ())
        foot = f"decodes it with {clean(bundle.name)} as if it came live"
        empty = start_words.no_recordings(disk)

        def replay(chosen: FoundRecording | None) -> None:
            if chosen:
                self.exit(Replay(chosen.path, bundle.path))

        self.push_screen(ChooseScreen(files, "Recordings", rows.recording_row, empty, foot), replay)

    def _review(self, chosen: FoundLog | None) -> None:
        if chosen and chosen.problem:
            self.tell(chosen.problem)
        elif chosen:
            self.exit(Review(chosen.path))

    def on_click(self, event: events.Click) -> None:
        """A click chooses; a second one on the same spot is Enter; one suffices for what opens a list."""
        if len(self.screen_stack) > 1:
            return
        for zone in ZONES:
            panel = self.panels[zone]
            if panel.region.contains(event.screen_x, event.screen_y):
                self.zone = zone
                framed = panel.size.height >= 3
                height = listing.rows_of(*panel.size)
                row = event.screen_y - panel.region.y - framed
                index = self.list_here.top(height) + row
                if 0 <= row < height and index < len(self.list_here.shown):
                    self.list_here.choose(index)
                    self._touch()
                    if zone == "or" or event.chain > 1:
                        self.action_open()
                else:
                    self.draw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._scroll(event, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._scroll(event, 1)

    def _scroll(self, event: events.MouseEvent, steps: int) -> None:
        for zone in ZONES:
            if len(self.screen_stack) == 1 and self.panels[zone].region.contains(
                event.screen_x, event.screen_y
            ):
                self.zone = zone
                self.action_move(steps)
