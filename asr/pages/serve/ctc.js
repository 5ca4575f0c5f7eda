// From log-probs to words, as asr/decoding does: greedy search, alignment, confidence, and the segments of files.

const BLANK = 0;
const WORD_START = "\u2581"; // of a sub-word that begins a word

function best(row) {
  let place = 0;
  for (let k = 1; k < row.length; k += 1) if (row[k] > row[place]) place = k;
  return place;
}

/** The best path, with repeats merged and blanks dropped: tokens {number, start, end, log_prob}. */
export function greedy(rows) {
  const tokens = [];
  let last = null;
  rows.forEach((row, frame) => {
    const number = best(row);
    if (last?.number !== number) {
      last = { number, start: frame, end: frame, log_prob: -Infinity };
      if (number !== BLANK) tokens.push(last);
    }
    last.end = frame + 1;
    last.log_prob = Math.max(last.log_prob, row[number]);
  });
  return tokens;
}

/** Greedy decoding as a search, with the methods that every search has. */
export class GreedySearch {
  start() {
    return new GreedyStream();
  }
}

class GreedyStream {
  constructor() {
    this.rows = [];
  }

  feed(rows) {
    this.rows.push(...rows);
  }

  best() {
    return greedy(this.rows);
  }

  /** The number of tokens on which all texts agree: there is only one. */
  agreed() {
    return this.best().length;
  }

  commit() {}

  finish() {
    return this.best();
  }
}

/** The frames of given tokens on their likeliest path. */
export function align(rows, numbers) {
  const count = 2 * numbers.length + 1; // state 2 i + 1 is token i, with blanks around it
  const moves = rows.map(() => new Uint8Array(count));
  let before = new Float64Array(count).fill(-Infinity), after = new Float64Array(count);
  before[0] = 0;
  rows.forEach((row, frame) => {
    for (let state = 0; state < count; state += 1) {
      let highest = before[state], move = 0;
      if (state >= 1 && before[state - 1] > highest) [highest, move] = [before[state - 1], 1];
      const token = state & 1 ? numbers[state >> 1] : BLANK;
      if (state & 1 && state >= 3 && before[state - 2] > highest && token !== numbers[(state >> 1) - 1]) [highest, move] = [before[state - 2], 2];
      after[state] = highest + row[token];
      moves[frame][state] = move;
    }
    [before, after] = [after, before];
  });
  let state = count > 1 && before[count - 1] <= before[count - 2] ? count - 2 : count - 1;
  const tokens = numbers.map((number) => ({ number, start: 0, end: 0, log_prob: -Infinity }));
  for (let frame = rows.length - 1; frame >= 0; frame -= 1) {
    if (state & 1) {
      const token = tokens[state >> 1];
      token.start = frame;
      token.end ||= frame + 1;
      token.log_prob = Math.max(token.log_prob, rows[frame][token.number]);
    }
    state -= moves[frame][state];
  }
  return tokens;
}

/** The tokens' log-probs after temperature scaling. */
export function tempered(tokens, rows, temperature) {
  if (temperature === 1) return tokens;
  return tokens.map((token) => {
    const scaled = rows.slice(token.start, token.end).map((row) => {
      const highest = Math.max(...row) / temperature;
      const sum = row.reduce((total, value) => total + Math.exp(value / temperature - highest), 0);
      return row[token.number] / temperature - highest - Math.log(sum);
    });
    return { ...token, log_prob: Math.max(...scaled) };
  });
}

/** What the numbers of tokens mean. */
export class Tokenizer {
  constructor({ type, alphabet, pieces }) {
    this.isSubwords = type === "subwords";
    this.pieces = this.isSubwords ? pieces : [...alphabet];
    this.size = this.pieces.length + 1;
  }

  text(tokens) {
    const text = tokens.map((token) => this.pieces[token.number - 1]).join("");
    return this.isSubwords ? text.replaceAll(WORD_START, " ").replace(/^ /, "") : text;
  }

  /** The words: spans [first, last + 1] of positions. */
  words(tokens) {
    const spans = [];
    let first = null;
    const end = (place) => {
      if (first !== null && this.text(tokens.slice(first, place))) spans.push([first, place]);
    };
    tokens.forEach((token, place) => {
      const piece = this.pieces[token.number - 1];
      if (this.isSubwords && (place === 0 || piece.startsWith(WORD_START))) {
        end(place);
        first = place;
      } else if (!this.isSubwords && piece === " ") {
        end(place);
        first = null;
      } else first ??= place;
    });
    end(tokens.length);
    return spans;
  }
}

/** Words with times and confidence. */
export function toWords(tokens, tokenizer, shift, duration) {
  return tokenizer.words(tokens).map(([first, last]) => ({
    text: tokenizer.text(tokens.slice(first, last)),
    start_s: tokens[first].start * shift,
    end_s: Math.min(tokens[last - 1].end * shift, duration),
    confidence: Math.exp(tokens.slice(first, last).reduce((sum, token) => sum + token.log_prob, 0) / (last - first)),
  }));
}

/** Decodes the log-probs of a recording, which is cut between words: a segment without speech yields no words. */
export class FileDecoder {
  constructor(settings, search) {
    Object.assign(this, { settings, search, tokenizer: new Tokenizer(settings.tokenizer), rows: [], first: 0 });
  }

  /** The tokens that the next frames complete. */
  *feed(rows) {
    this.rows.push(...rows);
    const { segment_frames: limit } = this.settings;
    while (this.rows.length > limit) yield* this.segment(this.cut(this.rows.slice(0, limit + 1), Math.max(1, Math.floor(limit / 3))));
  }

  *finish() {
    yield* this.segment(this.rows.length);
  }

  *segment(count) {
    const rows = this.rows.splice(0, count);
    const stream = this.search.start();
    stream.feed(rows);
    const tokens = tempered(stream.finish(), rows, this.settings.temperature);
    const words = toWords(tokens, this.tokenizer, 1, Infinity);
    const sum = words.reduce((total, word) => total + word.confidence, 0);
    if (!words.length || sum / words.length >= this.settings.min_confidence) {
      yield tokens.map((token) => ({ ...token, start: token.start + this.first, end: token.end + this.first }));
    }
    this.first += count;
  }

  /** The best frame to cut at: in the longest pause, or at the likeliest blank. */
  cut(rows, low) {
    const tokens = greedy(rows);
    const spans = this.tokenizer.words(tokens);
    const starts = [...spans.map(([first]) => tokens[first].start), rows.length];
    const ends = [0, ...spans.map(([, last]) => tokens[last - 1].end)];
    let longest = -1, place = null;
    starts.forEach((start, k) => {
      const middle = Math.floor((start + ends[k]) / 2);
      if (start > ends[k] && middle >= low && start - ends[k] >= longest) [longest, place] = [start - ends[k], middle];
    });
    if (place !== null) return place;
    let blank = low;
    for (let frame = low; frame < rows.length; frame += 1) if (rows[frame][BLANK] > rows[blank][BLANK]) blank = frame;
    return blank;
  }
}
