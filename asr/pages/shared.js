"use strict";
// Shared by the pages: elements, numbers, tables, alignments, intervals.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const byId = (id) => document.getElementById(id);
const embedded = (id) => JSON.parse(byId(id).textContent);
const quiet = (text) => el("span", { class: "hidden", dir: "ltr" }, text);

const count = (number) => number.toLocaleString("en");
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const percent = (rate, digits = 2) => (rate === null ? "–" : `${(100 * rate).toFixed(digits)} %`);
const range = (ends) => (ends ? `${(100 * ends.low).toFixed(2)} – ${(100 * ends.high).toFixed(2)} %` : "–");

/** A time as minutes and seconds, with hours if needed. */
function clock(seconds) {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (h ? `${h}:${String(m).padStart(2, "0")}` : `${m}`) + `:${String(s).padStart(2, "0")}`;
}

/** Compare numbers by value and texts in natural order; null is last in both directions. */
function compareValues(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

const LONG_NAME = 60, LONG_TEXT = 400, MANY_WORDS = 100; // longer ones are cut until the reader asks for all
const short = (text) => ([...text].length > LONG_NAME ? `${[...text].slice(0, LONG_NAME).join("")}…` : text);

/** A cut box with a button that shows all; `draw(isOpen)` returns what is in it. */
function clamped(draw) {
  const box = el("div", { class: "clamp" }, draw(false));
  const button = el("button", { type: "button", class: "link small unclamp", "aria-expanded": "false" }, "Show all");
  button.addEventListener("click", () => {
    const isOpen = box.classList.toggle("clamp") === false;
    box.replaceChildren(...[draw(isOpen)].flat());
    button.setAttribute("aria-expanded", String(isOpen));
    button.textContent = isOpen ? "Show less" : "Show all";
  });
  return [box, button];
}

/** Paths and ids may break after their separators. */
const breakable = (words) => words.split(/(?<=[/_-])/).flatMap((part, place) => (place ? [el("wbr"), part] : [part]));

/** A name or text, isolated from the direction of what is around it, and cut if it is long. */
function text(value, limit = LONG_NAME, make = (words) => el("bdi", {}, breakable(words))) {
  return value.length > limit ? clamped(() => make(value)) : make(value);
}

/** What `draw(pairs)` makes of an alignment; of a long one, only the beginning. */
function longText(pairs, draw) {
  const letters = pairs.reduce((sum, [, reference, hypothesis]) => sum + 1 + Math.max(reference?.length ?? 0, hypothesis?.length ?? 0), 0);
  return letters > LONG_TEXT ? clamped((isOpen) => draw(isOpen ? pairs : pairs.slice(0, MANY_WORDS))) : draw(pairs);
}

/** A table that needs no sorting; a row is an array, which begins with its name. */
function plainTable(caption, heads, rows) {
  const line = ([name, ...values]) => el("tr", {}, el("th", { scope: "row" }, name),
    values.map((value, place) => el("td", { class: "number", "data-label": heads[place + 1] }, value)));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, el("table", {}, el("caption", { class: "hidden" }, caption),
    el("thead", {}, el("tr", {}, heads.map((head, place) => el("th", { scope: "col", class: place ? "number" : null }, head)))), el("tbody", {}, rows.map(line))));
}

/**
 * A table that sorts by clicks on its headers and shows `size` rows per page.
 * A column: `name`, `label`, `value(row)` to sort by, `show(row, table)` (a node or text; the value by default),
 * `number` (right-aligned, the largest first), `fixed` (not sortable).
 * `detail(row)` returns the nodes that open below a row; `note` explains the numbers. Printed, it has all rows.
 */
