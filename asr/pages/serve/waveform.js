// The waveform of a recording, drawn from its peaks; a click goes to a time.

const STEP_S = 0.02; // between two peaks
const LIVE_S = 20; // shown while a recording grows

export class Waveform {
  constructor(canvas, onSeek) {
    this.canvas = canvas;
    this.reset();
    canvas.addEventListener("pointerdown", (event) => {
      const box = canvas.getBoundingClientRect();
      if (this.duration && !this.isGrowing) onSeek(((event.clientX - box.left) / box.width) * this.duration);
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Forget the recording. */
  reset() {
    [this.peaks, this.rest, this.restPeak] = [[], 0, 0];
    [this.duration, this.time, this.isGrowing] = [0, 0, false];
    this.draw();
  }

  /** Add samples, an Int16Array or a Float32Array. */
  add(samples, rate) {
    const scale = samples instanceof Int16Array ? 32768 : 1;
    const step = STEP_S * rate;
    for (const sample of samples) {
      const height = Math.abs(sample) / scale;
      if (height > this.restPeak) this.restPeak = height;
      if (++this.rest < step) continue;
      this.peaks.push(this.restPeak);
      [this.rest, this.restPeak] = [0, 0];
    }
    this.duration += samples.length / rate;
    this.draw();
  }

  /** Show all of a recording that has ended, or the end of one that grows. */
  grow(isGrowing) {
    this.isGrowing = isGrowing;
    this.draw();
  }

  /** Move the cursor. */
  moveTo(time) {
    this.time = time;
    this.draw();
  }

  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.paint();
    });
  }

  paint() {
    const { canvas, peaks } = this;
    const ratio = devicePixelRatio, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (!width) return;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const colours = getComputedStyle(canvas);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const total = Math.max(peaks.length, 1), shown = this.isGrowing ? LIVE_S / STEP_S : total;
    const first = this.isGrowing ? Math.max(0, total - shown) : 0;
    const bar = Math.max(2, Math.round(2 * ratio)), bars = Math.floor(width / bar / 1.5);
    const played = this.isGrowing ? total : this.time / STEP_S;
    for (let place = 0; place < bars; place += 1) {
      const from = Math.floor(first + (place * shown) / bars), to = Math.max(from + 1, Math.floor(first + ((place + 1) * shown) / bars));
      let peak = 0;
      for (let k = from; k < to && k < total; k += 1) peak = Math.max(peak, peaks[k] ?? 0);
      const size = Math.max(ratio, Math.sqrt(peak) * height); // quiet speech is seen, too
      context.fillStyle = colours.getPropertyValue(from < played && peak ? "--accent" : "--soft");
      context.fillRect(Math.round((place * width) / bars), (height - size) / 2, bar, size);
    }
  }
}
