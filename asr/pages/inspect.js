"use strict";
// What a network does with one recording: every part below shares one time axis, one cursor and one sound.

const data = embedded("data");
const { duration_s: duration, frame_shift_s: shift, spectrogram_shift_s: hop, first_centre_s: centre, model } = data;
const KIND = model.cell;
const DIRECTIONS = ["forward", "backward"];
const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
const seconds = (time) => `${time.toFixed(2)} s`;
const signed = (value) => value.toFixed(2).replace("-", "−");

let content = null; // the inflated arrays
const view = { from: 0, to: duration };
let now = 0; // the time of the cursor
const chosen = { layer: 0, side: 0, cell: -1, stage: 0, map: 0, letter: data.letters.length ? 0 : -1 };
let order = []; // the cells that are shown, from top to bottom

// Numbers

/** An array of the file: its shape, and `at(n)`, the value of its n-th element. */
function array(name) {
  const { at, shape, low, high, steps } = data.index[name];
  const raw = content.subarray(at, at + shape.reduce((product, size) => product * size, 1));
  return { raw, shape, steps, share: (n) => raw[n] / steps, at: (n) => low + (raw[n] * (high - low)) / steps };
}
const part = (name) => array(`cells.${chosen.layer}.${chosen.side}.${name}`);
const behaviour = () => data.layers[chosen.layer][chosen.side];
const numFrames = () => data.index.posteriors.shape[0];
const frameAt = (time) => Math.min(numFrames() - 1, Math.max(0, Math.round((time - centre) / shift)));
const timeOf = (frame) => centre + frame * shift;

/** The state of a cell, and what it passes on, at a frame. */
function stateOf(cell, frame) {
  const frames = numFrames();
  return part("state").at(cell * frames + frame) * behaviour().largest[cell];
}
function outputOf(cell, frame) {
  const state = stateOf(cell, frame);
  return KIND === "gru" ? state : part("output").at(cell * numFrames() + frame) * Math.tanh(state);
}

// Words for students

const peep = KIND.includes("peephole");
const coupledCell = KIND.includes("coupled");
const sum = (letter, before) => `W${letter}·x + R${letter}·h′${peep ? ` + p${letter}·${before}` : ""} + b${letter}`;
const seesBelt = peep ? " It has a peephole: it also sees what lies on the belt." : "";
const LSTM_PARTS = [
  ...(coupledCell ? [] : [{ name: "forget", title: "Forget gate: what is kept", equation: `f = σ(${sum("f", "c′")})`,
    say: `The valve on the conveyor belt itself. Open (1): what lies on the belt rides on to the next moment. Closed (0): it is thrown off, forgotten.${seesBelt}` }]),
  { name: "input", title: coupledCell ? "Input gate: one valve for both" : "Input gate: what is let in", equation: `i = σ(${sum("i", "c′")})${coupledCell ? ",  f = 1 − i" : ""}`,
    say: coupledCell ? `One valve for letting in and for forgetting. Open (1): the candidate is put onto the belt, and as much of the old content is thrown off. Closed (0): everything is kept.${seesBelt}`
      : `The valve in front of the belt. Open (1): the candidate is put onto the belt. Closed (0): nothing gets in.${seesBelt}` },
  { name: "candidate", title: "Candidate: what could be put on", equation: "g = tanh(Wg·x + Rg·h′ + bg)",
    say: "What this moment has to offer, between −1 and +1. Without an open input gate none of it reaches the belt." },
  { name: "state", title: "Cell state: the conveyor belt", equation: coupledCell ? "c = (1 − i)·c′ + i·g" : "c = f·c′ + i·g",
    say: "The old content, as far as it was kept, plus the candidate, as far as it was let in. Nothing else touches the belt: so a content can ride on for a long time, and so can the gradient when the network learns." },
  { name: "output", title: "Output gate: what is passed on", equation: `o = σ(${sum("o", "c")}),  h = o·tanh(c)`,
    say: `The valve at the end of the belt: how much of its content the cell tells the next layer, and all cells of this layer a moment later.${peep ? " Its peephole sees the belt as it is now." : ""}` },
];
const GRU_PARTS = [
  { name: "update", title: "Update gate: what is kept", equation: "z = σ(Wz·x + Rz·h′ + bz)",
    say: "One valve for keeping and renewing. Open (1): the old content stays as it is. Closed (0): the candidate takes its place." },
  { name: "reset", title: "Reset gate: how much of the past counts", equation: "r = σ(Wr·x + Rr·h′ + br)",
    say: "How much of the past the candidate may look at. Closed (0): the candidate is made from this moment alone, as if nothing had been before." },
  { name: "candidate", title: "Candidate: what could be put on", equation: "n = tanh(Wn·x + r·(Rn·h′) + bn)",
    say: "What this moment has to offer, between −1 and +1." },
  { name: "state", title: "State: the conveyor belt, and what is passed on", equation: "h = z·h′ + (1 − z)·n",
    say: "The old content, as far as it was kept, and the candidate for the rest. A GRU has no output gate: what lies on the belt is what everybody sees." },
];
const PARTS = KIND === "gru" ? GRU_PARTS : LSTM_PARTS;
const CELL_NAMES = { lstm: "LSTM", peephole: "LSTM with peepholes", coupled: "LSTM with coupled gates", peephole_coupled: "LSTM with peepholes and coupled gates", gru: "GRU" };
const HUE = { forget: "--forget", update: "--forget", input: "--input", output: "--output", reset: "--reset", candidate: "--candidate", state: "--state" };

// Colours

const MAGMA = ["#000004", "#1d1147", "#51127c", "#822681", "#b63679", "#e65164", "#fb8861", "#fec287", "#fcfdbf"];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rgb = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));

/** 256 colours through the given ones. */
function palette(stops) {
  const colours = stops.map(rgb);
  return Array.from({ length: 256 }, (_, n) => {
    const place = (n / 255) * (colours.length - 1), low = Math.min(Math.floor(place), colours.length - 2);
    return colours[low].map((from, channel) => Math.round(from + (place - low) * (colours[low + 1][channel] - from)));
  });
}
const stopsOf = (name) => (name === "candidate" || name === "state" ? [css("--output"), css("--card"), css("--forget")] : [css("--card"), css(HUE[name])]);
const gradientOf = (stops) => `linear-gradient(90deg, ${stops.join(", ")})`;

