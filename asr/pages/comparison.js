"use strict";
// The comparison page, from top to bottom.

const comparison = embedded("data");
const rows = comparison.utterances.map(expand).sort((a, b) => Math.abs(b.change) - Math.abs(a.change)); // ties: in the order of A

function expand([id, corpus, speaker, ...compact]) {
  const pairs = compact.map((alignment) => alignment.map(unpack));
  const errors = pairs.map((alignment) => alignment.filter((pair) => pair[0] !== "hit").length);
  const reference = pairs[0].map((pair) => pair[1]).filter((word) => word !== null);
  const hypotheses = pairs.map((alignment) => alignment.map((pair) => pair[2]).filter((word) => word !== null).join(" "));
  const searchText = [id, speaker ?? "", reference.join(" "), ...hypotheses].join("\n").toLowerCase();
  return { id, corpus, speaker, pairs, errors, reference, hypotheses, change: errors[1] - errors[0], searchText };
}

const signed = (number, digits) => `${number > 0 ? "+" : number < 0 ? "−" : ""}${Math.abs(number).toFixed(digits)}`;
const points = (rate) => signed(100 * rate, 2);
const chance = (p) => (p >= 0.001 ? p.toFixed(3) : Math.max(p, 1e-99).toExponential(1));

// Summary

function drawSummary() {
  const { names, facts: known, links, difference, mapsswe, sign, summaries } = comparison;
  const name = (place) => text(names[place], LONG_TEXT, (words) => (links[place] ? el("a", { href: links[place] }, el("bdi", {}, words)) : el("bdi", {}, words)));
  byId("names").append(...["A", "B"].map((letter, place) => el("section", { "aria-label": letter }, el("p", { class: "system" }, el("b", {}, letter), " ", name(place)), facts(Object.entries(known[place])))));
  const rates = summaries.map((summary) => summary.words);
  const ends = difference?.interval;
  const uncertainty = ends ? `95 % interval ${points(ends.low)} to ${points(ends.high)} points` : "no interval";
  const verdict = (significant, better) => (significant ? `${better} is better` : "no significant difference");
  const test = mapsswe && `Z = ${mapsswe.z.toFixed(3)}, p = ${chance(mapsswe.p)}, ${plural(mapsswe.segments, "segment")}: ${comparison.mapsswe_verdict}`;
  byId("summary-body").append(
    el("p", { class: "conclusion" }, comparison.conclusion.replace("->", "→")),
    el("dl", { class: "figures" },
      figure(difference ? `${points(difference.rate)} points` : "–", "change in WER (B − A)", uncertainty, "From 20 % to 15 % is a change by −5 points; below zero, B makes fewer errors."),
      figure(percent(rates[0].rate), "WER of A", `95 % interval ${range(rates[0].interval)}`, "Words substituted, deleted and inserted, divided by the words that were said."),
      figure(percent(rates[1].rate), "WER of B", `95 % interval ${range(rates[1].interval)}`, "The intervals may overlap although the change, on the same utterances, is certain.")),
    el("div", { class: "split" }, charts(rates, difference), systems(summaries)),
    facts([
      ["improvement", difference && `B is better in ${percent(difference.better, 1)} of the bootstrap samples, worse in ${percent(difference.worse, 1)}: how often B would win on other speech of this kind`],
      ["MAPSSWE", test && `${test}. It compares the errors between stretches that both get right; p is the probability of such a difference by chance`],
      ["sign test", `A is better in ${plural(sign.a_better, "utterance")}, B in ${count(sign.b_better)}, p = ${chance(sign.p)}, ${count(sign.equal)} ties ignored: ${verdict(sign.significant, sign.a_better > sign.b_better ? "A" : "B")}. It only counts which system wins an utterance`],
      ["interval", ends && `paired bootstrap by ${ends.by}, ${count(ends.draws)} samples of ${plural(ends.units, ends.by)}: of the intervals of 100 such tests, about 95 contain the change on all speech of this kind`],
      ["word alignment", `${comparison.rule_name}; for MAPSSWE always ${comparison.mapsswe_rule_name}`],
    ]));
}

