// Write transcripts as asr/transcript/formats.py and subtitles.py do, for one channel; tests compare the two.
// A transcript: {words: [{text, start_s, end_s, confidence, ends_sentence, spoken}], duration_s, source, model}.

const ms = (seconds) => Math.round(1000 * seconds);
const length = (text) => [...text].length;
const rounded = (value, digits) => Number(value.toFixed(digits));
const joined = (words) => words.map((word) => word.text).join(" ");
const last = (items) => items[items.length - 1];

/** Split words at pauses, and where a sentence ends. */
export function phrases(words, settings) {
  const found = [];
  for (const word of words) {
    const before = found.length ? last(last(found)) : null;
    if (before && !before.ends_sentence && ms(word.start_s) - ms(before.end_s) < settings.pause_ms) last(found).push(word);
    else found.push([word]);
  }
  return found;
}

/** Split words where a sentence ends; nothing if that is not known. */
function sentences(words) {
  const found = [[]];
  for (const word of words) {
    last(found).push(word);
    if (word.ends_sentence) found.push([]);
  }
  const full = found.filter((sentence) => sentence.length);
  return full.some((sentence) => last(sentence).ends_sentence) ? full : [];
}

export function toTxt({ words }, settings) {
  return `${phrases(words, settings).map(joined).join("\n")}\n`;
}

function fields({ text, start_s, end_s, confidence, spoken }) {
  const result = { text, start_s: rounded(start_s, 3), end_s: rounded(end_s, 3), confidence: rounded(confidence, 4) };
  return spoken?.length ? { ...result, spoken: spoken.map(fields) } : result;
}

export function toJson({ words, duration_s, source, model }, settings) {
  const confidence = words.reduce((sum, word) => sum + word.confidence, 0) / words.length;
  const result = { text: joined(words), duration_s: rounded(duration_s, 3), source, model,
    confidence: words.length ? rounded(confidence, 4) : null, words: words.map(fields) };
  if (words.some((word) => word.spoken?.length)) result.spoken_text = joined(words.flatMap((word) => (word.spoken?.length ? word.spoken : [word])));
  result.segments = phrases(words, settings).map((phrase, id) => ({ id, start: rounded(phrase[0].start_s, 3), end: rounded(last(phrase).end_s, 3),
    text: ` ${joined(phrase)}`, words: phrase.map((word) => ({ word: ` ${word.text}`, start: rounded(word.start_s, 3), end: rounded(word.end_s, 3), probability: rounded(word.confidence, 4) })) }));
  const found = sentences(words);
  if (found.length) result.sentences = found.map((sentence) => ({ text: joined(sentence), start_s: rounded(sentence[0].start_s, 3), end_s: rounded(last(sentence).end_s, 3) }));
  return `${JSON.stringify(result, null, 2)}\n`;
}

