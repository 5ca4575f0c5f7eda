// CTC prefix beam search with an n-gram language model and hot words, as asr/decoding/beam does it.
//
// A prefix is a node of a tree: the tokens so far, without blanks and repeats. The probabilities of its paths are
// summed, separately for those that end in a blank. All logarithms are natural.

import { align } from "./ctc.js";
import { Lexicon } from "./ngram.js";

const WORD_START = "\u2581"; // of a sub-word that begins a word
const CACHE = 1 << 14; // results of the look-ahead that are kept

function logAdd(a, b) {
  const [high, low] = a < b ? [b, a] : [a, b];
  return low < high - 40 || high === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
}

/** The log-probs of a frame minus `logPrior`, normalised again, as `without_prior` in Python does; unchanged for []. */
function withoutPrior(row, logPrior) {
  if (!logPrior.length) return row;
  const scaled = row.map((value, token) => value - logPrior[token]);
  const highest = Math.max(...scaled);
  const sum = highest + Math.log(scaled.reduce((total, value) => total + Math.exp(value - highest), 0));
  return scaled.map((value) => value - sum);
}

/** A trie of words that are boosted; an unfinished one gets a share in proportion to its letters so far. */
class HotWords {
  constructor(words, boost) {
    [this.children, this.boost, this.partial, this.isWord] = [[new Map()], [0], [0], [false]];
    const paths = new Set(words);
    for (const word of paths) {
      let node = 0;
      [...word].forEach((letter, place, spelled) => {
        const code = letter.codePointAt(0);
        if (!this.children[node].has(code)) {
          this.children[node].set(code, this.children.length);
          this.children.push(new Map());
          this.boost.push(0);
          this.partial.push(-Infinity);
          this.isWord.push(false);
        }
        node = this.children[node].get(code);
        this.partial[node] = Math.max(this.partial[node], ((place + 1) * boost) / spelled.length);
      });
      this.boost[node] = boost;
      this.isWord[node] = true;
    }
  }

  /** The node after a letter; -1 if no hot word continues so. */
  child(node, letter) {
    return node < 0 ? -1 : this.children[node].get(letter) ?? -1;
  }
}

export class BeamSearch {
  /** `options` are those of the Python search; `ngram` may be null. */
  constructor(settings, tokenizer, ngram) {
    const { alphabet } = settings.tokenizer;
    Object.assign(this, { options: settings.search, tokenizer, ngram });
    this.logPrior = Float32Array.from(ngram ? settings.log_prior : []);
    this.lmWeight = ngram ? this.options.lm_weight : 0;
    this.wordBonus = ngram ? this.options.word_bonus : 0;
    this.lexicon = ngram && new Lexicon(ngram.words, (word) => ngram.logProb[word + 1], alphabet);
    const letters = new Set(alphabet);
    letters.delete(" ");
    this.unknownLetter = -this.options.lm_weight * Math.log(Math.max(1, letters.size));
    const mark = tokenizer.isSubwords ? WORD_START : " ";
    const pieces = ["", ...tokenizer.pieces];
    this.endsWord = pieces.map((piece) => piece.startsWith(mark));
    this.spelling = pieces.map((piece) => [...(piece.startsWith(mark) ? piece.slice(1) : piece)].map((letter) => letter.codePointAt(0)));
    this.minPending = ngram ? this.options.unknown_score : -Infinity;
    this.setHotWords(new HotWords([], 0));
    [this.cacheKeys, this.cacheValues] = [new Float64Array(CACHE).fill(-1), new Float64Array(CACHE)];
  }

  start() {
    return new BeamStream(this);
  }

  /** The same search with other hot words, single words in the letters of the model. */
  withHotWords(words, boost) {
    const search = Object.assign(Object.create(BeamSearch.prototype), this);
    search.setHotWords(new HotWords(words, boost));
    return search;
  }

