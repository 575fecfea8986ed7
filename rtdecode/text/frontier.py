"""The beams of a search and how one frame moves them: the loop that everything else waits for.

A frame costs what it says. Beams and symbols are tried from the heaviest down, and as soon as a product is
under what can still enter, the rest is skipped; beams are made only of what entered. Weights are plain
numbers with one common logarithm (`offset`) beside them. Knows no log-probabilities, no words of the answer
and no commits.
"""

import math

from rtdecode.text.grammar import Grammar
from rtdecode.text.prefix import NOWHERE, Ending, Prefix

NONE: list[Ending] = []
New = tuple[Prefix, int, Ending | None, Prefix, int, float]
"""A beam to be: parent, symbol, the word that ends or None, the node it was read from, arc, ratio."""


class Frontier:
    """nodes, heaviest first, with the weight of all alignments that end in a blank, and of the `others`.

    root    the word node before which nothing can change;  frame  frames so far
    offset  natural logarithm of the unit of all weights
    """

    def __init__(self, grammar: Grammar, separator: int, beam: int, prune_nats: float):
        self.grammar, self._separator, self.width = grammar, separator, beam
        self._least = math.exp(-prune_nats)
        self._symbols = len(grammar.symbols)
        self._closed, self._fans, self._ends = grammar.closed, grammar.fans, grammar.ends
        self.root = Prefix(None, None, separator, 0)
        self.root.state = grammar.start()
        self.root.slot = 0
        if grammar.closed:
            self.root.fan = grammar.fans[0]
        self.nodes, self.blanks, self.others = [self.root], [1.0], [0.0]
        self.offset = 0.0
        self.frame = 0
        self._settled = True  # does every beam end in a blank?

    def rest(self) -> None:
        """A blank and nothing else."""
        if not self._settled:
            self.blanks = [b + o for b, o in zip(self.blanks, self.others, strict=True)]
            self.others = [0.0] * len(self.blanks)
            self._settled = True

    def step(self, row: list[float], symbols: list[int]) -> bool:
        """One frame: `row` (V + 1,) probabilities, 0 where not tried; `symbols` those to try, likeliest
        first.

        False, with nothing changed, when no beam can follow.
        """
        nodes, blanks, others = self.nodes, self.blanks, self.others
        grammar, width, separator, frame = self.grammar, self.width, self._separator, self.frame
        totals = [b + o for b, o in zip(blanks, others, strict=True)]
        silent, heaviest = row[0], totals[0]

        # Beams that stay: a blank, a repeat of the last symbol, or that symbol on a beam that is one shorter.
        scores, stays = [], []
        for node, total, other in zip(nodes, totals, others, strict=True):
            p = row[node.last]
            if not p:
                stays.append(0.0)
                scores.append(total * silent)
                continue
            if node.home is None:  # separators in a row are one
                other = total * p
            else:
                other *= p
                slot = node.parent.slot  # type: ignore[union-attr]
                if slot >= 0:
                    more = (blanks[slot] if node.double else totals[slot]) * p * node.ratio
                    if more > node.flow * heaviest:  # never before did as much of the search come here
                        node.flow, node.at = more / heaviest, frame
                        node.start = frame if node.parent is node.home else node.parent.start  # type: ignore[union-attr]
                    other += more
            stays.append(other)
            scores.append(total * silent + other)
        kept = len(scores)
        least = max(scores) * self._least
        if kept >= width:
            least = max(least, min(scores))
        least = least or 5e-324

        # Words that end. Two pronunciations of one word meet here.
        new: list[New] = []
        weights: list[float] = []
        p = row[separator]
        if p:
            twins: dict[tuple[Prefix, str], int] = {}
            for node, total in zip(nodes, totals, strict=True):
                home = node.home
                if home is None:
                    continue
                ends = node.ends
                if ends is None:
                    ends = node.ends = grammar.endings(node)
                for ending in ends:
                    weight = total * p * ending[1]
                    kid = home.kids.get(ending[0])
                    if kid is not None and kid.slot >= 0:
                        if weight > kid.flow * heaviest:
                            kid.flow, kid.start, kid.at = weight / heaviest, node.start, node.at
                        stays[kid.slot] += weight
                        scores[kid.slot] += weight
                    elif weight >= least:
                        place = twins.setdefault((home, ending[0]), len(new))
                        if place == len(new):
                            new.append((home, separator, ending, node, 0, 1.0))
                            weights.append(weight)
                        else:
                            weights[place] += weight

        # Words that go on, from the heaviest beam down.
        arcs, closed, ratios = grammar.arcs, grammar.closed, grammar.ratios
        if p:
            symbols = [symbol for symbol in symbols if symbol != separator]
        top = row[symbols[0]] if symbols else 0.0
        several, refresh = len(symbols), 3
        for node, total, blank in zip(nodes, totals, blanks, strict=True):
            if total * top < least:
                break
            if len(weights) > refresh and kept + len(weights) > width:
                refresh = len(weights) + 5
                least = max(least, sorted(scores + weights)[-width])
            enough, last, kids, base = least / total, node.last, node.kids, node.base
            fan = node.fan  # the few symbols a lexicon allows here, else those of the frame
            for symbol in fan if len(fan) < several and closed else symbols:
                p = row[symbol]
                if p < enough:
                    continue
                weight = (blank if symbol == last else total) * p
                arc, ratio = 0, 1.0
                if arcs is not None:
                    found = arcs.get(base + symbol)
                    if found is not None:
                        arc, ratio = found, ratios[found]
                        weight *= ratio
                    elif closed:
                        continue
                    else:
                        arc = NOWHERE
                        if base >= 0:
                            ratio = grammar.astray
                            weight *= ratio
                if weight < least or (symbol in kids and kids[symbol].slot >= 0):
                    continue
                new.append((node, symbol, None, node, arc, ratio))
                weights.append(weight)
        return self._choose(scores, stays, silent, totals, new, weights, heaviest)

    def _choose(
        self,
        scores: list[float],
        stays: list[float],
        silent: float,
        totals: list[float],
        new: list[New],
        weights: list[float],
        heaviest: float,
    ) -> bool:
        """The heaviest of those that stay and those that are new become the beams, heaviest first."""
        kept = len(scores)
        scores += weights
        order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
        best = scores[order[0]]
        if not best:
            return False
        least = best * self._least
        old = self.nodes
        nodes: list[Prefix] = []
        blanks: list[float] = []
        others: list[float] = []
        taken = 0
        for i in order[: self.width]:
            weight = scores[i]
            if weight < least:
                break
            if i < kept:
                node = old[i]
                blanks.append(totals[i] * silent)
                others.append(stays[i])
            else:
                node = self._grow(*new[i - kept], weight / heaviest)
                blanks.append(0.0)
                others.append(weight)
            node.slot = taken
            nodes.append(node)
            taken += 1
        gone = [old[i] for i in order[taken:] if i < kept]
        for node in gone:
            node.slot = -1
        for node in gone:
            node.release()
        if best < 1e-60:  # a power of two: nothing is rounded
            _, shift = math.frexp(best)
            blanks = [math.ldexp(b, -shift) for b in blanks]
            others = [math.ldexp(o, -shift) for o in others]
            self.offset += shift * math.log(2)
        self.nodes, self.blanks, self.others = nodes, blanks, others
        self._settled = False
        return True

    def _grow(
        self,
        parent: Prefix,
        symbol: int,
        ending: Ending | None,
        source: Prefix,
        arc: int,
        ratio: float,
        flow: float,
    ) -> Prefix:
        """The node of a beam that is new, or is again a beam after only longer ones were."""
        frame = self.frame
        if ending is None:
            node = parent.kids.get(symbol)
            home = parent.home
            if node is None:
                node = Prefix(parent, parent if home is None else home, symbol, arc * self._symbols)
                node.ratio = ratio
                if self._closed:
                    node.fan = self._fans[arc]
                    if arc not in self._ends:
                        node.ends = NONE
                node.double = parent.last == symbol
                parent.kids[symbol] = node
            if flow > node.flow:
                node.flow, node.at, node.start = flow, frame, frame if home is None else parent.start
            return node
        word, _, state, lm = ending
        node = parent.kids.get(word)
        if node is None:
            node = Prefix(parent, None, symbol, 0)
            node.fan = self.root.fan
            node.word, node.state, node.lm = word, state, lm
            parent.kids[word] = node
        if flow > node.flow:
            node.flow, node.at, node.start = flow, source.at, source.start
        return node

    def keep(self, word: Prefix) -> None:
        """Drop every beam that does not have this word node behind it, and cut off what is before it."""
        old = self.nodes
        keep = [i for i, node in enumerate(old) if node.follows(word)]
        self.nodes = [old[i] for i in keep]
        self.blanks = [self.blanks[i] for i in keep]
        self.others = [self.others[i] for i in keep]
        for node in old:
            node.slot = -1
        for i, node in enumerate(self.nodes):
            node.slot = i
        for node in old:
            if node.slot < 0:
                node.release()
        before, word.parent, self.root = word.parent, None, word
        if before is not None:
            del before.kids[word.word]
            before.release()
