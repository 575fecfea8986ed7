"""The key tables of what lies over a screen: help, lists, questions, the bundle card.

While it is there it takes all keys, so each table stands alone, and a key may mean other things in others.
"""

from textual.binding import Binding, BindingType


def _key(name: str, key: str, action: str, text: str, tooltip: str, *, first: bool = False) -> Binding:
    """first: before a text field's own keys."""
    return Binding(key, action, text, id=name, tooltip=tooltip, show=False, priority=first)


def _scrolling(name: str) -> list[BindingType]:
    return [
        _key(f"{name}-up", "up,k", "scroll(-1)", "Up", "A line up"),
        _key(f"{name}-down", "down,j", "scroll(1)", "Down", "A line down"),
        _key(f"{name}-page-up", "pageup", "scroll(-10)", "Page up", "Ten lines up"),
        _key(f"{name}-page-down", "pagedown,space", "scroll(10)", "Page down", "Ten lines down"),
    ]


HELP: list[BindingType] = [
    _key("help-close", "question_mark,escape,q", "dismiss", "Close", "Back to the screen"),
    *_scrolling("help"),
]
CARD: list[BindingType] = [
    _key("card-close", "b,escape,q,enter", "close", "Close", "Back to where you were"),
    *_scrolling("card"),
]
CHOOSE: list[BindingType] = [
    _key("choose-take", "enter", "take", "Choose", "This one"),
    _key("choose-filter", "slash", "filter", "Filter", "Only names that hold these words"),
    _key("choose-up", "up,k", "move(-1)", "Up", "The line above"),
    _key("choose-down", "down,j", "move(1)", "Down", "The line below"),
    _key("choose-page-up", "pageup", "move(-10)", "Page up", "Ten lines up"),
    _key("choose-page-down", "pagedown", "move(10)", "Page down", "Ten lines down"),
    _key("choose-back", "escape,q", "leave", "Back", "Out of the filter, then choose nothing"),
]
PICK: list[BindingType] = [
    _key("pick-take", "enter", "take", "Take", "Draw the chosen channels"),
    _key("pick-toggle", "space", "do('toggle')", "Toggle", "Choose the channel, or not"),
    _key("pick-all", "ctrl+a", "do('all')", "All", "Choose all that are listed"),
    _key("pick-none", "ctrl+n", "do('none')", "None", "Choose none of those listed"),
    _key("pick-bad", "ctrl+b", "do('bad')", "Bad only", "Flat, railed, noisy, off, without numbers"),
    _key("pick-up", "up", "move(-1)", "Up", "A channel up"),
    _key("pick-down", "down", "move(1)", "Down", "A channel down"),
    _key("pick-page-up", "pageup", "move(-10)", "Page up", "Ten channels up"),
    _key("pick-page-down", "pagedown", "move(10)", "Page down", "Ten channels down"),
    _key("pick-back", "backspace", "back", "Back", "One letter less"),
    _key("pick-leave", "escape", "leave", "Leave", "Nothing changes"),
]
LABEL: list[BindingType] = [
    _key("label-take", "enter", "take", "Take", "The mark gets this label", first=True),
    _key("label-close", "escape", "dismiss(None)", "Close", "Leave it as it was", first=True),
]
GO: list[BindingType] = [
    _key("go-take", "enter", "take", "Go", "To the time that is written", first=True),
    _key("go-close", "escape", "dismiss(None)", "Close", "Stay where it is", first=True),
]
LEAVE: list[BindingType] = [
    _key("leave", "y", "dismiss(True)", "Leave", "Stop recording and leave"),
    _key("stay", "n,escape,q", "dismiss(False)", "Stay", "Go on recording"),
]
EXPORT: list[BindingType] = [
    _key("export-csv", "c", "write('csv')", "CSV", "One row a decision: ranks, probabilities, text, times"),
    _key("export-textgrid", "t", "write('textgrid')", "TextGrid", "Words read and heard, for Praat"),
    _key("export-bids", "b", "write('bids')", "BIDS", "events.tsv: words, marks, runs"),
    _key("export-close", "escape,q,e", "dismiss(None)", "Close", "Write nothing"),
]
TABLES = (HELP, CARD, CHOOSE, PICK, LABEL, GO, LEAVE, EXPORT)
TYPED = (PICK, LABEL, GO)  # where letters and signs are what is typed