const figure = (value, name, ends, note) => el("div", {}, el("dt", {}, name, el("br"), el("span", { class: "small" }, ends), el("span", { class: "note" }, note)), el("dd", { class: "big" }, value));

function charts(rates, difference) {
  const both = intervals(["A", "B"].map((label, place) => ({ label, rate: rates[place].rate, ends: rates[place].interval })),
    { label: `WER of A ${percent(rates[0].rate)}, of B ${percent(rates[1].rate)}` });
  if (!difference) return both;
  const low = Math.min(0, difference.rate, difference.interval?.low ?? 0);
  return el("div", {}, both, intervals([{ label: "B − A", rate: difference.rate, ends: difference.interval }],
    { label: `Change in WER (B − A): ${points(difference.rate)} points`, low, unit: "pt", zero: true }));
}

function systems(summaries) {
  const names = ["errors", "substitutions", "deletions", "insertions"];
  const line = (unit, letter, counts) => [`${letter}, ${unit}`, percent(counts.rate), ...names.map((name) => count(counts[name]))];
  return plainTable("Errors of both systems", ["system", "rate", "errors", "substituted", "deleted", "inserted"],
    ["words", "characters"].flatMap((unit) => summaries.map((summary, place) => line(unit, "AB"[place], summary[unit]))));
}

// Speakers

function drawSpeakers() {
  const speakers = new Map();
  for (const row of rows) {
    if (row.speaker === null) continue;
    const sums = speakers.get(row.speaker) ?? { name: row.speaker, utterances: 0, words: 0, errors: [0, 0] };
    sums.utterances += 1;
    sums.words += row.reference.length;
    row.errors.forEach((number, place) => { sums.errors[place] += number; });
    speakers.set(row.speaker, sums);
  }
  if (speakers.size < 2) {
    byId("speakers").remove();
    byId("speakers-link").closest("li").remove();
    return;
  }
  const rate = (place) => (sums) => (sums.words ? sums.errors[place] / sums.words : null);
  const change = (sums) => (sums.words ? (sums.errors[1] - sums.errors[0]) / sums.words : null);
  new Table(byId("speakers-body"), {
    caption: "Word error rates by speaker", rows: [...speakers.values()], size: 15, sort: ["change", -1], dim: (sums) => sums.utterances < 4,
    columns: [
      { name: "name", label: "speaker", class: "name", value: (sums) => sums.name, show: (sums) => text(sums.name) },
      { name: "utterances", label: "utterances", number: true, value: (sums) => sums.utterances },
      { name: "words", label: "words", number: true, value: (sums) => sums.words },
      { name: "a", label: "A", number: true, value: rate(0), show: (sums) => percent(rate(0)(sums)) },
      { name: "b", label: "B", number: true, value: rate(1), show: (sums) => percent(rate(1)(sums)) },
      { name: "change", label: "B − A, points", number: true, value: change, show: (sums) => (change(sums) === null ? "–" : points(change(sums))) },
    ],
  });
}

// Utterances

/** Merge both alignments into common columns [reference word, pair of A, pair of B]; insertions at the same position share columns. */
function merge([a, b]) {
  const slotsOfBoth = [a, b].map((pairs) => {
    const slots = [{ inserted: [], pair: null }];
    for (const pair of pairs) {
      if (pair[0] === "insertion") slots.at(-1).inserted.push(pair);
      else {
        slots.at(-1).pair = pair;
        slots.push({ inserted: [], pair: null });
      }
    }
    return slots;
  });
  return slotsOfBoth[0].flatMap((first, n) => {
    const second = slotsOfBoth[1][n];
    const width = Math.max(first.inserted.length, second.inserted.length);
    const columns = Array.from({ length: width }, (_, k) => [null, first.inserted[k] ?? null, second.inserted[k] ?? null]);
    return first.pair ? [...columns, [first.pair[1], first.pair, second.pair]] : columns;
  });
}

