"""Compiled CTC prefix beam search (numba).

A hypothesis is a prefix: the tokens so far, without blanks and repeats. The probabilities of all its paths are summed,
separately for paths that end in a blank and for the others, because a repeated token is a new one only after a blank
(Graves 2012; Hannun et al. 2014, "First-pass large vocabulary continuous speech recognition using bi-directional
recurrent DNNs"). Prefixes are nodes of a tree, so that equal prefixes have the same node number: a prefix that stays in
the beam and the same prefix reached by extension are merged through its slot, without comparing or hashing tokens. All
logarithms are natural.
"""

from pathlib import Path

import numpy as np

from asr.compiled import compiled, njit_noalloc
from asr.decoding.beam.pruning import PREFIX, Beam, Pruning, best_per_key, highest, keep_best, lowest, record_merge
from asr.decoding.beam.rules import (
    Record,
    Rules,
    extended,
    mixed,
    num_choices,
    recombination_key,
    score_word_end,
    word_at,
)
from asr.decoding.beam.tree import child_of
from asr.lm.lookup import advance
from asr.text import BOUNDARY


@njit_noalloc
def log_add(a: float, b: float) -> float:
    """ln(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    if b < a - 40:  # b vanishes in double precision
        return a
    return a if a == -np.inf else a + np.log1p(np.exp(b - a))


@compiled
def likeliest_tokens(
    rules: Rules, pruning: Pruning, threshold: float, row: np.ndarray, tokens: np.ndarray
) -> tuple[int, int]:
    """Fill `tokens` with the candidates to extend prefixes by; return their number and that of those inside a word.

    These are the likeliest with a log-probability of `threshold` or more.

    Tokens that do not end a word come first; both groups are sorted by descending probability.
    """
    count = 0
    for token in range(1, len(row)):
        log_prob = row[token]
        if log_prob < threshold or (count == pruning.tokens and log_prob <= row[tokens[count - 1]]):
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
def stay(beam: Beam, nodes: Record, row: np.ndarray, candidates: Record, is_merged: np.ndarray) -> float:
    """Advance the prefixes of the beam by a blank or a repeat of their last token; return the best score.

    Also adds the paths of parents in the beam that are extended to them, and marks these (slot, token) in `is_merged`.
    """
    best = -np.inf
    for slot in range(beam.counts[0]):
        old, new = beam.prefixes[slot], candidates[slot]
        node = nodes[old.node]
        new.node, new.token = old.node, -1
        new.blank, new.other = old.total + row[0], -np.inf
        if old.node != 0:
            new.other = old.other + row[node.token]
            parent = nodes[node.parent]
            if parent.slot >= 0:
                is_merged[parent.slot, node.token] = True
                above = beam.prefixes[parent.slot]
                repeats = node.parent != 0 and parent.token == node.token
                new.other = log_add(new.other, (above.blank if repeats else above.total) + row[node.token])
        new.total = log_add(new.blank, new.other)
        new.score = new.total + node.settled + node.pending
        new.key = recombination_key(node.letters, node.length, node.hot, node.state, node.token)
        best = max(best, new.score)
    return best


@njit_noalloc
def extend(  # noqa: PLR0917 - work arrays that the caller allocates once
    rules: Rules,
    pruning: Pruning,
    beam: Beam,
    nodes: Record,
    row: np.ndarray,
    tokens: np.ndarray,
    num_inside: int,
    candidates: Record,
    is_merged: np.ndarray,
    best: float,
    scratch: np.ndarray,
) -> int:
    """Append the prefixes extended by each of `tokens` to those that stay; return the number that survives pruning.

    Candidates that cannot be among the `width` best are pruned early: before the look-up of their word if an upper
    bound on their score rules them out, and whenever there are 2 * `width` candidates.
    """
    count = beam.counts[0]
    cut = best - pruning.threshold
    if count == pruning.width:
        cut = max(cut, lowest(candidates[:count]))
    for slot in range(beam.counts[0]):
        old = beam.prefixes[slot]
        node = nodes[old.node]
        last = node.token if old.node != 0 else -1
        min_pending = rules.min_pending + (node.length + 1) * rules.min_pending_per_letter
        max_inside = node.settled + max(node.pending, min_pending) + rules.max_boost_step
        max_ending = node.settled + rules.max_gain
        place = 0
        while place < len(tokens):
            token = tokens[place]
            ends_word = rules.spelling.ends_word[token]
            if not old.total + row[token] + (max_ending if ends_word else max_inside) > cut:
                place = len(tokens) if ends_word else num_inside
                continue
            place += 1
            if is_merged[slot, token]:
                continue
            ctc = (old.blank if token == last else old.total) + row[token]
            letters, length, hot, state, settled, pending = extended(rules, node, token)
            score = ctc + settled + pending
            if not score > cut:
                continue
            if count == len(candidates):
                count = keep_best(candidates, count, pruning.width, scratch)
                cut = max(cut, lowest(candidates[:count]))
            new = candidates[count]
            new.node, new.token, new.score = old.node, token, score
            new.blank, new.other, new.total = -np.inf, ctc, ctc
            new.key = recombination_key(letters, length, hot, state, token)
            count += 1
            cut = max(cut, score - pruning.threshold)
            best = max(best, score)

    num_kept = 0
    for place in range(count):
        if candidates[place].score >= best - pruning.threshold:
            candidates[num_kept] = candidates[place]
            num_kept += 1
    return keep_best(candidates, num_kept, pruning.width, scratch)


@compiled
def advance_beam(  # noqa: PLR0917 - as above
    rules: Rules,
    pruning: Pruning,
    beam: Beam,
    nodes: Record,
    row: np.ndarray,
    tokens: np.ndarray,
    candidates: Record,
    is_merged: np.ndarray,
    scratch: np.ndarray,
) -> int:
    """Fill `candidates` with the prefixes after a frame; return their number.

    If even the best of them loses more than the token threshold, all tokens are tried: without them, prefixes that have
    all begun a word which does not go on like the sound would stay as they are to the end.
    """
    count, least = 0, highest(beam.prefixes[: beam.counts[0]]) + pruning.token_threshold
    for threshold in (pruning.token_threshold, -np.inf):
        num_tokens, num_inside = likeliest_tokens(rules, pruning, threshold, row, tokens)
        best = stay(beam, nodes, row, candidates, is_merged)
        count = extend(
            rules, pruning, beam, nodes, row, tokens[:num_tokens], num_inside, candidates, is_merged, best, scratch
        )
        if highest(candidates[:count]) >= least:
            break
    return count


@compiled
def search(rules: Rules, pruning: Pruning, beam: Beam, nodes: Record, log_probs: np.ndarray) -> int:
    """Process as many frames as the tree has room for; return their number. Shape: log_probs (T, V)"""
    num_frames, columns = log_probs.shape
    size = len(rules.spelling.choice)
    row, tokens = np.empty(size), np.empty(size, np.int32)
    candidates, scratch = np.empty(2 * pruning.width, PREFIX), np.empty(2 * pruning.width)
    is_merged = np.zeros((pruning.width, size), np.bool_)
    table = np.empty(2 << int(np.log2(pruning.width) + 1), np.int32)
    best_place = np.arange(pruning.width)

    for frame in range(num_frames):
        if beam.counts[1] + pruning.width > len(nodes) or beam.counts[2] + pruning.width > len(beam.merges):
            return frame
        for token in range(columns):
            row[token] = log_probs[frame, token]
        for token in range(columns, size):  # the boundary after another homophone
            row[token] = row[BOUNDARY]
        count = advance_beam(rules, pruning, beam, nodes, row, tokens, candidates, is_merged, scratch)
        if pruning.recombine:
            best_per_key(candidates, count, table, best_place)

        for slot in range(beam.counts[0]):
            node = nodes[beam.prefixes[slot].node]
            is_merged[max(nodes[node.parent].slot, 0), node.token] = False
        for slot in range(beam.counts[0]):
            nodes[beam.prefixes[slot].node].slot = -1
        for place in range(count):
            new = candidates[place]
            if new.token >= 0 and (pruning.several or best_place[place] == place):
                new.node = child_of(rules, nodes, beam.counts, new.node, new.token)
        num_kept = 0
        for place in range(count):
            if best_place[place] == place:
                beam.prefixes[num_kept] = candidates[place]
                nodes[candidates[place].node].slot = num_kept
                num_kept += 1
            elif pruning.several:
                record_merge(beam, nodes, candidates[best_place[place]], candidates[place])
        beam.counts[0] = num_kept
    return num_frames


@njit_noalloc
def sentence_end(rules: Rules, node: Record, choice: int) -> tuple[float, float]:
    """The score without the audio, and the LM log-probability, of a prefix whose last word and sentence end here."""
    score_word_end(rules, node, choice)
    if not rules.has_ngram:
        return node.next_settled, node.next_lm
    log_prob, _ = advance(rules.ngram, int(node.next_state), int(rules.end))
    return node.next_settled + rules.lm_weight * log_prob, node.next_lm + log_prob


@compiled
def finish(
    rules: Rules, beam: Beam, nodes: Record
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Score the prefixes as sentences: node, choice of the last word, CTC and LM log-probability, and score.

    There is one entry for each homophone of the last word. Entries with the same text, which differ in a
    leading or trailing space, in the segmentation into subwords, or in a pronunciation, are merged into the likeliest,
    and their probabilities are summed. If the vocabulary is closed and every prefix ends in an unfinished word, each
    loses its last word.
    """
    width = beam.counts[0]
    ends, size, any_complete = np.empty(width, np.int32), 0, False
    for slot in range(width):
        ends[slot] = beam.prefixes[slot].node
        settled, _ = sentence_end(rules, nodes[ends[slot]], 0)
        any_complete |= settled > -np.inf
    for slot in range(width):
        settled, _ = sentence_end(rules, nodes[ends[slot]], 0)
        while not any_complete and settled == -np.inf:
            ends[slot] = nodes[ends[slot]].parent
            settled, _ = sentence_end(rules, nodes[ends[slot]], 0)
        size += num_choices(rules, nodes[ends[slot]])
    node, choice, paths = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size)
    lm, score, text = np.empty(size), np.empty(size), np.empty(size, np.uint64)
    likeliest, count = np.empty(size), 0
    for slot in range(width):
        end = nodes[ends[slot]]
        for alike in range(num_choices(rules, end)):
            node[count], choice[count] = ends[slot], alike
            paths[count] = likeliest[count] = beam.prefixes[slot].total
            settled, lm[count] = sentence_end(rules, end, alike)
            text[count] = end.text
            if rules.by_phones and end.letters > 0:
                text[count] = mixed(end.text, np.uint64(word_at(rules, end.letters, alike) + 1))
            for other in range(count):
                if text[other] == text[count] and score[other] > -np.inf:
                    if likeliest[count] > likeliest[other]:
                        node[other], choice[other], likeliest[other] = ends[slot], alike, likeliest[count]
                    score[other] -= paths[other]
                    paths[other] = log_add(paths[other], paths[count])
                    score[other] += paths[other]
                    paths[count] = -np.inf
                    break
            score[count] = paths[count] + settled
            count += 1
    return node[:count], choice[:count], paths[:count], lm[:count], score[:count]


def is_cached() -> bool:
    """Whether numba found a folder for its cache."""
    return search.stats.cache_path is not None


def is_compiled() -> bool:
    """Whether the search is compiled, in this process or in numba's cache."""
    folder = search.stats.cache_path
    name = f"kernel.{search.py_func.__name__}-*.nbi"
    return bool(search.signatures) or (folder is not None and any(Path(folder).glob(name)))
