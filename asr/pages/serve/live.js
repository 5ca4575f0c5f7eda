// Decode live log-probs, as asr/decoding/live.py does: final words, and a tail that may change.

import { Tokenizer, tempered, toWords } from "./ctc.js";

export class LiveDecoder {
  constructor(settings, search) {
    const { rules, frame_shift_s: shift } = settings;
    const frames = (seconds) => Math.round(seconds / shift);
    Object.assign(this, { settings, search, shift, tokenizer: new Tokenizer(settings.tokenizer) });
    [this.wait, this.tail, this.silence, this.longest] = [rules.wait_s, rules.tail_s, rules.silence_s, rules.longest_s].map(frames);
    this.offset = 0; // index of the first frame of the utterance
    this.end = 0; // of the last word, in seconds
    this.begin();
  }

  get time() {
    return (this.offset + this.rows.length) * this.shift;
  }

  /** Continue with the next frames. Returns {words, tail, ends_utterance, time_s}. */
  feed(rows) {
    this.add(rows);
    const tokens = this.stream.best();
    const final = this.commit(tokens);
    const time_s = this.time;
    const spans = this.spans(tokens);
    const lastOf = spans.length ? spans.at(-1)[1] : this.committed;
    const lastEnd = lastOf ? tokens[lastOf - 1].end : 0;
    let ends_utterance = true;
    if (lastEnd && this.rows.length - lastEnd >= this.silence) final.push(...this.close());
    else if (this.rows.length >= this.longest) this.cut(tokens);
    else {
      ends_utterance = false;
      if (!lastEnd && this.rows.length >= 2 * this.silence) this.restart(this.rows.length - this.silence);
    }
    if (ends_utterance) return { words: final, tail: [], ends_utterance, time_s };
    const shown = spans.filter(([, last]) => tokens[last - 1].end + this.tail <= this.rows.length);
    const tail = shown.length ? this.words(tokens.slice(this.committed, shown.at(-1)[1])) : [];
    return { words: final, tail: this.isSure(tail) ? [...this.withheld, ...tail] : [], ends_utterance, time_s };
  }

  /** End the stream with its last frames. */
  finish(rows, duration) {
    this.add(rows);
    return { words: this.close(duration), tail: [], ends_utterance: true, time_s: duration };
  }

  add(rows) {
    this.stream.feed(rows);
    this.rows.push(...rows);
  }

  begin() {
    this.stream = this.search.start();
    [this.rows, this.committed, this.withheld, this.confidence, this.count] = [[], 0, [], 0, 0];
  }

  restart(frame) {
    const rest = this.rows.slice(frame);
    this.offset += frame;
    this.begin();
    this.add(rest);
  }

  /** The words after the final ones, as spans of tokens. */
  spans(tokens) {
    return this.tokenizer.words(tokens.slice(this.committed)).map(([first, last]) => [this.committed + first, this.committed + last]);
  }

  /** Make words final: those that all texts agree on, and those that have waited. */
  commit(tokens) {
    const { margin } = this.settings.rules;
    const first = this.committed;
    let agreed = this.stream.agreed(margin);
    for (const [, last] of this.spans(tokens)) {
      if (agreed > last) this.stream.commit(last + 1);
      else if (tokens[last - 1].end + this.wait <= this.rows.length) {
        this.stream.commit(last);
        agreed = this.stream.agreed(margin);
      } else break;
      this.committed = last;
    }
    return this.final(this.words(tokens.slice(first, this.committed)));
  }

  /** End the utterance here and begin the next one. */
  close(duration = null) {
    const words = this.final(this.words(this.stream.finish().slice(this.committed), duration));
    this.offset += this.rows.length;
    this.begin();
    return words;
  }

  /** End the utterance after its last final word; what follows begins the next one. */
  cut(tokens) {
    const end = this.committed ? tokens[this.committed - 1].end : 0;
    const spans = this.spans(tokens);
    const start = spans.length ? tokens[spans[0][0]].start : this.rows.length;
    this.restart(Math.max(Math.floor((end + start) / 2), start - this.silence));
  }

  /** Tokens as words with times of the stream, after the last final one. */
  words(tokens, duration = null) {
    if (!tokens.length) return [];
    const moved = tempered(tokens, this.rows, this.settings.temperature).map((token) => ({ ...token, start: token.start + this.offset, end: token.end + this.offset }));
    const limit = duration ?? this.time;
    let before = this.end;
    return toWords(moved, this.tokenizer, this.shift, limit).map((word) => {
      const start_s = Math.min(Math.max(word.start_s, before), limit);
      before = Math.max(word.end_s, start_s);
      return { ...word, start_s, end_s: before };
    });
  }

  /** Take final words; return those up to which the mean confidence of the utterance is high enough. */
  final(words) {
    const ready = [];
    for (const word of words) {
      this.end = word.end_s;
      this.withheld.push(word);
      this.confidence += word.confidence;
      this.count += 1;
      if (this.confidence >= this.settings.min_confidence * this.count) ready.push(...this.withheld.splice(0));
    }
    return ready;
  }

  isSure(tail) {
    const confidence = tail.reduce((sum, word) => sum + word.confidence, this.confidence);
    return confidence >= this.settings.min_confidence * (this.count + tail.length);
  }
}