function clock(time, decimal) {
  const two = (number) => String(number).padStart(2, "0");
  const seconds = Math.floor(time / 1000);
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${decimal}${String(time % 1000).padStart(3, "0")}`;
}

export function toSrt(transcript, settings) {
  return cues(transcript, settings).map((cue, number) =>
    `${number + 1}\n${clock(cue.start, ",")} --> ${clock(cue.end, ",")}\n${cue.lines.map((line) => `${line}\n`).join("")}`).join("\n");
}

export function toVtt(transcript, settings) {
  const escaped = (line) => line.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const blocks = cues(transcript, settings).map((cue) =>
    `${clock(cue.start, ".")} --> ${clock(cue.end, ".")}\n${cue.lines.map((line) => `${escaped(line)}\n`).join("")}`);
  return ["WEBVTT\n", ...blocks].join("\n");
}

/** The cues of a transcript: {start, end, lines}, in milliseconds. */
export function cues({ words, duration_s }, settings) {
  const rules = settings.subtitles;
  const duration = ms(duration_s);
  const found = phrases(words, settings);
  const desired = found.flatMap((phrase, place) => {
    const end = place + 1 < found.length ? ms(found[place + 1][0].start_s) : duration;
    const costs = breakCosts(phrase, settings);
    const places = cuts(phrase, costs, end, rules);
    return places.slice(1).map((stop, number) => {
      const part = phrase.slice(places[number], stop);
      const start = ms(part[0].start_s);
      const shown = Math.max(ms(last(part).end_s) - start, readingMs(length(joined(part)), rules));
      return { start, end: start + shown, lines: lines(part.map((word) => word.text), costs.slice(places[number], stop + 1), rules) };
    });
  });
  return withoutOverlap(desired, duration, rules);
}

const readingMs = (characters, rules) => Math.max(rules.min_cue_ms, Math.ceil((1000 * characters) / rules.characters_per_s));

/** The cost of a break before each word and after the last one. */
function breakCosts(words, settings) {
  const costs = [0];
  for (let place = 0; place + 1 < words.length; place += 1) {
    const [word, after] = [words[place], words[place + 1]];
    const gap = ms(after.start_s) - ms(word.end_s);
    let continuity = 1 - Math.min(Math.max(gap, 0), settings.pause_ms) / settings.pause_ms;
    if (word.text.endsWith(",")) continuity *= settings.subtitles.after_comma;
    const { short_word: short } = settings.subtitles;
    costs.push(0.8 * continuity + 0.3 * (length(word.text) <= short) + 0.2 * (length(after.text) > short));
  }
  return [...costs, 0];
}

/** The cheapest segmentation of a phrase: the first word of each cue, then the number of words. */
function cuts(words, costs, endMs, rules) {
  const count = words.length;
  const starts = words.map((word) => ms(word.start_s));
  const next = [...starts, endMs];
  const spoken = [0, ...words.map((word) => ms(word.end_s))];
  const until = next.map((start, place) => (start - spoken[place] < rules.gap_ms ? start : spoken[place]));
  const edges = [0];
  for (const word of words) edges.push(last(edges) + length(word.text) + 1);
  const lineEnds = lineEndsOf(edges, rules.line_characters);
  let cueEnds = lineEnds;
  for (let line = 1; line < rules.lines; line += 1) cueEnds = cueEnds.map((end) => (end < count ? lineEnds[end] : count));
  const full = rules.lines * rules.line_characters;
  const totals = [0], previous = [0];
  for (let stop = 1; stop <= count; stop += 1) {
    let best = Infinity, bestFirst = stop - 1;
    for (let first = stop - 1; first >= 0; first -= 1) {
      const shown = until[stop] - starts[first];
      if (first < stop - 1 && (cueEnds[first] < stop || shown > rules.max_cue_ms)) break;
      const characters = edges[stop] - edges[first] - 1;
      const shortfall = 1 - Math.max(characters / full, shown / rules.max_cue_ms);
      const missing = Math.max(rules.min_cue_ms, (1000 * characters) / rules.characters_per_s) - (next[stop] - starts[first]);
      const total = totals[first] + shortfall * shortfall + Math.max(missing, 0) / 1000;
      if (total < best) [best, bestFirst] = [total, first];
    }
    totals.push(best + costs[stop]);
    previous.push(bestFirst);
  }
  const result = [count];
  while (result[0]) result.unshift(previous[result[0]]);
  return result;
}

/** For each word, the first one that does not fit on a line starting with it; `edges` are the word starts. */
function lineEndsOf(edges, width) {
  const ends = [];
  let end = 0;
  for (let first = 0; first + 1 < edges.length; first += 1) {
    end = Math.max(end, first + 1);
    while (end + 1 < edges.length && edges[end + 1] - edges[first] - 1 <= width) end += 1;
    ends.push(end);
  }
  return ends;
}

/** Break a cue into at most two lines: similar in length, preferably the second longer, at a cheap break. */
function lines(texts, costs, rules) {
  const [whole, width] = [texts.join(" "), rules.line_characters];
  const tooLong = (words) => words.length > 1 && length(words.join(" ")) > width;
  if (!tooLong(texts)) return [whole];
  let best = Infinity, result = [whole];
  for (let place = 1; place < texts.length; place += 1) {
    const parts = [texts.slice(0, place), texts.slice(place)];
    if (parts.some(tooLong)) continue;
    const [above, below] = parts.map((words) => length(words.join(" ")));
    const uneven = Math.max(below - above, 2 * (above - below)) / width;
    const cost = uneven * uneven + costs[place];
    if (cost < best) [best, result] = [cost, parts.map((words) => words.join(" "))];
  }
  return result;
}

/** Shorten cues where the next one or the end of the recording requires it. */
function withoutOverlap(desired, duration, rules) {
  const limit = Math.max(duration, desired.length);
  const starts = [];
  let free = 0;
  desired.forEach((cue, place) => {
    starts.push(Math.max(Math.min(cue.start, limit - (desired.length - place)), free));
    free = last(starts) + 1;
  });
  return desired.map((cue, place) => {
    const start = starts[place], next = place + 1 < starts.length ? starts[place + 1] : limit;
    let end = Math.max(cue.end, start + 1);
    if (next - end < rules.gap_ms) end = next - (place + 1 < desired.length ? Math.min(rules.two_frames_ms, Math.floor((next - start) / 2)) : 0);
    return { start, end: Math.min(end, start + rules.max_cue_ms), lines: cue.lines };
  });
}

export const WRITERS = { txt: toTxt, srt: toSrt, vtt: toVtt, json: toJson };
