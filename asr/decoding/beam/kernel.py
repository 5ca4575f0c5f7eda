"""Compiled CTC prefix beam search (numba).

A hypothesis is a prefix: the tokens so far, without blanks and repeats. All its paths are summed, those that end in a
blank apart from the others, because a token after itself is a new one only across a blank (Graves 2012; Hannun et al.
2014, "First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs"). Prefixes are the
nodes of a tree, so that equal prefixes are the same number: what stays in the beam and what grows from a shorter prefix
meet by looking up a slot, and nothing is compared or hashed. All logarithms are natural.
"""

from pathlib import Path

import numpy as np

from asr.decoding.beam.pruning import PREFIX, Beam, Pruning, best_of_future, keep_best, lowest, remember
from asr.decoding.beam.rules import Record, Rules, future, grow, judge
from asr.decoding.beam.tree import child_of
from asr.decoding.compiled import compiled, njit_noalloc
from asr.lm.lookup import advance


@njit_noalloc
def plus(a: float, b: float) -> float:
    """ln(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    if b < a - 40:  # nothing is left of b in double precision
        return a
    return a if a == -np.inf else a + np.log1p(np.exp(b - a))


@compiled
def likeliest_tokens(rules: Rules, pruning: Pruning, row: np.ndarray, tokens: np.ndarray) -> tuple[int, int]:
    """Fill `tokens` with those by which prefixes may grow in a frame; returns how many, and how many end no word.

    Those that end no word stand first, and within both groups the likeliest.
    """
    count = 0
    for token in range(1, len(row)):
        log_prob = row[token]
        if log_prob < pruning.token_threshold or (count == pruning.tokens and log_prob <= row[tokens[count - 1]]):
            continue
        place = min(count, pruning.tokens - 1)
        while place > 0 and row[tokens[place - 1]] < log_prob:
            tokens[place] = tokens[place - 1]
            place -= 1
        tokens[place] = token
        count = min(count + 1, pruning.tokens)
    num_inside, ending = 0, tokens[:count].copy()
    for place in range(count):
        token = tokens[place]
        if rules.spelling.ends_word[token]:
            ending[place - num_inside] = token
        else:
            tokens[num_inside] = token
            num_inside += 1
    tokens[num_inside:count] = ending[: count - num_inside]
    return count, num_inside


@njit_noalloc
def stay(beam: Beam, nodes: Record, row: np.ndarray, found: Record, is_there: np.ndarray) -> float:
    """The prefixes of the beam after a frame with a blank or their last token again; returns the best score.

    What their parents add by growing into them is in it, and `is_there` tells which parents need not: (slot, token).
    """
    best = -np.inf
    for slot in range(beam.counts[0]):
        old, new = beam.prefixes[slot], found[slot]
        node = nodes[old.node]
        new.node, new.token = old.node, -1
        new.blank, new.other = old.total + row[0], -np.inf
        if old.node != 0:
            new.other = old.other + row[node.token]
            parent = nodes[node.parent]
            if parent.slot >= 0:
                is_there[parent.slot, node.token] = True
                above = beam.prefixes[parent.slot]
                repeats = node.parent != 0 and parent.token == node.token
                new.other = plus(new.other, (above.blank if repeats else above.total) + row[node.token])
        new.total = plus(new.blank, new.other)
        new.score = new.total + node.settled + node.pending
        new.future = future(node.letters, node.length, node.hot, node.state, node.token)
        best = max(best, new.score)
    return best


@njit_noalloc
def extend(  # noqa: PLR0917 - arrays of its caller's, which allocates them once
    rules: Rules,
    pruning: Pruning,
    beam: Beam,
    nodes: Record,
    row: np.ndarray,
    tokens: np.ndarray,
    num_inside: int,
    found: Record,
    is_there: np.ndarray,
    best: float,
    scratch: np.ndarray,
) -> int:
    """Add to those that stay the prefixes that grow by one of `tokens`; returns how many are worth keeping.

    What cannot come among the `width` best is left out early: before its word is looked up where a bound tells, and
    whenever twice as many as that have been found.
    """
    count = beam.counts[0]
    cut = best - pruning.threshold
    if count == pruning.width:
        cut = max(cut, lowest(found[:count]))
    for slot in range(beam.counts[0]):
        old = beam.prefixes[slot]
        node = nodes[old.node]
        last = node.token if old.node != 0 else -1
        floor = rules.floor + (node.length + 1) * rules.floor_letter
        inside = node.settled + max(node.pending, floor) + rules.reach
        ending = node.settled + rules.gain
        place = 0
        while place < len(tokens):
            token = tokens[place]
            ends_word = rules.spelling.ends_word[token]
            if not old.total + row[token] + (ending if ends_word else inside) > cut:
                place = len(tokens) if ends_word else num_inside
                continue
            place += 1
            if is_there[slot, token]:
                continue
            sound = (old.blank if token == last else old.total) + row[token]
            letters, length, hot, state, settled, pending = grow(rules, node, token)
            score = sound + settled + pending
            if not score > cut:
                continue
            if count == len(found):
                count = keep_best(found, count, pruning.width, scratch)
                cut = max(cut, lowest(found[:count]))
            new = found[count]
            new.node, new.token, new.score = old.node, token, score
            new.blank, new.other, new.total = -np.inf, sound, sound
            new.future = future(letters, length, hot, state, token)
            count += 1
            cut = max(cut, score - pruning.threshold)
            best = max(best, score)

    worth = 0
    for place in range(count):
        if found[place].score >= best - pruning.threshold:
            found[worth] = found[place]
            worth += 1
    return keep_best(found, worth, pruning.width, scratch)


@compiled
def search(rules: Rules, pruning: Pruning, beam: Beam, nodes: Record, log_probs: np.ndarray) -> int:
    """Go on by as many frames as there is room for new nodes; returns their number. Shape: log_probs (T, V)"""
    num_frames, size = log_probs.shape
    row, tokens = np.empty(size), np.empty(size, np.int32)
    found, scratch = np.empty(2 * pruning.width, PREFIX), np.empty(2 * pruning.width)
    is_there = np.zeros((pruning.width, size), np.bool_)
    table = np.empty(2 << int(np.log2(pruning.width) + 1), np.int32)
    best_place = np.arange(pruning.width)

    for frame in range(num_frames):
        if beam.counts[1] + pruning.width > len(nodes) or beam.counts[2] + pruning.width > len(beam.merges):
            return frame
        for token in range(size):
            row[token] = log_probs[frame, token]
        num_tokens, num_inside = likeliest_tokens(rules, pruning, row, tokens)
        best = stay(beam, nodes, row, found, is_there)
        count = extend(
            rules, pruning, beam, nodes, row, tokens[:num_tokens], num_inside, found, is_there, best, scratch
        )
        if pruning.recombine:
            best_of_future(found, count, table, best_place)

        for slot in range(beam.counts[0]):
            node = nodes[beam.prefixes[slot].node]
            is_there[max(nodes[node.parent].slot, 0), node.token] = False
        for slot in range(beam.counts[0]):
            nodes[beam.prefixes[slot].node].slot = -1
        for place in range(count):
            new = found[place]
            if new.token >= 0 and (pruning.several or best_place[place] == place):
                new.node = child_of(rules, nodes, beam.counts, new.node, new.token)
        kept = 0
        for place in range(count):
            if best_place[place] == place:
                beam.prefixes[kept] = found[place]
                nodes[found[place].node].slot = kept
                kept += 1
            elif pruning.several:
                remember(beam, nodes, found[best_place[place]], found[place])
        beam.counts[0] = kept
    return num_frames


@compiled
def finish(rules: Rules, beam: Beam, nodes: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The prefixes as whole sentences: node, log-probability of all their paths, of the language model, and score.

    Prefixes of one text, which differ in a space at an end or in the pieces of a word, are one: the likeliest stands
    for all, with the sum of their paths. Where only whole words of the vocabulary may stand and no prefix is so far,
    each loses its last word.
    """
    width = beam.counts[0]
    node, paths = np.empty(width, np.int32), np.empty(width)
    lm, score = np.empty(width), np.empty(width)
    any_whole = False
    for slot in range(width):
        node[slot], paths[slot] = beam.prefixes[slot].node, beam.prefixes[slot].total
        judge(rules, nodes[node[slot]])
        any_whole |= nodes[node[slot]].next_settled > -np.inf
    likeliest = paths.copy()
    for slot in range(width):
        end = nodes[node[slot]]
        while not any_whole and end.next_settled == -np.inf:
            node[slot] = end.parent
            end = nodes[node[slot]]
            judge(rules, end)
        for other in range(slot):
            if nodes[node[other]].text == end.text and score[other] > -np.inf:
                if likeliest[slot] > likeliest[other]:
                    node[other], likeliest[other] = node[slot], likeliest[slot]
                score[other] -= paths[other]
                paths[other] = plus(paths[other], paths[slot])
                score[other] += paths[other]
                paths[slot] = -np.inf
                break
        lm[slot] = end.next_lm
        settled = end.next_settled
        if rules.has_ngram:
            log_prob, _ = advance(rules.ngram, int(end.next_state), int(rules.end))
            lm[slot] += log_prob
            settled += rules.lm_weight * log_prob
        score[slot] = paths[slot] + settled
    return node, paths, lm, score


def is_compiled() -> bool:
    """Whether this process or an earlier one, whose work numba kept, has compiled the search."""
    folder = search.stats.cache_path
    name = f"kernel.{search.py_func.__name__}-*.nbi"
    return bool(search.signatures) or (folder is not None and any(Path(folder).glob(name)))