/** A picture of `columns` by `rows` pixels; `share(row, column)` is from 0 to 1. */
function paint(columns, rows, share, colours) {
  const canvas = el("canvas", { width: columns, height: Math.max(1, rows) });
  const image = new ImageData(columns, Math.max(1, rows));
  for (let row = 0, place = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1, place += 4) {
      const colour = colours[Math.max(0, Math.min(255, Math.round(255 * share(row, column))))];
      image.data.set(colour, place);
      image.data[place + 3] = 255;
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.pixels = image.data;
  return canvas;
}

// Panels

const panels = [];

/**
 * A picture over time. `draw(area)` draws it; `describe(time, share)` is the text under the pointer, where `share` is the
 * height from 0 (top) to 1; `pick(share)` chooses what lies there; `label()` is the description for screen readers.
 */
class Panel {
  constructor(height, { draw, describe = null, pick = null, label = null }) {
    Object.assign(this, { height, paintOn: draw, describe, pick, label });
    this.canvas = el("canvas", { role: label ? "img" : null, "aria-hidden": label ? null : "true" });
    this.tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.track = el("div", { class: "track" }, this.canvas, el("div", { class: "cursor" }), this.tip);
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    panels.push(this);
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect(), left = GUTTER;
    const share = (event.clientX - box.left - left) / (box.width - left);
    return { share, time: view.from + share * (view.to - view.from), down: (event.clientY - box.top) / box.height, x: event.clientX - box.left, y: event.clientY - box.top };
  }

  press(event) {
    const { share, time, down } = this.place(event);
    if (this.pick) this.pick(Math.min(0.9999, Math.max(0, down)), Math.min(duration, Math.max(0, time)));
    if (share >= 0) seek(time);
    this.hover(event);
  }

  hover(event) {
    const { share, time, down, x, y } = this.place(event);
    if (event.buttons & 1 && share >= 0 && event.pointerType === "mouse") seek(time);
    const text = share < 0 || !this.describe ? "" : this.describe(time, Math.min(0.9999, Math.max(0, down)));
    this.tip.hidden = !text;
    if (!text) return;
    this.tip.textContent = text;
    const width = this.track.clientWidth;
    this.tip.style.left = `${Math.max(0, Math.min(width - this.tip.offsetWidth, x + 14))}px`;
    this.tip.style.top = `${Math.max(0, Math.min(this.height - 24, y - 30))}px`;
  }

  draw() {
    const width = this.track.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
    const context = this.canvas.getContext("2d"), left = GUTTER;
    context.scale(ratio, ratio);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const scale = (width - left) / (view.to - view.from);
    const area = { context, left, width, height: this.height, scale, x: (time) => left + (time - view.from) * scale,
      ink: css("--ink"), soft: css("--soft"), line: css("--line"), card: css("--card") };
    context.fillStyle = area.card;
    context.fillRect(left, 0, width - left, this.height);
    this.paintOn(area);
    if (this.label) this.canvas.setAttribute("aria-label", this.label());
  }
}
const GUTTER = 46; // pixels on the left of each picture, for its scale; as --gutter in the style
const redraw = () => panels.forEach((panel) => panel.draw());

/** Draw a picture whose columns are frames, `step` seconds each, clipped to the panel. */
function drawPicture({ context, left, width, height, x, scale }, picture, step) {
  context.save();
  context.beginPath();
  context.rect(left, 0, width - left, height);
  context.clip();
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, x(centre - step / 2), 0, picture.width * step * scale, height);
  context.restore();
}

/** Draw a curve through frames; `value(frame)` is from 0 (bottom) to 1. */
function drawCurve({ context, left, width, height, x }, count_, step, value, colour, { dash = [], fill: isFilled = false, base = 0, weight = 2 } = {}) {
  const y = (share) => height - 5 - share * (height - 10);
  context.save();
  context.beginPath();
  context.rect(left, 0, width - left, height);
  context.clip();
  context.beginPath();
  const first = Math.max(0, Math.floor((view.from - centre) / step) - 1), last = Math.min(count_ - 1, Math.ceil((view.to - centre) / step) + 1);
  for (let frame = first; frame <= last; frame += 1) context.lineTo(x(centre + frame * step), y(value(frame)));
  if (isFilled) {
    context.save();
    context.lineTo(x(centre + last * step), y(base));
    context.lineTo(x(centre + first * step), y(base));
    context.globalAlpha = 0.25;
    context.fillStyle = colour;
    context.fill();
    context.restore();
    context.beginPath();
    for (let frame = first; frame <= last; frame += 1) context.lineTo(x(centre + frame * step), y(value(frame)));
  }
  context.setLineDash(dash);
  context.lineWidth = weight;
  context.strokeStyle = colour;
  context.stroke();
  context.restore();
}

function gutterText({ context, left, soft }, text, y) {
  context.fillStyle = soft;
  context.textAlign = "right";
  context.fillText(text, left - 6, y);
}

function horizontal({ context, left, width, line }, y) {
  context.strokeStyle = line;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(left, Math.round(y) + 0.5);
  context.lineTo(width, Math.round(y) + 0.5);
  context.stroke();
}

/** The axis with the seconds, at the end of each section. */
function axis() {
  const panel = new Panel(24, { draw(area) {
    const { context, soft, width, left, x, height } = area;
    context.clearRect(left, 0, width - left, height);
    context.strokeStyle = soft;
    context.fillStyle = soft;
    for (const time of ticks(view.from, view.to, Math.max(3, (width - left) / 110))) {
      context.beginPath();
      context.moveTo(x(time), 0);
      context.lineTo(x(time), 5);
      context.stroke();
      context.textAlign = x(time) > width - 18 ? "right" : x(time) < left + 14 ? "left" : "center";
      context.fillText(`${+time.toFixed(2)} s`, Math.min(width, x(time)), 15);
    }
  } });
  return el("div", { class: "part seconds" }, el("div"), panel.track);
}

