// Resample one channel that comes in pieces, by a low-pass filter: a sinc with Kaiser's window.

const ZEROS = 24; // of the sinc on each side
const SHAPE = 8; // of Kaiser's window: 80 dB
const PASSED = 0.94; // share of the lower of the two bands that is passed whole

/** The modified Bessel function of the first kind and order zero. */
function bessel(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

export class Resampler {
  constructor(from, to) {
    const common = divisor(from, to);
    [this.up, this.down] = [to / common, from / common];
    const cutoff = Math.min(1, to / from) * PASSED; // relative to half the rate of the input
    this.half = Math.ceil(ZEROS / cutoff); // inputs on each side of an output
    this.filters = Array.from({ length: this.up }, (_, phase) => this.filter(phase / this.up, cutoff));
    this.input = new Float32Array(this.half); // the inputs that are still needed, after silence before the first
    this.phase = 0; // of the next output, in units of an input divided by `up`
  }

  /** The weights of the inputs around an output that lies `fraction` after one of them. */
  filter(fraction, cutoff) {
    const weights = Float64Array.from({ length: 2 * this.half + 1 }, (_, place) => {
      const x = place - this.half - fraction;
      const edge = Math.min(1, Math.abs(x) / (this.half + 1));
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
      return cutoff * sinc * (bessel(SHAPE * Math.sqrt(1 - edge * edge)) / bessel(SHAPE));
    });
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight) => weight / sum);
  }

  /** Resample the next samples, a Float32Array. */
  feed(samples) {
    if (this.up === this.down) return samples.slice();
    const input = new Float32Array(this.input.length + samples.length);
    input.set(this.input);
    input.set(samples, this.input.length);
    const result = [];
    let place = Math.floor(this.phase / this.up); // the first of the inputs of an output
    while (place + 2 * this.half < input.length) {
      const filter = this.filters[this.phase % this.up];
      let sum = 0;
      for (let k = 0; k < filter.length; k += 1) sum += filter[k] * input[place + k];
      result.push(sum);
      this.phase += this.down;
      place = Math.floor(this.phase / this.up);
    }
    const used = Math.min(place, input.length);
    this.phase -= used * this.up;
    this.input = input.slice(used);
    return Float32Array.from(result);
  }

  /** The last samples, which are followed by silence. */
  finish() {
    return this.up === this.down ? new Float32Array(0) : this.feed(new Float32Array(this.half));
  }
}