  setHotWords(hot) {
    this.hot = hot;
    const rest = Math.max(0, this.minPending);
    this.maxBoostStep = Math.max(...hot.partial) - Math.min(...hot.partial);
    this.maxGain = Math.max(0, this.wordBonus + Math.max(0, ...hot.boost) + rest) + rest + this.maxBoostStep;
    this.minPendingPerLetter = hot.partial.length > 1 ? 0 : this.unknownLetter;
  }

  /** The score of a word outside the vocabulary; the letters of a hot word cost nothing. */
  unknownWord(isHot, length) {
    return this.options.unknown_score + (isHot ? 0 : length * this.unknownLetter);
  }

  /** An upper bound on the log-probability of the words in a node of the lexicon, after a state. */
  lookahead(state, letters) {
    const key = state * this.lexicon.letter.length + letters;
    const slot = (Math.imul(state, 0x9e3779b1) ^ Math.imul(letters, 0x85ebca6b)) >>> 18;
    if (this.cacheKeys[slot] === key) return this.cacheValues[slot];
    const { ngram } = this;
    const [first, last] = this.lexicon.range[letters];
    let best = -Infinity, backoff = 0;
    for (let at = state; at !== 0; at = ngram.suffix[at]) {
      for (let child = ngram.childFrom(at, first); child < ngram.firstChild[at + 1] && ngram.word[child] < last; child += 1) {
        best = Math.max(best, backoff + ngram.logProb[child]);
      }
      backoff += ngram.backoff[at];
    }
    best = Math.max(best, backoff + this.lexicon.best[letters]);
    [this.cacheKeys[slot], this.cacheValues[slot]] = [key, best];
    return best;
  }

  /** The state and score of a prefix if its last word ends here. */
  wordEnd(node) {
    if (node.next) return node.next;
    node.next = { state: node.state, settled: node.settled };
    if (node.letters === 0) return node.next; // no word has begun
    const word = this.ngram && node.letters > 0 ? this.lexicon.word[node.letters] : -1;
    node.next.settled += this.wordBonus + (node.hot > 0 ? this.hot.boost[node.hot] : 0);
    if (this.ngram) {
      if (word < 0) node.next.settled += this.unknownWord(node.hot > 0 && this.hot.isWord[node.hot], node.length);
      const [logProb, state] = this.ngram.advance(node.state, word < 0 ? this.ngram.unknown : word);
      node.next.state = state;
      node.next.settled += this.lmWeight * logProb;
    }
    return node.next;
  }

  /** What a prefix extended by a token is: letters (node of the lexicon), length, hot, state, settled, pending. */
  extended(node, token) {
    let { letters, length, hot, state, settled, pending } = node;
    if (this.endsWord[token]) {
      ({ state, settled } = this.wordEnd(node));
      [letters, length, hot, pending] = [0, 0, 0, 0];
    }
    const spelled = this.spelling[token];
    if (!spelled.length) return { letters, length, hot, state, settled, pending };
    for (const letter of spelled) {
      letters = this.ngram ? this.lexicon.spell(letters, letter) : -1;
      hot = this.hot.child(hot, letter);
    }
    length += spelled.length;
    pending = hot > 0 ? this.hot.partial[hot] : 0;
    if (this.ngram) pending += letters < 0 ? this.unknownWord(hot > 0, length) : this.lmWeight * this.lookahead(state, letters);
    return { letters, length, hot, state, settled, pending };
  }

  /** The tokens that prefixes are extended by: those inside a word, then those that end one; each the likeliest first. */
  likeliest(row, threshold) {
    const tokens = [];
    for (let token = 1; token < row.length; token += 1) if (row[token] >= threshold) tokens.push(token);
    const best = tokens.sort((a, b) => row[b] - row[a]).slice(0, this.options.tokens);
    return [best.filter((token) => !this.endsWord[token]), best.filter((token) => this.endsWord[token])];
  }
}

