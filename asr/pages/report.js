"use strict";
// The report page, from top to bottom.

const report = embedded("data");
const media = embedded("media");
const rows = report.utterances.map(expand);
const filters = new Map(); // "part" (of the breakdown, or a word), "WER", "duration" -> { label, test(row) }

/** Expand an utterance from its compact form: times in ms, confidence in percent; errors are counted in the alignment. */
function expand([id, corpus, speaker, duration, text, pairs, words, characters, traits], place) {
  const alignment = pairs.map(unpack);
  const number = (kind) => alignment.filter((pair) => pair[0] === kind).length;
  const [substitutions, deletions, insertions] = Object.keys(KINDS).map(number);
  const spoken = alignment.filter((pair) => pair[1] !== null).length;
  const errors = substitutions + deletions + insertions;
  const times = [];
  for (let n = 0; n < words.length; n += 3) times.push({ start: words[n] / 1000, end: words[n + 1] / 1000, confidence: words[n + 2] / 100 });
  const confidence = times.length ? times.reduce((sum, word) => sum + word.confidence, 0) / times.length : null;
  const allWords = [id, speaker ?? "", ...alignment.flatMap((pair) => [pair[1], pair[2]])].join(" ");
  const texts = [1, 2].map((side) => alignment.map((pair) => pair[side]).filter((word) => word !== null).join(" "));
  return {
    place, id, corpus: report.corpora[corpus].name, speaker, traits, duration, text, pairs: alignment, times, characters, spoken, errors,
    substitution: substitutions, deletion: deletions, insertion: insertions, confidence, texts,
    rate: spoken ? errors / spoken : null, searchText: `${allWords}\n${texts.join("\n")}`.toLowerCase(), media: media[place] ?? null,
  };
}

// Summary

function drawSummary() {
  const { words, characters, sentences, utterances } = report.summary;
  const figure = (rate, name, ends, note) => el("div", {},
    el("dt", {}, name, el("br"), el("span", { class: "small" }, ends ? `95 % interval ${range(ends)}` : ""), el("span", { class: "note" }, note)),
    el("dd", { class: "big" }, percent(rate)));
  const interval = words.interval;
  const kinds = [["words", words], ["characters", characters]];
  const cells = (counts) => ["reference", "errors", "substitutions", "deletions", "insertions"].map((name) => count(counts[name]));
  const table = plainTable("Errors by unit and kind", ["unit", "in references", "errors", "substituted", "deleted", "inserted"],
    [...kinds.map(([name, counts]) => [name, ...cells(counts)]), ["sentences", count(sentences.total), count(sentences.errors), "–", "–", "–"]]);
  byId("summary-body").append(el("p", { class: "conclusion" }, conclusion(words)),
    el("dl", { class: "figures" },
      figure(words.rate, "word error rate (WER)", interval, "Words substituted, deleted and inserted, divided by the words that were said."),
      figure(characters.rate, "character error rate (CER)", characters.interval, "The same for letters and spaces: a word that is nearly right costs less."),
      figure(sentences.rate, "sentences with an error", null, `Utterances with at least one word error: ${count(sentences.errors)} of ${count(sentences.total)}.`)),
    el("div", { class: "split" },
      intervals([{ label: "words (WER)", rate: words.rate, ends: interval }, { label: "characters (CER)", rate: characters.rate, ends: characters.interval }],
        { label: `WER ${percent(words.rate)}, interval ${range(interval)}; CER ${percent(characters.rate)}, interval ${range(characters.interval)}` }),
      table),
    el("p", { class: "soft small" }, "95 % interval: of the intervals of 100 such tests, about 95 contain the rate on all speech of this kind. ", report.summary.remarks.join(" ")));
  if (report.readable) byId("summary-body").append(...readable(report.readable));
  const audio = report.speed ? `, ${minutes(report.speed.duration_s)} of audio` : "";
  const names = [report.model, ...report.corpora].map(({ name }) => el("bdi", {}, breakable(name)));
  const heading = names.flatMap((name, place) => [["", " on ", " and "][Math.min(place, 2)], name]);
  const length = heading.reduce((sum, part) => sum + (part.textContent ?? part).length, 0);
  const [shown, button] = length > 3 * LONG_NAME ? clamped(() => heading) : [heading, null];
  document.querySelector("h1").replaceChildren(...[shown].flat());
  if (button) document.querySelector("h1").after(button);
  byId("subtitle").textContent = [`${plural(utterances, "utterance")}, ${count(words.reference)} words${audio}`, report.decoding, report.origin.created.slice(0, 10)].filter(Boolean).join(" · ");
}