const ramp = (low, stops, high) => el("div", { class: "ramp" }, low, el("i", { "data-stops": stops.join(" ") }), high);
const block = (title, equation, say, tracks, extra = null) => el("div", { class: "part" },
  el("div", {}, el("h3", {}, title), equation && el("span", { class: "equation" }, equation), el("p", {}, say), extra), el("div", {}, tracks));

/** The colours of all ramps, which depend on the theme. */
function colourRamps() {
  for (const ramp_ of document.querySelectorAll(".ramp i")) {
    const stops = ramp_.dataset.stops === "magma" ? MAGMA : stopsOf(ramp_.dataset.stops);
    ramp_.style.background = gradientOf(stops);
  }
}

// 1 The sound

function startSound() {
  const waveform = array("waveform"), points = waveform.shape[1];
  const wave = new Panel(84, {
    label: () => `Waveform of ${data.file}, ${seconds(duration)}`,
    draw(area) {
      const { context, left, width, height, x } = area;
      horizontal(area, height / 2);
      context.fillStyle = css("--accent");
      const each = Math.max(1, x(duration / points) - x(0));
      for (let n = 0; n < points; n += 1) {
        const at = x((n / points) * duration);
        if (at + each < left || at > width) continue;
        const top = height / 2 - (height / 2 - 3) * (2 * waveform.share(points + n) - 1), bottom = height / 2 - (height / 2 - 3) * (2 * waveform.share(n) - 1);
        context.fillRect(Math.max(left, at), top, each, Math.max(1, bottom - top));
      }
    },
  });
  const spectrogram = array("spectrogram"), [count_, bands] = spectrogram.shape;
  const picture = paint(count_, bands, (row, column) => spectrogram.share(column * bands + bands - 1 - row), palette(MAGMA));
  const mel = new Panel(168, {
    label: () => `Log-mel spectrogram: ${bands} bands from ${Math.round(data.band_hz[0])} to ${Math.round(data.band_hz.at(-1))} Hz over time`,
    draw(area) {
      drawPicture(area, picture, hop);
      hertzTicks(area);
    },
    describe: (time, down) => `${seconds(time)}, ${Math.round(data.band_hz[Math.floor((1 - down) * bands)])} Hz`,
  });
  byId("sound-body").append(
    block("Waveform", null, `What the microphone felt: the pressure of the air, ${count(data.sample_rate)} numbers per second. Loud vowels are tall, pauses are flat.`, [wave.track]),
    block("Log-mel spectrogram", "log(mel · |FFT|²)", `The same sound sorted by pitch, ${Math.round(1 / hop)} times per second: low tones below, high ones above, bright where there is energy. Vowels draw stripes, an s hisses at the top. This picture, each band brought to mean 0 and deviation 1, is all the network gets.`,
      [mel.track], ramp("quiet", ["magma"], "loud")),
    axis());
  return picture;
}