/** Everything that affects the scores of a prefix's continuations. */
const keyOf = ({ letters, length, hot, state }, token) => `${letters < 0 ? -length : letters},${hot},${state},${token}`;

/** The `width` best of prefixes, in their order; ties go to the first ones. */
function keepBest(prefixes, width) {
  if (prefixes.length <= width) return prefixes;
  const cut = Float64Array.from(prefixes, (prefix) => prefix.score).sort()[prefixes.length - width];
  let ties = width - prefixes.filter((prefix) => prefix.score > cut).length;
  return prefixes.filter(({ score }) => score > cut || (score === cut && ties-- > 0));
}

const highest = (prefixes) => prefixes.reduce((score, prefix) => Math.max(score, prefix.score), -Infinity);
const lowest = (prefixes) => prefixes.reduce((score, prefix) => Math.min(score, prefix.score), Infinity);

class BeamStream {
  constructor(search) {
    const root = { parent: null, token: 0, depth: 0, slot: 0, children: new Map(), next: null, letters: 0, length: 0, hot: 0, state: search.ngram?.start ?? 0, settled: 0, pending: 0 };
    this.search = search;
    this.rows = [];
    this.beam = [{ node: root, blank: 0, other: -Infinity, total: 0, score: 0 }];
  }

  feed(rows) {
    for (const row of rows) this.frame(withoutPrior(row, this.search.logPrior));
    this.rows.push(...rows); // as the model gave them, for alignment and confidence
  }

  frame(row) {
    const { options } = this.search;
    const candidates = this.candidates(row);
    const winners = options.recombine && this.search.ngram ? bestPerKey(candidates) : candidates;
    for (const { node } of this.beam) node.slot = -1;
    this.beam = winners.map((prefix, slot) => {
      if (prefix.token >= 0) prefix.node = this.child(prefix.node, prefix.token, prefix.fields);
      prefix.node.slot = slot;
      return { node: prefix.node, blank: prefix.blank, other: prefix.other, total: prefix.total, score: prefix.score };
    });
  }

  /** The prefixes after a frame; if even the best loses more than the token threshold, all tokens are tried, as in kernel.py. */
  candidates(row) {
    const threshold = this.search.options.token_threshold;
    const isMerged = new Set(); // extensions that are in the beam already
    const least = highest(this.beam) + threshold;
    const found = this.extend(row, this.stay(row, isMerged), isMerged, threshold);
    return highest(found) >= least ? found : this.extend(row, this.stay(row, isMerged), isMerged, -Infinity);
  }

  /** The prefixes of the beam after a blank or a repeat of their last token. */
  stay(row, isMerged) {
    return this.beam.map((old) => {
      const { node } = old, { parent } = node;
      const blank = old.total + row[0];
      let other = -Infinity;
      if (parent) {
        other = old.other + row[node.token];
        if (parent.slot >= 0) {
          isMerged.add(parent.slot * row.length + node.token);
          const above = this.beam[parent.slot];
          const repeats = parent.parent && parent.token === node.token;
          other = logAdd(other, (repeats ? above.blank : above.total) + row[node.token]);
        }
      }
      const total = logAdd(blank, other);
      return { node, token: -1, blank, other, total, score: total + node.settled + node.pending, key: keyOf(node, node.token) };
    });
  }