/** The score of text with punctuation and capitals. */
function readable({ words, labels }) {
  const row = (name, rate, ends, counts) => [name, rate === null ? "–" : percent(rate), ends ? range(ends) : "–", ...counts.map(count)];
  const right = words.reference - words.substitutions - words.deletions;
  return [el("h3", {}, "Readable text"),
    el("p", { class: "soft small" }, "Words as they are written, where a wrong mark or capital makes a word wrong, and F1 of each mark and of capitals: the harmonic mean of the share of those written that are right and the share of those in the references that are found."),
    plainTable("Readable text", ["", "rate", "95 % interval", "right", "written", "in references"], [
      row("words (WER)", words.rate, words.interval, [right, right + words.substitutions + words.insertions, words.reference]),
      ...labels.map((one) => row(`${one.label} (F1)`, one.f1, one.interval, [one.correct, one.predicted, one.reference]))])];
}

/** What the word error rate and its interval mean, for someone who has never seen one. */
function conclusion({ rate, errors, reference, interval }) {
  if (rate === null) return "The references contain no words, so there is no word error rate.";
  const wrong = `${count(errors)} word errors in ${plural(reference, "word")} that were said: a word error rate (WER) of ${percent(rate)}`;
  if (!interval) return `${wrong}. There are too few utterances to say how exact that is.`;
  return `${wrong}, about one in ${(1 / rate).toFixed(rate > 0.2 ? 1 : 0)}. On other speech of this kind it would be between ${percent(interval.low, 1)} and ${percent(interval.high, 1)} (95 % interval).`;
}

