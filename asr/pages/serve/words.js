// The words on the page: phrases with times, the tentative end of a live text, and the word that is played.

const UNSURE = 0.5; // words of a lower confidence are marked

const breaks = (before, word, settings) =>
  !before || before.ends_sentence || before.ends_utterance || Math.round(1000 * word.start_s) - Math.round(1000 * before.end_s) >= settings.pause_ms;

export class Words {
  /** `onPlay(time)` is called for a word that is to be heard. */
  constructor(host, onPlay) {
    Object.assign(this, { host, onPlay, settings: null });
    this.reset();
    host.addEventListener("keydown", (event) => this.move(event));
  }

  reset() {
    this.words = [];
    this.nodes = [];
    this.tail = el("span", { class: "tentative" });
    this.tailPhrase = this.marked = null;
    this.host.replaceChildren();
  }

  /** Add final words, and replace the tentative ones. */
  update(words, tail = []) {
    this.tail.remove();
    this.tailPhrase?.remove();
    this.tailPhrase = null;
    for (const word of words) {
      if (breaks(this.words.at(-1), word, this.settings)) this.host.append(this.phrase(word));
      const node = this.button(word);
      this.host.lastChild.lastChild.append(node, " ");
      this.words.push(word);
      this.nodes.push(node);
    }
    if (!tail.length) return;
    this.tail.textContent = tail.map((word) => word.text).join(" ");
    if (breaks(this.words.at(-1), tail[0], this.settings)) this.host.append((this.tailPhrase = this.phrase(tail[0])));
    this.host.lastChild.lastChild.append(this.tail);
  }

  /** The next word begins a phrase. */
  endUtterance() {
    if (this.words.length) this.words.at(-1).ends_utterance = true;
  }

  phrase(word) {
    return el("p", { class: "phrase" }, el("time", {}, clock(word.start_s)), el("span", { class: "words", dir: "auto" }));
  }

  button(word) {
    const unsure = word.confidence < UNSURE;
    return el("button", { type: "button", tabindex: this.nodes.length ? "-1" : "0", class: unsure ? "unsure" : null, "aria-label": unsure ? `${word.text} (uncertain)` : null,
      title: `${clock(word.start_s)}, confidence ${percent(word.confidence, 0)}`, onclick: () => this.onPlay(word.start_s) }, word.text);
  }

  /** One stop of the Tab key for all words: arrows, Home and End go from word to word. */
  move(event) {
    const place = this.nodes.indexOf(event.target);
    const target = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: this.nodes.length - 1 }[event.key];
    if (place < 0 || target === undefined || !this.nodes[target] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    for (const node of this.host.querySelectorAll("[tabindex='0']")) node.tabIndex = -1;
    this.nodes[target].tabIndex = 0;
    this.nodes[target].focus();
  }

  /** Mark the word at a time, and show it if `isPlaying`. */
  mark(time, isPlaying) {
    let low = 0, high = this.words.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.words[middle].start_s <= time) low = middle + 1;
      else high = middle;
    }
    const node = low && time < this.words[low - 1].end_s + 0.3 ? this.nodes[low - 1] : null;
    if (node === this.marked) return;
    this.marked?.classList.remove("now");
    node?.classList.add("now");
    if (node && isPlaying) node.scrollIntoView({ block: "nearest" });
    this.marked = node;
  }
}