  /** The best of the prefixes that stay and of those with one more token. */
  extend(row, kept, isMerged, tokenThreshold) {
    const { search } = this, { width, threshold } = search.options;
    const [inside, ending] = search.likeliest(row, tokenThreshold);
    let candidates = kept;
    let best = highest(kept);
    let cut = best - threshold;
    if (kept.length === width) cut = Math.max(cut, lowest(kept));
    this.beam.forEach((old, slot) => {
      const { node } = old;
      const mostInside = node.settled + Math.max(node.pending, search.minPending + (node.length + 1) * search.minPendingPerLetter) + search.maxBoostStep;
      for (const [tokens, most] of [[inside, mostInside], [ending, node.settled + search.maxGain]]) {
        for (const token of tokens) {
          if (!(old.total + row[token] + most > cut)) break; // nor can a less likely one be among the best
          if (isMerged.has(slot * row.length + token)) continue;
          const ctc = (node.parent && node.token === token ? old.blank : old.total) + row[token];
          const fields = search.extended(node, token);
          const score = ctc + fields.settled + fields.pending;
          if (!(score > cut)) continue;
          if (candidates.length === 2 * width) {
            candidates = keepBest(candidates, width);
            cut = Math.max(cut, lowest(candidates));
          }
          candidates.push({ node, token, fields, blank: -Infinity, other: ctc, total: ctc, score, key: keyOf(fields, token) });
          cut = Math.max(cut, score - threshold);
          best = Math.max(best, score);
        }
      }
    });
    return keepBest(candidates.filter((prefix) => prefix.score >= best - threshold), width);
  }

  child(parent, token, fields) {
    let node = parent.children.get(token);
    if (!node) {
      node = { ...fields, parent, token, depth: parent.depth + 1, slot: -1, children: new Map(), next: null };
      parent.children.set(token, node);
    }
    return node;
  }

  best() {
    return align(this.rows, tokensOf(this.bestNode()));
  }

  bestNode() {
    return this.beam.reduce((best, prefix) => (prefix.score > best.score ? prefix : best)).node;
  }

  /** The number of tokens with which all prefixes begin whose score is at most `margin` below the best. */
  agreed(margin) {
    const best = this.beam.reduce((score, prefix) => Math.max(score, prefix.score), -Infinity);
    let common = null;
    for (const { node, score } of this.beam) {
      if (score < best - margin) continue;
      let [one, other] = [common ?? node, node];
      while (one !== other) {
        if (one.depth >= other.depth) one = one.parent;
        else other = other.parent;
      }
      common = one;
    }
    return common.depth;
  }

  /** Drop the prefixes that do not begin with the first `count` tokens of the best one. */
  commit(count) {
    let ancestor = this.bestNode();
    while (ancestor.depth > count) ancestor = ancestor.parent;
    this.beam = this.beam.filter((prefix) => {
      let { node } = prefix;
      while (node.depth > ancestor.depth) node = node.parent;
      prefix.node.slot = -1;
      return node === ancestor;
    });
    this.beam.forEach((prefix, slot) => {
      prefix.node.slot = slot;
    });
  }

  /** The tokens of the best text if the utterance ends here. */
  finish() {
    const { search } = this;
    const texts = new Map(); // prefixes that differ in a space are the same text
    for (const { node, total } of this.beam) {
      const { state, settled } = search.wordEnd(node);
      const rest = settled + (search.ngram ? search.lmWeight * search.ngram.advance(state, search.ngram.end)[0] : 0);
      const tokens = tokensOf(node);
      const text = search.tokenizer.text(tokens.map((number) => ({ number }))).split(" ").filter(Boolean).join(" ");
      const same = texts.get(text);
      if (!same) texts.set(text, { tokens, likeliest: total, paths: total, rest });
      else {
        if (total > same.likeliest) [same.tokens, same.likeliest] = [tokens, total];
        same.paths = logAdd(same.paths, total);
      }
    }
    const best = [...texts.values()].reduce((one, other) => (other.paths + other.rest > one.paths + one.rest ? other : one));
    return align(this.rows, best.tokens);
  }
}

function bestPerKey(prefixes) {
  const best = new Map();
  for (const prefix of prefixes) if (!best.has(prefix.key) || best.get(prefix.key).score < prefix.score) best.set(prefix.key, prefix);
  return prefixes.filter((prefix) => best.get(prefix.key) === prefix);
}

function tokensOf(node) {
  const tokens = new Array(node.depth);
  for (let at = node; at.parent; at = at.parent) tokens[at.depth - 1] = at.token;
  return tokens;
}