const minutes = (seconds) => (seconds < 90 ? `${seconds.toFixed(0)} s` : seconds < 5400 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`);

// Breakdown

function drawParts() {
  const rate = (row) => row.spoken / row.duration;
  const within = (value) => (part) => (row) => (part.low === null || value(row) >= part.low) && (part.high === null || value(row) < part.high);
  const kinds = [
    ["corpus", "By corpus", "corpus", (part) => (row) => row.corpus === part.name],
    ["speaker", "By speaker", "speaker", (part) => (row) => row.speaker === part.name],
    ["group", "By speaker group", "group", (part) => (row) => row.corpus === part.corpus && row.traits[part.trait] === part.value],
    ["duration", "By duration", "seconds", within((row) => row.duration)],
    ["speaking_rate", "By speaking rate", "words per second", within(rate)],
  ];
  for (const [key, caption, label, test] of kinds) {
    const parts = report.parts[key];
    if (parts.length < 2) continue;
    const isRange = key === "duration" || key === "speaking_rate";
    const highs = parts.map((part) => part.words.interval?.high ?? part.words.rate ?? 0);
    const most = Math.min(Math.max(...highs), 3 * Math.max(...parts.map((part) => part.words.rate ?? 0)));
    const narrow = (part) => text(part.name, LONG_NAME, (name) => el("button", { type: "button", class: "link", title: "Show these utterances",
      onclick: () => narrowTo(isRange ? `${part.name} ${label === "seconds" ? "s" : "words/s"}` : `${label} ${part.name}`, test(part)) }, el("bdi", {}, breakable(name))));
    const words = (name, text) => ({ name, label: text, number: true, value: (part) => part.words[name] });
    const host = el("div", { class: "block" });
    byId("parts-body").append(host);
    new Table(host, {
      caption, rows: parts, size: 15, dim: (part) => part.utterances < 4,
      sort: isRange ? null : ["rate", -1],
      columns: [
        { name: "name", label, class: "name", value: (part) => (isRange ? part.low ?? -1 : part.name), show: narrow },
        { name: "rate", label: "WER", number: true, value: (part) => part.words.rate, show: (part) => percent(part.words.rate) },
        { name: "utterances", label: "utterances", number: true, value: (part) => part.utterances },
        words("reference", "words"), words("substitutions", "substituted"), words("deletions", "deleted"), words("insertions", "inserted"),
        { name: "ends", label: "95 % interval", fixed: true, value: () => 0, show: (part) => smallInterval(part.words.rate, part.words.interval, most) },
      ],
    });
  }
}

// Word errors

function drawErrors() {
  const total = report.word_errors_distinct;
  const host = el("div");
  const unlisted = total - report.word_errors.length;
  byId("errors-body").append(
    el("p", { class: "soft" }, `${plural(total, "distinct error")}${unlisted ? `; the ${count(report.word_errors.length)} most frequent are listed` : ""}. Select an error to show its utterances.`), host);
  const show = (error) => el("button", { type: "button", class: "link", onclick: () => narrowTo(errorName(error), hasError(error)) },
    inline([[error.kind, error.reference, error.hypothesis]]));
  new Table(host, {
    caption: "Word errors", rows: report.word_errors, size: 10, nothing: "No word errors.",
    note: "Share of occurrences: of all the times that the word was said, how often it went this way.",
    columns: [
      { name: "error", label: "error", class: "name", value: (error) => `${error.reference ?? ""} ${error.hypothesis ?? ""}`, show: (error) => longText([[error.kind, error.reference, error.hypothesis]], () => show(error)) },
      { name: "kind", label: "kind", value: (error) => error.kind },
      { name: "count", label: "count", number: true, value: (error) => error.count },
      { name: "utterances", label: "utterances", number: true, value: (error) => error.utterances },
      { name: "share", label: "share of occurrences", number: true, value: (error) => (error.said ? error.count / error.said : null),
        show: (error) => (error.said ? `${percent(error.count / error.said, 1)} of ${count(error.said)}` : "–") },
    ],
  });
}

const hasError = (error) => (row) => row.pairs.some(([kind, reference, hypothesis]) => kind === error.kind && reference === error.reference && hypothesis === error.hypothesis);

// Words

/** How often each word of the references was said and recognised, and what became of it when it was not. */
function drawWords() {
  const words = new Map();
  for (const row of rows) {
    for (const [kind, reference, hypothesis] of row.pairs) {
      if (reference === null) continue;
      const word = words.get(reference) ?? { text: reference, said: 0, right: 0, outcomes: new Map() };
      words.set(reference, word);
      word.said += 1;
      if (kind === "hit") word.right += 1;
      else word.outcomes.set(hypothesis, (word.outcomes.get(hypothesis) ?? 0) + 1);
    }
  }
  const list = [...words.values()];
  for (const word of list) word.outcomes = [...word.outcomes].sort((a, b) => b[1] - a[1]);
  const narrow = (label, test, ...children) => el("button", { type: "button", class: "link", title: "Show these utterances", onclick: () => narrowTo(label, test) }, ...children);
  const said = (word) => text(word.text, LONG_NAME, (name) => narrow(`with ${word.text}`, (row) => row.pairs.some((pair) => pair[1] === word.text), el("bdi", {}, name)));
  const became = (word) => [...word.outcomes.slice(0, 3).map(([hypothesis, number]) => {
    const error = { kind: hypothesis === null ? "deletion" : "substitution", reference: word.text, hypothesis };
    return [narrow(errorName(error), hasError(error), hypothesis === null ? "deleted" : el("bdi", {}, short(hypothesis))), ` ${count(number)}`];
  }), ...(word.outcomes.length > 3 ? [`${plural(word.outcomes.length - 3, "other")}`] : [])].flatMap((node, place) => (place ? [", ", node] : [node]));
  const host = el("div");
  const search = el("input", { type: "search", id: "word", autocomplete: "off", spellcheck: "false" });
  byId("words-body").append(el("div", { class: "bar" }, el("div", { class: "field" }, el("label", { for: "word" }, "Find a word"), search)), host);
  const table = new Table(host, {
    caption: "Words that were said", rows: list, size: 10, sort: ["missed", -1], nothing: "No such word was said.",
    note: "Recalled: of all the times that the word was said, how often it was recognised. Select a word to show the utterances with it.",
    columns: [
      { name: "word", label: "word", class: "name", value: (word) => word.text, show: said },
      { name: "said", label: "said", number: true, value: (word) => word.said },
      { name: "right", label: "recognised", number: true, value: (word) => word.right },
      { name: "missed", label: "missed", number: true, value: (word) => word.said - word.right },
      { name: "recalled", label: "recalled", number: true, value: (word) => word.right / word.said, show: (word) => percent(word.right / word.said, 1) },
      { name: "became", label: "became", class: "name", fixed: true, value: () => 0, show: (word) => (word.outcomes.length ? became(word) : "–") },
    ],
  });
  search.addEventListener("input", () => table.setRows(list.filter((word) => word.text.toLowerCase().includes(search.value.trim().toLowerCase()))));
}

const errorName = (error) => `${error.reference ?? ""} ${KINDS[error.kind].sign} ${error.hypothesis ?? ""}`.trim();

// Confidence

function drawConfidence() {
  const calibration = report.calibration;
  const body = byId("confidence-body");
  if (!calibration && !report.speed) { // a text has no confidence
    byId("confidence").remove();
    byId("confidence-link").closest("li").remove();
    return;
  }
  if (!calibration) {
    body.append(el("p", {}, "No word was recognised, so there is no confidence to evaluate."));
    return;
  }
  const accuracy = calibration.correct / calibration.words;
  const host = el("div");
  body.append(
    el("p", {}, `Of ${plural(calibration.words, "recognised word")}, ${percent(accuracy, 1)} are correct; their mean confidence is ${percent(calibration.confidence, 1)}. `,
      `Expected calibration error ${percent(calibration.error, 1)}, the mean distance between the confidence of words and the share of them that is correct; ` +
      `AUC ${calibration.auc === null ? "undefined" : calibration.auc.toFixed(3)}, the probability that a correct word has a higher confidence than a wrong one.`),
    el("div", { class: "split" }, reliability(calibration), host));
  new Table(host, {
    caption: "Words by confidence", rows: calibration.bins, size: 10, note: "95 % interval: of the share of correct words.",
    columns: [
      { name: "low", label: "confidence", value: (bin) => bin.low, show: (bin) => `${percent(bin.low, 0)} to ${percent(bin.high, 0)}` },
      { name: "words", label: "words", number: true, value: (bin) => bin.words },
      { name: "mean", label: "mean", number: true, value: (bin) => bin.confidence, show: (bin) => percent(bin.confidence, 1) },
      { name: "accuracy", label: "correct", number: true, value: (bin) => bin.accuracy, show: (bin) => percent(bin.accuracy, 1) },
      { name: "ends", label: "95 % interval", number: true, fixed: true, value: () => 0, show: (bin) => `${percent(bin.interval[0], 0)} – ${percent(bin.interval[1], 0)}` },
    ],
  });
}

/** Reliability diagram: share of correct words over confidence; on the diagonal, the confidence is calibrated. */
function reliability(calibration) {
  const left = 52, top = 10, side = 270;
  const x = (value) => left + side * value, y = (value) => top + side * (1 - value);
  const marks = [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((value) => [
    svg("line", { class: "axis", x1: x(value), x2: x(value), y1: y(0), y2: y(1) }),
    svg("line", { class: "axis", x1: x(0), x2: x(1), y1: y(value), y2: y(value) }),
    svg("text", { class: "soft", x: x(value), y: y(0) + 16, "text-anchor": "middle" }, 100 * value),
    svg("text", { class: "soft", x: left - 8, y: y(value) + 4, "text-anchor": "end" }, 100 * value)]);
  const points = calibration.bins.map((bin) => svg("g", {},
    svg("title", {}, `${count(bin.words)} words: confidence ${percent(bin.confidence, 1)}, correct ${percent(bin.accuracy, 1)}`),
    svg("line", { class: "end", x1: x(bin.confidence), x2: x(bin.confidence), y1: y(bin.interval[0]), y2: y(bin.interval[1]) }),
    svg("circle", { class: "point", cx: x(bin.confidence), cy: y(bin.accuracy), r: 3 + 4 * Math.sqrt(bin.words / calibration.words) })));
  return svg("svg", { viewBox: `0 0 ${left + side + 16} ${top + side + 42}`, width: left + side + 16, role: "img", "aria-label": "Reliability diagram: share of correct words over confidence, in percent; the numbers are in the table" },
    marks, svg("line", { class: "diagonal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }), points,
    svg("text", { class: "soft", x: x(0.5), y: y(0) + 36, "text-anchor": "middle" }, "confidence, %"),
    svg("text", { class: "soft", transform: `translate(13 ${y(0.5)}) rotate(-90)`, "text-anchor": "middle" }, "correct, %"));
}

// Utterances

const table = new Table(byId("utterances-body"), {
  caption: "Utterances with their alignment", rows, sort: ["errors", -1], detail, nothing: "No utterance matches the search and the filters.",
  columns: [
    { name: "id", label: "utterance", value: (row) => row.id, show: (row, own) => own.opener(row, el("bdi", {}, breakable(short(row.id)))), class: "name" },
    { name: "rate", label: "WER", number: true, value: (row) => row.rate, show: (row) => percent(row.rate, 0) },
    { name: "text", label: "reference and hypothesis", value: (row) => row.texts[0], show: (row) => longText(row.pairs, inline), class: "text" },
    { name: "speaker", label: "speaker", value: (row) => row.speaker, show: (row) => text(row.speaker ?? "–"), class: "who" },
    { name: "duration", label: "duration", number: true, value: (row) => row.duration, show: (row) => (row.duration === null ? "–" : `${row.duration.toFixed(1)} s`) },
    { name: "errors", label: "errors", number: true, value: (row) => row.errors },
    { name: "corpus", label: "corpus", value: (row) => row.corpus, show: (row) => text(row.corpus), class: "who" },
    { name: "confidence", label: "confidence", number: true, value: (row) => row.confidence, show: (row) => percent(row.confidence, 0) },
    { name: "audio", label: "audio", value: (row) => (row.media ? 0 : 1), show: (row) => (row.media ? "yes" : el("span", { class: "soft" }, "no")) },
  ].filter((column) => ({
    speaker: rows.some((row) => row.speaker !== null), corpus: report.corpora.length > 1, duration: rows.some((row) => row.duration !== null),
    confidence: rows.some((row) => row.confidence !== null), audio: rows.some((row) => row.media),
  })[column.name] ?? true),
});

const SHOWN = {
  all: () => true, wrong: (row) => row.errors > 0, right: (row) => row.errors === 0, audio: (row) => row.media,
  substitution: (row) => row.substitution, deletion: (row) => row.deletion, insertion: (row) => row.insertion,
};
if (report.speed === null) byId("show").querySelector("[value=audio]").remove();
countChoices(rows, SHOWN);

// Histograms

const histograms = [];

/** Draw how many utterances are in each bin; a bin is a button that shows only its utterances, or again all. */
function histogram(name, caption, bins) {
  const numbers = bins.map(({ test }) => rows.filter(test).length);
  const most = Math.max(...numbers, 1);
  const buttons = bins.map(({ label, long, test }, place) => el("button", {
    type: "button", "aria-pressed": "false", "aria-label": `${name} ${long}: ${plural(numbers[place], "utterance")}`, title: `${name} ${long}: ${plural(numbers[place], "utterance")}`,
    disabled: numbers[place] === 0,
    onclick: () => {
      if (filters.get(name)?.test === test) filters.delete(name);
      else filters.set(name, { label: `${name} ${long}`, test });
      refresh();
    },
  }, el("span", { class: "number-above" }, numbers[place] ? count(numbers[place]) : ""), el("span", { class: "column", style: `height:${(3.6 * numbers[place]) / most}rem` }), el("span", { class: "below" }, label)));
  histograms.push({ name, bins, buttons });
  return el("figure", { class: "histogram" }, el("figcaption", {}, caption), el("div", { class: "columns", role: "group", "aria-label": caption }, buttons));
}

function drawHistograms() {
  const between = (low, high) => (row) => row.rate !== null && row.rate > low && row.rate <= high;
  const tens = [...Array(10).keys()].map((n) => ({ label: `≤${10 * n + 10}`, long: `above ${10 * n} to ${10 * n + 10} %`, test: between(n / 10, (n + 1) / 10) }));
  const rates = [{ label: "0", long: "0 %", test: (row) => row.rate === 0 }, ...tens, { label: ">100", long: "above 100 %", test: between(1, Infinity) }];
  const drawn = [histogram("WER", "Utterances by WER in percent; select a bar to see them", rates)];
  const durations = rows.map((row) => row.duration).filter((duration) => duration !== null).sort((a, b) => a - b);
  if (durations.length) {
    const edges = ticks(0, durations[Math.floor(0.98 * (durations.length - 1))] || 1, 9).slice(1);
    const bin = (low, high) => (row) => row.duration !== null && row.duration >= low && row.duration < high;
    const bins = edges.map((edge, n) => ({ label: `<${+edge.toPrecision(6)}`, long: `${+(edges[n - 1] ?? 0).toPrecision(6)} to ${+edge.toPrecision(6)} s`, test: bin(edges[n - 1] ?? 0, edge) }));
    const last = edges.at(-1);
    drawn.push(histogram("duration", "Utterances by duration in seconds", [...bins, { label: `≥${+last.toPrecision(6)}`, long: `${+last.toPrecision(6)} s and more`, test: bin(last, Infinity) }]));
  }
  byId("histograms").append(...drawn);
}

/** Keys: n and p open the next and previous utterance with errors, e opens all of this page, space plays. */
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const wrong = (row) => row.errors > 0;
  const audio = document.querySelector("td.detail audio");
  if (event.key === "n") table.step(1, wrong);
  else if (event.key === "p") table.step(-1, wrong);
  else if (event.key === "e") table.openAll();
  else if (event.key === " " && audio && !/^(BUTTON|AUDIO|A)$/.test(event.target.tagName)) {
    event.preventDefault();
    if (audio.paused) audio.play();
    else audio.pause();
  }
});

function visible() {
  const query = byId("search").value.trim().toLowerCase().split(/\s+/).join(" ");
  const show = byId("show").value;
  return rows.filter((row) => SHOWN[show](row) && row.searchText.includes(query) && [...filters.values()].every(({ test }) => test(row)));
}

function refresh() {
  table.setRows(visible());
  const chip = ([name, { label }]) => el("button", { type: "button", class: "chip", onclick: () => widen(name) }, quiet("Remove the filter: "), el("bdi", {}, short(label)), el("span", { "aria-hidden": "true" }, " ✕"));
  byId("chip").replaceChildren(...[...filters].map(chip));
  for (const { name, bins, buttons } of histograms) buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(filters.get(name)?.test === bins[place].test)));
  const chosen = [byId("search").value.trim() && `search ${byId("search").value.trim()}`, byId("show").value !== "all" && byId("show").selectedOptions[0].textContent, ...[...filters.values()].map(({ label }) => label)].filter(Boolean);
  byId("filtered").textContent = chosen.length ? `${count(table.rows.length)} of ${plural(rows.length, "utterance")}: ${chosen.map(short).join(", ")}` : "";
}

function narrowTo(label, test) {
  filters.clear();
  filters.set("part", { label, test });
  byId("search").value = "";
  byId("show").value = "all";
  refresh();
  byId("utterances").scrollIntoView();
  byId("utterances").focus({ preventScroll: true });
}

function widen(name) {
  filters.delete(name);
  byId("search").focus();
  refresh();
}

function save() {
  const head = ["id", "corpus", "speaker", "duration_s", "errors", "words", "reference", "hypothesis"];
  const lines = table.rows.map((row) => [row.id, row.corpus, row.speaker ?? "", row.duration, row.errors, row.spoken, ...row.texts].join("\t"));
  const url = URL.createObjectURL(new Blob([[head.join("\t"), ...lines, ""].join("\n")], { type: "text/tab-separated-values" }));
  el("a", { href: url, download: "utterances.tsv" }).click();
  setTimeout(() => URL.revokeObjectURL(url));
}

/** The details that open below an utterance. */
function detail(row) {
  const details = [["utterance", row.id], ["corpus", row.corpus], ["words", `${plural(row.errors, "error")} in ${plural(row.spoken, "word")}`],
    ["characters", `${plural(row.characters[0], "error")} in ${count(row.characters[1])}`], ["text in manifest", row.text]];
  if (!row.media) return [columns(row.pairs), facts([...details, ["audio", whyNoAudio(row)]])];
  return [...player(row), facts(details)];
}

function whyNoAudio(row) {
  if (report.speed === null) return null;
  const { count: most, max_s: longest } = report.media;
  if (row.duration > longest) return `none: the utterance is longer than ${longest} s`;
  return most ? `none: only the ${count(most)} utterances with the most errors have audio (asr evaluate --media)` : "none: not requested (asr evaluate --media)";
}

const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** The audio player, the words highlighted during playback, and the picture with a playback cursor. */
function player(row) {
  const { audio: encoded, spectrogram, posteriors } = row.media;
  const audio = el("audio", { controls: true, preload: "metadata", "aria-label": `Audio of ${row.id}`,
    src: URL.createObjectURL(new Blob([bytes(encoded)], { type: "audio/ogg" })) });
  const stage = drawStage(row, spectrogram, posteriors);
  const buttons = [];
  const button = (place, text) => {
    buttons[place] = el("button", { type: "button", title: `Play from here; confidence ${percent(row.times[place].confidence, 0)}`, onclick: () => seek(row.times[place].start, true) }, text);
    return buttons[place];
  };
  const aligned = columns(row.pairs, button);
  let frameRequest = null;
  function seek(time, play) {
    audio.currentTime = time;
    if (play) audio.play();
    mark();
  }
  function mark() {
    const time = audio.currentTime;
    const started = row.times.findLastIndex((word) => word.start <= time);
    const now = started >= 0 && time < row.times[started].end + 0.1 ? started : -1;
    buttons.forEach((word, place) => word.classList.toggle("now", place === now));
    stage.mark(time, now);
    frameRequest = audio.paused || !audio.isConnected ? null : requestAnimationFrame(mark);
    if (!audio.isConnected) audio.pause();
  }
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    if (frameRequest === null) mark();
  });
  for (const event of ["seeked", "pause", "ended"]) audio.addEventListener(event, mark);
  stage.svg.addEventListener("click", (event) => seek(stage.time(event), false));
  const missing = spectrogram ? null : el("p", { class: "soft" }, report.media.no_picture);
  const holder = el("div", { class: "stage", tabindex: "0", role: "region", "aria-label": "Spectrogram and token probabilities over time" }, stage.svg);
  return [el("div", { class: "player" }, audio, el("span", { class: "soft small" }, "Click a recognised word to play from there.")), aligned, missing, holder];
}

const HUES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/** The picture over time: spectrogram, token probabilities, recognised words and the time axis. */
function drawStage(row, spectrogram, { frame_shift_s: shift, blank, tokens }) {
  const left = 56, scale = Math.max(150, Math.min(400, 980 / row.duration)), width = left + scale * row.duration + 16;
  const picture = spectrogram ? 150 : 0, top = picture ? picture + 26 : 20, height = 84, wordsTop = top + height + 12, bottom = wordsTop + 26;
  const x = (time) => left + scale * time, y = (share) => top + height * (1 - share / 100);
  const image = spectrogram && [
    svg("image", { href: `data:image/png;base64,${spectrogram}`, x: left, y: 4, width: scale * row.duration, height: picture, preserveAspectRatio: "none" }),
    report.media.ticks.map(([hertz, share]) => svg("text", { class: "soft", x: left - 8, y: 4 + picture * (1 - share) + 4, "text-anchor": "end" }, hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`))];
  const at = (frame) => x((frame + 0.5) * shift);
  const curves = tokens.map(([text, flat], number) => {
    const runs = [];
    for (let n = 0; n < flat.length; n += 2) {
      const last = runs.at(-1);
      if (last && last.at(-1)[0] === flat[n] - 1) last.push([flat[n], flat[n + 1]]);
      else runs.push([[flat[n], flat[n + 1]]]);
    }
    const hue = HUES[number % HUES.length];
    return runs.map((run) => {
      const [peak, share] = run.reduce((best, point) => (point[1] > best[1] ? point : best));
      const line = [[run[0][0] - 0.9, 0], ...run, [run.at(-1)[0] + 0.9, 0]].map(([frame, value]) => `${at(frame).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
      return [svg("polygon", { points: line, fill: hue, "fill-opacity": 0.35, stroke: hue }),
        share >= 25 && svg("text", { x: at(peak), y: y(share) - 4, "text-anchor": "middle" }, text)];
    });
  });
  const blanks = svg("polyline", { class: "blank", points: blank.map((share, frame) => `${at(frame).toFixed(1)},${y(share).toFixed(1)}`).join(" ") });
  const recognised = row.pairs.filter((pair) => pair[2] !== null);
  const boxes = row.times.map(({ start, end }) => svg("rect", { class: "word", x: x(start), y: wordsTop, width: Math.max(3, x(end) - x(start)), height: 20, rx: 3 }));
  const words = row.times.map(({ start, end, confidence }, place) => svg("g", {}, svg("title", {}, `${recognised[place][2]}: confidence ${percent(confidence, 0)}`), boxes[place],
    svg("text", { x: (x(start) + x(end)) / 2, y: wordsTop + 14, "text-anchor": "middle" }, recognised[place][2])));
  const seconds = ticks(0, row.duration, Math.max(4, Math.min(60, row.duration * 2))).map((time) => [
    svg("line", { class: "axis", x1: x(time), x2: x(time), y1: bottom, y2: bottom + 5 }),
    svg("text", { class: "soft", x: x(time), y: bottom + 19, "text-anchor": "middle" }, `${+time.toFixed(2)} s`)]);
  const head = svg("g", {}, ["halo", "head"].map((name) => svg("line", { class: name, x1: left, x2: left, y1: 2, y2: bottom + 4 })));
  const whole = svg("svg", { width, height: bottom + 26, viewBox: `0 0 ${width} ${bottom + 26}`, role: "img",
    "aria-label": `${spectrogram ? "Spectrogram; below it " : ""}the probability of each token, the recognised words and the time` },
    image, svg("text", { class: "soft", x: left - 8, y: y(100) + 9, "text-anchor": "end" }, "100 %"), svg("text", { class: "soft", x: left - 8, y: y(0), "text-anchor": "end" }, "0 %"),
    svg("line", { class: "axis", x1: x(0), x2: x(row.duration), y1: y(0), y2: y(0) }), blanks, curves, words, seconds, head);
  return {
    svg: whole,
    time: (event) => Math.min(row.duration, Math.max(0, (event.clientX - whole.getBoundingClientRect().left - left) / scale)),
    mark(time, now) {
      head.setAttribute("transform", `translate(${x(time) - left} 0)`);
      boxes.forEach((box, place) => box.classList.toggle("now", place === now));
      const holder = whole.parentElement;
      if (holder && (x(time) < holder.scrollLeft || x(time) > holder.scrollLeft + holder.clientWidth - 40)) holder.scrollLeft = x(time) - left;
    },
  };
}

// Settings

function drawSettings() {
  const { origin, model, normalisation, speed, corpora, decoding } = report;
  const unwritable = Object.entries(normalisation.unwritable).map(([character, number]) => `${character} (${plural(number, "reference")})`).join(", ");
  byId("measured-body").append(facts([
    ["command", code(origin.command)],
    ["created", `${origin.created}, ${origin.made_with}`],
    [report.speed ? "model" : "hypothesis", [el("div", {}, text(model.name)), model.given === model.name ? null : el("div", {}, code(model.given)), model.parameters ? `${count(model.parameters)} parameters` : null]],
    ["about", model.about], ["licence", model.licence],
    [report.speed ? "manifests" : "reference", corpora.map((corpus) => el("div", {}, code(corpus.manifest), `: ${plural(corpus.utterances, "utterance")}${corpus.duration_s === null ? "" : `, ${minutes(corpus.duration_s)}`}`))],
    ["decoding", decoding],
    ["word alignment", report.rule_name],
    ["normalisation", [el("code", {}, normalisation.name), ` – ${normalisation.description} It changed ${plural(normalisation.changed, "reference")}.`]],
    ["alphabet", normalisation.alphabet && code(normalisation.alphabet.replace(" ", "␣"))],
    ["outside the alphabet", unwritable ? `${unwritable}: the model cannot output them` : null],
    ["speed", speed && `${minutes(speed.duration_s)} of audio in ${speed.elapsed_s.toFixed(1)} s on ${plural(speed.cores, "core")}: real-time factor ${speed.real_time_factor.toPrecision(3)}, the time that a second of audio takes, so ${count(Math.round(1 / speed.real_time_factor))} times real time`],
    ["audio", speed && audioOfPage()],
  ]));
  byId("footer").textContent = `Made by ${origin.made_with}. The same results: report.json for programs, ref.trn and hyp.trn for sclite.`;
}

const code = (words) => text(words, LONG_TEXT, (shown) => el("code", {}, shown));

function audioOfPage() {
  const with_ = rows.filter((row) => row.media).length;
  const long = rows.filter((row) => row.duration > report.media.max_s).length;
  return `${plural(with_, "utterance")} of ${count(rows.length)}, those with the most errors (asr evaluate --media ${report.media.count})` +
    `${long ? `; ${plural(long, "utterance")} longer than ${report.media.max_s} s are excluded` : ""}. ${report.media.no_picture ?? ""}`;
}

/** Open the utterance of a link #utterance=ID. */
function openLinked() {
  const id = decodeURIComponent(location.hash.slice(1)).match(/^utterance=(.*)/s)?.[1];
  const row = id !== undefined && rows.find((candidate) => candidate.id === id);
  if (!row) return;
  filters.clear();
  byId("search").value = "";
  byId("show").value = "all";
  refresh();
  table.reveal(row);
}

drawSummary();
drawParts();
drawErrors();
drawWords();
drawConfidence();
drawHistograms();
drawSettings();
byId("legend").append(legend());
startSearch(refresh);
startPrinting();
byId("save").addEventListener("click", save);
addEventListener("hashchange", openLinked);
openLinked();
