"use strict";
// The report page, from top to bottom.

const report = embedded("data");
const media = embedded("media");
const rows = report.utterances.map(expand);
let focus = null; // the filter by a part or a word error: { label, test(row) }

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
  const figure = (rate, name, ends) => el("div", {},
    el("dt", {}, name, el("br"), el("span", { class: "small" }, ends ? `95 % interval ${range(ends)}` : `${count(sentences.errors)} of ${count(sentences.total)}`)),
    el("dd", { class: "big" }, percent(rate)));
  const interval = words.interval;
  const kinds = [["words", words], ["characters", characters]];
  const cells = (counts) => ["reference", "errors", "substitutions", "deletions", "insertions"].map((name) => el("td", { class: "number" }, count(counts[name])));
  const table = el("div", { class: "scroll" }, el("table", {},
    el("caption", { class: "hidden" }, "Errors by unit and kind"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "unit"),
      ["in references", "errors", "substituted", "deleted", "inserted"].map((name) => el("th", { scope: "col", class: "number" }, name)))),
    el("tbody", {}, kinds.map(([name, counts]) => el("tr", {}, el("th", { scope: "row" }, name), cells(counts))),
      el("tr", {}, el("th", { scope: "row" }, "sentences"), el("td", { class: "number" }, count(sentences.total)),
        el("td", { class: "number" }, count(sentences.errors)), el("td"), el("td"), el("td")))));
  byId("summary-body").append(el("p", { class: "conclusion" }, conclusion(words)),
    el("dl", { class: "figures" }, figure(words.rate, "word error rate", interval),
      figure(characters.rate, "character error rate", characters.interval), figure(sentences.rate, "sentences with an error", null)),
    el("div", { class: "split" },
      intervals([{ label: "words (WER)", rate: words.rate, ends: interval }, { label: "characters (CER)", rate: characters.rate, ends: characters.interval }],
        { label: `WER ${percent(words.rate)}, interval ${range(interval)}; CER ${percent(characters.rate)}, interval ${range(characters.interval)}` }),
      table),
    el("p", { class: "soft small" }, report.summary.remarks.join(" ")));
  byId("subtitle").textContent = `${plural(utterances, "utterance")}, ${count(words.reference)} words, ${minutes(report.speed.duration_s)} of audio · ` +
    `${report.decoding} · ${report.origin.created.slice(0, 10)}`;
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
    const narrow = (part) => el("button", { type: "button", class: "link", title: "Show these utterances", onclick: () => narrowTo(isRange ? `${part.name} ${label === "seconds" ? "s" : "words/s"}` : `${label} ${part.name}`, test(part)) }, el("bdi", {}, part.name));
    const words = (name, text) => ({ name, label: text, number: true, value: (part) => part.words[name] });
    const host = el("div", { class: "block" });
    byId("parts-body").append(host);
    new Table(host, {
      caption, rows: parts, size: 15, dim: (part) => part.utterances < 4,
      sort: isRange ? null : ["rate", -1],
      columns: [
        { name: "name", label, value: (part) => (isRange ? part.low ?? -1 : part.name), show: narrow },
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
  const show = (error) => el("button", { type: "button", class: "link", onclick: () => narrowTo(`${error.reference ?? ""} ${KINDS[error.kind].sign} ${error.hypothesis ?? ""}`.trim(), hasError(error)) },
    inline([[error.kind, error.reference, error.hypothesis]]));
  new Table(host, {
    caption: "Word errors", rows: report.word_errors, size: 10, nothing: "No word errors.",
    columns: [
      { name: "error", label: "error", value: (error) => `${error.reference ?? ""} ${error.hypothesis ?? ""}`, show },
      { name: "kind", label: "kind", value: (error) => error.kind },
      { name: "count", label: "count", number: true, value: (error) => error.count },
      { name: "utterances", label: "utterances", number: true, value: (error) => error.utterances },
      { name: "share", label: "share of occurrences", number: true, value: (error) => (error.said ? error.count / error.said : null),
        show: (error) => (error.said ? `${percent(error.count / error.said, 1)} of ${count(error.said)}` : "–") },
    ],
  });
}

const hasError = (error) => (row) => row.pairs.some(([kind, reference, hypothesis]) => kind === error.kind && reference === error.reference && hypothesis === error.hypothesis);

// Confidence

function drawConfidence() {
  const calibration = report.calibration;
  const body = byId("confidence-body");
  if (!calibration) {
    body.append(el("p", {}, "No word was recognised, so there is no confidence to evaluate."));
    return;
  }
  const accuracy = calibration.correct / calibration.words;
  const host = el("div");
  body.append(
    el("p", {}, `Of ${plural(calibration.words, "recognised word")}, ${percent(accuracy, 1)} are correct; their mean confidence is ${percent(calibration.confidence, 1)}. `,
      `Expected calibration error ${percent(calibration.error, 1)}; AUC ${calibration.auc === null ? "undefined" : calibration.auc.toFixed(3)}, the probability that a correct word has a higher confidence than a wrong one.`),
    el("div", { class: "split" }, reliability(calibration), host));
  new Table(host, {
    caption: "Words by confidence", rows: calibration.bins, size: 10,
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
    { name: "id", label: "utterance", value: (row) => row.id, show: (row, own) => own.opener(row, el("bdi", {}, row.id)), class: "name" },
    { name: "rate", label: "WER", number: true, value: (row) => row.rate, show: (row) => percent(row.rate, 0) },
    { name: "text", label: "reference and hypothesis", value: (row) => row.texts[0], show: (row) => inline(row.pairs), class: "text" },
    { name: "speaker", label: "speaker", value: (row) => row.speaker, show: (row) => el("bdi", {}, row.speaker ?? "–") },
    { name: "duration", label: "duration", number: true, value: (row) => row.duration, show: (row) => `${row.duration.toFixed(1)} s` },
    { name: "errors", label: "errors", number: true, value: (row) => row.errors },
    { name: "corpus", label: "corpus", value: (row) => row.corpus, show: (row) => el("bdi", {}, row.corpus) },
    { name: "confidence", label: "confidence", number: true, value: (row) => row.confidence, show: (row) => percent(row.confidence, 0) },
    { name: "audio", label: "audio", value: (row) => (row.media ? 0 : 1), show: (row) => (row.media ? "yes" : el("span", { class: "soft" }, "no")) },
  ].filter((column) => (column.name !== "speaker" || rows.some((row) => row.speaker !== null)) && (column.name !== "corpus" || report.corpora.length > 1)),
});

const SHOWN = {
  all: () => true, wrong: (row) => row.errors > 0, right: (row) => row.errors === 0, audio: (row) => row.media,
  substitution: (row) => row.substitution, deletion: (row) => row.deletion, insertion: (row) => row.insertion,
};
for (const option of byId("show").options) option.textContent += ` (${count(rows.filter(SHOWN[option.value]).length)})`;

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
  return rows.filter((row) => SHOWN[show](row) && row.searchText.includes(query) && (!focus || focus.test(row)));
}

const refresh = () => table.setRows(visible());

function narrowTo(label, test) {
  focus = { label, test };
  byId("search").value = "";
  byId("show").value = "all";
  byId("chip").replaceChildren(el("button", { type: "button", class: "chip", onclick: widen }, quiet("Remove the filter: "), label, el("span", { "aria-hidden": "true" }, " ✕")));
  refresh();
  byId("utterances").scrollIntoView();
  byId("utterances").focus({ preventScroll: true });
}

function widen() {
  focus = null;
  byId("chip").replaceChildren();
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
  const details = [["corpus", row.corpus], ["words", `${plural(row.errors, "error")} in ${plural(row.spoken, "word")}`],
    ["characters", `${plural(row.characters[0], "error")} in ${count(row.characters[1])}`], ["text in manifest", row.text]];
  if (!row.media) return [columns(row.pairs), facts([...details, ["audio", whyNoAudio(row)]])];
  return [...player(row), facts(details)];
}

function whyNoAudio(row) {
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
    ["command", el("code", {}, origin.command)],
    ["created", `${origin.created}, ${origin.made_with}`],
    ["model", `${model.name}${model.parameters ? `, ${count(model.parameters)} parameters` : ""}${model.given === model.name ? "" : ` (${model.given})`}`],
    ["about", model.about], ["licence", model.licence],
    ["manifests", corpora.map((corpus) => el("div", {}, el("code", {}, corpus.manifest), `: ${plural(corpus.utterances, "utterance")}, ${minutes(corpus.duration_s)}`))],
    ["decoding", decoding],
    ["word alignment", report.rule_name],
    ["normalisation", [el("code", {}, normalisation.name), ` – ${normalisation.description} It changed ${plural(normalisation.changed, "reference")}.`]],
    ["alphabet", el("code", {}, normalisation.alphabet.replace(" ", "␣"))],
    ["outside the alphabet", unwritable ? `${unwritable}: the model cannot output them` : null],
    ["speed", `${minutes(speed.duration_s)} of audio in ${speed.elapsed_s.toFixed(1)} s on ${plural(speed.cores, "core")}: real-time factor ${speed.real_time_factor.toPrecision(3)}, ${count(Math.round(1 / speed.real_time_factor))} times real time`],
    ["audio", audioOfPage()],
  ]));
  byId("footer").textContent = `Made by ${origin.made_with}. The same results: report.json for programs, ref.trn and hyp.trn for sclite.`;
}

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
  widen();
  byId("search").value = "";
  byId("show").value = "all";
  refresh();
  table.reveal(row);
}

drawSummary();
drawParts();
drawErrors();
drawConfidence();
drawSettings();
byId("legend").append(legend());
startSearch(refresh);
byId("save").addEventListener("click", save);
addEventListener("hashchange", openLinked);
openLinked();
