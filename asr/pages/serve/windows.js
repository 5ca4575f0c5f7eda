// Cut audio into windows, and stitch the log-probs of these, as asr/transcription/windows.py does.
// Log-probs are arrays of frames, each a Float32Array with a number per token.

const BLANK = 0;

/** The power of the loudest segment in dB relative to full scale. */
function levelDb(waveform, sampleRate, segmentS) {
  const size = Math.min(Math.round(segmentS * sampleRate), waveform.length);
  let loudest = 0;
  for (let start = 0; start + size <= waveform.length; start += size) {
    let sum = 0;
    for (let k = start; k < start + size; k += 1) sum += waveform[k] * waveform[k];
    loudest = Math.max(loudest, sum / size);
  }
  return loudest > 0 ? 10 * Math.log10(loudest) : -Infinity;
}

/** Brings the windows of one recording, in order, into the range of levels that the model was trained with. */
class Leveller {
  constructor(windowing, settings) {
    Object.assign(this, { windowing, settings, loudest: -Infinity });
  }

  /** Returns the waveform and whether it is silent. */
  level(waveform) {
    const { windowing, settings } = this;
    const db = levelDb(waveform, settings.sample_rate, settings.level_segment_s);
    this.loudest = Math.max(this.loudest, db);
    if (db < windowing.silence_db) return [waveform, true];
    if (!windowing.adapts_level) return [waveform, false];
    const reference = Math.max(db, this.loudest - windowing.dynamics_db);
    const gainDb = Math.min(Math.max(reference, settings.lowest_level_db), windowing.highest_level_db) - reference;
    const gain = Math.fround(10 ** (gainDb / 20));
    return [gainDb ? waveform.map((sample) => sample * gain) : waveform, false];
  }
}

/** Cuts audio that comes in pieces into windows {waveform, isSilent, start, edge, frames}. */
export class WindowCutter {
  constructor(settings, windowing) {
    const frames = (seconds) => Math.round(seconds / settings.frame_shift_s);
    this.step = Math.round(settings.frame_shift_s * settings.sample_rate);
    [this.centre, this.context, this.lookAhead] = [frames(windowing.centre_s), frames(windowing.context_s), frames(windowing.look_ahead_s)];
    const longest = windowing.centre_s + windowing.context_s + windowing.look_ahead_s;
    this.single = windowing.waits_for_whole ? Math.floor(longest * settings.sample_rate) : 0;
    this.leveller = new Leveller(windowing, settings);
    this.padding = Math.round(windowing.padding_s * settings.sample_rate);
    this.pieces = []; // the samples that may still be needed
    this.begin = this.end = this.edge = 0; // index of the first of them and one past the last; a frame
  }

  /** The windows that the next samples complete. */
  *feed(samples) {
    this.pieces.push(samples);
    this.end += samples.length;
    for (;;) {
      const start = Math.max(0, this.edge - this.context), stop = this.edge + this.centre + this.lookAhead;
      if (this.end <= Math.max(stop * this.step, this.single)) return;
      const buffer = joined(this.pieces);
      const [waveform, isSilent] = this.leveller.level(buffer.subarray(start * this.step - this.begin, stop * this.step - this.begin));
      const { edge } = this;
      this.edge += this.centre;
      const needed = Math.max(0, this.edge - this.context) * this.step;
      [this.pieces, this.begin] = [[buffer.subarray(needed - this.begin)], needed];
      yield { waveform: this.padding ? joined([waveform, new Float32Array(this.padding)]) : waveform, isSilent, start, edge, frames: stop - start };
    }
  }

  /** The last window, which ends where the audio ends. */
  finish() {
    const start = Math.max(0, this.edge - this.context);
    const [waveform, isSilent] = this.leveller.level(joined(this.pieces).subarray(start * this.step - this.begin));
    return { waveform, isSilent, start, edge: this.edge, frames: null };
  }
}

function joined(pieces) {
  if (pieces.length === 1) return pieces[0];
  const result = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let place = 0;
  for (const piece of pieces) {
    result.set(piece, place);
    place += piece.length;
  }
  return result;
}

/** Joins the log-probs of windows. */
export class Stitcher {
  constructor(settings, windowing) {
    const frames = (seconds) => Math.round(seconds / settings.frame_shift_s);
    [this.centre, this.slack, this.pause] = [frames(windowing.centre_s), frames(windowing.seam_s), Math.max(1, frames(windowing.pause_s))];
    this.rest = null; // rows of the previous window from the earliest seam on
  }

  /** The frames that the next window settles; with the last window, all that are left. */
  add(window, rows) {
    let seam = window.edge, before = [];
    if (this.rest && this.slack) {
      const first = seam - this.slack, last = seam + this.slack;
      const blanks = this.rest.slice(0, last - first).map((row, k) => Math.fround(row[BLANK] + rows[first - window.start + k][BLANK]));
      seam = first + likeliestPause(blanks, this.pause);
      before = this.rest.slice(0, seam - first);
    }
    const stop = window.frames === null ? rows.length : window.edge + this.centre - this.slack - window.start;
    this.rest = window.frames === null ? null : rows.slice(stop);
    return [...before, ...rows.slice(seam - window.start, stop)];
  }
}

/** The middle of the `width` frames with the highest sum; among equals, the one nearest to the middle. */
function likeliestPause(blanks, wanted) {
  const width = Math.min(wanted, blanks.length);
  const count = blanks.length - width + 1, middle = Math.floor(count / 2);
  let best = 0, bestSum = -Infinity;
  for (let place = 0; place < count; place += 1) {
    const sum = Math.round(1000 * blanks.slice(place, place + width).reduce((total, value) => total + value, 0));
    if (sum > bestSum || (sum === bestSum && Math.abs(place - middle) < Math.abs(best - middle))) [best, bestSum] = [place, sum];
  }
  return best + Math.floor(width / 2);
}

/** The log-probs of a window; those of a silent one are known. `run(waveform)` returns rows. */
export async function runWindow(run, window, settings) {
  if (window.frames === null || !window.isSilent) {
    const rows = await run(window.waveform);
    return window.frames === null ? rows : rows.slice(0, window.frames);
  }
  return Array.from({ length: window.frames }, () => {
    const row = new Float32Array(settings.num_tokens).fill(settings.silent_log_prob);
    row[BLANK] = 0;
    return row;
  });
}