function sideBySide(merged) {
  const cell = (pair) => {
    const kind = pair && KINDS[pair[0]];
    if (!kind) return el("span", {}, pair ? pair[2] : "", pair ? null : quiet("nothing"));
    return el("span", { class: kind.style }, el("span", { "aria-hidden": "true" }, kind.sign), quiet(`${kind.name} `), pair[2] ?? "");
  };
  const items = merged.map(([reference, first, second]) => el("li", {}, el("span", {}, reference ?? "", reference === null ? quiet("no reference word") : null), quiet("; A: "), cell(first), quiet("; B: "), cell(second)));
  const heads = el("li", { class: "heads", "aria-hidden": "true" }, el("span", {}, "reference"), el("span", {}, "A"), el("span", {}, "B"));
  return el("ol", { class: "alignment both", "aria-label": "Reference word, word of A, word of B" }, heads, items);
}

function alignment(row) {
  const merged = merge(row.pairs);
  const letters = merged.reduce((sum, [reference, first, second]) => sum + 1 + Math.max(reference?.length ?? 0, first?.[2]?.length ?? 0, second?.[2]?.length ?? 0), 0);
  return letters > LONG_TEXT ? clamped((isOpen) => sideBySide(isOpen ? merged : merged.slice(0, MANY_WORDS))) : sideBySide(merged);
}

const open = (row) => comparison.links.map((link, place) => link && el("a", { href: `${link}#utterance=${encodeURIComponent(row.id)}`, "aria-label": `${row.id} in the report of ${"AB"[place]}` }, "AB"[place]));

const table = new Table(byId("utterances-body"), {
  caption: "Utterances of both systems", rows, nothing: "No utterance matches the search and the filter.",
  columns: [
    { name: "id", label: "utterance", value: (row) => row.id, show: (row) => text(row.id), class: "name" },
    { name: "text", label: "reference and hypotheses of A and B", value: (row) => row.reference.join(" "), show: (row) => alignment(row), class: "text" },
    { name: "speaker", label: "speaker", value: (row) => row.speaker, show: (row) => text(row.speaker ?? "–"), class: "who" },
    { name: "a", label: "errors A", number: true, value: (row) => row.errors[0] },
    { name: "b", label: "errors B", number: true, value: (row) => row.errors[1] },
    { name: "change", label: "change", number: true, value: (row) => row.change, show: (row) => signed(row.change, 0) },
    { name: "corpus", label: "corpus", value: (row) => row.corpus, show: (row) => text(row.corpus ?? "–"), class: "who" },
    { name: "open", label: "open in", fixed: true, value: () => 0, show: (row) => el("span", {}, spaced(open(row).filter(Boolean))) },
  ].filter((column) => (column.name !== "open" || comparison.links.some(Boolean)) && (column.name !== "speaker" || rows.some((row) => row.speaker !== null))
    && (column.name !== "corpus" || new Set(rows.map((row) => row.corpus)).size > 1)),
});

const SHOWN = {
  all: () => true, changed: (row) => row.change, better: (row) => row.change < 0, worse: (row) => row.change > 0,
  different: (row) => row.hypotheses[0] !== row.hypotheses[1], wrong: (row) => row.errors[0] && row.errors[1],
};
countChoices(rows, SHOWN);

function refresh() {
  const query = byId("search").value.trim().toLowerCase().split(/\s+/).join(" ");
  table.setRows(rows.filter((row) => SHOWN[byId("show").value](row) && row.searchText.includes(query)));
  byId("filtered").textContent = `${count(table.rows.length)} of ${plural(rows.length, "utterance")}: ${[byId("show").selectedOptions[0].textContent, query && `search ${short(query)}`].filter(Boolean).join(", ")}`;
}

drawSummary();
drawSpeakers();
byId("legend").append(signs());
startSearch(refresh);
startPrinting();
refresh();

function signs() {
  return el("ul", { class: "legend small", "aria-label": "Signs" }, Object.values(KINDS).map(({ style, sign, name }) => el("li", {}, el("span", { class: style }, sign), ` ${name}`)));
}