class Table {
  constructor(host, { caption, columns, rows, size = 25, sort = null, detail = null, nothing = "Nothing to show.", dim = () => false, note = null }) {
    if (matchMedia("(max-width: 48rem)").matches) size = Math.ceil(size / 2); // rows are cards
    Object.assign(this, { columns, size, detail, nothing, caption, dim });
    Table.all.push(this);
    this.opened = new Map();
    this.page = 0;
    this.heads = new Map(columns.map((column) => [column.name, this.head(column)]));
    this.body = el("tbody");
    const table = el("table", {}, el("caption", {}, caption, note && el("span", { class: "note" }, note)), el("thead", {}, el("tr", {}, [...this.heads.values()])), this.body);
    this.status = el("span", { role: "status" });
    this.back = el("button", { type: "button", onclick: () => this.turn(-1) }, "‹ Previous");
    this.next = el("button", { type: "button", onclick: () => this.turn(1) }, "Next ›");
    this.pager = el("nav", { class: "pager", "aria-label": `Pages of: ${caption}` }, this.back, this.next, this.status);
    host.replaceChildren(el("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table), this.pager);
    [this.key, this.sign] = sort ?? [null, 1];
    this.setRows(rows);
  }

  head(column) {
    const classes = column.number ? "number" : null;
    if (column.fixed) return el("th", { scope: "col", class: classes }, column.label);
    const arrow = el("span", { class: "arrow", "aria-hidden": "true" });
    const press = () => this.sortBy(column);
    return el("th", { scope: "col", class: classes, "data-label": column.label }, el("button", { type: "button", onclick: press }, column.number ? [arrow, column.label] : [column.label, arrow]));
  }

  sortBy(column) {
    const first = column.number ? -1 : 1;
    this.sign = this.key === column.name ? -this.sign : first;
    this.key = column.name;
    this.setRows(this.allRows);
  }

  setRows(rows) {
    this.allRows = rows;
    const column = this.columns.find((candidate) => candidate.name === this.key);
    this.rows = column ? [...rows].sort((a, b) => compareValues(column.value(a), column.value(b), this.sign)) : rows;
    for (const [name, head] of this.heads) {
      const sorted = name === this.key;
      if (sorted) head.setAttribute("aria-sort", this.sign > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
      const arrow = head.querySelector(".arrow");
      if (arrow) arrow.textContent = sorted ? (this.sign > 0 ? "▲" : "▼") : "";
    }
    this.page = 0;
    this.draw();
  }

  turn(by) {
    this.page += by;
    this.draw();
    const pressed = by > 0 ? this.next : this.back;
    if (pressed.disabled) (by > 0 ? this.back : this.next).focus(); // a disabled button loses the keyboard focus
  }

  draw() {
    const first = this.page * this.size;
    const shown = this.rows.slice(first, first + this.size);
    this.opened.clear();
    this.body.replaceChildren(...shown.map((row) => this.line(row)));
    if (!shown.length) this.body.append(el("tr", {}, el("td", { class: "nothing", colspan: this.columns.length }, this.nothing)));
    this.back.disabled = this.page === 0;
    this.next.disabled = first + this.size >= this.rows.length;
    this.pager.hidden = this.allRows.length <= this.size && !this.detail;
    this.status.textContent = shown.length ? `${count(first + 1)} – ${count(first + shown.length)} of ${count(this.rows.length)}` : "0 of 0";
  }

  line(row) {
    const cells = this.columns.map((column, place) =>
      el(place ? "td" : "th", { scope: place ? null : "row", dir: column.class === "text" ? "auto" : null, "data-label": place ? column.label : null, class: [column.number && "number", column.class].filter(Boolean).join(" ") || null },
        column.show ? column.show(row, this) : column.number ? count(column.value(row)) : column.value(row)));
    return el("tr", { class: this.dim(row) ? "dim" : null }, cells);
  }

  /** A button that opens and closes the details of its row. */
  opener(row, label) {
    const turn = el("span", { class: "turn", "aria-hidden": "true" }, "▸");
    const button = el("button", { type: "button", class: "link opener", "aria-expanded": "false" }, turn, label);
    button.addEventListener("click", () => {
      const line = button.closest("tr");
      const isOpen = this.opened.has(row);
      if (isOpen) {
        this.opened.get(row).remove();
        this.opened.delete(row);
      } else {
        const below = el("tr", {}, el("td", { class: "detail", colspan: this.columns.length }, this.detail(row)));
        line.after(below);
        this.opened.set(row, below);
      }
      line.classList.toggle("open", !isOpen);
      button.setAttribute("aria-expanded", String(!isOpen));
      turn.textContent = isOpen ? "▸" : "▾";
    });
    return button;
  }

  /** Open the next row, or the previous one, that fulfils a condition; the others are closed. */
  step(by, test) {
    const current = [...this.opened.keys()].at(-1);
    let place = current === undefined ? (by > 0 ? -1 : this.rows.length) : this.rows.indexOf(current);
    do place += by; while (this.rows[place] && !test(this.rows[place]));
    if (this.rows[place]) this.reveal(this.rows[place]);
  }

  /** Open the details of all rows on this page, or close them. */
  openAll() {
    const closed = [...this.body.querySelectorAll(".opener[aria-expanded=false]")];
    for (const button of closed.length ? closed : this.body.querySelectorAll(".opener")) button.click();
  }

  /** Go to the page of a row and open its details. */
  reveal(row) {
    this.page = Math.max(0, Math.floor(this.rows.indexOf(row) / this.size));
    this.draw();
    const button = this.body.rows[this.rows.indexOf(row) % this.size]?.querySelector(".opener");
    button?.click();
    button?.focus();
    button?.scrollIntoView({ block: "center" });
  }

  /** Add the rows of the other pages, and return them. */
  drawAll() {
    const first = this.page * this.size;
    const [before, after] = [this.rows.slice(0, first), this.rows.slice(first + this.size)].map((rows) => rows.map((row) => this.line(row)));
    this.body.prepend(...before);
    this.body.append(...after);
    return [...before, ...after];
  }
}
Table.all = [];

/** Print all rows and texts, not only those on the screen. */
function startPrinting() {
  let added = [], buttons = [];
  addEventListener("beforeprint", () => {
    added = Table.all.flatMap((table) => table.drawAll());
    buttons = [...document.querySelectorAll(".unclamp[aria-expanded=false]")];
    for (const button of buttons) button.click();
  });
  addEventListener("afterprint", () => {
    for (const button of buttons) button.click();
    for (const line of added) line.remove();
  });
}

const KINDS = {
  substitution: { style: "sub", sign: "≠", name: "substituted" },
  deletion: { style: "del", sign: "−", name: "deleted" },
  insertion: { style: "ins", sign: "+", name: "inserted" },
};
const spaced = (nodes) => nodes.flatMap((node) => [node, " "]).slice(0, -1);

/** Expand the compact form of a pair, a word (hit) or an array with 0 for no word, to [kind, reference, hypothesis]. */
function unpack(pair) {
  if (typeof pair === "string") return ["hit", pair, pair];
  if (pair[0] === 0) return ["insertion", null, pair[1]];
  return pair[1] === 0 ? ["deletion", pair[0], null] : ["substitution", ...pair];
}

/** An alignment on one line: hits as plain words, errors with a sign and a colour. */
function inline(pairs) {
  if (!pairs.length) return el("span", { class: "soft" }, "(empty reference and hypothesis)");
  return spaced(pairs.map(([kind, reference, hypothesis]) => {
    if (kind === "deletion") return el("del", { class: "del" }, quiet("deleted: "), el("span", { "aria-hidden": "true" }, "−"), el("s", {}, reference));
    if (kind === "insertion") return el("ins", { class: "ins" }, quiet("inserted: "), el("span", { "aria-hidden": "true" }, "+"), hypothesis);
    if (kind === "hit") return reference;
    return el("span", { class: "sub" }, quiet("substituted: "), el("s", {}, reference), quiet(", hypothesis: "), el("span", { "aria-hidden": "true" }, " ≠ "), hypothesis);
  }));
}

/** Reference above hypothesis in columns; `button(place, text)` makes the hypothesis words clickable. */
function columns(pairs, button, heads = ["reference", "hypothesis"]) {
  let place = -1;
  const items = pairs.map(([kind, reference, hypothesis]) => {
    const error = KINDS[kind];
    if (hypothesis !== null) place += 1;
    return el("li", { class: error?.style },
      el("span", {}, reference ?? "", reference === null ? quiet("nothing") : null),
      hypothesis === null ? el("span", {}, quiet(", ")) : button ? button(place, hypothesis) : el("span", {}, hypothesis),
      error ? el("span", { class: "sign" }, el("span", { "aria-hidden": "true" }, error.sign), quiet(error.name)) : el("span"));
  });
  const names = el("li", { class: "heads", "aria-hidden": "true" }, el("span", {}, heads[0]), el("span", {}, heads[1]), el("span"));
  return el("ol", { class: "alignment", "aria-label": "Alignment: reference word, hypothesis word" }, names, items);
}

const legend = () => el("ul", { class: "legend small", "aria-label": "Signs" },
  el("li", {}, el("span", { class: "sub" }, "reference ≠ hypothesis"), " substituted"),
  el("li", {}, el("span", { class: "del" }, "−", el("s", {}, "reference")), " deleted"),
  el("li", {}, el("span", { class: "ins" }, "+hypothesis"), " inserted"));

/** Round tick values for an axis from `low` to `high`, about `target` of them. */
function ticks(low, high, target = 5) {
  const rough = (high - low) / target || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const values = [];
  for (let n = Math.ceil(low / step); n * step <= high * (1 + 1e-9); n += 1) values.push(n * step);
  return values;
}

/** Intervals as bars with a point, one per row, on a common axis; a row: `label`, `rate`, `ends`. */
function intervals(rows, { label, low = 0, unit = "%", zero = false }) {
  const left = 130, width = 480, top = 6, step = 40, right = width - 26;
  const values = rows.flatMap((row) => [row.rate, row.ends?.low, row.ends?.high]).filter((value) => Number.isFinite(value));
  const minimum = Math.min(low, ...values), maximum = Math.max(...values, zero ? 0 : -Infinity, minimum + 0.001);
  const margin = (maximum - minimum) * 0.06, from = minimum === 0 ? 0 : minimum - margin, to = maximum + margin;
  const x = (value) => left + ((value - from) / (to - from)) * (right - left);
  const bottom = top + step * rows.length;
  const marks = ticks(from, to).map((value) => svg("g", {},
    svg("line", { class: "axis", x1: x(value), x2: x(value), y1: top, y2: bottom }),
    svg("text", { class: "soft", x: x(value), y: bottom + 16, "text-anchor": "middle" }, `${+(100 * value).toPrecision(6)} ${unit}`.replace("-", "−"))));
  const lines = rows.map(({ label: name, rate, ends }, place) => {
    const y = top + step * (place + 0.5);
    return svg("g", {},
      svg("text", { x: left - 14, y: y + 4, "text-anchor": "end" }, name),
      ends && svg("line", { class: "bar-line", x1: x(ends.low), x2: x(ends.high), y1: y, y2: y }),
      ends && [ends.low, ends.high].map((end) => svg("line", { class: "end", x1: x(end), x2: x(end), y1: y - 6, y2: y + 6 })),
      rate !== null && svg("circle", { class: ends ? "point" : "hollow", cx: x(rate), cy: y, r: 5 }));
  });
  return svg("svg", { class: "wide", viewBox: `0 0 ${width} ${bottom + 24}`, role: "img", "aria-label": label }, marks,
    zero ? svg("line", { class: "diagonal", x1: x(0), x2: x(0), y1: top, y2: bottom }) : null, lines);
}

/** An interval in a table cell: drawn on an axis from 0 to `most`, and as text. */
function smallInterval(rate, ends, most) {
  if (rate === null) return "–";
  const x = (value) => 6 + 74 * Math.min(1, value / (most || 1));
  return el("span", { class: "ends" }, svg("svg", { width: 86, height: 18, "aria-hidden": "true" },
    svg("line", { class: "axis", x1: 6, x2: 80, y1: 9, y2: 9 }),
    ends && svg("line", { class: "bar-line", x1: x(ends.low), x2: x(ends.high), y1: 9, y2: 9 }),
    svg("circle", { class: ends ? "point" : "hollow", cx: x(rate), cy: 9, r: 4 })), range(ends));
}

const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== "" && value !== undefined)
  .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, typeof value === "string" ? text(value, LONG_TEXT) : value)]));

/** Write behind each choice of the selection how many rows it shows. */
function countChoices(rows, tests) {
  for (const option of byId("show").options) option.textContent += ` (${count(rows.filter(tests[option.value]).length)})`;
}

/** Connect the search box, the selection next to it and the shortcut key; `refresh` applies the filters. */
function startSearch(refresh) {
  let timer = null;
  byId("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, 120);
  });
  byId("show").addEventListener("change", refresh);
  byId("bar").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    byId("search").focus();
  });
}
