"""The trie of prefixes a beam search keeps: every prefix once, and only while a beam needs it.

Two kinds of node. A *word* node stands right after a separator (or at the start): its child words hang on it
by their text, whatever their pronunciation, so that two ways of saying one word meet again. A *letter* node
stands inside a word; it hangs on the node before it by its symbol. A node without beams and without children
is cut off, and so are then its ancestors: what stays in memory is the beams and what they do not share.
"""

from rtdecode.text.ngram import State

Ending = tuple[str, float, State, float]
"""A word that may end here: its text, the factor on the weight, the model's next state, log10 p up to it."""

NOWHERE = -(1 << 40)  # `base` of a spelled word that no known word begins with: no arc leads on


class Prefix:
    """One prefix. Weights live in the search; here is what does not change from frame to frame, and the
    times.

    parent  letter node: the node one symbol shorter; word node: the word before; None at the root
    home    the word node this one's letters hang under; None on a word node
    last    symbol a repeat of which adds nothing
    word    text of the word that ended here; "" at the start and on a letter node
    kids    symbol -> letter node, text -> word node
    slot    place among the beams, -1 outside
    base    place in the lexicon's trie times the number of symbols
    fan     symbols a lexicon allows next
    ratio   factor on the weight on the way from the parent (look-ahead)
    double  does the parent end in the same symbol?
    ends    words that may end here, None before anybody asked
    at      frame in which the symbol was emitted; start: that of the word's first symbol (word node: of its
            word). Alignments differ: these are of the frame at which most of the search came here
    flow    how much came in that frame, in weights of the heaviest beam
    state   n-gram state after the word;  lm  log10 of all words up to it (word nodes)
    """

    __slots__ = (
        "at", "base", "double", "ends", "fan", "flow", "home", "kids", "last",
        "lm", "parent", "ratio", "slot", "start", "state", "word",
    )  # fmt: skip

    def __init__(self, parent: "Prefix | None", home: "Prefix | None", last: int, base: int):
        self.parent, self.home, self.last, self.base = parent, home, last, base
        self.at = self.start = 0
        self.flow = -1.0
        self.fan: tuple[int, ...] = ()
        self.kids: dict[int | str, Prefix] = {}
        self.slot = -1
        self.ratio = 1.0
        self.double = False
        self.ends: list[Ending] | None = None
        self.word = ""
        self.state: State = ()
        self.lm = 0.0

    def letters(self) -> list[int]:
        """Symbols since the last separator."""
        found: list[int] = []
        node: Prefix | None = self
        while node is not None and node.home is not None:
            found.append(node.last)
            node = node.parent
        return found[::-1]

    def words(self) -> "list[Prefix]":
        """Word nodes from after the root to here, oldest first."""
        found: list[Prefix] = []
        node: Prefix | None = self.home or self
        while node is not None and node.parent is not None:
            found.append(node)
            node = node.parent
        return found[::-1]

    def follows(self, word: "Prefix") -> bool:
        """Is this word node behind it, or itself?"""
        node: Prefix | None = self.home or self
        while node is not None and node is not word:
            node = node.parent
        return node is not None

    def release(self) -> None:
        """Cut this node off if nothing needs it, then those before it."""
        node = self
        while node.slot < 0 and not node.kids and node.parent is not None:
            parent = node.parent
            del parent.kids[node.word or node.last]
            node.parent = None
            node = parent
