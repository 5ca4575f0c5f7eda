// An n-gram language model as a trie in flat arrays (asr/lm/trie.py), and the words that it knows as a trie of letters.

export class Ngram {
  /** `content` (an ArrayBuffer): a line of JSON with the lengths of what follows, the words, and the arrays. */
  constructor(content) {
    const bytes = new Uint8Array(content);
    const end = bytes.indexOf(10);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
    let place = header.start;
    const next = (kind, count) => {
      const array = new kind(content, place, count);
      place += array.byteLength;
      return array;
    };
    this.word = next(Int32Array, header.nodes);
    this.logProb = next(Float32Array, header.nodes);
    this.backoff = next(Float32Array, header.contexts);
    this.firstChild = next(Int32Array, header.contexts + 1);
    this.words = new TextDecoder().decode(bytes.subarray(place)).split("\n");
    [this.unknown, this.end] = [this.words.indexOf("<unk>"), this.words.indexOf("</s>")];
    this.link();
    this.start = this.stateOf(this.words.indexOf("<s>") + 1);
  }

  /** Compute the suffixes: where a node backs off to. */
  link() {
    const { word, backoff, firstChild } = this;
    const longest = new Int32Array(word.length); // the longest proper suffix in the trie
    for (let node = 0; node < backoff.length; node += 1) {
      for (let child = firstChild[node]; child < firstChild[node + 1]; child += 1) {
        if (node === 0) continue; // a single word backs off to nothing
        let context = longest[node], found = this.child(context, word[child]);
        while (found < 0 && context !== 0) {
          context = longest[context];
          found = this.child(context, word[child]);
        }
        longest[child] = Math.max(found, 0);
      }
    }
    const matters = (node) => node < backoff.length && (firstChild[node + 1] > firstChild[node] || backoff[node] !== 0);
    this.suffix = longest; // shortened in place: a suffix comes before its node
    for (let node = 1; node < longest.length; node += 1) {
      let suffix = longest[node];
      while (suffix !== 0 && !matters(suffix)) suffix = longest[suffix];
      longest[node] = suffix;
    }
  }

  /** The first child of a node whose word is at least `word`. */
  childFrom(node, word) {
    let low = this.firstChild[node], high = this.firstChild[node + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.word[middle] < word) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The child of a node for a word; -1 if there is none. */
  child(node, word) {
    if (node >= this.backoff.length) return -1;
    const child = this.childFrom(node, word);
    return child < this.firstChild[node + 1] && this.word[child] === word ? child : -1;
  }

  stateOf(node) {
    const matters = node < this.backoff.length && (this.firstChild[node] < this.firstChild[node + 1] || this.backoff[node] !== 0 || node === 0);
    return matters ? node : this.suffix[node];
  }

  /** The log-probability of a word after a state, and the next state. */
  advance(state, word) {
    let logProb = 0;
    for (let at = state; at !== 0; at = this.suffix[at]) {
      const child = this.child(at, word);
      if (child >= 0) return [logProb + this.logProb[child], this.stateOf(child)];
      logProb += this.backoff[at];
    }
    return [logProb + this.logProb[word + 1], this.stateOf(word + 1)];
  }
}

/** A trie of words, which are sorted; its nodes are numbered breadth-first, so that children follow one another. */
export class Lexicon {
  /** `scores`: of each word, of which a node has the best below it. Words with other letters are left out. */
  constructor(words, scores, alphabet) {
    const letters = new Set(alphabet);
    const known = [];
    words.forEach((word, number) => {
      const spelled = [...word];
      if (spelled.length && spelled.every((letter) => letters.has(letter))) known.push([spelled, number]);
    });
    this.size = known.length;
    [this.firstChild, this.letter, this.word, this.range, this.best] = [[], [""], [-1], [[0, 0]], [-Infinity]];
    let level = [[0, known.length]]; // of each node, the words that begin with its letters
    for (let depth = 0; level.length; depth += 1) {
      const below = [];
      for (const [first, last] of level) {
        this.firstChild.push(this.letter.length);
        let start = first + (last > first && known[first][0].length === depth ? 1 : 0); // the word that ends here
        while (start < last) {
          const letter = known[start][0][depth];
          let stop = start + 1;
          while (stop < last && known[stop][0][depth] === letter) stop += 1;
          this.letter.push(letter.codePointAt(0));
          this.word.push(known[start][0].length === depth + 1 ? known[start][1] : -1);
          this.range.push([known[start][1], known[stop - 1][1] + 1]);
          this.best.push(known.slice(start, stop).reduce((best, [, number]) => Math.max(best, scores(number)), -Infinity));
          below.push([start, stop]);
          start = stop;
        }
      }
      level = below;
    }
    this.firstChild.push(this.letter.length);
  }

  /** The child of a node for a letter, a code point; -1 if no word continues so. */
  spell(node, letter) {
    if (node < 0) return -1;
    for (let child = this.firstChild[node]; child < this.firstChild[node + 1]; child += 1) if (this.letter[child] === letter) return child;
    return -1;
  }
}