function hertzTicks(area) {
  const bands = data.band_hz.length;
  for (const hertz of [250, 500, 1000, 2000, 4000, 8000]) {
    const above = data.band_hz.findIndex((band) => band >= hertz);
    if (above <= 0) continue;
    const low = data.band_hz[above - 1], place = above - 1 + (hertz - low) / (data.band_hz[above] - low);
    gutterText(area, hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`, area.height * (1 - (place + 0.5) / bands));
  }
}

// 2 The feature maps

function startMaps() {
  const stages = Object.keys(data.index).filter((name) => name.startsWith("maps.")).length;
  chosen.stage = stages - 1;
  const load = () => {
    const maps = array(`maps.${chosen.stage}`), [channels, frames, bands] = maps.shape;
    const means = new Float32Array(channels * frames);
    for (let n = 0; n < means.length; n += 1) {
      for (let band = 0; band < bands; band += 1) means[n] += maps.share(n * bands + band) / bands;
    }
    const largest = means.reduce((most, value) => Math.max(most, value), 1e-6);
    const sums = Array.from({ length: channels }, (_, map) => means.subarray(map * frames, (map + 1) * frames).reduce((total, value) => total + value, 0));
    chosen.map = sums.indexOf(Math.max(...sums));
    return { maps, channels, frames, bands, step: (Math.round(shift / hop) * hop * numFrames()) / frames > 0 ? hop * Math.round(data.index.spectrogram.shape[0] / frames) : shift,
      overview: paint(frames, channels, (row, column) => Math.sqrt(means[row * frames + column] / largest), palette(MAGMA)), means, largest };
  };
  let shown = load(), single = null;
  const choose = (map) => {
    chosen.map = map;
    const { maps, frames, bands } = shown;
    single = paint(frames, bands, (row, column) => Math.sqrt(maps.share((map * frames + column) * bands + bands - 1 - row)), palette(MAGMA));
    name.textContent = `Map ${map + 1} of ${shown.channels}`;
    overview.draw();
    one.draw();
  };
  const name = el("h3");
  const overview = new Panel(136, {
    label: () => `All ${shown.channels} feature maps of stage ${chosen.stage + 1}, one row each; map ${chosen.map + 1} is shown below`,
    draw(area) {
      drawPicture(area, shown.overview, shown.step);
      const y = (area.height * (chosen.map + 0.5)) / shown.channels;
      gutterText(area, `${chosen.map + 1} ▸`, Math.max(7, Math.min(area.height - 7, y)));
    },
    describe: (time, down) => `map ${Math.floor(down * shown.channels) + 1}`,
    pick: (down) => choose(Math.floor(down * shown.channels)),
  });
  const one = new Panel(104, { label: () => `Feature map ${chosen.map + 1}: where its pattern was found, over time and pitch`, draw: (area) => single && drawPicture(area, single, shown.step) });
  const stage = select("Stage", Array.from({ length: stages }, (_, n) => [String(n), `${n + 1} of ${stages}`]), String(chosen.stage), (value) => {
    chosen.stage = Number(value);
    shown = load();
    choose(chosen.map);
  });
  const turn = (by) => choose((chosen.map + by + shown.channels) % shown.channels);
  byId("maps-body").append(
    el("p", {}, "A convolution slides small 3 × 3 patterns over the spectrogram and notes where it finds them: an edge, a rise of pitch, a burst. Each pattern gives one map; each stage halves time, pitch or both, and builds larger patterns of smaller ones."),
    el("div", { class: "bar" }, stage, el("button", { type: "button", onclick: () => turn(-1) }, "‹ Previous map"), el("button", { type: "button", onclick: () => turn(1) }, "Next map ›")),
    block("All maps", "y = ReLU(norm(K ∗ x + b))", "One row per map: bright where its pattern was found at that moment, at any pitch. Choose a row to see that map.", [overview.track], ramp("nowhere", ["magma"], "strong")),
    el("div", { class: "part" }, el("div", {}, name, el("p", {}, "The same map with its pitch: low below, high above.")), el("div", {}, one.track)),
    axis());
  choose(chosen.map);
}

/** A labelled selection. */
function select(label, options, value, change) {
  const field = el("select", { onchange: (event) => change(event.target.value) }, options.map(([key, text, group]) => (group
    ? el("optgroup", { label: key }, text.map(([inner, shown]) => el("option", { value: inner }, shown))) : el("option", { value: key }, text))));
  field.value = value;
  return el("label", { class: "field" }, el("span", { class: "small soft" }, label), field);
}

// 3 The memory

let gatePanels = [];

function startMemory() {
  const refresh = () => {
    sortCells();
    chooseCell(order.includes(chosen.cell) ? chosen.cell : order[0] ?? -1);
  };
  const layers = Array.from({ length: model.layers }, (_, n) => [String(n), `${n + 1} of ${model.layers}`]);
  const found = el("output", { class: "small soft", id: "found" });
  byId("memory-body").append(
    el("p", {}, `${model.layers} ${model.layers === 1 ? "layer" : "layers"} of ${model.hidden} memory cells (${CELL_NAMES[KIND]}) read the maps from left to right, and ${model.hidden} others from right to left, so that every moment knows what came before and what comes after. `,
      "Each cell has a conveyor belt, its state, and valves, its gates, which open and close at every moment. x is what comes in now, h′ what the cells said a moment ago."),
    el("div", { class: "bar" },
      select("Layer", layers, String(chosen.layer), (value) => { chosen.layer = Number(value); refresh(); }),
      select("Direction", [["0", "forward: left to right"], ["1", "backward: right to left"]], "0", (value) => { chosen.side = Number(value); refresh(); }),
      select("Cells, from top to bottom", orders(), "memory:-1", (value) => { sorting = value; refresh(); }),
      el("label", { class: "field" }, el("span", { class: "small soft" }, "Find cells that …"),
        el("input", { type: "search", id: "search", list: "deeds", autocomplete: "off", spellcheck: "false", placeholder: "opens at silence", oninput: (event) => { query = event.target.value; refresh(); } })),
      found),
    el("datalist", { id: "deeds" }),
    ...PARTS.map((entry) => {
      const isSigned = entry.name === "candidate" || entry.name === "state";
      const panel = new Panel(128, {
        label: () => gateLabel(entry),
        draw: (area) => drawCells(area, entry.name),
        describe: (time, down) => {
          const cell = order[Math.floor(down * order.length)];
          return cell === undefined ? "" : `cell ${cell + 1}, ${seconds(time)}: ${signed(valueOf(entry.name, cell, frameAt(time)))}`;
        },
        pick: (down) => order.length && chooseCell(order[Math.floor(down * order.length)]),
      });
      gatePanels.push(panel);
      return block(entry.title, entry.equation, entry.say, [panel.track], isSigned ? ramp("−1", [entry.name], entry.name === "state" && KIND !== "gru" ? "+1: tanh(c)" : "+1") : ramp("0 closed", [entry.name], "1 open"));
    }),
    axis());
  return refresh;
}

const valueOf = (name, cell, frame) => (name === "state" ? stateOf(cell, frame) : part(name).at(cell * numFrames() + frame));

function gateLabel({ name, title }) {
  const mean = behaviour().means[name];
  const average = mean ? `; on average ${signed(mean.reduce((total, value) => total + value, 0) / mean.length)} open` : "";
  return `${title}: ${plural(order.length, "cell")} of layer ${chosen.layer + 1}, ${DIRECTIONS[chosen.side]}, over time${average}`;
}

const pictures = new Map();

/** All cells as rows; where a row of the screen holds several cells, it shows their mean. */
function drawCells(area, name) {
  const { context, left, height, soft } = area;
  if (!order.length) {
    context.fillStyle = soft;
    context.textAlign = "left";
    context.fillText("No cell does that in this layer and direction.", left + 12, height / 2);
    return;
  }
  const frames = numFrames(), ratio = window.devicePixelRatio || 1;
  const together = Math.ceil(order.length / (height * ratio)), rows = Math.ceil(order.length / together);
  const key = `${name} ${together}`;
  if (!pictures.has(key)) {
    const values = part(name), { largest } = behaviour();
    const share = (row, column) => {
      let total = 0;
      const last = Math.min(order.length, (row + 1) * together);
      for (let n = row * together; n < last; n += 1) {
        const cell = order[n], place = cell * frames + column;
        total += name === "state" ? 0.5 + 0.5 * Math.tanh(values.at(place) * largest[cell]) : values.share(place);
      }
      return total / (last - row * together);
    };
    pictures.set(key, paint(frames, rows, share, palette(stopsOf(name))));
  }
  drawPicture(area, pictures.get(key), shift);
  const place = order.indexOf(chosen.cell);
  if (place >= 0) gutterText(area, `${chosen.cell + 1} ▸`, Math.max(7, Math.min(height - 7, (height * (place + 0.5)) / order.length)));
}

// Sorting and searching

let sorting = "memory:-1";
let query = "";

/** What the cells can be sorted by. */
function orders() {
  const gates = Object.keys(data.layers[0][0].means);
  return [
    ["memory:-1", "keeps longest first"], ["memory:1", "forgets soonest first"],
    ["Loudness", gates.flatMap((gate) => [[`loudness.${gate}:1`, `${gate} gate opens at silence`], [`loudness.${gate}:-1`, `${gate} gate opens at sound`]])
      .concat([["loudness.state:-1", "state follows loudness"], ["loudness.state:1", "state falls with loudness"]]), true],
    ["Openness", gates.flatMap((gate) => [[`means.${gate}:-1`, `${gate} gate mostly open`], [`means.${gate}:1`, `${gate} gate mostly closed`]]), true],
    ["Rises at", data.used.map((token, place) => [`token.${place}:-1`, `rises at ${data.tokens[token]}`]), true],
    ["cell:1", "as in the file"],
  ];
}

function sortValue(key) {
  const [kind, name] = key.split(".");
  const { memory, loudness, means } = behaviour();
  if (kind === "memory") return (cell) => memory[cell];
  if (kind === "loudness") return (cell) => loudness[name][cell];
  if (kind === "means") return (cell) => means[name][cell];
  if (kind === "token") {
    const tokens = part("tokens");
    return (cell) => tokens.at(cell * tokens.shape[1] + Number(name));
  }
  return (cell) => cell;
}

function sortCells() {
  const [key, sign] = sorting.split(":"), value = sortValue(key);
  const terms = query.toLowerCase().split(",").map((term) => term.trim()).filter(Boolean);
  const text = (cell) => `${behaviour().what[cell].toLowerCase()}, cell ${cell + 1}`;
  order = Array.from({ length: model.hidden }, (_, cell) => cell).filter((cell) => terms.every((term) => text(cell).includes(term)));
  order.sort((a, b) => Number(sign) * (value(a) - value(b)) || a - b);
  pictures.clear();
  byId("found").textContent = `${count(order.length)} of ${plural(model.hidden, "cell")}`;
  const deeds = [...new Set(behaviour().what.flatMap((what) => what.split(", ")).filter(Boolean))].sort();
  byId("deeds").replaceChildren(...deeds.map((deed) => el("option", { value: deed })));
  table?.setRows(order);
  gatePanels.forEach((panel) => panel.draw());
}

// 4 One cell

let table = null;
let cellPanels = [];

function startCells() {
  const frames = numFrames();
  const names = PARTS.map((entry) => entry.name).filter((name) => name !== "state");
  const gates = new Panel(132, {
    label: () => `Gates of cell ${chosen.cell + 1} over time`,
    draw(area) {
      for (const value of [0, 0.5, 1]) horizontal(area, area.height - 5 - value * (area.height - 10));
      gutterText(area, "1", 8);
      gutterText(area, "0", area.height - 8);
      if (chosen.cell < 0) return;
      for (const name of names) {
        const values = part(name);
        drawCurve(area, frames, shift, (frame) => values.share(chosen.cell * frames + frame), css(HUE[name]), { dash: name === "candidate" ? [5, 4] : [], weight: name === "candidate" ? 1.5 : 2.25 });
      }
    },
  });
  const belt = new Panel(132, {
    label: () => `State and output of cell ${chosen.cell + 1} over time`,
    draw(area) {
      if (chosen.cell < 0) return;
      const most = Math.max(1, behaviour().largest[chosen.cell]), share = (value) => 0.5 + value / most / 2;
      horizontal(area, area.height / 2);
      gutterText(area, `+${most.toFixed(1)}`, 8);
      gutterText(area, "0", area.height / 2);
      gutterText(area, `−${most.toFixed(1)}`, area.height - 8);
      drawCurve(area, frames, shift, (frame) => share(stateOf(chosen.cell, frame)), css("--state"), { fill: true, base: 0.5 });
      if (KIND !== "gru") drawCurve(area, frames, shift, (frame) => 0.5 + outputOf(chosen.cell, frame) / 2, css("--output"));
    },
  });
  cellPanels = [gates, belt];
  const key = (name, text, dashed = false) => el("span", { class: `key${dashed ? " dashed" : ""}` }, el("i", { style: null, "data-hue": HUE[name] }), text);
  byId("cells-body").append(
    el("p", { id: "cell-say", role: "status" }),
    el("div", { class: "bar" }, el("button", { type: "button", onclick: () => stepCell(-1) }, "‹ Cell above"), el("button", { type: "button", onclick: () => stepCell(1) }, "Cell below ›"), el("output", { id: "cell-now", class: "small" })),
    block("Its gates", null, [names.map((name) => key(name, name === "candidate" ? "candidate, from −1 to 1" : `${name} gate`, name === "candidate"))], [gates.track]),
    block("Its belt", null, KIND === "gru" ? [key("state", "state h")] : [key("state", "state c"), key("output", "passed on: h = o·tanh(c), from −1 to 1")], [belt.track]),
    axis(), el("div", { id: "cell-table" }));
  for (const mark of document.querySelectorAll(".key i")) mark.style.borderColor = `var(${mark.dataset.hue})`;
  const memory = (cell) => behaviour().memory[cell];
  table = new Table(byId("cell-table"), {
    caption: "The cells that are shown, in their order", rows: order, size: 8, nothing: "No cell does that in this layer and direction.",
    columns: [
      { name: "cell", label: "cell", fixed: true, show: (cell) => el("button", { type: "button", class: "link", onclick: () => chooseCell(cell) }, `cell ${cell + 1}`) },
      { name: "memory", label: "keeps for", fixed: true, number: true, show: (cell) => duration_(memory(cell)) },
      ...Object.keys(data.layers[0][0].means).map((gate) => ({ name: gate, label: `${gate} gate`, fixed: true, number: true, show: (cell) => signed(behaviour().means[gate][cell]) })),
      { name: "what", label: "what it does", class: "what", fixed: true, show: (cell) => behaviour().what[cell] || "–" },
    ],
  });
}

const duration_ = (ms) => (ms < 1000 ? `${ms} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : "over a minute");

function chooseCell(cell) {
  chosen.cell = cell;
  if (cell < 0) {
    byId("cell-say").textContent = "No cell is chosen.";
  } else {
    const { memory, what } = behaviour();
    byId("cell-say").textContent = `Cell ${cell + 1} of layer ${chosen.layer + 1}, ${DIRECTIONS[chosen.side]}, keeps what it has for ${duration_(memory[cell])} on average, until 37 % (1/e) of it are left. ` +
      (what[cell] ? `On this recording: ${what[cell]}.` : "It does nothing that this page has a name for.");
  }
  [...gatePanels, ...cellPanels].forEach((panel) => panel.draw());
  mark();
}

function stepCell(by) {
  const place = order.indexOf(chosen.cell);
  if (order.length) chooseCell(order[Math.max(0, Math.min(order.length - 1, place + by))]);
}

// 5 The letters

const HUES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
let letterPanels = [];
const letterButtons = [];

function startLetters(spectrogram) {
  const posteriors = array("posteriors"), [frames, tokens] = posteriors.shape;
  const curves = new Panel(120, {
    label: () => `Probability of each letter over time; the best path reads: ${data.letters.map(([text]) => text).join(" ")}`,
    draw(area) {
      horizontal(area, area.height - 5);
      gutterText(area, "100 %", 9);
      gutterText(area, "0 %", area.height - 9);
      drawCurve(area, frames, shift, (frame) => posteriors.share(frame * tokens), area.soft, { dash: [2, 3], weight: 1 });
      for (const token of data.used) drawCurve(area, frames, shift, (frame) => posteriors.share(frame * tokens + token), HUES[token % HUES.length], { fill: true, weight: 1.5 });
    },
    describe(time) {
      const frame = frameAt(time), best = Array.from({ length: tokens }, (_, token) => [posteriors.share(frame * tokens + token), token]).sort((a, b) => b[0] - a[0]);
      return best.slice(0, 3).filter(([share]) => share >= 0.01).map(([share, token]) => `${token ? data.tokens[token] : "blank"} ${percent(share, 0)}`).join(", ");
    },
    pick: (down, time) => data.letters.length && chooseLetter(nearestLetter(time)),
  });
  const row = el("div", { class: "track row", id: "letter-row" }, el("div", { class: "cursor" }));
  const overTime = array("over_time"), points = overTime.shape[1];
  const cache = { letter: -1, picture: null };
  const lit = new Panel(140, {
    label: () => (chosen.letter < 0 ? "No letter" : `Spectrogram, lit where it drove the letter ${data.letters[chosen.letter][0]}`),
    draw(area) {
      if (chosen.letter < 0) return;
      if (cache.letter !== chosen.letter) Object.assign(cache, { letter: chosen.letter, picture: litPicture(chosen.letter) });
      drawPicture(area, cache.picture, hop);
      hertzTicks(area);
      letterMark(area);
    },
  });
  const drive = new Panel(76, {
    label: () => (chosen.letter < 0 ? "No letter" : verdict(chosen.letter)),
    draw(area) {
      horizontal(area, area.height - 5);
      if (chosen.letter < 0) return;
      drawCurve(area, points, hop, (n) => overTime.share(chosen.letter * points + n), css("--forget"), { fill: true });
      letterMark(area);
    },
    describe: (time) => (chosen.letter < 0 ? "" : `${seconds(time)}: ${percent(overTime.share(chosen.letter * points + Math.max(0, Math.min(points - 1, Math.round((time - centre) / hop)))), 0)} of the strongest`),
  });
  letterPanels = [lit, drive];
  const chip = ([text, , frame, probability], place) => {
    const button = el("button", { type: "button", title: `${seconds(timeOf(frame))}, ${percent(probability, 0)}`, "aria-label": `${text === "␣" ? "space" : text}, at ${seconds(timeOf(frame))}`,
      onclick: () => { chooseLetter(place); seek(timeOf(frame)); }, onfocus: () => chooseLetter(place), onpointerenter: (event) => event.pointerType === "mouse" && chooseLetter(place) }, text);
    letterButtons.push([button, place]);
    return button;
  };
  const onAxis = data.letters.map(chip);
  onAxis.forEach((button) => button.setAttribute("tabindex", "-1"));
  onAxis.forEach((button) => button.setAttribute("aria-hidden", "true"));
  row.prepend(...onAxis);
  rows.push(() => onAxis.forEach((button, place) => put(button, timeOf(data.letters[place][2]))));
  byId("letters-body").append(
    el("p", {}, "At every moment the last layer bets on one letter, or on “blank”: nothing new here. A letter shows as a narrow spike somewhere in its sound, because training (CTC) rewards the right order of spikes, not their length."),
    block("Probabilities", "p = softmax(W·h + b)", "One colour per letter, “blank” dotted. The letters below are the likeliest at each moment, repeats and blanks removed.", [curves.track, row]),
    axis(),
    el("h3", {}, "Which sound made this letter?"),
    el("p", {}, "Point at a letter, or tap it. Lit is what mattered for it: how much its probability would change if the spectrogram changed a little there (the gradient). A sound needs its neighbours, so this reaches to both sides."),
    data.letters.length ? el("ol", { class: "chips", "aria-label": "Letters in order" }, data.letters.map((letter, place) => el("li", {}, chip(letter, place)))) : el("p", {}, "No letter was found in this recording."),
    el("p", { class: "verdict", id: "verdict", role: "status" }),
    block("Where it listened", "|∂ log p / ∂ spectrogram|", "The spectrogram, lit where it drove the letter; the dashed line is the letter’s spike.", [lit.track]),
    block("How strongly, moment by moment", "‖∂ log p / ∂ x(t)‖", "The connectivity: the same, summed over the pitch. It shows how far the memory reaches.", [drive.track]),
    axis());
  chooseLetter.say = verdict;
  if (chosen.letter >= 0) chooseLetter(0);

  function letterMark({ context, x, height, ink }) {
    context.setLineDash([4, 3]);
    for (const [colour, width] of [["#ffffff", 4], [ink === "#e8e8e4" ? "#000000" : ink, 1.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x(timeOf(data.letters[chosen.letter][2])), 0);
      context.lineTo(x(timeOf(data.letters[chosen.letter][2])), height);
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** The spectrogram, darkened where the gradient of a letter is small. */
  function litPicture(letter) {
    const source = new ImageData(spectrogram.pixels.slice(), spectrogram.width, spectrogram.height);
    const gradient = array("pictures"), [, bandRows, columns] = gradient.shape, span = data.span;
    const middle = data.letters[letter][2] * Math.round(shift / hop), each = spectrogram.height / bandRows;
    for (let y = 0; y < source.height; y += 1) {
      const bandRow = Math.min(bandRows - 1, Math.floor((source.height - 1 - y) / each));
      for (let column = 0; column < source.width; column += 1) {
        const offset = column - middle + span;
        const share = offset < 0 || offset >= columns ? 0 : gradient.share((letter * bandRows + bandRow) * columns + offset);
        const light = 0.16 + 0.84 * Math.min(1, 1.6 * Math.sqrt(share)), place = 4 * (y * source.width + column);
        for (let channel = 0; channel < 3; channel += 1) source.data[place + channel] *= light;
      }
    }
    const canvas = el("canvas", { width: source.width, height: source.height });
    canvas.getContext("2d").putImageData(source, 0, 0);
    return canvas;
  }

  /** What the curve of a letter says. */
  function verdict(letter) {
    const [text, , frame] = data.letters[letter], time = timeOf(frame);
    const values = Array.from({ length: points }, (_, n) => overTime.share(letter * points + n));
    const total = values.reduce((all, value) => all + value, 0) || 1;
    const at = (share) => {
      let running = 0;
      return centre + values.findIndex((value) => (running += value) >= share * total) * hop;
    };
    const peak = centre + values.indexOf(Math.max(...values)) * hop, late = Math.round(1000 * (time - peak));
    const when = Math.abs(late) < 15 ? "at its spike" : late > 0 ? `${late} ms before its spike` : `${-late} ms after its spike`;
    return `“${text}” at ${seconds(time)} was driven most by the sound at ${seconds(peak)}, ${when}; half of what drove it lies between ${seconds(at(0.25))} and ${seconds(at(0.75))}.`;
  }
}

function chooseLetter(letter) {
  chosen.letter = letter;
  for (const [button, place] of letterButtons) {
    button.classList.toggle("chosen", place === letter);
    if (button.closest(".chips")) button.setAttribute("aria-pressed", String(place === letter));
  }
  byId("verdict").textContent = chooseLetter.say ? chooseLetter.say(letter) : "";
  letterPanels.forEach((panel) => panel.draw());
}

const nearestLetter = (time) => data.letters.reduce((best, [, , frame], place) => (Math.abs(timeOf(frame) - time) < Math.abs(timeOf(data.letters[best][2]) - time) ? place : best), 0);

// 6 The words

const rows = []; // functions that place the buttons of a row
const wordButtons = [];

/** Place an element of a row at a time, with a width if given; hide it outside of the view. */
function put(node, time, end = null) {
  const share = (moment) => (moment - view.from) / (view.to - view.from);
  node.hidden = share(end ?? time) < 0 || share(time) > 1;
  node.style.left = `calc(var(--gutter) + (100% - var(--gutter)) * ${share(time)})`;
  if (end !== null) node.style.width = `calc((100% - var(--gutter)) * ${share(end) - share(time)})`;
}

function startWords() {
  const row = el("div", { class: "track row words" }, el("div", { class: "cursor" }));
  let lastShown = -Infinity; // where the last time stands, so that the next one does not lie over it
  const onAxis = data.words.map(([text, start, end], place) => {
    const button = el("button", { type: "button", tabindex: "-1", "aria-hidden": "true", title: `${seconds(start)} to ${seconds(end)}`, onclick: () => playFrom(start) }, text);
    const time = el("small", { "aria-hidden": "true" }, start.toFixed(2));
    rows.push(() => {
      put(button, start, end);
      put(time, start);
      const at = (start / (view.to - view.from)) * (row.clientWidth - GUTTER);
      if (!place) lastShown = -Infinity;
      if (at - lastShown < 32) time.hidden = true;
      if (!time.hidden) lastShown = at;
    });
    row.prepend(button, time);
    return button;
  });
  wordButtons.push(...onAxis.map((button, place) => [button, place]));
  const list = data.words.map(([text, start, end, confidence], place) => {
    const button = el("button", { type: "button", onclick: () => playFrom(start) }, text, " ", el("small", {}, `${start.toFixed(2)}–${end.toFixed(2)} s, ${percent(confidence, 0)}`));
    wordButtons.push([button, place]);
    return el("li", {}, button);
  });
  byId("words-body").append(
    el("p", {}, "A search puts the letters together to words. It may overrule a doubtful letter where another one makes a likelier word, if the model file holds a language model."),
    block("Words", null, "Each with the second at which it begins. Choose one to hear it.", [row]), axis(),
    data.words.length ? el("ol", { class: "chips", "aria-label": "Words with their times and confidence" }, list) : el("p", {}, "No word was found in this recording."));
}

// Time: cursor, sound, zoom

const audio = el("audio", { preload: "auto" });
let frameRequest = null;

function seek(time) {
  now = Math.min(duration, Math.max(0, time));
  audio.currentTime = now;
  mark();
}

function playFrom(time) {
  seek(time);
  audio.play();
}

/** Show the current time: the cursor, the slider, and the words about it. */
function mark() {
  const share = (now - view.from) / (view.to - view.from), root = document.documentElement;
  root.style.setProperty("--at", share.toFixed(5));
  root.classList.toggle("outside", share < 0 || share > 1);
  const frame = frameAt(now), word = data.words.findIndex(([, start, end]) => now >= start && now < end + 0.02);
  const letter = data.letters.findLastIndex(([, , at]) => at <= frame && frame - at <= 2);
  for (const [button, place] of wordButtons) button.classList.toggle("now", place === word);
  for (const [button, place] of letterButtons) button.classList.toggle("now", place === letter);
  const heard = [word >= 0 && `word “${data.words[word][0]}”`, letter >= 0 && `letter “${data.letters[letter][0]}”`].filter(Boolean).join(", ");
  const text = `${seconds(now)}${heard ? ` · ${heard}` : ""}`;
  byId("now").textContent = text;
  byId("time").value = now;
  byId("time").setAttribute("aria-valuetext", text);
  if (chosen.cell >= 0 && order.length) {
    const gates = PARTS.filter((entry) => entry.name !== "state").map(({ name }) => `${name} ${signed(valueOf(name, chosen.cell, frame))}`);
    byId("cell-now").textContent = `at ${seconds(now)}: ${gates.join(", ")}, state ${signed(stateOf(chosen.cell, frame))}${KIND === "gru" ? "" : `, passed on ${signed(outputOf(chosen.cell, frame))}`}`;
  } else byId("cell-now").textContent = "";
}

function follow() {
  now = Math.min(duration, audio.currentTime);
  if (now > view.to || now < view.from) show(now - 0.1 * (view.to - view.from), view.to - view.from);
  mark();
  frameRequest = audio.paused ? null : requestAnimationFrame(follow);
}

/** Show a part of the recording: from a time, this long. */
function show(from, length) {
  const width = Math.min(duration, Math.max(0.3, length));
  view.from = Math.min(Math.max(0, from), duration - width);
  view.to = view.from + width;
  redraw();
  rows.forEach((place) => place());
  mark();
}

function zoom(factor) {
  const length = (view.to - view.from) / factor, middle = now >= view.from && now <= view.to ? now : (view.from + view.to) / 2;
  show(middle - length / 2, length);
}

function startTime() {
  audio.src = URL.createObjectURL(new Blob([bytes(embedded("audio"))], { type: "audio/ogg" }));
  const play = byId("play"), slider = byId("time");
  const toggle = () => (audio.paused ? playFrom(now >= duration - 0.01 ? 0 : now) : audio.pause());
  play.addEventListener("click", toggle);
  audio.addEventListener("play", () => {
    play.textContent = "❚❚ Pause";
    if (frameRequest === null) follow();
  });
  for (const event of ["pause", "ended"]) audio.addEventListener(event, () => { play.textContent = "▶ Play"; });
  slider.max = duration;
  slider.step = shift / 2;
  slider.addEventListener("input", () => {
    seek(Number(slider.value));
    if (now < view.from || now > view.to) show(now - (view.to - view.from) / 2, view.to - view.from);
  });
  byId("closer").addEventListener("click", () => zoom(1.6));
  byId("farther").addEventListener("click", () => zoom(1 / 1.6));
  byId("whole").addEventListener("click", () => show(0, duration));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === " " && event.target.tagName !== "BUTTON") toggle();
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") seek(now + (event.key === "ArrowRight" ? shift : -shift));
    else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.6 : 1 / 1.6);
    else if (event.key === "0") show(0, duration);
    else if (event.key === "j" || event.key === "k") stepCell(event.key === "j" ? 1 : -1);
    else if ((event.key === "n" || event.key === "p") && data.letters.length) chooseLetter((chosen.letter + (event.key === "n" ? 1 : -1) + data.letters.length) % data.letters.length);
    else if (event.key === "/") byId("search").focus();
    else return;
    event.preventDefault();
  });
}

function startAbout() {
  const difference = model.difference_from_onnxruntime;
  byId("about-body").append(facts([
    ["model", `${model.name}, ${count(model.parameters)} parameters, ${CELL_NAMES[KIND]}, ${model.layers} ${model.layers === 1 ? "layer" : "layers"} of ${model.hidden} cells in each direction`],
    ["precision", model.precision === "float" ? `float; computed again here, the log-probabilities differ from the program’s by ${difference} (root mean square)`
      : `${model.precision}: the weights are stored in 8 bits. Gates and states are computed here with these weights and in full precision, so that the log-probabilities differ from the program’s by ${difference} (root mean square)`],
    ["recording", `${data.file}, ${seconds(duration)}`],
    ["memory length", "the time in which a state’s old content decays to 1/e, from the mean logarithm of the share that is kept"],
    ["what a cell does", "opens at sound or silence: its gate correlates with the loudness (0.5 or more); rises at a letter: so does its output with the letter’s probability"],
    ["drawn in steps", "colours in 64 steps, curves in 128; asr inspect --json has the numbers"],
    ["keys", [["space", "play, pause"], ["← →", "a frame"], ["+ − 0", "zoom, whole"], ["j k", "next, previous cell"], ["n p", "next, previous letter"], ["/", "find cells"]].map(([key, text]) => [el("kbd", {}, key), ` ${text}  `])],
  ]));
}

/** Inflate the arrays, then build the page from top to bottom. */
async function start() {
  const stream = new Blob([bytes(embedded("bytes"))]).stream().pipeThrough(new DecompressionStream("deflate"));
  content = new Uint8Array(await new Response(stream).arrayBuffer());
  byId("heard").textContent = data.words.length ? `“${data.words.map(([text]) => text).join(" ")}”` : "No word was recognised.";
  byId("subtitle").textContent = `${data.file}, ${seconds(duration)}, through ${model.name}: follow the sound from top to bottom. Press play, or point at anything.`;
  const spectrogram = startSound();
  startMaps();
  const refresh = startMemory();
  startCells();
  startLetters(spectrogram);
  startWords();
  startAbout();
  startTime();
  refresh();
  colourRamps();
  const readable = (byId("letter-row").clientWidth - GUTTER) / 165; // seconds that fit, at 165 pixels each
  show(0, Math.min(duration, Math.max(1, readable)));
  let width = window.innerWidth;
  addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    pictures.clear();
    colourRamps();
    redraw();
  });
  document.documentElement.dataset.ready = "true";
}

if (typeof DecompressionStream === "undefined") {
  byId("trouble").hidden = false;
  byId("trouble").textContent = "This browser cannot unpack the page: use one from 2023 or later.";
} else start();
