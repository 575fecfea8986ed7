"""An app, its watcher and its clock: what the screen's tests stand on."""

from rtdecode.tui.app import LiveApp
from rtdecode.tui.picture import Session, Still

SESSION = Session()


class Bench:
    """An app whose snapshots and time are set by hand."""

    def __init__(self, snapshot=None):
        self.watcher, self.now = Still(snapshot), 0.0
        self.app = LiveApp(self.watcher, clock=lambda: self.now)

    async def show(self, pilot, snapshot, now=0.0):
        self.watcher.snapshot, self.now = snapshot, now
        self.app.update(True)
        await pilot.pause()

    def said(self, name):
        return self.app.panels[name].text

    def all(self):
        return "\n".join(panel.text for panel in self.app.panels.values() if panel.is_on_screen)

    def there(self):
        """Names of the panels that are on the screen."""
        return {name for name, panel in self.app.panels.items() if panel.display and panel.is_on_screen}


async def started(pilot, bench, at=759.4):
    """A session in full swing."""
    await bench.show(pilot, SESSION.at(at - 1.4))
    await bench.show(pilot, SESSION.at(at))


def cells(app):
    """What is on the terminal: (text, style) segments, line by line."""
    return [list(strip) for strip in app.screen._compositor.render_strips(app.size)]


def screen_text(app):
    return "\n".join("".join(segment.text for segment in line) for line in cells(app))
